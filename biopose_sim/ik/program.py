"""The inverse-kinematics problem of one model and marker set as flat arrays for the compiled kernel.

The tree is reduced first: welds, locked coordinates and everything constant are folded into fixed transforms,
branches without markers are cut, and each joint becomes a node of elementary motions, all about or along the
z axis of their frame (a fixed rotation brings any axis there).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from biopose_sim.ik.function_arrays import function_arrays, shifted
from biopose_sim.ik.vectors import padded
from biopose_sim.kinematics.tree import ROTATION, FixedTransform, KinematicTree, Operation
from biopose_sim.kinematics.tree_builder import axis_rotation
from biopose_sim.osim.functions import ScalarFunction

Array = NDArray[np.float64]


class Program(NamedTuple):
    """Arrays of the kernel; "function" counts couplers first, then the operations; "ptr" arrays are CSR.

    Variables are the free coordinates, from the leaves of the tree to its root (in postorder), then the dependent ones.
    In this order the Hessian's Cholesky factor is as sparse as the tree: rows of a column below the diagonal are the
    coordinates above it, ``path`` (n_free, width), from the root's (level 0) up to its own ``level``. The pattern of a
    function lists the free coordinates it depends on. Nodes come depth first. ``above`` lists, per node, the free
    coordinates that move it, once for each node from the root to itself that they move; the node's own begin at
    ``entry_top`` of these, and ``pattern_entry`` is the place of each element of a pattern among them.
    """

    n_free: int
    n_couplers: int
    kind: NDArray[np.int64]
    line: Array
    table: NDArray[np.int64]
    sine: Array
    n_breaks: NDArray[np.int64]
    breaks: Array
    origins: Array
    coefficients: Array
    argument_ptr: NDArray[np.int64]
    argument_variable: NDArray[np.int64]
    argument_weight: Array
    slot_ptr: NDArray[np.int64]
    slot: NDArray[np.int64]
    pattern_ptr: NDArray[np.int64]
    pattern_free: NDArray[np.int64]
    pattern_entry: NDArray[np.int64]
    node_parent: NDArray[np.int64]
    operation_ptr: NDArray[np.int64]
    rotates: NDArray[np.bool_]
    turned: NDArray[np.bool_]
    rotation: Array
    translation: Array
    entry_top: NDArray[np.int64]
    above_ptr: NDArray[np.int64]
    above: NDArray[np.int64]
    marker_node: NDArray[np.int64]
    marker_local: Array
    level: NDArray[np.int64]
    path: NDArray[np.int64]


class ReducedProblem(NamedTuple):
    """The program with what its variables mean in the model.

    Attributes:
        program: arrays of the kernel.
        free: model indices of the free coordinates, in the program's order.
        markers: model indices of the markers, in the program's order.
        held: values of all coordinates that are not solved for, shape (n_q,) [rad | m].
    """

    program: Program
    free: NDArray[np.int64]
    markers: NDArray[np.int64]
    held: Array


class _OperationItem(NamedTuple):
    rotates: bool
    rotation: Array
    translation: Array
    function: ScalarFunction
    argument: tuple[tuple[int, float], ...]


def reduce_problem(
    tree: KinematicTree,
    markers: Sequence[int],
    free: NDArray[np.bool_],
    held: Array,
    like: ReducedProblem | None = None,
) -> ReducedProblem:
    """Build the program.

    Args:
        tree: the (scaled) tree.
        markers: model indices of the markers to fit.
        free: which coordinates may move, shape (n_q,); those that no marker sees are taken out here.
        held: values of the others, shape (n_q,) [rad | m].
        like: the same of the tree in another size, which spares most of the work.
    """
    return _Reducer(tree, list(markers), free, np.array(held, dtype=float)).reduce(like)


class _Reducer:
    def __init__(self, tree: KinematicTree, markers: list[int], free: NDArray[np.bool_], held: Array) -> None:
        self.tree, self.markers, self.held = tree, markers, held
        self.depends = self._dependence_patterns(free)
        self.constant = self._constant_values()

    def _dependence_patterns(self, free: NDArray[np.bool_]) -> list[tuple[int, ...]]:
        """Per coordinate the free coordinates that it depends on."""
        patterns: list[tuple[int, ...]] = [(i,) if f else () for i, f in enumerate(free)]
        for d in self.tree.dependences:
            patterns[d.coordinate] = tuple(sorted({j for row, _ in d.argument for j in patterns[row]}))
        return patterns

    def _constant_values(self) -> Array:
        values = self.held.copy()
        for d in self.tree.dependences:
            if not self.depends[d.coordinate]:
                values[d.coordinate] = d.function(np.array(sum(w * values[r] for r, w in d.argument)))
        return values

    def _moves(self, argument: tuple[tuple[int, float], ...]) -> bool:
        return any(self.depends[row] for row, _ in argument)

    def reduce(self, like: ReducedProblem | None) -> ReducedProblem:
        tree = self.tree
        needed = np.zeros(len(tree.nodes), dtype=bool)
        for m in self.markers:
            body = int(tree.marker_body[m])
            node = int(tree.body_node[body]) if body >= 0 else -1
            while node >= 0 and not needed[node]:
                needed[node] = True
                node = tree.nodes[node].parent
        self.parents: list[int] = []
        self.operations: list[list[_OperationItem]] = []
        place: dict[int, tuple[int, Array, Array]] = {-1: (-1, np.eye(3), np.zeros(3))}
        for index in _depth_first([at.parent for at in tree.nodes]):
            if needed[index]:
                at_node = tree.nodes[index]
                parent = place[at_node.parent]
                place[index] = self._reduce_node(at_node.pre, at_node.operations, at_node.post, parent)
        marker_node, marker_local = [], []
        for m in self.markers:
            body = int(tree.marker_body[m])
            at, rotation, translation = place[int(tree.body_node[body]) if body >= 0 else -1]
            marker_node.append(at)
            marker_local.append(rotation @ tree.marker_matrix[m].sum(axis=1) + translation)
        items = [item for node in self.operations for item in node]
        local = np.array(marker_local).reshape(-1, 3)
        if like is not None:
            return self._resized(like, items, local)
        return self._assemble(items, np.array(marker_node, dtype=np.int64), local)

    def _reduce_node(
        self,
        pre: FixedTransform,
        operations: tuple[Operation, ...],
        post: FixedTransform,
        parent: tuple[int, Array, Array],
    ) -> tuple[int, Array, Array]:
        """Append the moving operations of a node; return where its body is relative to the last reduced node."""
        at, rotation, translation = parent
        rotation, translation = rotation @ pre.rotation, translation + rotation @ pre.matrix.sum(axis=1)
        items: list[_OperationItem] = []
        for op in operations:
            if self._moves(op.argument):
                to_z = _rotation_from_z(op.axis)
                items.append(
                    _OperationItem(op.kind == ROTATION, rotation @ to_z, translation, op.function, op.argument)
                )
                rotation, translation = to_z.T, np.zeros(3)
                continue
            value = float(op.function(np.array(sum(w * self.constant[r] for r, w in op.argument))))
            if op.kind == ROTATION:
                rotation = rotation @ axis_rotation(op.axis, value)
            else:
                translation = translation + rotation @ op.axis * value
        if items:
            self.parents.append(at)
            self.operations.append(items)
            at = len(self.parents) - 1
        translation = translation + rotation @ post.matrix.sum(axis=1)
        return at, rotation @ post.rotation, translation

    def _assemble(
        self, items: list[_OperationItem], marker_node: NDArray[np.int64], marker_local: Array
    ) -> ReducedProblem:
        used: set[int] = {j for item in items for row, _ in item.argument for j in self.depends[row]}
        free, above = self._postorder(self._leaves_first(used))
        column = {int(j): k for k, j in enumerate(free)}
        couplers = self._needed_couplers(items)
        variable = dict(column)
        for k, d in enumerate(couplers):
            variable[d.coordinate] = len(free) + k
        functions = [(d.function, d.argument) for d in couplers] + [(i.function, i.argument) for i in items]
        patterns = [self._pattern(argument, column) for _, argument in functions]
        node_of = [-1] * len(couplers) + [n for n, ops in enumerate(self.operations) for _ in ops]
        entries = _Entries(self.parents, patterns, node_of)
        program = Program(
            n_free=len(free),
            n_couplers=len(couplers),
            **self._function_fields(functions),
            **self._argument_arrays(functions, variable, column, patterns),
            **_csr("pattern", "pattern_free", patterns),
            pattern_entry=entries.of_pattern,
            node_parent=np.array(self.parents, dtype=np.int64),
            operation_ptr=np.cumsum([0, *(len(o) for o in self.operations)], dtype=np.int64),
            rotates=np.array([i.rotates for i in items], dtype=bool),
            turned=np.array([not np.array_equal(i.rotation, np.eye(3)) for i in items], dtype=bool),
            rotation=np.array([i.rotation for i in items]).reshape(-1, 3, 3),
            translation=np.array([i.translation for i in items]).reshape(-1, 3),
            entry_top=entries.top,
            **_csr("above", "above", entries.above),
            marker_node=marker_node,
            marker_local=marker_local,
            **_paths(above),
        )
        return ReducedProblem(program, free, np.array(self.markers, dtype=np.int64), self.constant)

    def _resized(self, like: ReducedProblem, items: list[_OperationItem], marker_local: Array) -> ReducedProblem:
        """The problem of the same tree in another size: only functions, translations and marker places differ."""
        functions = [(d.function, d.argument) for d in self._needed_couplers(items)]
        functions += [(i.function, i.argument) for i in items]
        program = like.program._replace(
            **self._function_fields(functions),
            translation=np.array([i.translation for i in items]).reshape(-1, 3),
            marker_local=marker_local,
        )
        return like._replace(program=program, held=self.constant)

    def _function_fields(self, functions: list) -> dict[str, Any]:
        return function_arrays([shifted(f, self._offset(argument)) for f, argument in functions])

    def _leaves_first(self, used: set[int]) -> NDArray[np.int64]:
        """Free coordinates by the first node that they move, the last node first."""
        first: dict[int, int] = {}
        for node, items in enumerate(self.operations):
            for item in items:
                for row, _ in item.argument:
                    for j in self.depends[row]:
                        first.setdefault(j, node)
        return np.array(sorted(used, key=lambda j: (-first[j], j)), dtype=np.int64)

    def _postorder(self, free: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Free coordinates so that all below one in the elimination tree come just before it; the one above each."""
        column = {int(j): k for k, j in enumerate(free)}
        rows: list[set[int]] = [set() for _ in free]
        own = [
            {column[j] for item in items for row, _ in item.argument for j in self.depends[row]}
            for items in self.operations
        ]
        for node, moved in enumerate(own):
            for j in moved.union(*(own[above] for above in self._ancestors(node))):
                for i in moved:
                    rows[min(i, j)].add(max(i, j))
        above = np.full(len(free), -1, dtype=np.int64)
        for j, reached in enumerate(rows):
            later = reached - {j}
            if later:
                above[j] = min(later)
                rows[above[j]] |= later
        order = np.array(_depth_first(list(above))[::-1], dtype=np.int64)
        place = np.empty(len(order) + 1, dtype=np.int64)
        place[order], place[-1] = np.arange(len(order)), -1
        return free[order], place[above[order]]

    def _needed_couplers(self, items: list[_OperationItem]) -> list:
        wanted = {row for item in items for row, _ in item.argument}
        chosen = []
        for d in reversed(self.tree.dependences):
            if d.coordinate in wanted and self.depends[d.coordinate]:
                chosen.append(d)
                wanted |= {row for row, _ in d.argument}
        return chosen[::-1]

    def _pattern(self, argument: tuple[tuple[int, float], ...], column: dict[int, int]) -> list[int]:
        return sorted({column[j] for row, _ in argument for j in self.depends[row]})

    def _ancestors(self, node: int) -> list[int]:
        found = []
        node = self.parents[node]
        while node >= 0:
            found.append(node)
            node = self.parents[node]
        return found

    def _argument_arrays(self, functions: list, variable: dict, column: dict, patterns: list[list[int]]) -> dict:
        variables, weights, slots = [], [], []
        for k, (_, argument) in enumerate(functions):
            moving = [(row, w) for row, w in argument if self.depends[row]]
            variables.append([variable[row] for row, _ in moving])
            weights += [w for _, w in moving]
            slots += [[patterns[k].index(column[j]) for j in self.depends[row]] for row, _ in moving]
        return {
            **_csr("argument", "argument_variable", variables),
            "argument_weight": np.array(weights, dtype=float),
            **_csr("slot", "slot", slots),
        }

    def _offset(self, argument: tuple[tuple[int, float], ...]) -> float:
        """The constant part of an argument, which moves into its function."""
        return float(sum(w * self.constant[row] for row, w in argument if not self.depends[row]))


class _Entries:
    """Free coordinates that move each node, from the root's to its own, and the place of every pattern element."""

    def __init__(self, parents: list[int], patterns: list[list[int]], node_of: list[int]) -> None:
        own: list[list[int]] = [[] for _ in parents]
        for pattern, node in zip(patterns, node_of):
            if node >= 0:
                own[node] += [j for j in pattern if j not in own[node]]
        self.above: list[list[int]] = []
        for node, parent in enumerate(parents):
            self.above.append([*(self.above[parent] if parent >= 0 else []), *own[node]])
        self.top = np.array([len(a) - len(o) for a, o in zip(self.above, own)], dtype=np.int64)
        self.of_pattern = np.array(
            [
                int(self.top[node]) + own[node].index(j) if node >= 0 else -1
                for pattern, node in zip(patterns, node_of)
                for j in pattern
            ],
            dtype=np.int64,
        )


def _depth_first(parents: list[int]) -> list[int]:
    """Nodes of a forest, each just after its parent and what hangs from the parent's earlier children."""
    below: list[list[int]] = [[] for _ in range(len(parents) + 1)]
    for node, parent in enumerate(parents):
        below[parent].append(node)
    order, waiting = [], below[-1][::-1]
    while waiting:
        order.append(waiting.pop())
        waiting += below[order[-1]][::-1]
    return order


def _csr(ptr: str, values: str, rows: list[list[int]]) -> dict[str, Any]:
    return {
        f"{ptr}_ptr": np.cumsum([0, *(len(r) for r in rows)], dtype=np.int64),
        values: np.array([v for r in rows for v in r], dtype=np.int64),
    }


def _paths(above: NDArray[np.int64]) -> dict[str, Any]:
    """Level of each coordinate and the coordinates from the root to it, padded with its own."""
    n = len(above)
    paths: list[list[int]] = [[] for _ in range(n)]
    for j in range(n - 1, -1, -1):
        paths[j] = [*(paths[above[j]] if above[j] >= 0 else []), j]
    width = padded(max(map(len, paths), default=0))
    path = np.array([p + [j] * (width - len(p)) for j, p in enumerate(paths)], dtype=np.int64).reshape(n, width)
    return {"level": np.array([len(p) - 1 for p in paths], dtype=np.int64), "path": path}


def _rotation_from_z(axis: Array) -> Array:
    """A rotation matrix (3, 3) whose third column is the unit ``axis``."""
    x, y, z = (float(v) for v in axis)
    if (x, y, z) == (0.0, 0.0, 1.0):
        return np.eye(3)
    # The first column is perpendicular to the axis and to y (or x, where the axis is near y), the second to both.
    a, b, c = (z, 0.0, -x) if abs(y) < 0.9 else (0.0, -z, y)
    length = (a * a + b * b + c * c) ** 0.5
    a, b, c = a / length, b / length, c / length
    return np.array([[a, y * c - z * b, x], [b, z * a - x * c, y], [c, x * b - y * a, z]])
