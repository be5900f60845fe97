"""Body motions brought to a lower frame rate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from biopose_sim.bodies.retarget_source import resample
from biopose_sim.bodies.types import BodySequence

# Rates that differ by less than this share count as a whole multiple of each other.
_WHOLE = 1e-3


def whole_stride(rate: float, wanted: float) -> int | None:
    """Return of how many frames one is kept to come from one rate [Hz] to another; None where that does not fit.

    A rate that is no faster than the wanted one stays as it is: 1.
    """
    ratio = rate / wanted
    stride = max(1, round(ratio))
    return stride if ratio <= 1.0 or abs(ratio - stride) < _WHOLE * stride else None


def at_rate(sequence: BodySequence, fps: float | None) -> BodySequence:
    """Return the motion at a lower rate, beginning with the same frame.

    Every n-th frame is kept where the rates are multiples; else rotations go along the shortest arc and places
    linearly between two frames, and the person counts as seen where she was in both.

    Args:
        sequence: on an even clock, with one shape for all frames.
        fps: the wanted rate [Hz]; a slower motion, and None, stay as they are.
    """
    if fps is None or len(sequence.time) < 2:
        return sequence
    time = sequence.time
    rate = (len(time) - 1) / float(time[-1] - time[0])
    stride = whole_stride(rate, fps)
    if stride is not None:
        return taken(sequence, slice(None, None, stride)) if stride > 1 else sequence
    start = float(time[0])
    wanted, rotations, places = resample(time - start, sequence.rotations, sequence.translation[:, None], fps)
    seen = sequence.seen
    if seen is not None:
        place = wanted * rate
        seen = (
            seen[np.floor(place + 1e-6).astype(int)]
            & seen[np.minimum(np.ceil(place - 1e-6), len(time) - 1).astype(int)]
        )
    return replace(sequence, time=wanted + start, rotations=rotations, translation=places[:, 0], seen=seen)


def taken(sequence: BodySequence, frames: slice) -> BodySequence:
    """Return some frames of a motion of one shape."""
    return replace(
        sequence,
        time=sequence.time[frames],
        rotations=sequence.rotations[frames],
        translation=sequence.translation[frames],
        seen=None if sequence.seen is None else sequence.seen[frames],
        vertices=None if sequence.vertices is None else sequence.vertices[frames],
    )
