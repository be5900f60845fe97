"""Random cameras for images of one person, and the square that a detector would cut out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# Pictures that people take (width, height) [pixel].
_PICTURES = ((1280, 720), (720, 1280), (640, 480), (480, 640), (1000, 1000), (960, 720))
# Angle across the longer side, tilt (down is negative) and roll [degrees].
VIEW_ANGLE, PITCH, ROLL = (25.0, 70.0), (-30.0, 20.0), (-10.0, 10.0)
# No camera is nearer to the middle of the body [m].
_NEAREST = 1.6
# Columns of a square crop that the encoder sees; `mqhmr.crops` makes boxes so too.
_SEEN = 192 / 256
# Camera looks along +y of Anny's axes: right, down, forward.
_FACING = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])


@dataclass(frozen=True, eq=False)
class RandomView:
    """A camera about a person.

    Attributes:
        rotation: (3, 3) from Anny's axes to the camera's: right, down, forward.
        focal: [pixel of the full picture].
        picture: width and height [pixel]; the axis meets its middle.
        place: (3,) where the root of the body is, in the camera's axes [m].
    """

    rotation: Array
    focal: float
    picture: tuple[int, int]
    place: Array


def random_view(random: np.random.Generator, stature: float) -> RandomView:
    """Draw a camera for a person of this stature [m]: seen from any side."""
    width, height = _PICTURES[random.integers(len(_PICTURES))]
    focal = 0.5 * max(width, height) / np.tan(0.5 * np.radians(random.uniform(*VIEW_ANGLE)))
    distance = max(_NEAREST, focal * stature / (random.uniform(0.35, 0.95) * height))
    # Cameras that look up stand above the ground all the same.
    highest = min(np.radians(PITCH[1]), np.arcsin(min(1.0, 0.4 * stature / distance)))
    pitch = random.uniform(np.radians(PITCH[0]), highest)
    yaw, roll = random.uniform(-np.pi, np.pi), np.radians(random.uniform(*ROLL))
    rotation = _about(2, roll) @ _about(0, -pitch) @ _FACING @ _about(2, yaw)
    pixel = np.array([width, height]) * random.uniform(0.3, 0.7, 2)
    across, down = (pixel - (0.5 * width, 0.5 * height)) / focal
    return RandomView(rotation, float(focal), (width, height), distance * np.array([across, down, 1.0]))


def random_box(random: np.random.Generator, low: Array, high: Array) -> Array:
    """Draw the square (3,) about a person: middle across and down, side [pixel].

    Args:
        random: jitters it; now and then so much that a part of the person is cut off.
        low: (2,) upper left corner of what the person covers [pixel].
        high: (2,) lower right corner.
    """
    middle, (width, height) = 0.5 * (low + high), high - low
    side = float(max(height, width / _SEEN))
    if random.random() < 0.15:
        factor, shift = random.uniform(0.55, 0.9), random.uniform(-0.25, 0.25, 2)
    else:
        factor, shift = random.uniform(1.0, 1.35), random.uniform(-0.07, 0.07, 2)
    return np.array([*(middle + shift * side), factor * side])


def _about(axis: int, angle: float) -> Array:
    """(3, 3) rotation about a coordinate axis."""
    cosine, sine = np.cos(angle), np.sin(angle)
    first, second = (axis + 1) % 3, (axis + 2) % 3
    turn = np.eye(3)
    turn[first, first] = turn[second, second] = cosine
    turn[first, second], turn[second, first] = -sine, sine
    return turn
