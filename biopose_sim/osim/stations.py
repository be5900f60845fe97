"""Frames that stations (points on a body) define, as OpenSim's StationDefinedFrame does it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from biopose_sim.osim.schema import Frame, Vec3

_PARALLEL = 1e-12  # least sine of the angle between two sides of the triangle
_RIGHT_HANDED = ((0, 1), (1, 2), (2, 0))


def point_in_body(frame: Frame, location: Vec3) -> np.ndarray:
    """A point of a frame in its body's axes, shape (3,) [m]."""
    point = np.array(location)
    for translation, orientation in reversed(frame.offsets):
        point = _matrix(orientation) @ point + translation
    return point


def frame_of_points(points: Sequence[np.ndarray], ab_axis: str, ab_x_ac_axis: str) -> tuple[Vec3, Vec3]:
    """Translation [m] and orientation [rad, body-fixed X-Y-Z] of the frame of four points.

    Args:
        points: a, b, c and the origin in one body's axes, each of shape (3,) [m].
        ab_axis: the frame's axis along b - a, e.g. "+x" or "-z".
        ab_x_ac_axis: the frame's axis along (b - a) x (c - a). What is no axis, or the same as the first, becomes
            the one after it, as in OpenSim.

    Raises:
        ValueError: a, b and c are no triangle.
    """
    a, b, c, origin = points
    sides = [b - a, c - a]
    cross = np.cross(*sides)
    if not np.linalg.norm(cross) > _PARALLEL * np.linalg.norm(sides[0]) * np.linalg.norm(sides[1]):
        raise ValueError
    first, second = sides[0] / np.linalg.norm(sides[0]), cross / np.linalg.norm(cross)
    axis, sign = _axis(ab_axis) or (0, 1.0)
    next_axis, next_sign = _axis(ab_x_ac_axis) or (axis, 1.0)
    if next_axis == axis:
        next_axis, next_sign = (axis + 1) % 3, 1.0
    rotation = np.empty((3, 3))
    rotation[:, axis] = sign * first
    rotation[:, next_axis] = next_sign * second
    last_sign = sign * next_sign * (1.0 if (axis, next_axis) in _RIGHT_HANDED else -1.0)
    rotation[:, 3 - axis - next_axis] = last_sign * np.cross(first, second)
    x, y, z = map(float, origin)
    return (x, y, z), _angles(rotation)


def _axis(text: str) -> tuple[int, float] | None:
    """Index and sign of an axis such as "-x"; None where the text names none."""
    name = text.strip().lower()
    letter = name[1:2] if name[:1] in ("+", "-") else name[:1]
    return ("xyz".index(letter), -1.0 if name[0] == "-" else 1.0) if letter and letter in "xyz" else None


def _matrix(orientation: Vec3) -> np.ndarray:
    """Rotation of body-fixed X-Y-Z angles."""
    from scipy.spatial.transform import Rotation

    return np.asarray(Rotation.from_euler("XYZ", orientation).as_matrix())


def _angles(rotation: np.ndarray) -> Vec3:
    """Body-fixed X-Y-Z angles of a rotation, also where the second is a quarter turn."""
    x = math.atan2(-rotation[1, 2], rotation[2, 2])
    y = math.atan2(rotation[0, 2], math.hypot(rotation[0, 0], rotation[0, 1]))
    row = math.cos(x) * rotation[1] + math.sin(x) * rotation[2]
    return x, y, math.atan2(row[0], row[1])
