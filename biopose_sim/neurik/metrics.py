"""How far predicted motions and sizes are from the truth: the figures of the paper, and one without a gimbal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Scores:
    """Errors of one or more trials; NaN where a method does not say what is asked.

    Attributes:
        frames: how many were compared.
        angle: (n,) mean absolute error per coordinate [deg]; NaN for those that are no free angle.
        names: of the coordinates, length n.
        landmarks: mean distance of bony landmarks with the roots put together, MPBLPE [mm].
        body: mean absolute error of each segment's longest dimension, MAE_body [mm].
        angle_determined: as ``angle``, of trials whose markers determine the coordinate; empty: not known.
        orientation: mean angle between predicted and true segments in ground [deg]; it knows no gimbal lock.
        beyond: how far a coordinate was outside of its range at most [deg].
    """

    frames: int
    angle: Array
    names: tuple[str, ...]
    landmarks: float
    body: float
    angle_determined: Array = field(default_factory=lambda: np.zeros(0))
    orientation: float = math.nan
    beyond: float = math.nan

    @property
    def mean_angle(self) -> float:
        """Mean over the coordinates, MAE_angle [deg]."""
        return _mean(self.angle)

    @property
    def mean_angle_determined(self) -> float:
        """Mean over the coordinates that markers determine [deg]."""
        return _mean(self.angle_determined)


def angle_errors(predicted: Array, true: Array) -> Array:
    """Absolute differences of angles, the short way round, [deg] for angles in radians of any shape."""
    return np.asarray(np.degrees(np.abs((predicted - true + np.pi) % (2.0 * np.pi) - np.pi)))


def landmark_distances(predicted: Array, true: Array, predicted_root: Array, true_root: Array) -> Array:
    """Distances (T, L) [mm] of landmarks (T, L, 3) [m] after the roots (T, 3) are put together."""
    apart = (predicted - predicted_root[:, None]) - (true - true_root[:, None])
    return np.asarray(1e3 * np.linalg.norm(apart, axis=2))


def orientation_errors(predicted: Array, true: Array) -> Array:
    """Angles (...) [deg] by which rotations (..., 3, 3) are apart: the geodesic distance on SO(3).

    From the chord ``|A - B| = 2 sqrt(2) sin(angle / 2)``, which loses no digits at small angles (Huynh 2009,
    J Math Imaging Vis 35, equations 23 and 33).
    """
    chord = np.linalg.norm(predicted - true, axis=(-2, -1)) / (2.0 * math.sqrt(2.0))
    return np.asarray(np.degrees(2.0 * np.arcsin(np.clip(chord, 0.0, 1.0))))


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
    """Return the mean of several trials' scores, by their frames; what a trial does not say is not counted."""
    frames = np.array([s.frames for s in scores], dtype=float)

    def mean(values: Sequence[float | Array]) -> Array:
        numbers = np.asarray(values, dtype=float)
        known = np.isfinite(numbers)
        weight = np.where(known.T, frames, 0.0).T
        with np.errstate(invalid="ignore", divide="ignore"):
            found: Array = (np.where(known, numbers, 0.0) * weight).sum(axis=0) / weight.sum(axis=0)
        return found

    beyond = [s.beyond for s in scores if math.isfinite(s.beyond)]
    return Scores(
        int(frames.sum()),
        mean([s.angle for s in scores]),
        scores[0].names,
        float(mean([s.landmarks for s in scores])),
        float(mean([s.body for s in scores])),
        mean([s.angle_determined for s in scores]),
        float(mean([s.orientation for s in scores])),
        max(beyond, default=math.nan),
    )


def _mean(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else math.nan
