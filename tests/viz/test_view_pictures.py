"""Pictures, films and the browser's view of a scene."""

from __future__ import annotations

import socket
import threading
import urllib.request
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from biopose_sim.errors import InputError
from biopose_sim.io import Motion
from biopose_sim.viz.pixels import write_png
from biopose_sim.viz.viewer.film import film_moments, write_film
from biopose_sim.viz.viewer.geometry import Geometry
from biopose_sim.viz.viewer.picture import Layers, Painter
from biopose_sim.viz.viewer.scene import Forces, Skin, make_figure, make_scene
from biopose_sim.viz.viewer.shapes import sphere

WIDTH, HEIGHT = 320, 240
BARE = Layers(labels=False, model_markers=False, measured_markers=False)


@pytest.fixture(scope="module")
def figure(walk):
    result = walk.result
    motion = Motion("walk", result.time, result.coordinates, result.coordinate_names, result.motion_types)
    return make_figure("walk", walk.model, motion, Geometry(), measured=walk.trial)


@pytest.fixture(scope="module")
def scene(figure):
    return make_scene([figure])


def changed(figure, other, layers=BARE, moment=0.4) -> np.ndarray:
    """Pixels in which two figures' pictures differ."""
    pictures = [Painter(make_scene([one]), WIDTH, HEIGHT, layers=layers).image(moment) for one in (figure, other)]
    return np.abs(pictures[0].astype(int) - pictures[1]).max(axis=2) > 20


def test_bones_are_drawn_where_the_kinematics_put_them(figure, scene, walk):
    moment = float(scene.time[20])
    painter = Painter(scene, WIDTH, HEIGHT, view="side", layers=BARE)
    without = Painter(make_scene([replace(figure, solids=())]), WIDTH, HEIGHT, view="side", layers=BARE)
    bones = np.abs(painter.image(moment).astype(int) - without.image(moment)).max(axis=2) > 12
    camera = painter.framing.camera(moment)
    transforms = figure.transforms[20]
    for body in ("femur_r", "tibia_r", "tibia_l", "humerus_r", "head"):
        x, y, _ = camera.project(transforms[walk.model.body_names.index(body), :3, 3])
        assert bones[round(y) - 3 : round(y) + 4, round(x) - 3 : round(x) + 4].any(), body
    # Nothing of the skeleton is drawn above its head, and little elsewhere.
    top = camera.project(transforms[walk.model.body_names.index("head"), :3, 3])[1]
    assert 10 < top - np.argwhere(bones)[:, 0].min() < 45
    assert bones.mean() < 0.25


def test_markers_arrows_and_skin_change_the_picture(figure):
    seen = Layers(labels=False)
    assert changed(figure, replace(figure, measured=None), seen).sum() > 20
    count = len(figure.time)
    pelvis = figure.transforms[:, :1, :3, 3]
    up = np.tile([0.0, 900.0, 0.0], (count, 1, 1))
    arrow = Forces("ground reaction", "measured", ("calcn_r",), pelvis * [1.0, 0.0, 1.0], up, 1e-3)
    green = Painter(make_scene([replace(figure, forces=(arrow,))]), WIDTH, HEIGHT, layers=BARE).image(0.4).astype(int)
    assert ((green[..., 1] > green[..., 0] + 60) & (green[..., 1] > green[..., 2] + 20)).sum() > 50
    ball = sphere([0.0, 0.0, 0.0], 0.2, 3)
    skin = Skin(ball.faces, lambda frame: ball.vertices + pelvis[frame, 0])
    assert changed(figure, replace(figure, skin=skin)).sum() > 100


def test_labels_say_when_and_what(scene, figure):
    bare = Painter(scene, WIDTH, HEIGHT, layers=replace(Layers(), labels=False)).image(0.4)
    labelled = Painter(scene, WIDTH, HEIGHT).image(0.4)
    ink = np.abs(bare.astype(int) - labelled).max(axis=2) > 60
    assert ink[:40, : WIDTH // 2].any()  # legend
    assert ink[:40, -80:].any()  # time
    assert ink[-30:].any()  # name


def test_the_camera_keeps_all_figures_in_view(figure):
    scene = make_scene([figure, figure, figure])
    for view in ("oblique", "side", "front", "top"):
        painter = Painter(scene, 400, 200, view=view)
        for moment in scene.time[:: len(scene.time) // 4]:
            camera = painter.framing.camera(float(moment))
            frames = scene.frames(float(moment))
            points = [one.transforms[frame, :, :3, 3] + one.offset for one, frame in zip(scene.figures, frames)]
            seen = camera.project(np.concatenate(points))
            assert (seen[:, :2] > 0.0).all()
            assert (seen[:, :2] < [400.0, 200.0]).all()
    with pytest.raises(InputError, match=r"unknown view 'sid'.*did you mean 'side'"):
        Painter(scene, view="sid")


def test_a_film_has_its_pictures_in_their_order(scene, tmp_path: Path):
    av = pytest.importorskip("av")
    painter = Painter(scene, 160, 120)
    moments = film_moments(painter, rate=10.0, speed=0.5, span=(0.2, 0.8))
    assert len(moments) == 13
    path = write_film(tmp_path / "walk.mp4", painter, moments, rate=10.0, threads=2)
    with av.open(str(path)) as film:
        assert film.streams.video[0].codec_context.name == "h264"
        pictures = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert len(pictures) == 13
    for moment, picture in list(zip(moments, pictures))[::6]:
        assert np.abs(picture.astype(int) - painter.image(moment)).mean() < 4.0
    assert not list(tmp_path.glob(".*"))
    with pytest.raises(InputError, match="both must be even"):
        write_film(tmp_path / "odd.mp4", Painter(scene, 161, 120), moments)
    with pytest.raises(InputError, match="does not exist"):
        write_film(tmp_path / "nowhere" / "walk.mp4", painter, moments)
    with pytest.raises(InputError, match="holds no moment"):
        film_moments(painter, rate=10.0, speed=1.0, span=(50.0, 60.0))


def test_a_picture_is_written_as_png(scene, tmp_path: Path):
    from PIL import Image

    pixels = Painter(scene, 64, 64).image(0.0)
    with Image.open(write_png(tmp_path / "walk.png", pixels)) as picture:
        np.testing.assert_array_equal(np.asarray(picture), pixels)


def test_the_browser_is_served_and_moves(figure):
    pytest.importorskip("viser")
    from biopose_sim.viz.viewer.live import LiveView, free_port

    up = np.tile([0.0, 700.0, 0.0], (len(figure.time), 1, 1))
    arrow = Forces("ground reaction", "measured", ("calcn_r",), 0.0 * up, up, 1e-3)
    view = LiveView(make_scene([replace(figure, forces=(arrow,)), figure]))
    try:
        playing = threading.Thread(target=view.play, daemon=True)
        playing.start()
        with urllib.request.urlopen(view.address, timeout=20) as page:
            assert page.status == 200
            assert b"<html" in page.read(2000).lower()
        femur = next(node for node, body, _ in view._figures[0]._bones if body == 1)
        heights = figure.transforms[:, 1, 1, 3]  # figures are shown about their middle: moved along the floor only
        assert np.abs(heights - femur.position[1]).min() < 1e-6
        port = view.server.get_port()
        with pytest.raises(InputError, match=f"port {port} is in use; choose another"):
            free_port(port)
    finally:
        view.stop()
        playing.join(timeout=10)
    assert not playing.is_alive()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
