"""Weak and real cameras of crops: HMR2.0's formulae, true intrinsics, turns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from biopose_sim.io.camera import Camera
from biopose_sim.video.mqhmr.weak_camera import CropCamera

WEAK = torch.tensor([[0.9, 0.1, -0.2], [1.3, -0.05, 0.02]])
BOXES = torch.tensor([[300.0, 420.0, 350.0], [1500.0, 200.0, 128.0]])


def test_nothing_known_is_hmr2():
    crop = CropCamera.unknown(WEAK)
    expected = torch.stack([WEAK[:, 1], WEAK[:, 2], 2 * 5000 / (256 * WEAK[:, 0])], dim=1)
    torch.testing.assert_close(crop.translation(WEAK), expected)
    torch.testing.assert_close(crop.turns(), torch.eye(3).expand(2, 3, 3))


def test_the_whole_picture_is_hmr2s_too():
    """Its ``cam_crop_to_full`` for any focal length of the picture."""
    width, height, focal = 1920, 1080, 1500.0
    found = CropCamera.of(Camera.level(width, height, focal), BOXES).translation(WEAK)
    size = BOXES[:, 2] * WEAK[:, 0]
    expected = torch.stack(
        [
            2 * (BOXES[:, 0] - width / 2) / size + WEAK[:, 1],
            2 * (BOXES[:, 1] - height / 2) / size + WEAK[:, 2],
            2 * focal / size,
        ],
        dim=1,
    )
    torch.testing.assert_close(found, expected)


def test_crops_see_what_the_camera_sees():
    camera = replace(Camera.level(1920, 1080, 1100.0), centre=(930.0, 560.0))
    crop = CropCamera.of(camera, BOXES.double())
    points = np.random.default_rng(0).normal([0.3, 0.2, 5.0], 0.5, (2, 7, 3))
    pixels = camera.project(camera.to_world(points))[..., :2]
    expected = (pixels - BOXES[:, None, :2].numpy()) * 256 / BOXES[:, None, 2:].numpy() + 128
    np.testing.assert_allclose(crop.project(torch.from_numpy(points)).numpy(), expected, rtol=1e-6)
    pelvis = torch.from_numpy(points[:, 0])
    torch.testing.assert_close(crop.translation(crop.weak(pelvis)), pelvis)


def test_turns_go_to_the_rays():
    crop = CropCamera.of(Camera.level(1920, 1080, 1000.0), BOXES)
    turns = crop.turns()
    torch.testing.assert_close(turns @ turns.mT, torch.eye(3).expand(2, 3, 3), atol=1e-6, rtol=0)
    assert torch.linalg.det(turns).min() > 0.999
    seen = crop.project(turns[:, None, :, 2])[:, 0]
    torch.testing.assert_close(seen, torch.full((2, 2), 128.0), atol=1e-3, rtol=0)
    rotations = torch.eye(3).expand(2, 24, 3, 3)
    turned = crop.turned(rotations)
    torch.testing.assert_close(turned[:, 0], turns)
    torch.testing.assert_close(turned[:, 1:], rotations[:, 1:])


def test_turned_bodies_stay_rigid_in_half_precision():
    """Networks compute in bfloat16 on a GPU: a rotation does not survive that."""
    crop = CropCamera(torch.tensor([400.0]), torch.tensor([[300.0, 100.0]]))
    turn = torch.linalg.qr(torch.randn(1, 24, 3, 3, generator=torch.Generator().manual_seed(0)))[0]
    with torch.autocast("cpu", torch.bfloat16):
        found = crop.turned(turn)[0, 0]
    torch.testing.assert_close(found @ found.T, torch.eye(3), atol=1e-5, rtol=0)


@pytest.mark.parametrize("scale", [-1.0, 0.0])
def test_a_scale_that_makes_no_sense_stays_finite(scale):
    assert CropCamera.unknown(WEAK).translation(torch.tensor([[scale, 0.0, 0.0]] * 2)).isfinite().all()
