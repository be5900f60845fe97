"""The three metric protocols on cases whose errors are known."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from biopose_sim.errors import InputError
from biopose_sim.video.mqhmr.metrics import PROTOCOLS, joints_from_mesh, pose_scores, procrustes

EXACT = 1e-6  # [mm]
TURN = Rotation.from_rotvec([0.4, -1.1, 0.7]).as_matrix()
NAMES = ("3dpw", "h36m", "emdb")


def body(name, frames=3, seed=0):
    """Joints [m] and vertices [m] of a body some metres away."""
    rng = np.random.default_rng(seed)
    far = np.array([0.3, -0.2, 4.0])
    return (far + 0.4 * rng.standard_normal((frames, n, 3)) for n in (PROTOCOLS[name].points, 50))


def octahedron(name, sizes):
    """The counted joints at +-sizes along the axes (12 of them, or 24), the others at the centre; with the axis."""
    counted = PROTOCOLS[name].joints
    places = np.zeros((1, PROTOCOLS[name].points, 3))
    for k, joint in enumerate(counted[: len(counted) // 6 * 6]):
        places[0, joint, k // 2 % 3] = sizes[k // 2 % 3] * (-1) ** k
    return places


def test_the_joints_are_those_of_the_benchmarks():
    assert PROTOCOLS["3dpw"] == PROTOCOLS["h36m"]
    assert PROTOCOLS["3dpw"].joints == (25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 43)
    assert PROTOCOLS["3dpw"].pelvis == (39,)
    assert PROTOCOLS["emdb"].joints == tuple(range(24))
    assert PROTOCOLS["emdb"].pelvis == (1, 2)


@pytest.mark.parametrize("name", NAMES)
def test_a_shift_costs_nothing(name):
    true, mesh = body(name)
    shift = np.array([1.0, -2.0, 0.5])
    found = pose_scores(name, true + shift, true, None, mesh + shift, mesh)
    for errors in (found.mpjpe, found.pa_mpjpe, found.mve):
        assert errors.shape == (3,)
        assert errors.max() < EXACT
    assert not found.failed.any()


@pytest.mark.parametrize("name", NAMES)
def test_a_turn_and_a_scale_cost_only_before_procrustes(name):
    true, mesh = body(name)
    pelvis = true[:, list(PROTOCOLS[name].pelvis)].mean(axis=1, keepdims=True)
    found = pose_scores(name, 1.3 * true @ TURN.T + 0.2, true, None, 1.3 * mesh @ TURN.T + 0.2, mesh)
    assert found.pa_mpjpe.max() < EXACT
    apart = (true - pelvis)[:, list(PROTOCOLS[name].joints)] @ (1.3 * TURN - np.eye(3)).T
    assert found.mpjpe == pytest.approx(1e3 * np.linalg.norm(apart, axis=2).mean(axis=1), abs=EXACT)
    apart = (mesh - pelvis) @ (1.3 * TURN - np.eye(3)).T
    assert found.mve == pytest.approx(1e3 * np.linalg.norm(apart, axis=2).mean(axis=1), abs=EXACT)


@pytest.mark.parametrize("name", ["3dpw", "h36m"])
def test_the_pelvis_is_key_point_39_and_is_not_counted(name):
    true, mesh = body(name)
    ours = true.copy()
    ours[:, 39] += [0.03, 0.0, 0.04]  # 50 mm, which all else is then off by
    found = pose_scores(name, ours, true, None, mesh, mesh)
    assert found.mpjpe == pytest.approx([50.0] * 3, abs=EXACT)
    assert found.mve == pytest.approx([50.0] * 3, abs=EXACT)
    assert found.pa_mpjpe.max() < EXACT
    # One counted joint by 14 mm; another that is not counted.
    ours = true.copy()
    ours[:, 43, 1] += 0.014
    ours[:, [8, 24, 38, 40, 41, 42]] += 1.0
    assert pose_scores(name, ours, true).mpjpe == pytest.approx([1.0] * 3, abs=EXACT)


def test_emdb_puts_the_mean_of_the_hips_together():
    true, mesh = body("emdb")
    ours = true.copy()
    ours[:, 1, 0] += 0.024  # a hip by 24 mm moves the pelvis by 12
    found = pose_scores("emdb", ours, true, None, mesh, mesh)
    assert found.mpjpe == pytest.approx([12.0] * 3, abs=EXACT)  # 23 joints by 12 mm, the hip by 24 - 12
    assert found.mve == pytest.approx([12.0] * 3, abs=EXACT)


@pytest.mark.parametrize("name", NAMES)
def test_a_known_residual_after_procrustes(name):
    """One axis too long by a factor f: by symmetry no turn helps, the scale is (f + 2) / (f f + 2)."""
    f, a = 1.5, 0.6
    true, long = octahedron(name, (a, a, a)), octahedron(name, (f * a, a, a))
    s = (f + 2) / (f * f + 2)
    counted = len(PROTOCOLS[name].joints)
    per_axis = counted // 6 * 2
    known = 1e3 * a * per_axis * (abs(s * f - 1) + 2 * abs(s - 1)) / counted
    # A similarity on top changes nothing.
    found = pose_scores(name, 0.7 * long @ TURN.T + [1.0, 2.0, 3.0], true)
    assert found.pa_mpjpe == pytest.approx([known], abs=EXACT)
    if name != "emdb":  # there the hips, and so the pelvis, move as well
        plain = pose_scores(name, long, true)
        assert plain.mpjpe == pytest.approx([1e3 * a * (f - 1) * per_axis / counted], abs=EXACT)


@pytest.mark.parametrize("name", NAMES)
def test_a_reflection_is_not_taken(name):
    """The mirror image of axes a > b > c: the best turn flips c, with the scale (aa + bb - cc) / (aa + bb + cc)."""
    sizes = a, b, c = 0.9, 0.6, 0.3
    true = octahedron(name, sizes)
    s = (a * a + b * b - c * c) / (a * a + b * b + c * c)
    counted = len(PROTOCOLS[name].joints)
    known = 1e3 * (counted // 6 * 2) * (a * (1 - s) + b * (1 - s) + c * (1 + s)) / counted
    for mirror in np.eye(3):
        mirrored = true * (1.0 - 2.0 * mirror)
        assert pose_scores(name, mirrored @ TURN.T, true).pa_mpjpe == pytest.approx([known], abs=EXACT)


def test_procrustes_is_the_least_of_all_similarities():
    rng = np.random.default_rng(5)
    points, targets = rng.standard_normal((2, 4, 9, 3))
    aligned = procrustes(points, targets)
    least = ((aligned - targets) ** 2).sum(axis=(1, 2))
    for _ in range(50):
        near = Rotation.from_rotvec(0.05 * rng.standard_normal(3)).as_matrix()
        other = (1 + 0.05 * rng.standard_normal()) * aligned @ near.T + 0.05 * rng.standard_normal(3)
        assert (((other - targets) ** 2).sum(axis=(1, 2)) > least).all()


def test_flat_and_collapsed_bodies():
    true = np.array([[[0.0, 0, 0], [1, 0, 0], [0, 2, 0], [1, 3, 0]]])
    assert np.abs(procrustes(2.0 * true @ TURN.T + 1.0, true) - true).max() < 1e-12
    assert np.allclose(procrustes(np.zeros_like(true), true), true.mean(axis=1, keepdims=True))


@pytest.mark.parametrize("how", ["confidence", "nan"])
def test_joints_that_are_not_known_are_not_counted(how):
    true, mesh = body("3dpw")
    ours, confidence = true.copy(), np.ones(true.shape[:2])
    ours[:, 25] += 0.5
    ours[:, 26, 0] += 0.012  # one of the 12 joints left
    unknown = [25, 27]
    broken = true.copy()
    if how == "nan":
        broken[:, unknown] = np.nan
    else:
        confidence[:, unknown] = [0.0, np.nan]
    found = pose_scores("3dpw", ours, broken, confidence, mesh, mesh)
    assert found.mpjpe == pytest.approx([1.0] * 3, abs=EXACT)
    kept = [*set(PROTOCOLS["3dpw"].joints) - set(unknown)]
    apart = np.linalg.norm(procrustes(ours[:, kept], true[:, kept]) - true[:, kept], axis=2)
    assert found.pa_mpjpe == pytest.approx(1e3 * apart.mean(axis=1), abs=EXACT)
    assert not found.failed.any()
    # Without the true pelvis nothing but Procrustes can be done; without three joints not even that.
    confidence[0, 39] = 0.0
    confidence[1, list(PROTOCOLS["3dpw"].joints)] = 0.0
    found = pose_scores("3dpw", ours, broken, confidence, mesh, mesh)
    assert np.isnan(found.mpjpe).tolist() == [True, True, False]
    assert np.isnan(found.pa_mpjpe).tolist() == [False, True, False]
    assert np.isnan(found.mve).tolist() == [True, False, False]
    assert found.means["mpjpe"] == pytest.approx(1.0, abs=EXACT)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_prediction_that_failed_is_said_and_in_no_mean(value):
    true, mesh = body("emdb")
    ours, our_mesh = true.copy(), mesh.copy()
    ours[0, 5, 1] = value
    our_mesh[2, 7] = value
    found = pose_scores("emdb", ours, true, None, our_mesh, mesh)
    assert found.failed.tolist() == [True, False, True]
    for errors in (found.mpjpe, found.pa_mpjpe, found.mve):
        assert np.isnan(errors).tolist() == [True, False, True]
    assert all(abs(mean) < EXACT for mean in found.means.values())


def test_no_vertices_no_mve():
    true, _ = body("emdb")
    found = pose_scores("emdb", true.astype(np.float32), true)
    assert np.isnan(found.mve).all()
    assert np.isnan(found.means["mve"])
    assert found.mpjpe.dtype == np.float64


def test_joints_come_from_the_mesh():
    _, mesh = body("emdb")
    regressor = np.random.default_rng(1).dirichlet(np.ones(50), size=24)
    joints = joints_from_mesh(mesh, regressor)
    assert joints.shape == (3, 24, 3)
    assert np.allclose(joints[1, 4], regressor[4] @ mesh[1])


def test_wrong_shapes_and_names_are_one_clear_line():
    true, mesh = body("3dpw")
    cases = [
        (lambda: pose_scores("3dwp", true, true), r"'3dwp' is unknown \(did you mean '3dpw'"),
        (lambda: pose_scores("emdb", true, true), r"predicted joints: has shape \(3, 44, 3\); give \(any, 24, 3\)"),
        (lambda: pose_scores("3dpw", true, true[:2]), r"true joints: .*give \(3, 44, 3\)"),
        (lambda: pose_scores("3dpw", true, true, np.ones((3, 14))), r"confidence: .*give \(3, 44\)"),
        (lambda: pose_scores("3dpw", true, true, None, mesh), "for one side only"),
        (lambda: pose_scores("3dpw", true, true, None, mesh, mesh[:, :4]), r"true vertices: .*give \(3, 50, 3\)"),
        (lambda: pose_scores("3dpw", [["a"]], true), "no array of numbers"),
        (lambda: procrustes(true, true, np.ones((3, 2), bool)), r"use: has shape \(3, 2\)"),
        (lambda: joints_from_mesh(mesh, np.ones((24, 49))), r"joint regressor: .*give \(any, 50\)"),
    ]
    for call, text in cases:
        with pytest.raises(InputError, match=text) as caught:
            call()
        assert "\n" not in str(caught.value)
