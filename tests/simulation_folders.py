"""Folders as simulations leave them, with tables of known values."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from biopose_sim.forces.actuator_kinds import read_actuators
from biopose_sim.forces.types import Simulation
from biopose_sim.io import Motion, Table, write_mot, write_sto
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.paths import default_model_path

MASS = 70.0
TIME = np.arange(0.0, 2.005, 0.01)
PEAKS = {"hip_flexion_r": 50.0, "knee_angle_r": 40.0, "ankle_angle_r": 100.0, "hip_flexion_l": 45.0}  # [N m]
RESIDUAL = 30.0  # [N] forward
RESERVE = 8.0  # [N m] at the right knee
FORCE = {"r": 800.0, "l": 700.0}  # [N] upward
SOLEUS, LOAD = 1500.0, (300.0, -2000.0, 400.0)  # [N]
_LOADS = """<?xml version="1.0" encoding="UTF-8"?>
<OpenSimDocument Version="40000"><ExternalLoads name="loads"><objects>{forces}</objects><datafile>grf.mot</datafile>
</ExternalLoads></OpenSimDocument>"""
_LOAD = """<ExternalForce name="{body}"><applied_to_body>{body}</applied_to_body>
<force_expressed_in_body>ground</force_expressed_in_body><point_expressed_in_body>ground</point_expressed_in_body>
<force_identifier>{body}_v</force_identifier><point_identifier>{body}_p</point_identifier>
<torque_identifier>{body}_m</torque_identifier></ExternalForce>"""


def wave(start: float = 0.0) -> np.ndarray:
    """(T,) 1 at its top, a period of one second."""
    return np.sin(2.0 * np.pi * (TIME - start))


def write_simulation(folder: Path, origin: str | None = "measured", *, forces: bool = True) -> Simulation:
    """A walk of the default model whose figures are known; without forces it has joint moments only."""
    shutil.copy(default_model_path(), folder / "model.osim")
    model = OsimModel.from_file(folder / "model.osim")
    _write_motion(folder, model)
    _write_moments(folder, model)
    files = {"inverse_dynamics": "id.sto"}
    if origin is not None:
        _write_loads(folder)
        files |= {"grf": "grf.mot", "external_loads": "loads.xml"}
    if forces:
        _write_muscles(folder, model)
        files |= {"activation": "activation.sto", "muscle_force": "force.sto", "joint_reaction_child": "joints.sto"}
    span = float(TIME[0]), float(TIME[-1])
    simulation = Simulation("walk", "model.osim", "walk.mot", MASS, *span, 6.0, origin, origin, files)  # type: ignore[arg-type]
    simulation.write(folder)
    return simulation


def _write_motion(folder: Path, model: OsimModel) -> None:
    q = np.tile(model.default_coordinates.numpy(), (len(TIME), 1))
    q[:, model.coordinate_names.index("pelvis_tx")] = 1.3 * TIME
    write_mot(folder / "walk.mot", Motion("walk", TIME, q, model.coordinate_names, model.motion_types))


def _write_moments(folder: Path, model: OsimModel) -> None:
    values = {name: PEAKS.get(name, 0.0) * wave() for name in model.coordinate_names}
    values["pelvis_tx"] = np.full(len(TIME), RESIDUAL)
    kinds = dict(zip(model.coordinate_names, model.motion_types))
    names = tuple(f"{name}_{'force' if kinds[name] == 'translational' else 'moment'}" for name in values)
    write_sto(folder / "id.sto", Table("id", TIME, names, np.stack(list(values.values()), axis=1)))


def _write_loads(folder: Path) -> None:
    names, columns = [], []
    for side, size in FORCE.items():
        up = size * np.clip(wave(0.0 if side == "r" else 0.5), 0.0, None)
        names += [f"calcn_{side}_{what}{axis}" for what in "vpm" for axis in "xyz"]
        columns += [0.1 * up, up, 0.0 * up, *np.zeros((6, len(TIME)))]
    write_sto(folder / "grf.mot", Table("grf", TIME, tuple(names), np.stack(columns, axis=1)))
    (folder / "loads.xml").write_text(_LOADS.format(forces="".join(_LOAD.format(body=f"calcn_{s}") for s in FORCE)))


def _write_muscles(folder: Path, model: OsimModel) -> None:
    actuators = read_actuators(folder / "model.osim", model.model)
    _add_reserve(folder / "model.osim")
    names = (*actuators.muscles, "reserve_knee", "calcn_r_Fx")
    force, activation = np.zeros((len(TIME), len(names))), np.full((len(TIME), len(names)), 0.02)
    force[:, names.index("soleus_r")] = SOLEUS * np.abs(wave())
    force[:, names.index("reserve_knee")] = RESERVE * wave()
    activation[:, names.index("soleus_r")] = np.abs(wave())
    write_sto(folder / "force.sto", Table("forces", TIME, names, force))
    write_sto(folder / "activation.sto", Table("activations", TIME, names, activation))
    axes = ("fx", "fy", "fz", "mx", "my", "mz", "px", "py", "pz")
    columns = tuple(f"hip_{s}_on_femur_{s}_in_femur_{s}_{axis}" for s in "rl" for axis in axes)
    data = np.zeros((len(TIME), len(columns)))
    data[:, :3] = np.abs(wave())[:, None] * LOAD
    write_sto(folder / "joints.sto", Table("joint reaction", TIME, columns, data))


def _add_reserve(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    reserve = '<CoordinateActuator name="reserve_knee"><coordinate>knee_angle_r</coordinate></CoordinateActuator>'
    start = text.index("<objects>", text.index("<ForceSet")) + len("<objects>")
    path.write_text(text[:start] + reserve + text[start:], encoding="utf-8")
