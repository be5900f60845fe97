"""How far predicted motions and sizes are from the truth: the figures of the paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Scores:
    """Errors of one or more trials.

    Attributes:
        frames: how many were compared.
        angle: (n,) mean absolute error per coordinate [deg].
        names: of the coordinates, length n.
        landmarks: mean distance of bony landmarks with the roots put together, MPBLPE [mm].
        body: mean absolute error of each segment's longest dimension, MAE_body [mm].
    """

    frames: int
    angle: Array
    names: tuple[str, ...]
    landmarks: float
    body: float

    @property
    def mean_angle(self) -> float:
        """Mean over the coordinates, MAE_angle [deg]."""
        return float(np.nanmean(self.angle))


def angle_errors(predicted: Array, true: Array) -> Array:
    """Absolute differences of angles, the short way round, [deg] for angles in radians of any shape."""
    return np.asarray(np.degrees(np.abs((predicted - true + np.pi) % (2.0 * np.pi) - np.pi)))


def landmark_distances(predicted: Array, true: Array, predicted_root: Array, true_root: Array) -> Array:
    """Distances (T, L) [mm] of landmarks (T, L, 3) [m] after the roots (T, 3) are put together."""
    apart = (predicted - predicted_root[:, None]) - (true - true_root[:, None])
    return np.asarray(1e3 * np.linalg.norm(apart, axis=2))


def body_errors(predicted: Array, true: Array, sizes: Mapping[str, Sequence[float]], bodies: Sequence[str]) -> Array:
    """Errors of the longest dimension of each segment, [mm]; FORMATS: the axis along which it is longest.

    Args:
        predicted: factors (n_bodies, 3).
        true: the same.
        sizes: of the unscaled segments along the axes that count [m]: (x, y, z), 0 for those that do not.
        bodies: names of the rows.
    """
    found = []
    for row, body in enumerate(bodies):
        for axis, size in enumerate(sizes.get(body, ())):
            if size > 0.0:
                found.append(1e3 * size * abs(predicted[row, axis] - true[row, axis]))
    return np.array(found)


def together(scores: Sequence[Scores]) -> Scores:
    """Return the mean of several trials' scores, by their frames."""
    frames = np.array([s.frames for s in scores], dtype=float)
    share = frames / frames.sum()
    angles = np.array([s.angle for s in scores])
    known = np.isfinite(angles)
    weight = share[:, None] * known
    with np.errstate(invalid="ignore"):
        angle = np.where(known, angles, 0.0).T @ share / weight.sum(axis=0)
    return Scores(
        int(frames.sum()),
        angle,
        scores[0].names,
        float(share @ [s.landmarks for s in scores]),
        float(share @ [s.body for s in scores]),
    )
