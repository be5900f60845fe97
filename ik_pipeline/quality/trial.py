"""Quality of the result of one trial."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from biopose_sim.ik.types import KinematicsResult
from biopose_sim.io import Trial
from biopose_sim.kinematics.model import OsimModel
from ik_pipeline.quality import markers, motion
from ik_pipeline.quality.feet import FeetQuality, measure_feet
from ik_pipeline.quality.types import Named, TrialQuality

Array = NDArray[np.floating]
_NO_FEET = {field.name: None for field in dataclasses.fields(FeetQuality)}


def measure_trial(model: OsimModel, result: KinematicsResult, trial: Trial, landmarks: frozenset[str]) -> TrialQuality:
    """Measure how good the result of a trial is.

    Args:
        model: the person's scaled model.
        result: of the trial, by any engine.
        trial: the measured markers; may hold more than the result used.
        landmarks: names of the markers on bony landmarks.
    """
    columns = [trial.marker_names.index(name) for name in result.marker_names]
    whole = columns == list(range(trial.n_markers))
    measured = trial.markers if whole else trial.markers[:, columns]
    rate = trial.rate if np.isfinite(trial.rate) else None
    limits = motion.time_at_limits(model, result)
    jumps = motion.find_jumps(result)
    leaps = markers.count_jumps(measured - result.model_markers, result.time)
    jerk, jerk_ratio = _jerk(measured, result.model_markers, rate)
    feet = measure_feet(model, result)
    values = {
        "frames": len(result.time),
        "seconds": len(result.time) / rate if rate else 0.0,
        "rate": rate,
        "markers": len(result.marker_names),
        **_errors(model, result, landmarks),
        "frozen": markers.frozen_share(measured),
        "marker_jumps": int(leaps.sum()),
        "jumping_markers": markers.ranked(result.marker_names, leaps),
        "at_limits": limits.samples,
        "frames_at_limits": limits.frames,
        "limits": markers.ranked(result.coordinate_names, limits.by_coordinate, most=None),
        "jumps": int(jumps.by_coordinate.sum()),
        "jump_frames": jumps.frames,
        "jumping": markers.ranked(result.coordinate_names, jumps.by_coordinate),
        "wraps": jumps.wraps,
        "jerk": jerk,
        "jerk_ratio": jerk_ratio,
        **(_NO_FEET if feet is None else dataclasses.asdict(feet)),
        "converged": float(np.mean(result.converged)) if len(result.time) else 0.0,
        "undetermined": tuple(
            n for n, free, sure in zip(result.coordinate_names, result.free, result.determined) if free and not sure
        ),
    }
    return TrialQuality(**values)


def _errors(model: OsimModel, result: KinematicsResult, landmarks: frozenset[str]) -> dict[str, object]:
    """What follows from the distances of measured and model markers, (T, M) [mm]."""
    errors = 1e3 * result.marker_errors
    seen = np.isfinite(errors)
    squares = np.where(seen, errors, 0.0) ** 2
    totals, counts = squares.sum(axis=0), seen.sum(axis=0)
    is_landmark = markers.landmark_columns(result.marker_names, landmarks)
    with np.errstate(invalid="ignore", divide="ignore"):
        by_marker = np.sqrt(totals / counts)
        by_frame = squares.sum(axis=1) / seen.sum(axis=1)
    largest = int(np.argmax(squares)) if squares.size and counts.any() else None
    kept = markers.landmark_mask(result.marker_errors, result.marker_names, landmarks)[:, is_landmark].sum()
    seen_landmarks = int(counts[is_landmark].sum())
    return {
        "marker_rms": markers.pooled_rms(totals, counts),
        "landmark_rms": markers.pooled_rms(totals[is_landmark], counts[is_landmark]),
        "tracking_rms": markers.pooled_rms(totals[~is_landmark], counts[~is_landmark]),
        "largest_error": None if largest is None else float(np.sqrt(squares.flat[largest])),
        "largest_marker": None if largest is None else result.marker_names[largest % errors.shape[1]],
        "worst_frame": int(np.nanargmax(by_frame)) if counts.any() else 0,
        "worst_markers": markers.ranked(result.marker_names, by_marker),
        "segments": _by_segment(model, result.marker_names, totals, counts),
        "masked_landmarks": 1.0 - float(kept) / seen_landmarks if seen_landmarks else None,
        "missing": 1.0 - float(counts.sum()) / seen.size if seen.size else 0.0,
    }


def _by_segment(model: OsimModel, names: tuple[str, ...], totals: Array, counts: Array) -> Named:
    """RMS of the markers of each body [mm]."""
    bodies = np.array([model.tree.marker_body[model.marker_names.index(name)] for name in names], dtype=np.int64)
    on = [bodies == b for b in range(len(model.body_names))]
    rms = [markers.pooled_rms(totals[own], counts[own]) for own in on]
    return markers.ranked(model.body_names, [np.nan if v is None else v for v in rms], most=None)


def _jerk(measured: Array, own: Array, rate: float | None) -> tuple[float | None, float | None]:
    """RMS jerk of the model's markers where they were measured, and its ratio to that of the measured ones."""
    if rate is None:
        return None, None
    of_model, of_measured = (motion.squared_jerk(points, rate) for points in (own, measured))
    if of_model is None or of_measured is None:
        return None, None
    seen = np.isfinite(of_measured)
    if not seen.any():
        return None, None
    model_mean, mean = float(of_model[seen].mean()), float(of_measured[seen].mean())
    return float(np.sqrt(model_mean)), float(np.sqrt(model_mean / mean)) if mean > 0.0 else None
