"""Joints of three successive rotations, which reach every orientation by two sets of angles."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from biopose_sim.ik.types import Array, IntArray
from biopose_sim.kinematics.tree import ROTATION, KinematicTree, Node, Operation


class Gimbal(NamedTuple):
    """Columns of three successive rotations about mutually orthogonal axes, and their slopes (+-1) and intercepts."""

    columns: tuple[int, int, int]
    slopes: tuple[float, float, float]
    intercepts: tuple[float, float, float]


def find_gimbals(tree: KinematicTree, free: IntArray) -> tuple[Gimbal, ...]:
    """Joints whose three rotations are free, each of its own coordinate; ``free``: model index of each column."""
    column = {int(j): k for k, j in enumerate(free)}
    found = (_gimbal(node, column) for node in tree.nodes)
    return tuple(g for g in found if g is not None)


def _gimbal(node: Node, column: dict[int, int]) -> Gimbal | None:
    turning = [op for op in node.operations if op.kind == ROTATION]
    if len(turning) != 3 or not all(_is_plain(op, column) for op in turning):
        return None
    axes = np.array([op.axis for op in turning])
    if np.abs(axes @ axes.T - np.eye(3)).max() > 1e-6:
        return None
    columns = tuple(column[op.argument[0][0]] for op in turning)
    if len(set(columns)) < 3:
        return None
    lines = [(op.function.coefficients[0, 1] * op.argument[0][1], op.function.coefficients[0, 0]) for op in turning]
    return Gimbal(columns, tuple(a for a, _ in lines), tuple(b for _, b in lines))  # type: ignore[arg-type]


def _is_plain(op: Operation, column: dict[int, int]) -> bool:
    if len(op.argument) != 1 or op.argument[0][0] not in column or not op.function.is_linear:
        return False
    coefficients = op.function.coefficients
    return (
        coefficients.shape[1] == 2
        and abs(abs(coefficients[0, 1] * op.argument[0][1]) - 1.0) < 1e-12
        and op.function.origins[0] == 0.0
    )


def turned_over(gimbal: Gimbal, coordinates: Array) -> Array:
    """The other angles of the same orientation: first and third half a turn on, second mirrored at 90 degrees."""
    other = coordinates.copy()
    for k, (column, slope, intercept) in enumerate(zip(*gimbal)):
        angle = slope * coordinates[..., column] + intercept
        angle = np.pi - angle if k == 1 else angle + np.pi
        other[..., column] = (angle - intercept) / slope
    return other
