"""Analytic Jacobians of forward kinematics: world axis cross lever arm, through couplers by the chain rule.

Inside, the batch B is the last dimension, as in :mod:`biopose_sim.kinematics.forward`.
"""

from __future__ import annotations

from typing import cast
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from biopose_sim.kinematics.forward import BodyPoses, TreeKinematics
from biopose_sim.kinematics.function_table import FunctionTable
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.kinematics.tree import ROTATION, KinematicTree, Node, Operation


def marker_jacobian(
    model: OsimModel, q: Tensor, scales: Tensor | None = None, marker_offsets: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Markers and their derivative by the coordinates as given.

    The motion of a dependent coordinate is attributed to the coordinates that it depends on; columns of
    dependent and of locked coordinates are zero, because FK does not read them.

    Args:
        model: the model.
        q: coordinates, shape (..., n_q) [rad | m].
        scales: as in :meth:`OsimModel.forward`.
        marker_offsets: as in :meth:`OsimModel.forward`.

    Returns:
        Markers in ground (..., n_markers, 3) [m], and the Jacobian (..., n_markers, 3, n_q) [m/rad | m/m].

    Raises:
        InputError: shapes that do not fit the model.
    """
    state = _State(model, q, scales, marker_offsets)
    columns = _tables(model.tree, state.kinematics, q).marker_columns(state)
    return state.leading(state.markers), state.leading(columns)


def coordinate_jacobian(model: OsimModel, q: Tensor, scales: Tensor | None = None) -> Tensor:
    """Derivative of the completed coordinates by the coordinates as given, shape (..., n_q, n_q).

    Row i holds how coordinate i (a dependent one through its couplers) moves with each given one; rows and
    columns of locked coordinates are zero, columns of dependent ones too.

    Args:
        model: the model.
        q: coordinates, shape (..., n_q) [rad | m].
        scales: as in :meth:`OsimModel.forward`.
    """
    state = _State(model, q, scales, None)
    n = len(model.coordinate_names)
    identity = torch.eye(n, dtype=q.dtype, device=q.device)[:, None, :, None].expand(-1, -1, -1, state.batch_size)
    return state.leading(_tables(model.tree, state.kinematics, q).attribute(identity, state)[:, 0].transpose(0, 1))


class _State:
    """One forward pass with everything that the Jacobian needs of it, batch last."""

    def __init__(self, model: OsimModel, q: Tensor, scales: Tensor | None, offsets: Tensor | None) -> None:
        forward = model(q, scales, marker_offsets=offsets)
        self.leading = forward._leading
        self.scales = forward._scales
        self.kinematics: TreeKinematics = forward._kinematics
        self.rows: Tensor = forward._completed
        self.batch_size = self.rows.shape[1]
        self.values = self.kinematics.functions(self.rows)
        self.nodes = self.kinematics.node_poses(self.values, self.scales)
        rows = self.kinematics.body_rows
        bodies = BodyPoses(self.nodes.rotation.index_select(0, rows), self.nodes.position.index_select(0, rows))
        self.markers = self.kinematics.marker_positions(bodies, self.scales, forward._offsets)


_KNOWN: WeakKeyDictionary[TreeKinematics, _Tables] = WeakKeyDictionary()


def _tables(tree: KinematicTree, kinematics: TreeKinematics, like: Tensor) -> _Tables:
    """The index tables that belong to one set of kinematic tables (made once)."""
    tables = _KNOWN.get(kinematics)
    if tables is None:
        tables = _KNOWN[kinematics] = _Tables(tree, kinematics.node_order).to(like.device, like.dtype)
    return tables


class _Tables(nn.Module):
    """Which operation moves which marker by which coordinate.

    A twist is the motion of everything outboard of a node by one coordinate: the sum of the contributions of
    the node's operations that the coordinate drives.
    """

    axis_vectors: Tensor
    middle_vectors: Tensor
    twist_weights: Tensor
    axis_frames: Tensor
    middle: Tensor
    middle_first: Tensor
    origin_rows: Tensor
    twist_rows: Tensor
    twist_operations: Tensor
    pair_twists: Tensor
    pair_markers: Tensor
    pair_cells: Tensor

    def __init__(self, tree: KinematicTree, order: list[int]) -> None:
        super().__init__()
        self.n_coordinates = len(tree.coordinate_names)
        self.n_markers = len(tree.marker_names)
        nodes = [tree.nodes[i] for i in order]
        position = {node: row for row, node in enumerate(order)}
        parents = [position.get(n.parent, -1) for n in nodes]
        self._operations(nodes, parents)
        self._twists(nodes)
        self._pairs(tree, parents, [position[int(n)] for n in tree.body_node])
        self.dependences = {d.coordinate: d for d in tree.dependences}
        self.free = [bool(f) for f in ~(tree.locked | tree.dependent)]

    def _long(self, name: str, values: object) -> None:
        self.register_buffer(name, torch.as_tensor(np.asarray(values, dtype=np.int64)), persistent=False)

    def _double(self, name: str, values: object) -> None:
        self.register_buffer(name, torch.as_tensor(np.asarray(values, dtype=np.float64)), persistent=False)

    def _operations(self, nodes: list[Node], parents: list[int]) -> None:
        """Frame and fixed vector of each operation's axis; rotations of all nodes first, then translations.

        The first rotation's axis is fixed in the parent, the last one's in the node itself, and the one
        between turns with the first.
        """
        rotations: list[tuple[int, Operation, int, int]] = []
        translations: list[tuple[int, Operation]] = []
        for row, node in enumerate(nodes):
            turning = [op for op in node.operations if op.kind == ROTATION]
            rotations += [(row, op, k, len(turning)) for k, op in enumerate(turning)]
            translations += [(row, op) for op in node.operations if op.kind != ROTATION]
        frames, vectors, middle, middle_vectors = [], [], [], []
        for i, (row, op, k, count) in enumerate(rotations):
            node = nodes[row]
            own = 0 < k == count - 1
            frames.append(row if own else parents[row])
            vectors.append(node.post.rotation.T @ op.axis if own else node.pre.rotation @ op.axis)
            if 0 < k < count - 1:
                middle.append((i, i - 1))
                first = rotations[i - 1][1].axis
                along = first * float(first @ op.axis)
                parts = (along, np.cross(first, op.axis), op.axis - along)
                middle_vectors.append([node.pre.rotation @ part for part in parts])
        frames += [parents[row] for row, _ in translations]
        vectors += [nodes[row].pre.rotation @ op.axis for row, op in translations]
        self.n_rotations = len(rotations)
        self.owners = [row for row, *_ in rotations] + [row for row, _ in translations]
        self.operations = [op for _, op, *_ in rotations] + [op for _, op in translations]
        self._long("axis_frames", [f + 1 for f in frames])
        self._double("axis_vectors", np.array(vectors).reshape(-1, 3, 1))
        self._long("middle", [m for m, _ in middle])
        self._long("middle_first", [f for _, f in middle])
        self._double("middle_vectors", np.array(middle_vectors).reshape(-1, 3, 3, 1).transpose(1, 0, 2, 3))
        self._long("origin_rows", [row for row, *_ in rotations])

    def _twists(self, nodes: list[Node]) -> None:
        index: dict[tuple[int, int], int] = {}
        entries = []
        for i, (row, op) in enumerate(zip(self.owners, self.operations)):
            if not op.function.is_constant:
                for coordinate, weight in op.argument:
                    entries.append((index.setdefault((row, coordinate), len(index)), i, weight))
        self.twists = list(index)
        self._long("twist_rows", [t for t, _, _ in entries])
        self._long("twist_operations", [i for _, i, _ in entries])
        self._double("twist_weights", np.array([w for _, _, w in entries]).reshape(-1, 1))

    def _pairs(self, tree: KinematicTree, parents: list[int], body_rows: list[int]) -> None:
        """All (twist, marker) pairs where the twist moves the marker."""
        at_node: dict[int, list[int]] = {}
        for t, (row, _) in enumerate(self.twists):
            at_node.setdefault(row, []).append(t)
        twists, markers, cells = [], [], []
        for m, body in enumerate(tree.marker_body):
            row = body_rows[body] if body >= 0 else -1
            while row >= 0:
                for t in at_node.get(row, ()):
                    twists.append(t)
                    markers.append(m)
                    cells.append(m * self.n_coordinates + self.twists[t][1])
                row = parents[row]
        self._long("pair_twists", twists)
        self._long("pair_markers", markers)
        self._long("pair_cells", cells)

    def marker_columns(self, state: _State) -> Tensor:
        """Jacobian (n_markers, 3, n_q, B)."""
        linear, angular = self._twist_vectors(state)
        moved = torch.linalg.cross(
            angular.index_select(0, self.pair_twists), state.markers.index_select(0, self.pair_markers), dim=1
        ) + linear.index_select(0, self.pair_twists)
        cells = moved.new_zeros(self.n_markers * self.n_coordinates, 3, state.batch_size)
        cells = cells.index_add(0, self.pair_cells, moved)
        columns = cells.view(self.n_markers, self.n_coordinates, 3, state.batch_size).permute(1, 0, 2, 3)
        return self.attribute(columns, state).permute(1, 2, 0, 3)

    def _twist_vectors(self, state: _State) -> tuple[Tensor, Tensor]:
        """Velocity of the point at ground's origin and angular velocity per twist, each (n_twists, 3, B)."""
        kinematics, n = state.kinematics, self.n_rotations
        slopes = kinematics.functions.derivative(state.rows)
        slopes = torch.cat([slopes[:n], kinematics.growth(slopes[n:], state.scales)])
        axes = self._axes(state)
        turning, moving = axes[:n], axes[n:]
        nodes = state.nodes
        post = kinematics.post(state.scales)
        origins = nodes.position - (nodes.rotation * post[:, None]).sum(2)
        arms = torch.linalg.cross(origins.index_select(0, self.origin_rows), turning, dim=1)
        rates = slopes.index_select(0, self.twist_operations) * self.twist_weights
        spins = torch.cat([turning, torch.zeros_like(moving)]).index_select(0, self.twist_operations)
        shifts = torch.cat([arms, moving]).index_select(0, self.twist_operations)
        empty = spins.new_zeros(len(self.twists), 3, state.batch_size)
        angular = empty.index_add(0, self.twist_rows, spins * rates[:, None])
        return empty.index_add(0, self.twist_rows, shifts * rates[:, None]), angular

    def _axes(self, state: _State) -> Tensor:
        """Axes of all operations in ground, shape (n_operations, 3, B)."""
        batch = state.batch_size
        vectors = self.axis_vectors.expand(-1, -1, batch)
        if len(self.middle):
            angle = state.values.index_select(0, self.middle_first)[:, None]
            along, across, rest = self.middle_vectors
            vectors = vectors.index_copy(0, self.middle, along + angle.sin() * across + angle.cos() * rest)
        ground = torch.eye(3, dtype=vectors.dtype, device=vectors.device)[None, :, :, None].expand(-1, -1, -1, batch)
        frames = torch.cat([ground, state.nodes.rotation]).index_select(0, self.axis_frames)
        return (frames * vectors[:, None]).sum(2)

    def attribute(self, columns: Tensor, state: _State) -> Tensor:
        """Columns by completed coordinates (n_q, ..., ..., B) to columns by the coordinates as given."""
        kinematics = state.kinematics
        tables = list(zip(kinematics.couplers, kinematics.coupled_rows, kinematics.coupler_growth))
        if not self.n_coordinates:
            return columns
        parts = list(columns.unbind(0))
        for functions, coupled, growth in reversed(tables):
            slopes = growth(cast(FunctionTable, functions).derivative(state.rows), state.scales)
            for slope, dependent in zip(slopes, coupled):
                for independent, weight in self.dependences[dependent].argument:
                    parts[independent] = parts[independent] + parts[dependent] * (slope * weight)
        return torch.stack([part if free else torch.zeros_like(part) for part, free in zip(parts, self.free)])
