"""The skeleton on the pictures of a clip, and the film and the sheet of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scenes import Scene

from biopose_sim.errors import InputError
from biopose_sim.io.camera import Camera
from biopose_sim.viz.overlay import Shown, overlay_picture, write_overlay
from biopose_sim.viz.overlay_painter import OverlayPainter, PointsSeen, project
from biopose_sim.viz.pixels import resized
from biopose_sim.viz.strokes import draw_strokes

WIDTH, HEIGHT, FRAMES = 360, 480, 12
GREY = np.full((HEIGHT, WIDTH, 3), 90, dtype=np.uint8)


@pytest.fixture(scope="module")
def shown(walk: Scene) -> Shown:
    """A person who walks past a lens that distorts, with key points that are 3 pixels off."""
    q = walk.truth[:FRAMES]
    camera = Camera.look_at([2.0, 1.1, 3.0], [0.1, 0.9, 0.0], WIDTH, HEIGHT, view_angle=45.0)
    camera = replace(camera, distortion=(-0.2, 0.05, 0.002, -0.001, 0.0))
    names = walk.model.marker_names
    matrix = np.eye(len(names))[:: len(names) // 12]
    with torch.no_grad():
        markers = walk.model(torch.from_numpy(q)).markers.numpy()
    pixels = camera.project(matrix @ markers)[..., :2] + [3.0, 0.0]
    pixels[3] = np.nan
    points = PointsSeen(pixels, np.full(pixels.shape[:2], 0.9), matrix)
    seen = np.arange(FRAMES) != 5
    return Shown(np.arange(FRAMES) / 50.0, camera, walk.model, q, seen, points)


def painter_of(shown: Shown, **changes: object) -> OverlayPainter:
    shown = replace(shown, **changes)
    size = (WIDTH, HEIGHT)
    return OverlayPainter(
        shown.model, shown.coordinates, shown.camera, size, seen=shown.seen, points=shown.points, flags=shown.flags
    )


def test_bones_lie_where_the_camera_sees_them(shown: Shown):
    painter = painter_of(shown, points=None)
    drawn = painter.drawn(0, GREY)
    bones = (drawn != drawn[0, 0]).any(axis=2)
    with torch.no_grad():
        joints = shown.model(torch.from_numpy(np.asarray(shown.coordinates)[:1])).joint_centers.numpy()[0]
    places = shown.camera.project(joints)[:, :2]
    names = [joint.child.body for joint in shown.model.model.joints]
    for body in ("tibia_r", "tibia_l", "talus_r", "talus_l", "ulna_r", "ulna_l", "humerus_r"):
        x, y = places[names.index(body)]
        assert bones[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3].any(), body
    left, top, right, bottom = painter.box(0)
    assert not bones[:top].any()
    assert not bones[bottom:].any()
    assert bones[top:bottom, left:right].mean() > 0.08
    straight = painter_of(shown, points=None, camera=shown.camera.ideal).drawn(0, GREY)
    assert (straight != drawn).any()  # the lens counts


def test_sides_have_their_colours(shown: Shown):
    drawn = painter_of(shown, points=None).drawn(0, GREY).astype(int)
    assert (drawn[..., 2] - drawn[..., 0] > 40).sum() > 300  # blue: right
    assert (drawn[..., 0] - drawn[..., 2] > 60).sum() > 300  # orange: left


def test_what_is_not_seen_is_not_drawn(shown: Shown):
    painter = painter_of(shown)
    assert np.ptp(painter.drawn(5, GREY).reshape(-1, 3), axis=0).max() == 0
    assert painter.box(5) is None
    behind = replace(shown.camera, rotation=shown.camera.rotation * [[-1.0], [1.0], [-1.0]])
    painter = painter_of(shown, camera=behind)
    assert not painter.in_view.any()
    away = painter_of(shown, points=None, camera=behind).drawn(0, GREY)
    assert np.ptp(away.reshape(-1, 3), axis=0).max() == 0


def test_the_error_is_the_distance_in_pixels_of_the_clip(shown: Shown):
    errors = painter_of(shown).errors
    assert np.isnan(errors[[3, 5]]).all()
    assert np.nanmax(np.abs(errors - 3.0)) < 1e-6


def test_a_person_partly_outside_is_cut_off(shown: Shown):
    near = replace(shown.camera, position=shown.camera.position - [0.9, 0.0, -0.4], distortion=(0.0,) * 5)
    painter = painter_of(shown, points=None, camera=near)
    left, top, right, bottom = painter.box(0)
    assert 0 <= left < right <= WIDTH
    assert 0 <= top < bottom <= HEIGHT
    assert (left, right) != (0, WIDTH)
    painter.drawn(0, GREY)


def test_a_lens_does_not_fold_back_what_is_outside():
    camera = replace(Camera.level(640, 480, 400.0), distortion=(-0.4, 0.0, 0.0, 0.0, 0.0))
    outside = np.array([3.0, 0.0, -1.0])
    assert abs(camera.project(outside)[0]) < 1e4  # the polynomial has an answer,
    assert np.isnan(project(camera, outside)).all()  # which is not believed
    np.testing.assert_allclose(project(camera, [0.1, 0.0, -1.0]), camera.project([0.1, 0.0, -1.0])[:2])


def test_a_film_keeps_the_times_of_the_clip(shown: Shown, tmp_path: Path):
    av = pytest.importorskip("av")
    time = np.cumsum([0.5, *np.tile([0.02, 0.05], 6)])[:FRAMES]
    flags = ["left and right exchanged"] + [""] * (FRAMES - 1)
    told: list[int] = []
    large = np.full((2 * HEIGHT, 2 * WIDTH + 3, 3), 90, dtype=np.uint8)
    camera = shown.camera.enlarged(2.0)
    overlay = write_overlay(
        tmp_path / "overlay.mp4",
        (large for _ in range(FRAMES)),
        replace(shown, time=time, flags=flags, camera=camera, points=None),
        sheet=tmp_path / "sheet.png",
        longest=480,
        tell=told.append,
    )
    assert told == list(range(1, FRAMES + 1))
    assert overlay.pictures == FRAMES
    assert overlay.poster.startswith(b"\xff\xd8")
    data = overlay.path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # plays before all of it is there
    with av.open(str(overlay.path)) as film:
        stream = film.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height) == (362, 480)
        frames = list(film.decode(video=0))
    np.testing.assert_allclose([frame.time for frame in frames], time - time[0], atol=1e-4)
    pictures = [frame.to_ndarray(format="rgb24").astype(int) for frame in frames]
    assert (pictures[0][3, :, 0] - pictures[0][3, :, 2]).mean() > 60  # the flag's orange
    assert (pictures[1][3, :, 0] - pictures[1][3, :, 2]).mean() < 10
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.height == 480
        assert sheet.width > 480


def test_a_shorter_clip_ends_the_film_and_an_empty_one_is_refused(shown: Shown, tmp_path: Path):
    pytest.importorskip("av")
    assert write_overlay(tmp_path / "short.mp4", [GREY] * 4, shown).pictures == 4
    with pytest.raises(InputError, match="holds no frame"):
        write_overlay(tmp_path / "none.mp4", [], shown)
    with pytest.raises(InputError, match="ends before"):
        overlay_picture(tmp_path / "none.png", [GREY] * 1, replace(shown, seen=np.arange(FRAMES) > 3))
    with pytest.raises(InputError, match=r"is of pictures of 360x480 pixels, the clip's have 480x360"):
        write_overlay(tmp_path / "turned.mp4", [GREY.swapaxes(0, 1)], shown)
    assert [path.name for path in tmp_path.iterdir()] == ["short.mp4"]


def test_the_sheet_shows_the_person_large(shown: Shown, tmp_path: Path):
    with Image.open(overlay_picture(tmp_path / "sheet.png", [GREY] * FRAMES, shown, moments=3)) as picture:
        pixels = np.asarray(picture).astype(int)
    assert pixels.shape[0] == 480
    panel = pixels[:, : (pixels.shape[1] - 8) // 3]
    bones = np.abs(panel - panel[60, 2]).max(axis=2) > 12
    rows = np.flatnonzero(bones[30:-30].any(axis=1))
    assert np.ptp(rows) > 0.6 * len(panel)


def test_smaller_pictures_are_means():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    whole = pixels.reshape(20, 2, 20, 3, 3).mean(axis=(1, 3))
    assert np.abs(resized(pixels, 20, 20) - whole).max() <= 0.51
    assert abs(resized(pixels, 17, 13).mean() - pixels.mean()) < 1.0
    assert resized(pixels, 120, 80).shape == (80, 120, 3)


def test_strokes_are_drawn_where_they_are_and_nowhere_else():
    picture = np.zeros((40, 60, 3), dtype=np.uint8)
    starts = [[10.5, 20.5], [np.nan, 5.0], [-1e9, 5.0], [50.5, 35.5]]
    ends = [[30.5, 20.5], [5.0, 5.0], [5.0, 5.0], [50.5, 90.0]]
    draw_strokes(picture, starts, ends, 1.0, [255.0, 0.0, 100.0])
    assert (picture[20, 10:31] == [255, 0, 100]).all()
    assert (picture[35:, 50] == [255, 0, 100]).all()
    assert not picture[:18].any()
    assert not picture[:, :8].any()
    assert picture[..., 1].max() == 0
