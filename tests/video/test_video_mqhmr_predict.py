"""Clips through a network: what the camera sees, gaps, refinement, real frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from biopose_sim.bodies.markers import virtual_markers
from biopose_sim.errors import InputError
from biopose_sim.io.camera import Camera
from biopose_sim.video.mqhmr.anny import AnnyHeadBody
from biopose_sim.video.mqhmr.crops import to_frame
from biopose_sim.video.mqhmr.network import MqHmr, MqHmrConfig, build
from biopose_sim.video.mqhmr.predict import PredictConfig, predict_clip
from biopose_sim.video.points.body_points import body_points
from biopose_sim.video.points.keypoints import KeyPoints
from biopose_sim.video.refine.paper import PaperConfig
from biopose_sim.video.types import View

FRAMES = 7


@pytest.fixture(scope="module")
def network() -> MqHmr:
    torch.manual_seed(0)
    made = build(MqHmrConfig.preset("CI", tokens=8), body=AnnyHeadBody())
    with torch.no_grad():
        made.head.pose.weight.normal_(std=0.05)
        made.head.camera.weight.normal_(std=0.01)
    return made.eval()


@pytest.fixture(scope="module")
def frames() -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (FRAMES, 240, 320, 3), dtype=np.uint8))


def view_of(camera: Camera) -> View:
    random = np.random.default_rng(2)
    points = random.uniform([60, 40], [160, 220], (FRAMES, 23, 2)) + np.arange(FRAMES)[:, None, None] * [10.0, 0.0]
    points[2] = np.nan
    confidence = np.where(np.isnan(points[..., 0]), 0.0, 0.9)
    return View(camera, KeyPoints("clip", np.arange(FRAMES) / 30, points, confidence, "anny23", (320, 240)))


def pixels_of(prediction, camera: Camera) -> np.ndarray:
    markers = virtual_markers(prediction.sequence)
    return camera.project(body_points().matrix(markers.marker_names) @ markers.markers)[..., :2]


@pytest.mark.parametrize("placed", [False, True])
def test_the_camera_sees_what_the_network_says(network, frames, placed):
    camera = Camera.level(320, 240, 300.0)
    if placed:
        camera = replace(Camera.look_at([1.0, 2.0, 3.0], [4.0, 1.0, 0.0], 320, 240), centre=(150.0, 130.0))
    view = view_of(camera)
    done: list[tuple[int, int]] = []
    found = predict_clip(network, frames, view, PredictConfig(batch=3), progress=lambda *n: done.append(n))
    assert done[-1] == (FRAMES, FRAMES)
    assert len(done) == 2
    assert found.flags == ("unrefined", "unrefined", "unseen", *["unrefined"] * 4)
    assert found.sequence.seen.tolist() == [flag != "unseen" for flag in found.flags]
    assert np.isfinite(found.sequence.rotations).all()
    pixels = pixels_of(found, camera)
    assert np.isnan(pixels[2]).all()
    # The pelvis lies where s, tx, ty say in the crop, whatever the camera.
    root = (found.sequence.translation - camera.rotation @ camera.position) @ camera.rotation
    pelvis = camera.project(root + camera.position)[:, None, :2]
    expected = to_frame(128 + 128 * found.weak[:, None, :1] * found.weak[:, None, 1:], found.boxes)
    np.testing.assert_allclose(pelvis[found.sequence.seen], expected[found.sequence.seen], atol=0.05)
    size = np.ptp(pixels[..., 1], axis=1) / found.boxes[:, 2]
    assert (size[found.sequence.seen] > 0.3).all()
    assert (size[found.sequence.seen] < 1.3).all()


def test_batches_make_no_difference(network, frames):
    view = view_of(Camera.level(320, 240, 400.0))
    one, all_at_once = (predict_clip(network, frames, view, PredictConfig(batch=size)) for size in (1, 16))
    np.testing.assert_allclose(one.sequence.rotations, all_at_once.sequence.rotations, atol=1e-4)
    np.testing.assert_allclose(one.sequence.translation, all_at_once.sequence.translation, rtol=1e-3, atol=1e-3)


def test_a_lens_that_distorts(network, frames):
    """What is said is where an ideal lens would show it; the boxes are those of the picture."""
    bent = replace(Camera.level(320, 240, 300.0), distortion=(-0.2, 0.05, 0.0, 0.0, 0.0))
    boxes = np.tile([45.0, 50.0, 90.0], (FRAMES, 1))
    plain, said = (predict_clip(network, frames, view_of(camera), boxes=boxes) for camera in (bent.ideal, bent))
    pelvis = [p.sequence.translation[0] for p in (plain, said)]
    middles = [camera.project(place * [1, -1, -1])[:2] for camera, place in zip((bent.ideal, bent), pelvis)]
    np.testing.assert_allclose(middles[1], middles[0], atol=2.5)
    assert abs(pelvis[1] - pelvis[0]).max() > 0.03


def test_refined_as_in_the_paper(network, frames):
    camera = Camera.level(320, 240, 300.0)
    view = view_of(camera)
    plain = predict_clip(network, frames, view)
    truth = pixels_of(plain, camera) + np.random.default_rng(1).normal(0, 5, (FRAMES, 23, 2))
    seen = replace(view.key_points, points=truth)
    boxes = plain.boxes
    start = np.linalg.norm(pixels_of(plain, camera) - truth, axis=-1)[plain.sequence.seen].mean()
    for queries in (False, True):
        config = PredictConfig(refine=PaperConfig(iterations=10), queries=queries)
        refined = predict_clip(network, frames, View(camera, seen), config, boxes)
        off = np.linalg.norm(pixels_of(refined, camera) - truth, axis=-1)[plain.sequence.seen].mean()
        assert refined.flags.count("ok") >= FRAMES - 2
        assert off < 0.95 * start


def test_input_that_makes_no_sense(network, frames):
    view = view_of(Camera.level(320, 240, 300.0))
    with pytest.raises(InputError, match="has key points of 7 frames, and 5 pictures"):
        predict_clip(network, frames[:5], view)
    with pytest.raises(InputError, match="more than 7 pictures"):
        predict_clip(network, [*frames, frames[0]], view)
    with pytest.raises(InputError, match="boxes of shape"):
        predict_clip(network, frames, view, boxes=np.zeros((7, 4)))
    nobody = replace(view.key_points, points=np.full((FRAMES, 23, 2), np.nan), confidence=np.zeros((FRAMES, 23)))
    with pytest.raises(InputError, match="shows the person in no frame"):
        predict_clip(network, frames, View(view.camera, nobody))
