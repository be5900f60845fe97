from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from clip_files import TURNS, set_display_matrix, write_clip
from people_clips import need_mediapipe, pictures, side_by_side, walking_out

from biopose_sim.errors import InputError
from biopose_sim.video.footage import detector_link
from biopose_sim.video.footage.clip import open_clip
from biopose_sim.video.footage.detector import detect
from biopose_sim.video.footage.detector_link import Detector, DetectorError
from biopose_sim.video.footage.people import Crowd, find_people
from biopose_sim.video.points.keypoints import LAYOUTS

NAMES = LAYOUTS["mediapipe33"].points
COUNT = 9


@pytest.fixture(scope="module")
def row(test_data):
    need_mediapipe()
    return pictures(test_data, 1, COUNT)


@pytest.fixture(scope="module")
def upright(row, tmp_path_factory):
    """A clip of one person, and what is found in it."""
    clip = open_clip(write_clip(tmp_path_factory.mktemp("one") / "upright.mp4", row, fps=60))
    return clip, detect(clip)


@pytest.fixture(scope="module")
def pair(test_data, row, tmp_path_factory):
    """A clip of two people side by side, and who is found."""
    path = side_by_side(tmp_path_factory.mktemp("two") / "pair.mp4", row, pictures(test_data, 3, COUNT))
    clip = open_clip(path)
    return clip, find_people(clip)


def point(found, name: str) -> np.ndarray:
    return found.detections.points[:, NAMES.index(name)]


def test_one_person_in_every_frame(upright):
    clip, found = upright
    rows = found.detections
    assert (rows.layout, rows.size, rows.fps) == ("mediapipe33", (540, 960), pytest.approx(60.0))
    np.testing.assert_array_equal(rows.frame, np.arange(COUNT))
    np.testing.assert_array_equal(rows.time, clip.time)
    eyes, hips, ankles = (point(found, name)[:, 1] for name in ("left_eye", "left_hip", "left_ankle"))
    assert (eyes < hips).all()
    assert (hips < ankles).all()
    x, y, width, height = found.crowd.boxes[0]
    assert len(found.crowd.boxes) == 1  # not the table, in which MediaPipe sees a person for two frames
    assert 0.3 * 960 < height < 0.6 * 960
    nose = point(found, "nose")[found.crowd.frame]
    assert x < nose[0] < x + width
    assert y + 0.05 * height < nose[1] < y + 0.2 * height
    trunk = [NAMES.index(n) for n in ("left_shoulder", "right_shoulder", "left_hip", "right_hip")]
    assert rows.confidence[:, trunk].min() > 0.9
    assert found.world.shape == (COUNT, 33, 3)
    shoulders = found.world[:, NAMES.index("left_shoulder")] - found.world[:, NAMES.index("right_shoulder")]
    assert 0.2 < np.linalg.norm(shoulders, axis=1).mean() < 0.5
    assert np.abs(found.world[:, [23, 24]].mean(axis=1)).max() < 0.01  # about the middle of the hips


def test_the_same_again_and_nothing_is_printed(upright, capfd):
    clip, found = upright
    told: list[tuple[int, int]] = []
    again = detect(clip, crowd=found.crowd, progress=lambda done, total: told.append((done, total)))
    np.testing.assert_array_equal(again.detections.points, found.detections.points)
    np.testing.assert_array_equal(again.world, found.world)
    assert told == [(k + 1, COUNT) for k in range(COUNT)]
    assert capfd.readouterr() == ("", "")


def test_a_rotated_phone_clip(row, upright, tmp_path):
    stored = [np.rot90(picture) for picture in row]
    path = set_display_matrix(write_clip(tmp_path / "phone.mp4", stored, fps=60), TURNS[90])
    found = detect(open_clip(path), crowd=upright[1].crowd)
    assert found.detections.size == (540, 960)
    sure = upright[1].detections.confidence > 0.9
    apart = np.linalg.norm(found.detections.points - upright[1].detections.points, axis=-1)[sure]
    assert np.median(apart) < 2.0  # coded anew, so not the same bits


def test_smoothing_is_mediapipes_own(upright):
    clip, found = upright
    smooth = detect(clip, crowd=found.crowd, smooth=True)
    rough, calm = (np.abs(np.diff(d.world, n=3, axis=0)).mean() for d in (found, smooth))
    assert calm < 0.8 * rough


def test_several_people_are_seen_and_one_is_followed(upright, pair):
    clip, crowd = pair
    assert crowd.several
    assert (len(crowd.boxes), crowd.share) == (2, 1.0)
    left = detect(clip, person="left", crowd=crowd)
    right = detect(clip, person="700,480", crowd=crowd)
    assert left.detections.points[..., 0].mean() < 540 < right.detections.points[..., 0].mean()
    assert len(left.detections.frame) == len(right.detections.frame) == COUNT
    alone = upright[1].detections
    sure = alone.confidence > 0.9
    assert np.median(np.linalg.norm(left.detections.points - alone.points, axis=-1)[sure]) < 5.0


def test_a_person_who_leaves_the_picture(row, upright, tmp_path):
    count = 2 * COUNT
    clip = open_clip(walking_out(tmp_path / "out.mp4", row + row[::-1], 540 // (count - 3)))
    found = detect(clip, crowd=upright[1].crowd)
    rows = found.detections
    assert rows.frame[-1] < count - 1  # nobody is left
    assert rows.frame[0] == 0
    assert np.isnan(found.world[-1]).all()
    assert f"nobody was found in {count - len(rows.frame)} of {count} frames" in rows.assumptions[1]
    outside = (rows.points < 0).any(-1) | (rows.points > rows.size).any(-1)
    assert outside.any()
    assert rows.confidence[outside].max() <= 0.1
    assert rows.confidence[~outside].max() > 0.9


def test_nobody(tmp_path):
    need_mediapipe()
    noise = np.random.default_rng(0).integers(60, 120, (9, 8, 3), dtype=np.uint8)
    empty = np.repeat(np.repeat(noise, 40, axis=0), 40, axis=1)
    clip = open_clip(write_clip(tmp_path / "empty.mp4", [empty] * 3))
    with pytest.raises(InputError, match=r"empty\.mp4: no person is found in its 3 frames"):
        detect(clip)
    with pytest.raises(InputError, match="nobody is found"):
        detect(clip, person="left", crowd=Crowd(0, np.zeros((0, 4)), 0.0, 3))


def test_without_mediapipe_it_says_what_to_do(monkeypatch):
    monkeypatch.setattr(detector_link.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"clip\.mp4: finding people needs MediaPipe.*--key-points FILE"):
        Detector("clip.mp4").__enter__()


def test_a_detector_that_dies_or_hangs(row):
    with Detector("clip.mp4") as detector:
        detector.find(row[0])
        child = detector._process
        child.send_signal(signal.SIGSTOP)
        detector._silence = 0.3
        with pytest.raises(DetectorError, match=r"clip\.mp4: MediaPipe did not answer within 0\.3 s"):
            detector.find(row[0])
    assert child.poll() is not None


def test_a_broken_mediapipe_is_named(tmp_path, monkeypatch):
    package = tmp_path / "mediapipe" / "python" / "solutions"
    package.mkdir(parents=True)
    for folder in (package, package.parent, package.parent.parent):
        (folder / "__init__.py").write_text("", encoding="utf-8")
    (package / "pose.py").write_text("raise ImportError('libGL.so.1: no such file')", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    with Detector("clip.mp4") as detector, pytest.raises(InputError, match=r"cannot be started \(libGL\.so\.1"):
        detector.find(np.zeros((64, 64, 3), dtype=np.uint8))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends it at once")
def test_it_ends_with_its_parent(tmp_path):
    need_mediapipe()
    script = """
        import time
        from biopose_sim.video.footage.detector_link import Detector
        with Detector("clip.mp4") as detector:
            print(detector._process.pid, flush=True)
            time.sleep(60)
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, cwd=Path(tmp_path)) as parent:
        child = int(parent.stdout.readline())
        parent.kill()
    for _ in range(100):
        if not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(0.1)
    pytest.fail("the detector outlived its parent")
