"""Optical markers as a laboratory records them: the model's own, with noise, soft-tissue motion and gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from biopose_sim.errors import InputError, near_matches
from biopose_sim.io import Trial
from biopose_sim.kinematics.model import OsimModel

Array = NDArray[np.float64]
_SOFT_TISSUE_PERIOD = 0.6  # [s], about half a gait cycle: skin moves with the steps (Leardini et al. 2005)
_AXES = 3


def markers_from_coordinates(
    model: OsimModel,
    q: ArrayLike,
    time: ArrayLike,
    *,
    name: str = "synthetic",
    noise: float = 0.005,
    soft_tissue: float = 0.0,
    gap_fraction: float = 0.02,
    mean_gap: float = 0.12,
    marker_offsets: ArrayLike | None = None,
    marker_names: Sequence[str] | None = None,
    seed: int | None = 0,
) -> Trial:
    """Return the trial that cameras would record of this motion.

    Args:
        model: the person's (scaled) model.
        q: coordinates, shape (T, n_q) [rad | m].
        time: shape (T,) [s], evenly spaced.
        name: the trial's name.
        noise: standard deviation of the white part, per axis [m].
        soft_tissue: standard deviation of a part that varies slowly (over about half a gait cycle) and is the
            marker's own, per axis in the axes of its segment [m]: skin that slides over bone. 5 to 10 mm is
            usual on the thigh (Leardini et al. 2005 Gait Posture 21:212).
        gap_fraction: share of all marker samples that are missing, as runs of frames.
        mean_gap: mean length of a gap [s]; runs of one frame occur too.
        marker_offsets: where this person's markers really sit, added in body axes [m], shape (n_markers, 3).
        marker_names: which of the model's markers, in which order; all if None.
        seed: of the random generator; the same seed gives the same trial.

    Raises:
        InputError: shapes that do not fit, unknown markers, a model without markers, fractions that make no
        sense.
    """
    times = np.asarray(time, dtype=float)
    values = np.asarray(q, dtype=float)
    names = model.marker_names if marker_names is None else tuple(marker_names)
    _check(model, values, times, names, noise, soft_tissue, gap_fraction, mean_gap)
    rng = np.random.default_rng(seed)
    columns = [model.marker_names.index(n) for n in names]
    shape = (len(times), len(names), _AXES)
    interval = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    white = rng.normal(size=shape) * noise
    skin = _slow_noise(rng, shape, 0.5 * _SOFT_TISSUE_PERIOD / interval) * soft_tissue
    missing = _gaps(rng, shape[0], shape[1], gap_fraction, mean_gap / interval)
    offsets = None if marker_offsets is None else torch.as_tensor(np.asarray(marker_offsets, dtype=float))
    with torch.no_grad():
        forward = model(torch.from_numpy(np.ascontiguousarray(values)), marker_offsets=offsets)
        on_body = model.tree.marker_body[columns]
        turned = np.concatenate([np.eye(4)[None].repeat(len(times), 0)[:, None], forward.transforms.numpy()], axis=1)
        turns = turned[:, on_body + 1, :3, :3]
        markers = forward.markers.numpy()[:, columns] + (turns @ skin[..., None])[..., 0] + white
    return Trial.checked(name, times, np.where(missing[:, :, None], np.nan, markers), names)


def recorded(
    trial: Trial, *, noise: float = 0.005, gap_fraction: float = 0.02, mean_gap: float = 0.12, seed: int | None = 0
) -> Trial:
    """Return what cameras would record of these markers: with noise and gaps.

    Args:
        trial: the true places.
        noise: standard deviation per axis [m].
        gap_fraction: share of all marker samples that are missing, as runs of frames.
        mean_gap: mean length of a gap [s].
        seed: of the random generator; the same seed gives the same trial.

    Raises:
        InputError: fractions or lengths that make no sense.
    """
    _check_amounts(f"markers of {trial.name}", noise, 0.0, gap_fraction, mean_gap)
    rng = np.random.default_rng(seed)
    interval = float(np.median(np.diff(trial.time))) if len(trial.time) > 1 else 1.0
    markers = trial.markers + rng.normal(size=trial.markers.shape) * noise
    missing = _gaps(rng, len(markers), len(trial.marker_names), gap_fraction, mean_gap / interval)
    return replace(trial, markers=np.where(missing[:, :, None], np.nan, markers))


def _check(
    model: OsimModel,
    q: Array,
    time: Array,
    names: tuple[str, ...],
    noise: float,
    soft_tissue: float,
    gap_fraction: float,
    mean_gap: float,
) -> None:
    source = f"markers of {model.name}"
    if q.shape != (len(time), len(model.coordinate_names)):
        expected = (len(time), len(model.coordinate_names))
        raise InputError(source, f"coordinates have shape {q.shape}", f"{len(time)} times need {expected}")
    if not names:
        raise InputError(source, "the model has no markers", "add a marker set to it")
    for marker in names:
        if marker not in model.marker_names:
            near = near_matches(marker, model.marker_names)
            raise InputError(source, f"the model has no marker '{marker}'{near}")
    _check_amounts(source, noise, soft_tissue, gap_fraction, mean_gap)


def _check_amounts(source: str, noise: float, soft_tissue: float, gap_fraction: float, mean_gap: float) -> None:
    if not 0.0 <= gap_fraction < 1.0:
        raise InputError(source, f"gap_fraction is {gap_fraction}", "give a share from 0 to below 1")
    if min(noise, soft_tissue) < 0.0 or not mean_gap > 0.0:
        raise InputError(source, "noise, soft_tissue and mean_gap must not be negative, and mean_gap not 0")


def _slow_noise(rng: np.random.Generator, shape: tuple[int, ...], spacing: float) -> Array:
    """Smooth noise of unit deviation over time (axis 0): a cubic B-spline with a knot per ``spacing``."""
    knots = int(np.ceil(shape[0] / spacing)) + 4
    values = rng.normal(size=(knots, *shape[1:]))
    at = np.arange(shape[0]) / spacing + 1.5
    left = np.floor(at).astype(int)
    u = (at - left)[(...,) + (None,) * (len(shape) - 1)]
    weights = ((1 - u) ** 3, 3 * u**3 - 6 * u**2 + 4, -3 * u**3 + 3 * u**2 + 3 * u + 1, u**3)
    mixed = sum(w * values[left + k - 1] for k, w in enumerate(weights))
    return np.asarray(mixed / np.sqrt(sum(w**2 for w in weights)))


def _gaps(rng: np.random.Generator, n_frames: int, n_markers: int, fraction: float, mean_length: float) -> Array:
    """Missing samples (T, M) in runs of frames; exactly ``round(fraction * T * M)`` of them.

    Run lengths are geometric with the given mean, and no marker vanishes altogether.
    """
    missing = np.zeros((n_frames, n_markers), dtype=bool)
    wanted = min(round(fraction * missing.size), missing.size - n_markers)
    longest = max(1, n_frames // 2)
    left = wanted
    while left > 0:
        column = missing[:, rng.integers(n_markers)]
        start = int(rng.integers(n_frames))
        length = min(int(rng.geometric(min(1.0, 1.0 / mean_length))), longest, left, n_frames - start)
        fresh = np.flatnonzero(~column[start : start + length]) + start
        if n_frames - column.sum() <= len(fresh):
            fresh = fresh[: max(0, n_frames - int(column.sum()) - 1)]
        column[fresh] = True
        left -= len(fresh)
    return missing
