"""The search for a person's size and marker offsets, with the best poses for each."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.linalg.blas import ssyrk

from biopose_sim.ik.cpu import CpuEngine, Sweep
from biopose_sim.ik.fit_frames import FitFrames
from biopose_sim.ik.fit_kernel import normal_equations
from biopose_sim.ik.fit_tables import FitLayout
from biopose_sim.ik.groups import SizePrior, make_groups
from biopose_sim.ik.landmarks import find_landmarks
from biopose_sim.ik.problem import IKProblem, build_problem, complete_coordinates, drawn_back, rescaled
from biopose_sim.ik.solver import mend, solve_all_frames
from biopose_sim.ik.start import start_in_sizes
from biopose_sim.ik.types import Array, IKConfig
from biopose_sim.kinematics.fast_threads import run_parallel
from biopose_sim.kinematics.model import OsimModel

_ROUGH_SIZES = (-0.3, -0.2, -0.1, 0.0, 0.1, 0.2)  # logarithmic
# Stretches of frames whose normal equations are summed apart, so that sums do not depend on the number of threads.
_PARTS = 4
_ROUNDS = 8  # of the search, with spreads estimated in between
_ROUGH_TOLERANCE = 1e-2  # relative decrease of the objective that ends a round before the last
# Of the poses in these rounds: what they have not reached of their valleys by then they reach in the next steps.
_ROUGH_ITERATIONS = 10
_FIRST_INDEPENDENT = 30.0  # frames, before anything is known of their correlation
_LARGEST_STEP = 0.2  # of a logarithmic scale
# Of a pose [rad | m]; what is left of it is in the equations too (their gradient of the poses).
_POSE_TOLERANCE = 1e-4
# Pull [m^2 / rad^2] of each pose to that of the step before, in the equations too: it bends the flat valleys of poses
# that markers hardly tell apart, and is nothing at rest (proximal point method, Rockafellar 1976).
_PULL = 1e-7
_MENDED_ROUNDS = 2  # in which poses of frames that fit badly are looked for anew
_LEAST_SD = 1e-3  # [m]; no marker is better placed or measured than this
# Tracking markers of a generic model may sit anywhere on their segment; landmarks may not, for they tell the
# fit how segments are turned (a pelvis whose markers may slide can tilt freely).
_MOST_TIMES = (10.0, 1.5)  # the assumed spread: tracking, landmarks
_PRIOR_MARKERS = 0.5  # how many markers' worth the assumed spread of offsets counts


@dataclass(frozen=True)
class FitConfig:
    """How to fit a person.

    Attributes:
        ik: weights and limits of the inverse kinematics, within the fit and of the results.
        landmarks: names of markers that sit on bony landmarks; None finds the usual ones by name.
        symmetric: whether both sides share their factors.
        prior: how people's proportions vary.
        landmark_sd: standard deviation of a landmark's offset from the model's, per axis [m], as far as is known
            beforehand; the fit estimates it from the person.
        tracking_sd: the same for a tracking marker [m].
        marker_sd: first guess of a marker's error by noise and soft tissue, standard deviation per axis [m].
        least_independent: frames repeat each other's errors (soft tissue), so that their number says less about
            size than it seems; the fit estimates how many are worth counting from the correlation of successive
            residuals, never fewer than this.
        max_frames: how many frames, spread over all trials, are used for size and offsets.
        max_iterations: of the search.
        tolerance: relative decrease of the objective at which the search ends. Below 1e-4 it only crawls along flat
            valleys: neither distances of markers nor the error of known factors change any more.
    """

    ik: IKConfig = field(default_factory=IKConfig)
    landmarks: frozenset[str] | None = None
    symmetric: bool = True
    prior: SizePrior = field(default_factory=SizePrior)
    landmark_sd: float = 0.006
    tracking_sd: float = 0.02
    marker_sd: float = 0.008
    least_independent: float = 4.0
    max_frames: int = 100
    max_iterations: int = 30
    tolerance: float = 1e-4


class FitSearch:
    """State of the search: parameters (logarithmic scales), offsets of the measured markers, poses."""

    def __init__(self, model: OsimModel, frames: FitFrames, config: FitConfig) -> None:
        self.model, self.frames, self.parts, self.config = model, frames.trial, frames.parts, config
        self.groups = make_groups(model.body_names, config.symmetric)
        ik = replace(
            config.ik, smoothness=0.0, coordinate_targets={}, tolerance=max(config.ik.tolerance, _POSE_TOLERANCE)
        )
        self.problem = build_problem(model, self.frames, ik)
        self.markers = self.problem.reduced.markers
        self.layout = FitLayout(model.tree, self.markers, self.problem.reduced.free, self.groups.group)
        self.n_threads = config.ik.threads or os.cpu_count() or 1
        self.parameters = np.zeros(3 * len(self.groups.names))
        self.offsets = np.zeros((len(self.markers), 3))
        self.size_precision = config.prior.precision(len(self.groups.names))
        landmarks = config.landmarks
        if landmarks is None:
            landmarks = find_landmarks(self.problem.marker_names)
        self.landmark = np.array([n in landmarks for n in self.problem.marker_names], dtype=bool)
        self.marker_sd = config.marker_sd
        self.offset_sd = [config.tracking_sd, config.landmark_sd]
        self.independent = max(config.least_independent, _FIRST_INDEPENDENT)
        self._set_precisions()
        self.sweep: Sweep | None = None
        self.hessian = np.eye(len(self.parameters) + self.offsets.size)

    def _set_precisions(self) -> None:
        """Weights of squared distances (F, M) and squared offsets (M, 1) [1 / m^2] from the standard deviations."""
        weights = self.problem.weights / self.problem.weights.mean()
        per_frame = min(1.0, self.independent / len(self.frames.time))
        self.weights = np.where(self.problem.visible, weights, 0.0) * per_frame / self.marker_sd**2
        self.offset_precision = 1.0 / np.where(self.landmark, self.offset_sd[1], self.offset_sd[0])[:, None] ** 2

    @property
    def scales(self) -> Array:
        """Factors, shape (n_bodies, 3)."""
        return self.groups.scales(self.parameters)

    @property
    def all_offsets(self) -> Array:
        """Offsets of all markers of the model, shape (n_markers, 3) [m]."""
        offsets = np.zeros((len(self.model.marker_names), 3))
        offsets[self.markers] = self.offsets
        return offsets

    def run(self) -> tuple[tuple[float, ...], bool]:
        """Search; returns the objective after each step and whether it came to rest.

        Between rounds the spread of noise and offsets is estimated from this person (empirical Bayes).
        """
        self._rough_size()
        history: list[float] = []
        for number in range(_ROUNDS):
            tolerance = max(self.config.tolerance, _ROUGH_TOLERANCE)
            history += self._descend(tolerance, number < _MENDED_ROUNDS, rough=True)[0]
            if not self._update_spreads():
                break
        steps, converged = self._descend(self.config.tolerance)
        return (*history, *steps), converged

    def _descend(self, tolerance: float, mended: bool = False, rough: bool = False) -> tuple[list[float], bool]:
        """Gauss-Newton steps with the present spreads; a step that makes things worse is damped."""
        n = len(self.parameters)
        if self.sweep is None or mended:
            history = [self._solve_poses(self.parameters, self.offsets, rough, mended)]
        else:
            history = [self._objective()]
        damping = 0.0
        for _ in range(self.config.max_iterations):
            gradient, self.hessian = self._reduced()
            for _ in range(8):
                damped = self.hessian + damping * np.diag(np.diag(self.hessian))
                step = -np.linalg.solve(damped, gradient)
                step *= min(1.0, _LARGEST_STEP / max(np.abs(step[:n]).max(), 1e-12))
                kept = self.parameters, self.offsets, self.sweep
                value = self._solve_poses(self.parameters + step[:n], self.offsets + step[n:].reshape(-1, 3), rough)
                if value <= history[-1]:
                    damping *= 0.1
                    break
                self.parameters, self.offsets, self.sweep = kept
                damping = max(10.0 * damping, 1e-3)
            else:
                return history, bool(np.abs(gradient).max() < 1e-2)
            history.append(value)
            if history[-2] - value <= tolerance * value:
                return history, True
        return history, False

    def _update_spreads(self) -> bool:
        """Re-estimate the standard deviations of noise and offsets; False when they hardly change."""
        assert self.sweep is not None  # poses are solved before
        squares = np.nansum((self.sweep.points - self.problem.targets) ** 2, axis=2)
        share = self.problem.weights / self.problem.weights.mean()
        seen = self.problem.visible * share
        noise = float(np.sqrt((squares * seen).sum() / (3.0 * max(seen.sum(), 1.0))))
        before = np.array([self.marker_sd, *self.offset_sd])
        self.marker_sd = max(noise, _LEAST_SD)
        self.independent = max(
            self.config.least_independent, _independent_frames(self.sweep.points - self.problem.targets)
        )
        n_size = len(self.parameters)
        variance = np.diag(np.linalg.inv(self.hessian))[n_size:].reshape(-1, 3)
        expected = (self.offsets**2 + variance).mean(axis=1)
        prior_sd = (self.config.tracking_sd, self.config.landmark_sd)
        for kind in (0, 1):
            own = expected[self.landmark == bool(kind)]
            total = _PRIOR_MARKERS * prior_sd[kind] ** 2 + own.sum()
            sd = float(np.sqrt(total / (_PRIOR_MARKERS + len(own))))
            self.offset_sd[kind] = min(max(sd, _LEAST_SD), _MOST_TIMES[kind] * prior_sd[kind])
        self._set_precisions()
        return bool(np.abs(np.log(np.array([self.marker_sd, *self.offset_sd]) / before)).max() > 0.1)

    def _rough_size(self) -> None:
        """One factor for the whole body, so that the first poses are near: the best of a few on a few frames."""
        frames = [(p.start + p.stop) // 2 for p in self.parts][:: max(1, len(self.parts) // 3)]
        engines = [
            CpuEngine(self._scaled_problem(np.full_like(self.parameters, size), self.offsets)) for size in _ROUGH_SIZES
        ]
        costs = np.zeros((len(frames), len(engines)))

        def judge(k: int) -> None:
            costs[k] = start_in_sizes(engines, _ROUGH_SIZES.index(0.0), frames[k])

        run_parallel(judge, len(frames), self.n_threads)
        self.parameters = np.full_like(self.parameters, _ROUGH_SIZES[int(np.argmin(costs.sum(axis=0)))])

    def _first_poses(self, problem: IKProblem) -> Sweep:
        """Poses of every trial from no guess, each trial for itself."""
        whole = CpuEngine(problem).new_sweep(len(self.frames.time))

        def pose(k: int) -> None:
            part = self.parts[k]
            trial = replace(problem.trial, time=problem.trial.time[part], markers=problem.trial.markers[part])
            engine = CpuEngine(
                replace(problem, trial=trial, targets=problem.targets[part], visible=problem.visible[part])
            )
            sweep = solve_all_frames(engine)
            for row, frame in enumerate(range(part.start, part.stop)):
                whole.take(frame, sweep, row)

        run_parallel(pose, len(self.parts), self.n_threads)
        return whole

    def _scaled_problem(self, parameters: Array, offsets: Array) -> IKProblem:
        all_offsets = np.zeros((len(self.model.marker_names), 3))
        all_offsets[self.markers] = offsets
        scaled = self.model.scale(self.groups.scales(parameters), all_offsets)
        return rescaled(self.problem, scaled)

    def _solve_poses(self, parameters: Array, offsets: Array, rough: bool = False, mended: bool = False) -> float:
        """Find the best poses for a size; returns the objective and keeps everything.

        ``rough``: go only a few iterations from the poses before. ``mended``: look for other poses of frames that
        fit badly, for one in a wrong pose spoils size and offsets.
        """
        problem = self._scaled_problem(parameters, offsets)
        engine = CpuEngine(problem)
        if self.sweep is None:
            sweep = self._first_poses(problem)
        else:
            sweep = engine.new_sweep(len(self.frames.time))
            sweep.coordinates[:] = self.sweep.coordinates
            drawn = drawn_back(problem, self.sweep.coordinates, _PULL)
            if rough:
                drawn = replace(drawn, config=replace(drawn.config, max_iterations=_ROUGH_ITERATIONS))
            CpuEngine(drawn).solve_each(sweep)
            # Poses that were cut short go on in the next step; mended are only those that fit badly.
            sweep.converged |= rough
            engine.refresh(sweep)
        if mended:
            mend(engine, sweep)
        self.parameters, self.offsets, self.sweep = parameters, offsets, sweep
        return self._objective()

    def _objective(self) -> float:
        """What is minimised, with the present poses."""
        assert self.sweep is not None  # poses are solved before
        parameters = self.parameters
        squares = np.nansum((self.sweep.points - self.problem.targets) ** 2, axis=2)
        size = parameters @ self.size_precision @ parameters + self.config.prior.wall(parameters)[0]
        return float((self.weights * squares).sum() + size + (self.offset_precision * self.offsets**2).sum())

    def _reduced(self) -> tuple[Array, Array]:
        """Gradient and Gauss-Newton matrix in size and offsets, with the poses eliminated."""
        assert self.sweep is not None  # poses are solved before
        problem, n_size = self.problem, len(self.parameters)
        values, slopes = self.layout.motion(complete_coordinates(self.model, problem.reduced, self.sweep.coordinates))
        targets = np.where(problem.visible[:, :, None], problem.targets, 0.0)
        n_frames, n_markers = self.weights.shape
        n = n_size + 3 * n_markers
        half = np.empty((n_frames, len(problem.reduced.free), n + 1), dtype=np.float32)
        n_parts = min(_PARTS, n_frames)
        bounds = np.linspace(0, n_frames, n_parts + 1).astype(int)
        gradients = np.zeros((n_parts, n))
        sizes, mixed = np.zeros((n_parts, n_size, n_size)), np.zeros((n_parts, n_size, 3 * n_markers))
        held, scales = self._held(), self.scales

        def add_up(k: int) -> None:
            normal_equations(
                self.layout.tables, values, slopes, scales, self.offsets, targets, self.weights, held,
                _PULL, bounds[k], bounds[k + 1], half, gradients[k], sizes[k], mixed[k],
            )  # fmt: skip

        run_parallel(add_up, n_parts, self.n_threads)
        # The upper triangle of rows^T rows, at half the price of all of it.
        removed = ssyrk(1.0, half.reshape(-1, n + 1).T).astype(np.float64)
        gradient = gradients.sum(axis=0) - removed[:-1, -1]
        hessian = -removed[:-1, :-1]
        hessian += np.triu(hessian, 1).T
        lower = sizes.sum(axis=0)
        hessian[:n_size, :n_size] += lower + np.tril(lower, -1).T
        hessian[:n_size, n_size:] += mixed.sum(axis=0)
        hessian[n_size:, :n_size] = hessian[:n_size, n_size:].T
        # An offset turns with its body, so offsets of one marker do not mix and all frames add up.
        own = np.repeat(self.weights.sum(axis=0) + self.offset_precision[:, 0], 3)
        hessian[range(n_size, n), range(n_size, n)] += own
        _, wall_gradient, wall_hessian = self.config.prior.wall(self.parameters)
        gradient[:n_size] += self.size_precision @ self.parameters + wall_gradient
        hessian[:n_size, :n_size] += self.size_precision + wall_hessian
        gradient[n_size:] += (self.offset_precision * self.offsets).ravel()
        return gradient, hessian

    def _held(self) -> np.ndarray:
        """Coordinates at a bound, which do not answer to a change of size, shape (F, n)."""
        assert self.sweep is not None  # poses are solved before
        q = self.sweep.coordinates
        return (q <= self.problem.low) | (q >= self.problem.high)

    def marker_rms(self) -> float:
        """Distance of measured and model markers in the frames of the search, root mean square [m]."""
        assert self.sweep is not None  # poses are solved before
        squares = np.sum((self.sweep.points - self.problem.targets) ** 2, axis=2)
        return float(np.sqrt(np.nanmean(np.where(self.problem.visible, squares, np.nan))))

    def scale_sd(self) -> Array:
        """Standard deviation of the factors from the curvature at the end, shape (n_bodies, 3)."""
        n = len(self.parameters)
        covariance = np.linalg.inv(self.hessian)[:n, :n]
        return self.scales * np.sqrt(np.diag(covariance)).reshape(-1, 3)[self.groups.group]

    def warnings(self, converged: bool) -> tuple[str, ...]:
        """What a user should know of the fit."""
        found = list(self.problem.warnings)
        if not converged:
            found.append("the fit did not come to rest; more iterations or better trials may be needed")
        sizes = np.exp(self.parameters.reshape(-1, 3))
        departure = np.abs(self.parameters - self.parameters.mean()).reshape(-1, 3).max(axis=1)
        for name, size, far in zip(self.groups.names, sizes, departure):
            if far > 0.98 * self.config.prior.limit:
                found.append(
                    f"the {name} is at the limit of plausible proportions: {size[0]:.2f} {size[1]:.2f} {size[2]:.2f} "
                    f"of the model where the whole body is {np.exp(self.parameters.mean()):.2f}"
                )
        return tuple(found)


def _independent_frames(residuals: Array) -> float:
    """How many independent frames a first-order autoregressive process of these residuals (F, M, 3) is worth."""
    here, after = residuals[:-1], residuals[1:]
    seen = np.isfinite(here) & np.isfinite(after)
    if not seen.any():
        return 1.0
    correlation = float((here[seen] * after[seen]).mean() / max((here[seen] ** 2).mean(), 1e-12))
    correlation = min(max(correlation, 0.0), 1.0)
    return len(residuals) * (1.0 - correlation) / (1.0 + correlation)
