"""One damped Gauss-Newton step for many frames of persons of different sizes, compiled.

A network's estimate is brought nearer to the markers with it. The Jacobian is never formed: markers of a subtree count
as point masses, and the normal matrix is that of the tree's joint-space inertia (Featherstone 2008, ch. 6; see
`ik.kernel`, which solves frames of one scaled model to the end).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from biopose_sim.ik.cholesky import factor, solve_factored
from biopose_sim.ik.fit_kernel import along, begin_at, turn_about
from biopose_sim.ik.fit_tables import FIXED, TURN, FitLayout
from biopose_sim.ik.kernel import _internal, _jit
from biopose_sim.ik.program import reduce_problem
from biopose_sim.ik.types import Array, IntArray
from biopose_sim.kinematics.fast_threads import run_parallel
from biopose_sim.kinematics.model import OsimModel

_CHUNKS = (32, 128)  # frames of a thread's turn: fewest and most


class Steps(NamedTuple):
    """What :meth:`GaussNewton.steps` finds.

    Attributes:
        steps: of the free coordinates, for each row of damping, (K, F, n_free) [rad | m].
        apart: measured minus model markers before the step, in the axes of their segments, (F, M, 3) single precision
            [m]; anything where the weight is 0.
    """

    steps: Array
    apart: NDArray[np.float32]


class GaussNewton:
    """Steps of a model's coordinates towards markers.

    Attributes:
        free: columns of the coordinates that may move, (n_free,): neither locked nor dependent, and seen by a marker.

    Args:
        model: before scaling.
    """

    def __init__(self, model: OsimModel) -> None:
        tree = model.tree
        markers = np.arange(len(model.marker_names))
        reduced = reduce_problem(tree, list(markers), ~(tree.locked | tree.dependent), tree.defaults)
        self.free: IntArray = reduced.free
        self._program = reduced.program
        groups = np.zeros(len(model.body_names), dtype=np.int64)
        self._layout = FitLayout(tree, markers, self.free, groups)
        t = self._layout.tables
        operations = np.cumsum([0, *(t.kind != FIXED)])[t.step_ptr]
        self._slot_ptr = t.argument_ptr[operations]
        low, high = tree.ranges[self.free].T
        bounded = tree.clamped[self.free]
        self._low, self._high = np.where(bounded, low, -np.inf), np.where(bounded, high, np.inf)

    def steps(
        self,
        coordinates: Array,
        scales: NDArray[np.float32],
        offsets: NDArray[np.float32],
        person: IntArray,
        targets: NDArray[np.float32],
        weights: NDArray[np.float32],
        expected: Array,
        damping: Array,
        largest: Array,
    ) -> Steps:
        """Return steps that lessen the weighted squared distances of markers; coordinates stay in their ranges.

        Args:
            coordinates: (F, n_q) [rad | m]; dependent ones are not read.
            scales: factors of each person, (P, n_bodies, 3).
            offsets: of each person's markers from where scaling puts them, body axes, (P, M, 3) [m].
            person: row of each frame's person, (F,).
            targets: measured markers, (F, M, 3) [m], any numbers where the weight is 0.
            weights: of the markers, (F, M).
            expected: what the free coordinates are drawn to, (F, n_free) [rad | m].
            damping: weights of this for each free coordinate, K of them, (K, n_free) [m^2/rad^2 | 1].
            largest: step of each free coordinate, (n_free,) [rad | m].
        """
        values, slopes = self._layout.motion(self._completed(coordinates))
        start = np.ascontiguousarray(coordinates[:, self.free])
        found = Steps(np.zeros((len(damping), *start.shape)), np.zeros(targets.shape, dtype=np.float32))

        chunk = int(np.clip(len(start) // (2 * torch.get_num_threads()), *_CHUNKS))

        def work(k: int) -> None:
            gauss_newton_steps(
                self._program, self._layout.tables, self._slot_ptr, values, slopes, scales, offsets, person, targets,
                weights, start, expected, self._low, self._high, damping, largest,
                k * chunk, min((k + 1) * chunk, len(start)), *found,
            )  # fmt: skip

        run_parallel(work, -(-len(start) // chunk), torch.get_num_threads())
        return found

    def _completed(self, coordinates: Array) -> Array:
        """Coordinates with dependent ones from their couplers; lengths of these as before scaling."""
        tree = self._layout.tree
        if not tree.dependences:
            return coordinates
        found = coordinates.copy()
        for d in tree.dependences:
            found[:, d.coordinate] = d.function(np.asarray(sum(weight * found[:, row] for row, weight in d.argument)))
        return found


@_internal
def _walk(t, values, slopes, scales, rotations, positions, twists):
    """Poses of the nodes (N, 3, 3), (N, 3), and what each argument of an operation moves, ``twists`` (n_arguments, 6).

    A twist is angular velocity, then velocity at ground's origin, per unit of the argument's coordinate.
    """
    r, a, x, p = np.empty((3, 3)), np.empty(3), np.empty(3), np.empty(3)
    for node in range(len(t.node_parent)):
        parent = t.node_parent[node]
        begin_at(parent, rotations, positions, r, p)
        for step in range(t.step_ptr[node], t.step_ptr[node + 1]):
            body = t.body[step]
            if t.kind[step] == FIXED:
                for j in range(3):
                    x[j] = 0.0
                    for k in range(3):
                        x[j] += t.matrix[step, j, k] * (1.0 if body < 0 else scales[body, k])
                for i in range(3):
                    for j in range(3):
                        p[i] += r[i, j] * x[j]
                        a[j] = 0.0
                        for k in range(3):
                            a[j] += r[i, k] * t.rotation[step, k, j]
                    for j in range(3):
                        r[i, j] = a[j]
                continue
            op = t.operation[step]
            along(r, t.axis[step], x)
            first, last = t.argument_ptr[op], t.argument_ptr[op + 1]
            if t.kind[step] == TURN:
                for s in range(first, last):
                    for i in range(3):
                        twists[s, i] = slopes[s] * x[i]
                    twists[s, 3] = slopes[s] * (p[1] * x[2] - p[2] * x[1])
                    twists[s, 4] = slopes[s] * (p[2] * x[0] - p[0] * x[2])
                    twists[s, 5] = slopes[s] * (p[0] * x[1] - p[1] * x[0])
                if values[op] != 0.0:
                    turn_about(r, t.axis[step], values[op])
                continue
            factor = 1.0
            if body >= 0:
                factor = 0.0
                for j in range(3):
                    factor += t.weights[step, j] * scales[body, j]
            for i in range(3):
                p[i] += x[i] * factor * values[op]
                for s in range(first, last):
                    twists[s, i] = 0.0
                    twists[s, 3 + i] = slopes[s] * factor * x[i]
        for i in range(3):
            positions[node, i] = p[i]
            for j in range(3):
                rotations[node, i, j] = r[i, j]


@_internal
def _masses(t, scales, offsets, targets, weights, rotations, positions, mass, force, apart):
    """Of each node's subtree: ``mass`` (N, 10), m, sum w x and sum w x x^T, and ``force`` (N, 6), sum w x x r and w r.

    Their residual r points from the model's markers x to the measured ones; ``apart`` (M, 3) is it in segment axes.
    """
    x, y, r = np.empty(3), np.empty(3), np.empty(3)
    for node in range(len(t.node_parent)):
        for i in range(10):
            mass[node, i] = 0.0
        for i in range(6):
            force[node, i] = 0.0
    for m in range(len(t.marker_node)):
        node, body, w = t.marker_node[m], t.marker_body[m], np.float64(weights[m])
        if node < 0 or w <= 0.0:
            continue
        for i in range(3):
            y[i] = offsets[m, i]
            for j in range(3):
                y[i] += t.marker_matrix[m, i, j] * scales[body, j]
        for i in range(3):
            x[i] = positions[node, i]
            for j in range(3):
                x[i] += rotations[node, i, j] * y[j]
            r[i] = targets[m, i] - x[i]
        for i in range(3):
            apart[m, i] = rotations[node, 0, i] * r[0] + rotations[node, 1, i] * r[1] + rotations[node, 2, i] * r[2]
        for i in range(3):
            r[i] *= w
        mass[node, 0] += w
        k = 4
        for i in range(3):
            mass[node, 1 + i] += w * x[i]
            force[node, 3 + i] += r[i]
            for j in range(i, 3):
                mass[node, k] += w * x[i] * x[j]
                k += 1
        force[node, 0] += x[1] * r[2] - x[2] * r[1]
        force[node, 1] += x[2] * r[0] - x[0] * r[2]
        force[node, 2] += x[0] * r[1] - x[1] * r[0]
    for node in range(len(t.node_parent) - 1, -1, -1):
        parent = t.node_parent[node]
        if parent >= 0:
            for i in range(10):
                mass[parent, i] += mass[node, i]
            for i in range(6):
                force[parent, i] += force[node, i]


@_internal
def _normal(t, slot_ptr, twists, mass, force, matrix, right):
    """Normal matrix (n_free, n_free) and what it is to be solved for, (n_free,)."""
    for i in range(t.n_free):
        right[i] = 0.0
        for j in range(t.n_free):
            matrix[i, j] = 0.0
    for node in range(len(t.node_parent)):
        m, hx, hy, hz = mass[node, 0], mass[node, 1], mass[node, 2], mass[node, 3]
        xx, xy, xz = mass[node, 4], mass[node, 5], mass[node, 6]
        yy, yz, zz = mass[node, 7], mass[node, 8], mass[node, 9]
        for s in range(slot_ptr[node], slot_ptr[node + 1]):
            a, b, c = twists[s, 0], twists[s, 1], twists[s, 2]
            u, v, w = twists[s, 3], twists[s, 4], twists[s, 5]
            p = (yy + zz) * a - xy * b - xz * c + hy * w - hz * v
            q = (xx + zz) * b - xy * a - yz * c + hz * u - hx * w
            r = (xx + yy) * c - xz * a - yz * b + hx * v - hy * u
            x = m * u + b * hz - c * hy
            y = m * v + c * hx - a * hz
            z = m * w + a * hy - b * hx
            column = t.argument_column[s]
            right[column] += a * force[node, 0] + b * force[node, 1] + c * force[node, 2]
            right[column] += u * force[node, 3] + v * force[node, 4] + w * force[node, 5]
            above = node
            while above >= 0:
                for o in range(slot_ptr[above], slot_ptr[above + 1]):
                    value = twists[o, 0] * p + twists[o, 1] * q + twists[o, 2] * r
                    value += twists[o, 3] * x + twists[o, 4] * y + twists[o, 5] * z
                    row = t.argument_column[o]
                    matrix[row, column] += value
                    if above != node:
                        matrix[column, row] += value
                above = t.node_parent[above]


@_jit
def gauss_newton_steps(
    p, t, slot_ptr, values, slopes, scales, offsets, person, targets, weights, start, expected, low, high, damping,
    largest, first, last, found, apart,
):  # fmt: skip
    """Steps ``found`` (K, F, n_free) of frames ``first`` to ``last``; arguments as :meth:`GaussNewton.steps` has them.

    ``p`` is the program whose coordinates these are, ``slot_ptr`` (N + 1,) where the arguments of each node's
    operations begin, ``values`` and ``slopes`` those of `FitLayout.motion`, ``start`` (F, n_free) the coordinates,
    ``low`` and ``high`` (n_free,) their ranges.
    """
    n, n_nodes = t.n_free, len(t.node_parent)
    rotations, positions = np.empty((n_nodes, 3, 3)), np.empty((n_nodes, 3))
    mass, force, twists = np.empty((n_nodes, 10)), np.empty((n_nodes, 6)), np.zeros((slopes.shape[1], 6))
    matrix, right, step, active = np.empty((n, n)), np.empty(n), np.empty(n), np.empty(n, dtype=np.bool_)
    width = p.path.shape[1]
    lower, front = np.zeros((n, width)), np.zeros((width, width))
    for f in range(first, last):
        own = person[f]
        _walk(t, values[f], slopes[f], scales[own], rotations, positions, twists)
        _masses(t, scales[own], offsets[own], targets[f], weights[f], rotations, positions, mass, force, apart[f])
        _normal(t, slot_ptr, twists, mass, force, matrix, right)
        for k in range(len(damping)):
            for j in range(n):
                x = start[f, j]
                step[j] = right[j] + damping[k, j] * (expected[f, j] - x)
                # A range may hold it.
                active[j] = not ((x <= low[j] and step[j] < 0.0) or (x >= high[j] and step[j] > 0.0))
                if not active[j]:
                    step[j] = 0.0
            if not factor(p, matrix, active, damping[k], lower, front):
                continue  # no step: numbers that are none, or no damping where no marker is seen
            solve_factored(p, lower, front, step)
            for j in range(n):
                x = start[f, j]
                moved = min(max(step[j], -largest[j]), largest[j])
                found[k, f, j] = min(max(x + moved, min(low[j], x)), max(high[j], x)) - x
