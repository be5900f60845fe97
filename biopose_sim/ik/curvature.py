"""Compiled looks at the curvature of the cost: how well markers determine the coordinates."""

from __future__ import annotations

import numpy as np

from biopose_sim.ik.cholesky import inverse_diagonal
from biopose_sim.ik.kernel import GAUSS_NEWTON, _jit, cost_of, derive

_DAMPING = 1e-9  # of the diagonal, so that what nothing determines gets a large variance instead of none


@_jit
def noise_variances(p, coordinates, targets, visible, weights, goals, goal_weight, w):
    """Variance of each coordinate for unit noise of every marker axis, (T, n_free): diagonal of the inverse curvature.

    Args:
        coordinates: (T, n_free).
        targets: (T, M, 3) [m]; a marker counts where ``visible`` (T, M).
        weights: (M,).
        goals: (T or 1, n_free) with ``goal_weight`` (n_free,), relative to the frame's marker weight.

    With weights w the covariance of weighted least squares is A^-1 (J^T W^2 J) A^-1; the weighted mean of the seen
    markers' weights stands for one W.
    """
    variances = np.empty(coordinates.shape)
    seen = np.empty(len(weights))
    pull = np.empty(p.n_free)
    damping = np.empty(p.n_free)
    lower, front = np.zeros(p.path.shape), np.zeros((p.path.shape[1], p.path.shape[1]))
    for t in range(len(coordinates)):
        total = squares = 0.0
        for m in range(len(weights)):
            seen[m] = weights[m] if visible[t, m] else 0.0
            total += seen[m]
            squares += seen[m] ** 2
        for j in range(p.n_free):
            pull[j] = goal_weight[j] * total
        goal = goals[t if len(goals) > 1 else 0]
        cost_of(p, coordinates[t], targets[t], seen, goal, pull, w)
        derive(p, coordinates[t], targets[t], seen, goal, pull, GAUSS_NEWTON, w)
        for j in range(p.n_free):
            damping[j] = _DAMPING * w.matrix[j, j] + 1e-30
        diagonal = inverse_diagonal(p, w.matrix, damping, lower, front)
        for j in range(p.n_free):
            variances[t, j] = diagonal[j] * squares / max(total, 1e-30)
    return variances


@_jit
def pivots(p, poses, weights, fixed, w):
    """Pivots of the markers' curvature, eliminated from the tree's root outwards, in each pose (T, n_free).

    They are what is left for a coordinate when all above it adapt. ``fixed`` (n_free,): coordinates that something
    else determines; their pivots are infinite.
    """
    n = p.n_free
    result = np.full(poses.shape, np.inf)
    nothing = np.zeros(n)
    targets = np.zeros((len(weights), 3))
    for t in range(len(poses)):
        cost_of(p, poses[t], targets, weights, nothing, nothing, w)
        derive(p, poses[t], targets, weights, nothing, nothing, GAUSS_NEWTON, w)
        largest = 1e-300
        for j in range(n):
            largest = max(largest, w.matrix[j, j])
        # Coordinates are ordered from the leaves to the root: the last one is eliminated first.
        for k in range(n - 1, -1, -1):
            if fixed[k]:
                continue
            pivot = w.matrix[k, k]
            result[t, k] = pivot
            if pivot > 1e-14 * largest:
                for i in range(k):
                    ratio = w.matrix[i, k] / pivot
                    for j in range(i + 1):
                        w.matrix[j, i] -= ratio * w.matrix[j, k]
    return result
