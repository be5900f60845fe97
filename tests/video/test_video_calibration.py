"""Cameras from calibration files, in the ground frame and at the size of a clip."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from biopose_sim.errors import InputError
from biopose_sim.io.calibration import for_clip, read_calibration, turned, write_cameras
from biopose_sim.io.camera import Camera

LENS = (-0.05, 0.1, 0.001, -0.002, 0.01)


def camera(name: str = "cam1", eye: tuple[float, float, float] = (3.0, 1.5, 1.0)) -> Camera:
    """Landscape, Y up."""
    seen = Camera.look_at(np.array(eye), np.array([0.1, 0.9, 0.2]), 1920, 1080, view_angle=50.0)
    return replace(seen, name=name, centre=(950.0, 548.0), distortion=LENS)


def in_z_up(cam: Camera) -> tuple[np.ndarray, np.ndarray, list[list[float]]]:
    """Rotation, translation [m] and matrix as OpenCV has them, in a world with Z up."""
    z_up = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])  # Z-up axes from ground's
    rotation = cam.rotation @ z_up.T
    (fx, fy), (cx, cy) = cam.focal, cam.centre
    matrix = [[fx, 0.0, cx - 0.5], [0.0, fy, cy - 0.5], [0.0, 0.0, 1.0]]
    return rotation, -rotation @ (z_up @ cam.position), matrix


def same_view(found: Camera, wanted: Camera) -> None:
    points = np.random.default_rng(0).normal([0.0, 1.0, 0.0], 0.4, (20, 3))
    np.testing.assert_allclose(found.project(points), wanted.project(points), atol=1e-6)
    assert (found.width, found.height) == (wanted.width, wanted.height)


def test_the_qualisys_file_of_the_clip(test_data):
    found = read_calibration(test_data / "video" / "Calib.qca.txt")
    assert [c.name for c in found] == ["cam01", "cam02", "cam03", "cam04"]
    assert found.placed
    assert "Z of the calibration points up" in found.notes[0]
    for cam in found:
        assert (cam.width, cam.height) == (1088, 1920)
        assert cam.focal[0] == pytest.approx(1680, abs=10)
        assert 1.6 < cam.position[1] < 2.2  # metres above the floor
        assert -cam.rotation[1, 1] > 0.8  # upright
    # All look at the person on the beam.
    middle = np.mean([c.position for c in found], axis=0) * [1.0, 0.5, 1.0]
    for cam in found:
        across, down, depth = cam.project(middle)
        assert depth > 1.0
        assert 0 < across < 1088
        assert 0 < down < 1920


def rodrigues(rotation: np.ndarray) -> list[float]:
    from scipy.spatial.transform import Rotation

    return Rotation.from_matrix(rotation).as_rotvec().tolist()


def test_toml_of_pose2sim_and_anipose(tmp_path):
    text = ""
    for name, eye in (("cam1", (3.0, 1.5, 1.0)), ("cam2", (-2.0, 1.4, 2.5))):
        rotation, translation, matrix = in_z_up(camera(name, eye))
        text += (
            f'[{name}]\nname = "{name}"\nsize = [1920.0, 1080.0]\nmatrix = {matrix}\ndistortions = {list(LENS)}\n'
            f"rotation = {rodrigues(rotation)}\ntranslation = {(1000 * translation).tolist()}\nfisheye = false\n\n"
        )
    path = tmp_path / "Calib.toml"
    path.write_text(text + "[metadata]\nadjusted = false\n")
    found = read_calibration(path)
    assert any("millimetres" in note for note in found.notes)
    assert any("nearest to the cameras' own up" in note for note in found.notes)
    for cam, eye in zip(found, ((3.0, 1.5, 1.0), (-2.0, 1.4, 2.5)), strict=True):
        same_view(cam, camera(cam.name, eye))
    same_view(read_calibration(path, up="z").cameras[0], camera())
    assert not np.allclose(read_calibration(path, up="y").cameras[0].position, found.cameras[0].position)


@pytest.mark.parametrize("kind", ["yml", "xml", "json"])
def test_files_of_opencv(tmp_path, kind):
    rotation, translation, matrix = in_z_up(camera())
    numbers = {"camera_matrix": np.array(matrix), "dist_coeffs": np.array([LENS]), "R": rotation, "T": translation}
    path = tmp_path / f"camera.{kind}"
    if kind == "json":
        content = {k: {"type_id": "opencv-matrix", "data": v.ravel().tolist()} for k, v in numbers.items()}
        path.write_text(json.dumps(content | {"image_width": 1920, "image_height": 1080}))
    elif kind == "yml":
        rows = [
            f"{k}: !!opencv-matrix\n   rows: 3\n   dt: d\n   data: {v.ravel().tolist()}" for k, v in numbers.items()
        ]
        path.write_text("%YAML:1.0\n---\nimage_width: 1920\nimage_height: 1080\n" + "\n".join(rows) + "\n")
    else:
        rows = [f'<{k} type_id="opencv-matrix"><data>{" ".join(map(repr, v.ravel().tolist()))}</data></{k}>'
                for k, v in numbers.items()]  # fmt: skip
        size = "<image_width>1920</image_width><image_height>1080</image_height>"
        path.write_text(f'<?xml version="1.0"?><opencv_storage>{size}{"".join(rows)}</opencv_storage>')
    found = read_calibration(path)
    assert found.placed
    same_view(found.cameras[0], camera(""))


def test_a_lens_alone_stands_nowhere(tmp_path):
    path = tmp_path / "lens.json"
    path.write_text(json.dumps({"K": in_z_up(camera())[2], "image_size": [1920, 1080]}))
    found = read_calibration(path)
    assert not found.placed
    assert "says nothing of where the camera stands" in found.notes[0]
    np.testing.assert_array_equal(found.cameras[0].rotation, np.diag([1.0, -1.0, -1.0]))
    upright, notes = for_clip(found, "clip", (1080, 1920))
    np.testing.assert_array_equal(upright.rotation, np.diag([1.0, -1.0, -1.0]))
    assert "by a quarter" in notes[0]


def test_our_own_file_is_exact(tmp_path):
    cameras = [camera(), camera("cam2", (0.1, 1.0 / 3.0, -4.0))]
    found = read_calibration(write_cameras(tmp_path / "cameras.json", cameras))
    for ours, theirs in zip(found, cameras, strict=True):
        np.testing.assert_array_equal(ours.rotation, theirs.rotation)
        np.testing.assert_array_equal(ours.position, theirs.position)
        assert replace(ours, rotation=theirs.rotation, position=theirs.position) != theirs  # arrays: not compared
        for field in ("focal", "centre", "width", "height", "distortion", "name"):
            assert getattr(ours, field) == getattr(theirs, field)


def test_a_turned_picture_sees_the_same():
    cam = camera()
    points = np.random.default_rng(1).normal([0.0, 1.0, 0.0], 0.3, (10, 3))
    across, down, depth = cam.project(points).T
    clockwise, counter = turned(cam, True).project(points).T, turned(cam, False).project(points).T
    np.testing.assert_allclose(clockwise, [1080 - down, across, depth], atol=1e-9)
    np.testing.assert_allclose(counter, [down, 1920 - across, depth], atol=1e-9)


def test_the_camera_of_a_clip():
    # A camera that lay on its side filmed clips that the phone turned upright.
    lying, other = turned(camera("left"), False), camera("right", (-3.0, 1.5, 0.0))
    found, notes = for_clip([lying, other], "take1_left.mp4", (1920, 1080))
    same_view(found, camera("left"))
    assert "clockwise" in notes[0]
    half, notes = for_clip([lying, other], "RIGHT", (960, 540))
    np.testing.assert_allclose(half.project([0.1, 1.0, 0.0])[:2], 0.5 * other.project([0.1, 1.0, 0.0])[:2])
    assert "scaled to 960 x 540" in notes[0]
    cropped, notes = for_clip([other], "x", (1920, 1072))
    np.testing.assert_allclose(cropped.project([0.1, 1.0, 0.0]), other.project([0.1, 1.0, 0.0]))
    assert "border" in notes[0]
    assert for_clip([lying, other], "clip2", None, order=1)[0].name == "right"
    with pytest.raises(InputError, match="is no camera of the calibration, which has 'left', 'right'"):
        for_clip([lying, other], "clip2", None)
    with pytest.raises(InputError, match="has 640 x 480 pixels, its camera 'right' 1920 x 1080"):
        for_clip([lying, other], "right", (640, 480))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"matrix": [[0, 0, 1], [0, 5, 1], [0, 0, 1]]}, "the matrix of camera 'c' is singular"),
        ({"matrix": [[5, 0, float("nan")], [0, 5, 1], [0, 0, 1]]}, "holds a number that is none"),
        ({"matrix": [1, 2, 3]}, "has 3 numbers; it should have 9"),
        ({"rotation": [[1, 0, 0], [0, 1, 0], [0, 1, 0]]}, "the rotation of camera 'c' is none"),
        ({"distortions": [0, 0, 0, 0, 0, 0.3, 0, 0]}, "has 8 lens coefficients"),
        ({"fisheye": True}, "fisheye"),
        ({"matrix": None}, "holds no camera matrix"),
    ],
)
def test_bad_files(tmp_path, change, problem):
    entry = {"name": "c", "matrix": np.diag([900.0, 900.0, 1.0]).tolist(), "translation": [0, 0, 3]}
    entry |= {"rotation": [0.0, 0.0, 0.0], "size": [640, 480]} | change
    path = tmp_path / "bad.json"
    path.write_text(json.dumps({"c": {k: v for k, v in entry.items() if v is not None}}))
    with pytest.raises(InputError, match=problem):
        read_calibration(path)


def test_other_files(tmp_path):
    with pytest.raises(InputError, match="file not found"):
        read_calibration(tmp_path / "none.toml")
    path = tmp_path / "broken.toml"
    path.write_text("matrix = [[")
    with pytest.raises(InputError, match="is not TOML"):
        read_calibration(path)
    path.write_text("[a]\nb = 1\n")
    with pytest.raises(InputError, match="holds no camera matrix; known are Qualisys"):
        read_calibration(path)
    with pytest.raises(InputError, match="up: is 'w'"):
        read_calibration(path, up="w")


def test_names_of_cameras_in_names_of_clips():
    many = [replace(camera(name), name=name) for name in ("cam1", "cam10", "2")]
    assert for_clip(many, "walk_cam10.mp4", None)[0].name == "cam10"
    assert for_clip(many, "walk_cam1.mp4", None)[0].name == "cam1"
    assert for_clip(many, "take_02.mp4", None)[0].name == "2"
    with pytest.raises(InputError, match="is no camera of the calibration"):
        for_clip(many, "walk_cam12.mp4", None)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rotation": np.zeros((3, 3))}, "the rotation of camera 'cam1' is none"),
        ({"rotation": np.diag([1.0, 1.0, -1.0])}, "the rotation of camera 'cam1' is none"),
        ({"distortion": (1e6, 0.0, 0.0, 0.0, 0.0)}, r"the lens of camera 'cam1' \(1e\+06, 0, 0, 0, 0\) is none"),
        ({"distortion": (-3.0, 0.0, 0.0, 0.0, 0.0)}, "the lens of camera 'cam1'"),
        ({"width": -1920}, "the size of camera 'cam1' is -1920 x 1080"),
    ],
)
def test_cameras_that_are_none_are_refused(tmp_path, change, said):
    path = write_cameras(tmp_path / "cameras.json", [replace(camera(), **change)])
    with pytest.raises(InputError, match=said):
        read_calibration(path)


def test_a_view_that_is_not_turned_may_be_written_in_words(test_data, tmp_path):
    text = (test_data / "video" / "Calib.qca.txt").read_text()
    path = tmp_path / "Calib.qca.txt"
    path.write_text(
        text.replace('viewrotation="0"', 'viewrotation="none"').replace('model="none"', 'model="Miqus Video"')
    )
    assert len(read_calibration(path)) == 4
