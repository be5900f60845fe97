"""Gravity-up for results in the axes of a camera: where the vertical is, taken from the user or from the motion.

A camera sees x to the right, y down and z away from itself. `turn_upright` sets `BodySequence.to_ground` so that the
vertical becomes Y; heading is kept as the camera sees it. The camera is taken to stand still.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from scipy.spatial.transform import Rotation

from ..errors import InputError
from .types import LEVEL_CAMERA, BodySequence

Upright = Literal["level", "body", "feet"] | tuple[float, float]

_LEVEL_UP = np.array([0.0, -1.0, 0.0])
# Joints of the SMPL family (the same in SMPL, SMPL-H and SMPL-X): root, hips, spine 1-3, knees, ankles.
_ROOT, _HIPS, _SPINE, _KNEES, _ANKLES = 0, (1, 2), (3, 6, 9), (4, 5), (7, 8)
# A person is on the feet where the chest, and thighs and shanks, lie within these angles of the pelvis [degrees].
# Chosen on 127 CMU takes (23 walks): the vertical is off by 2.1 degrees (median), 5.5 (90th percentile), walks 4.9 at
# most. A narrower limit for the legs leaves few frames of a walk; the trunk alone leans forward by 4.
_MOST_LEAN, _MOST_BEND = 25.0, 75.0
# A sole is on the ground where the foot turns slower than this [degrees/s] and lies within this angle of the pelvis
# and of the leg's line [degrees]. On the same takes: 3.7 degrees (median), 6.9 (90th percentile).
_STILL_FOOT, _MOST_TILTED_SOLE = 30.0, 30.0
_FEWEST_FRAMES, _SMALLEST_SHARE = 5, 0.1
# Soles further than this from the body's own vertical are no ground (a dancer on the toes, feet in the air) [degrees].
_MOST_APART = 20.0
# A standing mesh is this many times longer than wide (ratio of standard deviations along its principal axes).
_SLENDER = 2.0


def turn_upright(sequence: BodySequence, upright: Upright = "level") -> BodySequence:
    """Return the sequence, given in camera axes, with the vertical found and written down in its assumptions.

    Args:
        sequence: in camera axes: x right, y down, z away from the camera.
        upright: ``"level"``: the camera is held level. ``"body"``: the mean direction of trunk and legs over the
            frames in which the person stands is vertical. ``"feet"``: the soles are level while the feet rest.
            ``(pitch, roll)`` [degrees]: pitch above 0 where the camera looks down, roll above 0 where it is turned
            clockwise as seen from behind it.

    Raises:
        InputError: an unknown way, or no frame in which the person stands (or rests a foot).
    """
    up, how = _vertical(sequence, upright)
    tilt = np.degrees(np.arccos(np.clip(up @ _LEVEL_UP, -1.0, 1.0)))
    note = f"The vertical is taken from {how}; the camera is tilted by {tilt:.1f} degrees against it."
    if upright == "level":
        note = "The camera is taken to be held level: its y axis points straight down."
    return replace(sequence, to_ground=ground_from_up(up), assumptions=(*sequence.assumptions, note))


def ground_from_up(up: np.ndarray) -> np.ndarray:
    """Return the rotation (3, 3) from camera axes to ground axes (Y up) for the direction ``up`` (3,) in the camera.

    It is the smallest turn that brings ``up`` upright, followed by that of a level camera.
    """
    turn, _ = Rotation.align_vectors(_LEVEL_UP[None], up[None])
    return LEVEL_CAMERA @ turn.as_matrix()


def up_from_angles(pitch: float, roll: float) -> np.ndarray:
    """Return the upward direction (3,) in camera axes for a camera that looks down by ``pitch``, turned by ``roll``.

    Args:
        pitch: above 0 where the camera looks down [degrees].
        roll: above 0 where the camera is turned clockwise as seen from behind [degrees].
    """
    p, r = np.radians(pitch), np.radians(roll)
    return np.array([-np.sin(r) * np.cos(p), -np.cos(r) * np.cos(p), -np.sin(p)])


def _vertical(sequence: BodySequence, upright: Upright) -> tuple[np.ndarray, str]:
    if upright == "level":
        return _LEVEL_UP, "a level camera"
    if upright == "body":
        has_joints = sequence.rotations.shape[1] > max(_SPINE)
        candidates = _standing_joints(sequence) if has_joints else _standing_mesh(sequence)
        what = f"the body over {len(candidates)} standing frames"
    elif upright == "feet":
        candidates = _resting_soles(sequence)
        what = f"the soles in {len(candidates)} moments of rest"
    else:
        return _given_angles(sequence, upright)
    n_seen = int(_seen(sequence).sum())
    fewest = _FEWEST_FRAMES if upright == "feet" else max(_FEWEST_FRAMES, _SMALLEST_SHARE * n_seen)
    if len(candidates) < min(fewest, n_seen):
        problem = (
            f"the person {'rests no foot' if upright == 'feet' else 'never stands'} long enough to find the vertical"
        )
        raise InputError(_where(sequence), problem, "give upright='level' or the camera's (pitch, roll) in degrees")
    up = _middle_direction(candidates)
    if upright == "feet":
        _check_against_body(sequence, up)
    return up, what


def _check_against_body(sequence: BodySequence, up: np.ndarray) -> None:
    standing = _standing_joints(sequence)
    if len(standing) < _FEWEST_FRAMES:
        return
    apart = float(_angle(up, _middle_direction(standing)))
    if apart > _MOST_APART:
        problem = f"the soles and the body show verticals that are {apart:.0f} degrees apart"
        raise InputError(_where(sequence), problem, "give upright='body', 'level' or the camera's (pitch, roll)")


def _given_angles(sequence: BodySequence, upright: object) -> tuple[np.ndarray, str]:
    try:
        pitch, roll = (float(angle) for angle in upright)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        pitch = roll = float("nan")
    if not (abs(pitch) <= 90 and abs(roll) <= 180):
        remedy = "level, body, feet or (pitch, roll) in degrees, pitch within 90 and roll within 180"
        raise InputError(_where(sequence), f"upright is {upright!r}", remedy)
    return up_from_angles(pitch, roll), f"the given pitch {pitch:g} and roll {roll:g} degrees"


def _standing_joints(sequence: BodySequence) -> np.ndarray:
    """Directions (N, 3), one per standing frame: the mean of pelvis, chest and both thighs and shanks."""
    turned = sequence.rotations[_seen(sequence)]
    pelvis = turned[:, _ROOT]
    chest = pelvis @ turned[:, _SPINE[0]] @ turned[:, _SPINE[1]] @ turned[:, _SPINE[2]]
    thighs = [pelvis @ turned[:, hip] for hip in _HIPS]
    shanks = [thigh @ turned[:, knee] for thigh, knee in zip(thighs, _KNEES)]
    # At rest every segment's Y points up, so the second column is where up went.
    pelvis_up, chest_up = pelvis[:, :, 1], chest[:, :, 1]
    legs = [segment[:, :, 1] for segment in (*thighs, *shanks)]
    standing = _angle(pelvis_up, chest_up) < _MOST_LEAN
    for leg in legs:
        standing &= _angle(pelvis_up, leg) < _MOST_BEND
    mean = pelvis_up + chest_up + np.sum(legs, axis=0)
    return _unit(mean[standing])


def _standing_mesh(sequence: BodySequence) -> np.ndarray:
    """Directions (N, 3) of the longest axis of the mesh in the frames in which it is slender, upwards."""
    if sequence.vertices is None:
        raise InputError(_where(sequence), "has neither joint rotations nor a mesh", "give the camera's (pitch, roll)")
    points = sequence.vertices[_seen(sequence)].astype(np.float64)
    points = points - points.mean(axis=1, keepdims=True)
    spread, axes = np.linalg.eigh(np.swapaxes(points, 1, 2) @ points)
    long = axes[:, :, 2] * np.where(axes[:, 1, 2] < 0, 1.0, -1.0)[:, None]
    return long[spread[:, 2] > _SLENDER**2 * spread[:, 1]]


def _resting_soles(sequence: BodySequence) -> np.ndarray:
    """Directions (N, 3) of the soles' up while a foot does not turn: of both feet, one after the other."""
    if sequence.rotations.shape[1] <= max(_ANKLES):
        remedy = "use upright='body', 'level' or (pitch, roll)"
        raise InputError(_where(sequence), "has no joint rotations to find the soles from", remedy)
    seen = _seen(sequence)
    found = []
    for hip, knee, ankle in zip(_HIPS, _KNEES, _ANKLES):
        r = sequence.rotations
        thigh = r[:, _ROOT] @ r[:, hip]
        shank = thigh @ r[:, knee]
        foot = shank @ r[:, ankle]
        steps = Rotation.from_matrix(np.swapaxes(foot[:-1], 1, 2) @ foot[1:]).magnitude()
        speed = np.degrees(steps) / np.diff(sequence.time)
        still = np.concatenate([speed < _STILL_FOOT, [False]]) & seen
        leg = _unit(thigh[:, :, 1] + shank[:, :, 1])
        for nearby in (leg, r[:, _ROOT, :, 1]):
            still &= _angle(foot[:, :, 1], nearby) < _MOST_TILTED_SOLE
        found.append(foot[still, :, 1])
    return _unit(np.concatenate(found))


def _middle_direction(directions: np.ndarray, rounds: int = 30) -> np.ndarray:
    """Return the direction (3,) with the least sum of distances to all (the spatial median): outliers count little."""
    middle = _unit(np.median(directions, axis=0))
    for _ in range(rounds):
        distance = np.linalg.norm(directions - middle, axis=1)
        middle = _unit((directions / np.maximum(distance, 1e-6)[:, None]).sum(axis=0))
    return middle


def _angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.degrees(np.arccos(np.clip((a * b).sum(axis=-1), -1.0, 1.0)))


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def _seen(sequence: BodySequence) -> np.ndarray:
    return np.ones(len(sequence.time), dtype=bool) if sequence.seen is None else sequence.seen


def _where(sequence: BodySequence) -> str:
    return str(sequence.source) if sequence.source is not None else f"sequence '{sequence.name}'"
