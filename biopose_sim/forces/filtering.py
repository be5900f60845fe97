"""Zero-lag low-pass filtering of what is differentiated twice before it becomes a force."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from biopose_sim.errors import InputError
from biopose_sim.io import Motion
from biopose_sim.io.notice import listed

CUTOFF_HZ = 6.0  # of walking and the like; Winter, Biomechanics and Motor Control of Human Movement, 2009, 3.4
_PASSES = 2  # forwards and backwards
_UNEVEN = 0.05  # of a step: what rounded times of a file deviate is no uneven sampling


def lowpass(values: np.ndarray, rate: float, cutoff_hz: float, order: int = 4) -> np.ndarray:
    """Filter signals with a Butterworth filter that runs forwards and backwards, so that nothing lags.

    ``order`` is that of both passes together, as gait laboratories count it: order 4 is a second-order filter
    run twice. The angular cut-off, warped as the digital filter has it (Robertson and Dowling 2003), is raised by
    Winter's factor ``(2 ** (1 / passes) - 1) ** (-1 / (2 * order_of_a_pass))`` (1.246 for order 4), so that both
    passes together have their half power (-3 dB) at ``cutoff_hz``. The ends are continued by odd reflection over
    a period of the cut-off.

    Args:
        values: (T, ...) signals at even steps of time.
        rate: of the frames [Hz].
        cutoff_hz: where half of the power passes [Hz].
        order: of both passes together; even.

    Returns:
        The same shape.

    Raises:
        InputError: a value is not a number, the trial is shorter than the reflected ends, or the cut-off is
            not between 0 and what the frame rate allows.
    """
    from scipy.signal import butter, sosfiltfilt

    values = np.asarray(values, dtype=np.float64)
    if order < _PASSES or order % _PASSES:
        raise InputError("low-pass filter", f"cannot have order {order}", "choose an even order, such as 4")
    if not np.isfinite(values).all():
        frame = int(np.argwhere(~np.isfinite(values))[0][0])
        raise InputError("low-pass filter", f"frame {frame + 1} holds what is not a number", "fill the gaps first")
    once = order // _PASSES
    if not 0.0 < cutoff_hz < rate / 2.0:
        problem = f"cannot cut off at {cutoff_hz:g} Hz with {rate:.4g} frames a second"
        raise InputError("low-pass filter", problem, f"choose a cut-off between 0 and {rate / 2:.4g} Hz")
    ends = max(3 * (once + 1), math.ceil(rate / cutoff_hz))
    if len(values) <= ends:
        problem = f"{len(values)} frames are too few for a cut-off at {cutoff_hz:g} Hz"
        raise InputError("low-pass filter", problem, f"it takes more than {ends}; filter with a higher one or not")
    factor = (2.0 ** (1.0 / _PASSES) - 1.0) ** (-0.5 / once)
    raised = rate / math.pi * math.atan(math.tan(math.pi * cutoff_hz / rate) * factor)
    sections = butter(once, raised, btype="low", fs=rate, output="sos")
    return np.ascontiguousarray(sosfiltfilt(sections, values, axis=0, padtype="odd", padlen=ends))


def filter_motion(motion: Motion, cutoff_hz: float = CUTOFF_HZ) -> Motion:
    """Filter the coordinates of a motion; jumps of whole turns are undone before.

    Uneven steps of time are resampled first by cubic splines, as many frames over the same time.

    Args:
        motion: the coordinates; see :func:`lowpass`.
        cutoff_hz: where half of the power passes [Hz]; 0 filters nothing but still undoes turns.

    Raises:
        InputError: values that are not numbers, or what :func:`lowpass` raises; names the motion.
    """
    where = motion.source or f"motion '{motion.name}'"
    check_numbers(motion)
    unwrapped = unwrap(motion)
    if cutoff_hz == 0.0:
        return unwrapped
    if len(motion.time) < 2:
        raise InputError(where, "has a single frame", "forces take a movement over time")
    even = resampled(unwrapped)
    try:
        values = lowpass(even.coordinates, frame_rate(even.time), cutoff_hz)
    except InputError as error:
        raise InputError(where, error.problem, error.remedy) from None
    return replace(even, coordinates=values)


def check_numbers(motion: Motion) -> None:
    """Raise InputError, with the coordinates' names, where a motion holds what is not a number."""
    bad = ~np.isfinite(motion.coordinates)
    if bad.any():
        names = [motion.coordinate_names[i] for i in np.flatnonzero(bad.any(axis=0))]
        frame = int(np.argwhere(bad)[0][0])
        problem = f"{listed(names)} hold no number from frame {frame + 1} ({motion.time[frame]:g} s) on or in places"
        raise InputError(motion.source or f"motion '{motion.name}'", problem, "fill the gaps first, e.g. with 'ik'")


def unwrap(motion: Motion) -> Motion:
    """The motion without jumps of whole turns in its rotational coordinates."""
    turning = np.array([kind == "rotational" for kind in motion.motion_types], dtype=bool)
    values = motion.coordinates.copy()
    values[:, turning] = np.unwrap(values[:, turning], axis=0)
    return replace(motion, coordinates=values)


def frame_rate(time: np.ndarray) -> float:
    """Mean frame rate [Hz] of (T,) times [s]."""
    return float((len(time) - 1) / (time[-1] - time[0]))


def is_even(time: np.ndarray) -> bool:
    """Whether (T,) times [s] have even steps, roundings of a file aside."""
    if len(time) < 3:
        return True
    steady = np.linspace(time[0], time[-1], len(time))
    return bool(np.abs(time - steady).max() <= _UNEVEN * (steady[1] - steady[0]))


def resampled(motion: Motion) -> Motion:
    """The motion at even steps; itself where they are even already."""
    if is_even(motion.time):
        return motion
    from scipy.interpolate import CubicSpline

    time = np.linspace(motion.time[0], motion.time[-1], len(motion.time))
    return replace(motion, time=time, coordinates=CubicSpline(motion.time, motion.coordinates, axis=0)(time))
