"""Events and cycles of gait: found where people walk or run, and nowhere else."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from biopose_sim.gait.contacts import Contacts, Reaction, contacts, loaded
from biopose_sim.gait.feet import FeetInMotion, feet_in_motion
from biopose_sim.gait.types import Cycle, GaitEvents
from biopose_sim.io import MotionLike
from biopose_sim.kinematics.model import OsimModel

Array = NDArray[np.float64]

_OTHER = {"r": "l", "l": "r"}
# What a stride is: wide limits, slow walking of patients and sprints included.
_STRIDE = (0.4, 2.5)  # [s]
_OTHER_STRIKES = (0.2, 0.8)  # of the stride: when the other foot strikes
_STANCE = (0.15, 0.85)  # of the stride
_AHEAD = 0.2  # least advance over the standing foot in a stance, in heights of the pelvis
_SIDEWAYS = 0.6  # most of it sideways, in parts of the advance
_LIFTED = 0.08  # [m] that the foot rises and sinks by at most while the body passes over it
_LEVEL = 0.12  # [m] between two strikes of a foot: stairs are another movement
_TURN = 0.8  # [rad] in a stride: people who turn do not walk as they do straight on
_NEAR = 0.12  # [s] around an event of kinematics in which one of force is the same
_EDGE = 0.15  # [s] at the ends of the recording, where force tells more
_MOST_ALONE = 4.0  # [s] of recording in which a lone stride counts; in longer ones gait goes on


@dataclass(frozen=True, eq=False)
class _Steps:
    """Events of both feet by side [s], and whether any was timed by force."""

    strikes: dict[str, Array]
    offs: dict[str, Array]
    forced: bool


def find_events(model: OsimModel, motion: MotionLike, reaction: Reaction | None = None) -> GaitEvents:
    """Find foot strikes, foot-offs and strides of walking and running, over ground or on a treadmill.

    Steps come from the feet's paths (see :func:`~biopose_sim.gait.contacts.contacts`); where the vertical force was
    measured (estimated forces say nothing new), its crossing of 20 N gives the time. A stride counts if the feet
    strike in turn, its times are those of a stride, the body passes over each standing foot in the direction that
    the feet point to, on level ground, without a turn. Walking backwards or sideways, squats, jumps and dances hold
    no strides. In more than 4 s a single stride does not count.

    Args:
        model: scaled model.
        motion: its coordinates; those that are missing stay at their defaults.
        reaction: force on the feet.

    Returns:
        The events; ``kind`` is "none", with an explanation in ``note``, where there is no stride. ``source`` is
        "force" if force timed any event.

    Raises:
        InputError: no coordinate of the motion belongs to the model.
    """
    feet = feet_in_motion(model, motion)
    if feet is None:
        return _none("the model has no feet of the usual names (calcn_r, calcn_l), or there are too few frames")
    by_side = {side: contacts(feet, side) for side in "rl"}
    measured = reaction if reaction is not None and reaction.origin == "measured" else None
    for running in (True, False):  # by the rule of walking runners' feet leave too late to tell both apart
        steps = _steps(by_side, measured, feet, running=running)
        cycles = _lasting(_cycles(steps, feet), feet)
        if cycles and _flies(cycles) == running:
            return _found(steps, cycles, "running" if running else "walking")
    if not all(len(found.strikes) for found in by_side.values()):
        return _none("the feet do not step in front of the body in turn")
    return _none("no whole stride, from a foot's strike to its next with the other foot's between, straight on")


def _none(note: str) -> GaitEvents:
    empty: dict[str, Array] = {"r": np.empty(0), "l": np.empty(0)}
    return GaitEvents(empty, dict(empty), (), "none", "kinematics", note)


def _steps(by_side: dict[str, Contacts], reaction: Reaction | None, feet: FeetInMotion, *, running: bool) -> _Steps:
    strikes = {side: found.strikes for side, found in by_side.items()}
    offs = {side: found.early_offs if running else found.offs for side, found in by_side.items()}
    if reaction is None:
        return _Steps(strikes, offs, forced=False)
    ends = (float(feet.time[0]), float(feet.time[-1]))
    forced = False
    for side in "rl":
        down, up = loaded(reaction, side)
        strikes[side], first = _merged(strikes[side], down, ends)
        offs[side], second = _merged(offs[side], up, ends)
        forced = forced or first or second
    return _Steps(strikes, offs, forced)


def _merged(seen: Array, felt: Array, ends: tuple[float, float]) -> tuple[Array, bool]:
    """Events of kinematics, each at the time of force's where that is near; at the ends force adds its own."""
    events, used = list(seen), False
    for moment in felt[(felt >= ends[0]) & (felt <= ends[1])]:
        gaps = np.abs(np.asarray(events) - moment)
        if len(gaps) and gaps.min() < _NEAR:
            events[int(gaps.argmin())] = float(moment)
            used = True
        elif min(moment - ends[0], ends[1] - moment) < _EDGE:
            events.append(float(moment))
            used = True
    return np.unique(events), used


def _cycles(steps: _Steps, feet: FeetInMotion) -> list[Cycle]:
    """All strides of both feet, in order of time."""
    found = []
    for side in "rl":
        strikes, others = steps.strikes[side], steps.strikes[_OTHER[side]]
        for start, end in itertools.pairwise(strikes):
            length = end - start
            between = others[(others > start) & (others < end)]
            offs = steps.offs[side][(steps.offs[side] > start) & (steps.offs[side] < end)]
            if not _STRIDE[0] <= length <= _STRIDE[1] or len(between) != 1 or len(offs) != 1:
                continue
            parts = ((between[0] - start) / length, (offs[0] - start) / length)
            if not all(low < part < high for part, (low, high) in zip(parts, (_OTHER_STRIKES, _STANCE))):
                continue
            cycle = Cycle(side, float(start), float(offs[0]), float(end))
            if _goes_on(cycle, feet):
                found.append(cycle)
    return sorted(found, key=lambda cycle: cycle.start)


def _goes_on(cycle: Cycle, feet: FeetInMotion) -> bool:
    """Whether the body passes over the standing foot, straight on and on level ground."""
    first, off, last = (_frame(feet, moment) for moment in (cycle.start, cycle.foot_off, cycle.end))
    foot = feet.middle(cycle.side)
    way = (feet.pelvis[off] - foot[off]) - (feet.pelvis[first] - foot[first])
    ahead = feet.ahead[(first + off) // 2]
    advance = float(way @ ahead)
    aside = abs(float(way @ np.array([-ahead[2], 0.0, ahead[0]])))
    level = abs(foot[last, 1] - foot[first, 1]) < _LEVEL
    straight = float(feet.ahead[first] @ feet.ahead[last]) > np.cos(_TURN)
    quarter = (off - first) // 4
    lowest = feet.soles[cycle.side][first + quarter : off - quarter + 1, :, 1].min(axis=1)
    stands = float(np.ptp(lowest)) < _LIFTED
    return bool(advance > _AHEAD * feet.leg and aside < _SIDEWAYS * advance and level and straight and stands)


def _frame(feet: FeetInMotion, moment: float) -> int:
    return int(np.clip(np.searchsorted(feet.time, moment), 0, len(feet.time) - 1))


def _lasting(cycles: list[Cycle], feet: FeetInMotion) -> list[Cycle]:
    """Strides that overlap with one of the other foot; a recording of one stride may hold no other."""
    if feet.time[-1] - feet.time[0] < _MOST_ALONE:
        return cycles
    return [
        one
        for one in cycles
        if any(two.side != one.side and two.start < one.end and one.start < two.end for two in cycles)
    ]


def _flies(cycles: list[Cycle]) -> bool:
    """Whether most strides hold less stance than half, so that both feet are off the floor in between."""
    return float(np.median([(c.foot_off - c.start) / c.duration for c in cycles])) < 0.5


def _found(steps: _Steps, cycles: list[Cycle], kind: str) -> GaitEvents:
    """The events from a stride before the first to one after the last; what lies beyond may be something else."""
    margin = max(cycle.duration for cycle in cycles)
    first, last = cycles[0].start - margin, max(cycle.end for cycle in cycles) + margin
    kept = [
        {side: moments[(moments >= first) & (moments <= last)] for side, moments in events.items()}
        for events in (steps.strikes, steps.offs)
    ]
    return GaitEvents(kept[0], kept[1], tuple(cycles), kind, "force" if steps.forced else "kinematics")
