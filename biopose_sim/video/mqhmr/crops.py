"""People cut out of frames: boxes, square crops of 256 pixels, and pixels of the one in the other.

A box is the middle (across, down) and the side of a square of the frame [pixel]; frames count pixels from their upper
left corner, the middle of the first at (0.5, 0.5). What lies outside of a frame is black.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..points.keypoints import Array, KeyPoints
from .encoder import IMAGE_MEAN, IMAGE_STD
from .weak_camera import SIDE

PADDING = 1.2
"""A box is so many times the larger side of what was seen of the person, as HMR2.0's."""
# The encoder sees only the middle 192 of 256 columns, so that a box is not made for the width alone.
_ASPECT = 192 / 256
# Key points below this confidence do not make a box, nor do fewer than these.
_CONFIDENCE, _FEWEST = 0.2, 4


def boxes_of(key_points: KeyPoints, padding: float = PADDING) -> Array:
    """Return the box of the person in each frame, (T, 3): middle across and down, side [pixel]; NaN where not seen.

    The box of the points, brought to the shape 3:4 that the encoder sees, times ``padding``.
    """
    points = np.where(key_points.confidence[..., None] >= _CONFIDENCE, key_points.points, np.nan)
    known = np.isfinite(points).all(-1).sum(axis=1) >= _FEWEST
    boxes = np.full((len(points), 3), np.nan)
    low, high = np.nanmin(points[known], axis=1), np.nanmax(points[known], axis=1)
    boxes[known, :2] = 0.5 * (low + high)
    boxes[known, 2] = padding * np.maximum(high[:, 1] - low[:, 1], (high[:, 0] - low[:, 0]) / _ASPECT)
    return boxes


def boxes_of_corners(corners: Array, padding: float = 1.0) -> Array:
    """Return boxes (T, 3) of a detector's (T, 4): left, top, right, bottom [pixel]."""
    size = corners[:, 2:] - corners[:, :2]
    side = padding * np.maximum(size[:, 1], size[:, 0] / _ASPECT)
    return np.column_stack([0.5 * (corners[:, :2] + corners[:, 2:]), side])


def cut_out(frame: NDArray[np.uint8], boxes: Array) -> Tensor:
    """Cut people out of a frame.

    Each pixel of a crop is a mean (triangle filter) of the part of the frame that it covers, so that nothing flickers
    where the person is larger than the crop; where the person is smaller, pixels are interpolated.

    Args:
        frame: (H, W, 3), red, green, blue.
        boxes: (B, 3).

    Returns:
        (B, 3, 256, 256) uint8.
    """
    crops = np.stack([_one(frame, *map(float, box)) for box in boxes])
    return torch.from_numpy(crops).permute(0, 3, 1, 2)


def _one(frame: NDArray[np.uint8], across: float, down: float, side: float) -> NDArray[np.uint8]:
    """(256, 256, 3) of a frame."""
    from PIL import Image

    height, width = frame.shape[:2]
    margin = 2 + int(side / SIDE)
    corner = np.array([down - side / 2, across - side / 2])
    low, high = np.floor(corner).astype(int) - margin, np.ceil(corner + side).astype(int) + margin
    first, last = np.clip(low, 0, (height, width)), np.clip(high, 0, (height, width))
    part = frame[first[0] : last[0], first[1] : last[1]]
    if part.size == 0:
        return np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
    (above, left), (below, right) = first - low, high - last
    if max(above, left, below, right):
        part = np.pad(part, ((above, below), (left, right), (0, 0)))
    top, start = corner - low
    return np.asarray(
        Image.fromarray(np.ascontiguousarray(part)).resize(
            (SIDE, SIDE), Image.Resampling.BILINEAR, box=(start, top, start + side, top + side)
        )
    )


def to_crop(pixels: Array, boxes: Array) -> Array:
    """Return pixels of frames (B, K, 2) as pixels of the crops of boxes (B, 3)."""
    found: Array = (pixels - boxes[:, None, :2]) * (SIDE / boxes[:, None, 2:]) + 0.5 * SIDE
    return found


def to_frame(pixels: Array, boxes: Array) -> Array:
    """Return pixels of crops (B, K, 2) as pixels of the frames; the inverse of `to_crop`."""
    found: Array = (pixels - 0.5 * SIDE) * (boxes[:, None, 2:] / SIDE) + boxes[:, None, :2]
    return found


def normalised(images: Tensor) -> Tensor:
    """Return images (B, 3, H, W) of 0 to 255 as the encoder takes them, float32."""
    mean, std = (images.new_tensor(values, dtype=torch.float32)[:, None, None] for values in (IMAGE_MEAN, IMAGE_STD))
    return (images.float() / 255.0 - mean) / std
