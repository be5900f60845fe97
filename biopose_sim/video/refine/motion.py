"""What is known of a motion before the picture is looked at: the start, how joints are held, that they move smoothly.

Errors of a start, and how joints depart from their usual angles, are alike in neighbouring frames: a part is there for
good (an unknown that all frames share), the rest forgets within a time (Ornstein-Uhlenbeck). So a long stretch of
frames says little about the level and much about the change.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..points.keypoints import Array
from .banded import Bordered


@dataclass(frozen=True, eq=False)
class Process:
    """Departures e = q - target - constant of some coordinates, precision K times that of a process over time.

    Attributes:
        columns: (k,) of the free coordinates.
        target: (T, k) or (k,).
        precision: (k, k) K.
        own: (T, k) or (T, 1) diagonal of the process.
        next: (T - 1, k) or (T - 1, 1) beside it.
        constants: (k, k) precision of the constant.
    """

    columns: NDArray[np.intp]
    target: Array
    precision: Array
    own: Array
    next: Array
    constants: Array

    def cost(self, q: Array, constant: Array) -> float:
        """Twice the negative log-likelihood of free coordinates (T, n) and a constant (k,)."""
        e = self._departure(q, constant)
        return float((e * self._times(e)).sum() + constant @ self.constants @ constant)

    def add(self, system: Bordered, q: Array, constant: Array, shared: slice) -> None:
        """Add to normal equations whose shared unknowns ``shared`` are the constant."""
        n, c, k = np.arange(len(q)), self.columns, self.precision
        system.own[np.ix_(n, c, c)] += self.own[..., None] * k
        system.next[np.ix_(n[1:] - 1, c, c)] += self.next[..., None] * k
        total = self.own.copy()
        total[1:] += self.next
        total[:-1] += self.next
        at = np.arange(shared.start, shared.stop)
        system.border[np.ix_(n, c, at)] -= total[..., None] * k
        system.corner[np.ix_(at, at)] += total.sum(0)[:, None] * k + self.constants
        force = self._times(self._departure(q, constant))
        system.right[:, c] -= force
        system.right_shared[at] += force.sum(0) - self.constants @ constant

    def _departure(self, q: Array, constant: Array) -> Array:
        return q[:, self.columns] - self.target - constant

    def _times(self, e: Array) -> Array:
        y = self.own * e
        y[1:] += self.next * e[:-1]
        y[:-1] += self.next * e[1:]
        return np.asarray(y @ self.precision)


def start_process(
    start: Array, sd: Array, trusted: NDArray[np.bool_], step: Array, time: float, constant: float
) -> Process:
    """Errors of a start.

    Args:
        start: (T, n) free coordinates.
        sd: (T, n) their deviations.
        trusted: (T,) frames of which the start knows anything.
        step: (T - 1,) [s].
        time: within which the moving part forgets [s].
        constant: share of the variance that is there for good; 0: none.
    """
    same = np.exp(-step / time)[:, None]
    moving = sd * np.sqrt(1.0 - constant)
    known = np.where(trusted, 1.0, 1e-4)
    scale = np.minimum(known[1:], known[:-1])[:, None] / (moving[1:] * moving[:-1] * (1.0 - same**2))
    own = np.zeros_like(start)
    own[0] = known[0] / moving[0] ** 2
    own[1:] += scale
    own[:-1] += scale * same**2
    n = start.shape[1]
    for_good = np.diag(1.0 / (max(constant, 1e-6) * np.median(sd, axis=0) ** 2))
    return Process(np.arange(n), start, np.eye(n), own, -scale * same, for_good)


def posture_process(
    columns: NDArray[np.intp], usual: Array, held: Array, moved: Array, step: Array, time: float
) -> Process:
    """Departures from usual angles (k,), held for good and moved, each with a covariance (k, k) [rad^2].

    Args:
        columns: (k,) of the free coordinates.
        usual: their mean [rad].
        held: covariance of the constant.
        moved: covariance about it.
        step: (T - 1,) [s].
        time: within which the moving part forgets [s].
    """
    same = np.exp(-step / time)[:, None]
    scale = 1.0 / (1.0 - same**2)
    own = np.zeros((len(step) + 1, 1))
    own[0] = 1.0
    own[1:] += scale
    own[:-1] += scale * same**2
    moving, for_good = (np.asarray(np.linalg.inv(covariance), dtype=float) for covariance in (moved, held))
    return Process(columns, usual, moving, own, -scale * same, for_good)


class Roughness:
    """Second differences of the coordinates over their deviation.

    Args:
        step: (T - 1,) [s].
        acceleration_sd: (n,) [rad/s^2 | m/s^2], white noise at 30 Hz.
    """

    def __init__(self, step: Array, acceleration_sd: Array) -> None:
        frames = len(step) + 1
        before, after = step[:-1], step[1:]
        middle = 0.5 * (before + after)
        pattern = np.stack([1.0 / before, -(1.0 / before + 1.0 / after), 1.0 / after], axis=1) / middle[:, None]
        gram = np.einsum("t,ti,tj->tij", 30.0 * middle, pattern, pattern)
        own, next_, after_ = np.zeros(frames), np.zeros(frames - 1), np.zeros(max(frames - 2, 0))
        for i in range(3):
            own[i : frames - 2 + i] += gram[:, i, i]
        for i in range(2):
            next_[i : frames - 2 + i] += gram[:, i, i + 1]
        after_ += gram[:, 0, 2]
        self.own, self.next, self.after = (x[:, None] / acceleration_sd**2 for x in (own, next_, after_))

    def cost(self, q: Array) -> float:
        """Twice the negative log-likelihood of free coordinates (T, n)."""
        return float((q * self._times(q)).sum())

    def add(self, system: Bordered, q: Array) -> None:
        """Add to normal equations."""
        system.add_diagonals(self.own, self.next, self.after)
        system.right[:] -= self._times(q)

    def _times(self, x: Array) -> Array:
        y = self.own * x
        y[1:] += self.next * x[:-1]
        y[:-1] += self.next * x[1:]
        y[2:] += self.after * x[:-2]
        y[:-2] += self.after * x[2:]
        return np.asarray(y)
