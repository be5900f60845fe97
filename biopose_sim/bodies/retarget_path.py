"""The root's path along the floor: made so that standing feet stand still.

A skeleton on which a motion was put by another tool walks with legs that are not the actor's: the path is then too long
or too short for them (4 to 8 % too long in the CMU takes by cgspeed) and the feet slide.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from .retarget_rig import SUFFIX, Rig, bone_heads, sole_points

Array = NDArray[np.floating]
_SHARES = np.arange(0.84, 1.161, 0.02)
# A part of the foot counts as standing by exp(-(speed / this)^2) [m/s].
_STANDING = 0.12
# A foot that slides at this speed counts for a third [m/s]; the change of velocity is smoothed by a Gaussian of this
# standard deviation [s].
_SLIDING, _SMOOTH = 0.25, 0.03
# Without so much travel [m], or when the gain in standing is smaller, the path is left as it is.
_LEAST_TRAVEL, _LEAST_GAIN = 1.5, 1.03


def path_share(rig: Rig, rotations: Array, root: Array, rate: float) -> float:
    """Return the factor of the root's horizontal path (T, 3) with which heels and balls stand still most.

    Args:
        rig: the body.
        rotations: (T, B, 3, 3).
        root: (T, 3) [m], Z up.
        rate: frames per second [Hz].
    """
    if len(root) < 3 or np.linalg.norm(np.ptp(root[:, :2], axis=0)) < _LEAST_TRAVEL:
        return 1.0
    heads = bone_heads(rig, rotations, root)
    speeds = []
    for side in SUFFIX:
        sole, points = rig.soles[side], sole_points(rig, side, rotations, heads)
        speeds += [_velocity(points[:, part].mean(axis=1), rate) for part in (sole.heel, sole.ball)]
    moving = _velocity(root, rate) * np.array([1.0, 1, 0])
    scores = np.array([_standing(speeds, (share - 1) * moving) for share in _SHARES])
    level = scores[np.abs(_SHARES - 1).argmin()]
    return float(_SHARES[scores.argmax()]) if scores.max() > _LEAST_GAIN * level else 1.0


def still_feet(rig: Rig, rotations: Array, root: Array, rate: float, rounds: int = 2) -> Array:
    """Return the root's path (T, 3) [m] moved along the floor so that standing feet slide less.

    What the slower of heel and ball slides while it stands is taken from the velocity of the whole body; a foot
    counts the more the slower it is. Heights and rotations stay.
    """
    if len(root) < 3:
        return root
    for _ in range(rounds):
        heads = bone_heads(rig, rotations, root)
        slide, weight = np.zeros((len(root), 2)), np.zeros(len(root))
        for side in SUFFIX:
            sole, points = rig.soles[side], sole_points(rig, side, rotations, heads)
            parts = [_velocity(points[:, part].mean(axis=1), rate) for part in (sole.heel, sole.ball)]
            sizes = [np.linalg.norm(part, axis=1) for part in parts]
            slower = np.where((sizes[0] < sizes[1])[:, None], parts[0], parts[1])
            share = np.exp(-((np.minimum(*sizes) / _SLIDING) ** 2))
            slide += share[:, None] * slower[:, :2]
            weight += share
        slide /= np.maximum(weight, 1)[:, None]
        slide = gaussian_filter1d(slide, _SMOOTH * rate, axis=0, mode="nearest")
        shift = np.cumsum(slide, axis=0) / rate
        root = root - np.concatenate([shift - shift[:1], np.zeros((len(root), 1))], axis=1)
    return root


def _velocity(path: Array, rate: float) -> Array:
    return np.gradient(gaussian_filter1d(path, 0.02 * rate, axis=0, mode="nearest"), axis=0) * rate


def _standing(velocities: list[Array], change: Array) -> float:
    return float(sum(np.exp(-(((v + change) / _STANDING) ** 2).sum(axis=1)).sum() for v in velocities))
