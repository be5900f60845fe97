"""Measured contact forces: checking them, adding them up, and finding the foot that each belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from biopose_sim.errors import InputError
from biopose_sim.forces import contact, momentum
from biopose_sim.forces.types import FootForce, GroundReaction
from biopose_sim.io import Motion
from biopose_sim.kinematics.model import OsimModel

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

LEAST_LOAD = 20.0  # [N] a foot; less is noise
_SHORTEST = 0.04  # [s] of a step
_PAUSE = 0.03  # [s] between parts of one
_NEAR = 0.12  # [m] from the foot's middle line to the force it bears
_TOGETHER = 0.06  # [s] that two feet may be on one plate before it is of no use
_MOST_FORCE, _LEAST_PEAK, _FARTHEST = 3e4, 10.0, 100.0  # [N], [N], [m]: beyond lies another unit


@dataclass(frozen=True, eq=False)
class Load:
    """A contact force over time, in ground (Y up), e.g. that of one force plate.

    Attributes:
        name: of the plate or the column.
        time: (T,) [s].
        force: (T, 3) on the person [N].
        point: (T, 3) [m], NaN or without meaning where the force is small.
        torque: (T, 3) about the point [N m].
        corners: (4, 3) of the plate [m], if known.
    """

    name: str
    time: Array
    force: Array
    point: Array
    torque: Array
    corners: Array | None = None


def check_units(source: object, load: Load) -> None:
    """Raise InputError for forces that are not numbers, or not in newtons and metres."""
    where = str(source)
    if not (np.isfinite(load.force).all() and np.isfinite(load.torque).all()):
        raise InputError(where, f"force '{load.name}' holds what is not a number", "fill or cut its gaps first")
    size = np.linalg.norm(load.force, axis=1)
    if size.max() > _MOST_FORCE:
        raise InputError(where, f"force '{load.name}' reaches {size.max():.3g} N", "give newtons, not millinewtons")
    if 0.0 < size.max() < _LEAST_PEAK:
        text = f"force '{load.name}' reaches only {size.max():.3g} N"
        raise InputError(where, text, "give newtons, not body weights or kilonewtons")
    loaded = size > max(LEAST_LOAD, 0.1 * size.max())
    if not loaded.any():
        return
    if not np.isfinite(load.point[loaded]).all():
        raise InputError(where, f"the point of force '{load.name}' is not a number where it is loaded")
    far = float(np.median(np.abs(load.point[loaded]).max(axis=1)))
    if far > _FARTHEST:
        text = f"the point of force '{load.name}' lies {far:.0f} m away"
        raise InputError(where, text, "give metres, not millimetres")


def held(point: Array, loaded: NDArray[np.bool_]) -> Array:
    """The point where it is loaded; elsewhere the nearest such one in time, so that it is finite everywhere."""
    if not loaded.any():
        return np.zeros_like(point)
    rows = np.flatnonzero(loaded)
    place = np.searchsorted(rows, np.arange(len(point))).clip(0, len(rows) - 1)
    before = (place - 1).clip(0)
    all_rows = np.arange(len(point))
    nearer = np.abs(all_rows - rows[before]) < np.abs(rows[place] - all_rows)
    return np.asarray(point[np.where(nearer, rows[before], rows[place])])


def added(body: str, loads: Sequence[Load]) -> FootForce:
    """The one force that does what several loads on the same clock do to a body."""
    force = np.sum([load.force for load in loads], axis=0)
    points = np.array([held(load.point, np.asarray(np.isfinite(load.point).all(axis=1))) for load in loads])
    weights = np.array([np.maximum(load.force[:, 1], 0.0) for load in loads])
    total: Array = weights.sum(axis=0)
    point = points[0]
    if len(loads) > 1:
        mean = np.einsum("pt,pti->ti", weights, points) / np.where(total > 0.0, total, 1.0)[:, None]
        point = held(mean, np.asarray(total > 0.0))
    torque = np.zeros_like(force)
    for load, place in zip(loads, points, strict=True):
        torque += load.torque + np.cross(place - point, load.force)
    return FootForce(body, force, point, torque)


def assign_to_feet(
    loads: Sequence[Load], model: OsimModel, motion: Motion, source: object
) -> tuple[tuple[FootForce, ...], tuple[str, ...]]:
    """Give each step on each plate to the foot that was there; loads must share one clock.

    Args:
        loads: zero where not loaded.
        model: the scaled model.
        motion: of the same recording.
        source: named in errors.

    Returns:
        A force for each foot of the model, right before left, and what is to be said.

    Raises:
        InputError: the times do not overlap; nothing is loaded; two feet step on one plate together.
    """
    time = loads[0].time
    span = (max(time[0], motion.time[0]), min(time[-1], motion.time[-1]))
    if span[0] >= span[1]:
        ours = f"{motion.time[0]:g} to {motion.time[-1]:g} s"
        text = f"lasts from {time[0]:g} to {time[-1]:g} s, but the motion from {ours}"
        raise InputError(str(source), text, "give force and motion of the same recording")
    feet, _ = contact.soles(model, motion.time, momentum.body_transforms(model, motion))
    parts: dict[str, list[Load]] = {foot.body: [] for foot in feet}
    notes: list[str] = []
    for load in loads:
        for start, end in _steps(load):
            inside = (motion.time >= time[start]) & (motion.time <= time[end - 1])
            if inside.sum() < 2:
                when = f"{time[start]:.2f} to {time[end - 1]:.2f} s"
                notes.append(f"{load.name}: loaded from {when}, outside of the motion: left out")
                continue
            _refuse_two_feet(load, feet, motion.time, inside, source)
            foot, far = _nearest(load, feet, motion.time, inside)
            if far > _NEAR:
                text = f"{load.name}: loaded from {time[start]:.2f} to {time[end - 1]:.2f} s"
                notes.append(f"{text} with no foot within {100 * far:.0f} cm: left out")
                continue
            parts[foot].append(_cut(load, start, end))
    if not any(parts.values()):
        text = f"no foot steps on a plate from {span[0]:g} to {span[1]:g} s"
        raise InputError(str(source), "; ".join([text, *notes[:1]]), "are force and motion of the same recording?")
    idle = [Load("none", time, *(np.zeros((len(time), 3)) for _ in range(3)))]
    for foot, steps in parts.items():
        names = sorted({step.name for step in steps})
        notes.append(
            f"{foot}: {len(steps)} step{'s' if len(steps) > 1 else ''} on {', '.join(names)}"
            if steps
            else f"{foot}: on no plate"
        )
    return tuple(added(foot, steps or idle) for foot, steps in parts.items()), tuple(notes)


def misplaced(reaction: GroundReaction, model: OsimModel, motion: Motion) -> tuple[str, ...]:
    """Say which forces act far from the foot they are applied to, but near to the other one."""
    feet, _ = contact.soles(model, motion.time, momentum.body_transforms(model, motion))
    said = []
    for force in reaction.feet:
        load = Load(force.body, reaction.time, force.force, force.point, force.torque)
        loaded = np.interp(motion.time, reaction.time, force.force[:, 1]) > LEAST_LOAD
        inside = loaded & (motion.time >= reaction.time[0]) & (motion.time <= reaction.time[-1])
        if not inside.any() or force.body not in [foot.body for foot in feet]:
            continue
        body, far = _nearest(load, feet, motion.time, inside)
        own = _nearest(load, [foot for foot in feet if foot.body == force.body], motion.time, inside)[1]
        if body != force.body and own > _NEAR and far < 0.5 * own:
            text = f"the force on '{force.body}' acts {100 * own:.0f} cm from it"
            said.append(f"{text}, {100 * far:.0f} cm from '{body}': are the feet swapped?")
    return tuple(said)


def _steps(load: Load) -> list[tuple[int, int]]:
    """First and past-the-last frame of each time that something stands on the plate."""
    time = load.time
    steps: list[tuple[int, int]] = []
    for start, end in contact.episodes(load.force[:, 1] > LEAST_LOAD):
        if steps and time[start] - time[steps[-1][1] - 1] < _PAUSE:
            steps[-1] = (steps[-1][0], end)
        else:
            steps.append((start, end))
    return [(start, end) for start, end in steps if time[end - 1] - time[start] > _SHORTEST]


def _cut(load: Load, start: int, end: int) -> Load:
    inside = np.zeros((len(load.time), 1), dtype=bool)
    inside[start:end] = True
    return Load(load.name, load.time, load.force * inside, load.point, load.torque * inside, load.corners)


def _nearest(load: Load, feet: Sequence[contact.Soles], time: Array, inside: Mask) -> tuple[str, float]:
    """The foot nearest to the force over a step, and how far its middle line is [m]."""
    at = np.searchsorted(load.time, time[inside]).clip(0, len(load.time) - 1)
    point, weight = load.point[at], np.maximum(load.force[at, 1], 1e-9)
    distances = []
    for foot in feet:
        heel, toe = (foot.points[inside][:, rows].mean(axis=1)[:, [0, 2]] for rows in (slice(0, 2), slice(4, 6)))
        along, to = toe - heel, point[:, [0, 2]] - heel
        share = np.clip((to * along).sum(axis=1) / np.maximum((along**2).sum(axis=1), 1e-9), 0.0, 1.0)
        off = np.linalg.norm(to - share[:, None] * along, axis=1)
        distances.append(float((off * weight).sum() / weight.sum()))
    best = int(np.argmin(distances))
    return feet[best].body, distances[best]


def _refuse_two_feet(load: Load, feet: Sequence[contact.Soles], time: Array, inside: Mask, source: object) -> None:
    """Raise InputError where both feet stand on the plate at once: its force says nothing of either."""
    if load.corners is None or len(feet) < 2:
        return
    center, (along, across) = load.corners.mean(axis=0), _edges(load.corners)
    both = inside.copy()
    for foot in feet:
        lever = foot.points - center
        within = (np.abs(lever @ along) < along @ along / 2) & (np.abs(lever @ across) < across @ across / 2)
        both &= np.any(within & (foot.strength > 0.5), axis=1)
    if both.any() and np.ptp(time[both]) > _TOGETHER:
        text = f"both feet stand on {load.name} from {time[both][0]:.2f} to {time[both][-1]:.2f} s"
        raise InputError(str(source), text, "cut the trial to steps of one foot a plate, or estimate the forces")


def _edges(corners: Array) -> tuple[Array, Array]:
    """Sides of a plate as vectors [m]."""
    return (corners[1] + corners[2] - corners[0] - corners[3]) / 2, (
        corners[3] + corners[2] - corners[0] - corners[1]
    ) / 2
