"""Where a lifted person is: before the camera by its rays, in a ground frame by gravity and its feet."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...kinematics.model import OsimModel
from ...kinematics.soles import has_soles, place_soles
from ..points.keypoints import Array

_RAY_SD = 0.02  # m that a key point lies off its ray
_FAR = 2.0  # of these, from where on a point counts as less and less (Cauchy)
_STEP_SD = 0.004  # m that a root leaves a straight path from frame to frame at 30 Hz
_GUESS_SD = 0.15  # of the distance that the network says, as a share
_ROUNDS = 4
_LOWEST = 10.0  # per cent of frames whose lowest point of the soles may lie below the floor


def place_by_rays(points: Array, rays: Array, weights: Array, guess: Array, rate: float = 30.0) -> Array:
    """Return where the root is, (T, 3) in the camera's axes [m]: the smooth path that brings points nearest to rays.

    Args:
        points: (T, K, 3) from the root, in the camera's axes [m].
        rays: (T, K, 2) at one metre; NaN where not seen.
        weights: (T, K) how much each counts, 0 to 1.
        guess: (T, 3) where the root might be [m].
        rate: frames per second [Hz].
    """
    from scipy.sparse import block_diag, diags_array, kron
    from scipy.sparse.linalg import spsolve

    frames = len(points)
    seen = np.isfinite(rays).all(-1) & (weights > 0.0)
    flat = np.where(seen[..., None], rays, 0.0)
    # Each ray gives two equations: root x - ray x * root z = ray x * point z - point x, and the same down.
    rows = np.zeros((*flat.shape, 3))
    rows[..., 0, 0] = rows[..., 1, 1] = 1.0
    rows[..., 2] = -flat
    sides = flat * points[..., 2:] - points[..., :2]
    distance = np.linalg.norm(guess, axis=-1)
    loose = np.eye(3) / (_GUESS_SD * np.maximum(distance, 0.5))[:, None, None] ** 2
    smooth = None
    if frames > 2:
        second = diags_array([1.0, -2.0, 1.0], offsets=[0, 1, 2], shape=(frames - 2, frames))
        step = _STEP_SD * (30.0 / rate) ** 2
        smooth = kron(second.T @ second, np.eye(3)) / step**2
    root = guess
    for _ in range(_ROUNDS):
        off = (np.einsum("tkij,tj->tki", rows, root) - sides) / _RAY_SD
        share = np.where(seen, weights, 0.0)[..., None] / (1.0 + (off / _FAR) ** 2) / _RAY_SD**2
        normal = np.einsum("tki,tkij,tkil->tjl", share, rows, rows) + loose
        right = np.einsum("tki,tkij,tki->tj", share, rows, sides) + np.einsum("tij,tj->ti", loose, guess)
        matrix = block_diag(list(normal), format="csc")
        matrix = matrix if smooth is None else (matrix + smooth).tocsc()
        root = spsolve(matrix, right.ravel()).reshape(frames, 3)
    return root


def ground_axes(up: Array) -> Array:
    """Return camera <- ground (3, 3) for an upward direction (3,) in the camera's axes.

    Ground has Y up and its -Z where the camera looks, as `Camera.level` has it.
    """
    y = up / np.linalg.norm(up)
    forward = np.array([0.0, 0.0, 1.0])
    level = forward - (forward @ y) * y
    if np.linalg.norm(level) < 0.05:
        # The camera looks straight down or up: then the upper border of the picture is ahead.
        level = np.array([0.0, -1.0, 0.0]) - y * -y[1]
    z = -level / np.linalg.norm(level)
    return np.stack([np.cross(y, z), y, z], axis=-1)


def mean_direction(directions: Array, weights: Array) -> tuple[Array, float]:
    """Return the direction (3,) in the middle of many (T, 3), and how far they are from it on average [degrees]."""
    mean = weights @ directions
    for _ in range(5):
        mean = mean / np.linalg.norm(mean)
        apart = np.arccos(np.clip(directions @ mean, -1.0, 1.0))
        # Single frames in which gravity is far off count as less.
        mean = (weights / (1.0 + (apart / 0.1) ** 2)) @ directions
    mean = mean / np.linalg.norm(mean)
    apart = np.arccos(np.clip(directions @ mean, -1.0, 1.0))
    return mean, float(np.degrees(weights @ apart / weights.sum()))


def floor_height(model: OsimModel, transforms: Array, seen: NDArray[np.bool_]) -> float:
    """Return the height of the floor under a motion [m]: that of the lowest points of the soles, without the odd ones.

    Args:
        model: the scaled model.
        transforms: (T, n_bodies, 4, 4) ground <- body.
        seen: (T,) frames that count.
    """
    sides = [side for side in "rl" if has_soles(model, side)]
    soles = np.concatenate([place_soles(model, transforms, side) for side in sides], axis=1)[..., 1]
    lowest = soles.min(axis=1)
    return float(np.percentile(lowest[seen] if seen.any() else lowest, _LOWEST))
