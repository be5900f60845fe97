"""Angles as gait laboratories report them, by leg, from the coordinates of a model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from biopose_sim.gait.feet import FeetInMotion, complete_coordinates
from biopose_sim.io import MotionLike
from biopose_sim.kinematics.model import OsimModel

Array = NDArray[np.float64]

# In OpenSim's zero the plane of ASIS and PSIS, which pelvic tilt is measured by, leans so far forward: markers of
# Rajagopal2016 (Rajagopal et al. 2016, IEEE TBME 63:2068).
PELVIS_LEANS = float(np.radians(5.9))
_BLOCK = 4096
_PROBE = 0.1  # [rad]


@dataclass(frozen=True)
class Angle:
    """An angle that is compared with others'.

    Attributes:
        name: e.g. ``"knee_flexion"``.
        label: for people.
        directions: what falling and rising values mean, e.g. ``("extension", "flexion")``.
    """

    name: str
    label: str
    directions: tuple[str, str]


ANGLES = (
    Angle("pelvis_tilt", "Pelvic tilt", ("posterior", "anterior")),
    Angle("pelvis_obliquity", "Pelvic obliquity", ("down", "up")),
    Angle("pelvis_rotation", "Pelvic rotation", ("backward", "forward")),
    Angle("hip_flexion", "Hip flexion", ("extension", "flexion")),
    Angle("hip_adduction", "Hip adduction", ("abduction", "adduction")),
    Angle("hip_rotation", "Hip rotation", ("external", "internal")),
    Angle("knee_flexion", "Knee flexion", ("extension", "flexion")),
    Angle("ankle_dorsiflexion", "Ankle dorsiflexion", ("plantar", "dorsal")),
    Angle("foot_progression", "Foot progression", ("toes out", "toes in")),
)
# Angle -> coordinate, the point whose motion shows the sign, and where a positive angle moves it (right leg).
_JOINTS = {
    "hip_flexion": ("hip_flexion", "calcn", (1.0, 0.0, 0.0)),
    "hip_adduction": ("hip_adduction", "calcn", (0.0, 0.0, -1.0)),
    "hip_rotation": ("hip_rotation", "toe", (0.0, 0.0, -1.0)),
    "knee_flexion": ("knee_angle", "calcn", (-1.0, 0.0, 0.0)),
    "ankle_dorsiflexion": ("ankle_angle", "toe", (0.0, 1.0, 0.0)),
}
_TOE = (0.2, 0.0, 0.0)  # [m] before the heel
_STEEP = 0.5  # cosine of a foot's slope beyond which its direction has no meaning
_STILL = 0.1  # [deg]


def gait_angles(model: OsimModel, motion: MotionLike, feet: FeetInMotion) -> dict[str, dict[str, Array]]:
    """Return the angles of both legs over the frames of a motion, by name and side, (T,) each [deg].

    Pelvis and foot are turned against the way that the body walks; the pelvis by rotation, obliquity, tilt in this
    order (Baker 2001, Hum Mov Sci 20:787). Other angles are coordinates of the model, their signs as in
    :data:`ANGLES` whatever the model's are. Pelvic tilt and hip flexion are measured from the plane of ASIS and PSIS.
    Angles that the model does not have, or holds still, are left out; a foot that is steep points nowhere (NaN).

    Args:
        model: scaled model.
        motion: its coordinates.
        feet: of :func:`~biopose_sim.gait.feet.feet_in_motion`, for the way.
    """
    q = complete_coordinates(model, motion)
    time = np.asarray(motion.time, dtype=float)
    way = np.stack([np.interp(time, feet.time, column) for column in feet.way.T], axis=1)
    heading = np.unwrap(np.arctan2(-way[:, 2], way[:, 0]))
    pelvis, pointing = _orientations(model, q)
    angles = _pelvis_angles(pelvis, heading) if pelvis is not None else {}
    for name, (stem, point, direction) in _JOINTS.items():
        by_side = {}
        for side in "rl":
            coordinate = f"{stem}_{side}"
            if coordinate in model.coordinate_names:
                sign = _sign(model, coordinate, point, direction)
                by_side[side] = np.degrees(sign * q[:, model.coordinate_names.index(coordinate)])
                by_side[side] += np.degrees(PELVIS_LEANS) if name == "hip_flexion" else 0.0
        if len(by_side) == 2:
            angles[name] = by_side
    angles["foot_progression"] = {
        side: (1.0 if side == "r" else -1.0) * np.degrees(_wrapped(pointing[side] - heading)) for side in "rl"
    }
    return {name: by_side for name, by_side in angles.items() if _moves(by_side)}


def _moves(by_side: dict[str, Array]) -> bool:
    """Whether a planar model does not hold the angle still."""
    return any(np.nanmax(values) - np.nanmin(values) > _STILL for values in by_side.values() if len(values))


def _orientations(model: OsimModel, q: Array) -> tuple[Array | None, dict[str, Array]]:
    """Rotations of the pelvis (T, 3, 3), and where the feet point to about the vertical (T,) [rad]."""
    root = model.body_names.index("pelvis") if "pelvis" in model.body_names else None
    pelvis: list[Array] = []
    pointing: dict[str, list[Array]] = {side: [] for side in "rl"}
    for start in range(0, len(q), _BLOCK):
        with torch.no_grad():
            transforms = model(torch.from_numpy(q[start : start + _BLOCK])).transforms.numpy()
        if root is not None:
            pelvis.append(transforms[:, root, :3, :3])
        for side, found in pointing.items():
            forward = transforms[:, model.body_names.index(f"calcn_{side}"), :3, 0]
            flat = np.hypot(forward[:, 0], forward[:, 2]) > _STEEP
            found.append(np.where(flat, np.arctan2(-forward[:, 2], forward[:, 0]), np.nan))
    return (np.concatenate(pelvis) if pelvis else None), {side: np.concatenate(a) for side, a in pointing.items()}


def _pelvis_angles(pelvis: Array, heading: Array) -> dict[str, dict[str, Array]]:
    """Tilt, obliquity and rotation of both sides [deg] from R = Ry(rotation) Rx(list) Rz(tilt) after the heading."""
    c, s = np.cos(heading), np.sin(heading)
    zero, one = np.zeros_like(c), np.ones_like(c)
    back = np.stack([np.stack(row, -1) for row in ((c, zero, -s), (zero, one, zero), (s, zero, c))], axis=-2)
    r = back @ pelvis
    lean = np.degrees(np.arcsin(np.clip(-r[:, 1, 2], -1.0, 1.0)))  # about the way ahead: right side down
    turn = np.degrees(np.arctan2(r[:, 0, 2], r[:, 2, 2]))  # about the vertical: right side forward
    tilt = np.degrees(np.arctan2(r[:, 1, 0], r[:, 1, 1]))  # about the axis to the right: posterior
    anterior = np.degrees(PELVIS_LEANS) - tilt
    return {
        "pelvis_tilt": {"r": anterior, "l": anterior.copy()},
        "pelvis_obliquity": {"r": -lean, "l": lean},
        "pelvis_rotation": {"r": turn, "l": -turn},
    }


def _sign(model: OsimModel, coordinate: str, point: str, direction: tuple[float, float, float]) -> float:
    """+1 or -1: whether a rising coordinate moves the foot as a rising angle does, all joints at zero."""
    side = coordinate[-1]
    q = torch.zeros_like(model.default_coordinates).repeat(2, 1)
    q[1, model.coordinate_names.index(coordinate)] = _PROBE
    with torch.no_grad():
        foot = model(q).transforms[:, model.body_names.index(f"calcn_{side}")].numpy()
    places = foot[:, :3, 3] + (foot[:, :3, :3] @ np.array(_TOE) if point == "toe" else 0.0)
    across = 1.0 if side == "r" else -1.0
    return 1.0 if float((places[1] - places[0]) @ (np.array(direction) * [1.0, 1.0, across])) >= 0.0 else -1.0


def _wrapped(angle: Array) -> Array:
    return (angle + np.pi) % (2.0 * np.pi) - np.pi
