"""How plausible the motion of coordinates and markers is: limits of ranges, jumps, turns, jerk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from biopose_sim.ik.types import KinematicsResult
from biopose_sim.kinematics.model import OsimModel

Array = NDArray[np.floating]
Bools = NDArray[np.bool_]

# Nearer to the end of its range than this share of the range, and than this, a coordinate is at its limit [rad | m].
LIMIT_SHARE = 0.01
LIMIT_ANGLE, LIMIT_LENGTH = float(np.radians(0.5)), 0.001
# A step between frames jumps where it differs from the median of the steps around it by more than both. Knees reach
# about 1500 deg/s in kicks (Nunome 2002 Med Sci Sports Exerc 34:2028), most motion stays far below, and speed is gained
# over 0.05 s or longer, so that 1000 deg/s come and go within one frame at rates below 30 Hz only. Noise of the markers
# moves what they determine by less than 10 degrees. Pelves and all else that translates: 10 m/s, 0.1 m.
JUMP_ANGLE, JUMP_TURNING = float(np.radians(10.0)), float(np.radians(1000.0))
JUMP_LENGTH, JUMP_SPEED = 0.1, 10.0
# Jerk grows with the cube of the frequencies that are seen: frames are averaged to about this rate first [Hz].
JERK_RATE = 30.0


@dataclass(frozen=True, eq=False)
class Limits:
    """Coordinates at the ends of their ranges.

    Attributes:
        samples: share of samples of clamped coordinates.
        frames: share of frames with any.
        by_coordinate: (n_q,) share of frames.
    """

    samples: float
    frames: float
    by_coordinate: Array


def time_at_limits(model: OsimModel, result: KinematicsResult) -> Limits:
    """Return how much time coordinates that were solved for spend at the limits of clamped ranges."""
    shares = np.zeros(len(result.coordinate_names))
    low, high = np.asarray(model.tree.ranges, dtype=float).T
    clamped = np.array([c.clamped for c in model.model.coordinates]) & result.free & (high > low)
    columns = np.flatnonzero(clamped)
    if not len(columns) or not len(result.time):
        return Limits(0.0, 0.0, shares)
    values, low, high = result.coordinates[:, columns], low[columns], high[columns]
    near = np.array([LIMIT_LENGTH if result.motion_types[c] == "translational" else LIMIT_ANGLE for c in columns])
    near = np.minimum(near, LIMIT_SHARE * (high - low))
    at = (values <= low + near) | (values >= high - near)
    shares[columns] = at.mean(axis=0)
    return Limits(float(at.mean()), float(at.any(axis=1).mean()), shares)


@dataclass(frozen=True, eq=False)
class Jumps:
    """Steps of coordinates that are no motion.

    Attributes:
        by_coordinate: (n_q,) number of jumps.
        frames: share of steps from frame to frame in which any coordinate jumps.
        wraps: number of steps of more than half a turn.
    """

    by_coordinate: NDArray[np.int64]
    frames: float
    wraps: int


def find_jumps(result: KinematicsResult) -> Jumps:
    """Find steps of coordinates that are too fast to be motion; whole turns do not count.

    A step is compared with the median of the five steps around it, so that fast motion is none and a spike is.
    "Coupled" coordinates follow others and are left out.
    """
    counts = np.zeros(len(result.coordinate_names), dtype=np.int64)
    kinds = np.array(result.motion_types, dtype=object)
    columns = np.flatnonzero(kinds != "coupled")
    if len(result.time) < 3 or not len(columns):
        return Jumps(counts, 0.0, 0)
    angular = kinds[columns] == "rotational"
    steps = np.diff(result.coordinates[:, columns], axis=0)
    turns = np.where(angular, np.round(steps / (2.0 * np.pi)), 0.0)
    steps = steps - 2.0 * np.pi * turns
    least = np.where(angular, JUMP_ANGLE, JUMP_LENGTH)
    fastest = np.where(angular, JUMP_TURNING, JUMP_SPEED)
    limits = np.maximum(least, fastest * np.diff(result.time)[:, None])
    # Only a step that is itself beyond half the limit can differ by the limit from its neighbours or make them do so.
    busy = np.flatnonzero((np.abs(steps) > 0.5 * limits).any(axis=0))
    usual = _running_median(steps[:, busy])
    beyond = np.abs(steps[:, busy] - usual) > limits[:, busy]
    counts[columns[busy]] = beyond.sum(axis=0)
    return Jumps(counts, float(beyond.any(axis=1).mean()), int(np.count_nonzero(turns)))


def _running_median(steps: Array) -> Array:
    """Median of five steps around each, (T, n); at the ends of the nearest five, or of all."""
    width = min(5, len(steps))
    windows = np.lib.stride_tricks.sliding_window_view(steps, width, axis=0)
    middle = np.median(windows, axis=2)
    before = (len(steps) - len(middle)) // 2
    return np.pad(middle, ((before, len(steps) - len(middle) - before), (0, 0)), mode="edge")


def squared_jerk(points: Array, rate: float) -> Array | None:
    """Return the squared jerk (T', M) [m^2/s^6] of points (T, M, 3) [m] as seen at about 30 Hz; None if too short.

    Frames are averaged in blocks to the rate that is nearest to 30 Hz from above, then differenced three times, so
    that recordings at different rates compare. Below 30 Hz the frames are taken as they are: less is seen there.

    Args:
        points: NaN where missing; what depends on it is NaN.
        rate: [Hz].
    """
    block = max(1, int(rate / JERK_RATE + 1e-6))
    count = len(points) // block
    if count < 4:
        return None
    means = points[: count * block]
    if block > 1:
        by_block = means.reshape(count, block, *points.shape[1:])
        means = sum(by_block[:, k] for k in range(1, block)) + by_block[:, 0]
        means /= block
    jerk = np.diff(means, n=3, axis=0)
    return np.einsum("tmi,tmi->tm", jerk, jerk) * (rate / block) ** 6
