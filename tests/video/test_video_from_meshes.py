"""Meshes of a video tool, their places wrong, put where the camera sees the key points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from biopose_sim.bodies.markers import read_body_markers, virtual_markers
from biopose_sim.bodies.types import ANNY_AXES, LEVEL_CAMERA, BodySequence
from biopose_sim.errors import InputError
from biopose_sim.io.camera import Camera
from biopose_sim.video.points.body_points import body_points
from biopose_sim.video.points.keypoints import KeyPoints
from biopose_sim.video.refine.body import PointBody
from biopose_sim.video.refine.from_meshes import hmr_estimate
from biopose_sim.video.types import View

FRAMES, RATE = 12, 30.0


@pytest.fixture(scope="module")
def filmed() -> tuple[BodySequence, View]:
    """An Anny mesh that sways 4 m in front of a camera, given by a tool that puts it 20 m away."""
    time = np.arange(FRAMES) / RATE
    still = BodySequence(
        "clip",
        "anny",
        time,
        np.broadcast_to(np.eye(3), (FRAMES, 104, 3, 3)),
        np.stack([0.2 * np.sin(4.0 * time), np.zeros(FRAMES), np.ones(FRAMES)], axis=1),
        np.array([0.0, 0.75, 0.5, 0.5, 0.4, 0.5]),
        to_ground=ANNY_AXES,
    )
    camera = Camera.level(1280, 720, 900.0)
    ground = virtual_markers(still).markers
    ground = ground - ground[0].mean(0) + camera.to_world([0.3, 0.1, 4.0])
    flat = camera.project(body_points().matrix(read_body_markers("anny").names) @ ground)[..., :2]
    found = KeyPoints("clip", time, flat, np.ones(flat.shape[:2]), "anny23", (1280, 720), RATE)
    in_camera = LEVEL_CAMERA.T @ ANNY_AXES
    sequence = replace(
        still,
        rotations=in_camera @ still.rotations,
        translation=still.translation @ in_camera.T + [0.0, 0.0, 20.0],
        to_ground=LEVEL_CAMERA,
    )
    return sequence, View(camera, found)


def test_placed_where_the_camera_sees_it(filmed):
    sequence, view = filmed
    estimate = hmr_estimate(sequence, view)
    body = PointBody(estimate.model)
    points = body.place(estimate.coordinates, np.zeros(body.n_size), np.zeros(body.n_offsets)).points[:, :23]
    seen = estimate.views[0].camera.project(points)
    assert np.linalg.norm(seen[..., :2] - view.key_points.points, axis=-1).mean() < 15.0
    assert abs(seen[..., 2].mean() - 4.0) < 0.4
    assert points[..., 1].min() > -0.05
    assert not estimate.size_known


def test_stature_sets_the_scale_and_other_clips_are_refused(filmed):
    sequence, view = filmed
    small, tall = (hmr_estimate(sequence, view, stature=s) for s in (1.5, 1.8))
    assert np.median(tall.coordinates[:, 5] / small.coordinates[:, 5]) == pytest.approx(1.2, abs=0.02)
    assert tall.size_known
    later = replace(view.key_points, time=view.key_points.time + 100.0)
    with pytest.raises(InputError, match="same clip"):
        hmr_estimate(sequence, View(view.camera, later))
    half = replace(view.key_points, time=view.key_points.time * 2, fps=RATE / 2)
    said = hmr_estimate(sequence, View(view.camera, half)).notes
    assert "The meshes go from 0.00 to 0.37 s, the key points from 0.00 to 0.73 s" in " ".join(said)
    assert "The meshes go" not in " ".join(tall.notes)
    with pytest.raises(InputError, match="stature"):
        hmr_estimate(sequence, view, stature=175.0)
