"""A kinematic tree as flat arrays of one precision: the program that the compiled kernels interpret."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from biopose_sim.kinematics.tree import (
    ROTATION,
    UNSCALED,
    Dependence,
    FixedTransform,
    KinematicTree,
    Node,
    Operation,
)
from biopose_sim.kinematics.tree_builder import cross_matrix
from biopose_sim.osim.functions import ScalarFunction

Ints = NDArray[np.int64]
Reals = NDArray[Any]
CONSTANT, LINE, PIECES, SINE = range(4)
ABOUT_X, ABOUT_Y, ABOUT_Z, GENERAL, FIXED = range(5)
NO_TRANSLATION = -1
_EYE = np.eye(3)
_Tables = TypeVar("_Tables", bound=tuple)


class TreeTables(NamedTuple):
    """The tree. A "slot" is a pose in scratch memory: 0 is ground, i + 1 is node i.

    Functions come in the order rotations, translations, couplers; a row of values belongs to each.

    Attributes:
        functions: per function kind, first argument, number of arguments, start in ``pool``, number of breaks,
            coefficients per piece, body with which the value grows + 1 (0: none).
        arguments: coordinate row of each argument.
        weights: weight of each argument.
        pool: parameters of all functions.
        growth: per function 3 weights of its body's scales.
        couplers: per coupler its dependent coordinate.
        locked: coordinates that stay at their default.
        locked_values: those defaults [rad | m].
        nodes: per node parent slot, first and last turn, first and last move, body + 1 that scales the
            translation before the motion (-1: there is none), the same after it, body or -1.
        turns: per turn kind, function (-1 for a fixed rotation), start of its constants in ``matrices``.
        matrices: constants of the turns: three matrices and the axis (general) or one matrix (fixed).
        directions: unit vectors of the moves in the parent's axes.
        before: per node the matrix of the translation before the motion, in the parent's axes.
        after: per node the matrix of the translation after the motion, in the node's own axes.
        sizes: numbers of coordinates, bodies, rotations.
    """

    functions: Ints
    arguments: Ints
    weights: Reals
    pool: Reals
    growth: Reals
    couplers: Ints
    locked: Ints
    locked_values: Reals
    nodes: Ints
    turns: Ints
    matrices: Reals
    directions: Reals
    before: Reals
    after: Reals
    sizes: Ints


class PointTables(NamedTuple):
    """Points fixed in bodies: per point its slot, body + 1 (0: ground) and the 9 numbers of its matrix."""

    slots: Ints
    bodies: Ints
    matrices: Reals


def tree_tables(tree: KinematicTree, dtype: np.dtype) -> TreeTables:
    """Write the tree as tables."""
    rotations, moves, nodes = _nodes(tree)
    items: list[Operation | Dependence] = [*rotations.operations, *moves.operations, *tree.dependences]
    functions = _Functions()
    for k, item in enumerate(items):
        functions.append(item, sign=rotations.signs[k] if k < len(rotations.signs) else 1.0)
    locked = np.flatnonzero(tree.locked & ~tree.dependent)
    tables = TreeTables(
        functions=_ints(functions.rows, 7),
        arguments=_ints(functions.arguments),
        weights=np.array(functions.weights),
        pool=_flat(functions.pool),
        growth=_flat(item.scale_weights for item in items),
        couplers=_ints([d.coordinate for d in tree.dependences]),
        locked=_ints(locked),
        locked_values=tree.defaults[locked],
        nodes=_ints(nodes, 8),
        turns=_ints(rotations.turns, 3),
        matrices=_flat(rotations.constants),
        directions=_flat(moves.directions),
        before=_flat(n.pre.matrix for n in tree.nodes),
        after=_flat(n.post.rotation.T @ n.post.matrix for n in tree.nodes),
        sizes=_ints([len(tree.coordinate_names), len(tree.body_names), len(rotations.operations)]),
    )
    return _in_precision(tables, dtype)


def point_tables(tree: KinematicTree, bodies: Ints, matrices: Reals, dtype: np.dtype) -> PointTables:
    """Write points ``matrices[i] @ scales[bodies[i]]`` (body -1: ground) as tables."""
    slots = [0 if body < 0 else int(tree.body_node[body]) + 1 for body in bodies]
    return _in_precision(PointTables(_ints(slots), _ints(bodies) + 1, _flat(matrices)), dtype)


class _Functions:
    """Collects functions as rows of integers and a pool of parameters."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, ...]] = []
        self.arguments: list[int] = []
        self.weights: list[float] = []
        self.pool: list[Reals] = []
        self._used = 0

    def append(self, item: Operation | Dependence, sign: float) -> None:
        f = item.function if sign > 0 else item.function.scaled(-1.0)
        kind, parameters = _parameters(f)
        start = len(self.arguments), len(item.argument), self._used
        self.rows.append((kind, *start, len(f.breaks), f.coefficients.shape[1], item.scale_body - UNSCALED))
        self.arguments += [row for row, _ in item.argument]
        self.weights += [weight for _, weight in item.argument]
        self.pool.append(parameters)
        self._used += len(parameters)


def _parameters(f: ScalarFunction) -> tuple[int, Reals]:
    """Kind and numbers; of pieces the breaks, then per piece its origin and coefficients from the lowest power."""
    if f.sine is not None:
        return SINE, np.array(f.sine)
    if f.is_constant:
        return CONSTANT, f.coefficients[0]
    if f.is_linear:
        intercept, slope = f.coefficients[0]
        return LINE, np.array([intercept - slope * f.origins[0], slope])
    return PIECES, np.concatenate([f.breaks, np.column_stack([f.origins, f.coefficients]).ravel()])


class _Rotations:
    """Collects turns; fixed rotations before and after the motion are folded into its first and last turn."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.signs: list[float] = []
        self.turns: list[tuple[int, int, int]] = []
        self.constants: list[Reals] = []
        self._used = 0

    def append_node(self, node: Node) -> None:
        turning = [op for op in node.operations if op.kind == ROTATION]
        still = node.pre.rotation @ node.post.rotation
        if not turning and not _is_identity(still):
            self._append(FIXED, -1, [still])
        for k, op in enumerate(turning):
            before = node.pre.rotation if k == 0 else _EYE
            after = node.post.rotation if k == len(turning) - 1 else _EYE
            self._append_turn(op, before, after)

    def _append_turn(self, op: Operation, before: Reals, after: Reals) -> None:
        row, main = len(self.operations), int(np.argmax(np.abs(op.axis)))
        self.operations.append(op)
        along = bool(np.all(np.abs(np.abs(op.axis) - _EYE[main]) < 1e-15))
        if along and _is_identity(before) and _is_identity(after):
            # About an own axis; a turn about the negative axis is one by the negative angle.
            self.signs.append(float(np.sign(op.axis[main])))
            self._append((ABOUT_X, ABOUT_Y, ABOUT_Z)[main], row, [])
        else:
            self.signs.append(1.0)
            k = cross_matrix(op.axis)
            parts = [before @ matrix @ after for matrix in (_EYE + k @ k, k, -(k @ k))]
            self._append(GENERAL, row, [*parts, before @ op.axis])

    def _append(self, kind: int, row: int, constants: list[Reals]) -> None:
        self.turns.append((kind, row, self._used))
        self.constants += constants
        self._used += sum(c.size for c in constants)


class _Moves:
    """Collects displacements."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.directions: list[Reals] = []

    def append_node(self, node: Node) -> None:
        moving = [op for op in node.operations if op.kind != ROTATION]
        self.operations += moving
        self.directions += [node.pre.rotation @ op.axis for op in moving]


def _nodes(tree: KinematicTree) -> tuple[_Rotations, _Moves, list[tuple[int, ...]]]:
    rotations, moves = _Rotations(), _Moves()
    rows: list[tuple[int, ...]] = []
    body_of_node = {int(node): body for body, node in enumerate(tree.body_node)}
    for index, node in enumerate(tree.nodes):
        turn, move = len(rotations.turns), len(moves.operations)
        rotations.append_node(node)
        moves.append_node(node)
        ends = turn, len(rotations.turns), move, len(moves.operations)
        fixed = _scaling_body(node.pre), _scaling_body(node.post)
        rows.append((node.parent + 1, *ends, *fixed, body_of_node.get(index, -1)))
    return rotations, moves, rows


def _scaling_body(fixed: FixedTransform) -> int:
    return fixed.body - UNSCALED if np.any(fixed.matrix) else NO_TRANSLATION


def _is_identity(matrix: Reals) -> bool:
    return bool(np.allclose(matrix, _EYE, rtol=0.0, atol=1e-15))


def _flat(arrays: Iterable[Any]) -> Reals:
    parts = [np.ravel(a) for a in arrays]
    return np.concatenate(parts).astype(float) if parts else np.zeros(0)


def _ints(values: Any, width: int | None = None) -> Ints:
    array = np.asarray(values, dtype=np.int64)
    return array if width is None else array.reshape(-1, width)


def _in_precision(tables: _Tables, dtype: np.dtype) -> _Tables:
    arrays = (a if a.dtype == np.int64 else np.ascontiguousarray(a, dtype) for a in tables)
    return type(tables)(*arrays)
