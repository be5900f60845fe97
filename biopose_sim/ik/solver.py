"""Inverse kinematics of a trial: the public entry and the strategy over its frames."""

from __future__ import annotations

import itertools

import numpy as np

from biopose_sim.errors import InputError
from biopose_sim.ik.branches import remove_spikes, to_rest_branch, unwind
from biopose_sim.ik.checks import check_markers
from biopose_sim.ik.cpu import CpuEngine, Sweep
from biopose_sim.ik.gaps import bridge
from biopose_sim.ik.problem import (
    IKProblem,
    build_problem,
    drawn_to,
    root_columns,
    to_result,
    with_weak_prior,
    without_prior,
)
from biopose_sim.ik.start import best_frame, find_start
from biopose_sim.ik.types import IKConfig, IntArray, KinematicsResult
from biopose_sim.io import Trial
from biopose_sim.kinematics.model import OsimModel

_BETTER = 1e-3  # relative decrease of the cost that counts as a better solution
_SUSPICIOUS = 3.0  # times the usual mean squared marker distance
_STEP = 1.8  # ratio of the mean squared distances of neighbouring frames
_EXACT = (1e-3) ** 2  # mean squared marker distance [m^2] that nobody need doubt
_MOST_SUSPECTS, _MOST_UNCONVERGED, _MOST_STEPS = 24, 6, 40
_BORROWED = 8  # frames that fit well, whose joints a frame that fits badly is tried with


def solve_ik(model: OsimModel, trial: Trial, config: IKConfig | None = None) -> KinematicsResult:
    """Coordinates of every frame of a trial that bring the model's markers to the measured ones.

    Args:
        model: the (scaled) model; its markers are matched to the trial's by name.
        trial: measured markers, ground frame Y up [m]; NaN where missing.
        config: weights, targets and limits; the default weighs all common markers alike.

    Raises:
        InputError: model and trial share no marker, the trial has no frame, unknown names in the configuration.
    """
    config = config or IKConfig()
    if len(trial.time) == 0:
        raise InputError(trial.source or trial.name, "has no frames")
    problem = build_problem(model, trial, config)
    if config.engine not in ("kernel", "torch"):
        raise InputError("IKConfig.engine", f"is {config.engine!r}", "'kernel' or 'torch' is needed")
    engine = CpuEngine(problem)
    sweep = _smooth_frames(engine) if config.smoothness > 0.0 else solve_all_frames(engine)
    warnings = bridge(engine, sweep) + _check(problem, sweep)
    return to_result(
        problem,
        sweep.coordinates,
        sweep.points,
        sweep.converged,
        sweep.iterations,
        engine.sensitivity(sweep.coordinates),
        tuple(warnings),
    )


def _check(problem: IKProblem, sweep: Sweep) -> list[str]:
    weight = problem.visible @ problem.weights
    with np.errstate(divide="ignore", invalid="ignore"):
        misfit = np.where(weight > 0.0, np.sqrt(2.0 * sweep.cost / weight), np.nan)
    return check_markers(problem, sweep.points, misfit)


def _smooth_frames(engine: CpuEngine) -> Sweep:
    """The smooth motion and, with a prior, the frames' own solutions as far as they are drawn to it."""
    from biopose_sim.ik.smoothing import smooth

    problem = engine.problem
    sweep = solve_all_frames(CpuEngine(with_weak_prior(problem)))
    smooth(CpuEngine(without_prior(problem)), sweep)
    if problem.config.prior > 0.0:
        CpuEngine(drawn_to(problem, sweep.coordinates)).solve_each(sweep)
    return sweep


def solve_all_frames(engine: CpuEngine) -> Sweep:
    """Solve from a few anchors outwards, then mend what a bad start or a gap has spoilt."""
    if engine.problem.config.engine == "torch":
        from biopose_sim.ik.torch_engine import coarse_problem, solve_frames_with_torch

        few, frames = coarse_problem(engine.problem)
        sweep = solve_frames_with_torch(engine.problem, _solve_outwards(CpuEngine(few)), frames)
        return _finished(engine, sweep)
    return _solve_outwards(engine)


def _solve_outwards(engine: CpuEngine) -> Sweep:
    problem = engine.problem
    n_frames = len(problem.targets)
    sweep = engine.new_sweep(n_frames)
    n_anchors = engine.n_anchors(n_frames)
    bounds = np.linspace(0, n_frames, n_anchors + 1).astype(int)
    anchors = []
    for first, last in itertools.pairwise(bounds):
        frame = best_frame(problem.visible, problem.weights, (first + last) // 2, (first, last))
        sweep.coordinates[frame], _ = find_start(engine, frame)
        engine.solve(sweep, np.array([frame]))
        anchors.append(frame)
    # A start that is turned over would be handed on to every frame.
    to_rest_branch(engine, sweep, np.array(anchors))
    engine.steady(sweep, np.array(anchors))
    engine.spread(sweep, anchors)
    to_rest_branch(engine, sweep)
    _close_seams(engine, sweep, anchors)
    return _finished(engine, sweep)


def _finished(engine: CpuEngine, sweep: Sweep) -> Sweep:
    mend(engine, sweep)
    to_rest_branch(engine, sweep)
    unwind(engine, sweep)
    remove_spikes(engine, sweep)
    return sweep


def _close_seams(engine: CpuEngine, sweep: Sweep, anchors: list[int]) -> None:
    """Where two stretches meet with different solutions, let the better one run into the other."""
    for left, right in itertools.pairwise(anchors):
        border = (left + right) // 2
        if border + 1 < len(sweep.cost):
            _run_on(engine, sweep, border, 1)
            _run_on(engine, sweep, border + 1, -1)


def mend(engine: CpuEngine, sweep: Sweep) -> None:
    """Try new starts where the fit is far worse than usual or beside a better frame, or did not converge."""
    problem = engine.problem
    weight = problem.visible @ problem.weights
    with np.errstate(divide="ignore", invalid="ignore"):
        misfit = np.where(weight > 0.0, 2.0 * sweep.cost / weight, 0.0)
    usual = np.median(misfit[weight > 0.0]) if np.any(weight > 0.0) else 0.0
    suspects = [int(f) for f in np.argsort(-misfit)[:_MOST_SUSPECTS] if misfit[f] > _SUSPICIOUS * usual + _EXACT]
    suspects += [int(f) for f in np.flatnonzero(~sweep.converged)[:_MOST_UNCONVERGED]]
    good = np.flatnonzero((weight > 0.0) & (misfit <= usual))
    lenders = good[np.linspace(0, len(good) - 1, min(_BORROWED, len(good))).astype(int)]
    mended = np.zeros(len(misfit), dtype=bool)
    for frame in suspects:
        if weight[frame] > 0.0 and not mended[frame]:
            before = sweep.cost.copy()
            _restart(engine, sweep, frame, lenders)
            mended |= sweep.cost < before
    ratio = misfit[1:] / np.maximum(misfit[:-1], 1e-12)
    steps = np.flatnonzero((np.maximum(ratio, 1.0 / np.maximum(ratio, 1e-12)) > _STEP) & (misfit[1:] > _EXACT))
    for frame in steps[:_MOST_STEPS]:
        _run_on(engine, sweep, int(frame), 1)
        _run_on(engine, sweep, int(frame) + 1, -1)


def _restart(engine: CpuEngine, sweep: Sweep, frame: int, lenders: IntArray) -> None:
    """Solve a frame from no guess, from its neighbours and with the joints of the lenders.

    What is better runs on in both directions.
    """
    first = find_start(engine, frame)[0]
    starts = [first, *(sweep.coordinates[f] for f in (frame - 1, frame + 1) if 0 <= f < len(sweep.cost))]
    root = root_columns(engine.program)
    starts += [np.where(root, own, sweep.coordinates[f]) for f in lenders for own in (first, sweep.coordinates[frame])]
    new = engine.solve_starts(np.array(starts), frame)
    best = int(np.argmin(new.cost))
    if new.cost[best] < sweep.cost[frame] * (1.0 - _BETTER) or not sweep.converged[frame]:
        sweep.take(frame, new, best)
        _run_on(engine, sweep, frame, 1)
        _run_on(engine, sweep, frame, -1)


def _run_on(engine: CpuEngine, sweep: Sweep, frame: int, direction: int) -> None:
    """Solve on from ``frame`` as long as that makes the next frames better."""
    following = frame + direction
    while 0 <= following < len(sweep.cost):
        new = engine.solve_next(sweep, frame, following)
        if not new.cost[0] < sweep.cost[following] * (1.0 - _BETTER) - 1e-15:
            return
        sweep.take(following, new, 0)
        frame, following = following, following + direction


def problem_of(model: OsimModel, trial: Trial, config: IKConfig | None = None) -> IKProblem:
    """The problem that :func:`solve_ik` solves (for tests and benchmarks)."""
    return build_problem(model, trial, config or IKConfig())
