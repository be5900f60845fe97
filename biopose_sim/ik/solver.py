"""Inverse kinematics of a trial: the public entry and the strategy over its frames."""

from __future__ import annotations

import numpy as np

from biopose_sim.errors import InputError
from biopose_sim.ik.cpu import CpuEngine, Sweep
from biopose_sim.ik.problem import IKProblem, build_problem, to_result
from biopose_sim.ik.start import best_frame, find_start
from biopose_sim.ik.types import IKConfig, KinematicsResult
from biopose_sim.io import Trial
from biopose_sim.kinematics.model import OsimModel

_SAME = 1e-3  # cost ratio below which two solutions of a frame count as equally good


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
    if config.engine == "torch":
        from biopose_sim.ik.torch_engine import solve_with_torch

        return solve_with_torch(problem)
    if config.engine != "kernel":
        raise InputError("IKConfig.engine", f"is {config.engine!r}", "'kernel' or 'torch' is needed")
    engine = CpuEngine(problem)
    sweep = solve_all_frames(engine)
    if config.smoothness > 0.0:
        from biopose_sim.ik.smoothing import smooth

        smooth(engine, sweep)
    return to_result(
        problem,
        sweep.coordinates,
        sweep.points,
        sweep.converged,
        sweep.iterations,
        engine.sensitivity(sweep.coordinates),
    )


def solve_all_frames(engine: CpuEngine) -> Sweep:
    """Solve from a few anchors outwards, then mend what a bad start or a gap has spoilt."""
    problem = engine.problem
    n_frames = len(problem.targets)
    sweep = engine.new_sweep(n_frames)
    n_anchors = engine.n_anchors(n_frames)
    bounds = np.linspace(0, n_frames, n_anchors + 1).astype(int)
    anchors = []
    for first, last in zip(bounds[:-1], bounds[1:]):
        frame = best_frame(problem.visible, problem.weights, (first + last) // 2, (first, last))
        sweep.coordinates[frame], _ = find_start(engine, frame)
        engine.solve(sweep, np.array([frame]))
        anchors.append(frame)
    engine.spread(sweep, anchors)
    _close_seams(engine, sweep, anchors)
    _mend(engine, sweep)
    return sweep


def _close_seams(engine: CpuEngine, sweep: Sweep, anchors: list[int]) -> None:
    """Where two stretches meet with different solutions, let the better one run into the other."""
    for left, right in zip(anchors, anchors[1:]):
        border = (left + right) // 2
        n = len(sweep.cost)
        if border + 1 < n:
            _run_on(engine, sweep, border, border + 1)
            _run_on(engine, sweep, border + 1, border)


def _mend(engine: CpuEngine, sweep: Sweep) -> None:
    """Try new starts where the fit is worst, at both ends, and where no convergence was reached."""
    problem = engine.problem
    weight = problem.visible @ problem.weights
    with np.errstate(divide="ignore", invalid="ignore"):
        misfit = np.where(weight > 0, sweep.cost / weight, 0.0)
    suspects = {int(np.argmax(misfit)), 0, len(misfit) - 1}
    suspects |= {int(f) for f in np.flatnonzero(~sweep.converged)[:8]}
    for frame in sorted(suspects):
        if weight[frame] == 0.0:
            continue
        q, cost = find_start(engine, frame)
        if cost < sweep.cost[frame] * (1.0 - _SAME) - 1e-12:
            sweep.coordinates[frame] = q
            engine.solve(sweep, np.array([frame]))
            _run_on(engine, sweep, frame, frame + 1)
            _run_on(engine, sweep, frame, frame - 1)


def _run_on(engine: CpuEngine, sweep: Sweep, frame: int, following: int) -> None:
    """Solve on from ``frame`` in the direction of ``following`` as long as that makes frames better."""
    direction = following - frame
    while 0 <= following < len(sweep.cost):
        trial = engine.new_sweep(len(sweep.cost))
        trial.coordinates[frame] = sweep.coordinates[frame]
        engine.solve(trial, np.array([frame, following]), warm=True)
        if not trial.cost[following] < sweep.cost[following] * (1.0 - _SAME) - 1e-12:
            return
        for store, new in zip(vars(sweep).values(), vars(trial).values()):
            store[following] = new[following]
        frame, following = following, following + direction


def problem_of(model: OsimModel, trial: Trial, config: IKConfig | None = None) -> IKProblem:
    """The problem that :func:`solve_ik` solves (for tests and benchmarks)."""
    return build_problem(model, trial, config or IKConfig())
