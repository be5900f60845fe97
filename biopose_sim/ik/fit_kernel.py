"""Compiled normal equations of fitting a person: size and marker offsets, with the poses eliminated.

Parameters are the logarithmic factors of the groups of bodies (three each), then the offsets of the markers (three
each, in body axes). Of every frame the curvature of its pose A, what couples the pose to the parameters B and the
pose's gradient g make the row block L^-1 [B g] with A = L L^T, whose squares are what the pose takes away from the
parameters' normal equations (Schur complement).
"""

from __future__ import annotations

import numpy as np

from biopose_sim.ik.fit_tables import FIXED, TURN
from biopose_sim.ik.kernel import _internal, _jit

_DAMPING = 1e-9  # of the largest curvature of a pose, for directions that no marker sees


@_internal
def _walk(t, values, slopes, scales, rotations, positions, twists, growth):
    """Poses of the nodes, velocities (6: angular, linear at ground's origin) per free coordinate, shift per log factor.

    ``twists`` (nodes, n_free, 6), ``growth`` (nodes, 3 * n_groups, 3).
    """
    r, a, b = np.empty((3, 3)), np.empty((3, 3)), np.empty(3)
    x, p = np.empty(3), np.empty(3)
    n_sizes = 3 * t.n_groups
    for node in range(len(t.node_parent)):
        parent = t.node_parent[node]
        begin_at(parent, rotations, positions, r, p)
        for j in range(t.n_free):
            for i in range(6):
                twists[node, j, i] = 0.0 if parent < 0 else twists[parent, j, i]
        for j in range(n_sizes):
            for i in range(3):
                growth[node, j, i] = 0.0 if parent < 0 else growth[parent, j, i]
        for step in range(t.step_ptr[node], t.step_ptr[node + 1]):
            body, group = t.body[step], t.group[step]
            if t.kind[step] == FIXED:
                for i in range(3):
                    for j in range(3):
                        a[i, j] = 0.0
                        for k in range(3):
                            a[i, j] += r[i, k] * t.matrix[step, k, j]
                        a[i, j] *= 1.0 if body < 0 else scales[body, j]
                        p[i] += a[i, j]
                        if group >= 0:
                            growth[node, 3 * group + j, i] += a[i, j]
                for i in range(3):
                    for j in range(3):
                        b[j] = 0.0
                        for k in range(3):
                            b[j] += r[i, k] * t.rotation[step, k, j]
                    for j in range(3):
                        r[i, j] = b[j]
                continue
            op = t.operation[step]
            value = values[op]
            along(r, t.axis[step], x)
            first, last = t.argument_ptr[op], t.argument_ptr[op + 1]
            if t.kind[step] == TURN:
                for s in range(first, last):
                    j = t.argument_column[s]
                    twists[node, j, 0] += slopes[s] * x[0]
                    twists[node, j, 1] += slopes[s] * x[1]
                    twists[node, j, 2] += slopes[s] * x[2]
                    twists[node, j, 3] += slopes[s] * (p[1] * x[2] - p[2] * x[1])
                    twists[node, j, 4] += slopes[s] * (p[2] * x[0] - p[0] * x[2])
                    twists[node, j, 5] += slopes[s] * (p[0] * x[1] - p[1] * x[0])
                turn_about(r, t.axis[step], value)
                continue
            factor = 1.0
            if body >= 0:
                factor = 0.0
                for j in range(3):
                    share = t.weights[step, j] * scales[body, j]
                    factor += share
                    for i in range(3):
                        growth[node, 3 * group + j, i] += x[i] * value * share
            for i in range(3):
                p[i] += x[i] * factor * value
                for s in range(first, last):
                    twists[node, t.argument_column[s], 3 + i] += slopes[s] * factor * x[i]
        for i in range(3):
            positions[node, i] = p[i]
            for j in range(3):
                rotations[node, i, j] = r[i, j]


@_internal
def begin_at(parent, rotations, positions, r, p):
    """Set rotation r and place p to those of a node, or of ground for -1."""
    for i in range(3):
        p[i] = 0.0 if parent < 0 else positions[parent, i]
        for j in range(3):
            r[i, j] = (1.0 if i == j else 0.0) if parent < 0 else rotations[parent, i, j]


@_internal
def along(r, vector, x):
    """Set x to r @ vector."""
    for i in range(3):
        x[i] = r[i, 0] * vector[0] + r[i, 1] * vector[1] + r[i, 2] * vector[2]


@_internal
def turn_about(r, axis, angle):
    """r := r @ rotation about ``axis`` by ``angle`` (Rodrigues' formula)."""
    s, c = np.sin(angle), np.cos(angle)
    x, y, z = axis[0], axis[1], axis[2]
    d = 1.0 - c
    for i in range(3):
        u, v, w = r[i, 0], r[i, 1], r[i, 2]
        r[i, 0] = u * (c + d * x * x) + v * (d * x * y + s * z) + w * (d * x * z - s * y)
        r[i, 1] = u * (d * x * y - s * z) + v * (c + d * y * y) + w * (d * y * z + s * x)
        r[i, 2] = u * (d * x * z + s * y) + v * (d * y * z - s * x) + w * (c + d * z * z)


@_internal
def _eliminate(n, curvature, rows):
    """rows := L^-1 rows, with curvature = L L^T (its lower triangle is overwritten with L)."""
    largest = 0.0
    for j in range(n):
        largest = max(largest, curvature[j, j])
    for j in range(n):
        curvature[j, j] += _DAMPING * largest + 1e-12
    for j in range(n):
        for k in range(j):
            factor = curvature[j, k]
            if factor != 0.0:
                for i in range(j, n):
                    curvature[i, j] -= curvature[i, k] * factor
        root = np.sqrt(max(curvature[j, j], 1e-300))
        for i in range(j, n):
            curvature[i, j] /= root
    for j in range(n):
        for k in range(j):
            factor = curvature[j, k]
            if factor != 0.0:
                for c in range(rows.shape[1]):
                    rows[j, c] -= factor * rows[k, c]
        for c in range(rows.shape[1]):
            rows[j, c] /= curvature[j, j]


@_jit
def normal_equations(
    t, values, slopes, scales, offsets, targets, weights, held, pull, first, last, half, gradient, sizes, mixed
):
    """Add up frames ``first`` to ``last``.

    Args:
        t: the tables.
        values, slopes: of the operations, shapes (F, n_operations) and (F, n_arguments).
        scales: (n_bodies, 3).
        offsets: (M, 3), in body axes [m].
        targets: (F, M, 3) [m], anything finite where ``weights`` (F, M) is 0.
        held: (F, n_free) coordinates that do not answer, being at a bound.
        pull: weight per unit of marker weight that draws each coordinate to where it is [m^2 / rad^2 | 1].
        half: (F, n_free, 3 * n_groups + 3 * M + 1) single precision, written: the row blocks L^-1 [B g].
        gradient: (3 * n_groups + 3 * M,), added to; without what the poses take away, like the others.
        sizes: (3 * n_groups, 3 * n_groups) curvature, lower triangle, added to.
        mixed: (3 * n_groups, 3 * M) curvature of sizes with offsets, added to.
    """
    n, n_nodes, n_sizes, n_markers = t.n_free, len(t.node_parent), 3 * t.n_groups, len(offsets)
    rotations, positions = np.empty((n_nodes, 3, 3)), np.empty((n_nodes, 3))
    twists, growth = np.empty((n_nodes, n, 6)), np.empty((n_nodes, n_sizes, 3))
    curvature, rows = np.empty((n, n)), np.empty((n, n_sizes + 3 * n_markers + 1))
    by_pose, by_size = np.empty((n, 3)), np.empty((n_sizes, 3))
    r, y, arm, residual = np.eye(3), np.empty(3), np.empty(3), np.empty(3)
    pose, size = np.empty(n, dtype=np.int64), np.empty(n_sizes, dtype=np.int64)
    for f in range(first, last):
        _walk(t, values[f], slopes[f], scales, rotations, positions, twists, growth)
        for i in range(n):
            for j in range(n):
                curvature[i, j] = 0.0
            for c in range(rows.shape[1]):
                rows[i, c] = 0.0
        for m in range(n_markers):
            weight, node = weights[f, m], t.marker_node[m]
            if weight <= 0.0:
                continue
            for i in range(3):
                for j in range(3):
                    r[i, j] = (1.0 if i == j else 0.0) if node < 0 else rotations[node, i, j]
            body, group = t.marker_body[m], t.marker_group[m]
            for i in range(3):
                y[i] = offsets[m, i]
                for j in range(3):
                    y[i] += t.marker_matrix[m, i, j] * (1.0 if body < 0 else scales[body, j])
            for i in range(3):
                arm[i] = (r[i, 0] * y[0] + r[i, 1] * y[1] + r[i, 2] * y[2]) + (0.0 if node < 0 else positions[node, i])
                residual[i] = arm[i] - targets[f, m, i]
            n_pose = n_size = 0
            if node >= 0:
                for a in range(t.column_ptr[node], t.column_ptr[node + 1]):
                    j = t.columns[a]
                    if not held[f, j]:
                        w = twists[node, j]
                        by_pose[n_pose, 0] = w[3] + w[1] * arm[2] - w[2] * arm[1]
                        by_pose[n_pose, 1] = w[4] + w[2] * arm[0] - w[0] * arm[2]
                        by_pose[n_pose, 2] = w[5] + w[0] * arm[1] - w[1] * arm[0]
                        pose[n_pose] = j
                        n_pose += 1
                own = group < 0
                for a in range(t.part_ptr[node], t.part_ptr[node + 1] + 1):
                    if a == t.part_ptr[node + 1]:
                        if own:
                            break
                        g = group
                    else:
                        g = t.parts[a]
                    own = own or g == group
                    for k in range(3):
                        for i in range(3):
                            by_size[n_size, i] = growth[node, 3 * g + k, i]
                            if g == group:
                                for j in range(3):
                                    by_size[n_size, i] += r[i, j] * t.marker_matrix[m, j, k] * scales[body, k]
                        size[n_size] = 3 * g + k
                        n_size += 1
            for a in range(n_pose):
                u0, u1, u2 = weight * by_pose[a, 0], weight * by_pose[a, 1], weight * by_pose[a, 2]
                row = pose[a]
                for b in range(a + 1):
                    curvature[row, pose[b]] += u0 * by_pose[b, 0] + u1 * by_pose[b, 1] + u2 * by_pose[b, 2]
                for b in range(n_size):
                    rows[row, size[b]] += u0 * by_size[b, 0] + u1 * by_size[b, 1] + u2 * by_size[b, 2]
                for k in range(3):
                    rows[row, n_sizes + 3 * m + k] = u0 * r[0, k] + u1 * r[1, k] + u2 * r[2, k]
                rows[row, n_sizes + 3 * n_markers] += u0 * residual[0] + u1 * residual[1] + u2 * residual[2]
            for a in range(n_size):
                u0, u1, u2 = weight * by_size[a, 0], weight * by_size[a, 1], weight * by_size[a, 2]
                gradient[size[a]] += u0 * residual[0] + u1 * residual[1] + u2 * residual[2]
                for b in range(n_size):
                    if size[b] <= size[a]:
                        sizes[size[a], size[b]] += u0 * by_size[b, 0] + u1 * by_size[b, 1] + u2 * by_size[b, 2]
                for k in range(3):
                    mixed[size[a], 3 * m + k] += u0 * r[0, k] + u1 * r[1, k] + u2 * r[2, k]
            for k in range(3):
                for i in range(3):
                    gradient[n_sizes + 3 * m + k] += weight * r[i, k] * residual[i]
        total = 0.0
        for m in range(n_markers):
            total += weights[f, m]
        for j in range(n):
            curvature[j, j] += pull * total
        _eliminate(n, curvature, rows)
        for i in range(n):
            for c in range(rows.shape[1]):
                half[f, i, c] = rows[i, c]
