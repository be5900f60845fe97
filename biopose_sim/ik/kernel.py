"""Compiled inverse kinematics: the cost of one frame with its exact gradient and Hessian.

The cost is 1/2 sum_k w_k |x_k - y_k|^2 + 1/2 sum_j W_j (q_j - t_j)^2 over markers x and measured points y.
The Jacobian is never formed. With the point masses w_k of each subtree (mass m, first moment h = sum w x,
second moment T = sum w x x^T, force f = sum w r, and M = sum w x r^T with residual r = x - y), a joint motion
(a, v) with velocity v + a x x at a point x of ground gives

    gradient                  f . v + axial(M) . a
    Gauss-Newton, i above j   S_i . I_j S_j      with the subtree's spatial inertia I_j (Featherstone 2008, ch. 6)
    curvature, i above j      a_i . (v_j x f + M a_j - trace(M) a_j)

so the exact Newton matrix costs hardly more than the gradient. Functions of coordinates enter by the chain rule.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from biopose_sim.ik.vectors import BLOCK, set_rows
from biopose_sim.ik.workspace import Workspace, workspace

NEWTON, GAUSS_NEWTON = 1.0, 0.0  # which matrix :func:`derive` makes
__all__ = ["GAUSS_NEWTON", "NEWTON", "Workspace", "cost_of", "derive", "workspace"]

_FLAGS = {"reassoc", "contract", "arcp", "nsz"}
_OPTIONS: dict[str, Any] = {
    "cache": True,
    "fastmath": _FLAGS,
    "nogil": True,
    "error_model": "numpy",
    "boundscheck": False,
    "no_cfunc_wrapper": True,
}
_jit: Any = njit(**_OPTIONS)
# Called by compiled code only: without the wrappers for Python, whose many arguments take long to compile.
_internal: Any = njit(**{**_OPTIONS, "no_cpython_wrapper": True})
_inline: Any = njit(**_OPTIONS, inline="always")


@_inline
def _function(p, k, x):
    """Value, first and second derivative of function k at x."""
    if p.kind[k] == 0:
        return p.line[k, 0] + p.line[k, 1] * x, p.line[k, 1], 0.0
    if p.kind[k] == 2:
        a, omega, phase = p.sine[k, 0], p.sine[k, 1], p.sine[k, 2]
        s, c = np.sin(omega * x + phase), np.cos(omega * x + phase)
        return a * s + p.sine[k, 3], a * omega * c, -a * omega * omega * s
    t = p.table[k]
    piece = 0
    while piece < p.n_breaks[t] and x >= p.breaks[t, piece]:
        piece += 1
    dx = x - p.origins[t, piece]
    value = first = second = 0.0
    for d in range(p.coefficients.shape[2] - 1, -1, -1):
        second = second * dx + 2.0 * first
        first = first * dx + value
        value = value * dx + p.coefficients[t, piece, d]
    return value, first, second


@_internal
def evaluate_functions(p, q, values, slopes, bends, bends_single):
    """Values of couplers and operations with their derivatives.

    ``slopes`` (one per pattern element) are derivatives in the free coordinates. The second derivative in a and b
    is ``bends * dx_a * dx_b`` and, with one free coordinate, ``bends_single`` as a whole.
    """
    n_free = p.n_free
    for k in range(len(p.kind)):
        first_slot, last_slot = p.pattern_ptr[k], p.pattern_ptr[k + 1]
        for s in range(first_slot, last_slot):
            slopes[s] = 0.0
        x = 0.0
        argument_bend = 0.0
        for a in range(p.argument_ptr[k], p.argument_ptr[k + 1]):
            variable, weight = p.argument_variable[a], p.argument_weight[a]
            slot = p.slot_ptr[a]
            if variable < n_free:
                x += weight * q[variable]
                slopes[first_slot + p.slot[slot]] += weight
            else:
                c = variable - n_free
                x += weight * values[c]
                argument_bend += weight * bends_single[c]
                for i in range(p.pattern_ptr[c + 1] - p.pattern_ptr[c]):
                    slopes[first_slot + p.slot[slot + i]] += weight * slopes[p.pattern_ptr[c] + i]
        value, first, second = _function(p, k, x)
        values[k] = value
        bends[k] = second
        if last_slot - first_slot == 1:
            bends_single[k] = second * slopes[first_slot] ** 2 + first * argument_bend
        else:
            bends_single[k] = 0.0
        if first != 0.0:
            bends[k] = second / (first * first)
            for s in range(first_slot, last_slot):
                slopes[s] *= first
        else:
            bends[k] = 0.0
            for s in range(first_slot, last_slot):
                slopes[s] = 0.0


@_internal
def forward(p, values, rotations, positions, axes, moments, points):
    """Poses of the nodes, motion vectors of the operations, and marker points.

    ``axes`` and ``moments`` (n_operations, 3) hold the angular part and the velocity at ground's origin.
    """
    r = np.empty((3, 3))
    t = np.empty(3)
    for node in range(len(p.node_parent)):
        parent = p.node_parent[node]
        if parent < 0:
            for i in range(3):
                t[i] = 0.0
                for j in range(3):
                    r[i, j] = 1.0 if i == j else 0.0
        else:
            for i in range(3):
                t[i] = positions[parent, i]
                for j in range(3):
                    r[i, j] = rotations[parent, i, j]
        for op in range(p.operation_ptr[node], p.operation_ptr[node + 1]):
            for i in range(3):
                x, y, z = r[i, 0], r[i, 1], r[i, 2]
                t[i] += x * p.translation[op, 0] + y * p.translation[op, 1] + z * p.translation[op, 2]
                if p.turned[op]:
                    for j in range(3):
                        r[i, j] = x * p.rotation[op, 0, j] + y * p.rotation[op, 1, j] + z * p.rotation[op, 2, j]
            value = values[p.n_couplers + op]
            a0, a1, a2 = r[0, 2], r[1, 2], r[2, 2]
            if p.rotates[op]:
                axes[op, 0], axes[op, 1], axes[op, 2] = a0, a1, a2
                moments[op, 0] = t[1] * a2 - t[2] * a1
                moments[op, 1] = t[2] * a0 - t[0] * a2
                moments[op, 2] = t[0] * a1 - t[1] * a0
                s, c = np.sin(value), np.cos(value)
                for i in range(3):
                    x, y = r[i, 0], r[i, 1]
                    r[i, 0] = c * x + s * y
                    r[i, 1] = c * y - s * x
            else:
                axes[op, 0] = axes[op, 1] = axes[op, 2] = 0.0
                moments[op, 0], moments[op, 1], moments[op, 2] = a0, a1, a2
                t[0] += a0 * value
                t[1] += a1 * value
                t[2] += a2 * value
        for i in range(3):
            positions[node, i] = t[i]
            for j in range(3):
                rotations[node, i, j] = r[i, j]
    for m in range(len(p.marker_node)):
        node = p.marker_node[m]
        x, y, z = p.marker_local[m, 0], p.marker_local[m, 1], p.marker_local[m, 2]
        if node < 0:
            points[m, 0], points[m, 1], points[m, 2] = x, y, z
        else:
            for i in range(3):
                points[m, i] = (
                    positions[node, i]
                    + rotations[node, i, 0] * x
                    + rotations[node, i, 1] * y
                    + rotations[node, i, 2] * z
                )


@_internal
def marker_cost(points, target, weights):
    """1/2 sum w |x - y|^2; a marker whose weight is 0 does not count."""
    cost = 0.0
    for m in range(len(weights)):
        w = weights[m]
        if w > 0.0:
            dx, dy, dz = points[m, 0] - target[m, 0], points[m, 1] - target[m, 1], points[m, 2] - target[m, 2]
            cost += w * (dx * dx + dy * dy + dz * dz)
    return 0.5 * cost


@_internal
def _gather(p, points, target, weights, subtree):
    """Sums over each node's subtree: m, h (3), T (6: xx yy zz xy xz yz), f (3), M (9)."""
    n_nodes = len(p.node_parent)
    for node in range(n_nodes):
        for i in range(22):
            subtree[node, i] = 0.0
    for k in range(len(weights)):
        w, node = weights[k], p.marker_node[k]
        if w <= 0.0 or node < 0:
            continue
        x, y, z = points[k, 0], points[k, 1], points[k, 2]
        fx, fy, fz = w * (x - target[k, 0]), w * (y - target[k, 1]), w * (z - target[k, 2])
        s = subtree[node]
        s[0] += w
        s[1] += w * x
        s[2] += w * y
        s[3] += w * z
        s[4] += w * x * x
        s[5] += w * y * y
        s[6] += w * z * z
        s[7] += w * x * y
        s[8] += w * x * z
        s[9] += w * y * z
        s[10] += fx
        s[11] += fy
        s[12] += fz
        s[13] += x * fx
        s[14] += x * fy
        s[15] += x * fz
        s[16] += y * fx
        s[17] += y * fy
        s[18] += y * fz
        s[19] += z * fx
        s[20] += z * fy
        s[21] += z * fz
    for node in range(n_nodes - 1, -1, -1):
        parent = p.node_parent[node]
        if parent >= 0:
            for i in range(22):
                subtree[parent, i] += subtree[node, i]


@_inline
def _curvature_vector(s, a, v, out):
    """v x f + M a - trace(M) a."""
    trace = s[13] + s[17] + s[21]
    out[0] = v[1] * s[12] - v[2] * s[11] + s[13] * a[0] + s[14] * a[1] + s[15] * a[2] - trace * a[0]
    out[1] = v[2] * s[10] - v[0] * s[12] + s[16] * a[0] + s[17] * a[1] + s[18] * a[2] - trace * a[1]
    out[2] = v[0] * s[11] - v[1] * s[10] + s[19] * a[0] + s[20] * a[1] + s[21] * a[2] - trace * a[2]


@_inline
def _add(matrix, i, j, value):
    """Add to the upper triangle of a symmetric matrix."""
    if i <= j:
        matrix[i, j] += value
    else:
        matrix[j, i] += value


@_internal
def derivatives(p, w, curved):
    """Gradient (n_free,) and upper triangle of the NEWTON or GAUSS_NEWTON matrix (n_free, n_free) into ``w``.

    Joint motions of the (node, coordinate) pairs from the root to the present node stand side by side in ``w.stack``.
    """
    gradient, matrix, stack, axes, moments = w.gradient, w.matrix, w.stack, w.axes, w.moments
    n = p.n_free
    for i in range(n):
        gradient[i] = 0.0
        for j in range(i, n):
            matrix[i, j] = 0.0
    vector = np.empty(3)
    a, v = np.empty(3), np.empty(3)
    for node in range(len(p.node_parent)):
        s = w.subtree[node]
        first_entry = p.above_ptr[node]
        top, end = p.entry_top[node], p.above_ptr[node + 1] - first_entry
        for i in range(6):
            for e in range(top, end):
                stack[i, e] = 0.0
        torque = (s[18] - s[20], s[19] - s[15], s[14] - s[16])
        for op in range(p.operation_ptr[node], p.operation_ptr[node + 1]):
            k = p.n_couplers + op
            first, last = p.pattern_ptr[k], p.pattern_ptr[k + 1]
            force = 0.0
            for i in range(3):
                force += moments[op, i] * s[10 + i] + axes[op, i] * torque[i]
            for at in range(first, last):
                e = p.pattern_entry[at]
                slope = w.slopes[at]
                for i in range(3):
                    stack[i, e] += slope * axes[op, i]
                    stack[3 + i, e] += slope * moments[op, i]
                gradient[p.pattern_free[at]] += slope * force
            if curved == NEWTON:
                _bend_of_operation(p, w, node, op, force, vector)
        for e in range(top, end):
            j = p.above[first_entry + e]
            for i in range(3):
                a[i] = stack[i, e]
                v[i] = stack[3 + i, e]
            trace = s[4] + s[5] + s[6]
            i0 = s[2] * v[2] - s[3] * v[1] + trace * a[0] - s[4] * a[0] - s[7] * a[1] - s[8] * a[2]
            i1 = s[3] * v[0] - s[1] * v[2] + trace * a[1] - s[7] * a[0] - s[5] * a[1] - s[9] * a[2]
            i2 = s[1] * v[1] - s[2] * v[0] + trace * a[2] - s[8] * a[0] - s[9] * a[1] - s[6] * a[2]
            i3 = s[0] * v[0] + a[1] * s[3] - a[2] * s[2]
            i4 = s[0] * v[1] + a[2] * s[1] - a[0] * s[3]
            i5 = s[0] * v[2] + a[0] * s[2] - a[1] * s[1]
            for other in range(top, end):
                i = p.above[first_entry + other]
                if i <= j:
                    matrix[i, j] += (
                        stack[0, other] * i0
                        + stack[1, other] * i1
                        + stack[2, other] * i2
                        + stack[3, other] * i3
                        + stack[4, other] * i4
                        + stack[5, other] * i5
                    )
            if curved == NEWTON:
                _curvature_vector(s, a, v, vector)
                i0 += vector[0]
                i1 += vector[1]
                i2 += vector[2]
            set_rows(w.products, 0, stack, 0, (i0, i1, i2, i3, i4, i5), (top + BLOCK - 1) // BLOCK)
            for other in range(top):
                i = p.above[first_entry + other]
                value = w.products[0, other]
                if j < i:
                    matrix[j, i] += value
                elif i < j:
                    matrix[i, j] += value
                else:
                    matrix[j, j] += 2.0 * value


@_inline
def _bend_of_operation(p, w, node, op, force, vector):
    """Add the bend of an operation's own function, and of the motions of its node on each other."""
    matrix, slopes = w.matrix, w.slopes
    k = p.n_couplers + op
    first, last = p.pattern_ptr[k], p.pattern_ptr[k + 1]
    if last - first == 1:
        j = p.pattern_free[first]
        matrix[j, j] += force * w.bends_single[k]
    elif w.bends[k] != 0.0:
        for a in range(first, last):
            for b in range(first, a + 1):
                value = force * w.bends[k] * slopes[a] * slopes[b]
                _add(matrix, p.pattern_free[a], p.pattern_free[b], value)
    _curvature_vector(w.subtree[node], w.axes[op], w.moments[op], vector)
    for above in range(p.operation_ptr[node], op + 1):
        if not p.rotates[above]:
            continue
        axis = w.axes[above]
        term = axis[0] * vector[0] + axis[1] * vector[1] + axis[2] * vector[2]
        above_k = p.n_couplers + above
        for a in range(p.pattern_ptr[above_k], p.pattern_ptr[above_k + 1]):
            i = p.pattern_free[a]
            for b in range(first, last):
                j = p.pattern_free[b]
                both = term * slopes[a] * slopes[b]
                if above == op:
                    # Both orders of (a, b) come by; the upper triangle takes one of them.
                    if i <= j:
                        matrix[i, j] += both
                elif i == j:
                    matrix[i, j] += 2.0 * both
                else:
                    _add(matrix, i, j, both)


@_internal
def slope_of(p, q, target, weights, goal, goal_weight, w):
    """Gradient alone at the last cost_of's q, into ``w.gradient``."""
    _gather(p, w.points, target, weights, w.subtree)
    for j in range(p.n_free):
        w.gradient[j] = goal_weight[j] * (q[j] - goal[j])
    for node in range(len(p.node_parent)):
        s = w.subtree[node]
        tx, ty, tz = s[18] - s[20], s[19] - s[15], s[14] - s[16]
        for op in range(p.operation_ptr[node], p.operation_ptr[node + 1]):
            a, v = w.axes[op], w.moments[op]
            force = v[0] * s[10] + v[1] * s[11] + v[2] * s[12] + a[0] * tx + a[1] * ty + a[2] * tz
            k = p.n_couplers + op
            for slot in range(p.pattern_ptr[k], p.pattern_ptr[k + 1]):
                w.gradient[p.pattern_free[slot]] += w.slopes[slot] * force


@_internal
def cost_of(p, q, target, weights, goal, goal_weight, w):
    """Cost at q; leaves the marker points in ``w.points``."""
    evaluate_functions(p, q, w.values, w.slopes, w.bends, w.bends_single)
    forward(p, w.values, w.rotations, w.positions, w.axes, w.moments, w.points)
    cost = marker_cost(w.points, target, weights)
    for j in range(p.n_free):
        if goal_weight[j] > 0.0:
            cost += 0.5 * goal_weight[j] * (q[j] - goal[j]) ** 2
    return cost


@_internal
def derive(p, q, target, weights, goal, goal_weight, curved, w):
    """Gradient and upper triangle of the NEWTON or GAUSS_NEWTON matrix at the last cost_of's q.

    ``curved`` is a float because numba compiles a copy for each Boolean or whole constant.
    """
    _gather(p, w.points, target, weights, w.subtree)
    derivatives(p, w, curved)
    for j in range(p.n_free):
        w.gradient[j] += goal_weight[j] * (q[j] - goal[j])
        w.matrix[j, j] += goal_weight[j]
