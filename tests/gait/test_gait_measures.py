"""Spatiotemporal parameters, clinical angles and their bands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from biopose_sim.errors import InputError
from biopose_sim.gait.angles import ANGLES, gait_angles
from biopose_sim.gait.events import find_events
from biopose_sim.gait.feet import feet_in_motion
from biopose_sim.gait.normalise import over_cycles
from biopose_sim.gait.normative import normative_bands
from biopose_sim.gait.parameters import PARAMETERS, GaitParameters, gait_parameters
from biopose_sim.gait.types import Cycle
from biopose_sim.io import Motion, read_mot
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.paths import default_model_path
from biopose_sim.synthetic import frame_times, gait_coordinates


@pytest.fixture(scope="module")
def walk() -> tuple[OsimModel, Motion]:
    model = OsimModel.from_file(default_model_path())
    time = frame_times(5.0, 100.0)
    return model, Motion("walk", time, gait_coordinates(model, 5.0, 100.0), model.coordinate_names, model.motion_types)


def measured(model: OsimModel, motion: Motion) -> GaitParameters:
    feet = feet_in_motion(model, motion)
    assert feet is not None
    return gait_parameters(feet, find_events(model, motion))


def test_a_symmetric_walk(walk):
    model, motion = walk
    found = measured(model, motion)
    assert found.belt is None
    x = motion.coordinate("pelvis_tx")
    speed = (x[-1] - x[0]) / (motion.time[-1] - motion.time[0])
    for side in "rl":
        values = {name: by_side[side].mean for name, by_side in found.by_side.items()}
        assert values["speed"] == pytest.approx(speed, rel=0.02)
        assert values["step_length"] == pytest.approx(values["stride_length"] / 2.0, rel=0.03)
        assert values["cadence"] == pytest.approx(120.0 / values["stride_time"], rel=1e-3)
        assert values["stance"] + values["swing"] == pytest.approx(100.0)
        assert values["double_support"] + values["single_support"] == pytest.approx(values["stance"])
        assert 0.05 < values["step_width"] < 0.2
        assert "flight" not in values
    for name in ("step_length", "step_time", "stance"):
        assert found.asymmetry(name) == pytest.approx(0.0, abs=3.0)
    assert set(found.by_side) <= {p.name for p in PARAMETERS}


def test_a_treadmill_gives_the_lengths_of_the_belt(walk):
    model, motion = walk
    over_ground = measured(model, motion)
    q = motion.coordinates.copy()
    x = model.coordinate_names.index("pelvis_tx")
    speed = (q[-1, x] - q[0, x]) / (motion.time[-1] - motion.time[0])
    q[:, x] -= speed * motion.time
    belt = measured(model, replace(motion, coordinates=q))
    assert belt.belt == pytest.approx(speed, rel=0.05)
    assert belt.both("stride_length").mean == pytest.approx(over_ground.both("stride_length").mean, rel=0.05)
    assert belt.both("step_length").mean == pytest.approx(over_ground.both("step_length").mean, rel=0.05)


def test_runners_fly(test_data: Path):
    folder = test_data / "pipelines/Hamner/outputReference"
    model = OsimModel.from_file(folder / "subject02_registered.osim")
    types = dict(zip(model.coordinate_names, model.motion_types))
    found = measured(model, read_mot(folder / "ResultsIK/subject02_running_ik.mot", types))
    # A treadmill at 4 m/s (Hamner & Delp 2013, J Biomech 46:780).
    assert found.belt == pytest.approx(4.0, rel=0.06)
    assert found.both("speed").mean == pytest.approx(4.0, rel=0.06)
    assert 20.0 < found.both("flight").mean < 45.0
    assert "double_support" not in found.by_side


def test_angles_do_not_depend_on_the_direction_of_the_walk(walk):
    model, motion = walk
    feet = feet_in_motion(model, motion)
    straight = gait_angles(model, motion, feet)
    q, angle = motion.coordinates.copy(), 1.9
    x, z, turn = (model.coordinate_names.index(n) for n in ("pelvis_tx", "pelvis_tz", "pelvis_rotation"))
    q[:, x], q[:, z] = (
        np.cos(angle) * q[:, x] + np.sin(angle) * q[:, z],
        -np.sin(angle) * q[:, x] + np.cos(angle) * (q[:, z]),
    )
    # The coordinates of the pelvis turn in the order tilt, list, rotation: turn its matrix instead of one angle.
    from scipy.spatial.transform import Rotation

    order = [model.coordinate_names.index(n) for n in ("pelvis_tilt", "pelvis_list", "pelvis_rotation")]
    turned = Rotation.from_euler("y", angle) * Rotation.from_euler("ZXY", motion.coordinates[:, order])
    q[:, order] = turned.as_euler("ZXY")
    assert turn in order
    other = replace(motion, coordinates=q)
    found = gait_angles(model, other, feet_in_motion(model, other))
    assert set(found) == set(straight) == {a.name for a in ANGLES}
    for name, by_side in straight.items():
        for side, values in by_side.items():
            assert np.allclose(found[name][side], values, atol=0.3, equal_nan=True), (name, side)


def test_signs_are_those_of_the_bands(test_data: Path):
    """A person of a laboratory follows the bands; the knee of this model flexes to negative values."""
    folder = test_data / "pipelines/Gait10dof18musc/OutputReference"
    model = OsimModel.from_file(folder / "subject01.osim")
    motion = read_mot(folder / "IK/subject01_walk_IK.mot", dict(zip(model.coordinate_names, model.motion_types)))
    events = find_events(model, motion)
    angles = gait_angles(model, motion, feet_in_motion(model, motion))
    assert "pelvis_obliquity" not in angles  # a planar model
    bands = normative_bands()
    for name, least in (("hip_flexion", 0.95), ("knee_flexion", 0.95), ("ankle_dorsiflexion", 0.6)):
        for side in "rl":
            (curve,) = over_cycles(motion.time, angles[name][side], events.of(side))
            assert np.corrcoef(curve, bands[name].mean)[0, 1] > least
            assert bands[name].share_inside(curve) > 0.6


def test_over_cycles_leaves_out_what_was_not_recorded():
    time = np.linspace(0.0, 2.0, 201)
    cycles = [Cycle("r", 0.5, 0.8, 1.5), Cycle("r", 1.5, 1.9, 2.5)]
    curves = over_cycles(time, time, cycles)
    assert curves.shape == (1, 101)
    assert np.allclose(curves[0], np.linspace(0.5, 1.5, 101))
    assert over_cycles(time, np.stack([time, -time], 1), cycles).shape == (1, 101, 2)


def test_bands_have_the_shape_of_walking():
    bands = normative_bands()
    assert set(bands) == {a.name for a in ANGLES}
    knee = bands["knee_flexion"]
    assert 68 <= int(knee.mean.argmax()) <= 76
    assert 55.0 < knee.mean.max() < 65.0
    assert all((band.sd > 0.5).all() and (band.sd < 12.0).all() for band in bands.values())
    assert knee.share_inside(knee.mean + 3.0 * knee.sd) == 0.0


def test_broken_tables_are_refused(tmp_path: Path):
    table = tmp_path / "bands.csv"
    table.write_text("curve,unit\nknee,deg\n")
    with pytest.raises(InputError, match="no table of bands"):
        normative_bands(table)
    head = ",".join(["curve", "unit", "positive", "statistic", *(f"p{k}" for k in range(101))])
    lone = tmp_path / "lone.csv"
    lone.write_text(head + "\n" + ",".join(["knee", "deg", "flexion", "mean", *["1"] * 101]) + "\n")
    with pytest.raises(InputError, match="lacks its mean or its standard deviation"):
        normative_bands(lone)
