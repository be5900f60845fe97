"""Key-point files whose numbers mean something else than pixels of the clip, and files that are damaged."""

from __future__ import annotations

import json

import numpy as np
import pytest

from biopose_sim.errors import InputError
from biopose_sim.video.points.files import read_detections

SIZE = (640, 480)


@pytest.fixture
def person():
    """COCO's points of somebody who walks to the right, (12, 17, 3) [px]."""
    rng = np.random.default_rng(0)
    points = rng.uniform((200.0, 100.0), (300.0, 400.0), (17, 2)) + 5.0 * np.arange(12)[:, None, None]
    return np.concatenate([points, np.ones((12, 17, 1))], axis=-1)


def saved(folder, **arrays):
    np.savez(folder / "found.npz", **{"fps": 25.0, **arrays})
    return folder / "found.npz"


def test_shares_of_the_picture_become_pixels(tmp_path, person):
    found = read_detections(saved(tmp_path, keypoints=person / [*SIZE, 1]), size=SIZE)
    np.testing.assert_allclose(found.points, person[..., :2])
    assert any("taken for shares of the picture" in note for note in found.assumptions)
    middle = saved(tmp_path, keypoints=person / [*SIZE, 1] * [2, 2, 1] - [1, 1, 0])
    with pytest.raises(InputError, match="points about the middle, many below zero; give pixels"):
        read_detections(middle, size=SIZE)
    with pytest.raises(InputError, match="shares of the picture, whose size is unknown"):
        read_detections(saved(tmp_path, keypoints=person / [*SIZE, 1]))


def test_pixels_of_another_size_are_brought_to_the_clip(tmp_path, person):
    found = read_detections(saved(tmp_path, keypoints=person * [0.5, 0.5, 1], size=np.array([320, 240])), size=SIZE)
    np.testing.assert_allclose(found.points, person[..., :2])
    assert found.size == SIZE
    assert any("of pictures of 320 x 240 pixels: brought to 640 x 480" in note for note in found.assumptions)
    with pytest.raises(InputError, match="is of pictures of 480 x 640 pixels, the clip's have 640 x 480"):
        read_detections(saved(tmp_path, keypoints=person, size=np.array(SIZE[::-1])), size=SIZE)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: p + np.array([5000, 0, 0]), "most points beyond the picture of 640 x 480 pixels"),
        (lambda p: p * [1e30, 1e30, 1], "most points beyond the picture"),
        (lambda p: 0 * p + 50, "has all its points on one spot"),
        (lambda p: p * [1, 1, np.nan], "no point was found"),
    ],
)
def test_points_that_are_no_person_are_refused(tmp_path, person, change, said):
    with pytest.raises(InputError, match=said):
        read_detections(saved(tmp_path, keypoints=change(person)), size=SIZE)


def test_landmarks_of_mediapipe_are_shares_though_some_are_far_outside(tmp_path):
    marks = np.random.default_rng(1).uniform(0.2, 0.8, (12, 33, 4))
    marks[3, 15, :2] = 7.0
    found = read_detections(saved(tmp_path, landmarks=marks), size=SIZE)
    np.testing.assert_allclose(found.points[0], marks[0, :, :2] * SIZE)
    depth = np.random.default_rng(2).uniform(-0.4, 0.4, (12, 33, 1))
    found = read_detections(saved(tmp_path, landmarks=np.concatenate([marks[..., :2], depth], -1)), size=SIZE)
    assert (found.confidence == 1.0).all()
    assert any("depth, not a confidence" in note for note in found.assumptions)


def test_confidences_in_per_cent_are_noted(tmp_path, person):
    found = read_detections(saved(tmp_path, keypoints=person * [1, 1, 90]), size=SIZE)
    assert found.confidence.max() == 1.0
    assert "Confidences go up to 90: those above 1 were taken for 1." in found.assumptions


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        ({"fps": np.array([25.0, 25.0])}, "'fps' is .*; it should be one number"),
        ({"fps": "fast"}, "'fps' is fast; it should be one number"),
        ({"fps": 0.001}, "frame rate is 0.001 Hz; give one from 1 to 2000 Hz"),
        ({"size": np.array([640])}, "'size' is .*; it should be 2 numbers"),
        ({"size": np.array([np.nan, 480.0])}, "width is nan; give a whole number"),
        ({"size": np.array([-640, -480])}, "is of pictures of -640 x -480 pixels"),
        ({"image_id": np.array(3)}, "'image_id' or 'track_id' has another length"),
    ],
)
def test_what_stands_beside_the_points_must_make_sense(tmp_path, person, beside, said):
    with pytest.raises(InputError, match=said):
        read_detections(saved(tmp_path, keypoints=person, **beside))


def test_damaged_files_get_one_line(tmp_path, person):
    whole = saved(tmp_path, keypoints=person)
    cut, array, blank = tmp_path / "cut.npz", tmp_path / "array.npz", tmp_path / "blank.csv"
    cut.write_bytes(whole.read_bytes()[:500])
    with array.open("wb") as stream:
        np.save(stream, person)
    blank.write_text("  \n\n")
    for path, said in ((cut, "cannot be read as .npz"), (array, "one array without a name"), (blank, "is empty")):
        with pytest.raises(InputError, match=said):
            read_detections(path)
    odd = tmp_path / "odd.json"
    one = {"image_id": [1], "keypoints": [50.0, 60.0, 1.0] * 17}
    odd.write_text(json.dumps({"images": [{"id": [1]}], "annotations": [one]}))
    with pytest.raises(InputError, match=r"an image '\[1\]' not listed in it"):
        read_detections(odd)


def test_numbered_frames_keep_the_number_of_the_first(tmp_path, person):
    found = [{"image_id": f"{n}.jpg", "keypoints": person[n].ravel().tolist()} for n in range(4, 12)]
    (tmp_path / "late.json").write_text(json.dumps(found))
    late = read_detections(tmp_path / "late.json")
    assert (late.first, len(late.time)) == (4, 8)
    lines = ["frame," + ",".join(f"x{k},y{k},z{k},v{k}" for k in range(33))]
    lines += [f"{n}," + ",".join(["0.5,0.4,0.0,0.9", "0.6,0.7,0.0,0.9", "0.4,0.5,0,1"] * 11) for n in (5, 6, 9)]
    (tmp_path / "late.csv").write_text("\n".join(lines))
    late = read_detections(tmp_path / "late.csv", size=SIZE)
    assert (late.first, late.frame.tolist()) == (5, [0, 1, 4])
