"""Equivalent angles: three successive rotations reach every orientation twice, and every angle in whole turns.

After solving, frames are brought to the branch around the rest pose, so that a joint that passed its gimbal
singularity does not go on with its angles turned over (or stuck at a limit because of that).
"""

from __future__ import annotations

import numpy as np

from biopose_sim.ik.cpu import CpuEngine, Sweep
from biopose_sim.ik.gimbals import turned_over
from biopose_sim.ik.types import Array, IntArray

_SAME = 1e-6  # relative increase of the cost that counts as none
_HARDLY = 0.01  # and that is a fair price for going on smoothly
_LEAP = 0.35  # [rad | m] between a frame and its neighbours


def to_rest_branch(engine: CpuEngine, sweep: Sweep, among: IntArray | None = None) -> None:
    """Bring frames whose joints are turned over back to the branch of the rest pose, where the fit allows it.

    ``among``: only these frames.
    """
    for gimbal in engine.problem.gimbals:
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
    jumps = (np.abs(np.diff(sweep.coordinates, axis=0)) > np.pi).any(axis=0)
    if not jumps.any():
        return
    for column in np.flatnonzero(jumps & _periodic_columns(engine)):
        values = sweep.coordinates[:, column]
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
