"""What markers cannot say: coordinates that they leave open in every pose, and those unseen for a while."""

from __future__ import annotations

import numpy as np

from biopose_sim.ik.cpu import CpuEngine, Sweep
from biopose_sim.ik.curvature import pivots
from biopose_sim.ik.program import Program
from biopose_sim.ik.types import Array, BoolArray
from biopose_sim.ik.workspace import workspace

_POSES = 4
_OPEN = 1e-8  # curvature per unit of marker weight [m^2/rad^2] that is none: 1 mm of error turns by 10 rad


def undetermined(program: Program, start: Array, weights: Array, fixed: BoolArray) -> BoolArray:
    """Free coordinates that markers cannot tell from those above them in the tree, in any pose, shape (n,).

    A pivot of the curvature, eliminated from the root outwards, is what is left for a coordinate when all above
    it adapt. ``fixed``: coordinates that something else determines.
    """
    rng = np.random.default_rng(0)
    poses = start + rng.uniform(-0.4, 0.4, (_POSES, program.n_free))
    found = pivots(program, poses, weights, fixed, workspace(program))
    return np.asarray((found < _OPEN * weights.mean()).all(axis=0))


def moves_marker(program: Program) -> BoolArray:
    """Which free coordinate moves which marker, shape (M, n)."""
    moved = np.zeros((len(program.marker_node), program.n_free), dtype=bool)
    for marker, node in enumerate(program.marker_node):
        if node >= 0:
            moved[marker, program.above[program.above_ptr[node] : program.above_ptr[node + 1]]] = True
    return moved


def bridge(engine: CpuEngine, sweep: Sweep) -> list[str]:
    """Lead coordinates that no measured marker sees in some frames from the frames before to those after.

    No cost changes by that. Before the first and after the last sight they keep their value. Returns warnings.
    """
    problem = engine.problem
    counted: BoolArray = np.logical_and(problem.visible, problem.weights > 0.0)
    if counted.all():
        return []
    seen = counted.astype(np.float32) @ moves_marker(engine.program).astype(np.float32) > 0.0
    seen[:, problem.goal_weight > 0.0] = True
    empty: BoolArray = np.logical_not(counted.any(axis=1))
    seen[empty] = False
    names = [problem.model.coordinate_names[j] for j in problem.reduced.free]
    bridged = []
    for column in np.flatnonzero(~seen.all(axis=0)):
        sight = np.flatnonzero(seen[:, column])
        if len(sight):
            blind = np.flatnonzero(~seen[:, column])
            sweep.coordinates[blind, column] = np.interp(blind, sight, sweep.coordinates[sight, column])
            if len(blind) > empty.sum():
                bridged.append(names[column])
    engine.refresh(sweep)
    warnings = []
    if empty.any():
        warnings.append(
            f"no marker was measured in {empty.sum()} of {len(empty)} frames: bridged from their neighbours"
        )
    if bridged:
        shown = ", ".join(bridged[:8]) + (f" and {len(bridged) - 8} more" if len(bridged) > 8 else "")
        warnings.append(f"no marker sees {shown} in some frames: bridged from their neighbours")
    return warnings
