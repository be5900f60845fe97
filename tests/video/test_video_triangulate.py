"""Key points in space: exact places, outliers, exchanged sides, cameras that see nothing, clips out of step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from walking_clips import exchange, walk_3d

from biopose_sim.errors import InputError
from biopose_sim.io.calibration import for_clip, read_calibration
from biopose_sim.io.camera import Camera
from biopose_sim.video.points.keypoints import COMMON, KeyPoints
from biopose_sim.video.triangulation.synchrony import align
from biopose_sim.video.triangulation.triangulate import triangulate
from biopose_sim.video.types import View

FPS = 30.0


def cameras(points: np.ndarray, count: int = 4) -> list[Camera]:
    """Around the person, portrait, with a lens that bends."""
    middle = points.mean((0, 1))
    found = []
    for k in range(count):
        angle = 2.0 * np.pi * (k + 0.3) / count
        eye = middle * [1, 0, 1] + [3.5 * np.cos(angle), 1.5 + 0.3 * (k % 2), 3.5 * np.sin(angle)]
        seen = Camera.look_at(eye, middle, 1080, 1920, view_angle=70.0)
        found.append(replace(seen, name=f"c{k}", distortion=(-0.05, 0.1, 0.001, -0.001, 0.0)))
    return found


def views_of(points: np.ndarray, noise: float = 0.0, count: int = 4, fps: float = FPS) -> list[View]:
    rng = np.random.default_rng(0)
    views = []
    for camera in cameras(points, count):
        pixels = camera.project(points)[..., :2] + rng.normal(0.0, noise, (*points.shape[:2], 2))
        time = np.arange(len(points)) / fps
        key_points = KeyPoints(camera.name, time, pixels, np.full(points.shape[:2], 0.9), "anny23", (1080, 1920), fps)
        views.append(View(camera, key_points))
    return views


def changed(view: View, points: np.ndarray) -> View:
    confidence = np.where(np.isfinite(points).all(-1), view.key_points.confidence, 0.0)
    return replace(view, key_points=replace(view.key_points, points=points, confidence=confidence))


@pytest.fixture(scope="module")
def walk() -> np.ndarray:
    return walk_3d(1.5)


def test_exact_points_are_found_exactly(walk):
    found = triangulate(views_of(walk))
    np.testing.assert_allclose(found.points, walk, atol=1e-6)
    assert (found.cameras_used == 4).all()
    assert float(np.nanmax(found.errors)) < 1e-3
    assert not found.exchanged.any()


def test_bad_cameras_are_left_out_and_sides_put_right(walk):
    views = views_of(walk, noise=2.0)
    rng = np.random.default_rng(1)
    wrong = rng.random(walk.shape[:2]) < 0.05
    pixels = views[0].key_points.points.copy()
    pixels[wrong] += 120.0
    views[0] = changed(views[0], pixels)
    views[1] = changed(views[1], exchange(views[1].key_points.points, slice(10, 25)))
    legs = ("left_hip", "left_knee", "left_ankle", "left_heel", "left_big_toe", "left_small_toe")
    views[3] = changed(views[3], exchange(views[3].key_points.points, slice(30, 36), legs))
    hidden = views[2].key_points.points.copy()
    hidden[15:25] = np.nan
    views[2] = changed(views[2], hidden)
    found = triangulate(views)
    off = np.linalg.norm(found.points - walk, axis=-1)
    assert np.isnan(off).mean() < 0.01
    assert float(np.nanmedian(off)) < 0.006  # 2 px at 3.5 m are 5 mm
    assert float(np.nanmean(off > 0.03)) < 0.01
    np.testing.assert_array_equal(np.flatnonzero(found.exchanged[1]), np.arange(10, 25))
    np.testing.assert_array_equal(np.flatnonzero(found.exchanged[3]), np.arange(30, 36))
    assert not found.exchanged[[0, 2]].any()
    assert np.isnan(found.errors[0][wrong]).mean() > 0.95
    assert any("c1: left and right were exchanged in 15 frames" in note for note in found.notes)
    assert (found.cameras_used[15:25] <= 3).all()


def test_where_one_camera_sees_there_is_no_point(walk):
    views = views_of(walk, noise=1.0, count=2)
    pixels = views[1].key_points.points.copy()
    pixels[:, COMMON.index("nose")] = np.nan
    found = triangulate([views[0], changed(views[1], pixels)])
    assert np.isnan(found.points[:, COMMON.index("nose")]).all()
    assert np.isfinite(found.points[:, COMMON.index("left_knee")]).all()


def test_bad_input(walk):
    views = views_of(walk)
    with pytest.raises(InputError, match="1 camera was given"):
        triangulate(views[:1])
    with pytest.raises(InputError, match="'c0' and 'c1' stand in the same place"):
        triangulate([views[0], replace(views[1], camera=replace(views[0].camera, name="c1"))])
    short = replace(views[1].key_points, time=views[1].key_points.time + 0.5)
    with pytest.raises(InputError, match="has other frames than c0"):
        triangulate([views[0], replace(views[1], key_points=short)])
    gone = [changed(v, np.full_like(v.key_points.points, np.nan)) for v in views]
    with pytest.raises(InputError, match="no point is seen by two cameras that agree"):
        triangulate(gone)


def later(view: View, frames: int) -> View:
    """The view of a camera that was started so many frames later; its clock starts at zero."""
    own = view.key_points
    rest = slice(frames, None)
    key_points = replace(own, time=own.time[rest] - own.time[frames], points=own.points[rest],
                         confidence=own.confidence[rest])  # fmt: skip
    return replace(view, key_points=key_points)


def test_clips_out_of_step(walk):
    views = views_of(walk, noise=1.0)
    views[2] = later(views[2], 5)
    taken = align(views)
    np.testing.assert_allclose(taken.estimated, [0.0, 0.0, 5 / FPS, 0.0], atol=0.5 / FPS)
    assert any("c2 seems to start 0.1" in note and "later" in note for note in taken.notes)
    assert not taken.offsets.any()
    right = align(views, [0.0, 0.0, 5 / FPS, 0.0])
    assert not right.notes
    assert len(right.views[0].key_points.time) == len(walk) - 5
    off = np.linalg.norm(triangulate(right.views).points - walk[5:], axis=-1)
    assert float(np.nanmedian(off)) < 0.004
    with pytest.raises(InputError, match="show no common time"):
        align(views, [0.0, 100.0, 0.0, 0.0])
    with pytest.raises(InputError, match="2 for 4 clips"):
        align(views, [0.0, 1.0])


def test_clips_of_other_frame_rates(walk):
    views = views_of(walk)
    slow = views[1].key_points
    half = replace(slow, time=slow.time[::2], points=slow.points[::2], confidence=slow.confidence[::2], fps=FPS / 2)
    found = align([views[0], replace(views[1], key_points=half), views[2]])
    assert all(v.key_points.fps == FPS / 2 for v in found.views)
    assert any("different frame rates: taken at 15 Hz" in note for note in found.notes)
    np.testing.assert_allclose(triangulate(found.views).points, walk[::2], atol=1e-5)


def test_the_calibration_of_the_real_clip_is_upright(test_data):
    """Somebody who stands where the cameras look is seen upright by all of them."""
    calibration = read_calibration(test_data / "video" / "Calib.qca.txt")
    seen = [for_clip(calibration, f"cam0{n}", size)[0] for n, size in ((1, (1080, 1920)), (3, (1088, 1920)))]
    for camera in seen:
        feet, head = camera.project([[-1.0, 0.0, 0.0], [-1.0, 1.7, 0.0]])
        assert feet[1] > head[1] + 500
        assert 0 < feet[0] < camera.width
