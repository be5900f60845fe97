"""Compiled bounded Newton method, frame after frame, each starting from the frames before it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from biopose_sim.ik.cholesky import factor, solve_factored
from biopose_sim.ik.kernel import GAUSS_NEWTON, NEWTON, _internal, _jit, cost_of, derive, slope_of
from biopose_sim.ik.program import Array, Program

COLD, WARM, OWN = 0, 1, 2
_BOUND_ROUNDS = 12
_FIRST_DAMPING, _MOST_NEWTON_DAMPING = 1e-6, 1e-2  # relative to the matrix diagonal
_LITTLE, _NOTHING = 1e-9, 1e-12  # expected decrease, relative and per marker weight [m^2], to stop after
_FLAT = 1e-11  # relative decrease of the cost that is none
_LEAP = 0.3  # change between frames [rad | m] that is no speed
_RELATIVE_FLOOR = 1e-13  # a smaller decrease of the cost is rounding
_CHORDS = 3  # steps with one factor before it is made anew
_CONTRACTION = 0.2  # slower ones are not worth it
_LEAST_RATE = 0.1  # believed of one step
_MOST_BLUNT, _SHARPEN = 3, 8  # iterations without a look at the curvature; frames after which it is looked at again
_LIKELY = 2.0  # times the cost of the frame before that an extrapolated pose may have to be taken unseen


class StepSpace(NamedTuple):
    """Scratch arrays of the step computation.

    ``blunt`` (2,) counts the first iterations of a frame in which the Newton matrix was of no use in the frames before
    (the measured markers lie too far from where the motion led), and frames.
    """

    active: NDArray[np.bool_]
    lower: Array
    front: Array
    step: Array
    damping: Array
    trial: Array
    border: Array
    blunt: NDArray[np.int64]


def step_space(program: Program) -> StepSpace:
    """Allocate the scratch arrays for a program."""
    n, width = program.path.shape
    vectors = (np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n))
    return StepSpace(
        np.ones(n, dtype=bool), np.zeros((n, width)), np.zeros((width, width)), *vectors, np.zeros(2, np.int64)
    )


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
                        s.step[j] -= (matrix[j, k] if j < k else matrix[k, j]) * s.border[k]
        solve_factored(p, s.lower, s.front, s.step)
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
        if not factor(p, matrix, s.active, s.damping, s.lower, s.front):
            return False
    return True


@_internal
def _newton_step(p, q, target, weights, goal, goal_weight, low, high, movable, floor, newton, extra, w, s):
    """Newton step where its matrix allows it, else Gauss-Newton; coordinates pressed against a bound are held.

    ``w`` holds the gradient at q, and the Newton matrix if ``newton``, else that of Gauss-Newton. Returns whether it
    is a Newton step, and the damping it took.
    """
    n = p.n_free
    g = w.gradient
    more = extra
    while True:
        for j in range(n):
            pressed = (q[j] <= low[j] and g[j] > 0.0) or (q[j] >= high[j] and g[j] < 0.0)
            s.active[j] = movable[j] and not pressed
            s.border[j] = 0.0
            s.damping[j] = floor[j] + more * (abs(w.matrix[j, j]) + floor[j])
        definite = factor(p, w.matrix, s.active, s.damping, s.lower, s.front)
        if definite and _bounded_solution(p, q, g, w.matrix, low, high, s):
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
def _chord_steps(p, q, target, weights, goal, goal_weight, low, high, movable, tolerance, cost, length, w, s):
    """Go on with the factor of the last Newton matrix, at a third of the price, while that contracts fast.

    ``length`` is the largest change of the Newton step. ``w`` is of q before and after. Returns the cost, the number
    of steps and whether they converged: then what is left, as a geometric series, is below the tolerance.
    """
    n = p.n_free
    steps = 0
    while True:
        slope_of(p, q, target, weights, goal, goal_weight, w)
        g = w.gradient
        for j in range(n):
            pressed = (q[j] <= low[j] and g[j] > 0.0) or (q[j] >= high[j] and g[j] < 0.0)
            if s.active[j] == (pressed or not movable[j]):
                return cost, steps, False
            s.step[j] = -g[j] if s.active[j] else 0.0
        solve_factored(p, s.lower, s.front, s.step)
        largest = 0.0
        for j in range(n):
            s.trial[j] = q[j] + s.step[j]
            largest = max(largest, abs(s.step[j]))
            if s.trial[j] < low[j] or s.trial[j] > high[j]:
                return cost, steps, False
        rate = largest / length
        if rate > _CONTRACTION or largest * rate**_CHORDS > tolerance:
            return cost, steps, False
        new_cost = cost_of(p, s.trial, target, weights, goal, goal_weight, w)
        if new_cost > cost + _RELATIVE_FLOOR * cost:
            cost_of(p, q, target, weights, goal, goal_weight, w)
            return cost, steps, False
        for j in range(n):
            q[j] = s.trial[j]
        cost = new_cost
        steps += 1
        rate = max(rate, _LEAST_RATE)
        if largest * rate <= tolerance * (1.0 - rate):
            return cost, steps, True
        length = largest


@_internal
def solve_frame(
    p, q, target, weights, goal, goal_weight, low, high, movable, most_turn, floor, tolerance, max_iterations, cost,
    w, s,
):  # fmt: skip
    """Minimise from q (changed in place). Returns cost, iterations and whether it converged.

    ``floor`` (n_free,) is the least damping, tiny against any curvature that markers cause: it keeps coordinates
    that nothing determines where they are. ``cost`` is that of q, which ``w`` then is of, or negative if unknown.
    """
    n = p.n_free
    if cost < 0.0:
        for j in range(n):
            q[j] = min(max(q[j], low[j]), high[j])
        cost = cost_of(p, q, target, weights, goal, goal_weight, w)
    nothing = 0.0
    for m in range(len(weights)):
        nothing += _NOTHING * weights[m]
    extra = 0.0
    iteration = 0
    blunt = s.blunt[0]
    converged = accepted = False
    while iteration < max_iterations and not converged:
        newton = accepted = False
        expected = largest = new_cost = 0.0
        for _ in range(40):
            if not newton:
                sharp = iteration >= blunt
                derive(p, q, target, weights, goal, goal_weight, NEWTON if sharp else GAUSS_NEWTON, w)
                newton = sharp
            newton, extra = _newton_step(
                p, q, target, weights, goal, goal_weight, low, high, movable, floor, newton, extra, w, s
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
        if not newton and iteration == blunt < _MOST_BLUNT:
            blunt += 1
        gain = cost - new_cost
        for j in range(n):
            q[j] = s.trial[j]
        cost = new_cost
        iteration += 1
        # Newton converges quadratically: after a step this small the next is far below the tolerance.
        converged = newton and extra <= _FIRST_DAMPING and largest <= 100.0 * tolerance
        converged = converged or expected <= _LITTLE * cost + nothing
        if newton and extra == 0.0 and not converged and gain > 0.3 * expected:
            cost, steps, converged = _chord_steps(
                p, q, target, weights, goal, goal_weight, low, high, movable, tolerance, cost, largest, w, s
            )
            iteration += steps
        if gain > 0.3 * expected:
            extra = 0.0 if extra <= _FIRST_DAMPING else extra * 0.1
    if not accepted:
        cost = cost_of(p, q, target, weights, goal, goal_weight, w)
    s.blunt[1] += 1
    s.blunt[0] = max(blunt - 1, 0) if s.blunt[1] % _SHARPEN == 0 else blunt
    return cost, iteration, converged


@_internal
def _bend(p, coordinates, past):
    """How much of the last change of speed goes on: 0, 1/2 or 1, whatever would have foretold the last frame best."""
    if past[3] < 0:
        return 0.0
    straight = bent = both = 0.0
    for j in range(p.n_free):
        change = coordinates[past[0], j] - 2.0 * coordinates[past[1], j] + coordinates[past[2], j]
        before = coordinates[past[1], j] - 2.0 * coordinates[past[2], j] + coordinates[past[3], j]
        straight += change * change
        both += (change - 0.5 * before) ** 2
        bent += (change - before) ** 2
    if straight <= both and straight <= bent:
        return 0.0
    return 0.5 if both <= bent else 1.0


@_internal
def _extrapolate(p, q, coordinates, past, target, weights, goal, goal_weight, low, high, likely, w, s):
    """Go on from the last pose q with the speed and bend of the frames before it, where that fits better.

    ``past`` (4,) are the frames solved last, the latest first. Returns the cost of q, of which ``w`` then is. A
    cost up to ``likely`` is believed without comparison.
    """
    bend = _bend(p, coordinates, past)
    for j in range(p.n_free):
        change = coordinates[past[0], j] - coordinates[past[1], j]
        if past[2] >= 0:
            change += bend * (change - coordinates[past[1], j] + coordinates[past[2], j])
        s.trial[j] = min(max(q[j] + (change if abs(change) < _LEAP else 0.0), low[j]), high[j])
    moved = cost_of(p, s.trial, target, weights, goal, goal_weight, w)
    if moved > likely:
        rest = cost_of(p, q, target, weights, goal, goal_weight, w)
        if not moved < rest:
            return rest
        cost_of(p, s.trial, target, weights, goal, goal_weight, w)
    for j in range(p.n_free):
        q[j] = s.trial[j]
    return moved


@_jit
def solve_frames(
    p, coordinates, targets, visible, weights, goals, goal_weight, tie, low, high, movable, most_turn, floor,
    tolerance, max_iterations, order, warm, cost, iterations, converged, points, w, s,
):  # fmt: skip
    """Solve frames in ``order``, each started from those solved before it.

    Args:
        coordinates: (T, n_free), written; row ``order[0]`` is the start.
        targets: (T, M, 3) [m], or (1, M, 3) for all; a marker counts where ``visible`` (T or 1, M).
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
    past = np.full(4, -1)
    s.blunt[0] = s.blunt[1] = 0
    for step in range(len(order)):
        frame = order[step]
        if step == 0 and warm == WARM:
            past[0] = frame
            continue
        if warm == OWN:
            for k in range(4):
                past[k] = -1
        previous = past[0]
        total = 0.0
        row = frame if len(targets) > 1 else 0
        target = targets[row]
        for m in range(len(weights)):
            frame_weights[m] = weights[m] if visible[row, m] else 0.0
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
            at_start = -1.0
            if past[1] >= 0:
                at_start = _extrapolate(
                    p, q, coordinates, past, target, frame_weights, frame_goal, frame_goal_weight,
                    low, high, _LIKELY * cost[previous], w, s,
                )  # fmt: skip
            c, it, ok = solve_frame(
                p, q, target, frame_weights, frame_goal, frame_goal_weight, low, high, movable,
                most_turn, frame_floor, tolerance, max_iterations, at_start, w, s,
            )  # fmt: skip
        else:
            c, it, ok = cost_of(p, q, target, frame_weights, frame_goal, frame_goal_weight, w), 0, True
        if tied:
            for j in range(n):
                frame_goal_weight[j] = goal_weight[j] * total
            c = cost_of(p, q, target, frame_weights, goals[goal_row], frame_goal_weight, w)
        cost[frame], iterations[frame], converged[frame] = c, it, ok
        for j in range(n):
            coordinates[frame, j] = q[j]
        for m in range(points.shape[1]):
            for i in range(3):
                points[frame, m, i] = w.points[m, i]
        for k in range(3, 0, -1):
            past[k] = past[k - 1]
        past[0] = frame


@_jit
def refresh_frames(p, q, targets, visible, weights, goals, goal_weight, cost, points, w):
    """Cost and marker points of each frame for the coordinates q (T, n_free), as :func:`solve_frames` leaves them."""
    # Loops instead of array expressions and slices: they compile in a fraction of the time.
    seen = np.empty(len(weights))
    pull = np.empty(p.n_free)
    for t in range(len(q)):
        total = 0.0
        for m in range(len(weights)):
            seen[m] = weights[m] if visible[t, m] else 0.0
            total += seen[m]
        for j in range(p.n_free):
            pull[j] = goal_weight[j] * total
        cost[t] = cost_of(p, q[t], targets[t], seen, goals[t if len(goals) > 1 else 0], pull, w)
        for m in range(points.shape[1]):
            for i in range(3):
                points[t, m, i] = w.points[m, i]
