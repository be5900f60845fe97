"""The compiled engine: Newton's method per frame, frames in sequence, stretches of a trial in threads."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from biopose_sim.ik.kernel import GAUSS_NEWTON, Workspace, cost_of, derive, workspace
from biopose_sim.ik.newton import COLD, OWN, WARM, StepSpace, inverse_diagonal, refresh_frames, solve_frames, step_space
from biopose_sim.ik.problem import IKProblem
from biopose_sim.ik.program import Program
from biopose_sim.ik.types import Array, BoolArray, IntArray

_FRAMES_PER_THREAD = 48  # a thread's start costs as much as about so many frames
_SENSITIVITY_FRAMES = 24


@dataclass(eq=False)
class Sweep:
    """Solutions so far, one row a frame: coordinates (T, n), cost, iterations, converged, points (T, M, 3)."""

    coordinates: Array
    cost: Array
    iterations: IntArray
    converged: BoolArray
    points: Array

    def take(self, frame: int, other: Sweep, row: int) -> None:
        """Take the solution in ``row`` of another sweep for ``frame``."""
        self.coordinates[frame] = other.coordinates[row]
        self.cost[frame] = other.cost[row]
        self.iterations[frame] = other.iterations[row]
        self.converged[frame] = other.converged[row]
        self.points[frame] = other.points[row]


class CpuEngine:
    """Solves frames of one problem with the compiled kernel."""

    def __init__(self, problem: IKProblem) -> None:
        self.problem = problem
        self.program = problem.reduced.program
        self.n_threads = problem.config.threads or os.cpu_count() or 1

    def new_sweep(self, n_frames: int) -> Sweep:
        """Empty storage for n frames."""
        n, m = self.program.n_free, len(self.problem.marker_names)
        return Sweep(
            np.zeros((n_frames, n)),
            np.full(n_frames, np.inf),
            np.zeros(n_frames, dtype=np.int64),
            np.zeros(n_frames, dtype=bool),
            np.zeros((n_frames, m, 3)),
        )

    def _scratch(self) -> tuple[Workspace, StepSpace]:
        return workspace(self.program), step_space(self.program.n_free)

    def solve(
        self,
        sweep: Sweep,
        order: IntArray,
        *,
        movable: BoolArray | None = None,
        warm: bool = False,
        own: bool = False,
        max_iterations: int | None = None,
    ) -> None:
        """Solve the frames in ``order``, each starting from the one before; the first from its row of ``sweep``.

        ``warm``: the first frame stays as it is. ``own``: each frame starts from its own row.
        """
        p = self.problem
        solve_frames(
            self.program, sweep.coordinates, p.targets, p.visible, p.weights,
            p.goals, p.goal_weight, p.tie, p.low, p.high,
            np.ones(self.program.n_free, dtype=bool) if movable is None else movable,
            p.largest, p.floor, p.config.tolerance,
            p.config.max_iterations if max_iterations is None else max_iterations,
            order, OWN if own else WARM if warm else COLD,
            sweep.cost, sweep.iterations, sweep.converged, sweep.points, *self._scratch(),
        )  # fmt: skip

    def solve_each(self, sweep: Sweep) -> None:
        """Solve every frame from its own row of ``sweep``."""
        n_frames = len(sweep.cost)
        n_parts = max(1, min(self.n_threads, n_frames // _FRAMES_PER_THREAD))
        parts = np.array_split(np.arange(n_frames), n_parts)
        with ThreadPoolExecutor(n_parts) as pool:
            list(pool.map(lambda order: self.solve(sweep, order, own=True), parts))

    def solve_starts(self, starts: Array, frame: int, movable: BoolArray | None = None) -> Sweep:
        """Solve one frame from several starts (S, n); row s of the answer belongs to start s."""
        sweep = self.new_sweep(len(starts))
        sweep.coordinates[:] = starts
        p = self.problem
        targets = np.repeat(p.targets[frame : frame + 1], len(starts), axis=0)
        visible = np.repeat(p.visible[frame : frame + 1], len(starts), axis=0)
        goals = p.goals[frame if len(p.goals) > 1 else 0][None]
        space = self._scratch()
        everything = np.ones(self.program.n_free, dtype=bool) if movable is None else movable
        for s in range(len(starts)):
            solve_frames(
                self.program, sweep.coordinates, targets, visible, p.weights, goals, p.goal_weight, p.tie,
                p.low, p.high, everything, p.largest, p.floor, p.config.tolerance, p.config.max_iterations,
                np.array([s]), COLD, sweep.cost, sweep.iterations, sweep.converged, sweep.points, *space,
            )  # fmt: skip
        return sweep

    def spread(self, sweep: Sweep, anchors: list[int]) -> None:
        """Solve all frames outwards from the solved anchors, each stretch in its thread."""
        stretches = _stretches(anchors, len(sweep.cost))
        if len(stretches) == 1:
            self.solve(sweep, stretches[0], warm=True)
            return
        with ThreadPoolExecutor(min(self.n_threads, len(stretches))) as pool:
            list(pool.map(lambda order: self.solve(sweep, order, warm=True), stretches))

    def refresh(self, sweep: Sweep) -> None:
        """Recompute costs and marker points of all frames from their coordinates."""
        p = self.problem
        refresh_frames(
            self.program, sweep.coordinates, p.targets, p.visible, p.weights, p.goals, p.goal_weight,
            sweep.cost, sweep.points, workspace(self.program),
        )  # fmt: skip

    def n_anchors(self, n_frames: int) -> int:
        """How many starts keep all threads busy: each serves one stretch before and one after it."""
        busy = min(self.n_threads, max(1, n_frames // _FRAMES_PER_THREAD))
        return max(1, busy // 2)

    def sensitivity(self, coordinates: Array) -> Array:
        """Change of each free coordinate per 1 mm of marker error, rms over sampled frames, (n,) [rad | m]."""
        p, n = self.problem, self.program.n_free
        goal_weight = np.maximum(p.goal_weight - p.hold, 0.0)
        frames = np.unique(np.linspace(0, len(coordinates) - 1, _SENSITIVITY_FRAMES).astype(int))
        w, variances = workspace(self.program), []
        for frame in frames:
            weights = np.where(p.visible[frame], p.weights, 0.0)
            q, goal = coordinates[frame], p.goals[frame if len(p.goals) > 1 else 0]
            cost_of(self.program, q, p.targets[frame], weights, goal, goal_weight * weights.sum(), w)
            derive(self.program, q, p.targets[frame], weights, goal, goal_weight * weights.sum(), GAUSS_NEWTON, w)
            variances.append(_noise_variance(self.program, w.matrix, weights))
        return 1e-3 * np.sqrt(np.mean(variances, axis=0)) if n else np.zeros(0)


def _noise_variance(program: Program, curvature: Array, weights: Array) -> Array:
    """Variance of each coordinate for unit noise, (n,): the diagonal of the inverse curvature times a weight.

    With weights w the covariance of weighted least squares is A^-1 (J^T W^2 J) A^-1; the weighted mean of the
    seen markers' weights stands for one W.
    """
    mean_weight = float((weights**2).sum() / max(weights.sum(), 1e-30))
    diagonal = np.diag(curvature)
    return inverse_diagonal(program, curvature, 1e-9 * diagonal + 1e-30) * mean_weight


def _stretches(anchors: list[int], n_frames: int) -> list[IntArray]:
    """Runs of frames from each anchor outwards, half way to its neighbours."""
    runs = []
    for i, anchor in enumerate(anchors):
        first = 0 if i == 0 else (anchors[i - 1] + anchor) // 2 + 1
        last = n_frames - 1 if i == len(anchors) - 1 else (anchor + anchors[i + 1]) // 2
        if last > anchor:
            runs.append(np.arange(anchor, last + 1))
        if first < anchor:
            runs.append(np.arange(anchor, first - 1, -1))
    return runs or [np.array(anchors[:1])]
