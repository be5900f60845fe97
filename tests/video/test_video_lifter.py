"""The lifter with its shipped weights on a walk of the model: bounds, gaps, short clips, frame rates, bad input."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from biopose_sim.errors import InputError
from biopose_sim.io.camera import Camera
from biopose_sim.synthetic import gait_coordinates
from biopose_sim.video.lifter.evaluate import JOINTS, aligned
from biopose_sim.video.lifter.lifter import Lifter
from biopose_sim.video.lifter.place import ground_axes, mean_direction, place_by_rays
from biopose_sim.video.points.keypoints import KeyPoints
from biopose_sim.video.points.noise import NoiseConfig, disturbed

STATURE = 1.7
CAMERA = Camera.look_at([2.5, 1.2, 4.5], [1.6, 0.95, 0.0], 1280, 720, view_angle=45.0)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def lifter():
    return Lifter.from_pretrained("lifter-base")


def walk(lifter, seconds=3.0, rate=30.0):
    """Coordinates (T, n_q) of a walk of the default model, and its key points (T, 23, 3)."""
    model = lifter.skeleton.model
    coordinates = gait_coordinates(model, seconds, rate)
    with torch.no_grad():
        sizes = torch.zeros(lifter.skeleton.n_sizes)
        offsets = lifter.network.marker_offsets(sizes).double().numpy()
        person = model.scale(np.ones((len(model.body_names), 3)), offsets)
        markers = person(torch.from_numpy(coordinates)).markers.numpy()
    return coordinates, lifter.matrix @ markers


def filmed(points, rate=30.0, noise=0.0, seed=0):
    """What the camera sees of key points (T, 23, 3)."""
    flat = CAMERA.project(points)[None, ..., :2]
    shown, confidence = disturbed(flat, rate, NoiseConfig(white=noise), np.random.default_rng(seed))
    time = np.arange(len(points)) / rate
    return KeyPoints("walk", time, shown[0], confidence[0], "anny23", (1280, 720), rate)


def compared(lifter, estimate, coordinates, points):
    """Aligned error of 13 joints [mm], mean errors of hips and knees, of all joints and of gravity [degrees].

    The walk's joint of foot and toes, its trunk and arms stand as the model's middle does: no person of the training
    set stands like that.
    """
    model = estimate.model
    with torch.no_grad():
        found = lifter.matrix @ model(torch.from_numpy(estimate.coordinates)).markers.numpy()
    joints = list(JOINTS)
    off = np.linalg.norm(aligned(found[:, joints], points[:, joints]) - points[:, joints], axis=-1)
    columns = lifter.skeleton.of_joints(torch.arange(coordinates.shape[1])).numpy()
    angles = np.degrees(np.abs(estimate.coordinates - coordinates))[:, columns]
    legs = np.array([name.startswith(("hip_", "knee_")) for name in lifter.skeleton.joint_names])
    cosine = estimate.views[0].camera.rotation[:, 1] @ CAMERA.rotation[:, 1]
    return 1e3 * off.mean(), angles[:, legs].mean(), angles.mean(), np.degrees(np.arccos(min(cosine, 1.0)))


@pytest.mark.parametrize(("noise", "bounds"), [(0.0, (45.0, 11.0, 16.0, 5.0)), (0.02, (46.0, 11.0, 16.0, 5.0))])
def test_a_walk_is_found(lifter, noise, bounds):
    coordinates, points = walk(lifter)
    estimate = lifter.lift(filmed(points, noise=noise), CAMERA, stature=STATURE)
    assert estimate.source == "lifter"
    assert estimate.size_known
    assert estimate.seen.all()
    found = compared(lifter, estimate, coordinates, points)
    assert all(value < bound for value, bound in zip(found, bounds, strict=True)), found
    # The camera sees the person where it was, and the feet are on the floor.
    view = estimate.views[0].camera
    with torch.no_grad():
        body = lifter.matrix @ estimate.model(torch.from_numpy(estimate.coordinates)).markers.numpy()
    box = np.ptp(CAMERA.project(points)[..., :2], axis=1).max()
    off = np.linalg.norm(view.project(body)[..., :2] - CAMERA.project(points)[..., :2], axis=-1)
    assert off.mean() < 0.03 * box
    assert abs(body[..., 1].min()) < 0.06
    free = lifter.skeleton.of_joints(torch.arange(coordinates.shape[1])).numpy()
    assert estimate.coordinate_sd is not None
    assert (estimate.coordinate_sd[:, free] > 0.0).all()


def test_the_stature_sets_the_scale(lifter):
    _, points = walk(lifter, 1.5)
    small, tall = (lifter.lift(filmed(points), CAMERA, stature=s) for s in (1.5, 1.8))
    assert np.allclose(tall.model.scales / small.model.scales, 1.2, rtol=1e-6)
    guessed = lifter.lift(filmed(points), CAMERA)
    assert not guessed.size_known
    assert any("stature" in note for note in guessed.notes)


def test_known_gravity_is_taken(lifter):
    _, points = walk(lifter, 1.0)
    up = CAMERA.rotation[:, 1]
    found = lifter.lift(filmed(points), CAMERA, up=2.0 * up).views[0].camera
    assert np.allclose(found.rotation[:, 1], up, atol=1e-12)
    assert np.allclose(found.rotation @ found.rotation.T, np.eye(3), atol=1e-12)


def test_gaps_are_bridged(lifter):
    coordinates, points = walk(lifter)
    given = filmed(points)
    shown = given.points.copy()
    shown[40:52] = np.nan
    shown[20:30, [9, 15, 17]] = np.nan
    estimate = lifter.lift(replace(given, points=shown), CAMERA, stature=STATURE)
    assert np.array_equal(np.flatnonzero(~estimate.seen), np.arange(40, 52))
    assert np.isfinite(estimate.coordinates).all()
    whole = lifter.lift(given, CAMERA, stature=STATURE)
    joints = lifter.skeleton.of_joints(torch.arange(coordinates.shape[1])).numpy()
    off = np.degrees(np.abs(estimate.coordinates - whole.coordinates))[:, joints]
    assert off[np.r_[0:15, 65:90]].mean() < 2.0
    assert off[40:52].mean() < 12.0


@pytest.mark.parametrize("rate", [15.0, 25.0, 59.94])
def test_another_frame_rate_makes_little_difference(lifter, rate):
    coordinates, points = walk(lifter, 3.0, rate)
    estimate = lifter.lift(filmed(points, rate), CAMERA, stature=STATURE)
    assert estimate.coordinates.shape == coordinates.shape
    pa, legs, _, _ = compared(lifter, estimate, coordinates, points)
    assert pa < 45.0
    assert legs < 11.0


@pytest.mark.parametrize("frames", [1, 2, 10])
def test_a_clip_may_be_shorter_than_a_window(lifter, frames):
    coordinates, points = walk(lifter, 1.0)
    estimate = lifter.lift(filmed(points[:frames]), CAMERA, stature=STATURE)
    assert compared(lifter, estimate, coordinates[:frames], points[:frames])[0] < 60.0


def test_bad_input_is_told(lifter):
    _, points = walk(lifter, 0.5)
    given = filmed(points)
    nobody = replace(given, points=np.full_like(given.points, np.nan))
    with pytest.raises(InputError, match="no frame with 6 key points"):
        lifter.lift(nobody, CAMERA)
    with pytest.raises(InputError, match="camera is given for 1280x720"):
        lifter.lift(replace(given, size=(640, 360)), CAMERA)
    with pytest.raises(InputError, match=r"0\.5 to 2\.6 m"):
        lifter.lift(given, CAMERA, stature=175.0)
    with pytest.raises(InputError, match="three numbers"):
        lifter.lift(given, CAMERA, up=np.zeros(3))
    with pytest.raises(InputError, match="holds no weights of a lifter"):
        Lifter.from_pretrained("neurik-base")


def test_rays_say_where_the_root_is():
    random = np.random.default_rng(0)
    points = random.uniform(-0.8, 0.8, (40, 23, 3))
    root = np.stack([np.linspace(-1, 1, 40), np.full(40, 0.2), np.linspace(3, 5, 40)], axis=1)
    seen = points + root[:, None]
    rays = seen[..., :2] / seen[..., 2:]
    rays[5:9], rays[20, 3] = np.nan, 2.0
    found = place_by_rays(points, rays, np.ones((40, 23)), root * 1.2)
    assert np.abs(found - root).max() < 0.02


def test_ground_has_gravity_and_looks_as_the_camera_does():
    assert np.allclose(ground_axes(np.array([0.0, -1.0, 0.0])), np.diag([1.0, -1.0, -1.0]))
    tilted = ground_axes(np.array([0.0, -0.9, -0.4]))
    assert np.linalg.det(tilted) == pytest.approx(1.0)
    assert tilted[0, 2] == pytest.approx(0.0)
    assert tilted[2, 2] < 0.0
    assert np.linalg.det(ground_axes(np.array([0.0, 0.0, -1.0]))) == pytest.approx(1.0)
    directions = np.tile([0.0, -1.0, 0.0], (50, 1))
    directions[:5] = [0.0, 0.0, 1.0]
    mean, spread = mean_direction(directions, np.ones(50))
    assert np.degrees(np.arccos(-mean[1])) < 2.0
    assert spread > 5.0
