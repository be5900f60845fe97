"""Trials at another frame rate: cubic between four frames, linear where one of them is missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Two rates nearer than this are one: recorders write 120.00004577 for 120.
_SAME_RATE = 1e-6
# Nearer than this part of a frame is on the frame.
_ON_FRAME = 1e-4


@dataclass(frozen=True, eq=False)
class Grid:
    """Instants of a trial, as places between its frames.

    Attributes:
        before: (T,) index of the frame at or before each instant.
        fraction: (T,) of the way to the next frame, in [0, 1).
        rate: instants per second [Hz].
        start: the first instant [s].
    """

    before: NDArray[np.int64]
    fraction: Array
    rate: float
    start: float

    def __len__(self) -> int:
        return len(self.before)

    @property
    def is_whole(self) -> bool:
        """Whether every instant is on a frame, so that nothing is computed."""
        return not self.fraction.any()

    def part(self, first: int, last: int) -> Grid:
        """Return the instants from ``first`` up to ``last``."""
        return Grid(self.before[first:last], self.fraction[first:last], self.rate, self.start)

    @property
    def after(self) -> NDArray[np.int64]:
        """(T,) index of the frame that ends the interval; ``before`` itself where the instant is on it."""
        return self.before + (self.fraction > 0)


def resampling_grid(time: Array, rate: float | None) -> Grid:
    """Return the instants of a trial at a rate, from its first frame on.

    Args:
        time: (T,) with T > 1, increasing [s].
        rate: wanted [Hz]; None takes every frame.
    """
    own = float((len(time) - 1) / (time[-1] - time[0]))
    if rate is None or abs(rate - own) <= _SAME_RATE * own:
        count = len(time)
        return Grid(np.arange(count, dtype=np.int64), np.zeros(count), own if rate is None else rate, float(time[0]))
    count = int(np.floor((time[-1] - time[0]) * rate + _ON_FRAME)) + 1
    instants = np.minimum(time[0] + np.arange(count) / rate, time[-1])
    place = np.interp(instants, time, np.arange(len(time), dtype=float))
    nearest = np.round(place)
    place = np.where(np.abs(place - nearest) < _ON_FRAME, nearest, place)
    before = np.floor(place).astype(np.int64)
    return Grid(before, place - before, float(rate), float(time[0]))


def interpolate(values: NDArray[np.floating], grid: Grid) -> NDArray[np.floating]:
    """Return values (T_frames, ...) at the instants, (T, ...), float64; NaN where a frame beside the instant is NaN.

    Cubic through the two frames on either side (Catmull & Rom 1974); linear at a trial's or a gap's ends.
    """
    last = len(values) - 1
    i, f = grid.before, grid.fraction.reshape(-1, *[1] * (values.ndim - 1))
    far = [np.asarray(values[np.clip(i + step, 0, last)], dtype=float) for step in (-1, 0, 1, 2)]
    a, b, c, d = far
    linear = np.where(f > 0, b + f * (c - b), b)
    cubic = b + 0.5 * f * (c - a + f * (2 * a - 5 * b + 4 * c - d + f * (3 * (b - c) + d - a)))
    inner = ((i > 0) & (i + 2 <= last)).reshape(f.shape)
    return np.where((f > 0) & inner & np.isfinite(cubic), cubic, linear)


def interpolate_angles(values: Array, turning: NDArray[np.bool_], grid: Grid) -> tuple[Array, NDArray[np.bool_]]:
    """Return coordinates at the instants and which instants lie where the motion is steady.

    A full turn from one frame to the next is none; a coordinate without such turns stays between the bounds that the
    trial has.

    Args:
        values: (T_frames, n) [rad | m].
        turning: (n,) which coordinates are angles.
        grid: the instants.

    Returns:
        (T, n) values; (T,) false where an angle jumps by more than a quarter turn (another of several solutions).
    """
    smooth = np.array(values, dtype=float)
    smooth[:, turning] = np.unwrap(smooth[:, turning], axis=0)
    found = interpolate(smooth, grid)
    full = 2 * np.pi
    turns = np.where(turning, np.round((values - smooth) / full), 0.0)
    found += full * turns[grid.before]
    jumps = np.abs(smooth[grid.after] - smooth[grid.before])[:, turning]
    steady = (jumps < 0.5 * np.pi).all(axis=1)
    bounds = values.min(axis=0), values.max(axis=0)
    return np.where(turns.any(axis=0), found, np.clip(found, *bounds)), steady
