"""Synthetic walking, its markers, and random people."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from biopose_sim import synthetic
from biopose_sim.errors import InputError
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.paths import default_model_path
from biopose_sim.synthetic.contact import bearing_weights, sole_points, toes_bend
from biopose_sim.synthetic.curves import normative_curves

SKATE_LIMIT = 0.004  # [m] wander of a bearing point of the sole on the floor, over one contact
FLOOR_LIMIT = 0.003  # [m] how far the sole sinks into the floor or floats above it
FAMILY = (
    "Rajagopal2016",
    "FullBodyModel_Hamner2010_v2_0",
    "gait2392_thelen2003muscle",
    "RajagopalLaiUhlrich2023",
)
PHASES = np.arange(0.0, 2.0, 0.01)


@pytest.fixture(scope="module")
def model() -> OsimModel:
    return OsimModel.from_file(default_model_path())


@pytest.fixture(scope="module")
def gait(model: OsimModel) -> synthetic.Gait:
    return synthetic.solve_gait(model)


def _check_feet(gait: synthetic.Gait) -> None:
    model = gait.model
    q = gait.coordinates(PHASES)
    lowest = []
    n_points = 2 + toes_bend(model)
    for side, lag in (("r", 0.0), ("l", 0.5)):
        points = sole_points(model, q, side)[:, :n_points]
        bears = bearing_weights(PHASES - lag)[:, :n_points] >= 0.999
        for i in range(n_points):
            stances = np.split(np.arange(len(q)), np.flatnonzero(np.diff(bears[:, i].astype(int))) + 1)
            for stance in (s for s in stances if bears[s[0], i]):
                assert np.ptp(points[stance, i], axis=0).max() < SKATE_LIMIT
        lowest.append(points[:, :, 1].min(axis=1))
    assert min(map(np.min, lowest)) > -FLOOR_LIMIT
    assert np.min(lowest, axis=0).max() < FLOOR_LIMIT


def test_feet_neither_slide_nor_sink(gait: synthetic.Gait) -> None:
    _check_feet(gait)


@pytest.mark.parametrize("name", FAMILY)
def test_other_models_of_the_family_walk(test_data: Path, name: str) -> None:
    gait = synthetic.solve_gait(OsimModel.from_file(test_data / "models" / f"{name}.osim"))
    _check_feet(gait)
    assert 1.1 < gait.stride < 1.6


@pytest.mark.parametrize("seed", range(4))
def test_people_of_other_sizes_walk(model: OsimModel, seed: int) -> None:
    scales = synthetic.random_anthropometry(model, np.random.default_rng(seed))
    _check_feet(synthetic.solve_gait(model.scale(scales)))


def test_the_flight_of_both_knees_is_flexion(test_data: Path) -> None:
    for name, sign in (("Rajagopal2016", 1.0), ("FullBodyModel_Hamner2010_v2_0", -1.0)):
        model = OsimModel.from_file(test_data / "models" / f"{name}.osim")
        q = synthetic.gait_coordinates(model, 2.0, 50.0)
        for side in "rl":
            knee = np.degrees(sign * q[:, model.coordinate_names.index(f"knee_angle_{side}")])
            assert 55.0 < knee.max() < 70.0
            assert knee.min() > -3.0


def test_angles_stay_near_the_published_curves(gait: synthetic.Gait) -> None:
    phase = PHASES[:100]
    q = gait.coordinates(phase)
    limits = {"hip_flexion": 8, "knee_angle": 6, "ankle_angle": 10, "hip_adduction": 5, "hip_rotation": 8}
    curves = {"knee_angle": "knee_flexion", "ankle_angle": "ankle_dorsiflexion"}
    for stem, limit in limits.items():
        expected = normative_curves()[curves.get(stem, stem)](phase)
        got = q[:, gait.model.coordinate_names.index(f"{stem}_r")]
        assert np.degrees(np.abs(got - expected)).max() < limit, stem


def test_left_is_right_half_a_cycle_later(gait: synthetic.Gait) -> None:
    names = gait.model.coordinate_names
    q, later = gait.coordinates(PHASES), gait.coordinates(PHASES + 0.5)
    for i, name in enumerate(names):
        if name.endswith("_r"):
            np.testing.assert_allclose(later[:, names.index(f"{name[:-2]}_l")], q[:, i], atol=1e-6, err_msg=name)
    for name in ("pelvis_list", "pelvis_rotation", "pelvis_tz", "lumbar_bending", "thorax_rotation"):
        np.testing.assert_allclose(later[:, names.index(name)], -q[:, names.index(name)], atol=1e-6, err_msg=name)


def test_ranges_locked_and_dependent_coordinates(gait: synthetic.Gait, test_data: Path) -> None:
    model = gait.model
    q = gait.coordinates(PHASES)
    low, high = model.tree.ranges.T
    free = model.tree.clamped & ~model.tree.dependent
    assert (q >= low - 1e-12)[:, free].all()
    assert (q <= high + 1e-12)[:, free].all()
    names = model.coordinate_names
    np.testing.assert_allclose(q[:, names.index("knee_angle_r_beta")], q[:, names.index("knee_angle_r")], atol=1e-9)
    locking = OsimModel.from_file(test_data / "models" / "Rajagopal2016.osim")
    held = synthetic.gait_coordinates(locking, 1.0, 20.0)[:, locking.tree.locked]
    np.testing.assert_allclose(held, np.broadcast_to(locking.tree.defaults[locking.tree.locked], held.shape))


def test_speed_and_progress(model: OsimModel) -> None:
    forward = model.coordinate_names.index("pelvis_tx")
    natural = synthetic.gait_coordinates(model, 4.0, 50.0)
    assert 1.1 < np.ptp(natural[:, forward]) / 4.0 < 1.5
    slow = synthetic.gait_coordinates(model, 8.0, 50.0, speed=0.9)
    assert np.ptp(slow[:, forward]) / 8.0 == pytest.approx(0.9, rel=0.01)
    assert abs(synthetic.gait_coordinates(model, 1.0, 50.0, start=0.4)[0, forward]) < 0.02


def test_static_pose_stands_upright_on_the_floor(model: OsimModel) -> None:
    q = synthetic.static_pose(model)
    for side in "rl":
        assert abs(sole_points(model, q[None], side)[0, :, 1]).max() < 0.006
    markers = model(torch.from_numpy(q)).markers.numpy()
    head = markers[model.marker_names.index("HTOP")]
    assert 1.55 < head[1] < 1.85
    assert abs(head[0]) < 0.12
    assert markers[model.marker_names.index("RHMC3")][2] > 0.35


def test_models_that_cannot_walk_are_refused(test_data: Path) -> None:
    arm = OsimModel.from_file(test_data / "models" / "arm26.osim")
    with pytest.raises(InputError, match=r"cannot walk: it has no pelvis_tilt, .*hip_flexion_r"):
        synthetic.solve_gait(arm)
    with pytest.raises(InputError, match="cannot walk"):
        synthetic.static_pose(arm)


@pytest.mark.parametrize("values", [{"duration": 0.0}, {"rate": -1.0}, {"speed": 0.0}, {"speed": float("nan")}])
def test_nonsense_is_refused(model: OsimModel, values: dict[str, float]) -> None:
    with pytest.raises(InputError):
        synthetic.gait_coordinates(model, **{"duration": 1.0, **values})


def _still(model: OsimModel, frames: int = 400) -> tuple[np.ndarray, np.ndarray]:
    return np.tile(synthetic.static_pose(model), (frames, 1)), np.arange(frames) / 100.0


def test_markers_are_deterministic_and_as_noisy_as_asked(model: OsimModel) -> None:
    q, time = _still(model)
    exact = synthetic.markers_from_coordinates(model, q, time, noise=0.0, gap_fraction=0.0)
    np.testing.assert_allclose(exact.markers, model(torch.from_numpy(q)).markers.numpy(), atol=1e-12)
    noisy = synthetic.markers_from_coordinates(model, q, time, noise=0.005, seed=3)
    again = synthetic.markers_from_coordinates(model, q, time, noise=0.005, seed=3)
    other = synthetic.markers_from_coordinates(model, q, time, noise=0.005, seed=4)
    np.testing.assert_array_equal(noisy.markers, again.markers)
    assert not np.array_equal(noisy.markers, other.markers, equal_nan=True)
    assert np.nanstd(noisy.markers - exact.markers) == pytest.approx(0.005, rel=0.02)


def test_soft_tissue_is_slow_and_of_the_size_asked(model: OsimModel) -> None:
    q, time = _still(model, 2000)
    calm = {"noise": 0.0, "gap_fraction": 0.0}
    exact = synthetic.markers_from_coordinates(model, q, time, **calm)
    moved = synthetic.markers_from_coordinates(model, q, time, soft_tissue=0.006, **calm)
    shift = moved.markers - exact.markers
    assert shift.std() == pytest.approx(0.006, rel=0.05)
    assert np.diff(shift, axis=0).std() < 0.1 * shift.std()


@pytest.mark.parametrize("fraction", [0.0, 0.02, 0.3])
def test_gaps_are_runs_and_as_many_as_asked(model: OsimModel, fraction: float) -> None:
    q, time = _still(model)
    missing = synthetic.markers_from_coordinates(model, q, time, gap_fraction=fraction).missing
    assert missing.mean() == pytest.approx(fraction, abs=1e-4)
    assert not missing.all(axis=0).any()
    if fraction:
        edges = np.diff(np.pad(missing.astype(int), ((1, 1), (0, 0))), axis=0)
        runs = np.concatenate([np.flatnonzero(e < 0) - np.flatnonzero(e > 0) for e in edges.T])
        assert runs.mean() > 5.0


def test_one_frame_and_offsets_and_a_choice_of_markers(model: OsimModel) -> None:
    q, time = _still(model, 1)
    offsets = np.zeros((len(model.marker_names), 3))
    offsets[model.marker_names.index("RASI")] = [0.01, 0.0, 0.0]
    calm = {"noise": 0.0, "gap_fraction": 0.0, "marker_names": ("LASI", "RASI")}
    moved = synthetic.markers_from_coordinates(model, q, time, marker_offsets=offsets, **calm)
    exact = synthetic.markers_from_coordinates(model, q, time, **calm)
    assert moved.marker_names == ("LASI", "RASI")
    np.testing.assert_allclose(np.linalg.norm(moved.markers - exact.markers, axis=2), [[0.0, 0.01]], atol=1e-12)


def test_wrong_arguments_for_markers_are_named(model: OsimModel) -> None:
    q, time = _still(model, 5)
    with pytest.raises(InputError, match=r"no marker 'RASIS'.*'RASI'"):
        synthetic.markers_from_coordinates(model, q, time, marker_names=["RASIS"])
    with pytest.raises(InputError, match="gap_fraction is 1"):
        synthetic.markers_from_coordinates(model, q, time, gap_fraction=1.0)
    with pytest.raises(InputError, match="coordinates have shape"):
        synthetic.markers_from_coordinates(model, q[:3], time)
    with pytest.raises(InputError, match="no markers"):
        synthetic.markers_from_coordinates(model, q, time, marker_names=())


def test_random_people_are_plausible(model: OsimModel) -> None:
    rng = np.random.default_rng(0)
    people = np.array([synthetic.random_anthropometry(model, rng) for _ in range(400)])
    bodies = model.body_names
    for i, body in enumerate(bodies):
        if body.endswith("_r"):
            np.testing.assert_array_equal(people[:, i], people[:, bodies.index(f"{body[:-2]}_l")])
    femur = people[:, bodies.index("femur_r")]
    assert people.min() > 0.7
    assert people.max() < 1.35
    assert femur[:, 1].mean() == pytest.approx(1.0, abs=0.02)
    assert 0.045 < femur[:, 1].std() < 0.075
    assert np.abs(femur[:, 0] / femur[:, 1] - 1.0).mean() > 0.02
    tall = synthetic.random_anthropometry(model, np.random.default_rng(1), stature=1.95)
    assert tall[bodies.index("tibia_r"), 1] > 1.05
    with pytest.raises(InputError, match="stature"):
        synthetic.random_anthropometry(model, rng, stature=17.0)


def test_every_curve_names_its_source_and_closes(tmp_path: Path) -> None:
    curves = normative_curves()
    assert {"knee_flexion", "hip_flexion", "ankle_dorsiflexion", "pelvis_tilt", "shoulder_flexion"} <= set(curves)
    for curve in curves.values():
        assert any(year in curve.source for year in map(str, range(1950, 2025))), curve.name
        assert curve.positive
        assert curve(0.0) == pytest.approx(curve(1.0))
        assert np.abs(np.diff(curve(np.linspace(0, 2, 401)))).max() < 0.1
    broken = tmp_path / "gait.csv"
    broken.write_text("curve,unit,positive,p0,p50,source\nknee,deg,flexion,1,x,me\n")
    with pytest.raises(InputError, match="curve 'knee'"):
        normative_curves(broken)
    broken.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="is no gait table"):
        normative_curves(broken)
    with pytest.raises(InputError, match="cannot be read"):
        normative_curves(tmp_path / "none.csv")


def test_a_gait_can_be_replayed_at_any_phase(gait: synthetic.Gait) -> None:
    again = replace(gait)
    np.testing.assert_allclose(gait.coordinates(np.array([0.25])), again.coordinates(PHASES)[[25]], atol=1e-12)
