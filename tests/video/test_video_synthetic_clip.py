"""Synthetic clips: the truth beside them is what the pictures show."""

import av
import numpy as np
import pytest

from biopose_sim.bodies.phenotypes import sample_adults
from biopose_sim.bodies.retarget import retarget
from biopose_sim.errors import InputError
from biopose_sim.video.synthetic.clip import panning_cameras, standing_camera, synthetic_clip
from biopose_sim.viz.film import write_pictures


@pytest.fixture(scope="module")
def walk(cmu_walk):
    return retarget(cmu_walk, sample_adults(1, 8)[0], limit=(20, 60), fps=30.0)


@pytest.fixture(scope="module")
def camera(walk):
    from biopose_sim.bodies.markers import virtual_markers

    return standing_camera(virtual_markers(walk).markers, 160, 120, side=0.7)


@pytest.fixture(scope="module")
def clip(walk, camera):
    return synthetic_clip(walk, camera, seed=4)


def test_the_person_stands_where_the_key_points_are(clip, camera):
    pictures = [picture.astype(int) for _, picture in clip.pictures()]
    first, last = pictures[0], pictures[-1]
    moved = np.abs(first - last).max(axis=2) > 40
    rows, columns = np.nonzero(moved)
    points = clip.key_points[0][[0, -1]].reshape(-1, 2)
    (left, top), (right, bottom) = points.min(axis=0) - 12, points.max(axis=0) + 12
    near = (columns > left) & (columns < right) & (rows > top) & (rows < bottom)
    assert len(rows) > 50
    assert near.mean() > 0.95
    assert ((points > 0) & (points < (160, 120))).all()


def test_the_truth_file_and_the_film(clip, camera, tmp_path):
    film = write_pictures(tmp_path / "walk.mp4", clip.pictures(), rate=30.0, camera=True)
    with np.load(clip.write_truth(tmp_path / "walk.npz")) as truth:
        assert truth["key_points"].shape == (1, len(clip.time), 23, 2)
        flat = camera.project(truth["key_points_3d"])[..., :2]
        np.testing.assert_allclose(flat, truth["key_points"], atol=1e-9)
        assert 1.4 < truth["statures"][0] < 2.1
        np.testing.assert_allclose(truth["rotation"][0], camera.rotation)
    with av.open(str(film)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == len(clip.time)
    assert np.abs(frames[3].astype(int) - clip.picture(3)).mean() < 8


def test_two_people_and_a_camera_that_follows(walk, camera):
    from dataclasses import replace

    other = replace(walk, translation=walk.translation + np.array([0.8, 0.3, 0.0]))
    alone = synthetic_clip(walk, camera, seed=4)
    cameras = panning_cameras(camera, alone.markers[0])
    both = synthetic_clip([walk, other], cameras, seed=4)
    assert both.key_points.shape == (2, len(walk.time), 23, 2)
    picture = both.picture(0)
    assert picture.shape == (120, 160, 3)
    # The one who is followed stays about the middle.
    middle = both.key_points[0].mean(axis=1)
    assert np.abs(middle - (80, 60)).max() < 30


def test_bad_clips_are_refused(walk, camera):
    with pytest.raises(InputError, match="shows nobody"):
        synthetic_clip([], camera)
    with pytest.raises(InputError, match="3 cameras for"):
        synthetic_clip(walk, [camera] * 3)
