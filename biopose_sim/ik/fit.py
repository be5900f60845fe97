"""Fitting a person: body scales, marker offsets and the motion of all trials together.

The most probable person is sought (a maximum a posteriori estimate): marker distances, the deviation of the
proportions from an average adult's and the marker offsets are weighed by how much each varies among people. For
given size the best poses are found exactly, so that the search is over size and offsets only (variable projection,
Golub & Pereyra 1973): each step solves the normal equations with the poses eliminated (Schur complement).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from threadpoolctl import threadpool_limits

from biopose_sim.errors import InputError
from biopose_sim.ik.fit_frames import choose_frames
from biopose_sim.ik.fit_search import FitConfig, FitSearch
from biopose_sim.ik.groups import ScaleGroups
from biopose_sim.ik.solver import solve_ik
from biopose_sim.ik.types import Array, KinematicsResult
from biopose_sim.io import Trial
from biopose_sim.kinematics.model import OsimModel

__all__ = ["FitConfig", "FitResult", "SizeFit", "fit", "fit_size"]


@dataclass(frozen=True)
class SizeFit:
    """A fitted person, without a motion.

    Attributes:
        model: the scaled model with its markers where the fit put them.
        scales: factors, shape (n_bodies, 3).
        marker_offsets: in body axes, shape (n_markers, 3) [m]; zero for markers that were not measured.
        scale_sd: standard deviation of each factor as the fit knows it, shape (n_bodies, 3).
        groups: which bodies share factors.
        objective: its value after each step.
        converged: whether the search came to rest.
        n_frames: how many frames were used.
        marker_rms: distance of measured and model markers in these frames, root mean square [m].
        warnings: what a user should know.
    """

    model: OsimModel
    scales: Array
    marker_offsets: Array
    scale_sd: Array
    groups: ScaleGroups
    objective: tuple[float, ...]
    converged: bool
    n_frames: int
    marker_rms: float
    warnings: tuple[str, ...] = ()


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
    size = fit_size(model, trials, config)
    return FitResult(
        model=size.model,
        scales=size.scales,
        marker_offsets=size.marker_offsets,
        scale_sd=size.scale_sd,
        groups=size.groups,
        results=tuple(solve_ik(size.model, trial, config.ik) for trial in trials),
        objective=size.objective,
        converged=size.converged,
        warnings=size.warnings,
    )


def fit_size(model: OsimModel, trials: Sequence[Trial], config: FitConfig | None = None) -> SizeFit:
    """Fit body scales and marker offsets alone: as :func:`fit`, without solving the motion of the trials.

    Args:
        model: the generic model.
        trials: of one person and one marker placement.
        config: the default suits adults with markers placed by hand.

    Raises:
        InputError: no trial, or one that shares no marker with the model.
    """
    config = config or FitConfig()
    if not trials:
        raise InputError("fit", "no trials were given", "give one or more trials of one person")
    search = FitSearch(model, choose_frames(model, trials, config.ik, config.max_frames), config)
    # The matrices are small: on a busy machine the threads of a BLAS wait for each other ten times longer than
    # they compute.
    with threadpool_limits(limits=1, user_api="blas"):
        objective, converged = search.run()
        scale_sd = search.scale_sd()
    scales, offsets = search.scales, search.all_offsets
    return SizeFit(
        model=model.scale(scales, offsets),
        scales=scales,
        marker_offsets=offsets,
        scale_sd=scale_sd,
        groups=search.groups,
        objective=objective,
        converged=converged,
        n_frames=len(search.frames.time),
        marker_rms=search.marker_rms(),
        warnings=search.warnings(converged),
    )
