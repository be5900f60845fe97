from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clip_files import TURNS, counting, number_of, set_display_matrix, write_clip
from PIL import Image

from biopose_sim.errors import InputError
from biopose_sim.video.footage.clip import default_focal, open_clip


def test_a_real_clip(test_data):
    clip = open_clip(test_data / "video" / "cam01.mp4")
    assert (clip.name, clip.size, clip.n_frames, clip.rotation) == ("cam01", (1080, 1920), 100, 0)
    assert clip.fps == pytest.approx(60.0)
    assert clip.focal is None
    assert clip.notes == ()
    np.testing.assert_allclose(clip.time, np.arange(100) / 60.0, atol=1e-6)
    assert clip.frame(0, longest=96).shape == (96, 54, 3)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".avi", ".webm", ".h264"])
def test_every_frame_in_its_order_also_in_parts(tmp_path, suffix):
    codec = "libvpx" if suffix == ".webm" else "libx264"
    clip = open_clip(write_clip(tmp_path / f"a{suffix}", counting(50), codec=codec))
    assert [number_of(p) for p in clip.frames()] == list(range(50))
    assert [(n, number_of(p)) for n, p in clip.picked([3, 4, 47, 49])] == [(k, k) for k in (3, 4, 47, 49)]
    assert [number_of(p) for p in clip.frames(17, 21)] == [17, 18, 19, 20]
    assert number_of(clip.frame(30)) == 30
    if suffix == ".h264":
        assert "50 of 50 frames have no time stamp" in clip.notes[0]
    else:
        assert clip.fps == pytest.approx(30.0, rel=2e-3)
        assert clip.notes == ()


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_phone_clips_are_turned_upright(tmp_path, degrees):
    upright = np.zeros((96, 64, 3), dtype=np.uint8)
    upright[:48, :32] = (255, 0, 0)  # upper left
    upright[48:, 32:] = (0, 0, 255)
    stored = np.rot90(upright, degrees // 90)  # counter-clockwise, so that the turn undoes it
    path = set_display_matrix(write_clip(tmp_path / "phone.mp4", [stored] * 3), TURNS[degrees])
    clip = open_clip(path)
    picture = clip.frame(1)
    assert clip.size == (64, 96)
    assert clip.rotation == degrees
    assert np.abs(picture.astype(int) - upright).mean() < 8
    assert clip.frame(1, longest=48).shape == (48, 32, 3)


def test_mirrored_and_odd_turns_are_said(tmp_path):
    left = np.zeros((64, 96, 3), dtype=np.uint8)
    left[:, :48] = 255
    mirrored = open_clip(set_display_matrix(write_clip(tmp_path / "m.mp4", [left] * 3), (-1, 0, 0, 1)))
    assert mirrored.frame(0)[:, :40].mean() < 20
    assert "mirrored" in mirrored.notes[0]


def test_a_varying_frame_rate_keeps_its_times(tmp_path):
    times = np.cumsum([0, 100, 100, 100, 250, 100, 100, 400, 100, 100])
    clip = open_clip(write_clip(tmp_path / "vfr.mp4", counting(10), times=times.tolist()))
    np.testing.assert_allclose(clip.time, times / 3000.0, atol=1e-4)
    assert clip.fps == pytest.approx(30.0, rel=1e-3)
    assert "33.3 to 133.3 ms" in clip.notes[0]
    assert [number_of(p) for p in clip.frames()] == list(range(10))


def test_a_time_stamp_given_twice_is_one_frame(tmp_path):
    path = tmp_path / "twice.mkv"
    stamps = [0, 33, 67, 67, 133, 167]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=30)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuvj420p"
        for stamp, picture in zip(stamps, counting(6), strict=True):
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                packet.pts = packet.dts = stamp
                packet.time_base = Fraction(1, 1000)
                container.mux(packet)
    clip = open_clip(path)
    assert clip.n_frames == 5
    assert (np.diff(clip.time) > 0).all()
    assert "1 frames have the time stamp of another" in clip.notes[0]
    assert [number_of(p) for p in clip.frames()] == [0, 1, 2, 4, 5]


def test_a_part_stays_on_the_clock_of_the_file(tmp_path):
    path = write_clip(tmp_path / "a.mp4", counting(40))
    clip = open_clip(path, start=0.5, stop=1.0)
    assert clip.n_frames == 16
    np.testing.assert_allclose(clip.time, np.arange(15, 31) / 30.0, atol=1e-6)
    assert [number_of(p) for p in clip.frames()] == list(range(15, 31))
    assert [number_of(p) for _, p in clip.picked([2, 9])] == [17, 24]
    with pytest.raises(InputError, match=r"has 0 frames from 5 s to the end; the clip lasts from 0 to 1\.30 s"):
        open_clip(path, start=5.0)


def test_slow_motion_runs_at_the_rate_of_recording(tmp_path):
    clip = open_clip(write_clip(tmp_path / "slow.mp4", counting(9), metadata={"com.android.capture.fps": "240.0"}))
    assert clip.fps == pytest.approx(240.0, rel=1e-3)
    assert clip.time[-1] == pytest.approx(8 / 240.0, rel=1e-3)
    assert "recorded at 240 Hz, played at 30 Hz" in clip.notes[0]
    given = open_clip(write_clip(tmp_path / "plain.mp4", counting(9)), fps=120.0)
    np.testing.assert_allclose(given.time, np.arange(9) / 120.0)


def test_focal_length_of_an_iphone(tmp_path):
    tag = {"com.apple.quicktime.camera.focal_length.35mm_equivalent": "26"}
    clip = open_clip(write_clip(tmp_path / "iphone.mov", counting(3, 540, 960), metadata=tag))
    assert clip.focal == pytest.approx(26 / 43.2666 * np.hypot(960, 540))
    assert "26 mm" in clip.notes[0]
    assert default_focal((1920, 1080)) == pytest.approx(1426, abs=1)
    assert default_focal((1080, 1920)) == default_focal((1920, 1080))


def test_pixels_that_are_not_square(tmp_path):
    clip = open_clip(write_clip(tmp_path / "dv.mp4", counting(3), pixel_aspect=Fraction(4, 3)))
    assert clip.size == (128, 64)
    assert clip.frame(0).shape == (64, 128, 3)
    assert "not square" in clip.notes[0]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_cut_file_keeps_what_can_be_read(tmp_path, suffix):
    rng = np.random.default_rng(0)
    noisy = [np.clip(p + rng.integers(-15, 15, p.shape), 0, 255).astype(np.uint8) for p in counting(50)]
    whole = write_clip(tmp_path / f"whole{suffix}", noisy)
    cut = tmp_path / f"cut{suffix}"
    data = whole.read_bytes()
    cut.write_bytes(data[: int(0.6 * len(data))])
    clip = open_clip(cut)
    assert 15 < clip.n_frames < 45
    assert [number_of(p) for p in clip.frames()] == list(range(clip.n_frames))
    assert any("cut off" in note or "holds no frames for the last" in note for note in clip.notes)


def _text(folder: Path) -> Path:
    path = folder / "clip.mp4"
    path.write_text("no video\n" * 200, encoding="utf-8")
    return path


def _page(folder: Path) -> Path:
    path = folder / "clip.txt"  # FFmpeg would draw it as a film
    path.write_text("no video\n" * 200, encoding="utf-8")
    return path


def _playlist(folder: Path) -> Path:
    path = folder / "clip.m3u8"
    path.write_text("#EXTM3U\n#EXTINF:1,\nother.ts\n#EXT-X-ENDLIST\n", encoding="utf-8")
    return path


def _sound(folder: Path) -> Path:
    path = folder / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 44100), dtype=np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _headless(folder: Path) -> Path:
    data = write_clip(folder / "whole.mkv", counting(5)).read_bytes()
    path = folder / "cut.mkv"
    path.write_bytes(data[: data.index(b"\x1f\x43\xb6\x75")])  # up to the first cluster of frames
    return path


def _tiny(folder: Path) -> Path:
    return write_clip(folder / "tiny.mp4", counting(3, 16, 16))


def _single(folder: Path) -> Path:
    return write_clip(folder / "one.mp4", counting(1))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_text, r"clip\.mp4: is no video, or is cut off .*; give a video \(\.mp4"),
        (_page, r"clip\.txt: is no video"),
        (_playlist, r"clip\.m3u8: is no video"),
        (_sound, "holds no video stream"),
        (_headless, "holds no frames|is no video"),
        (_tiny, "has pictures of 16 x 16 pixels; give pictures of 32 to 16384"),
        (_single, "holds one frame"),
        (lambda folder: folder / "none.mp4", "no such file"),
        (lambda folder: folder, "pictures do not say their frame rate; give it: --fps 30"),
    ],
)
def test_what_is_no_clip_is_refused(tmp_path, make, message):
    with pytest.raises(InputError, match=message):
        open_clip(make(tmp_path))


def _save(folder: Path, names: list[str], **options: object) -> None:
    for name, picture in zip(names, counting(len(names)), strict=True):
        Image.fromarray(picture).save(folder / name, **options)


def test_a_folder_of_pictures(tmp_path):
    _save(tmp_path, [f"img_{k}.png" for k in range(12)])
    (tmp_path / "notes.txt").write_text("x", encoding="utf-8")
    clip = open_clip(tmp_path, fps=25.0)
    assert [number_of(p) for p in clip.frames()] == list(range(12))
    np.testing.assert_allclose(clip.time, np.arange(12) / 25.0)
    assert clip.size == (96, 64)
    assert clip.notes == ("1 files of the folder are no pictures",)


def test_pictures_of_a_camera_are_turned_and_know_their_lens(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    exif.get_ifd(0x8769)[0xA405] = 26
    _save(tmp_path, ["a.jpg", "b.jpg"], exif=exif)
    clip = open_clip(tmp_path, fps=30.0)
    assert (clip.size, clip.rotation, clip.frame(0).shape) == ((64, 96), 90, (96, 64, 3))
    assert clip.focal == pytest.approx(26 / 43.2666 * np.hypot(64, 96))


def test_folders_that_hold_no_clip(tmp_path):
    with pytest.raises(InputError, match="holds no pictures"):
        open_clip(tmp_path, fps=30.0)
    _save(tmp_path, ["a.png", "b.png"])
    Image.fromarray(np.zeros((40, 40, 3), dtype=np.uint8)).save(tmp_path / "c.png")
    with pytest.raises(InputError, match=r"c\.png: is 40 x 40 pixels, the first picture 96 x 64"):
        list(open_clip(tmp_path, fps=30.0).frames())
    (tmp_path / "c.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"c\.png: cannot be read as a picture"):
        list(open_clip(tmp_path, fps=30.0).frames())
