"""How well markers are explained: errors, masks, markers that jump or stand still."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ik_pipeline.quality.types import Named

Array = NDArray[np.floating]
Bools = NDArray[np.bool_]

# A landmark further than this from the model's is not trusted: D3KE leaves it out of its training [m].
LANDMARK_LIMIT = 0.02
# A step of a measured marker against the model's by more than both jumps [m], [m/s]. The body's own motion is no part
# of it: what is left are noise (millimetres) and skin that sways by centimetres within some hundredths of a second.
JUMP_STEP, JUMP_SPEED = 0.05, 5.0
MOST_NAMED = 8


def landmark_mask(
    errors: Array, names: Sequence[str], landmarks: Collection[str], limit: float = LANDMARK_LIMIT
) -> Bools:
    """Return which marker samples may be trusted, as D3KE does: true keeps, false masks.

    Args:
        errors: distance of measured and model markers, (T, M) [m]; NaN where not seen.
        names: of the M markers.
        landmarks: names of those on bony landmarks; only they are judged by the limit.
        limit: a landmark further away is masked [m].

    Returns:
        (T, M) of bool: true for samples that were seen, landmarks only where they are within the limit.
    """
    trusted = np.isfinite(errors)
    columns = landmark_columns(names, landmarks)
    with np.errstate(invalid="ignore"):
        trusted[:, columns] &= errors[:, columns] <= limit
    return trusted


def landmark_columns(names: Sequence[str], landmarks: Collection[str]) -> Bools:
    """Which of the markers are landmarks, (M,)."""
    return np.array([name in landmarks for name in names], dtype=bool)


def pooled_rms(squares: Array, counts: Array) -> float | None:
    """Root of the mean of sums of squares over their counts; None where nothing was counted."""
    total = counts.sum()
    return float(np.sqrt(squares.sum() / total)) if total else None


def ranked(names: Iterable[str], values: Iterable[float], most: int | None = MOST_NAMED, least: float = 0.0) -> Named:
    """Names with values above ``least``, the largest first; equal ones stay in their order."""
    found = [(name, round(float(v), 6)) for name, v in zip(names, values) if np.isfinite(v) and v > least]
    return tuple(sorted(found, key=lambda pair: -pair[1])[:most])


def count_jumps(residuals: Array, time: Array) -> NDArray[np.int64]:
    """How often each measured marker jumps against the model's, (M,).

    Args:
        residuals: measured less model markers, (T, M, 3) [m].
        time: (T,) [s].
    """
    steps = np.diff(residuals, axis=0)
    limits = np.maximum(JUMP_STEP, JUMP_SPEED * np.diff(time)) ** 2
    with np.errstate(invalid="ignore"):
        beyond = np.einsum("tmi,tmi->tm", steps, steps) > limits[:, None]
    return np.asarray(beyond.sum(axis=0), dtype=np.int64)


def frozen_share(measured: Array) -> float:
    """Share of seen samples that equal the sample before to the last digit, markers (T, M, 3)."""
    if len(measured) < 2:
        return 0.0
    first = measured[..., 0]
    same = first[1:] == first[:-1]
    if same.any():
        frame, marker = np.nonzero(same)
        same[frame, marker] = (measured[frame + 1, marker] == measured[frame, marker]).all(axis=1)
    seen = np.isfinite(first[1:]).sum()
    return float(same.sum() / seen) if seen else 0.0
