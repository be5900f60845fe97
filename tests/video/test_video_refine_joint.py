"""Joint refinement: derivatives against differences, a walk found again, exchanged sides, gaps, wrong focal lengths."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from biopose_sim.errors import InputError
from biopose_sim.io.camera import Camera
from biopose_sim.synthetic import gait_coordinates
from biopose_sim.video.points.keypoints import LAYOUTS, KeyPoints
from biopose_sim.video.refine.banded import Bordered
from biopose_sim.video.refine.body import PointBody
from biopose_sim.video.refine.guards import place_root, see
from biopose_sim.video.refine.joint import JointConfig, refine_joint
from biopose_sim.video.refine.terms import JointTerms, State
from biopose_sim.video.types import Estimate, View
from ik_pipeline.virtual_fit import virtual_model

FRAMES, RATE = 24, 30.0


@pytest.fixture(scope="module")
def body() -> PointBody:
    return PointBody(virtual_model())


def points_of(body: PointBody, q: np.ndarray) -> np.ndarray:
    return body.place(q, np.zeros(body.n_size), np.zeros(body.n_offsets)).points


@pytest.fixture(scope="module")
def walk(body) -> tuple[np.ndarray, Estimate]:
    """True coordinates of a second of walking, and a start that is wrong by some degrees and centimetres."""
    rng = np.random.default_rng(0)
    q = np.asarray(gait_coordinates(body.model, FRAMES / RATE, RATE))[:FRAMES]
    points = points_of(body, q)[:, :23]
    middle = points.mean((0, 1))
    camera = Camera.look_at(middle + np.array([1.5, 0.3, 4.0]), middle, 1280, 720, view_angle=40.0)
    wrong = q.copy()
    wrong[:, body.free] += rng.normal(0.0, np.where(body.translational, 0.05, 0.12))
    wrong[:, 3:6] += 0.2 * (middle - camera.position)
    time = np.arange(FRAMES) / RATE
    pixels = camera.project(points)[..., :2]
    found = KeyPoints("walk", time, pixels, np.ones(pixels.shape[:2]), "anny23", (1280, 720), RATE)
    seen = np.ones(FRAMES, dtype=bool)
    return q, Estimate("walk", time, body.model, wrong, (View(camera, found),), seen, True, "test")


def with_points(estimate: Estimate, points: np.ndarray) -> Estimate:
    view = estimate.views[0]
    return replace(estimate, views=(View(view.camera, replace(view.key_points, points=points)),))


def angle_error(body: PointBody, q: np.ndarray, estimate: Estimate) -> float:
    joints = body.free[~body.translational]
    return float(np.degrees(np.abs(estimate.coordinates - q)[:, joints].mean()))


def test_bordered_system_against_a_dense_one():
    rng = np.random.default_rng(1)
    frames, n, shared = 6, 3, 2
    size = frames * n
    system = Bordered.zeros(frames, n, shared)
    own = rng.normal(size=(frames, n, n))
    system.own[:] = own @ own.transpose(0, 2, 1) + 12.0 * np.eye(n)
    system.next[:], system.after[:] = rng.normal(size=(frames - 1, n, n)), rng.normal(size=(frames - 2, n))
    system.border[:], system.corner[:] = rng.normal(size=(frames, n, shared)), 40.0 * np.eye(shared)
    system.right[:], system.right_shared[:] = rng.normal(size=(frames, n)), rng.normal(size=shared)
    held = rng.random((frames, n)) < 0.2
    system.hold(held)
    dense = np.zeros((size + shared, size + shared))
    for t in range(frames):
        here = slice(t * n, (t + 1) * n)
        dense[here, here] = system.own[t]
        if t + 1 < frames:
            dense[(t + 1) * n : (t + 2) * n, here] = system.next[t]
        if t + 2 < frames:
            dense[(t + 2) * n : (t + 3) * n, here] = np.diag(system.after[t])
    dense[size:, :size] = system.border.reshape(size, shared).T
    dense = np.tril(dense) + np.tril(dense, -1).T
    dense[size:, size:] = system.corner
    x, y = system.solve(0.0)
    expected = np.linalg.solve(dense, np.r_[system.right.ravel(), system.right_shared])
    assert np.allclose(np.r_[x.ravel(), y], expected, atol=1e-10)
    assert np.all(x[held] == 0.0)
    system.own[:] *= -1.0
    with pytest.raises(np.linalg.LinAlgError):
        system.solve(0.0)


def test_step_follows_the_gradient_of_the_cost(body, walk):
    """Half the gradient by differences, in coordinates, size, offsets, camera and floor."""
    _, estimate = walk
    config = JointConfig(estimate_focal=True, tilt_sd=0.05)
    few = slice(0, 5)
    view = estimate.views[0]
    part = replace(view.key_points, **{k: getattr(view.key_points, k)[few] for k in ("time", "points", "confidence")})
    start = place_root(body, estimate.coordinates[few], (View(view.camera, part),))
    sd = np.full(len(body.free), 0.2)
    seen = (see(View(view.camera, part), 0.02),)
    terms = JointTerms(body, part.time, start, sd, np.ones(5, dtype=bool), seen, config, True)
    terms.standing[1:4, :2] = True
    rng = np.random.default_rng(2)
    state = State(terms.begin().q + 0.01, rng.normal(0.0, 0.01, terms.n_shared))
    placed = terms.place(state, derive=True)
    by_size = body.by_size(state.q, state.shared[terms.sizes], state.shared[terms.marks], placed.points)
    system = terms.system(state, placed, by_size, 5.0)

    def cost(free: np.ndarray, shared: np.ndarray) -> float:
        new = State(terms.full(free), shared)
        return terms.cost(new, terms.place(new), 5.0)

    free, h = state.q[:, body.free], 1e-5
    for frame, column in ((0, 0), (2, 4), (2, 7), (3, 20), (4, 30)):
        step = np.zeros_like(free)
        step[frame, column] = h
        slope = (cost(free + step, state.shared) - cost(free - step, state.shared)) / (2.0 * h)
        assert -0.5 * slope == pytest.approx(system.right[frame, column], rel=1e-3, abs=1e-2)
    for place, number in enumerate(terms.active):
        step = np.zeros(terms.n_shared)
        step[number] = h
        slope = (cost(free, state.shared + step) - cost(free, state.shared - step)) / (2.0 * h)
        assert -0.5 * slope == pytest.approx(system.right_shared[place], rel=1e-3, abs=0.01), number


def test_a_walk_is_found_again(body, walk):
    q, estimate = walk
    done = refine_joint(estimate)
    assert np.nanmean(done.after) < 0.1 * np.nanmean(done.before)
    assert angle_error(body, q, done.estimate) < 0.75 * angle_error(body, q, estimate)
    assert set(done.flags) <= {"ok", "at_limits"}
    free = done.estimate.coordinates[:, body.free]
    assert (free >= body.low - 1e-9).all()
    assert (free <= body.high + 1e-9).all()
    assert np.abs(done.estimate.coordinates[:, 3:6] - q[:, 3:6]).max() < 0.25


def test_exchanged_sides_and_gaps_are_mended(body, walk):
    q, estimate = walk
    points = estimate.views[0].key_points.points.copy()
    points[[4, 11, 12]] = points[[4, 11, 12]][:, LAYOUTS["anny23"].mirror]
    points[20, 3:] = np.nan
    points[7] = np.nan
    done = refine_joint(with_points(estimate, points))
    assert [i for i, flag in enumerate(done.flags) if flag == "few_points"] == [7, 20]
    assert np.flatnonzero(done.exchanged.any((0, 2))).tolist() == [4, 11, 12]
    assert angle_error(body, q, done.estimate) < 0.8 * angle_error(body, q, estimate)
    assert any("exchanged" in note for note in done.notes)
    assert np.isfinite(done.estimate.coordinates).all()


def test_a_wrong_focal_length_is_mended(walk):
    _, estimate = walk
    view = estimate.views[0]
    true = view.camera.focal[0]
    camera = replace(view.camera, focal=(1.2 * true, 1.2 * true))
    wrong = replace(estimate, views=(View(camera, view.key_points),))
    done = refine_joint(wrong, JointConfig(estimate_focal=True))
    assert abs(done.focal / true - 1.0) < 0.2
    assert done.estimate.views[0].camera.focal[0] == pytest.approx(done.focal)
    assert any("focal" in note for note in done.notes)
    assert refine_joint(wrong).focal == pytest.approx(1.2 * true)


def test_key_points_of_somebody_else_leave_the_motion_as_it_was(walk):
    _, estimate = walk
    rng = np.random.default_rng(3)
    points = rng.uniform(0.0, 700.0, estimate.views[0].key_points.points.shape)
    done = refine_joint(with_points(estimate, points))
    worse = np.nanmean(done.after) > np.nanmean(done.before)
    assert not worse
    assert np.isfinite(done.estimate.coordinates).all()
    nothing = refine_joint(with_points(estimate, np.full_like(points, np.nan)))
    assert set(nothing.flags) <= {"few_points", "unrefined"}


def test_refuses_an_estimate_without_views(walk):
    _, estimate = walk
    with pytest.raises(InputError, match="no view"):
        refine_joint(replace(estimate, views=()))
