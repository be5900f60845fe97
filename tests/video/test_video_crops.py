"""Boxes and crops: places, means, borders, nothing left of fine stripes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from biopose_sim.video.mqhmr.crops import boxes_of, boxes_of_corners, cut_out, normalised, to_crop, to_frame
from biopose_sim.video.mqhmr.encoder import IMAGE_MEAN, IMAGE_STD
from biopose_sim.video.points.keypoints import KeyPoints


def spot(across: float, down: float, size: float, shape=(480, 640)) -> np.ndarray:
    rows, columns = np.indices(shape) + 0.5
    bright = np.exp(-((rows - down) ** 2 + (columns - across) ** 2) / (2 * size**2))
    return np.repeat((255 * bright[..., None]).round().astype(np.uint8), 3, axis=2)


@pytest.mark.parametrize("side", [90.0, 256.0, 471.3])
def test_a_spot_comes_to_its_place(side):
    box = np.array([[300.5, 250.2, side]])
    crop = cut_out(spot(310.0, 231.0, side / 25), box)[0, 1].double().numpy()
    rows, columns = np.indices(crop.shape) + 0.5
    middle = np.array([(crop * columns).sum(), (crop * rows).sum()]) / crop.sum()
    expected = to_crop(np.array([[[310.0, 231.0]]]), box)[0, 0]
    np.testing.assert_allclose(middle, expected, atol=0.3)
    np.testing.assert_allclose(to_frame(expected[None, None], box)[0, 0], [310.0, 231.0])


def test_the_whole_frame_as_it_is():
    frame = np.random.default_rng(1).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    crop = cut_out(frame, np.array([[128.0, 128.0, 256.0]]))
    np.testing.assert_array_equal(crop[0].permute(1, 2, 0).numpy(), frame)


def test_fine_stripes_become_grey():
    frame = np.zeros((1024, 1024, 3), dtype=np.uint8)
    frame[:, ::2] = 200
    crop = cut_out(frame, np.array([[512.0, 512.0, 1000.0]]))[0].float()
    assert crop.std() < 6
    assert crop.mean() == pytest.approx(100, abs=1)


def test_outside_of_the_frame_is_black():
    frame = np.full((200, 300, 3), 255, dtype=np.uint8)
    crops = cut_out(frame, np.array([[0.0, 100.0, 128.0], [900.0, 900.0, 100.0], [150.0, 100.0, 60.0]]))
    assert crops.shape == (3, 3, 256, 256)
    assert crops[0, :, :, :124].max() == 0
    assert crops[0, :, :, 132:].min() == 255
    assert crops[1].max() == 0
    assert crops[2].min() == 255


def test_boxes_hold_the_key_points():
    points, confidence = np.full((3, 23, 2), np.nan), np.zeros((3, 23))
    points[0], confidence[0] = np.random.default_rng(0).uniform([100, 50], [160, 250], (23, 2)), 0.9
    points[1, :6], confidence[1, :6] = np.array([[0.0, 0], [300, 0], [300, 60], [0, 60], [9, 9], [5000, 0]]), 0.9
    confidence[1, 5] = 0.01
    points[2, :2], confidence[2, :2] = 10.0, 1.0
    boxes = boxes_of(KeyPoints("clip", np.arange(3.0), points, confidence, "anny23"))
    inside = to_crop(points[:1], boxes[:1])
    assert 0 < inside[..., 1].min() < inside[..., 1].max() < 256
    assert boxes[0, 2] == pytest.approx(1.2 * np.ptp(points[0, :, 1]))
    np.testing.assert_allclose(boxes[1], [150, 30, 1.2 * 300 * 4 / 3])
    assert np.isnan(boxes[2]).all()
    np.testing.assert_allclose(boxes_of_corners(np.array([[0.0, 0, 300, 60]]), 1.2)[0], boxes[1])


def test_normalised_as_imagenet():
    images = torch.full((1, 3, 2, 2), 255, dtype=torch.uint8)
    found = normalised(images)[0, :, 0, 0]
    torch.testing.assert_close(found, torch.tensor([(1 - m) / s for m, s in zip(IMAGE_MEAN, IMAGE_STD)]))
