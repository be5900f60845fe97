"""Ranges that a written model needs so that OpenSim takes a motion as it is."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from biopose_sim.osim.schema import GROUND, Coordinate, Model

if TYPE_CHECKING:
    from biopose_sim.io.motion import MotionLike
    from biopose_sim.kinematics.model import OsimModel

Ranges = dict[str, tuple[float, float]]
_HALF_TURN = math.pi
_EXACT = 1e-9  # [rad]; nearer to a limit counts as at it


def widened_ranges(model: OsimModel, motions: Iterable[MotionLike]) -> Ranges:
    """Ranges of a floating root's rotations that cover motions which leave those of the model.

    A person may face anywhere, but some models clamp it (Rajagopal2016 clamps ``pelvis_rotation`` to +-90 deg),
    and OpenSim cuts a motion to the ranges that are clamped.

    Args:
        model: whose ranges count; other coordinates and those that are not clamped are left alone.
        motions: of this model.

    Returns:
        For each coordinate that a motion takes out of its range the wider one [rad]: a half turn to both sides,
        or as many half turns as the motion needs.
    """
    limits = {c.name: c.range for c in floating_rotations(model.model) if c.clamped}
    found: Ranges = {}
    for motion in motions:
        for name in limits.keys() & set(motion.coordinate_names):
            column = np.asarray(motion.coordinates)[:, motion.coordinate_names.index(name)]
            values = column[np.isfinite(column)]
            low, high = found.get(name, limits[name])
            if values.size and (values.min() < low - _EXACT or values.max() > high + _EXACT):
                found[name] = (
                    min(low, -_half_turns(-float(values.min()))),
                    max(high, _half_turns(float(values.max()))),
                )
    return {name: found[name] for name in model.coordinate_names if name in found}


def range_notices(model: OsimModel, motions: Iterable[MotionLike]) -> list[str]:
    """One line for each range that ``export_osim`` widens for these motions."""
    old = {c.name: np.degrees(c.range) for c in model.model.coordinates}
    return [
        f"the written model clamps {name} to {np.degrees(low):g} .. {np.degrees(high):g} deg, "
        f"not to {old[name][0]:g} .. {old[name][1]:g}, since the motion leaves that"
        for name, (low, high) in widened_ranges(model, motions).items()
    ]


def floating_rotations(model: Model) -> list[Coordinate]:
    """Rotations of joints on ground that let their body turn and move every way."""
    kinds = {c.name: c.motion_type for c in model.coordinates}
    turning: set[str] = set()
    for joint in model.joints:
        own = [kinds[name] for name in joint.coordinates]
        on_ground = GROUND in (joint.parent.body, joint.child.body)
        if on_ground and own.count("rotational") >= 3 and own.count("translational") >= 3:
            turning.update(name for name in joint.coordinates if kinds[name] == "rotational")
    return [c for c in model.coordinates if c.name in turning]


def _half_turns(angle: float) -> float:
    """The angle [rad] rounded up to half turns, one at least."""
    return _HALF_TURN * max(1, math.ceil((angle - _EXACT) / _HALF_TURN))
