"""Batched Levenberg-Marquardt in torch: all frames of a chunk at once, on any device.

The compiled engine solves every sixteenth frame; between them the coordinates are interpolated, which starts all
frames at once, and what does not converge goes back to the compiled engine.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from biopose_sim.ik.cpu import CpuEngine, Sweep
from biopose_sim.ik.problem import IKProblem
from biopose_sim.ik.terms import goal_cost, goal_term, marker_cost, marker_term
from biopose_sim.ik.types import Array

CHUNK = 1024  # frames
_STRIDE = 16
_ASK_EVERY = 3  # iterations between questions to the device whether all frames are done
_LEAST, _MOST = 1e-9, 1e9  # damping relative to the matrix diagonal


def solve_frames_with_torch(problem: IKProblem, coarse: Sweep, frames: Array) -> Sweep:
    """Solve all frames from the solutions ``coarse`` of the given frames."""
    start = interpolated(coarse.coordinates, frames, len(problem.targets))
    sweep = CpuEngine(problem).new_sweep(len(start))
    sweep.coordinates[:] = start
    for first in range(0, len(start), CHUNK):
        here = slice(first, first + CHUNK)
        x, iterations, converged = _Chunk(problem, here).solve(start[here])
        sweep.coordinates[here], sweep.iterations[here], sweep.converged[here] = x, iterations, converged
    engine = CpuEngine(problem)
    left = np.flatnonzero(~sweep.converged)
    engine.refresh(sweep)
    if len(left):
        engine.solve(sweep, left, own=True)
    return sweep


def coarse_problem(problem: IKProblem) -> tuple[IKProblem, Array]:
    """The problem of every sixteenth frame (the best seen one near it), and which those are."""
    n_frames = len(problem.targets)
    weight = problem.visible @ problem.weights
    starts = range(0, n_frames, _STRIDE)
    frames = {0, n_frames - 1} | {s + int(np.argmax(weight[s : s + _STRIDE])) for s in starts}
    chosen = np.array(sorted(frames))
    goals = problem.goals[chosen] if len(problem.goals) > 1 else problem.goals
    few = replace(problem, targets=problem.targets[chosen], visible=problem.visible[chosen], goals=goals)
    return few, chosen


def interpolated(coordinates: Array, frames: Array, n_frames: int) -> Array:
    """Coordinates (n_frames, n) between those of the given frames."""
    everywhere = np.arange(n_frames)
    return np.stack([np.interp(everywhere, frames, c) for c in coordinates.T], axis=1)


class _State(NamedTuple):
    x: Tensor
    cost: Tensor
    damping: Tensor
    done: Tensor
    iterations: Tensor


class _Chunk:
    """The arrays of some frames on the device."""

    def __init__(self, problem: IKProblem, here: slice) -> None:
        config, reduced = problem.config, problem.reduced
        self.device = torch.device(config.device)
        self.dtype = torch.float32 if self.device.type == "mps" else torch.float64
        self.model, self.config = problem.model, config
        visible = problem.visible[here]
        self.targets = self._tensor(np.where(visible[..., None], problem.targets[here], 0.0))
        self.weights = self._tensor(visible * problem.weights)
        total = self.weights.sum(1, keepdim=True)
        goals = problem.goals[here] if len(problem.goals) > 1 else problem.goals
        self.goals = self._tensor(goals).expand(len(visible), -1)
        self.goal_weight = self._tensor(problem.goal_weight) * total
        self.floor = self._tensor(problem.floor) * total.clamp(min=1e-12)
        self.low, self.high = self._tensor(problem.low), self._tensor(problem.high)
        self.largest = self._tensor(problem.largest)
        self.held = self._tensor(reduced.held)
        self.columns = torch.as_tensor(reduced.free, device=self.device)
        self.markers = torch.as_tensor(reduced.markers, device=self.device)

    def _tensor(self, values: Array) -> Tensor:
        return torch.as_tensor(np.ascontiguousarray(values), dtype=self.dtype, device=self.device)

    def _full(self, x: Tensor) -> Tensor:
        return self.held.expand(len(x), -1).index_copy(1, self.columns, x)

    def _cost(self, x: Tensor) -> Tensor:
        markers = marker_cost(self.model, self._full(x), self.markers, self.targets, self.weights)
        return markers + goal_cost(x, self.goals, self.goal_weight)

    @torch.no_grad()
    def solve(self, start: Array) -> tuple[Array, np.ndarray, np.ndarray]:
        """Coordinates (B, n), iterations (B,) and convergence (B,) from a start (B, n)."""
        x = torch.minimum(torch.maximum(self._tensor(start), self.low), self.high)
        nothing = torch.zeros(len(x), dtype=self.dtype, device=self.device)
        state = _State(x, self._cost(x), nothing + 1e-6, nothing > 0.0, nothing)
        for iteration in range(self.config.max_iterations):
            state = self._iterate(state)
            if iteration % _ASK_EVERY == _ASK_EVERY - 1 and bool(state.done.all()):
                break
        return (
            state.x.double().cpu().numpy(),
            state.iterations.cpu().numpy().astype(np.int64),
            state.done.cpu().numpy(),
        )

    def _iterate(self, state: _State) -> _State:
        x = state.x
        term = marker_term(self.model, self._full(x), self.markers, self.columns, self.targets, self.weights)
        term = term + goal_term(x, self.goals, self.goal_weight)
        step = self._step(x, term.gradient, term.matrix, state.damping)
        step = torch.minimum(torch.maximum(step, -self.largest), self.largest)
        candidate = torch.minimum(torch.maximum(x + step, self.low), self.high)
        cost = self._cost(candidate)
        moved = (candidate - x).abs().amax(1)
        better = (cost <= state.cost * (1.0 + 1e-13)) & ~state.done
        small = moved <= self._tolerance
        return _State(
            torch.where(better[:, None], candidate, x),
            torch.where(better, cost, state.cost),
            torch.where(better, state.damping * 0.1, state.damping * 10.0).clamp(_LEAST, _MOST),
            state.done | small,
            state.iterations + (~state.done).to(self.dtype),
        )

    @property
    def _tolerance(self) -> float:
        return max(self.config.tolerance, 1e-5 if self.dtype == torch.float32 else 0.0)

    def _step(self, x: Tensor, gradient: Tensor, matrix: Tensor, damping: Tensor) -> Tensor:
        """Damped Gauss-Newton step; coordinates that a bound holds stay."""
        held = ((x <= self.low) & (gradient > 0.0)) | ((x >= self.high) & (gradient < 0.0))
        diagonal = matrix.diagonal(dim1=1, dim2=2)
        added = self.floor + damping[:, None] * (diagonal + self.floor)
        free = (~held).to(self.dtype)
        matrix = (matrix + torch.diag_embed(added)) * free[:, :, None] * free[:, None, :] + torch.diag_embed(1.0 - free)
        factor, _ = torch.linalg.cholesky_ex(matrix)
        return torch.cholesky_solve((-gradient * free)[..., None], factor)[..., 0].nan_to_num(0.0)
