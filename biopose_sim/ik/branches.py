"""Equivalent angles: three successive rotations reach every orientation twice, and every angle in whole turns.

After solving, frames are brought to the branch around the rest pose, so that a joint that passed its gimbal
singularity does not go on with its angles turned over (or stuck at a limit because of that).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from biopose_sim.ik.cpu import CpuEngine, Sweep
from biopose_sim.ik.types import Array, IntArray
from biopose_sim.kinematics.tree import ROTATION, Node, Operation

_SAME = 1e-6  # relative increase of the cost that counts as none
_HARDLY = 0.01  # and that is a fair price for going on smoothly
_LEAP = 0.35  # [rad | m] between a frame and its neighbours


class Gimbal(NamedTuple):
    """Columns of three successive rotations about mutually orthogonal axes, and their slopes (+-1) and intercepts."""

    columns: tuple[int, int, int]
    slopes: tuple[float, float, float]
    intercepts: tuple[float, float, float]


def find_gimbals(engine: CpuEngine) -> list[Gimbal]:
    """Joints whose three rotations are free, each of its own coordinate."""
    column = {int(j): k for k, j in enumerate(engine.problem.reduced.free)}
    found = [_gimbal(node, column) for node in engine.problem.model.tree.nodes]
    return [g for g in found if g is not None]


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


def to_rest_branch(engine: CpuEngine, sweep: Sweep, among: IntArray | None = None) -> None:
    """Bring frames whose joints are turned over back to the branch of the rest pose, where the fit allows it.

    ``among``: only these frames.
    """
    for gimbal in find_gimbals(engine):
        column, slope, intercept = gimbal.columns[1], gimbal.slopes[1], gimbal.intercepts[1]
        over = np.cos(slope * sweep.coordinates[:, column] + intercept) < 0.0
        if np.cos(slope * engine.problem.start[column] + intercept) <= 0.0:
            over = ~over
        frames = np.flatnonzero(over) if among is None else among[over[among]]
        if len(frames):
            other = turned_over(gimbal, sweep.coordinates[frames])
            _accept(engine, sweep, frames, _nearest_turns(engine, other, list(gimbal.columns)))


def _nearest_turns(engine: CpuEngine, coordinates: Array, columns: list[int]) -> Array:
    """Take whole turns out of the columns, towards the rest pose."""
    turns = np.round((coordinates[:, columns] - engine.problem.start[columns]) / (2.0 * np.pi))
    coordinates = coordinates.copy()
    coordinates[:, columns] -= 2.0 * np.pi * turns
    return coordinates


def _accept(engine: CpuEngine, sweep: Sweep, frames: IntArray, starts: Array) -> None:
    """Solve frames from new starts and keep what fits as well as before."""
    new = engine.new_sweep(len(sweep.cost))
    new.coordinates[frames] = starts
    engine.solve(new, frames, own=True)
    new.iterations += sweep.iterations
    good = new.converged[frames] & (new.cost[frames] <= sweep.cost[frames] * (1.0 + _SAME) + 1e-15)
    for frame in frames[good]:
        sweep.take(int(frame), new, int(frame))


def unwind(engine: CpuEngine, sweep: Sweep) -> None:
    """Take whole turns out of free rotations between neighbouring frames, as far as ranges allow it."""
    problem = engine.problem
    periodic = _periodic_columns(engine)
    for column in np.flatnonzero(periodic):
        values = sweep.coordinates[:, column]
        jumps = np.abs(np.diff(values)) > np.pi
        if not jumps.any():
            continue
        smooth = np.unwrap(values)
        middle = problem.start[column]
        smooth -= 2.0 * np.pi * np.round((np.median(smooth) - middle) / (2.0 * np.pi))
        if smooth.min() >= problem.low[column] and smooth.max() <= problem.high[column]:
            sweep.coordinates[:, column] = smooth


def _periodic_columns(engine: CpuEngine) -> np.ndarray:
    """Free coordinates that only turn rotations by whole multiples of themselves."""
    program = engine.program
    periodic = engine.problem.rotational.copy()
    for k in range(len(program.kind)):
        operation = k - program.n_couplers
        plain = (
            operation >= 0
            and bool(program.rotates[operation])
            and program.kind[k] == 0
            and float(program.line[k, 1]).is_integer()
        )
        weights = program.argument_weight[program.argument_ptr[k] : program.argument_ptr[k + 1]]
        if not plain or not all(float(w).is_integer() for w in weights):
            periodic[program.pattern_free[program.pattern_ptr[k] : program.pattern_ptr[k + 1]]] = False
    return periodic


def remove_spikes(engine: CpuEngine, sweep: Sweep) -> None:
    """Bring single frames that leap away from two neighbours which agree back to them, where the fit hardly suffers."""
    q = sweep.coordinates
    if len(q) < 3:
        return
    middle = 0.5 * (q[:-2] + q[2:])
    off = np.abs(q[1:-1] - middle)
    leaps = (off > _LEAP) & (off > 3.0 * np.abs(q[2:] - q[:-2]))
    for frame in np.flatnonzero(leaps.any(axis=1)) + 1:
        start = 0.5 * (sweep.coordinates[frame - 1] + sweep.coordinates[frame + 1])
        new = engine.solve_starts(start[None], int(frame))
        nearer = np.abs(new.coordinates[0] - start).max() < 0.5 * np.abs(sweep.coordinates[frame] - start).max()
        if new.converged[0] and nearer and new.cost[0] <= sweep.cost[frame] * (1.0 + _HARDLY):
            sweep.take(int(frame), new, 0)
