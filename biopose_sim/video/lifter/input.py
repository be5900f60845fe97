"""Key points as the lifter sees them: rays of a camera that looks at the person, in sizes of the person.

Where in the picture somebody is, and how large, says nothing about the pose; a camera that is turned until its axis
goes through the person sees the same person the same everywhere. What is taken off is told beside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..points.keypoints import COMMON, Array

RATE = 30.0  # of the network [Hz]
N_FEATURES = 4 * len(COMMON) + 3
_CENTRE_TIME, _SIZE_TIME = 0.2, 0.5  # s over which place and size are smoothed
_SIZE_SHIFT = 1.5  # brings the logarithms of usual sizes to about zero
_LEAST_SIZE = 0.01  # of somebody 50 m away
_LARGEST = 6.0  # sizes from the middle: what is farther is no part of the person
# The five points of the head and the six of the feet lie close together and count as less.
_WEIGHTS = np.array([
    0.4 if any(part in name for part in ("nose", "eye", "ear", "toe", "heel")) else 1.0 for name in COMMON
])  # fmt: skip


@dataclass(frozen=True, eq=False)
class Framed:
    """Windows of key points as the network takes them.

    Attributes:
        features: (B, T, N_FEATURES).
        turn: (B, T, 3, 3) turned camera <- camera.
        size: (B, T) of the person, root mean square of the points from the middle, at one metre.
        points: (B, T, 23, 2) of the turned camera, at one metre; NaN where not seen.
    """

    features: Array
    turn: Array
    size: Array
    points: Array


def framed(flat: Array, confidence: Array) -> Framed:
    """Bring windows into the frame of the network.

    Args:
        flat: (B, T, 23, 2) where the rays of the key points go through the plane one metre ahead; NaN where not seen.
        confidence: (B, T, 23) from 0 to 1.
    """
    seen: NDArray[np.bool_] = np.asarray(np.isfinite(flat).all(-1))
    weights = _WEIGHTS * seen * np.clip(confidence, 0.1, 1.0)
    total = weights.sum(-1)
    middle = (weights[..., None] * np.where(seen[..., None], flat, 0.0)).sum(-2)
    centre = _smooth(middle, total, _CENTRE_TIME)
    turn = turns(centre)
    rays = np.einsum("btij,btkj->btki", turn, np.concatenate([flat, np.ones_like(flat[..., :1])], axis=-1))
    points = rays[..., :2] / np.maximum(rays[..., 2:], 0.05)
    square = (weights * np.where(seen, (points**2).sum(-1), 0.0)).sum(-1)
    size = np.sqrt(np.maximum(_smooth(square[..., None], total, _SIZE_TIME)[..., 0], _LEAST_SIZE**2))
    shown = np.clip(np.where(seen[..., None], points, 0.0) / size[..., None, None], -_LARGEST, _LARGEST)
    parts = [shown, np.where(seen, confidence, 0.0)[..., None], seen[..., None].astype(float)]
    about = np.concatenate([np.log(size)[..., None] + _SIZE_SHIFT, centre], axis=-1)
    features = np.concatenate([np.concatenate(parts, axis=-1).reshape(*seen.shape[:2], -1), about], axis=-1)
    return Framed(features, turn, size, points)


def seen_points(features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return of features (B, T, N_FEATURES) what was seen.

    Returns:
        Key points (B, T, 23, 2) [sizes of the person], how much each counts (B, T, 23), 0 where not seen, and the
        person's size (B, T, 1).
    """
    points = features[..., : 4 * len(COMMON)].unflatten(-1, (len(COMMON), 4))
    size = torch.exp(features[..., 4 * len(COMMON), None] - _SIZE_SHIFT)
    return points[..., :2], points[..., 2].clamp(0.1, 1.0) * points[..., 3], size


def turns(centre: Array) -> Array:
    """Return the shortest rotations (..., 3, 3) that bring the rays through (..., 2), one metre ahead, to the axis."""
    ray = np.concatenate([centre, np.ones_like(centre[..., :1])], axis=-1)
    x, y, z = np.moveaxis(ray / np.linalg.norm(ray, axis=-1, keepdims=True), -1, 0)
    share = 1.0 / (1.0 + z)
    rows = [1.0 - x * x * share, -x * y * share, -x, -x * y * share, 1.0 - y * y * share, -y, x, y, z]
    return np.stack(rows, axis=-1).reshape(*x.shape, 3, 3)


def _smooth(sums: Array, total: Array, time: float) -> Array:
    """Means over time of what is summed (B, T, C) with weights that are (B, T)."""
    frames = np.arange(total.shape[1])
    kernel = np.exp(-0.5 * ((frames[:, None] - frames) / (time * RATE)) ** 2) + 1e-9
    return np.einsum("st,btc->bsc", kernel, sums) / np.maximum(np.einsum("st,bt->bs", kernel, total), 1e-12)[..., None]
