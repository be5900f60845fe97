"""Feet on the floor: standing feet found, toes bent at push-off, ankles brought where the soles touch.

All in Anny's axes (Z up), the floor at z = 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d
from scipy.spatial.transform import Rotation

from .retarget_rig import SUFFIX, Rig, arc, bone_heads, sole_points, unit
from .retarget_source import FORWARD, LATERAL

Array = NDArray[np.floating]
Bools = NDArray[np.bool_]
# A foot stands while its heel or its ball moves slower than this [m/s].
STANDING_SPEED = 0.35
# Above the floor by more than this [m], it stands on something else; below it, the recording is wrong there.
NEAR_FLOOR = 0.05
# Toes bend at most so far [rad]; fully while the ball is below the first height, not at all above the second [m].
_MOST_BENT = np.radians(60.0)
_BEND_BELOW, _NO_BEND_ABOVE = 0.03, 0.12
# Corrections change smoothly: standard deviation of the Gaussian [s].
_SMOOTH = 0.03
# A leg is not stretched further than this share of its length.
_STRETCHED = 0.9995
# The body is lowered by no more than this, for feet out of reach [m].
_MOST_DROP = 0.03


@dataclass(frozen=True, eq=False)
class Stance:
    """One foot over time.

    Attributes:
        lowest: (T,) height of the lowest point of the sole [m].
        speed: (T,) speed of the slower of heel and ball [m/s].
        place: (T, 3) the slower of heel and ball, at the height of the lowest point [m].
        standing: (T,) whether the foot stands, on the floor or on something else.
    """

    lowest: Array
    speed: Array
    place: Array
    standing: Bools

    @property
    def on_floor(self) -> Bools:
        """(T,) whether the foot stands on the floor."""
        return self.standing & (np.abs(self.lowest) < NEAR_FLOOR)


def stance_of(rig: Rig, side: str, rotations: Array, heads: Array, rate: float, *, toes: bool = True) -> Stance:
    """Find when a foot stands.

    Args:
        rig: the body.
        side: ``"left"`` or ``"right"``.
        rotations: (T, B, 3, 3).
        heads: (T, B, 3) [m].
        rate: frames per second [Hz].
        toes: whether toes count for the lowest point; without, heel and ball only.
    """
    sole = rig.soles[side]
    points = sole_points(rig, side, rotations, heads)
    heel, ball = points[:, sole.heel].mean(axis=1), points[:, sole.ball].mean(axis=1)
    speeds = np.stack([_speed(heel, rate), _speed(ball, rate)])
    lowest = points[..., 2].min(axis=1) if toes else points[:, sole.heel | sole.ball, 2].min(axis=1)
    slower = np.where((speeds[0] < speeds[1])[:, None], heel, ball)
    place = np.concatenate([slower[:, :2], lowest[:, None]], axis=1)
    speed = speeds.min(axis=0)
    return Stance(lowest, speed, place, speed < STANDING_SPEED)


def _speed(path: Array, rate: float) -> Array:
    """Speed (T,) of a smoothed path (T, 3)."""
    if len(path) < 2:
        return np.zeros(len(path))
    smooth = gaussian_filter1d(path, 0.02 * rate, axis=0, mode="nearest")
    return np.linalg.norm(np.gradient(smooth, axis=0), axis=1) * rate


def runs(flags: Bools) -> NDArray[np.int64]:
    """Number the runs of true, (T,); -1 elsewhere."""
    starts = flags & ~np.concatenate([[False], flags[:-1]])
    return np.where(flags, np.cumsum(starts) - 1, -1)


def bend_toes(rig: Rig, side: str, rotations: Array, heads: Array) -> None:
    """Turn the toes up where the heel is, near the floor, so that they lie on it; changes ``rotations``."""
    suffix, sole = SUFFIX[side], rig.soles[side]
    foot = rotations[:, rig.index(f"foot{suffix}")]
    pitch = np.arcsin(np.clip(-(foot @ FORWARD)[:, 2], -1, 1))
    ball = sole_points(rig, side, rotations, heads)[:, sole.ball, 2].min(axis=1)
    nearness = np.clip((_NO_BEND_ABOVE - ball) / (_NO_BEND_ABOVE - _BEND_BELOW), 0, 1)
    angle = np.clip(pitch, 0, _MOST_BENT) * nearness**2 * (3 - 2 * nearness)
    # A turn about the body's left by a negative angle takes the forward-pointing toes up.
    bent = foot @ Rotation.from_rotvec(-angle[:, None] * LATERAL).as_matrix()
    for bone in sole.bones[1:]:
        rotations[:, bone] = bent


def move_ankle(rig: Rig, side: str, rotations: Array, heads: Array, target: Array) -> None:
    """Bring the ankle's head to ``target`` (T, 3) by hip and knee, the foot keeping its turn; changes ``rotations``.

    The knee stays in the plane it is in. Where the target is out of reach, the leg points at it.
    """
    suffix = SUFFIX[side]
    thigh = [rig.index(f"{name}{suffix}") for name in ("upperleg01", "upperleg02")]
    shin = [rig.index(f"{name}{suffix}") for name in ("lowerleg01", "lowerleg02")]
    hip, knee, ankle = heads[:, thigh[0]], heads[:, shin[0]], heads[:, rig.index(f"foot{suffix}")]
    upper, lower = np.linalg.norm(knee - hip, axis=1), np.linalg.norm(ankle - knee, axis=1)
    old, new = unit(ankle - hip), unit(target - hip)
    reach = np.clip(np.linalg.norm(target - hip, axis=1), np.abs(upper - lower) + 1e-3, _STRETCHED * (upper + lower))
    swung = arc(ankle - hip, target - hip)
    bend = knee - hip - np.einsum("ti,ti->t", knee - hip, old)[:, None] * old
    # A straight knee has no plane: its flexion axis then says where it would bend.
    bend = bend + 0.005 * unit(np.cross(old, rotations[:, thigh[1]] @ LATERAL))
    outward = unit(np.einsum("tij,tj->ti", swung, bend))
    outward = unit(outward - np.einsum("ti,ti->t", outward, new)[:, None] * new)
    along = (upper**2 + reach**2 - lower**2) / (2 * reach)
    off = np.sqrt(np.maximum(upper**2 - along**2, 0))
    knee_new = hip + along[:, None] * new + off[:, None] * outward
    ankle_new = hip + reach[:, None] * new
    turn = arc(knee - hip, knee_new - hip)[:, None]
    rotations[:, thigh] = turn @ rotations[:, thigh]
    turn = arc(ankle - knee, ankle_new - knee_new)[:, None]
    rotations[:, shin] = turn @ rotations[:, shin]


def plant(rig: Rig, rotations: Array, root: Array, rate: float) -> None:
    """Let standing feet touch the floor and no foot sink below it; changes ``rotations`` and ``root``.

    Where a foot cannot reach the floor with its leg straight, the body is lowered a little.
    """
    heads = bone_heads(rig, rotations, root)
    targets = {}
    drop = np.zeros(len(root))
    for side, suffix in SUFFIX.items():
        bend_toes(rig, side, rotations, heads)
        stance = stance_of(rig, side, rotations, heads, rate)
        target = heads[:, rig.index(f"foot{suffix}")] + _lift(stance, rate)[:, None] * np.array([0.0, 0, 1])
        drop = np.maximum(drop, np.where(stance.on_floor, _out_of_reach(rig, suffix, heads, target), 0))
        targets[side] = target
    width = int(0.1 * rate) | 1
    drop = gaussian_filter1d(maximum_filter1d(np.minimum(drop, _MOST_DROP), width), 0.05 * rate, mode="nearest")
    root[:, 2] -= drop
    heads[..., 2] -= drop[:, None]
    for side, target in targets.items():
        move_ankle(rig, side, rotations, heads, target)


def _out_of_reach(rig: Rig, suffix: str, heads: Array, target: Array) -> Array:
    """How much the hip must be lowered so that the leg reaches the target, (T,) [m]."""
    hip, knee, ankle = (heads[:, rig.index(f"{bone}{suffix}")] for bone in ("upperleg01", "lowerleg01", "foot"))
    length = _STRETCHED * (np.linalg.norm(knee - hip, axis=1) + np.linalg.norm(ankle - knee, axis=1))
    away = np.linalg.norm((target - hip)[:, :2], axis=1)
    return np.maximum(hip[:, 2] - target[:, 2] - np.sqrt(np.maximum(length**2 - away**2, 0)), 0)


def _lift(stance: Stance, rate: float) -> Array:
    """How much higher the foot should be, (T,) [m]."""
    frames = np.arange(len(stance.lowest))
    touching = stance.on_floor
    wanted = -stance.lowest
    between = np.interp(frames, frames[touching], wanted[touching]) if touching.any() else np.zeros(len(frames))
    # Far from a stance in time, the recorded height is as good as any.
    gap = np.abs(frames - _nearest(frames, touching)) / rate
    between = between * np.clip(1.5 - gap / 0.5, 0, 1)
    if (stance.standing & ~touching).any():
        elsewhere = stance.standing & (stance.lowest >= NEAR_FLOOR)
        between = between * (1 - gaussian_filter1d(elsewhere.astype(float), _SMOOTH * rate * 2, mode="nearest"))
    lift = np.maximum(between, np.minimum(wanted, 2 * NEAR_FLOOR))
    smooth = gaussian_filter1d(lift, _SMOOTH * rate, mode="nearest")
    return np.maximum(smooth, np.minimum(wanted, 2 * NEAR_FLOOR))


def _nearest(frames: NDArray[np.int64], flags: Bools) -> Array:
    """For each frame the nearest flagged one; far away if there is none."""
    flagged = frames[flags]
    if not len(flagged):
        return np.full(len(frames), 1e9)
    after = np.searchsorted(flagged, frames).clip(0, len(flagged) - 1)
    before = (after - 1).clip(0)
    nearer = np.abs(flagged[before] - frames) < np.abs(flagged[after] - frames)
    return np.where(nearer, flagged[before], flagged[after]).astype(float)
