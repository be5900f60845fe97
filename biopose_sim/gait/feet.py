"""Feet in motion: heel, ball and toe tip, and where they are relative to the pelvis along the way of the body."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.signal import butter, sosfiltfilt

from biopose_sim.errors import InputError
from biopose_sim.io import MotionLike
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.kinematics.soles import has_soles, place_soles

Array = NDArray[np.float64]

RATE = 200.0  # [Hz] at which events are sought, so that they do not fall on the frames of a slow camera
CUT_OFF = 12.0  # [Hz] of the paths, as markers of gait are often filtered for events
_TURNING = 0.5  # [Hz] below which a change of the feet's direction is a turn
_STANDS = 0.2  # [m/s] below which a body goes nowhere, on the whole
_ABOUT = 0.7  # cosine between where it goes to and where the feet point to
_BLOCK = 4096


@dataclass(frozen=True, eq=False)
class FeetInMotion:
    """Smooth paths of the feet at :data:`RATE`; metres and seconds in the model's ground frame (Y up).

    Attributes:
        time: (T,) [s].
        soles: by side (T, 3, 3): heel, ball and toe tip [m].
        pelvis: (T, 3) [m].
        ahead: (T, 3) level unit vectors: where the feet point to, both together, turns followed slowly.
        leg: height of the pelvis above the soles [m]; the yardstick of steps.
    """

    time: Array
    soles: dict[str, Array]
    pelvis: Array
    ahead: Array
    leg: float

    def middle(self, side: str) -> Array:
        """(T, 3) midway between heel and ball."""
        return np.asarray(self.soles[side][:, :2].mean(axis=1))

    def before_pelvis(self, points: Array) -> Array:
        """How far points (T, 3) are ahead of the pelvis, (T,) [m]."""
        return np.einsum("ti,ti->t", points - self.pelvis, self.ahead)

    def speed(self, values: Array) -> Array:
        """Derivative of (T, ...) with respect to time."""
        return np.asarray(np.gradient(values, self.time, axis=0))

    @property
    def way(self) -> Array:
        """(T, 3) level unit vectors: where the body goes to; where it stays (a treadmill), where the feet point to."""
        velocity = self.speed(self.pelvis) * np.array([1.0, 0.0, 1.0])
        pace = np.linalg.norm(_slow(velocity), axis=1)
        share = np.clip((pace - _STANDS) / _STANDS, 0.0, 1.0)
        goes = _direction(velocity)
        share *= np.einsum("ti,ti->t", goes, self.ahead) > _ABOUT
        mixed = share[:, None] * goes + (1.0 - share[:, None]) * self.ahead
        return np.asarray(mixed / np.maximum(np.linalg.norm(mixed, axis=1, keepdims=True), 1e-9))


def complete_coordinates(model: OsimModel, motion: MotionLike) -> Array:
    """Return the model's coordinates along a motion, (T, n_q) [rad | m]; those it does not hold at their defaults.

    Raises:
        InputError: no coordinate of the motion belongs to the model.
    """
    values = np.asarray(motion.coordinates, dtype=float)
    q = np.tile(model.default_coordinates.numpy(), (len(values), 1))
    known = [(k, model.coordinate_names.index(n)) for k, n in enumerate(motion.coordinate_names) if n in
             model.coordinate_names]  # fmt: skip
    if not known:
        raise InputError(f"motion '{motion.name}'", f"has no coordinate of model '{model.name}'")
    ours, theirs = zip(*known)
    q[:, theirs] = values[:, ours]
    return q


def feet_in_motion(model: OsimModel, motion: MotionLike) -> FeetInMotion | None:
    """Follow the feet along a motion; None for a model without two feet of the usual kind, or fewer than 10 frames."""
    time = np.asarray(motion.time, dtype=float)
    if not all(has_soles(model, side) for side in "rl") or len(time) < 10:
        return None
    q = complete_coordinates(model, motion)
    if not np.isfinite(q).all():
        return None
    root = model.body_names.index("pelvis") if "pelvis" in model.body_names else 0
    pelvis = np.empty((len(q), 3))
    paths = {side: np.empty((len(q), 3, 3)) for side in "rl"}
    for start in range(0, len(q), _BLOCK):
        block = slice(start, start + _BLOCK)
        with torch.no_grad():
            transforms = model(torch.from_numpy(q[block])).transforms.numpy()
        pelvis[block] = transforms[:, root, :3, 3]
        for side, path in paths.items():
            path[block] = place_soles(model, transforms, side)
    even = np.arange(time[0], time[-1] + 0.5 / RATE, 1.0 / RATE)
    soles = {side: _smooth(time, path, even) for side, path in paths.items()}
    pelvis = _smooth(time, pelvis, even)
    leg = float(np.median(pelvis[:, 1] - np.min([p[..., 1].min(axis=1) for p in soles.values()], axis=0)))
    return FeetInMotion(even, soles, pelvis, _ahead(soles), max(leg, 0.1))


def _smooth(time: Array, values: Array, even: Array) -> Array:
    """Values at even times, without what is faster than feet move."""
    return _low_pass(CubicSpline(time, values)(np.clip(even, time[0], time[-1])), CUT_OFF)


def _low_pass(values: Array, cut_off: float) -> Array:
    sections = butter(2, cut_off, fs=RATE, output="sos")
    padding = min(len(values) - 1, int(1.5 * RATE / cut_off))
    return np.asarray(sosfiltfilt(sections, values, axis=0, padlen=padding))


def _ahead(soles: dict[str, Array]) -> Array:
    return _direction(np.sum([path[:, 1] - path[:, 0] for path in soles.values()], axis=0))


def _direction(level: Array) -> Array:
    """Unit vectors of what changes slowly in (T, 3), level."""
    slow = _slow(level * np.array([1.0, 0.0, 1.0]))
    return np.asarray(slow / np.maximum(np.linalg.norm(slow, axis=1, keepdims=True), 1e-9))


def _slow(values: Array) -> Array:
    """What changes slowly; the mean of a recording too short to tell a turn from a step."""
    if len(values) > RATE / _TURNING:
        return _low_pass(values, _TURNING)
    return np.tile(values.mean(axis=0), (len(values), 1))
