"""Compiled bounded Newton method, frame after frame, each starting from the frames before it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from biopose_sim.ik.kernel import _jit, cost_of, derive
from biopose_sim.ik.program import Array

_RELATIVE_FLOOR = 1e-13  # a smaller decrease of the cost is rounding


class StepSpace(NamedTuple):
    """Scratch arrays of the step computation."""

    index: NDArray[np.int64]
    lower: Array
    step: Array
    matrix: Array
    damping: Array
    trial: Array


def step_space(n: int) -> StepSpace:
    """Allocate the scratch arrays for n coordinates."""
    return StepSpace(
        np.zeros(n, dtype=np.int64), np.zeros((n, n)), np.zeros(n), np.zeros((n, n)), np.zeros(n), np.zeros(n)
    )


@_jit
def _factor(matrix, lower, index, count, damping):
    """Cholesky factor of matrix[index][:, index] + diag(damping); False when it is not positive definite."""
    for a in range(count):
        i = index[a]
        for b in range(a + 1):
            j = index[b]
            total = matrix[i, j]
            if a == b:
                total += damping[i]
                scale = abs(total)
            for c in range(b):
                total -= lower[a, c] * lower[b, c]
            if a == b:
                if total <= 1e-14 * scale or total <= 0.0:
                    return False
                lower[a, a] = np.sqrt(total)
            else:
                lower[a, b] = total / lower[b, b]
    return True


@_jit
def _solve(lower, index, count, gradient, step):
    """step[index] = -(L L^T)^-1 gradient[index]."""
    for a in range(count):
        total = -gradient[index[a]]
        for b in range(a):
            total -= lower[a, b] * step[index[b]]
        step[index[a]] = total / lower[a, a]
    for a in range(count - 1, -1, -1):
        total = step[index[a]]
        for b in range(a + 1, count):
            total -= lower[b, a] * step[index[b]]
        step[index[a]] = total / lower[a, a]


@_jit
def _active(q, gradient, low, high, movable, index):
    """Indices of the coordinates that may move; those pressed against a bound stay."""
    count = 0
    for j in range(len(q)):
        if not movable[j]:
            continue
        if (q[j] <= low[j] and gradient[j] > 0.0) or (q[j] >= high[j] and gradient[j] < 0.0):
            continue
        index[count] = j
        count += 1
    return count


@_jit
def _newton_step(w, q, low, high, movable, floor, extra, index, lower, step, matrix, damping):
    """Newton step where the matrix allows it, else Gauss-Newton; coordinates that would leave their range and
    start at its edge are held. Returns whether it is a Newton step."""
    n = len(q)
    count = _active(q, w.gradient, low, high, movable, index)
    newton = True
    while True:
        for j in range(n):
            step[j] = 0.0
            damping[j] = floor[j] + extra * (w.gauss[j, j] + floor[j])
        newton = True
        for i in range(n):
            for j in range(n):
                matrix[i, j] = w.gauss[i, j] + w.curvature[i, j]
        if not _factor(matrix, lower, index, count, damping):
            newton = False
            more = 1.0
            while not _factor(w.gauss, lower, index, count, damping):
                for j in range(n):
                    damping[j] += more * (1e-9 * w.gauss[j, j] + floor[j])
                more *= 10.0
        _solve(lower, index, count, w.gradient, step)
        kept = 0
        for a in range(count):
            j = index[a]
            if not ((q[j] <= low[j] and step[j] < 0.0) or (q[j] >= high[j] and step[j] > 0.0)):
                index[kept] = j
                kept += 1
        if kept == count:
            return newton
        count = kept


@_jit
def solve_frame(
    p, q, target, weights, goal, goal_weight, low, high, movable, most_turn, floor, tolerance, max_iterations, w, s
):
    """Minimise from q (changed in place). Returns cost, iterations and whether it converged.

    ``floor`` (n_free,) is the least damping, tiny against any curvature that markers cause: it keeps coordinates
    that nothing determines where they are.
    """
    n = p.n_free
    for j in range(n):
        q[j] = min(max(q[j], low[j]), high[j])
    cost = cost_of(p, q, target, weights, goal, goal_weight, w)
    extra = 0.0
    for iteration in range(max_iterations):
        derive(p, q, target, weights, goal, goal_weight, w)
        accepted = False
        for _ in range(40):
            newton = _newton_step(w, q, low, high, movable, floor, extra, s.index, s.lower, s.step, s.matrix, s.damping)
            largest = 0.0
            expected = 0.0
            for j in range(n):
                d = min(max(s.step[j], -most_turn[j]), most_turn[j])
                s.trial[j] = min(max(q[j] + d, low[j]), high[j])
                largest = max(largest, abs(s.trial[j] - q[j]))
                expected -= w.gradient[j] * (s.trial[j] - q[j])
            if largest <= tolerance:
                return cost_of(p, q, target, weights, goal, goal_weight, w), iteration, True
            new_cost = cost_of(p, s.trial, target, weights, goal, goal_weight, w)
            if new_cost <= cost + _RELATIVE_FLOOR * cost:
                accepted = True
                break
            if expected <= 1e-11 * cost:
                # The cost is flat to rounding: nothing is left to gain.
                return cost_of(p, q, target, weights, goal, goal_weight, w), iteration, True
            extra = 1e-4 if extra == 0.0 else extra * 10.0
        if not accepted:
            return cost_of(p, q, target, weights, goal, goal_weight, w), iteration, False
        gain = cost - new_cost
        for j in range(n):
            q[j] = s.trial[j]
        cost = new_cost
        if newton and extra == 0.0 and largest <= 100.0 * tolerance:
            # Newton converges quadratically: the next step would be far below the tolerance.
            return cost, iteration + 1, True
        if gain > 0.25 * expected:
            extra = 0.0 if extra < 1e-3 else extra * 0.1
    return cost, max_iterations, False


@_jit
def solve_frames(
    p, coordinates, targets, weights, goals, goal_weight, low, high, movable, most_turn, floor, tolerance,
    max_iterations, order, warm, cost, iterations, converged, points, w, s,
):  # fmt: skip
    """Solve frames in ``order``, each started from those solved before it.

    Args:
        coordinates: (T, n_free), written; row ``order[0]`` is the start unless ``warm`` frames are given.
        targets: (T, M, 3) [m]; a NaN marker does not count.
        weights: (M,).
        goals: (T or 1, n_free) wanted values with ``goal_weight`` (n_free,), relative to the frame's marker weight.
        order: frames to solve, neighbours in sequence.
        warm: whether frame ``order[0]`` is only a start and stays as it is.
    """
    n = p.n_free
    frame_weights = np.empty(len(weights))
    frame_goal_weight = np.empty(n)
    frame_floor = np.empty(n)
    q = np.empty(n)
    previous = -1
    before = -1
    for step in range(len(order)):
        frame = order[step]
        if step == 0 and warm:
            previous = frame
            continue
        total = 0.0
        for m in range(len(weights)):
            seen = targets[frame, m, 0] + targets[frame, m, 1] + targets[frame, m, 2]
            frame_weights[m] = weights[m] if np.isfinite(seen) else 0.0
            total += frame_weights[m]
        for j in range(n):
            frame_goal_weight[j] = goal_weight[j] * total
            frame_floor[j] = floor[j] * total
        start = frame if previous < 0 else previous
        for j in range(n):
            q[j] = coordinates[start, j]
        if before >= 0:
            # Constant velocity is a better start than rest, unless the last step was a leap.
            for j in range(n):
                change = coordinates[previous, j] - coordinates[before, j]
                if abs(change) < 0.3:
                    q[j] += change
        goal_row = frame if goals.shape[0] > 1 else 0
        if total > 0.0:
            c, it, ok = solve_frame(
                p, q, targets[frame], frame_weights, goals[goal_row], frame_goal_weight, low, high, movable,
                most_turn, frame_floor, tolerance, max_iterations, w, s,
            )  # fmt: skip
        else:
            for j in range(n):
                q[j] = coordinates[start, j]
            c, it, ok = cost_of(p, q, targets[frame], frame_weights, goals[goal_row], frame_goal_weight, w), 0, True
        cost[frame], iterations[frame], converged[frame] = c, it, ok
        for j in range(n):
            coordinates[frame, j] = q[j]
        for m in range(points.shape[1]):
            for i in range(3):
                points[frame, m, i] = w.points[m, i]
        before = previous
        previous = frame
