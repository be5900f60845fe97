"""Ground reaction from force plates: which foot stood on which, without what an unloaded plate says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from biopose_sim.errors import InputError
from biopose_sim.forces.assignment import LEAST_LOAD, Load, assign_to_feet, check_units
from biopose_sim.forces.types import GroundReaction
from biopose_sim.io import ForcePlate, Motion
from biopose_sim.kinematics.model import OsimModel

Array = NDArray[np.float64]

_FEWEST_IDLE = 0.1  # [s] of an unloaded plate that tell its offset
_LEAST_OFFSET = 0.5  # [N]
_GUARD = 0.05  # [s] around a step that say nothing of the offset


def reaction_from_plates(plates: Sequence[ForcePlate], model: OsimModel, motion: Motion) -> GroundReaction:
    """Give each step on force plates to the foot that made it.

    What a plate shows while nobody stands on it is taken off; below 20 N nothing acts. Plates of different rates are
    brought to the clock of the fastest. Two plates under one foot add up.

    Args:
        plates: of a C3D file, see :func:`biopose_sim.io.read_c3d`: forces of the ground on the person, Y up.
        model: the scaled model.
        motion: of the same recording, on the same clock.

    Raises:
        InputError: no plate; forces that are not numbers or not newtons; times that do not overlap; no foot on any
            plate; two feet on one plate.
    """
    source = motion.source or motion.name
    if not plates:
        raise InputError(str(source), "has no force plates", "record them, or estimate the forces")
    time = _clock(plates)
    loads, notes = [], []
    for number, plate in enumerate(plates, 1):
        name = f"force plate {number}"
        if not (np.isfinite(plate.forces).all() and np.isfinite(plate.moments).all()):
            raise InputError(str(source), f"{name} holds what is not a number", "export its forces without gaps")
        plate, offset = _without_offset(plate)
        if offset > _LEAST_OFFSET:
            notes.append(f"{name}: {offset:.1f} N that it showed unloaded are taken off")
        loads.append(_load(name, plate, time))
        check_units(source, loads[-1])
    feet, said = assign_to_feet(loads, model, motion, source)
    return GroundReaction(
        name=motion.name,
        time=time,
        feet=feet,
        origin="measured",
        source=f"{len(plates)} force plates",
        notes=(*notes, *said),
    )


def _clock(plates: Sequence[ForcePlate]) -> Array:
    """Times of the fastest plate, while all recorded."""
    fastest = max(plates, key=lambda plate: plate.rate)
    start, end = max(plate.time[0] for plate in plates), min(plate.time[-1] for plate in plates)
    slack = 1e-6
    return np.asarray(fastest.time[(fastest.time >= start - slack) & (fastest.time <= end + slack)])


def _without_offset(plate: ForcePlate) -> tuple[ForcePlate, float]:
    """The plate less the median of what it shows unloaded, and the size of that force [N]."""
    from scipy.ndimage import binary_dilation

    idle = np.abs(plate.forces @ plate.normal) < LEAST_LOAD
    idle &= ~binary_dilation(~idle, iterations=max(1, round(_GUARD * plate.rate)))
    if idle.sum() < _FEWEST_IDLE * plate.rate:
        return plate, 0.0
    force, moment = np.median(plate.forces[idle], axis=0), np.median(plate.moments[idle], axis=0)
    corrected = replace(plate, forces=plate.forces - force, moments=plate.moments - moment)
    return corrected, float(np.linalg.norm(force))


def _load(name: str, plate: ForcePlate, time: Array) -> Load:
    loaded = plate.forces @ plate.normal >= LEAST_LOAD
    force = plate.forces * loaded[:, None]
    point = np.where(loaded[:, None], plate.center_of_pressure(LEAST_LOAD), plate.center)
    torque = plate.free_moment(LEAST_LOAD) * loaded[:, None]
    same = len(plate.time) == len(time) and np.allclose(plate.time, time, atol=1e-6)
    if not same:
        force, point, torque = (
            np.stack([np.interp(time, plate.time, column) for column in values.T], axis=1)
            for values in (force, point, torque)
        )
    return Load(name, time, force, point, torque, plate.corners)
