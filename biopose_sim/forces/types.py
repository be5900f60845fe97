"""What the rooms say to one another of forces: on the feet, and what a simulation left in its folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from biopose_sim.errors import InputError
from biopose_sim.io import atomic_write
from biopose_sim.io.record import plain

Origin = Literal["measured", "estimated"]
SIMULATION = "simulation.json"
GRAVITY = 9.80665  # m/s^2


@dataclass(frozen=True, eq=False)
class FootForce:
    """What the ground does to one foot; in the model's ground frame (Y up).

    Attributes:
        body: name of the body it acts on, e.g. ``"calcn_r"``.
        force: (T, 3) [N]; zero where the foot is not loaded.
        point: (T, 3) [m] where the force acts; finite everywhere, without meaning where the force is zero.
        torque: (T, 3) [N m] about the point (the free moment).
    """

    body: str
    force: np.ndarray
    point: np.ndarray
    torque: np.ndarray


@dataclass(frozen=True, eq=False)
class GroundReaction:
    """The ground's forces on a person along a trial.

    Attributes:
        name: of the trial.
        time: (T,) strictly increasing [s].
        feet: a body's force each; right before left.
        origin: whether they were measured or estimated from the motion; said in every file and figure.
        source: the file they came from, or how they were estimated.
        notes: what a user should know.
        residual_force: (T, 3) [N] that the feet leave unexplained of an estimate; None where measured.
        residual_moment: (T, 3) [N m] of the same, about the whole body's centre of mass.
    """

    name: str
    time: np.ndarray
    feet: tuple[FootForce, ...]
    origin: Origin
    source: str
    notes: tuple[str, ...] = ()
    residual_force: np.ndarray | None = None
    residual_moment: np.ndarray | None = None

    @property
    def total(self) -> np.ndarray:
        """(T, 3) force of all feet [N]."""
        return np.sum([foot.force for foot in self.feet], axis=0) if self.feet else np.zeros((len(self.time), 3))

    def foot(self, side: str) -> FootForce | None:
        """The force on the foot of a side, ``"r"`` or ``"l"``, or None."""
        return next((foot for foot in self.feet if foot.body.endswith(f"_{side}")), None)


@dataclass(frozen=True)
class Simulation:
    """What ``biopose simulate`` left in a folder: ``simulation.json``; paths are relative to that folder.

    Attributes:
        trial: name of the trial.
        model: the .osim that was simulated (with its added actuators, as OpenSim ran it).
        motion: the filtered coordinates (.mot).
        mass: of the model [kg]; body weight is ``mass * 9.80665``.
        start: of what was simulated [s].
        end: of the same [s].
        filter_hz: cut-off of the coordinates' filter; None for none.
        grf_origin: "measured", "estimated" or None where no ground reaction was applied.
        grf_source: file or method.
        files: by what they hold: "grf" (.mot), "external_loads" (.xml), "inverse_dynamics" (.sto), "activation",
            "muscle_force", "joint_reaction_ground", "joint_reaction_child", "joint_reaction_parent",
            "muscle_length", "moment_arms" (folder), "summary" (.csv), ...; absent where not made.
        setups: setup files (.xml) that the OpenSim GUI runs again, in order.
        pictures: plots (.png).
        figures: numbers by name: residual and reserve peaks and RMS, ...
        warnings: what a user should know.
    """

    trial: str
    model: str
    motion: str
    mass: float
    start: float
    end: float
    filter_hz: float | None
    grf_origin: Origin | None
    grf_source: str | None
    files: dict[str, str]
    setups: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()
    figures: dict[str, Any] | None = None
    warnings: tuple[str, ...] = ()

    def write(self, folder: Path) -> Path:
        """Write ``simulation.json`` into the folder."""
        return atomic_write(folder / SIMULATION, json.dumps(plain(asdict(self)), indent=2, allow_nan=False) + "\n")


def read_simulation(folder: str | Path) -> Simulation:
    """Read what a simulation left in a folder.

    Raises:
        InputError: no simulation there, or one that cannot be read.
    """
    path = Path(folder) / SIMULATION
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(path, "is not there", "run 'biopose simulate' first") from None
    except (OSError, ValueError) as error:
        raise InputError(path, f"cannot be read ({error})", "run 'biopose simulate' again") from error
    known: dict[str, Any] = {name: content[name] for name in Simulation.__dataclass_fields__ if name in content}
    try:
        for name in {"setups", "pictures", "warnings"} & set(known):
            known[name] = tuple(known[name])
        return Simulation(**known)
    except TypeError as error:
        raise InputError(path, f"is not a simulation ({error})", "run 'biopose simulate' again") from error
