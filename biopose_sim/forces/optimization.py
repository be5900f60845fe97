"""Static optimization of many frames at once: the least activation that makes the measured movement.

Each frame is its own problem, that of OpenSim's StaticOptimization: minimise the sum of |control| ** exponent over
all actuators, such that ``matrix @ control == demand`` (the equations of motion) and controls stay inside their
bounds. A primal-dual interior point method (Mehrotra's predictor and corrector) solves all frames together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TOLERANCE = 1e-9  # of the equations, relative to the demand; of the gap, to what is minimised
MOST_STEPS = 60
_STAY_INSIDE = 0.995  # of the way to the nearest bound
_FLOOR = 1e-12


@dataclass(frozen=True, eq=False)
class Controls:
    """Solutions of many frames.

    Attributes:
        values: (T, n) controls.
        solved: (T,) whether a frame has a solution inside the bounds and it was found.
        unmet: (T, m) what remains of the demand [N | N m].
    """

    values: np.ndarray
    solved: np.ndarray
    unmet: np.ndarray


def least_effort(
    matrix: np.ndarray, demand: np.ndarray, least: np.ndarray, most: np.ndarray, exponent: float = 2.0
) -> Controls:
    """Solve the frames' problems.

    Args:
        matrix: (T, m, n) generalized force of each actuator at control 1 [N | N m].
        demand: (T, m) generalized forces that the movement takes [N | N m].
        least: (n,) lower bounds, may be -inf.
        most: (n,) upper bounds, may be inf.
        exponent: of the controls, above 1.

    Returns:
        Controls; frames whose demand cannot be met are not ``solved`` and hold what came nearest.
    """
    scale = np.maximum(np.abs(matrix).max(axis=2), _FLOOR)
    rows, right = matrix / scale[:, :, None], demand / scale
    work = _Frames(rows, right, least, most, exponent)
    for _ in range(MOST_STEPS):
        if not work.step():
            break
    unmet = demand - np.einsum("tmn,tn->tm", matrix, work.x)
    return Controls(work.x, work.done, unmet)


class _Frames:
    """The iterates of all frames; those that are done rest."""

    def __init__(
        self, rows: np.ndarray, right: np.ndarray, least: np.ndarray, most: np.ndarray, exponent: float
    ) -> None:
        frames, self.equations = right.shape
        self.rows, self.right, self.exponent = rows, right, exponent
        self.below, self.above = np.isfinite(least), np.isfinite(most)
        self.least, self.most = np.where(self.below, least, 0.0), np.where(self.above, most, 0.0)
        middle = np.where(self.above & self.below, 0.5 * (self.least + self.most), 0.0)
        start = np.where(self.below & ~self.above, self.least + 1.0, middle)
        start = np.where(self.above & ~self.below, self.most - 1.0, start)
        self.x = np.repeat(start[None], frames, axis=0)
        self.price = np.zeros((frames, self.equations))
        self.push = np.repeat(self.below[None] * 1.0, frames, axis=0)  # of the lower bounds
        self.pull = np.repeat(self.above[None] * 1.0, frames, axis=0)  # of the upper bounds
        self.bounds = int(self.below.sum() + self.above.sum())
        self.size = 1.0 + np.abs(right).max(axis=1, initial=0.0)
        self.done = np.zeros(frames, dtype=bool)

    def step(self) -> bool:
        """One step of all frames that are not done; False where none is left."""
        todo = np.flatnonzero(~self.done)
        if not len(todo):
            return False
        x, price, push, pull = self.x[todo], self.price[todo], self.push[todo], self.pull[todo]
        rows = self.rows[todo]
        size = np.abs(x)
        slope = self.exponent * np.sign(x) * size ** (self.exponent - 1.0)
        bend = self.exponent * (self.exponent - 1.0) * np.maximum(size, 1e-6) ** (self.exponent - 2.0)
        low, high = self._gaps(x)
        missing = self.right[todo] - (rows @ x[:, :, None])[:, :, 0]
        uphill = slope - (price[:, None, :] @ rows)[:, 0]
        gap = self._gap(push, pull, low, high)
        allowed = TOLERANCE * (1.0 + (size**self.exponent).sum(axis=1) / max(self.bounds, 1))
        still = uphill - push + pull
        over = (np.abs(missing).max(axis=1) <= TOLERANCE * self.size[todo]) & (gap <= allowed)
        over &= np.abs(still).max(axis=1) <= 1e-7 * (1.0 + np.abs(slope).max(axis=1))
        self.done[todo[over]] = True
        if over.all():
            return False
        weight = bend + push / low + pull / high
        weighted = rows / weight[:, None, :]
        normal = weighted @ rows.transpose(0, 2, 1)
        normal += 1e-15 * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(self.equations)

        def direction(aim_low: np.ndarray, aim_high: np.ndarray) -> tuple[np.ndarray, ...]:
            residual = -uphill + aim_low / low - aim_high / high
            right = missing - (weighted @ residual[:, :, None])[:, :, 0]
            d_price = np.linalg.solve(normal, right[:, :, None])[:, :, 0]
            d_x = ((d_price[:, None, :] @ rows)[:, 0] + residual) / weight
            d_push = np.where(self.below, (aim_low - push * d_x) / low - push, 0.0)
            d_pull = np.where(self.above, (aim_high + pull * d_x) / high - pull, 0.0)
            return d_x, d_price, d_push, d_pull

        zero = np.zeros_like(x)
        d_x, _, d_push, d_pull = direction(zero, zero)
        far = self._reach(x, d_x, push, d_push, pull, d_pull, 1.0)
        ahead = self._gap(push + far * d_push, pull + far * d_pull, *self._gaps(x + far * d_x))
        aim = (np.clip(ahead / np.maximum(gap, _FLOOR**2), 0.0, 1.0) ** 3 * gap)[:, None]
        d_x, d_price, d_push, d_pull = direction(
            np.where(self.below, aim - d_push * d_x, 0.0), np.where(self.above, aim + d_pull * d_x, 0.0)
        )
        far = self._reach(x, d_x, push, d_push, pull, d_pull, _STAY_INSIDE)
        far = np.where(over[:, None], 0.0, far)
        self.x[todo] = x + far * d_x
        self.price[todo] = price + far * d_price
        self.push[todo], self.pull[todo] = push + far * d_push, pull + far * d_pull
        return True

    def _gaps(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        low = np.where(self.below, np.maximum(x - self.least, _FLOOR), 1.0)
        return low, np.where(self.above, np.maximum(self.most - x, _FLOOR), 1.0)

    def _gap(self, push: np.ndarray, pull: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Mean of the bounds' products, (t,)."""
        return ((push * low + pull * high) @ np.ones(push.shape[1])) / max(self.bounds, 1)

    def _reach(
        self,
        x: np.ndarray,
        d_x: np.ndarray,
        push: np.ndarray,
        d_push: np.ndarray,
        pull: np.ndarray,
        d_pull: np.ndarray,
        share: float,
    ) -> np.ndarray:
        """(t, 1): how far a step may go inside all bounds."""
        low, high = self._gaps(x)
        parts = [(low, np.where(self.below, d_x, 0.0)), (high, np.where(self.above, -d_x, 0.0))]
        parts += [(push, d_push), (pull, d_pull)]
        most = np.ones(len(x))
        for value, change in parts:
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = np.where(change < 0.0, -value / change, np.inf)
            most = np.minimum(most, share * ratio.min(axis=1))
        return most[:, None]
