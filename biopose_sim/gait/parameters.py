"""Spatiotemporal parameters of gait, as clinics name and define them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from biopose_sim.gait.feet import RATE, FeetInMotion
from biopose_sim.gait.types import Cycle, GaitEvents

Array = NDArray[np.float64]
_OTHER = {"r": "l", "l": "r"}
_FLAT = (0.25, 0.55)  # of the stance, when the foot lies flat and still
_BELT = 0.3  # [m/s] of flat feet: a treadmill; less is error
_LEVEL = np.array([1.0, 0.0, 1.0])


@dataclass(frozen=True)
class Parameter:
    """A figure of gait: name, label and unit for people, decimals, what it means, and units in a metre or second."""

    name: str
    label: str
    unit: str
    digits: int
    meaning: str
    scale: float = 1.0


@dataclass(frozen=True)
class Statistic:
    """Mean, standard deviation (NaN for one) and count of a parameter."""

    mean: float
    sd: float
    count: int


@dataclass(frozen=True, eq=False)
class GaitParameters:
    """Parameters by name and side.

    Attributes:
        by_side: e.g. ``by_side["step_length"]["r"]`` in metres, seconds and percent; a parameter without any value is
            left out.
        belt: speed of the treadmill that was found [m/s]; None over ground.
    """

    by_side: dict[str, dict[str, Statistic]]
    belt: float | None

    def both(self, name: str) -> Statistic | None:
        """Mean of the sides, or what one of them has."""
        sides = [s for s in self.by_side.get(name, {}).values() if s.count]
        if not sides:
            return None
        return Statistic(float(np.mean([s.mean for s in sides])), float("nan"), sum(s.count for s in sides))

    def asymmetry(self, name: str) -> float | None:
        """Symmetry index 100 |R - L| / (0.5 |R + L|) in percent (Robinson et al. 1987); None with one side alone."""
        sides = self.by_side.get(name, {})
        if any(side not in sides for side in "rl"):
            return None
        right, left = sides["r"].mean, sides["l"].mean
        return 100.0 * abs(right - left) / (0.5 * abs(right + left)) if right + left else None


# Whittle 2007, Gait Analysis, 4th ed., chapter 2; Perry & Burnfield 2010, Gait Analysis, 2nd ed., chapter 1.
PARAMETERS = (
    Parameter("cadence", "Cadence", "steps/min", 1, "steps in a minute: two for each stride"),
    Parameter("speed", "Walking speed", "m/s", 2, "length of a stride by its time"),
    Parameter("stride_time", "Stride time", "s", 2, "from a foot's strike to its next"),
    Parameter("stride_length", "Stride length", "cm", 1, "distance of a foot's strike from its last", 100.0),
    Parameter("step_time", "Step time", "s", 2, "from the other foot's strike to this foot's"),
    Parameter("step_length", "Step length", "cm", 1, "how far this heel strikes ahead of where the other did", 100.0),
    Parameter("step_width", "Step width", "cm", 1, "distance of the heels across the way, between strikes", 100.0),
    Parameter("stance", "Stance", "% of stride", 1, "from strike to foot-off"),
    Parameter("swing", "Swing", "% of stride", 1, "from foot-off to the next strike"),
    Parameter("double_support", "Double support", "% of stride", 1, "both feet on the floor, twice in a stride"),
    Parameter("single_support", "Single support", "% of stride", 1, "this foot alone on the floor"),
    Parameter("flight", "Flight", "% of stride", 1, "no foot on the floor"),
)


def gait_parameters(feet: FeetInMotion, events: GaitEvents) -> GaitParameters:
    """Compute the parameters of each stride, and their mean and standard deviation by side.

    A step belongs to the foot that strikes. Lengths are those between places of the heel at strikes; on a treadmill,
    which shows by feet that move while they lie flat, the way of the belt is added.

    Args:
        feet: of the motion that the events were found in.
        events: :func:`~biopose_sim.gait.events.find_events`.
    """
    belt = _belt(feet, events.cycles)
    values: dict[str, dict[str, list[float]]] = {}
    for cycle in events.cycles:
        for name, value in _of_cycle(cycle, events, feet, belt).items():
            values.setdefault(name, {}).setdefault(cycle.side, []).append(value)
    by_side = {
        p.name: {side: _statistic(values[p.name][side]) for side in "rl" if values[p.name].get(side)}
        for p in PARAMETERS
        if p.name in values
    }
    speed = float(np.linalg.norm(belt))
    return GaitParameters(by_side, speed if speed else None)


def _statistic(values: list[float]) -> Statistic:
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
    return Statistic(float(np.mean(values)), sd, len(values))


def _belt(feet: FeetInMotion, cycles: tuple[Cycle, ...]) -> Array:
    """Level velocity of feet that lie flat (3,) [m/s]; zero where it is that of errors."""
    velocities = []
    for cycle in cycles:
        velocity = feet.speed(feet.middle(cycle.side)) * _LEVEL
        stance = cycle.foot_off - cycle.start
        first, last = (round((cycle.start + part * stance - feet.time[0]) * RATE) for part in _FLAT)
        velocities.append(np.median(velocity[max(first, 0) : last + 1], axis=0))
    belt = np.median(velocities, axis=0) if velocities else np.zeros(3)
    return belt if float(np.linalg.norm(belt)) > _BELT else np.zeros(3)


def _of_cycle(cycle: Cycle, events: GaitEvents, feet: FeetInMotion, belt: Array) -> dict[str, float]:
    whole, other = cycle.duration, _OTHER[cycle.side]
    stance = cycle.foot_off - cycle.start
    place = _places(feet, belt)
    stride = place(cycle.side, cycle.end) - place(cycle.side, cycle.start)
    length = float(np.linalg.norm(stride))
    found = {
        "cadence": 120.0 / whole,
        "speed": length / whole,
        "stride_time": whole,
        "stride_length": length,
        "stance": 100.0 * stance / whole,
        "swing": 100.0 * (whole - stance) / whole,
    }
    between = events.strikes[other][(events.strikes[other] > cycle.start) & (events.strikes[other] < cycle.end)]
    if len(between) == 1 and length:
        way = stride / length
        step = place(cycle.side, cycle.end) - place(other, float(between[0]))
        found["step_time"] = cycle.end - float(between[0])
        found["step_length"] = float(step @ way)
        found["step_width"] = abs(float(step @ np.array([-way[2], 0.0, way[0]])))
        found |= _supports(cycle, float(between[0]), events.offs[other])
    return found


def _places(feet: FeetInMotion, belt: Array) -> Callable[[str, float], Array]:
    """Where a heel is on the floor or the belt at a moment, level (3,) [m]."""

    def place(side: str, moment: float) -> Array:
        heel = np.array([np.interp(moment, feet.time, column) for column in feet.soles[side][:, 0].T])
        return np.asarray((heel - belt * moment) * _LEVEL)

    return place


def _supports(cycle: Cycle, other_strike: float, other_offs: Array) -> dict[str, float]:
    """Double and single support, or flight, in percent; empty where the other foot's foot-off is not known."""
    whole = cycle.duration
    before = other_offs[(other_offs > cycle.start - 0.3 * whole) & (other_offs < other_strike)]
    if len(before) != 1:
        return {}
    first, second = float(before[0]) - cycle.start, cycle.foot_off - other_strike
    if first < 0.0 or second < 0.0:
        return {"flight": 100.0 * (max(-first, 0.0) + max(-second, 0.0)) / whole}
    double = first + second
    alone = cycle.foot_off - cycle.start - double
    return {"double_support": 100.0 * double / whole, "single_support": 100.0 * alone / whole}
