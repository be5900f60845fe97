"""The classic way to a subject's model, as OpenSim's ScaleTool does it, without OpenSim.

Distances between markers give scale factors; then the markers move to where the static trial has them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from biopose_sim.errors import InputError, near_matches
from biopose_sim.ik.scale_setup import (
    MarkerPlacement,
    Measurement,
    ModelScaling,
    ScaleSetup,
    read_scale_setup,
)
from biopose_sim.ik.setup_xml import TimeRange, clip_range
from biopose_sim.ik.solver import solve_ik
from biopose_sim.ik.types import Array, KinematicsResult
from biopose_sim.io import Trial
from biopose_sim.io.notice import listed
from biopose_sim.io.trc import METRES_PER_UNIT
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.osim.markerset import keep_markers
from biopose_sim.osim.schema import GROUND

SMALLEST_FACTOR, LARGEST_FACTOR = 0.2, 5.0  # beyond which a unit or a marker name must be wrong


@dataclass(frozen=True)
class ScaleToolResult:
    """What scaling and marker placement gave.

    Attributes:
        model: the scaled model with its placed markers, without those that the static trial lacks.
        scales: factors per body and axis, shape (n_bodies, 3).
        factors: measured factor per applied measurement.
        pose: static pose that the markers were placed in, one frame; None without a placement.
        marker_offsets: how far markers moved, shape (n_markers, 3) of ``model``, body axes [m].
        warnings: what a user should know.
    """

    model: OsimModel
    scales: Array
    factors: Mapping[str, float]
    pose: KinematicsResult | None
    marker_offsets: Array
    warnings: tuple[str, ...] = ()


def run_scale_setup(setup: ScaleSetup | str | Path, model: OsimModel | None = None) -> ScaleToolResult:
    """Do what OpenSim's ScaleTool does with this setup; nothing is written.

    Where a static trial has gaps, each marker is averaged over the frames that show it; OpenSim leaves such a
    marker out of the static pose.

    Args:
        setup: the setup or its file.
        model: the generic model with its markers; without it the one that the setup names.

    Raises:
        InputError: bad setup, missing files, measurements of markers that model or trial lack, time ranges
            outside of the trial, factors that cannot be.
    """
    if not isinstance(setup, ScaleSetup):
        setup = read_scale_setup(setup)
    model = setup.load_model() if model is None else model
    scales, warnings = np.ones((len(model.body_names), 3)), list[str]()
    factors: dict[str, float] = {}
    if setup.scaling is not None and setup.scaling.apply:
        factors = _measure(model, setup, setup.scaling)
        scales, warnings = body_scales(model, setup.scaling, factors)
    if setup.placement is None or not setup.placement.apply:
        offsets = np.zeros((len(model.marker_names), 3))
        return ScaleToolResult(model.scale(scales), scales, factors, None, offsets, tuple(warnings))
    static = setup.load_trial(setup.placement)
    common = [name for name in model.marker_names if name in static.marker_names]
    if not common:
        near = near_matches(static.marker_names[0], model.marker_names)
        problem = f"shares no marker name with the model {model.name!r} ({static.marker_names[0]!r}{near})"
        raise InputError(static.source or static.name, problem, "rename the markers")
    scaled = keep_markers(model, common).scale(scales)
    pose, offsets, more = place_markers(scaled, static, setup.placement, setup.path)
    ones = np.ones_like(scales)
    return ScaleToolResult(
        scaled.scale(ones, offsets), scales, factors, pose, offsets, (*warnings, *more, *pose.warnings)
    )


def _measure(model: OsimModel, setup: ScaleSetup, scaling: ModelScaling) -> dict[str, float]:
    wanted = [m for m in scaling.measurements if m.apply and m.pairs]
    if "measurements" not in scaling.order or not wanted:
        return {}
    return measure_factors(model, setup.load_trial(scaling), wanted, scaling.time_range, setup.path)


def measure_factors(
    model: OsimModel,
    trial: Trial,
    measurements: Sequence[Measurement],
    wanted_range: TimeRange | None = None,
    source: str | Path = "measurements",
) -> dict[str, float]:
    """Scale factor per measurement: mean over its pairs of measured by model distance.

    The measured distance is the mean over the frames, the model's that in its default pose.

    Args:
        model: the generic model.
        trial: usually a static trial.
        measurements: pairs of markers.
        wanted_range: frames to take [s]; None for all.
        source: named in errors.

    Raises:
        InputError: a marker that model or trial lack, a pair never seen together, a factor that cannot be.
    """
    frames = outer_frames(trial, wanted_range, Path(source))
    points = dict(zip(model.marker_names, model(model.default_coordinates).markers.numpy()))
    factors = {}
    for measurement in measurements:
        ratios = []
        for pair in measurement.pairs:
            for name in pair:
                _check_marker(name, measurement, model, trial, source)
            between = np.linalg.norm(trial.marker(pair[1])[frames] - trial.marker(pair[0])[frames], axis=1)
            own = float(np.linalg.norm(points[pair[1]] - points[pair[0]]))
            label = f"the markers {pair[0]!r} and {pair[1]!r} of the measurement {measurement.name!r}"
            if not np.isfinite(between).any():
                where = trial.source or trial.name
                raise InputError(source, f"{label} are never seen together in {where}", "switch it off")
            if own == 0.0:
                raise InputError(source, f"{label} are at one place in the model", "switch it off")
            ratios.append(float(np.nanmean(between)) / own)
        factors[measurement.name] = _plausible(float(np.mean(ratios)), measurement, source)
    return factors


def _check_marker(name: str, measurement: Measurement, model: OsimModel, trial: Trial, source: str | Path) -> None:
    places = (("model", model.name, model.marker_names), ("trial", trial.name, trial.marker_names))
    for kind, place, names in places:
        if name not in names:
            problem = f"the measurement {measurement.name!r} uses {name!r}, which the {kind} {place!r} lacks"
            remedy = "rename it or set the <apply> of the measurement to false"
            raise InputError(source, problem + near_matches(name, names), remedy)


def _plausible(factor: float, measurement: Measurement, source: str | Path) -> float:
    if SMALLEST_FACTOR <= factor <= LARGEST_FACTOR:
        return factor
    problem = f"the measurement {measurement.name!r} gives the factor {factor:.4g}"
    span = f"factors from {SMALLEST_FACTOR:g} to {LARGEST_FACTOR:g} are plausible"
    raise InputError(source, problem, f"{span}: check the units of the marker file and the marker names")


def body_scales(model: OsimModel, scaling: ModelScaling, factors: Mapping[str, float]) -> tuple[Array, list[str]]:
    """Factors per body and axis, shape (n_bodies, 3), and warnings; later steps replace earlier ones."""
    row = {name: i for i, name in enumerate(model.body_names)}
    scales = np.ones((len(row), 3))
    unknown: list[str] = []
    for step in scaling.order:
        if step == "manualScale":
            for manual in (m for m in scaling.manual if m.apply):
                if manual.body in row:
                    scales[row[manual.body]] = manual.factors
                else:
                    unknown.append(manual.body)
            continue
        for measurement in (m for m in scaling.measurements if m.name in factors and m.apply):
            for body, axes in measurement.bodies:
                if body in row:
                    scales[row[body], list(axes)] = factors[measurement.name]
                else:
                    unknown.append(body)
    names = [name for name in dict.fromkeys(unknown) if name != GROUND]
    return scales, [f"factors of bodies that the model lacks: {listed(names)}"] if names else []


def place_markers(
    model: OsimModel, static: Trial, placement: MarkerPlacement, source: Path
) -> tuple[KinematicsResult, Array, list[str]]:
    """Find the static pose and move every marker that is not fixed to where it was measured in that pose.

    Args:
        model: scaled.
        static: the static trial.
        placement: tasks and time range.
        source: the setup file, named in errors.

    Returns:
        The pose, the movement of the model's markers (n_markers, 3) in body axes [m], and warnings.
    """
    start = float(static.time[0])
    inner = outer = np.ones(static.n_frames, dtype=bool)
    if placement.time_range is not None:
        start, end = clip_range(placement.time_range, static, source)
        outer = outer_frames(static, placement.time_range, source)
        # OpenSim averages over the frames inside for the pose, over those around as well for the placement.
        inside = (static.time >= start) & (static.time <= end)
        inner = inside if inside.any() else outer
    mean = replace(static, time=np.array([start]), markers=_mean(static.markers[inner])[None], analog=None)
    mean = replace(mean, force_plates=())
    config = placement.tasks.config(model, mean.time, placement.coordinate_file, source)
    pose = solve_ik(model, mean, config)
    measured = dict(zip(static.marker_names, _mean(static.markers[outer])))
    warnings = _movement(static, outer, placement.max_marker_movement)
    lost = [n for n in model.marker_names if np.isnan(measured[n]).any()]
    if lost:
        warnings.append(f"not measured in the static trial and not moved: {listed(lost)}")
    return pose, _offsets(model, pose.coordinates[0], measured), warnings


def _offsets(model: OsimModel, q: Array, measured: Mapping[str, Array]) -> Array:
    """Movement of the markers in body axes, (n_markers, 3) [m]; none for fixed and for unmeasured ones."""
    out = model(torch.from_numpy(q))
    poses, points = out.transforms.numpy(), out.markers.numpy()
    offsets = np.zeros((len(model.marker_names), 3))
    for i, marker in enumerate(model.model.markers):
        move = measured[marker.name] - points[i]
        if not marker.fixed and np.isfinite(move).all():
            body = model.tree.marker_body[i]
            offsets[i] = move if body < 0 else poses[body, :3, :3].T @ move
    return offsets


def outer_frames(trial: Trial, wanted: TimeRange | None, source: Path) -> np.ndarray:
    """Which frames OpenSim averages distances over, (T,): from the last one not after the start to the first
    one not before the end."""
    if wanted is None:
        return np.ones(trial.n_frames, dtype=bool)
    clip_range(wanted, trial, source)
    before, after = np.flatnonzero(trial.time <= wanted[0]), np.flatnonzero(trial.time >= wanted[1] - 1e-12)
    first = before[-1] if len(before) else 0
    last = max(after[0] if len(after) else trial.n_frames - 1, first)
    frames = np.zeros(trial.n_frames, dtype=bool)
    frames[first : last + 1] = True
    return frames


def _mean(markers: Array) -> Array:
    """Mean over the frames that show a marker, shape (M, 3) from (T, M, 3)."""
    seen = np.isfinite(markers).all(axis=2, keepdims=True)
    with np.errstate(invalid="ignore"):
        return np.where(seen, markers, 0.0).sum(axis=0) / seen.sum(axis=0)


def _movement(static: Trial, frames: np.ndarray, limit: float) -> list[str]:
    """Warn of markers that move by more than the limit, which is in the unit of the static trial's file."""
    if limit <= 0.0:
        return []
    limit *= _metres_per_unit(static)
    with np.errstate(all="ignore"):
        shown = static.markers[frames]
        moved = np.where(np.isnan(shown), -np.inf, shown).max(0) - np.where(np.isnan(shown), np.inf, shown).min(0)
    names = [n for n, far in zip(static.marker_names, (moved > limit).any(axis=1)) if far]
    return [f"move by more than {limit * 1000:g} mm in the static trial: {listed(names)}"] if names else []


def _metres_per_unit(trial: Trial) -> float:
    if trial.source is None or trial.source.suffix.lower() != ".trc":
        return 1.0
    lines = trial.source.read_text(errors="replace").splitlines()[1:3]
    values = dict(zip(*(line.split() for line in lines)))
    return METRES_PER_UNIT.get(values.get("Units", "m").lower(), 1.0)
