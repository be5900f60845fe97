"""Ground reaction estimated from a motion, against OpenSim's dynamics and against force plates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from biopose_sim.errors import InputError
from biopose_sim.forces import momentum
from biopose_sim.forces.estimate import estimate_ground_reaction
from biopose_sim.forces.loads import read_grf_mot, read_loads
from biopose_sim.forces.sharing import FRICTION
from biopose_sim.forces.smoothing import derivative, smooth
from biopose_sim.forces.types import GRAVITY
from biopose_sim.io import read_mot, write_mot
from biopose_sim.kinematics.model import OsimModel


@pytest.fixture(scope="module")
def folder(test_data):
    return test_data / "opencap_lab_subject4"


@pytest.fixture(scope="module")
def model(folder):
    return OsimModel.from_file(folder / "Models/manually_scaled.osim")


def motion_of(folder, model, trial, start=-np.inf, end=np.inf):
    types = dict(zip(model.coordinate_names, model.motion_types))
    return cut(read_mot(folder / f"IK/{trial}_manual_scaling_ik.mot", types), start, end)


def cut(motion, start, end):
    inside = (motion.time >= start) & (motion.time <= end)
    return replace(motion, time=motion.time[inside], coordinates=motion.coordinates[inside])


def vertical_errors(estimated, measured, weight):
    """Root mean square of each foot's vertical force while its plate is loaded, in body weights."""
    errors = []
    for foot in estimated.feet:
        plate = next(f for f in measured.feet if f.body == foot.body)
        truth = np.interp(estimated.time, measured.time, plate.force[:, 1])
        loaded = truth > 20.0
        errors.append(np.sqrt(np.mean((foot.force[loaded, 1] - truth[loaded]) ** 2)) / weight)
    return errors


def test_smoothing_has_the_gain_that_it_states():
    time = np.arange(0.0, 10.0, 0.01)
    for frequency, gain in ((1.0, 1.0), (6.0, 0.5), (12.0, 1.0 / 65.0)):
        wave = np.sin(2.0 * np.pi * frequency * time)[:, None]
        left = smooth(time, wave, 6.0)[300:700]
        assert np.abs(left).max() == pytest.approx(gain, abs=0.01)


def test_smoothing_keeps_a_parabola_and_uneven_times():
    rng = np.random.default_rng(1)
    time = np.cumsum(rng.uniform(0.005, 0.015, 200))
    fall = (-0.5 * GRAVITY * time**2)[:, None]
    assert smooth(time, fall, 6.0) == pytest.approx(fall, abs=1e-6)
    assert derivative(time, fall, 2) == pytest.approx(np.full((200, 1), -GRAVITY), abs=1e-4)


def test_whole_body_force_and_moment_equal_those_of_opensim(folder, model, tmp_path):
    """InverseDynamicsTool without loads leaves all of it to the pelvis."""
    opensim = pytest.importorskip("opensim")
    from scipy.interpolate import make_interp_spline

    opensim.Logger.setLevelString("Error")
    opensim.Logger.removeFileSink()
    walk = motion_of(folder, model, "walking1")
    time = np.arange(0.2, 0.8, 1.0 / 200.0)
    fine = make_interp_spline(walk.time, smooth(walk.time, walk.coordinates, 6.0), k=5)(time)
    motion = replace(walk, time=time, coordinates=fine)
    write_mot(tmp_path / "walk.mot", motion)
    tool = opensim.InverseDynamicsTool()
    tool.setModelFileName(str(model.path))
    tool.setCoordinatesFileName(str(tmp_path / "walk.mot"))
    tool.setLowpassCutoffFrequency(-1)
    tool.setStartTime(float(time[0]))
    tool.setEndTime(float(time[-1]))
    excluded = opensim.ArrayStr()
    excluded.append("Muscles")
    excluded.append("Actuators")
    tool.setExcludedForces(excluded)
    tool.setResultsDir(str(tmp_path))
    tool.setOutputGenForceFileName("id.sto")
    assert tool.run()
    table = opensim.TimeSeriesTable(str(tmp_path / "id.sto"))
    theirs = {name: table.getDependentColumn(name).to_numpy() for name in table.getColumnLabels()}
    force = np.stack([theirs[f"pelvis_t{a}_force"] for a in "xyz"], axis=1)

    transforms = momentum.body_transforms(model, motion)
    ours = momentum.demand(momentum.segments(model), time, transforms, None)
    pelvis = transforms[:, model.body_names.index("pelvis")]
    moment = ours.moment + np.cross(ours.center - pelvis[:, :3, 3], ours.force)
    tilt = motion.coordinate("pelvis_tilt")
    axes = {
        "pelvis_tilt": np.tile([0.0, 0.0, 1.0], (len(time), 1)),
        "pelvis_list": np.stack([np.cos(tilt), np.sin(tilt), 0.0 * tilt], axis=1),
        "pelvis_rotation": pelvis[:, :3, 1],
    }
    inner = slice(10, -10)
    weight = momentum.segments(model).total * GRAVITY
    assert rms((force - ours.force)[inner]) < 1e-3 * weight
    for name, axis in axes.items():
        about = (axis * moment).sum(axis=1)
        assert rms((theirs[f"{name}_moment"] - about)[inner]) < 1e-3 * weight, name  # at one metre
    assert np.abs(moment).max() > 50.0


def rms(values):
    return np.sqrt(np.mean(values**2))


def test_walking_agrees_with_plates(folder, model):
    walk = motion_of(folder, model, "walkingTO2")
    estimated = estimate_ground_reaction(model, walk)
    measured = read_grf_mot(folder / "ID/walkingTO2_grf.mot", model, walk)
    weight = momentum.segments(model).total * GRAVITY
    assert max(vertical_errors(estimated, measured, weight)) < 0.08
    assert estimated.origin == "estimated"
    assert [foot.body for foot in estimated.feet] == ["calcn_r", "calcn_l"]
    total = estimated.total + estimated.residual_force
    asked = momentum.demand(momentum.segments(model), walk.time, momentum.body_transforms(model, walk), 6.0)
    assert total == pytest.approx(asked.force, abs=1e-6)


def test_a_foot_pushes_within_its_friction_cone_and_outline(folder, model):
    walk = motion_of(folder, model, "walkingTS1")
    transforms = momentum.body_transforms(model, walk)
    for foot in estimate_ground_reaction(model, walk).feet:
        sideways = np.linalg.norm(foot.force[:, [0, 2]], axis=1)
        assert (foot.force[:, 1] >= 0.0).all()
        assert (sideways <= FRICTION * foot.force[:, 1] + 1e-9).all()
        assert np.isfinite(foot.point).all()
        loaded = foot.force[:, 1] > 0.0
        pose = transforms[loaded, model.body_names.index(foot.body)]
        place = np.einsum("tji,tj->ti", pose[:, :3, :3], foot.point[loaded] - pose[:, :3, 3])
        assert place[:, 0].min() > -0.02
        assert place[:, 0].max() < 0.28
        assert np.abs(place[:, 2]).max() < 0.08


def test_the_moment_tells_how_two_feet_share(folder, model):
    """In an asymmetric squat the right foot bears two thirds, which heights and speeds of feet cannot say."""
    squat = motion_of(folder, model, "squatsAsym1", 0.0, 3.0)
    estimated = estimate_ground_reaction(model, squat)
    measured = read_grf_mot(folder / "ID/squatsAsym1_grf.mot", model, squat)
    weight = momentum.segments(model).total * GRAVITY
    assert max(vertical_errors(estimated, measured, weight)) < 0.06
    assert estimated.foot("r").force[:, 1].mean() > 1.5 * estimated.foot("l").force[:, 1].mean()


def test_a_seat_bears_until_the_hips_leave_it(folder, model):
    motion = motion_of(folder, model, "STS1", 0.0, 3.6)
    estimated = estimate_ground_reaction(model, motion)
    measured = read_grf_mot(folder / "ID/STS1_grf.mot", model, motion)
    weight = momentum.segments(model).total * GRAVITY
    assert max(vertical_errors(estimated, measured, weight)) < 0.08
    seated = motion.time < 0.6
    assert estimated.total[seated, 1].max() < 0.25 * weight
    assert estimated.residual_force[seated, 1].min() > 0.7 * weight
    assert any("sitting from 0.00" in note for note in estimated.notes)


def test_a_jump_from_a_box(folder):
    """The box bears before the jump; nothing does in flight; both landings are there."""
    model = OsimModel.from_file(folder / "Models/optimized_scale_and_markers.osim")
    motion = read_mot(folder / "IK/DJ2_ik.mot", dict(zip(model.coordinate_names, model.motion_types)))
    estimated = estimate_ground_reaction(model, motion)
    weight = momentum.segments(model).total * GRAVITY
    up = estimated.total[:, 1] / weight
    time = estimated.time
    assert up[time < 0.5] == pytest.approx(1.0, abs=0.1)
    assert (up[(time > 1.25) & (time < 1.45)] == 0.0).all()
    assert (up[(time > 2.3) & (time < 2.5)] == 0.0).all()
    assert up[(time > 1.5) & (time < 1.7)].max() > 2.2
    assert any("cm above the floor" in note for note in estimated.notes)


def test_running_on_a_treadmill(test_data):
    folder = test_data / "pipelines/Hamner"
    model = OsimModel.from_file(folder / "outputReference/subject02_registered.osim")
    types = dict(zip(model.coordinate_names, model.motion_types))
    motion = cut(read_mot(folder / "outputReference/ResultsIK/subject02_running_ik.mot", types), 2.0, 4.0)
    estimated = estimate_ground_reaction(model, motion)
    measured = read_loads(folder / "External_Loads.xml")
    weight = momentum.segments(model).total * GRAVITY
    assert max(vertical_errors(estimated, measured, weight)) < 0.32  # at 60 Hz, and lands a frame late
    assert any("treadmill" in note for note in estimated.notes)
    assert (estimated.total[:, 1] == 0.0).mean() > 0.15
    assert not np.any([np.all([foot.force[t, 1] > 0.1 * weight for foot in estimated.feet]) for t in range(100)])


def test_mass_scales_forces(folder, model):
    squat = motion_of(folder, model, "squats1", 0.0, 0.5)
    heavy = estimate_ground_reaction(model, squat, mass=2.0 * momentum.segments(model).total)
    light = estimate_ground_reaction(model, squat)
    assert heavy.total == pytest.approx(2.0 * light.total, rel=1e-6, abs=1e-6)


def test_video_rates_are_enough_for_walking(folder, model):
    walk = motion_of(folder, model, "walkingTO2")
    slow = replace(walk, time=walk.time[::4], coordinates=walk.coordinates[::4])
    estimated = estimate_ground_reaction(model, slow)
    measured = read_grf_mot(folder / "ID/walkingTO2_grf.mot", model, walk)
    assert max(vertical_errors(estimated, measured, momentum.segments(model).total * GRAVITY)) < 0.12


def test_bad_input_is_refused(folder, model):
    walk = motion_of(folder, model, "walking1")
    gap = replace(walk, coordinates=np.where(walk.time[:, None] == walk.time[40], np.nan, walk.coordinates))
    with pytest.raises(InputError, match="'pelvis_tilt' is not a number everywhere"):
        estimate_ground_reaction(model, gap)
    with pytest.raises(InputError, match="has 5 frames"):
        estimate_ground_reaction(model, cut(walk, 0.0, 0.041))
    with pytest.raises(InputError, match="cutoff_hz is 60"):
        estimate_ground_reaction(model, walk, cutoff_hz=60.0)
    with pytest.raises(InputError, match="a mass of -1 kg"):
        estimate_ground_reaction(model, walk, mass=-1.0)
    strange = replace(walk, coordinate_names=tuple(f"x{n}" for n in walk.coordinate_names))
    with pytest.raises(InputError, match="has no coordinate of the model"):
        estimate_ground_reaction(model, strange)


def test_a_model_without_feet_is_refused(test_data, folder):
    arm = OsimModel.from_file(next(test_data.glob("models/*arm26*.osim")))
    zeros = np.zeros((20, len(arm.coordinate_names)))
    motion = read_mot(folder / "IK/walking1_manual_scaling_ik.mot")
    names = {"coordinate_names": arm.coordinate_names, "motion_types": arm.motion_types}
    with pytest.raises(InputError, match="calcn_r"):
        estimate_ground_reaction(arm, replace(motion, time=motion.time[:20], coordinates=zeros, **names))
