"""Forward kinematics in torch: pure functions of (q, scales, marker offsets), batch in the last dimension.

Tensors inside are (..., rows, B): every elementary step is one elementwise product over the whole batch and
over all joints of one depth, which is fast on a CPU and on a GPU and differentiable any number of times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from biopose_sim.kinematics.function_table import FunctionTable
from biopose_sim.kinematics.tree import ROTATION, UNSCALED, Dependence, FixedTransform, KinematicTree, Node, Operation
from biopose_sim.kinematics.tree_builder import cross_matrix


@dataclass(frozen=True)
class BodyPoses:
    """Ground <- body: ``rotation`` (n_bodies, 3, 3, B), ``position`` (n_bodies, 3, B) [m]."""

    rotation: Tensor
    position: Tensor


class _ScaledVectors(nn.Module):
    """Fixed vectors ``matrix @ scales[body]``, shape (n, 3, B or 1) [m]."""

    matrix: Tensor
    unscaled: Tensor
    row: Tensor

    def __init__(self, matrices: np.ndarray, bodies: np.ndarray) -> None:
        super().__init__()
        self.register_buffer("matrix", _double(matrices), persistent=False)
        self.register_buffer("unscaled", _double(matrices.sum(axis=-1, keepdims=True)), persistent=False)
        self.register_buffer("row", torch.as_tensor(bodies + 1), persistent=False)

    def forward(self, scales: Tensor | None) -> Tensor:
        """Vectors for scales (1 + n_bodies, 3, B or 1), whose first row is the unscaled ground; or None."""
        if scales is None:
            return self.unscaled
        s = scales.index_select(0, self.row)
        return torch.einsum("nij,njb->nib", self.matrix, s)


class _Growth(nn.Module):
    """Multiplies values (n, B) by the factors with which they grow with a body."""

    weights: Tensor
    rows: Tensor

    def __init__(self, items: Sequence[Operation | Dependence]) -> None:
        super().__init__()
        weights = np.zeros((len(items), 3, 1))
        rows = np.zeros(len(items), dtype=np.int64)
        for k, item in enumerate(items):
            weights[k, :, 0] = (1.0, 0.0, 0.0) if item.scale_body == UNSCALED else item.scale_weights
            rows[k] = item.scale_body + 1
        self.nothing = bool(np.all(rows == 0))
        self.register_buffer("weights", _double(weights), persistent=False)
        self.register_buffer("rows", torch.as_tensor(rows), persistent=False)

    def forward(self, values: Tensor, scales: Tensor | None) -> Tensor:
        if scales is None or self.nothing:
            return values
        return values * (self.weights * scales.index_select(0, self.rows)).sum(1)


class TreeKinematics(nn.Module):
    """The tables of one kinematic tree as buffers, and the forward pass over them.

    Nothing in the forward pass asks a device for a value, so that a GPU is never waited for.
    """

    parents: Tensor
    body_rows: Tensor
    fixed_rows: Tensor
    fixed_values: Tensor
    turns: Tensor
    still: Tensor
    first_turn: Tensor
    directions: Tensor
    marker_rows: Tensor
    marker_ground: Tensor | None
    joint_rows: Tensor
    joint_ground: Tensor | None
    last_row: Tensor

    def __init__(self, tree: KinematicTree) -> None:
        super().__init__()
        self.n_bodies = len(tree.body_names)
        self._coordinates(tree)
        nodes = tree.nodes
        depth: list[int] = []
        for node in nodes:
            depth.append(0 if node.parent < 0 else depth[node.parent] + 1)
        order = sorted(range(len(nodes)), key=lambda i: depth[i])
        self.node_order = order
        self.level_sizes = [depth.count(d) for d in range(max(depth, default=-1) + 1)]
        position = {node: k for k, node in enumerate(order)}
        starts = np.cumsum([0, *self.level_sizes])
        parents = [position[nodes[i].parent] - starts[depth[i] - 1] if depth[i] else 0 for i in order]
        self._long("parents", parents)
        self._operations([nodes[i] for i in order])
        self._long("body_rows", [position[int(n)] for n in tree.body_node])
        self.markers = _ScaledVectors(tree.marker_matrix, tree.marker_body)
        self._long("marker_rows", np.maximum(tree.marker_body, 0))
        self._ground_points("marker_ground", tree.marker_body)
        self.joint_origins = _ScaledVectors(tree.joint_matrix, tree.joint_body)
        self._long("joint_rows", np.maximum(tree.joint_body, 0))
        self._ground_points("joint_ground", tree.joint_body)
        self.register_buffer("last_row", _double([[[0.0], [0.0], [0.0], [1.0]]]), persistent=False)

    def _long(self, name: str, values: object) -> None:
        self.register_buffer(name, torch.as_tensor(np.asarray(values, dtype=np.int64)), persistent=False)

    def _ground_points(self, name: str, bodies: np.ndarray) -> None:
        """Which points are fixed in ground; None where none is, so that nothing has to be looked up later."""
        on_ground = torch.as_tensor(bodies < 0)[:, None, None] if np.any(bodies < 0) else None
        self.register_buffer(name, on_ground, persistent=False)

    def _coordinates(self, tree: KinematicTree) -> None:
        """Tables that complete the coordinates: couplers in order, locked ones at their default."""
        n = len(tree.coordinate_names)
        fixed = np.flatnonzero(tree.locked & ~tree.dependent)
        self._long("fixed_rows", fixed)
        self.register_buffer("fixed_values", _double(tree.defaults[fixed][:, None]), persistent=False)
        self.couplers = nn.ModuleList()
        self.coupled_rows: list[list[int]] = []
        self.coupler_growth = nn.ModuleList()
        known = set(range(n)) - {d.coordinate for d in tree.dependences}
        waiting = list(tree.dependences)
        while waiting:
            ready = [d for d in waiting if all(row in known for row, _ in d.argument)]
            self.couplers.append(FunctionTable([d.function for d in ready], [d.argument for d in ready]))
            self._long(f"coupled_{len(self.coupled_rows)}", [d.coordinate for d in ready])
            self.coupled_rows.append([d.coordinate for d in ready])
            self.coupler_growth.append(_Growth(ready))
            known |= {d.coordinate for d in ready}
            waiting = [d for d in waiting if d.coordinate not in known]

    def _operations(self, nodes: list[Node]) -> None:
        rotations: list[tuple[Operation, Node | None, Node | None]] = []
        translations: list[tuple[int, Node, Operation]] = []
        slots: list[list[tuple[int, int]]] = [[], [], [], []]
        for row, node in enumerate(nodes):
            turning = [op for op in node.operations if op.kind == ROTATION]
            moving = [op for op in node.operations if op.kind != ROTATION]
            translations += [(row, node, op) for op in moving]
            for k, op in enumerate(turning):
                slots[k].append((row, len(rotations)))
                rotations.append((op, node if k == 0 else None, node if k == len(turning) - 1 else None))
            if not turning:
                slots[0].append((row, -1))
        moves = [op for _, _, op in translations]
        operations = [op for op, _, _ in rotations] + moves
        self.n_rotations = len(rotations)
        self.functions = FunctionTable([op.function for op in operations], [op.argument for op in operations])
        self.register_buffer("turns", _double(_rodrigues_tables(rotations)), persistent=False)
        self._rotation_slots(nodes, slots)
        self._translations(nodes, translations)
        self.pre = _ScaledVectors(*_stack([n.pre for n in nodes]))
        self.post = _ScaledVectors(*_stack([_in_child_axes(n.post) for n in nodes]))

    def _rotation_slots(self, nodes: list[Node], slots: list[list[tuple[int, int]]]) -> None:
        """Rows of the first rotation of each node, then of the nodes that have a second, a third, ..."""
        first = dict(slots[0])
        still = [n.pre.rotation @ n.post.rotation for r, n in enumerate(nodes) if first[r] < 0]
        self.register_buffer("still", _double(np.array(still).reshape(-1, 3, 3, 1)), persistent=False)
        rows, n_still = [], 0
        for r in range(len(nodes)):
            rows.append(first[r] if first[r] >= 0 else self.n_rotations + n_still)
            n_still += first[r] < 0
        self._long("first_turn", rows)
        self.further_turns = 0
        for k, slot in enumerate(slots[1:], start=1):
            if slot:
                self.further_turns = k
                self._long(f"turn_nodes_{k}", [r for r, _ in slot])
                self._long(f"turn_rows_{k}", [i for _, i in slot])

    def _translations(self, nodes: list[Node], translations: list[tuple[int, Node, Operation]]) -> None:
        directions = np.zeros((len(nodes) * 3, len(translations)))
        for k, (row, node, op) in enumerate(translations):
            directions[3 * row : 3 * row + 3, k] = node.pre.rotation @ op.axis
        self.n_translations = len(translations)
        self.register_buffer("directions", _double(directions), persistent=False)
        self.growth = _Growth([op for _, _, op in translations])

    def complete(self, rows: Tensor, scales: Tensor | None = None) -> Tensor:
        """Coordinates (n_q, B) with locked ones at their default and dependent ones from their coupler."""
        if len(self.fixed_rows):
            values = self.fixed_values.to(rows.dtype).expand(-1, rows.shape[1])
            rows = rows.index_copy(0, self.fixed_rows, values)
        for k, (table, growth) in enumerate(zip(self.couplers, self.coupler_growth)):
            values = growth(table(rows), scales)
            rows = rows.expand(-1, values.shape[1]).index_copy(0, getattr(self, f"coupled_{k}"), values)
        return rows

    def poses(self, rows: Tensor, scales: Tensor | None) -> BodyPoses:
        """Poses of all bodies.

        Args:
            rows: completed coordinates, shape (n_q, B) [rad | m].
            scales: shape (1 + n_bodies, 3, B or 1), first row ones (ground), or None for an unscaled model.
        """
        nodes = self.node_poses(self.functions(rows), scales)
        return BodyPoses(nodes.rotation.index_select(0, self.body_rows), nodes.position.index_select(0, self.body_rows))

    def node_poses(self, values: Tensor, scales: Tensor | None) -> BodyPoses:
        """Poses of all nodes (by depth) for the values (n_operations, B) of their operations."""
        local = self._local_rotations(values[: self.n_rotations])
        shift = self._local_translations(values[self.n_rotations :], scales)
        post = self.post(scales)
        rotations: list[Tensor] = []
        positions: list[Tensor] = []
        start = 0
        for level, size in enumerate(self.level_sizes):
            here = slice(start, start + size)
            if level == 0:
                rotation, position = local[here], shift[here]
            else:
                parent = self.parents[here]
                r = rotations[-1].index_select(0, parent)
                rotation = _matmul(r, local[here])
                position = positions[-1].index_select(0, parent) + _matvec(r, shift[here])
            rotations.append(rotation)
            positions.append(position + _matvec(rotation, post[here]))
            start += size
        return BodyPoses(torch.cat(rotations), torch.cat(positions))

    def _local_rotations(self, angles: Tensor) -> Tensor:
        """Rotation of each node from its parent body to its own, shape (n_nodes, 3, 3, B)."""
        batch = angles.shape[1]
        still = self.still.expand(-1, -1, -1, batch)
        if self.n_rotations == 0:
            return still.index_select(0, self.first_turn)
        sine, cosine = angles.sin()[:, None, None], angles.cos()[:, None, None]
        turns = torch.addcmul(torch.addcmul(self.turns[0], self.turns[1], sine), self.turns[2], cosine)
        local = torch.cat([turns, still]).index_select(0, self.first_turn)
        for k in range(1, self.further_turns + 1):
            nodes, rows = getattr(self, f"turn_nodes_{k}"), getattr(self, f"turn_rows_{k}")
            product = _matmul(local.index_select(0, nodes), turns.index_select(0, rows))
            local = local.index_copy(0, nodes, product)
        return local

    def _local_translations(self, moves: Tensor, scales: Tensor | None) -> Tensor:
        """Translation of each node's joint frame in its parent body, shape (n_nodes, 3, B or 1) [m]."""
        pre = self.pre(scales)
        if self.n_translations == 0:
            return pre.expand(-1, -1, moves.shape[1])
        moves = self.growth(moves, scales)
        return pre + (self.directions @ moves).view(pre.shape[0], 3, moves.shape[1])

    def marker_positions(self, poses: BodyPoses, scales: Tensor | None, offsets: Tensor | None) -> Tensor:
        """Markers in ground, shape (n_markers, 3, B) [m]; offsets (n_markers, 3, B or 1) in body axes [m]."""
        local = self.markers(scales)
        local = local if offsets is None else local + offsets
        return _points(poses, self.marker_rows, self.marker_ground, local)

    def joint_centers(self, poses: BodyPoses, scales: Tensor | None) -> Tensor:
        """Origins of the joints' child frames in ground, shape (n_joints, 3, B) [m]."""
        return _points(poses, self.joint_rows, self.joint_ground, self.joint_origins(scales))


def _points(poses: BodyPoses, rows: Tensor, on_ground: Tensor | None, local: Tensor) -> Tensor:
    """Points in ground, shape (n, 3, B); those on ground stay where they are."""
    points = _matvec(poses.rotation.index_select(0, rows), local) + poses.position.index_select(0, rows)
    return points if on_ground is None else torch.where(on_ground, local, points)


def _matmul(a: Tensor, b: Tensor) -> Tensor:
    """Products of (n, 3, 3, B) matrices; as two fused multiply-adds over the whole batch."""
    out = a[:, :, 0:1] * b[:, 0:1]
    out = torch.addcmul(out, a[:, :, 1:2], b[:, 1:2])
    return torch.addcmul(out, a[:, :, 2:3], b[:, 2:3])


def _matvec(a: Tensor, v: Tensor) -> Tensor:
    """Products of (n, 3, 3, B) matrices and (n, 3, B or 1) vectors."""
    out = a[:, :, 0] * v[:, 0:1]
    out = torch.addcmul(out, a[:, :, 1], v[:, 1:2])
    return torch.addcmul(out, a[:, :, 2], v[:, 2:3])


def _double(values: object) -> Tensor:
    return torch.as_tensor(np.ascontiguousarray(values, dtype=np.float64))


def _stack(fixed: list[FixedTransform]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([f.matrix for f in fixed]).reshape(-1, 3, 3), np.array([f.body for f in fixed], dtype=np.int64)


def _in_child_axes(post: FixedTransform) -> FixedTransform:
    return FixedTransform(post.rotation, post.rotation.T @ post.matrix, post.body)


def _rodrigues_tables(rotations: list[tuple[Operation, Node | None, Node | None]]) -> np.ndarray:
    """Matrices C0, C1, C2, each (n, 3, 3, 1), of R = C0 + sin C1 + cos C2, fixed rotations folded in."""
    tables = np.zeros((3, len(rotations), 3, 3, 1))
    for i, (op, before, after) in enumerate(rotations):
        k = cross_matrix(op.axis)
        pre = before.pre.rotation if before is not None else np.eye(3)
        post = after.post.rotation if after is not None else np.eye(3)
        for j, matrix in enumerate((np.eye(3) + k @ k, k, -(k @ k))):
            tables[j, i, :, :, 0] = pre @ matrix @ post
    return tables
