"""Several clips on one clock: when each starts, the time that all show, key points at the same moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...errors import InputError
from ..points.keypoints import Array, KeyPoints
from ..types import View
from .rays import Sights

_LEAST_FRAMES = 3
_LONGEST_LAG = 1.0  # s
_LEAST_CORRELATION = 0.4
_OUT_OF_SYNC = 2.0  # frames
_FINE, _CLEARLY = 0.15, 0.97  # s about the correlation's answer; of the error before
_MOST_FRAMES = 80  # that are looked at


@dataclass(frozen=True, eq=False)
class Aligned:
    """Views on one clock.

    Attributes:
        views: over the same frames.
        offsets: (C,) when each clip starts on the clock of the first, as it was used [s].
        estimated: (C,) the same as the motion shows it [s]; zero where it does not, or where offsets were given.
        notes: what a user should know, a sentence each.
    """

    views: tuple[View, ...]
    offsets: Array
    estimated: Array
    notes: tuple[str, ...] = ()


def align(views: Sequence[View], offsets: Sequence[float] | str | None = None) -> Aligned:
    """Bring views to one clock: the frames of the slowest camera in the time that all clips show.

    Args:
        views: of one person by several placed cameras.
        offsets: when each clip starts after the first [s]; ``"auto"`` takes what the motion shows; None takes all
            clips as started together, and notes where the motion says otherwise by more than two frames.

    Raises:
        InputError: another number of offsets, clips that have no time in common.
    """
    views = tuple(views)
    unknown = len(views) > 1 and (offsets is None or isinstance(offsets, str))
    estimated = estimate_offsets(views) if unknown else np.zeros(len(views))
    notes: tuple[str, ...] = ()
    if isinstance(offsets, str):
        if offsets != "auto":
            raise InputError("offsets", f"are '{offsets}'", "give seconds, or auto")
        used = estimated
        told = ", ".join(f"{o:+.3f}" for o in used)
        notes = (f"The clips start at {told} s, as the motion in them shows.",) if used.any() else ()
    else:
        used = np.zeros(len(views)) if offsets is None else np.asarray(offsets, dtype=float)
        if len(used) != len(views):
            raise InputError("offsets", f"{len(used)} for {len(views)} clips", "give one for each, 0 for the first")
        notes = tuple(_out_of_sync(view, float(late)) for view, late in zip(views, estimated, strict=True))
    clocks = [v.key_points.time + o for v, o in zip(views, used, strict=True)]
    slowest = int(np.argmin([round(v.key_points.fps, 3) for v in views]))
    start, stop = max(c[0] for c in clocks), min(c[-1] for c in clocks)
    slack = 1e-3 / views[slowest].key_points.fps
    clock = clocks[slowest][(clocks[slowest] >= start - slack) & (clocks[slowest] <= stop + slack)]
    if len(clock) < _LEAST_FRAMES:
        names = ", ".join(v.key_points.name for v in views)
        raise InputError(names, "show no common time", "give clips of the same moment, or say when each starts")
    if len({round(v.key_points.fps, 2) for v in views}) > 1:
        fps = views[slowest].key_points.fps
        notes = (*notes, f"The clips have different frame rates: taken at {fps:g} Hz, the slowest.")
    fps = views[slowest].key_points.fps
    moved = tuple(
        replace(v, key_points=resampled(v.key_points, clock, float(o), fps)) for v, o in zip(views, used, strict=True)
    )
    return Aligned(moved, used, estimated, tuple(note for note in notes if note))


def _out_of_sync(view: View, late: float) -> str:
    frames = late * view.key_points.fps
    if abs(frames) <= _OUT_OF_SYNC:
        return ""
    way = "later" if late > 0.0 else "earlier"
    return (
        f"{view.key_points.name} seems to start {abs(late):.3f} s ({abs(frames):.1f} frames) {way} than was taken: "
        "say when each clip starts (--sync), or let it be estimated (--sync auto)."
    )


def resampled(key_points: KeyPoints, clock: Array, offset: float = 0.0, fps: float | None = None) -> KeyPoints:
    """Return the key points at other times, straight lines between frames; a gap on either side is a gap.

    Args:
        key_points: on a clock of their own.
        clock: (T',) wanted times [s].
        offset: of their clock [s].
        fps: of the wanted times [Hz].
    """
    own = key_points.time + offset
    if len(own) == len(clock) and np.abs(own - clock).max(initial=0.0) < 1e-9:
        return replace(key_points, time=clock)
    after = np.clip(np.searchsorted(own, clock), 1, len(own) - 1)
    share = np.clip((clock - own[after - 1]) / (own[after] - own[after - 1]), 0.0, 1.0)
    # Where the times meet no gap beside reaches in.
    share = np.where(share < 1e-6, 0.0, np.where(share > 1.0 - 1e-6, 1.0, share))

    def between(values: Array) -> Array:
        first, second = values[after - 1], values[after]
        part = share.reshape(-1, *(1,) * (values.ndim - 1))
        return np.where(part == 0.0, first, np.where(part == 1.0, second, first + part * (second - first)))

    points = between(key_points.points)
    confidence = np.where(np.isfinite(points).all(-1), between(key_points.confidence), 0.0)
    return replace(key_points, time=clock, points=points, confidence=confidence, fps=fps or key_points.fps)


def estimate_offsets(views: Sequence[View]) -> Array:
    """Return when each clip starts on the clock of the first [s], (C,), from the motion.

    First by the vertical speed of the key points, which all cameras that stand level see alike (the lag of the best
    correlation within a second), then, to parts of a frame, by the errors of triangulation. Zero where the motion
    shows nothing.
    """
    speeds = [_vertical_speed(view.key_points) for view in views]
    rate = min(view.key_points.fps for view in views)
    clocks = [view.key_points.time for view in views]
    start, stop = max(c[0] for c in clocks), min(c[-1] for c in clocks)
    found = np.zeros(len(views))
    clock = np.arange(start, stop, 1.0 / rate)
    if len(clock) < 10:
        return found
    signals = [np.interp(clock, t, s) for t, s in zip(clocks, speeds, strict=True)]
    for number in range(1, len(views)):
        found[number] = _lag(signals[0], signals[number], rate)
    return _refined(tuple(views), found, rate)


def _vertical_speed(key_points: KeyPoints) -> Array:
    """Mean vertical speed of the key points (T,) in sizes of the person per second, 0 where unknown."""
    y = key_points.points[..., 1]
    speed = np.gradient(y, key_points.time, axis=0)
    seen = np.isfinite(speed)
    mean = np.where(seen, speed, 0.0).sum(1) / np.maximum(seen.sum(1), 1)
    return mean / _height(key_points)


def _height(key_points: KeyPoints) -> float:
    """Usual height of the person in the picture [px], of the frames in which two points or more are seen."""
    y = key_points.points[..., 1]
    y = y[np.isfinite(y).sum(1) >= 2]
    return max(float(np.median(np.nanmax(y, axis=1) - np.nanmin(y, axis=1))), 1.0) if len(y) else 1.0


def _lag(first: Array, second: Array, rate: float) -> float:
    """How much later the second clip starts [s]; 0 without a clear correlation."""
    most = min(round(_LONGEST_LAG * rate), len(first) // 3)
    lags = np.arange(-most, most + 1)
    values = np.array([_correlation(first, second, int(lag)) for lag in lags])
    best = int(np.argmax(values))
    # Zero unless another lag is clearly better.
    if values[best] < _LEAST_CORRELATION or values[best] < values[most] + 0.05:
        return 0.0
    return float(lags[best] / rate)


def _correlation(first: Array, second: Array, lag: int) -> float:
    """Of the first clip ``lag`` frames on with the second."""
    a, b = (first[lag:], second[: len(second) - lag]) if lag >= 0 else (first[:lag], second[-lag:])
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 0.0 else 0.0


def _refined(views: tuple[View, ...], start: Array, rate: float) -> Array:
    """The offsets of the least error of triangulation near ``start`` or zero; zero if they are not clearly better."""
    from scipy.optimize import minimize_scalar

    together = np.zeros_like(start)
    before = _misfit(views, together)
    if not np.isfinite(before):
        return together
    offsets = together.copy()

    def cost(value: float, number: int) -> float:
        trial = offsets.copy()
        trial[number] = value
        return _misfit(views, trial)

    # A correlation may err where cameras see another motion: the geometry decides.
    for number in np.flatnonzero(start).tolist():
        offsets[number] = min((0.0, float(start[number])), key=lambda value: cost(value, number))
    for reach in (_FINE, _FINE, 1.0 / rate):
        for number in range(1, len(views)):
            middle = float(offsets[number])
            near = (middle - reach, middle + reach)
            settings = {"xatol": 0.1 / rate, "maxiter": 12}
            found = minimize_scalar(cost, bounds=near, args=(number,), method="bounded", options=settings)
            if found.fun < cost(middle, number):
                offsets[number] = float(found.x)
    return offsets if _misfit(views, offsets) < _CLEARLY * before else together


def _misfit(views: tuple[View, ...], offsets: Array) -> float:
    """Mean loss of linear triangulation, per point [usual errors squared]; NaN without points."""
    clocks = [v.key_points.time + o for v, o in zip(views, offsets, strict=True)]
    start, stop = max(c[0] for c in clocks), min(c[-1] for c in clocks)
    clock = clocks[0][(clocks[0] >= start) & (clocks[0] <= stop)]
    if len(clock) < _LEAST_FRAMES:
        return float("nan")
    clock = clock[:: -(-len(clock) // _MOST_FRAMES)]
    seen = [resampled(v.key_points, clock, float(o)) for v, o in zip(views, offsets, strict=True)]
    sights = Sights.of(
        tuple(v.camera for v in views),
        np.stack([k.points.reshape(-1, 2) for k in seen]),
        np.stack([k.confidence.ravel() for k in seen]),
        0.01 * np.array([_height(k) for k in seen]),
    )
    loss = sights.loss(sights.meeting(sights.weights))
    known = np.isfinite(loss)
    return float(loss[known].mean()) if known.any() else float("nan")
