"""Fitting a person: body scales, marker offsets and the motion of all trials together.

The most probable person is sought (a maximum a posteriori estimate): marker distances, the deviation of the
proportions from an average adult's and the marker offsets are weighed by how much each varies among people. For
given size the best poses are found exactly, so that the search is over size and offsets only (variable projection,
Golub & Pereyra 1973): each step solves the normal equations with the poses eliminated (Schur complement).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from biopose_sim.errors import InputError
from biopose_sim.ik.cpu import CpuEngine, Sweep
from biopose_sim.ik.groups import ScaleGroups, SizePrior, make_groups
from biopose_sim.ik.landmarks import find_landmarks
from biopose_sim.ik.linearise import linearise
from biopose_sim.ik.problem import IKProblem, build_problem, complete_coordinates
from biopose_sim.ik.solver import solve_all_frames, solve_ik
from biopose_sim.ik.types import Array, IKConfig, IntArray, KinematicsResult
from biopose_sim.io import Trial
from biopose_sim.kinematics.model import OsimModel

_ROUNDS = 8  # of the search, with spreads estimated in between
_FIRST_INDEPENDENT = 30.0  # frames, before anything is known of their correlation
_LARGEST_STEP = 0.2  # of a logarithmic scale
_LEAST_SD = 1e-3  # [m]; no marker is better placed or measured than this
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
        tolerance: relative decrease of the objective at which the search ends.
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
    tolerance: float = 1e-5


@dataclass(frozen=True)
class FitResult:
    """A fitted person.

    Attributes:
        model: the scaled model with its markers where the fit put them.
        scales: factors, shape (n_bodies, 3).
        marker_offsets: in body axes, shape (n_markers, 3) [m]; zero for markers that were not measured.
        scale_sd: standard deviation of each factor as the fit knows it, shape (n_bodies, 3).
        groups: which bodies share factors.
        results: the motion of each trial.
        objective: its value after each step.
        converged: whether the search came to rest.
        warnings: what a user should know.
    """

    model: OsimModel
    scales: Array
    marker_offsets: Array
    scale_sd: Array
    groups: ScaleGroups
    results: tuple[KinematicsResult, ...]
    objective: tuple[float, ...]
    converged: bool
    warnings: tuple[str, ...] = ()


def fit(model: OsimModel, trials: Sequence[Trial], config: FitConfig | None = None) -> FitResult:
    """Fit body scales, marker offsets and motion to all trials of one person.

    Args:
        model: the generic model.
        trials: of one person and one marker placement, in any order; a static trial helps but is not needed.
        config: the default suits adults with markers placed by hand.

    Raises:
        InputError: no trial, or one that shares no marker with the model.
    """
    config = config or FitConfig()
    if not trials:
        raise InputError("fit", "no trials were given", "give one or more trials of one person")
    search = _Search(model, choose_frames(model, trials, config), config)
    objective, converged = search.run()
    scales, offsets = search.scales, search.all_offsets
    fitted = model.scale(scales, offsets)
    results = tuple(solve_ik(fitted, trial, config.ik) for trial in trials)
    return FitResult(
        model=fitted,
        scales=scales,
        marker_offsets=offsets,
        scale_sd=search.scale_sd(),
        groups=search.groups,
        results=results,
        objective=objective,
        converged=converged,
        warnings=search.warnings(converged),
    )


def choose_frames(model: OsimModel, trials: Sequence[Trial], config: FitConfig) -> Trial:
    """One trial of frames spread evenly over all trials, best-measured frames preferred.

    Every trial gets the same share at first; what a short one does not need goes to the others.
    """
    names = [n for n in model.marker_names if any(n in t.marker_names for t in trials)]
    for trial in trials:
        if not set(names) & set(trial.marker_names):
            build_problem(model, trial, config.ik)  # raises with the near matches
    shares = _shares([len(t.time) for t in trials], config.max_frames)
    frames = []
    for trial, share in zip(trials, shares):
        markers = np.full((len(trial.time), len(names), 3), np.nan)
        for k, name in enumerate(names):
            if name in trial.marker_names:
                markers[:, k] = trial.markers[:, trial.marker_names.index(name)]
        frames.append(markers[_well_measured(markers, share)])
    stacked = np.concatenate(frames)
    return Trial("frames for fitting", np.arange(float(len(stacked))), stacked, tuple(names))


def _shares(lengths: list[int], total: int) -> list[int]:
    shares = [0] * len(lengths)
    left, waiting = total, sorted(range(len(lengths)), key=lambda i: lengths[i])
    for position, i in enumerate(waiting):
        shares[i] = min(lengths[i], max(1, left // (len(waiting) - position)))
        left -= shares[i]
    return shares


def _well_measured(markers: Array, count: int) -> IntArray:
    """Indices of ``count`` frames, one of each equal stretch: the one with the fewest gaps."""
    seen = np.isfinite(markers).all(axis=2).sum(axis=1)
    edges = np.linspace(0, len(markers), count + 1).astype(int)
    chosen = []
    for a, b in zip(edges[:-1], edges[1:]):
        middle = np.abs(np.arange(a, b) - 0.5 * (a + b - 1))
        chosen.append(a + int(np.lexsort((middle, -seen[a:b]))[0]))
    return np.array(chosen, dtype=np.int64)


class _Search:
    """State of the search: parameters (logarithmic scales), offsets of the measured markers, poses."""

    def __init__(self, model: OsimModel, frames: Trial, config: FitConfig) -> None:
        self.model, self.frames, self.config = model, frames, config
        self.groups = make_groups(model.body_names, config.symmetric)
        self.problem = build_problem(model, frames, replace(config.ik, smoothness=0.0, coordinate_targets={}))
        self.markers = self.problem.reduced.markers
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
        self.offset_precision = (
            1.0 / np.where(self.landmark, self.offset_sd[1], self.offset_sd[0])[:, None] ** 2
        )

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
        converged = False
        for _ in range(_ROUNDS):
            steps, converged = self._descend()
            history += steps
            if not self._update_spreads():
                break
        return tuple(history), converged

    def _descend(self) -> tuple[list[float], bool]:
        """Gauss-Newton steps with the present spreads; a step that makes things worse is damped."""
        n = len(self.parameters)
        history, damping = [self._solve_poses(self.parameters, self.offsets)], 0.0
        for _ in range(self.config.max_iterations):
            gradient, self.hessian = self._reduced()
            for _ in range(8):
                damped = self.hessian + damping * np.diag(np.diag(self.hessian))
                step = -np.linalg.solve(damped, gradient)
                step *= min(1.0, _LARGEST_STEP / max(np.abs(step[:n]).max(), 1e-12))
                kept = self.parameters, self.offsets, self.sweep
                value = self._solve_poses(self.parameters + step[:n], self.offsets + step[n:].reshape(-1, 3))
                if value <= history[-1]:
                    damping *= 0.1
                    break
                self.parameters, self.offsets, self.sweep = kept
                damping = max(10.0 * damping, 1e-3)
            else:
                return history, bool(np.abs(gradient).max() < 1e-2)
            history.append(value)
            if history[-2] - value <= self.config.tolerance * value:
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
            self.offset_sd[kind] = max(float(np.sqrt(total / (_PRIOR_MARKERS + len(own)))), _LEAST_SD)
        self._set_precisions()
        return bool(np.abs(np.log(np.array([self.marker_sd, *self.offset_sd]) / before)).max() > 0.1)

    def _rough_size(self) -> None:
        """One factor for the whole body, so that the first poses are near: spread of measured and model markers."""
        best = None
        for log_size in (-0.25, -0.15, -0.07, 0.0, 0.07, 0.15):
            parameters = np.full_like(self.parameters, log_size)
            few = self._scaled_problem(
                parameters, self.offsets, slice(0, None, max(1, len(self.frames.time) // 3))
            )
            sweep = solve_all_frames(CpuEngine(few))
            cost = float(np.median(sweep.cost))
            if best is None or cost < best[0]:
                best = cost, parameters
        assert best is not None  # the loop ran
        self.parameters = best[1]

    def _scaled_problem(self, parameters: Array, offsets: Array, frames: slice = slice(None)) -> IKProblem:
        all_offsets = np.zeros((len(self.model.marker_names), 3))
        all_offsets[self.markers] = offsets
        scaled = self.model.scale(self.groups.scales(parameters), all_offsets)
        trial = replace(self.frames, time=self.frames.time[frames], markers=self.frames.markers[frames])
        return build_problem(scaled, trial, self.problem.config)

    def _solve_poses(self, parameters: Array, offsets: Array) -> float:
        """Find the best poses for a size; returns the objective and keeps everything."""
        problem = self._scaled_problem(parameters, offsets)
        engine = CpuEngine(problem)
        if self.sweep is None:
            sweep = solve_all_frames(engine)
        else:
            sweep = engine.new_sweep(len(self.frames.time))
            sweep.coordinates[:] = self.sweep.coordinates
            engine.solve_each(sweep)
        self.parameters, self.offsets, self.sweep = parameters, offsets, sweep
        squares = np.nansum((sweep.points - problem.targets) ** 2, axis=2)
        size = parameters @ self.size_precision @ parameters + self.config.prior.wall(parameters)[0]
        return float((self.weights * squares).sum() + size + (self.offset_precision * offsets**2).sum())

    def _reduced(self) -> tuple[Array, Array]:
        """Gradient and Gauss-Newton matrix in size and offsets, with the poses eliminated."""
        assert self.sweep is not None  # poses are solved before
        scales, reduced = self.scales, self.problem.reduced
        q = complete_coordinates(self.model, reduced, self.sweep.coordinates)
        lin = linearise(self.model.tree, q, scales, self.offsets, self.markers, reduced.free)
        n_frames, n_markers = self.weights.shape
        n_size, n_offsets = len(self.parameters), 3 * n_markers
        root = np.sqrt(self.weights)[:, :, None]
        residual = np.where(self.problem.visible[:, :, None], lin.markers - self.problem.targets, 0.0) * root
        by_size = self.groups.gather(lin.by_scale, scales) * root[..., None]
        by_pose = lin.by_coordinate * root[..., None] * ~self._held()[:, None, None, :]
        by_offset = lin.rotations * root[..., None]
        gradient = np.zeros(n_size + n_offsets)
        hessian = np.zeros((len(gradient), len(gradient)))
        flat_size, flat_pose = (
            by_size.reshape(n_frames, n_offsets, -1),
            by_pose.reshape(n_frames, n_offsets, -1),
        )
        gradient[:n_size] = np.einsum("fki,fk->i", flat_size, residual.reshape(n_frames, -1))
        gradient[n_size:] = np.einsum("fmki,fmk->mi", by_offset, residual).ravel()
        every = flat_size.reshape(-1, n_size)
        hessian[:n_size, :n_size] = every.T @ every
        hessian[:n_size, n_size:] = np.einsum("fmki,fmkj->imj", by_size, by_offset, optimize=True).reshape(
            n_size, -1
        )
        hessian[n_size:, :n_size] = hessian[:n_size, n_size:].T
        # An offset turns with its body, so offsets of one marker do not mix and all frames add up.
        hessian[range(n_size, len(gradient)), range(n_size, len(gradient))] = np.repeat(
            self.weights.sum(axis=0), 3
        )
        transposed = flat_pose.transpose(0, 2, 1)
        inner = transposed @ flat_pose
        diagonal = np.einsum("fii->fi", inner)
        diagonal += 1e-9 * diagonal.max(axis=1, keepdims=True) + 1e-12
        cross_offset = np.einsum("fmkp,fmki->fpmi", by_pose, by_offset, optimize=True).reshape(
            n_frames, -1, n_offsets
        )
        cross = np.concatenate([transposed @ flat_size, cross_offset], axis=2)
        right = transposed @ residual.reshape(n_frames, -1, 1)
        half = np.linalg.solve(np.linalg.cholesky(inner), np.concatenate([cross, right], axis=2))
        half = half.reshape(-1, half.shape[2])
        removed = half.T @ half
        hessian -= removed[:-1, :-1]
        gradient -= removed[:-1, -1]
        _, wall_gradient, wall_hessian = self.config.prior.wall(self.parameters)
        gradient[:n_size] += self.size_precision @ self.parameters + wall_gradient
        hessian[:n_size, :n_size] += self.size_precision + wall_hessian
        gradient[n_size:] += (self.offset_precision * self.offsets).ravel()
        hessian[n_size:, n_size:] += np.diag(np.repeat(self.offset_precision[:, 0], 3))
        return gradient, hessian

    def _held(self) -> np.ndarray:
        """Coordinates at a bound, which do not answer to a change of size, shape (F, n)."""
        assert self.sweep is not None  # poses are solved before
        q = self.sweep.coordinates
        return (q <= self.problem.low) | (q >= self.problem.high)

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
