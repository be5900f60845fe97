"""Files of key points: each format written as its tool does, read back, and broken."""

from __future__ import annotations

import json

import numpy as np
import pytest

from biopose_sim.errors import InputError
from biopose_sim.video.points.files import read_detections


def people(frames: int, count: int, seed: int = 0) -> np.ndarray:
    """(T, K, 3): pixels in a picture of 640 x 480 and confidence."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.uniform(10, 470, (frames, count, 2)), rng.uniform(0.3, 1, (frames, count, 1))], -1)


def write(path, content):
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def openpose(folder, frames, numbers):
    folder.mkdir()
    for number, persons in zip(numbers, frames, strict=True):
        found = [{"person_id": [-1], "pose_keypoints_2d": p.ravel().tolist()} for p in persons]
        write(folder / f"clip2_{number:012d}_keypoints.json", {"version": 1.3, "people": found})
    return folder


def test_openpose_with_missing_numbers_empty_frames_and_points(tmp_path):
    a, b = people(4, 25), people(4, 25, 1)
    a[2, 7] = 0.0
    folder = openpose(tmp_path / "json", [[a[0]], [a[1], b[1]], [], [a[2]]], [5, 6, 7, 10])
    found = read_detections(folder, fps=50)
    assert found.layout == "body25"
    assert found.fps == 50
    assert len(found.time) == 6
    assert found.frame.tolist() == [0, 1, 1, 5]
    assert found.track is None
    np.testing.assert_allclose(found.points[2], b[1, :, :2])
    assert np.isnan(found.points[3, 7]).all()
    assert found.confidence[3, 7] == 0.0
    assert "2 frame numbers have no file" in found.assumptions[0]
    np.testing.assert_allclose(found.time, np.arange(6) / 50)


def test_coco_annotations_keep_people_and_the_order_of_images(tmp_path):
    a = people(3, 17)
    a[..., 2] = 2.0
    a[0, 3] = 0.0
    a[0, 4, 2] = 1.0
    images = [{"id": 90 - i, "file_name": f"f{i:03d}.jpg", "width": 640, "height": 480} for i in range(3)]
    notes = [{"image_id": 90 - i, "category_id": 4, "keypoints": a[i].ravel().tolist()} for i in (2, 0)]
    notes.append({"image_id": 90, "category_id": 9, "keypoints": a[1].ravel().tolist()})
    kinds = [{"id": 4, "name": "person"}, {"id": 9, "name": "statue"}]
    found = read_detections(write(tmp_path / "a.json", {"images": images, "annotations": notes, "categories": kinds}))
    assert found.frame.tolist() == [0, 2]
    assert len(found.time) == 3
    assert found.size == (640, 480)
    assert found.confidence[0, [3, 4, 5]].tolist() == [0.0, 0.5, 1.0]
    assert "30 frames per second are assumed" in found.assumptions[-1]


@pytest.mark.parametrize("name", ["coco", "alphapose", "halpe"])
def test_results_lists(tmp_path, name):
    a = people(3, 26 if name == "halpe" else 17)
    results = [{"category_id": 1, "keypoints": a[i].ravel().tolist(), "score": 2.1} for i in range(3)]
    for i, result in enumerate(results):
        result |= {"image_id": 7 + i} if name == "coco" else {"image_id": f"{7 + i}.jpg", "idx": 3}
    found = read_detections(write(tmp_path / "r.json", results))
    assert found.layout == ("halpe26" if name == "halpe" else "coco17")
    assert found.frame.tolist() == [0, 1, 2]
    assert found.track is None if name == "coco" else found.track.tolist() == [3, 3, 3]
    np.testing.assert_allclose(found.points, a[..., :2])
    np.testing.assert_allclose(found.confidence, a[..., 2])


def shares(frames=4):
    a = people(frames, 33)
    return a, a[..., :2] / (640, 480)


@pytest.mark.parametrize("form", ["dicts", "lists", "frames", "people"])
def test_mediapipe_json(tmp_path, form):
    a, xy = shares()
    marks = [[[*p, 0.1, v] for p, v in zip(f, c, strict=True)] for f, c in zip(xy, a[..., 2], strict=True)]
    if form in {"dicts", "frames"}:
        marks = [[dict(zip(("x", "y", "z", "visibility"), p, strict=True)) for p in f] for f in marks]
    marks[1] = []
    content = [[f] if f else [] for f in marks] if form == "people" else marks
    if form == "frames":
        content = {"fps": 25, "width": 640, "height": 480, "frames": [{"landmarks": f} for f in marks]}
    found = read_detections(write(tmp_path / "m.json", content), size=None if form == "frames" else (640, 480))
    assert found.layout == "mediapipe33"
    assert found.frame.tolist() == [0, 2, 3]
    assert len(found.time) == 4
    np.testing.assert_allclose(found.points, a[[0, 2, 3], :, :2])
    np.testing.assert_allclose(found.confidence, a[[0, 2, 3], :, 2])


@pytest.mark.parametrize("form", ["long", "names", "wide", "bare"])
def test_mediapipe_csv(tmp_path, form):
    from biopose_sim.video.points.keypoints import LAYOUTS

    a, xy = shares()
    marks, lines = LAYOUTS["mediapipe33"].points, []
    if form in {"long", "names"}:
        lines = ["frame,landmark,x,y,z,visibility"]
        for t in range(4):
            for k in range(33):
                name = marks[k] if form == "names" else k
                lines.append(f"{t},{name},{xy[t, k, 0]!r},{xy[t, k, 1]!r},0.1,{a[t, k, 2]!r}".replace("np.float64", ""))
    else:
        header = [f"{c}{k}" for k in range(33) for c in ("x", "y", "z", "v")]
        lines = [",".join(["frame", *header])] if form == "wide" else []
        for t in range(4):
            cells = [f"{v:.12g}" for k in range(33) for v in (*xy[t, k], 0.1, a[t, k, 2])]
            lines.append(",".join([str(t), *cells] if form == "wide" else cells))
    (tmp_path / "m.csv").write_text("\n".join(lines).replace("(", "").replace(")", ""), encoding="utf-8")
    found = read_detections(tmp_path / "m.csv", size=(640, 480), fps=60)
    np.testing.assert_allclose(found.points, a[..., :2], rtol=1e-9)
    np.testing.assert_allclose(found.confidence, a[..., 2], rtol=1e-9)


def test_mediapipe_needs_the_size_and_the_landmarks_of_the_picture(tmp_path):
    _, xy = shares()
    np.savez(tmp_path / "m.npz", landmarks=np.concatenate([xy, np.ones((4, 33, 1))], -1))
    with pytest.raises(InputError, match="size=\\(width, height\\)"):
        read_detections(tmp_path / "m.npz")
    np.savez(tmp_path / "w.npz", landmarks=np.concatenate([xy - 0.5, np.ones((4, 33, 1))], -1))
    with pytest.raises(InputError, match="world landmarks"):
        read_detections(tmp_path / "w.npz", size=(640, 480))


def test_arrays(tmp_path):
    a = people(6, 17).reshape(3, 2, 17, 3)
    np.savez(tmp_path / "two.npz", keypoints=a, fps=60.0, size=[640, 480])
    found = read_detections(tmp_path / "two.npz")
    assert found.frame.tolist() == [0, 0, 1, 1, 2, 2]
    assert found.fps == 60
    assert found.size == (640, 480)
    np.savez(tmp_path / "rows.npz", keypoints=a[:, 0], image_id=[4, 9, 5], track_id=[1, 2, 1])
    found = read_detections(tmp_path / "rows.npz")
    assert found.frame.tolist() == [0, 1, 5]
    assert found.track.tolist() == [1, 1, 2]
    assert len(found.time) == 6
    np.testing.assert_allclose(found.points[1], a[2, 0, :, :2])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", "{", "no valid JSON"),
        ("a.json", "[]", "no key-point file that is known"),
        ("a.json", '{"people": []}', "give the folder"),
        ("a.json", '[{"image_id": 1, "keypoints": [1, 2]}]', "a person has 2 numbers"),
        ("a.json", '[{"image_id": 1, "keypoints": ["a", 2, 3]}]', "not numbers"),
        ("a.json", json.dumps([{"image_id": 1, "keypoints": [1] * 54}]), "18 key points, of no detector known.*body25"),
        ("a.json", json.dumps([{"image_id": None, "keypoints": [1] * 51}]), "neither a number nor a name"),
        ("a.json", json.dumps([{"image_id": "x", "keypoints": [1] * 51}]), "no frame number"),
        ("a.json", json.dumps([{"image_id": 1, "keypoints": [0] * 51}]), "holds no person"),
        ("a.json", "[null, 3]", "no list of landmarks"),
        ("a.json", '[[{"x": 1}]]', "each has x, y and visibility"),
        ("a.csv", "a,b\n1,2\n", "2 columns, not 33 landmarks"),
        ("a.csv", "a,b\n1,2,3\n", "different numbers of cells"),
        ("a.npz", "nonsense", "cannot be read as .npz"),
        ("a.txt", "nonsense", "no key-point file that is known"),
    ],
)
def test_bad_files_are_named_in_one_line(tmp_path, name, content, message):
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        read_detections(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_bad_folders(tmp_path):
    with pytest.raises(InputError, match="no \\.json files"):
        read_detections(tmp_path)
    folder = openpose(tmp_path / "a", [[people(1, 25)[0]], [people(1, 17)[0]]], [0, 1])
    with pytest.raises(InputError, match="people have 17 and 25 key points"):
        read_detections(folder)
    write(folder / "other_000001_keypoints.json", {"people": []})
    with pytest.raises(InputError, match="two files of frame 1"):
        read_detections(folder)
    folder = openpose(tmp_path / "b", [[]], [0])
    with pytest.raises(InputError, match="holds no person"):
        read_detections(folder)
    with pytest.raises(InputError, match="file not found"):
        read_detections(tmp_path / "none.json")
