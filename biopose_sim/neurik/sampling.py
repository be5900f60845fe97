"""From a recording's frame rate to the network's and back, and frames in which nobody was seen."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from biopose_sim.errors import InputError
from biopose_sim.io import Trial

SAME_RATE = 0.02  # relative difference of frame rates that is none
_REACH = 0.75  # of a frame of the network, within which a recording's frames are averaged
_OFF = 0.5  # of a frame, that its time may be off even spacing


def check_even(trial: Trial) -> None:
    """Refuse a trial whose frames are not evenly spaced.

    Raises:
        InputError: a frame is half a frame or more from its place, as where frames were dropped.
    """
    if trial.n_frames < 3:
        return
    even = np.linspace(trial.time[0], trial.time[-1], trial.n_frames)
    off = np.abs(trial.time - even) * trial.rate
    if off.max() >= _OFF:
        steps = 1e3 * np.diff(trial.time)
        problem = f"has frames that are not evenly spaced in time ({steps.min():.1f} to {steps.max():.1f} ms apart)"
        remedy = "fill in frames that were dropped, without markers, or resample it"
        raise InputError(trial.source or trial.name, problem, remedy)


def is_same(rate: float, wanted: float) -> bool:
    """Say whether frame rates [Hz] are near enough to be taken as one."""
    return abs(rate - wanted) <= SAME_RATE * wanted


def slow_count(n_frames: int, rate: float, wanted: float) -> int:
    """Number of frames at the wanted rate [Hz] that lie within n frames."""
    return int((n_frames - 1) * wanted / rate + 1e-6) + 1


def reach(rate: float, wanted: float) -> float:
    """Frames of the recording on each side that a resampled frame is made of; not a whole number."""
    return max(_REACH * rate / wanted, 1.0)


def resampled(markers: Tensor, rate: float, wanted: float) -> Tensor:
    """Return markers (N, M, 3) of a recording (T, M, 3) at another rate [Hz], by `sampled`."""
    if is_same(rate, wanted):
        return markers
    place = torch.arange(slow_count(len(markers), rate, wanted), dtype=torch.float64) * (rate / wanted)
    return sampled(markers, place, reach(rate, wanted))


def sampled(markers: Tensor, place: Tensor, width: float) -> Tensor:
    """Return markers (N, M, 3) at places between frames; gaps stay gaps.

    Each is a straight line through the frames nearby (least squares, weights that fall with the distance), so that
    noise is averaged where there are more frames than needed; with fewer it is linear interpolation.

    Args:
        markers: (T, M, 3), NaN where not seen.
        place: (N,) counted in frames.
        width: frames on each side that count.
    """
    n_frames = len(markers)
    taps = torch.arange(-int(np.ceil(width)), int(np.ceil(width)) + 2)
    rows = place.floor().long()[:, None] + taps
    apart = (rows - place[:, None]).to(markers)
    weights = (1.0 - apart.abs() / width).clamp_min(0.0) * ((rows >= 0) & (rows < n_frames))
    values = markers[rows.clamp(0, n_frames - 1)]
    seen = torch.isfinite(values).all(dim=-1)
    w, d = weights[..., None] * seen, apart[..., None]
    s0, s1, s2 = w.sum(dim=1), (w * d).sum(dim=1), (w * d * d).sum(dim=1)
    spread = s0 * s2 - s1 * s1
    slanted = spread > 1e-6 * s0 * s0
    share = torch.where(slanted[:, None], w * (s2[:, None] - s1[:, None] * d), w)
    share = share / torch.where(slanted, spread, s0)[:, None].clamp_min(1e-12)
    found = (share[..., None] * torch.where(seen[..., None], values, torch.zeros_like(values))).sum(dim=1)
    # A straight line is followed between frames, and for half a frame at most beyond the last one.
    near = (seen & (w > 0.0) & (d.abs() <= 0.5 + 1e-6)).any(dim=1)
    between = (seen & (w > 0.0) & (d <= 0.0)).any(dim=1) & (seen & (w > 0.0) & (d >= 0.0)).any(dim=1)
    return torch.where((near | between)[..., None], found, torch.full_like(found, torch.nan))


def between(rows: Tensor, places: Tensor) -> Tensor:
    """Return rows (N, K) at places (N,), counted in rows, of rows (R, K): a smooth curve through all.

    Cubic pieces whose slopes are those of the neighbours (Catmull & Rom 1974); straight on beyond the ends.
    """
    last = len(rows) - 1
    low = places.floor().long().clamp(0, max(last - 1, 0))
    share = (places - low).to(rows)[:, None]
    p0, p1, p2, p3 = (_row(rows, low + k) for k in (-1, 0, 1, 2))
    slope0, slope1 = 0.5 * (p2 - p0), 0.5 * (p3 - p1)
    s, s2, s3 = share, share**2, share**3
    curve = (2 * s3 - 3 * s2 + 1) * p1 + (s3 - 2 * s2 + s) * slope0 + (3 * s2 - 2 * s3) * p2 + (s3 - s2) * slope1
    return torch.where(share <= 1.0, curve, p2 + (share - 1.0) * (p2 - p1))


def _row(rows: Tensor, index: Tensor) -> Tensor:
    """Rows by index; those beyond an end go straight on."""
    last = len(rows) - 1
    inside = rows[index.clamp(0, last)]
    if last == 0:
        return inside
    before, after = (0 - index).clamp_min(0).to(rows)[:, None], (index - last).clamp_min(0).to(rows)[:, None]
    return inside - before * (rows[1] - rows[0]) + after * (rows[last] - rows[last - 1])


def bridged(rows: Tensor, seen: Tensor) -> Tensor:
    """Return rows (T, K) with those that are not seen (T,) interpolated, or as the nearest at the ends."""
    if bool(seen.all()) or not bool(seen.any()):
        return rows
    known = torch.nonzero(seen).flatten()
    frames = torch.arange(len(rows))
    after = torch.searchsorted(known, frames).clamp_max(len(known) - 1)
    before = (torch.searchsorted(known, frames, right=True) - 1).clamp_min(0)
    low, high = known[before], known[after]
    share = ((frames - low).to(rows) / (high - low).clamp_min(1).to(rows)).clamp(0.0, 1.0)[:, None]
    return torch.where(seen[:, None], rows, torch.lerp(rows[low], rows[high], share))
