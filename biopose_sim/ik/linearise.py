"""Marker positions of many poses with their derivatives in coordinates, scale factors and marker offsets.

For fitting a person: a few hundred poses at a time, whole Jacobians in numpy. (The frame-by-frame solver never
forms a Jacobian; see :mod:`biopose_sim.ik.kernel`.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from biopose_sim.ik.types import Array, IntArray
from biopose_sim.kinematics.tree import ROTATION, UNSCALED, FixedTransform, KinematicTree, Operation
from biopose_sim.kinematics.tree_builder import cross_matrix


@dataclass(frozen=True)
class Linearisation:
    """Markers of F poses and how they move.

    Attributes:
        markers: ground frame, shape (F, M, 3) [m].
        by_coordinate: derivative in the coordinates asked for, shape (F, M, 3, n).
        by_scale: derivative in the scale factors, shape (F, M, 3, n_bodies * 3) [m].
        rotations: ground <- body of each marker: the derivative in its offset, shape (F, M, 3, 3).
    """

    markers: Array
    by_coordinate: Array
    by_scale: Array
    rotations: Array


def linearise(
    tree: KinematicTree, q: Array, scales: Array, offsets: Array, markers: IntArray, free: IntArray
) -> Linearisation:
    """Linearise the marker positions of ``tree`` scaled by ``scales``.

    Args:
        tree: the tree before scaling.
        q: complete coordinates, shape (F, n_q) [rad | m].
        scales: factors, shape (n_bodies, 3).
        offsets: of the markers asked for, in body axes [m], shape (M, 3).
        markers: model indices of the markers, shape (M,).
        free: model indices of the coordinates, shape (n,).
    """
    state = _Sweep(tree, q, scales, free)
    state.run()
    n_frames, n_markers = len(q), len(markers)
    out = Linearisation(
        np.zeros((n_frames, n_markers, 3)),
        np.zeros((n_frames, n_markers, 3, len(free))),
        np.zeros((n_frames, n_markers, 3, 3 * len(scales))),
        np.zeros((n_frames, n_markers, 3, 3)),
    )
    for k, marker in enumerate(markers):
        body = int(tree.marker_body[marker])
        matrix = tree.marker_matrix[marker]
        if body < 0:
            out.markers[:, k] = matrix.sum(axis=1) + offsets[k]
            out.rotations[:, k] = np.eye(3)
            continue
        node = int(tree.body_node[body])
        rotation = state.rotations[node]
        arm = rotation @ (matrix @ scales[body] + offsets[k])
        out.markers[:, k] = state.positions[node] + arm
        out.rotations[:, k] = rotation
        out.by_coordinate[:, k] = state.shifts[node] + np.cross(state.turns[node], arm[:, :, None], axis=1)
        out.by_scale[:, k] = state.growth[node]
        out.by_scale[:, k, :, 3 * body : 3 * body + 3] += rotation @ matrix
    return out


class _Sweep:
    """One pass over the nodes; each keeps pose, motion by coordinate and growth by scale factor.

    ``turns`` and ``shifts`` (F, 3, n): angular velocity, and velocity of the node's origin, per coordinate.
    ``growth`` (F, 3, n_bodies * 3): movement of the node's origin per scale factor.
    """

    def __init__(self, tree: KinematicTree, q: Array, scales: Array, free: IntArray) -> None:
        self.tree, self.q, self.scales = tree, q, scales
        self.n_frames, self.n = len(q), len(free)
        self.by_free = _coordinate_derivatives(tree, q, free)
        self.rotations: list[Array] = []
        self.positions: list[Array] = []
        self.turns: list[Array] = []
        self.shifts: list[Array] = []
        self.growth: list[Array] = []

    def run(self) -> None:
        for node in self.tree.nodes:
            self._start(node.parent)
            self._fixed(node.pre)
            for op in node.operations:
                self._operation(op)
            self._fixed(node.post)
            self.rotations.append(self.r)
            self.positions.append(self.p)
            self.turns.append(self.turn)
            self.shifts.append(self.shift)
            self.growth.append(self.grow)

    def _start(self, parent: int) -> None:
        if parent >= 0:
            self.r, self.p = self.rotations[parent], self.positions[parent]
            self.turn, self.shift, self.grow = self.turns[parent], self.shifts[parent], self.growth[parent]
            return
        f = self.n_frames
        self.r = np.broadcast_to(np.eye(3), (f, 3, 3))
        self.p = np.zeros((f, 3))
        self.turn, self.shift = np.zeros((f, 3, self.n)), np.zeros((f, 3, self.n))
        self.grow = np.zeros((f, 3, self.scales.size))

    def _fixed(self, fixed: FixedTransform) -> None:
        if np.any(fixed.matrix):
            self._move(self.r @ fixed.translation(self.scales))
            if fixed.body != UNSCALED:
                self._grow(fixed.body, self.r @ fixed.matrix)
        self.r = self.r @ fixed.rotation

    def _move(self, arm: Array) -> None:
        """Go on to a point at ``arm`` (F, 3) in ground axes, fixed in the present frame."""
        self.p = self.p + arm
        self.shift = self.shift + np.cross(self.turn, arm[:, :, None], axis=1)

    def _grow(self, body: int, change: Array) -> None:
        self.grow = self.grow.copy()
        self.grow[:, :, 3 * body : 3 * body + 3] += change

    def _operation(self, op: Operation) -> None:
        x = np.zeros(self.n_frames)
        dx = np.zeros((self.n_frames, self.n))
        for row, weight in op.argument:
            x = x + weight * self.q[:, row]
            dx = dx + weight * self.by_free[:, row]
        value, slope = op.function(x), op.function.derivative(x)
        axis = self.r @ op.axis
        if op.kind == ROTATION:
            self.turn = self.turn + axis[:, :, None] * (slope[:, None] * dx)[:, None]
            k = cross_matrix(op.axis)
            turn = np.eye(3) + np.sin(value)[:, None, None] * k + (1.0 - np.cos(value))[:, None, None] * (k @ k)
            self.r = self.r @ turn
            return
        factor = op.scale(self.scales)
        self._move(axis * (factor * value)[:, None])
        self.shift = self.shift + axis[:, :, None] * (factor * slope[:, None] * dx)[:, None]
        if op.scale_body != UNSCALED:
            weights = np.array(op.scale_weights)
            self._grow(op.scale_body, axis[:, :, None] * value[:, None, None] * weights)


def _coordinate_derivatives(tree: KinematicTree, q: Array, free: IntArray) -> Array:
    """Derivatives of all coordinates in the free ones, shape (F, n_q, n). (A coupler's growth is left out.)"""
    derivatives = np.zeros((len(q), q.shape[1], len(free)))
    derivatives[:, free, np.arange(len(free))] = 1.0
    for d in tree.dependences:
        x = sum(weight * q[:, row] for row, weight in d.argument)
        slope = d.function.derivative(np.asarray(x))
        derivatives[:, d.coordinate] = slope[:, None] * sum(w * derivatives[:, row] for row, w in d.argument)
    return derivatives
