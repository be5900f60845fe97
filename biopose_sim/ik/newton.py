"""Compiled bounded Newton method, frame after frame, each starting from the frames before it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from biopose_sim.ik.kernel import GAUSS_NEWTON, NEWTON, _internal, _jit, cost_of, derive
from biopose_sim.ik.program import Array

COLD, WARM, OWN = 0, 1, 2
_BOUND_ROUNDS = 12
_FIRST_DAMPING, _MOST_NEWTON_DAMPING = 1e-6, 1e-2  # relative to the matrix diagonal
_LITTLE, _NOTHING = 1e-9, 1e-12  # expected decrease, relative and per marker weight [m^2], to stop after
_FLAT = 1e-11  # relative decrease of the cost that is none
_LEAP = 0.3  # change between frames [rad | m] that is no speed
_RELATIVE_FLOOR = 1e-13  # a smaller decrease of the cost is rounding


class StepSpace(NamedTuple):
    """Scratch arrays of the step computation."""

    active: NDArray[np.bool_]
    lower: Array
    step: Array
    damping: Array
    trial: Array
    border: Array


def step_space(n: int) -> StepSpace:
    """Allocate the scratch arrays for n coordinates."""
    return StepSpace(np.ones(n, dtype=bool), np.zeros((n, n)), *(np.zeros(n) for _ in range(4)))


@_jit
def factor(p, matrix, active, damping, lower):
    """Sparse Cholesky factor of matrix + diag(damping); rows that are not active become those of the identity.

    ``lower`` (n, n) holds column j of the factor in its row j. Returns False when it is not positive definite.
    """
    n = p.n_free
    for j in range(n):
        lower[j, j] = matrix[j, j] + damping[j] if active[j] else 1.0
        for a in range(p.fill_ptr[j], p.fill_ptr[j + 1]):
            i = p.fill[a]
            lower[j, i] = matrix[i, j] if active[i] and active[j] else 0.0
    for j in range(n):
        pivot = lower[j, j]
        if not pivot > 1e-14 * (abs(matrix[j, j]) + damping[j]):
            return False
        root = np.sqrt(pivot)
        lower[j, j] = root
        first, last = p.fill_ptr[j], p.fill_ptr[j + 1]
        for a in range(first, last):
            lower[j, p.fill[a]] /= root
        for a in range(first, last):
            i = p.fill[a]
            factor_i = lower[j, i]
            if factor_i != 0.0:
                for b in range(a, last):
                    k = p.fill[b]
                    lower[i, k] -= factor_i * lower[j, k]
    return True


@_jit
def solve_factored(p, lower, right):
    """Overwrite ``right`` (n,) with the solution of L L^T x = right."""
    n = p.n_free
    for j in range(n):
        right[j] /= lower[j, j]
        for a in range(p.fill_ptr[j], p.fill_ptr[j + 1]):
            right[p.fill[a]] -= lower[j, p.fill[a]] * right[j]
    for j in range(n - 1, -1, -1):
        total = right[j]
        for a in range(p.fill_ptr[j], p.fill_ptr[j + 1]):
            total -= lower[j, p.fill[a]] * right[p.fill[a]]
        right[j] = total / lower[j, j]


@_jit
def inverse_diagonal(p, matrix, damping):
    """Diagonal of (matrix + diag(damping))^-1, shape (n,); infinite when it is not positive definite."""
    n = p.n_free
    diagonal = np.full(n, np.inf)
    lower = np.zeros((n, n))
    if factor(p, matrix, np.ones(n, dtype=np.bool_), damping, lower):
        for k in range(n):
            column = np.zeros(n)
            column[k] = 1.0
            solve_factored(p, lower, column)
            diagonal[k] = column[k]
    return diagonal


@_internal
def _bounded_solution(p, q, g, matrix, low, high, s):
    """Fill ``s.step`` with the step of the quadratic model inside the bounds; the factor is of ``s.active``.

    Coordinates that would leave their range are put on its border and the others solved again. Returns False when
    the factorisation fails.
    """
    n = p.n_free
    for _ in range(_BOUND_ROUNDS):
        for j in range(n):
            s.step[j] = -g[j] if s.active[j] else 0.0
        for k in range(n):
            if s.border[k] != 0.0:
                for j in range(n):
                    if s.active[j]:
                        s.step[j] -= (matrix[j, k] if j > k else matrix[k, j]) * s.border[k]
        solve_factored(p, s.lower, s.step)
        kept = True
        for j in range(n):
            if not s.active[j]:
                s.step[j] = s.border[j]
            elif q[j] + s.step[j] < low[j] - 1e-12 or q[j] + s.step[j] > high[j] + 1e-12:
                s.border[j] = (low[j] if s.step[j] < 0.0 else high[j]) - q[j]
                s.active[j] = False
                kept = False
        if kept:
            return True
        if not factor(p, matrix, s.active, s.damping, s.lower):
            return False
    return True


@_internal
def _newton_step(p, q, target, weights, goal, goal_weight, low, high, movable, floor, extra, w, s):
    """Newton step where its matrix allows it, else Gauss-Newton; coordinates pressed against a bound are held.

    ``w`` holds gradient and Newton matrix at q. Returns whether it is a Newton step, and the damping it took.
    """
    n = p.n_free
    g = w.gradient
    newton = True
    more = extra
    while True:
        for j in range(n):
            pressed = (q[j] <= low[j] and g[j] > 0.0) or (q[j] >= high[j] and g[j] < 0.0)
            s.active[j] = movable[j] and not pressed
            s.border[j] = 0.0
            s.damping[j] = floor[j] + more * (abs(w.matrix[j, j]) + floor[j])
        if factor(p, w.matrix, s.active, s.damping, s.lower) and _bounded_solution(p, q, g, w.matrix, low, high, s):
            return newton, more
        if newton and 0.0 < more < _MOST_NEWTON_DAMPING:
            more *= 10.0
        elif newton:
            newton = False
            more = extra
            derive(p, q, target, weights, goal, goal_weight, GAUSS_NEWTON, w)
        else:
            more = max(10.0 * more, 1e-9)


@_internal
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
    nothing = 0.0
    for m in range(len(weights)):
        nothing += _NOTHING * weights[m]
    extra = 0.0
    iteration = 0
    converged = accepted = False
    while iteration < max_iterations and not converged:
        newton = accepted = False
        expected = largest = new_cost = 0.0
        for _ in range(40):
            if not newton:
                derive(p, q, target, weights, goal, goal_weight, NEWTON, w)
            newton, extra = _newton_step(
                p, q, target, weights, goal, goal_weight, low, high, movable, floor, extra, w, s
            )
            largest = 0.0
            expected = 0.0
            for j in range(n):
                d = min(max(s.step[j], -most_turn[j]), most_turn[j])
                s.trial[j] = min(max(q[j] + d, low[j]), high[j])
                largest = max(largest, abs(s.trial[j] - q[j]))
                expected -= w.gradient[j] * (s.trial[j] - q[j])
            converged = largest <= tolerance
            if converged:
                break
            new_cost = cost_of(p, s.trial, target, weights, goal, goal_weight, w)
            accepted = new_cost <= cost + _RELATIVE_FLOOR * cost
            # Where the cost is flat to rounding, nothing is left to gain.
            converged = not accepted and 0.0 <= expected <= _FLAT * cost
            if accepted or converged:
                break
            extra = max(10.0 * extra, _FIRST_DAMPING)
            cost_of(p, q, target, weights, goal, goal_weight, w)
        if not accepted:
            break
        gain = cost - new_cost
        for j in range(n):
            q[j] = s.trial[j]
        cost = new_cost
        iteration += 1
        # Newton converges quadratically: after a step this small the next is far below the tolerance.
        converged = newton and extra <= _FIRST_DAMPING and largest <= 100.0 * tolerance
        converged = converged or expected <= _LITTLE * cost + nothing
        if gain > 0.3 * expected:
            extra = 0.0 if extra <= _FIRST_DAMPING else extra * 0.1
    if not accepted:
        cost = cost_of(p, q, target, weights, goal, goal_weight, w)
    return cost, iteration, converged


@_internal
def _extrapolate(p, q, previous, before, target, weights, goal, goal_weight, low, high, w, s):
    """Go on from the previous pose q at the speed of the two frames before, where that fits better."""
    for j in range(p.n_free):
        change = previous[j] - before[j]
        s.trial[j] = min(max(q[j] + (change if abs(change) < _LEAP else 0.0), low[j]), high[j])
    rest = cost_of(p, q, target, weights, goal, goal_weight, w)
    if cost_of(p, s.trial, target, weights, goal, goal_weight, w) < rest:
        for j in range(p.n_free):
            q[j] = s.trial[j]


@_jit
def solve_frames(
    p, coordinates, targets, visible, weights, goals, goal_weight, tie, low, high, movable, most_turn, floor,
    tolerance, max_iterations, order, warm, cost, iterations, converged, points, w, s,
):  # fmt: skip
    """Solve frames in ``order``, each started from those solved before it.

    Args:
        coordinates: (T, n_free), written; row ``order[0]`` is the start.
        targets: (T, M, 3) [m]; a marker counts where ``visible`` (T, M).
        weights: (M,).
        goals: (T or 1, n_free) wanted values with ``goal_weight`` (n_free,), relative to the frame's marker weight.
        tie: (n_free,) weight, like ``goal_weight``, of a pull to the frame solved before; not part of ``cost``.
        order: frames to solve, neighbours in sequence.
        warm: COLD, WARM (frame ``order[0]`` is only a start and stays as it is) or OWN (each from its own row).
    """
    n = p.n_free
    frame_weights = np.empty(len(weights))
    frame_goal_weight = np.empty(n)
    frame_goal = np.empty(n)
    frame_floor = np.empty(n)
    q = np.empty(n)
    previous = -1
    before = -1
    for step in range(len(order)):
        frame = order[step]
        if step == 0 and warm == WARM:
            previous = frame
            continue
        if warm == OWN:
            previous = before = -1
        total = 0.0
        for m in range(len(weights)):
            frame_weights[m] = weights[m] if visible[frame, m] else 0.0
            total += frame_weights[m]
        start = frame if previous < 0 else previous
        goal_row = frame if goals.shape[0] > 1 else 0
        tied = False
        for j in range(n):
            q[j] = coordinates[start, j]
            frame_floor[j] = floor[j] * total
            frame_goal[j] = goals[goal_row, j]
            frame_goal_weight[j] = goal_weight[j] * total
            if previous >= 0 and tie[j] > 0.0:
                # Two pulls are one, towards the mean of their goals.
                tied = True
                both = goal_weight[j] + tie[j]
                frame_goal[j] = (goal_weight[j] * goals[goal_row, j] + tie[j] * coordinates[previous, j]) / both
                frame_goal_weight[j] = both * total
        if total > 0.0:
            if before >= 0:
                _extrapolate(
                    p, q, coordinates[previous], coordinates[before], targets[frame], frame_weights,
                    frame_goal, frame_goal_weight, low, high, w, s,
                )  # fmt: skip
            c, it, ok = solve_frame(
                p, q, targets[frame], frame_weights, frame_goal, frame_goal_weight, low, high, movable,
                most_turn, frame_floor, tolerance, max_iterations, w, s,
            )  # fmt: skip
        else:
            c, it, ok = cost_of(p, q, targets[frame], frame_weights, frame_goal, frame_goal_weight, w), 0, True
        if tied:
            for j in range(n):
                frame_goal_weight[j] = goal_weight[j] * total
            c = cost_of(p, q, targets[frame], frame_weights, goals[goal_row], frame_goal_weight, w)
        cost[frame], iterations[frame], converged[frame] = c, it, ok
        for j in range(n):
            coordinates[frame, j] = q[j]
        for m in range(points.shape[1]):
            for i in range(3):
                points[frame, m, i] = w.points[m, i]
        before = previous
        previous = frame


@_jit
def refresh_frames(p, q, targets, visible, weights, goals, goal_weight, cost, points, w):
    """Cost and marker points of each frame for the coordinates q (T, n_free), as :func:`solve_frames` leaves them."""
    seen = np.empty(len(weights))
    for t in range(len(q)):
        total = 0.0
        for m in range(len(weights)):
            seen[m] = weights[m] if visible[t, m] else 0.0
            total += seen[m]
        goal = goals[t if len(goals) > 1 else 0]
        cost[t] = cost_of(p, q[t], targets[t], seen, goal, goal_weight * total, w)
        points[t] = w.points
