"""Scratch arrays of the compiled kernel."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from biopose_sim.ik.program import Array, Program
from biopose_sim.ik.vectors import padded


class Workspace(NamedTuple):
    """Scratch arrays of one thread."""

    values: Array
    slopes: Array
    bends: Array
    bends_single: Array
    rotations: Array
    positions: Array
    axes: Array
    moments: Array
    points: Array
    subtree: Array
    stack: Array
    products: Array
    gradient: Array
    matrix: Array


def workspace(program: Program) -> Workspace:
    """Allocate the scratch arrays for a program."""
    nodes, operations, functions = len(program.node_parent), len(program.rotates), len(program.kind)
    n, width = program.n_free, padded(int(np.diff(program.above_ptr).max(initial=0)))
    return Workspace(
        values=np.zeros(functions),
        slopes=np.zeros(len(program.pattern_free)),
        bends=np.zeros(functions),
        bends_single=np.zeros(functions),
        rotations=np.zeros((nodes, 3, 3)),
        positions=np.zeros((nodes, 3)),
        axes=np.zeros((operations, 3)),
        moments=np.zeros((operations, 3)),
        points=np.zeros((len(program.marker_node), 3)),
        subtree=np.zeros((nodes, 22)),
        stack=np.zeros((6, width)),
        products=np.zeros((1, width)),
        gradient=np.zeros(n),
        matrix=np.zeros((n, n)),
    )
