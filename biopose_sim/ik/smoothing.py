"""Temporal smoothness: one banded Gauss-Newton problem over all frames of a trial.

Minimises sum_t cost_t(q_t) / (marker weight of frame t) + s * sum_t |q_{t+1} - 2 q_t + q_{t-1}|^2. Coordinates that the
markers determine well hardly change; those that they determine badly, or not at all in a gap, are taken from
the frames around. Long trials go in overlapping windows, so that memory stays bounded.
"""

from __future__ import annotations

import numpy as np

from biopose_sim.ik.cpu import CpuEngine, Sweep
from biopose_sim.ik.kernel import GAUSS_NEWTON, _jit, cost_of, derive, workspace
from biopose_sim.ik.types import Array, BoolArray

REFERENCE_RATE = 100.0  # [Hz] at which IKConfig.smoothness is stated
_WINDOW, _OVERLAP = 512, 64
_ROUNDS, _BOUND_ROUNDS = 10, 3
_SMALL_STEP = 1e-5  # [rad | m] at which a window is solved
_DAMPING = 1e-9


def smooth(engine: CpuEngine, sweep: Sweep) -> None:
    """Make the solved sweep (changed in place) the minimum of marker misfit and roughness together.

    Frames before the first and after the last measured one hold the nearest solution.
    """
    seen = np.flatnonzero(engine.problem.visible @ engine.problem.weights > 0.0)
    if len(seen) < 3:
        return
    first, last = int(seen[0]), int(seen[-1]) + 1
    weight = engine.problem.config.smoothness * (engine.problem.trial.rate / REFERENCE_RATE) ** 4
    for start in range(first, last, _WINDOW):
        _Window(
            engine, sweep, (first, last), (max(first, start - _OVERLAP), min(last, start + _WINDOW + _OVERLAP)), weight
        ).solve()
    sweep.coordinates[:first] = sweep.coordinates[first]
    sweep.coordinates[last:] = sweep.coordinates[last - 1]
    engine.refresh(sweep)


class _Window:
    """Frames [a, b) of a sweep, the frames beside them held."""

    def __init__(
        self, engine: CpuEngine, sweep: Sweep, trial: tuple[int, int], window: tuple[int, int], weight: float
    ) -> None:
        self.engine, self.sweep, self.weight = engine, sweep, weight
        self.a, self.b = window
        self.before, self.after = max(trial[0], self.a - 2), min(trial[1], self.b + 2)
        self.n = engine.program.n_free
        self.stencil = _stencil(self.after - self.before)[:, self.a - self.before : self.b - self.before]
        self.work = workspace(engine.program)

    def solve(self) -> None:
        """Gauss-Newton with halved steps, until no coordinate moves any more."""
        count = self.b - self.a
        q = self.sweep.coordinates[self.a : self.b].copy()
        gradient, matrix = np.zeros((count, self.n)), np.zeros((count, self.n, self.n))
        cost = self._cost(q)
        moved = np.inf
        rounds = 0
        while moved > _SMALL_STEP and rounds < _ROUNDS:
            rounds += 1
            self._derive(q, gradient, matrix)
            step = self._step(q, gradient, matrix)
            q, cost, moved = self._move(q, step, cost)
        self.sweep.coordinates[self.a : self.b] = q
        self.sweep.converged[self.a : self.b] = moved < 100.0 * _SMALL_STEP
        self.sweep.iterations[self.a : self.b] += rounds

    def _move(self, q: Array, step: Array, cost: float) -> tuple[Array, float, float]:
        p = self.engine.problem
        for _ in range(8):
            candidate = np.clip(q + np.clip(step, -p.largest, p.largest), p.low, p.high)
            new = self._cost(candidate)
            if new < cost:
                return candidate, new, float(np.abs(candidate - q).max())
            step = 0.5 * step
        return q, cost, 0.0

    def _arguments(self) -> tuple:
        p = self.engine.problem
        here = slice(self.a, self.b)
        goals = p.goals[here] if len(p.goals) > 1 else p.goals
        return p.targets[here], p.visible[here], p.weights, goals, p.goal_weight

    def _bends(self, q: Array) -> Array:
        """Second differences that the window takes part in, shape (frames - 2, n)."""
        around = self.sweep.coordinates[self.before : self.after].copy()
        around[self.a - self.before : self.b - self.before] = q
        return np.diff(around, n=2, axis=0)

    def _cost(self, q: Array) -> float:
        costs = np.zeros(len(q))
        _frame_costs(self.engine.program, q, *self._arguments(), costs, self.work)
        return float(costs.sum() + self.weight * (self._bends(q) ** 2).sum())

    def _derive(self, q: Array, gradient: Array, matrix: Array) -> None:
        _frame_matrices(self.engine.program, q, *self._arguments(), gradient, matrix, self.work)
        bends = self._bends(q)
        along = np.zeros((len(bends) + 2, self.n))
        along[:-2] += bends
        along[1:-1] -= 2.0 * bends
        along[2:] += bends
        gradient += 2.0 * self.weight * along[self.a - self.before : self.b - self.before]

    def _step(self, q: Array, gradient: Array, matrix: Array) -> Array:
        """The step of the quadratic model inside the bounds; what would leave them is put on the border."""
        p = self.engine.problem
        held = ((q <= p.low) & (gradient > 0.0)) | ((q >= p.high) & (gradient < 0.0))
        border = np.zeros_like(q)
        for _ in range(_BOUND_ROUNDS):
            step = self._solve(np.where(held, border, -gradient), matrix, held)
            target = np.clip(q + step, p.low, p.high)
            outside = ~held & (np.abs(target - q - step) > 1e-9)
            if not outside.any():
                break
            border[outside] = (target - q)[outside]
            held |= outside
        return target - q

    def _solve(self, right: Array, matrix: Array, held: BoolArray) -> Array:
        """Solve with the held unknowns at the values that ``right`` gives for them."""
        damping = _DAMPING
        while True:
            band = np.zeros((right.size, 2 * self.n + 1))
            solution = right.copy()
            _fill_band(band, matrix, 2.0 * self.weight * self.stencil, held, damping, solution)
            if _solve_band(band, solution.reshape(-1)):
                return solution
            damping *= 100.0


def _stencil(count: int) -> Array:
    """Lower diagonals 0, 1, 2 of the Gram matrix of second differences over ``count`` frames, (3, count)."""
    pattern = np.array([1.0, -2.0, 1.0])
    diagonals = np.zeros((3, count))
    for offset in range(3):
        for i in range(3 - offset):
            diagonals[offset, i : count - 2 + i] += pattern[i] * pattern[i + offset]
    return diagonals


@_jit
def _frame_costs(p, q, targets, visible, weights, goals, goal_weight, costs, w):
    """Cost of each frame per marker weight."""
    seen = np.empty(len(weights))
    for t in range(len(q)):
        total = 0.0
        for m in range(len(weights)):
            seen[m] = weights[m] if visible[t, m] else 0.0
            total += seen[m]
        goal = goals[t if len(goals) > 1 else 0]
        if total > 0.0:
            costs[t] = cost_of(p, q[t], targets[t], seen, goal, goal_weight * total, w) / total
        else:
            costs[t] = 0.0


@_jit
def _frame_matrices(p, q, targets, visible, weights, goals, goal_weight, gradient, matrix, w):
    """Gradient and Gauss-Newton matrix (lower triangle) of each frame per marker weight."""
    seen = np.empty(len(weights))
    n = p.n_free
    for t in range(len(q)):
        total = 0.0
        for m in range(len(weights)):
            seen[m] = weights[m] if visible[t, m] else 0.0
            total += seen[m]
        if total == 0.0:
            gradient[t] = 0.0
            matrix[t] = 0.0
            continue
        goal = goals[t if len(goals) > 1 else 0]
        cost_of(p, q[t], targets[t], seen, goal, goal_weight * total, w)
        derive(p, q[t], targets[t], seen, goal, goal_weight * total, GAUSS_NEWTON, w)
        for i in range(n):
            gradient[t, i] = w.gradient[i] / total
            for j in range(i + 1):
                matrix[t, i, j] = w.matrix[j, i] / total


@_jit
def _couple(band, right, held, t, i, u, j, value, n):
    """Enter one element below the diagonal; one that meets a held unknown moves to the right-hand side."""
    if held[t, i] and held[u, j]:
        return
    if held[u, j]:
        right[t, i] -= value * right[u, j]
    elif held[t, i]:
        right[u, j] -= value * right[t, i]
    else:
        band[u * n + j, (t - u) * n + i - j] += value


@_jit
def _fill_band(band, matrix, stencil, held, damping, right):
    """Lower band of the block-pentadiagonal matrix; rows of held unknowns become those of the identity."""
    count, n = held.shape
    for t in range(count):
        for j in range(n):
            if held[t, j]:
                band[t * n + j, 0] = 1.0
            else:
                band[t * n + j, 0] = matrix[t, j, j] * (1.0 + damping) + stencil[0, t] + 1e-3 * damping
            for i in range(j + 1, n):
                _couple(band, right, held, t, i, t, j, matrix[t, i, j], n)
            for step in range(1, min(3, count - t)):
                _couple(band, right, held, t + step, j, t, j, stencil[step, t], n)


@_jit
def _solve_band(band, right):
    """Overwrite ``right`` with the solution; row j of ``band`` holds column j of the matrix, then of its factor.

    LAPACK's banded solver is as fast on a quiet machine, but its threads make it 100 times slower on a busy one.
    """
    size, width = band.shape
    for j in range(size):
        column = band[j]
        if not column[0] > 0.0:
            return False
        count = min(width, size - j)
        scale = 1.0 / np.sqrt(column[0])
        for a in range(count):
            column[a] *= scale
        right[j] *= scale
        for a in range(1, count):
            factor = column[a]
            if factor != 0.0:
                right[j + a] -= factor * right[j]
                row = band[j + a]
                for b in range(count - a):
                    row[b] -= factor * column[a + b]
    for j in range(size - 1, -1, -1):
        total = right[j]
        for a in range(1, min(width, size - j)):
            total -= band[j, a] * right[j + a]
        right[j] = total / band[j, 0]
    return True
