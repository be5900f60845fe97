"""Errors of key points as detectors make them: jitter, drift, outliers, gaps, left and right exchanged, confidence.

Sizes are shares of the larger side of the person's box. The shares and rates of `REALISTIC` are assumptions, set by
what detectors do on clips of one walking person; nobody measured them on a population.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .keypoints import COMMON, LAYOUTS, Array

# How much more often a point is hidden than others.
_HIDDEN = {"ankle": 1.5, "toe": 2.0, "heel": 2.0, "wrist": 2.5, "elbow": 1.5, "eye": 1.0, "ear": 2.0}
_FAR_SIDE = 3.0  # as much more often on the side that is farther from the camera
_LEG = ("hip", "knee", "ankle", "toe", "heel")
_ARM = ("shoulder", "elbow", "wrist")


@dataclass(frozen=True)
class NoiseConfig:
    """How key points are disturbed; lengths are shares of the larger side of the person's box.

    Attributes:
        white: standard deviation of errors that are independent from frame to frame, per axis.
        slow: of errors that go on for ``slow_time``.
        slow_time: [s].
        outliers: share of points that are somewhere else altogether.
        outlier: standard deviation of how far.
        missing: share of points that are hidden, in runs; those that hide easily, and the far side, more often.
        missing_time: mean length of a run [s].
        swaps: share of frames in which left and right of the whole body are exchanged, in runs.
        limb_swaps: share of frames in which both legs, or both arms, are.
        swap_time: mean length of a run [s].
        informed: share of clips in which the confidence tells of the error, as detectors' does; in the others it is 1
            where a point is seen.
        varied: how much amounts differ from clip to clip: 0 not at all, 1 from none to twice the amounts here.
    """

    white: float = 0.0
    slow: float = 0.0
    slow_time: float = 0.4
    outliers: float = 0.0
    outlier: float = 0.12
    missing: float = 0.0
    missing_time: float = 0.3
    swaps: float = 0.0
    limb_swaps: float = 0.0
    swap_time: float = 0.12
    informed: float = 0.0
    varied: float = 0.0


CLEAN = NoiseConfig()
REALISTIC = NoiseConfig(
    white=0.008, slow=0.01, outliers=0.006, missing=0.05, swaps=0.004, limb_swaps=0.008, informed=1.0
)
TRAINING = NoiseConfig(
    white=0.012, slow=0.008, outliers=0.006, missing=0.06, swaps=0.005, limb_swaps=0.008, informed=0.65, varied=1.0
)


def box_size(points: Array) -> Array:
    """Return the larger side (...,) of the box around points (..., K, 2); NaN are left out."""
    side: Array = np.nanmax(np.nanmax(points, axis=-2) - np.nanmin(points, axis=-2), axis=-1)
    return side


def disturbed(
    points: Array,
    rate: float,
    config: NoiseConfig,
    random: np.random.Generator,
    *,
    depth: Array | None = None,
) -> tuple[Array, Array]:
    """Return key points as a detector might have found them, and its confidence.

    Args:
        points: (B, T, 23, 2) of `COMMON`, exact; any unit.
        rate: frames per second [Hz].
        config: what is done.
        random: source of chance.
        depth: (B, T, 23) distances from the camera, which say what the far side is; None: neither is.

    Returns:
        (B, T, 23, 2), NaN where a point is missing, and (B, T, 23) from 0 to 1.
    """
    clips, frames, count = points.shape[:3]
    box = box_size(points)[..., None, None]

    def amount(value: float) -> Array:
        """Of each clip, (B, 1, 1)."""
        drawn = 1.0 + config.varied * random.uniform(-1.0, 1.0, (clips, 1, 1))
        # A fifth of the clips has none of it.
        none = random.random((clips, 1, 1)) < 0.2 * config.varied
        return np.where(none, 0.0, value * drawn)

    error = amount(config.white)[..., None] * random.standard_normal(points.shape)
    if config.slow > 0.0:
        error += amount(config.slow)[..., None] * _wandering(points.shape, config.slow_time * rate, random)
    if config.outliers > 0.0:
        hit = random.random((clips, frames, count)) < amount(config.outliers)
        error += hit[..., None] * config.outlier * random.standard_normal(points.shape)
    found = points
    if config.swaps > 0.0 or config.limb_swaps > 0.0:
        found = _exchanged(points, rate, config, amount, random)
    found = found + error * box
    missing = np.zeros((clips, frames, count), dtype=bool)
    if config.missing > 0.0:
        share = np.clip(amount(config.missing) * _tendency(depth, missing.shape), 0.0, 0.5)
        missing = _runs(share, config.missing_time * rate, missing.shape, random)
    confidence = np.ones((clips, frames, count))
    if config.informed > 0.0:
        size = np.linalg.norm((found - points) / box, axis=-1)
        believed = 0.93 - 5.0 * size + 0.06 * random.standard_normal(size.shape)
        # Hidden points are guessed at first, and less sure around the time.
        believed -= 0.25 * _near(missing)
        informed = random.random((clips, 1, 1)) < config.informed
        confidence = np.where(informed, np.clip(believed, 0.15, 1.0), 1.0)
    return np.where(missing[..., None], np.nan, found), np.where(missing, 0.0, confidence)


def _wandering(shape: tuple[int, ...], length: float, random: np.random.Generator) -> Array:
    """Errors of standard deviation 1 that follow each other (AR(1)), (B, T, ...)."""
    kept = float(np.exp(-1.0 / max(length, 1e-6)))
    fresh = random.standard_normal(shape)
    found = np.empty(shape)
    found[:, 0] = fresh[:, 0]
    for t in range(1, shape[1]):
        found[:, t] = kept * found[:, t - 1] + np.sqrt(1.0 - kept**2) * fresh[:, t]
    return found


def _runs(share: Array, length: float, shape: tuple[int, ...], random: np.random.Generator) -> NDArray[np.bool_]:
    """Where a state holds that has this share of the time in runs of a mean length [frames], (B, T, ...)."""
    share = np.broadcast_to(share, shape)
    leave = min(1.0, 1.0 / max(length, 1.0))
    enter = np.clip(leave * share / np.maximum(1.0 - share, 1e-6), 0.0, 1.0)
    chance = random.random(shape)
    found = np.empty(shape, dtype=bool)
    found[:, 0] = chance[:, 0] < share[:, 0]
    for t in range(1, shape[1]):
        found[:, t] = np.where(found[:, t - 1], chance[:, t] >= leave, chance[:, t] < enter[:, t])
    return found


def _exchanged(
    points: Array, rate: float, config: NoiseConfig, amount: Callable[[float], Array], random: np.random.Generator
) -> Array:
    mirror = LAYOUTS["anny23"].mirror
    found = points
    kinds = ((config.swaps, COMMON), (config.limb_swaps, _named(_LEG)), (config.limb_swaps, _named(_ARM)))
    for share, names in kinds:
        if share <= 0.0:
            continue
        own = np.isin(np.array(COMMON), names)
        when = _runs(amount(share), config.swap_time * rate, (*points.shape[:2], 1), random)
        found = np.where((when & own)[..., None], found[:, :, mirror], found)
    return found


def _named(parts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in COMMON if any(part in name for part in parts))


def _tendency(depth: Array | None, shape: tuple[int, ...]) -> Array:
    """How much more often than on average a point is hidden, (B, T, K)."""
    easily = np.array([max([f for part, f in _HIDDEN.items() if part in name], default=0.5) for name in COMMON])
    found = np.broadcast_to(easily / easily.mean(), shape)
    if depth is None:
        return found
    mirror = LAYOUTS["anny23"].mirror
    far = depth > depth[..., mirror] + 0.08
    return found * np.where(far, _FAR_SIDE, 1.0) / 1.5


def _near(missing: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The frames just before and after, (B, T, K)."""
    found = missing.copy()
    found[:, 1:] |= missing[:, :-1]
    found[:, :-1] |= missing[:, 1:]
    return found
