"""From the axes of a laboratory to the ground frame: X forward, Y up, Z right."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ..errors import InputError

UpAxis = Literal["x", "y", "z", "auto"]

# Rows are X, Y, Z of the ground frame in laboratory axes; all are proper rotations.
_Y_FROM_UP = {
    "x": np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]),  # cyclic: laboratory Z becomes X, X becomes Y
    "y": np.eye(3),
    "z": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),  # a quarter turn about X, as OpenSim users do
}


def ground_from_up(up: Literal["x", "y", "z"]) -> np.ndarray:
    """Return the rotation (3, 3) that turns a laboratory whose axis ``up`` points up into Y up.

    Raises:
        InputError: ``up`` is not x, y or z.
    """
    if up not in _Y_FROM_UP:
        raise InputError("up axis", f"is {up!r}", "give 'x', 'y', 'z' or 'auto'")
    return _Y_FROM_UP[up].copy()


def ground_from_screen(x_screen: str, y_screen: str) -> np.ndarray | None:
    """Return the rotation (3, 3) that turns X_SCREEN into X and Y_SCREEN into Y; None if they name no axes.

    Args:
        x_screen: laboratory axis that points right on the screen, e.g. ``"+Y"``.
        y_screen: laboratory axis that points up on the screen, e.g. ``"+Z"``.
    """
    right, up = _axis(x_screen), _axis(y_screen)
    if right is None or up is None or right @ up != 0:
        return None
    return np.stack([right, up, np.cross(right, up)])


def _axis(word: str) -> np.ndarray | None:
    word = word.strip().upper()
    letter = word.lstrip("+-")
    if letter not in ("X", "Y", "Z") or len(word) - len(letter) > 1:
        return None
    return np.eye(3)["XYZ".index(letter)] * (-1.0 if word.startswith("-") else 1.0)
