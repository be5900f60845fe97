"""Means and spreads of the training split, which a network needs to normalise its input and output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ik_pipeline.shards.types import Arrays

Array = NDArray[np.float64]


class Moments:
    """Mean, standard deviation and bounds of what comes in stretches; samples that are NaN do not count.

    Args:
        shape: of a sample.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.count = np.zeros(shape)
        self._sum, self._squares = np.zeros(shape), np.zeros(shape)
        self._center: Array | None = None
        self.low, self.high = np.full(shape, np.inf), np.full(shape, -np.inf)

    def add(self, samples: NDArray[np.floating]) -> None:
        """Add samples, (n, *shape)."""
        if not len(samples):
            return
        known = np.isfinite(samples)
        whole = bool(known.all())
        if self._center is None:
            # Sums about a typical value lose no digits.
            first = samples if whole else np.where(known, samples, 0.0)
            self._center = first.sum(axis=0, dtype=float) / np.maximum(known.sum(axis=0), 1)
        away = samples - self._center
        self.low = np.fmin(self.low, np.fmin.reduce(samples, axis=0))
        self.high = np.fmax(self.high, np.fmax.reduce(samples, axis=0))
        if not whole:
            away = np.where(known, away, 0.0)
        self.count += len(samples) if whole else known.sum(axis=0)
        self._sum += away.sum(axis=0)
        self._squares += np.einsum("i...,i...->...", away, away)

    @property
    def mean(self) -> Array:
        """NaN where there is no sample."""
        if self._center is None:
            return np.full(self.count.shape, np.nan)
        with np.errstate(invalid="ignore", divide="ignore"):
            return self._center + self._sum / self.count

    @property
    def std(self) -> Array:
        """Standard deviation of the samples themselves; NaN where there is none."""
        with np.errstate(invalid="ignore", divide="ignore"):
            variance = self._squares / self.count - (self._sum / self.count) ** 2
        return np.sqrt(np.maximum(variance, 0.0))

    def as_json(self, bounds: bool = False) -> dict[str, Any]:
        """Return mean and standard deviation, and the bounds if wanted; None where there is no sample."""
        found = {"mean": self.mean, "std": self.std}
        if bounds:
            found |= {"min": self.low, "max": self.high}
        return {key: plain(values) for key, values in found.items()}


class TrainingStatistics:
    """What the card says of the training split.

    Markers, model markers and joint centres are taken relative to the centroid of the markers on the root body, in
    the directions of the ground frame, in frames in which all of these were seen. Coordinates count in converged
    frames of trials in which they were solved for or are dependent.

    Args:
        sizes: of the dimensions by name.
        root: rows of the markers on the root body, (n,).
        dependent: which coordinates others decide, (n_q,).
        rotational: which are angles, (n_q,).
    """

    def __init__(
        self, sizes: Mapping[str, int], root: NDArray[np.int64], dependent: NDArray[np.bool_], rotational: list[bool]
    ) -> None:
        self.root, self.dependent, self.rotational = root, dependent, np.array(rotational)
        points = ("markers", "joint_centers")
        self.points = {name: Moments((sizes["markers" if name == "markers" else "joints"], 3)) for name in points}
        self.coordinates = Moments((sizes["coordinates"],))
        self.directions = Moments((sizes["coordinates"], 2))
        self.scales = Moments((sizes["bodies"], 3))

    def add_person(self, scales: Array) -> None:
        """Add a person's factors, (n_bodies, 3)."""
        self.scales.add(scales[None])

    def add_frames(self, block: Arrays, free: NDArray[np.bool_]) -> None:
        """Add frames as `ik_pipeline.shards.frames` yields them; ``free`` (n_q,): coordinates solved for."""
        root = block["markers"][:, self.root].mean(axis=1, keepdims=True)
        for name, moments in self.points.items():
            moments.add(block[name] - root)
        counts = block["converged"][:, None] & (free | self.dependent)
        q = np.where(counts, block["coordinates"], np.nan)
        self.coordinates.add(q)
        self.directions.add(np.stack([np.cos(q), np.sin(q)], axis=-1))

    def as_json(self, defaults: Array) -> dict[str, Any]:
        """Return the statistics; ``mean_pose`` is the baseline that says the same for every frame: mean values, for
        angles the mean direction, and the model's default where a coordinate was never solved for.
        """
        cos, sin = self.directions.mean.T
        mean = np.where(self.rotational, np.arctan2(sin, cos), self.coordinates.mean)
        return {
            **{name: moments.as_json() for name, moments in self.points.items()},
            "coordinates": self.coordinates.as_json(bounds=True),
            "scales": self.scales.as_json(),
            "mean_pose": plain(np.where(np.isfinite(mean), mean, defaults)),
            "root_relative_frames": int(self.points["joint_centers"].count.max(initial=0)),
        }


def plain(values: Array) -> Any:
    """Return numbers with seven digits after the point as JSON has them; None for what is no number."""
    rounded = np.round(np.asarray(values, dtype=float), 7) + 0.0
    return np.where(np.isfinite(rounded), rounded.astype(object), None).tolist()  # type: ignore[call-overload]
