"""A walking person and a standing one, as coordinates of any model of the Rajagopal family."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from biopose_sim.errors import InputError
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.synthetic.contact import Correction, fourier, sole_points, solve_contact
from biopose_sim.synthetic.curves import normative_curves
from biopose_sim.synthetic.mapping import (
    LEFT_LAG,
    Track,
    coordinate_sign,
    gait_tracks,
    movable,
    require_walker,
)

Array = NDArray[np.float64]
CADENCE = 113.0  # steps per minute, comfortable walking of adults (Winter 1991; Perry & Burnfield 2010)


@dataclass(frozen=True, eq=False)
class Gait:
    """A periodic walk of one model along +X.

    Attributes:
        model: the (scaled) model.
        tracks: which coordinate follows which normative curve.
        correction: what was added to the curves to keep the feet on the floor.
    """

    model: OsimModel
    tracks: list[Track]
    correction: Correction

    @property
    def stride(self) -> float:
        """Length of a stride, two steps [m]."""
        return self.correction.stride

    def coordinates(self, phase: Array) -> Array:
        """Return all coordinates at phases of the right leg's cycle, (T,) -> (T, n_q) [rad | m].

        Phases count on: 2.5 is the middle of the third stride. Coordinates keep to their ranges; locked ones
        stay at their default and dependent ones follow their coupler.
        """
        phase = np.asarray(phase, dtype=float)
        q = np.tile(self.model.default_coordinates.numpy(), (len(phase), 1))
        for track in self.tracks:
            q[:, track.coordinate] = track.values(phase)
        self._add_leg_corrections(q, phase)
        self._place_pelvis(q, phase)
        return complete(self.model, q)

    def _add_leg_corrections(self, q: Array, phase: Array) -> None:
        index = movable(self.model)
        for side, lag in (("r", 0.0), ("l", LEFT_LAG)):
            basis = fourier(phase - lag)
            for stem, series in self.correction.leg.items():
                name = f"{stem}_{side}"
                if name in index:
                    q[:, index[name]] += coordinate_sign(self.model, name) * (basis @ series)

    def _place_pelvis(self, q: Array, phase: Array) -> None:
        curves, names = normative_curves(), self.model.coordinate_names
        tx, ty, tz = (names.index(f"pelvis_t{axis}") for axis in "xyz")
        path = fourier(phase) @ self.correction.pelvis.T
        q[:, tx] = path[:, 0] + self.stride * phase
        q[:, ty] = path[:, 1] + curves["pelvis_height"](phase)
        q[:, tz] = path[:, 2] + curves["pelvis_sway"](phase)


def solve_gait(model: OsimModel) -> Gait:
    """Adapt the normative curves to a model (a second or two); see :mod:`biopose_sim.synthetic.contact`.

    Raises:
        InputError: the model is not of the Rajagopal family.
    """
    tracks = gait_tracks(model)
    return Gait(model, tracks, solve_contact(model, tracks))


def gait_coordinates(
    model: OsimModel, duration: float, rate: float = 100.0, *, speed: float | None = None, start: float = 0.0
) -> Array:
    """Return normal walking along +X, starting over the origin, shape (T, n_q) [rad | m].

    Joint angles follow published normative curves (``models/motions``), left and right half a cycle apart,
    corrected by a few degrees so that the stance foot rests on the floor (y = 0) of this model.

    Args:
        model: any model of the Rajagopal family, scaled or not.
        duration: [s]; frames lie at ``frame_times(duration, rate)``.
        rate: [Hz].
        speed: mean forward speed [m/s], reached by cadence alone; None walks at 113 steps per minute.
        start: phase of the right leg's cycle in the first frame.

    Raises:
        InputError: the model is not of the Rajagopal family; duration, rate or speed is not positive.
    """
    if speed is not None and not speed > 0.0:
        raise InputError("gait_coordinates", f"speed is {speed}", "give metres per second above 0, or None")
    time = frame_times(duration, rate)
    gait = solve_gait(model)
    strides_per_second = CADENCE / 120.0 if speed is None else speed / gait.stride
    q = gait.coordinates(start + time * strides_per_second)
    q[:, model.coordinate_names.index("pelvis_tx")] -= gait.stride * start
    return q


def frame_times(duration: float, rate: float) -> Array:
    """Return 0, 1/rate, ... up to ``duration``, shape (T,) [s].

    Raises:
        InputError: duration or rate is not positive.
    """
    if not (duration > 0.0 and rate > 0.0):
        raise InputError("frame_times", f"duration is {duration} s and rate {rate} Hz", "both must be above 0")
    return np.arange(round(duration * rate) + 1) / rate


_STATIC_DEGREES = {
    "arm_add_r": -25.0,
    "arm_add_l": -25.0,
    "elbow_flex_r": 12.0,
    "elbow_flex_l": 12.0,
    "pro_sup_r": 70.0,
    "pro_sup_l": 70.0,
}


def static_pose(model: OsimModel) -> Array:
    """Return quiet standing on the floor with the arms 25 degrees away from the body, shape (n_q,) [rad | m].

    Raises:
        InputError: the model is not of the Rajagopal family.
    """
    require_walker(model)
    index = movable(model)
    q = model.default_coordinates.numpy().copy()
    for track in gait_tracks(model):
        q[track.coordinate] = 0.0
    for name, degrees in _STATIC_DEGREES.items():
        if name in index:
            q[index[name]] = np.radians(degrees)
    for axis in "xyz":
        q[model.coordinate_names.index(f"pelvis_t{axis}")] = 0.0
    heights = [sole_points(model, q[None], side)[:, :, 1].min() for side in "rl"]
    q[model.coordinate_names.index("pelvis_ty")] = -min(heights)
    return complete(model, q[None])[0]


def complete(model: OsimModel, q: Array) -> Array:
    """Return the coordinates kept to their ranges, with locked and dependent ones filled in, (T, n_q)."""
    low, high = model.tree.ranges.T
    kept = np.where(model.tree.clamped, np.clip(q, low, high), q)
    return model(torch.from_numpy(np.ascontiguousarray(kept))).coordinates.detach().numpy().copy()
