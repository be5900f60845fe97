"""``biopose video`` with key points, cameras and options that do not fit: one line each, or a notice; what it tells."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("av", reason="PyAV is not installed (extra [video])")
from filmed_walk import RATE, SIZE, filmed, write_filmed

from biopose_sim.io.calibration import write_cameras
from biopose_sim.video.points.keypoints import LAYOUTS

QUICK = ("--no-overlay", "--no-report", "--refine", "none", "--threads", "1")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two clips with their key points, and the cameras."""
    folder = tmp_path_factory.mktemp("filmed")
    cameras = write_filmed(folder)
    write_cameras(folder / "others.json", [replace(c, name=f"x{k}") for k, c in enumerate(cameras)])
    write_cameras(folder / "one.json", cameras[:1])
    write_cameras(folder / "unnamed.json", [replace(c, name="") for c in cameras[::-1]])
    return folder


def coco(files):
    return np.load(files / "cam0.npz")["keypoints"][:, :17]


def alphapose(path, points, frames):
    rows = [{"image_id": f"{n}.jpg", "category_id": 1, "keypoints": points[n].ravel().tolist()} for n in frames]
    path.write_text(json.dumps(rows))
    return path


def three(files, calibration):
    points = [word for k in range(3) for word in ("--key-points", files / f"cam{k}.npz")]
    return [*(files / f"cam{k}.mp4" for k in range(3)), *points, "--calibration", files / calibration]


def refusals(files):
    clip, points = files / "cam0.mp4", files / "cam0.npz"
    found = coco(files)
    np.savez(files / "long.npz", keypoints=np.concatenate([found] * 3), fps=RATE)
    np.savez(files / "once.npz", keypoints=np.where(np.arange(len(found))[:, None, None] < 1, found, np.nan), fps=RATE)
    given = [clip, "--key-points", points]
    two = three(files, "others.json")
    return [
        ([clip, "--key-points", files / "long.npz"], "has key points of 93 frames, and cam0.mp4 has 31"),
        ([clip, "--key-points", files / "once.npz"], "key points of the person in 1 frames"),
        ([clip, "--key-points", alphapose(files / "few.json", found, range(6))], "has key points of 6 frames"),
        ([*given, "--focal", "1"], "no lens has that; give 55 to 18490 px for pictures of 320 x 240"),
        ([*given, "--focal", "5000mm"], "no lens has that"),
        ([*given, "--to", "nan"], "a part from None to nan s"),
        ([*given, "--size", "100", "100"], "--size is of key points without a clip"),
        (["--key-points", points, "--size", "100", "100"], "the clip's have 100 x 100"),
        ([clip, "--layout", "coco17"], "--layout is of key points from a file"),
        ([*given, "--up", "1000,0"], "give auto, level, PITCH,ROLL"),
        ([*given, "--up", "nan,0"], "give auto, level, PITCH,ROLL"),
        ([*given, "--up", "z"], "names an axis of a calibration"),
        ([files], "pictures do not say their frame rate"),
        (["/dev/null"], "is no file"),
        (three(files, "one.json"), "are both taken for its camera 'cam0'"),
        ([*two[1:3], *two[5:9], *two[9:]], "is no camera of the calibration, which has 'x0', 'x1', 'x2'"),
        (three(files, "unnamed.json"), "are no person's: the model misses them by"),
        ([*three(files, "cameras.json"), "--up", "10,0"], "name the axis of its world that points up"),
        ([*three(files, "cameras.json"), "--sync", "nan,0,0"], "seconds for each of 3 clips"),
    ]


def test_what_does_not_fit_gets_one_line(files, tmp_path, biopose):
    for words, said in refusals(files):
        answer = biopose("video", *words, *QUICK, "-o", tmp_path / "out")
        assert answer.code == 2, (words, answer.err)
        assert len(answer.error_lines) == 1, (words, answer.err)
        assert said in answer.error_lines[0], (words, answer.err)
        assert not (tmp_path / "out").exists()


def test_frames_without_anybody_may_be_missing_in_numbered_files(files, tmp_path, biopose):
    """Somebody who comes late is not taken for somebody who is there from the beginning."""
    found = coco(files)
    late = alphapose(tmp_path / "late.json", found, range(6, len(found)))
    answer = biopose("video", files / "cam0.mp4", "--key-points", late, *QUICK, "-o", tmp_path / "out")
    assert answer.code == 0, answer.err
    assert "Key points are of frames 6 to 30 of 31: nobody is seen in the others." in answer.out
    assert "The person is not seen in 6 frames between 0 and 5 of 31" in answer.out
    kept = np.load(tmp_path / "out" / "cam0_keypoints.npz")["keypoints"]
    assert np.isnan(kept[:6, :, 0]).all()
    np.testing.assert_allclose(kept[6:, :, :2], found[6:, :, :2], atol=1e-9)


def test_several_people_of_a_file_are_drawn_and_chosen_by_place(files, tmp_path, biopose):
    found = coco(files)
    pair = np.stack([found, found + np.array([70.0, 0.0, 0.0])], axis=1)
    np.savez(tmp_path / "pair.npz", keypoints=pair, fps=RATE)
    words = ("video", files / "cam0.mp4", "--key-points", tmp_path / "pair.npz", *QUICK, "-o", tmp_path / "out")
    answer = biopose(*words)
    assert answer.code == 2
    assert f"as in {tmp_path / 'out_people.png'}" in answer.error_lines[0]
    assert (tmp_path / "out_people.png").is_file()
    answer = biopose(*words, "--person", "right")
    assert answer.code == 0, answer.err
    kept = np.load(tmp_path / "out" / "cam0_keypoints.npz")["keypoints"]
    np.testing.assert_allclose(kept[..., :2], pair[:, 1, :, :2], atol=1e-9)


def test_here_is_a_folder_too(files, tmp_path, biopose, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = biopose("video", files / "cam0.mp4", "--key-points", files / "cam0.npz", *QUICK, "-o", ".")
    assert answer.code == 0, answer.err
    assert (tmp_path / "cam0.mot").is_file()


def test_sides_exchanged_in_the_whole_clip_are_changed_back(files, tmp_path, biopose):
    found = np.load(files / "cam0.npz")["keypoints"]
    np.savez(tmp_path / "wrong.npz", keypoints=found[:, LAYOUTS["anny23"].mirror], fps=RATE, size=SIZE, layout="anny23")
    focal = f"{filmed().cameras[0].focal[0]:.2f}"
    for file, repairs in ((files / "cam0.npz", 0), (tmp_path / "wrong.npz", 1)):
        answer = biopose("video", "--key-points", file, "--focal", focal, *QUICK, "-o", tmp_path / "out")
        assert answer.code == 0, answer.err
        assert ("had exchanged left and right in the whole clip" in answer.out) == bool(repairs)
        manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
        assert manifest["views"][0]["repairs"] == repairs
        kept = np.load(tmp_path / "out" / f"{file.stem}_keypoints.npz")["keypoints"]
        np.testing.assert_allclose(kept, found, atol=1e-9)


def test_the_error_that_is_told_is_what_refinement_makes_less(files, tmp_path):
    from biopose_sim.cli.videoing import Wishes, errors_px, video_person

    wishes = Wishes(
        clips=[], key_points=[files / "cam0.npz"], output=tmp_path / "out", overlay=False, report=False, threads=1
    )
    video = video_person(wishes)
    assert video.refined is not None
    assert np.abs(video.refined.offsets).max() > 1e-3
    told = errors_px(video.estimate.views[0], video)
    np.testing.assert_allclose(told, video.refined.after[0], rtol=1e-3)
    np.testing.assert_allclose(errors_px(video.start.views[0], video, start=True), video.refined.before[0], rtol=1e-3)


def test_the_film_of_a_clip_that_started_later_shows_its_own_pictures(monkeypatch, tmp_path):
    """0.2 s on the motion's clock is the first picture of a clip that starts at 0.2 s."""
    from biopose_sim.cli import video_writing
    from biopose_sim.viz import overlay

    shown = []

    def write_overlay(path, frames, *_rest, sheet, **_more):
        shown.extend(int(frame[0, 0, 0]) for frame in frames)
        sheet.write_bytes(b"")
        return SimpleNamespace(poster=b"")

    class Pictures:
        time = np.arange(20) / 10.0
        n_frames = 20

        @staticmethod
        def frames(start, stop):
            return (np.full((1, 1, 3), number) for number in range(start, stop))

    monkeypatch.setattr(overlay, "write_overlay", write_overlay)
    points = SimpleNamespace(points=np.zeros((5, 23, 2)), confidence=np.zeros((5, 23)))
    view = SimpleNamespace(key_points=points, camera=None)
    from ik_pipeline.virtual_fit import virtual_model

    estimate = SimpleNamespace(
        time=0.3 + np.arange(5) / 10.0, views=[view], model=virtual_model(), coordinates=None, seen=None
    )
    sight = SimpleNamespace(clip=Pictures, name="late")
    video = SimpleNamespace(
        sights=[sight], estimate=estimate, refined=None, moved_points=lambda: None, start_of=lambda _number: 0.2
    )
    folder = SimpleNamespace(file=lambda name: tmp_path / name)
    video_writing._film(folder, video, 0, lambda _text: None)
    assert shown == [1, 2, 3, 4, 5]
