"""The compiled engine: Newton's method per frame, frames in sequence, stretches of a trial in threads."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from biopose_sim.ik.curvature import noise_variances
from biopose_sim.ik.kernel import Workspace, workspace
from biopose_sim.ik.newton import COLD, OWN, WARM, StepSpace, refresh_frames, solve_frames, step_space
from biopose_sim.ik.problem import IKProblem, root_columns
from biopose_sim.ik.types import CONTINUITY, Array, BoolArray, IntArray, KinematicsResult
from biopose_sim.kinematics.fast_threads import run_parallel

_FRAMES_PER_THREAD = 48  # a thread's start costs as much as about so many frames
_SENSITIVITY_FRAMES = 24
_LOOSE = 2.0  # times the sensitivity up to which a coordinate is determined: beyond it a pull does no harm
# Pull [m^2/rad^2] per mean squared marker distance [m^2]: noise outweighs a change of about 1/6 rad between frames,
# so that markers without error are met exactly and 5 mm of noise on each axis gives CONTINUITY.
_PULL_OF_MISFIT = 0.35


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
        # Weight, per unit of marker weight, of the joints' pull to the frame solved before, shape (n,).
        self.tie = np.where(root_columns(self.program), 0.0, problem.config.continuity or 0.0)

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
        return workspace(self.program), step_space(self.program)

    def solve(
        self,
        sweep: Sweep,
        order: IntArray,
        *,
        movable: BoolArray | None = None,
        warm: bool = False,
        own: bool = False,
    ) -> None:
        """Solve the frames in ``order``, each starting from the one before; the first from its row of ``sweep``.

        ``warm``: the first frame stays as it is. ``own``: each frame starts from its own row.
        """
        self._call(sweep, order, OWN if own else WARM if warm else COLD, movable, slice(None))

    def _call(self, sweep: Sweep, order: IntArray, mode: int, movable: BoolArray | None, frames: slice) -> None:
        p = self.problem
        solve_frames(
            self.program, sweep.coordinates, p.targets[frames], p.visible[frames], p.weights,
            p.goals[frames] if len(p.goals) > 1 else p.goals, p.goal_weight, self.tie, p.low, p.high,
            np.ones(self.program.n_free, dtype=bool) if movable is None else movable,
            p.largest, p.floor, p.config.tolerance, p.config.max_iterations, order, mode,
            sweep.cost, sweep.iterations, sweep.converged, sweep.points, *self._scratch(),
        )  # fmt: skip

    def solve_each(self, sweep: Sweep) -> None:
        """Solve every frame from its own row of ``sweep``."""
        n_frames = len(sweep.cost)
        n_parts = max(1, min(self.n_threads, n_frames // _FRAMES_PER_THREAD))
        parts = np.array_split(np.arange(n_frames), n_parts)
        run_parallel(lambda k: self.solve(sweep, parts[k], own=True), n_parts, self.n_threads)

    def solve_starts(self, starts: Array, frame: int, movable: BoolArray | None = None) -> Sweep:
        """Solve one frame from several starts (S, n); row s of the answer belongs to start s."""
        sweep = self.new_sweep(len(starts))
        sweep.coordinates[:] = starts
        self._call(sweep, np.arange(len(starts)), OWN, movable, slice(frame, frame + 1))
        return sweep

    def solve_next(self, sweep: Sweep, frame: int, following: int) -> Sweep:
        """Solve a frame from the neighbour that was solved, with the pull to it; the one row of the answer is it."""
        pair = self.new_sweep(2)
        first = min(frame, following)
        before, after = frame - first, following - first
        pair.take(before, sweep, frame)
        self._call(pair, np.array([before, after]), WARM, None, slice(first, first + 2))
        found = self.new_sweep(1)
        found.take(0, pair, after)
        return found

    def spread(self, sweep: Sweep, anchors: list[int]) -> None:
        """Solve all frames outwards from the solved anchors, each stretch in its thread."""
        stretches = _stretches(anchors, len(sweep.cost))
        run_parallel(lambda k: self.solve(sweep, stretches[k], warm=True), len(stretches), self.n_threads)

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

    def steady(self, sweep: Sweep, frames: IntArray) -> None:
        """Let joints that markers hardly determine in these solved frames stay near the frame solved before.

        Else they wander along valleys of the cost where nothing is to be gained (``IKConfig.continuity``).
        """
        p = self.problem
        if p.config.continuity is None:
            loose = self.sensitivity(sweep.coordinates, frames) > _LOOSE * KinematicsResult.SENSITIVITY_LIMIT
            weight = p.visible[frames] @ p.weights
            misfit = float((2.0 * sweep.cost[frames] / np.maximum(weight, 1e-30)).mean())
            pull = min(CONTINUITY, _PULL_OF_MISFIT * misfit)
            self.tie = np.where(loose & ~root_columns(self.program), pull, 0.0)

    def sensitivity(self, coordinates: Array, frames: IntArray | None = None) -> Array:
        """Change of each free coordinate per 1 mm of marker error, rms over (sampled) frames, (n,) [rad | m]."""
        p = self.problem
        if not self.program.n_free:
            return np.zeros(0)
        if frames is None:
            frames = np.unique(np.linspace(0, len(coordinates) - 1, _SENSITIVITY_FRAMES).astype(int))
        goal_weight = np.maximum(p.goal_weight - p.hold, 0.0)
        goals = p.goals[frames] if len(p.goals) > 1 else p.goals
        variances = noise_variances(
            self.program, coordinates[frames], p.targets[frames], p.visible[frames], p.weights, goals, goal_weight,
            workspace(self.program),
        )  # fmt: skip
        return 1e-3 * np.sqrt(variances.mean(axis=0))


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
