"""The tree as flat arrays for fitting a person, where body scales count besides coordinates."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from biopose_sim.ik.types import Array, IntArray
from biopose_sim.kinematics.tree import ROTATION, UNSCALED, FixedTransform, KinematicTree, Operation

FIXED, TURN, SHIFT = 0, 1, 2


class FitTables(NamedTuple):
    """Steps along the nodes that carry markers; "ptr" arrays are CSR; columns are the free coordinates.

    A FIXED step goes on by ``matrix @ scales[body]`` and turns by ``rotation``; a TURN or SHIFT step moves about or
    along ``axis`` by its operation's value. ``columns`` and ``parts`` list, per node, what moves it: free
    coordinates, and groups of bodies whose size shifts it. A group of -1 does not scale.
    """

    n_free: int
    n_groups: int
    node_parent: IntArray
    step_ptr: IntArray
    kind: IntArray
    matrix: Array
    rotation: Array
    body: IntArray
    group: IntArray
    axis: Array
    weights: Array
    operation: IntArray
    argument_ptr: IntArray
    argument_column: IntArray
    column_ptr: IntArray
    columns: IntArray
    part_ptr: IntArray
    parts: IntArray
    marker_node: IntArray
    marker_matrix: Array
    marker_body: IntArray
    marker_group: IntArray


class FitLayout:
    """The tables of a tree, and what the operations do in given poses.

    Args:
        tree: the tree before scaling.
        markers: model indices of the markers.
        free: model indices of the free coordinates.
        group: group of each body, shape (n_bodies,).
    """

    def __init__(self, tree: KinematicTree, markers: IntArray, free: IntArray, group: IntArray) -> None:
        self.tree, self.free = tree, free
        self.depends = self._patterns()
        self.operations: list[Operation] = []
        needed = self._needed(markers)
        place = {-1: -1, **{node: k for k, node in enumerate(needed)}}
        steps: list[tuple] = []
        step_ptr = [0]
        columns: list[set[int]] = []
        parts: list[set[int]] = []
        for node in needed:
            at = tree.nodes[node]
            own = [self._fixed(at.pre, group), *(self._moving(op, group) for op in at.operations)]
            steps += [*own, self._fixed(at.post, group)]
            step_ptr.append(len(steps))
            parent = place[at.parent]
            above: tuple[set[int], set[int]] = (set(), set()) if parent < 0 else (columns[parent], parts[parent])
            moved = {j for op in at.operations for row, _ in op.argument for j in self.depends[row]}
            columns.append(above[0] | moved)
            parts.append(above[1] | {step[4] for step in steps[step_ptr[-2] :] if step[4] >= 0})
        kind, matrix, rotation, body, of_group, axis, weights, operation = zip(*steps)
        arguments = [sorted({j for row, _ in op.argument for j in self.depends[row]}) for op in self.operations]
        of_marker = [int(b) for b in tree.marker_body[markers]]
        self.arguments = arguments
        self.tables = FitTables(
            n_free=len(free),
            n_groups=int(group.max()) + 1 if len(group) else 0,
            node_parent=_whole([place[tree.nodes[node].parent] for node in needed]),
            step_ptr=_whole(step_ptr),
            kind=_whole(kind),
            matrix=np.array(matrix),
            rotation=np.array(rotation),
            body=_whole(body),
            group=_whole(of_group),
            axis=np.array(axis),
            weights=np.array(weights),
            operation=_whole(operation),
            argument_ptr=_ends(arguments),
            argument_column=_whole([j for row in arguments for j in row]),
            column_ptr=_ends(columns),
            columns=_whole([j for row in columns for j in sorted(row)]),
            part_ptr=_ends(parts),
            parts=_whole([g for row in parts for g in sorted(row)]),
            marker_node=_whole([place[int(tree.body_node[b])] if b >= 0 else -1 for b in of_marker]),
            marker_matrix=np.ascontiguousarray(tree.marker_matrix[markers]),
            marker_body=_whole(of_marker),
            marker_group=_whole([int(group[b]) if b >= 0 else -1 for b in of_marker]),
        )
        self._straight()

    def _patterns(self) -> list[set[int]]:
        """Columns of the free coordinates that each coordinate depends on."""
        column = {int(j): k for k, j in enumerate(self.free)}
        depends = [{column[j]} if j in column else set() for j in range(len(self.tree.model.coordinates))]
        for d in self.tree.dependences:
            depends[d.coordinate] = {j for row, _ in d.argument for j in depends[row]}
        return depends

    def _needed(self, markers: IntArray) -> list[int]:
        found: set[int] = set()
        for body in self.tree.marker_body[markers]:
            node = int(self.tree.body_node[body]) if body >= 0 else -1
            while node >= 0 and node not in found:
                found.add(node)
                node = self.tree.nodes[node].parent
        return sorted(found)

    def _fixed(self, fixed: FixedTransform, group: IntArray) -> tuple:
        of_group = -1 if fixed.body == UNSCALED else int(group[fixed.body])
        return FIXED, fixed.matrix, fixed.rotation, fixed.body, of_group, np.zeros(3), np.zeros(3), -1

    def _moving(self, op: Operation, group: IntArray) -> tuple:
        self.operations.append(op)
        of_group = -1 if op.scale_body == UNSCALED else int(group[op.scale_body])
        kind = TURN if op.kind == ROTATION else SHIFT
        number = len(self.operations) - 1
        return kind, np.zeros((3, 3)), np.eye(3), op.scale_body, of_group, op.axis, np.array(op.scale_weights), number

    def motion(self, q: Array) -> tuple[Array, Array]:
        """Values of the operations (F, n_operations) and their slopes in their columns (F, n_arguments).

        Args:
            q: complete coordinates, shape (F, n_q) [rad | m].
        """
        tree, n_frames = self.tree, len(q)
        slopes_of: list[dict[int, Array]] = [{} for _ in range(q.shape[1])]
        itself = np.ones(n_frames)
        for k, j in enumerate(self.free):
            slopes_of[int(j)] = {k: itself}
        for d in tree.dependences:
            x = np.asarray(sum(weight * q[:, row] for row, weight in d.argument))
            slopes_of[d.coordinate] = _chained(d.function.derivative(x), d.argument, slopes_of)
        values = q @ self._lines.T + self._heights
        slopes = np.repeat(self._slopes[None], n_frames, axis=0)
        for k in self._bent:
            op = self.operations[k]
            x = np.asarray(sum(weight * q[:, row] for row, weight in op.argument))
            values[:, k] = op.function(x)
            found = _chained(op.function.derivative(x), op.argument, slopes_of)
            for slot, j in enumerate(self.arguments[k], start=self.tables.argument_ptr[k]):
                slopes[:, slot] = found[j]
        return values, slopes

    def _straight(self) -> None:
        """Set what operations that are straight lines do: most of them, and they need no look at the pose."""
        free = {int(j): k for k, j in enumerate(self.free)}
        self._lines = np.zeros((len(self.operations), len(self.depends)))
        self._heights, self._slopes = np.zeros(len(self.operations)), np.zeros(self.tables.argument_ptr[-1])
        self._bent: list[int] = []
        dependent = {d.coordinate for d in self.tree.dependences}
        for k, op in enumerate(self.operations):
            if not op.function.is_linear or any(row in dependent for row, _ in op.argument):
                self._bent.append(k)
                continue
            self._heights[k] = op.function(np.zeros(1))[0]
            slope = op.function.derivative(np.zeros(1))[0]
            for row, weight in op.argument:
                self._lines[k, row] += slope * weight
                if row in free:
                    slot = self.tables.argument_ptr[k] + self.arguments[k].index(free[row])
                    self._slopes[slot] += slope * weight


def _chained(slope: Array, argument: tuple[tuple[int, float], ...], slopes_of: list[dict[int, Array]]) -> dict:
    found: dict[int, NDArray] = {}
    for row, weight in argument:
        for column, dx in slopes_of[row].items():
            found[column] = found.get(column, 0.0) + slope * weight * dx
    return found


def _whole(values) -> IntArray:
    return np.array(values, dtype=np.int64)


def _ends(rows) -> IntArray:
    return np.cumsum([0, *(len(r) for r in rows)], dtype=np.int64)
