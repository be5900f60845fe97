"""When a foot strikes and leaves the floor: from its path relative to the pelvis, or from the force on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks

from biopose_sim.gait.feet import RATE, FeetInMotion

Array = NDArray[np.float64]

THRESHOLD = 20.0  # [N] of vertical force, as gait laboratories count contact
_SHORTEST = 0.05  # [s] of a contact, or of a gap in one
_LEAST_LOAD = 100.0  # [N] that a step on a plate reaches
_SWING = 0.15  # least reach of a step fore and aft, in heights of the pelvis
# A strike lies this long [s] around the foot's furthest reach ahead of the pelvis.
_BEFORE, _AFTER = 0.01, 0.14
_SINKING = 0.1  # least speed [m/s] at which the foot comes down
# A foot that comes down at this part of its usual speed at the very start, far ahead of the body, just strikes: force
# plates often start recordings.
_AT_START = 0.7
_START = 0.04  # [s]
_FAR_AHEAD = 0.6  # of its usual furthest reach
# A foot that leaves has its largest upward acceleration this long [s] before its furthest reach back at most.
_LEAVING = 0.2


class OnFoot(Protocol):
    """The force on a foot, as in ``biopose_sim.forces.types.FootForce``."""

    @property
    def force(self) -> Array:
        """(T, 3) [N], Y up."""


class Reaction(Protocol):
    """The ground's forces, as in ``biopose_sim.forces.types.GroundReaction``."""

    @property
    def time(self) -> Array:
        """(T,) [s]."""

    @property
    def origin(self) -> str:
        """ "measured" or "estimated"."""

    def foot(self, side: str) -> OnFoot | None:
        """The force on the foot of a side."""


@dataclass(frozen=True, eq=False)
class Contacts:
    """What one foot seems to do.

    Attributes:
        strikes: (n,) [s].
        offs: (m,) [s] by the rule of walking.
        early_offs: (m,) [s] of the same by the rule of running.
    """

    strikes: Array
    offs: Array
    early_offs: Array


def contacts(feet: FeetInMotion, side: str) -> Contacts:
    """Find strikes and foot-offs of a foot from kinematics.

    Each step is found where the foot is furthest ahead of the pelvis, and each foot-off where the ball is furthest
    behind it, along the direction that the feet point to (Zeni et al. 2008, Gait Posture 27:710): that holds on the
    floor and on a treadmill. The strike itself is the moment near there in which the middle of the foot comes down
    fastest (O'Connor et al. 2007, Gait Posture 25:469). A running foot leaves well before it is furthest behind: there
    the moment of the toe tip's largest upward acceleration counts (as in De Witt 2010, J Biomech 43:3004).
    """
    middle, ball = feet.middle(side), feet.soles[side][:, 1]
    reach, behind = feet.before_pelvis(middle), feet.before_pelvis(ball)
    sinking = -feet.speed(middle[:, 1])
    leaving = feet.speed(feet.speed(feet.soles[side][:, 2, 1]))
    least = _SWING * feet.leg
    tops = find_peaks(reach, prominence=least)[0]
    strikes = [k for top in tops if (k := _fastest(sinking, top - _frames(_BEFORE), top + _frames(_AFTER))) is not None]
    if strikes and strikes[0] > (start := _most(sinking, 0, _frames(_START))):
        usual, far = float(np.median(sinking[strikes])), float(np.median(reach[tops]))
        if sinking[start] > _AT_START * usual and reach[start] > _FAR_AHEAD * far:
            strikes.insert(0, start)
    offs = find_peaks(-behind, prominence=least)[0]
    early = [_most(leaving, off - _frames(_LEAVING), off + 1) for off in offs]
    return Contacts(feet.time[np.unique(strikes).astype(int)], feet.time[offs], feet.time[np.array(early, dtype=int)])


def _frames(seconds: float) -> int:
    return round(seconds * RATE)


def _fastest(sinking: Array, first: int, last: int) -> int | None:
    """Frame between two at which the foot comes down fastest; None where it does not, or still comes down faster."""
    first, last = max(first, 0), min(last, len(sinking) - 1)
    k = _most(sinking, first, last)
    ended = last == len(sinking) - 1 and k == last
    return None if ended or sinking[k] < _SINKING else k


def _most(values: Array, first: int, last: int) -> int:
    first, last = max(first, 0), min(last, len(values) - 1)
    return first + int(np.argmax(values[first : last + 1]))


def loaded(reaction: Reaction, side: str) -> tuple[Array, Array]:
    """Return when a foot's vertical force rises above and falls below 20 N [s]; short and light contacts do not count.

    Contacts that the recording cuts have no strike or no foot-off.
    """
    on_foot = reaction.foot(side)
    time = np.asarray(reaction.time, dtype=float)
    if on_foot is None or len(time) < 2:
        return np.empty(0), np.empty(0)
    vertical = np.nan_to_num(np.asarray(on_foot.force, dtype=float)[:, 1])
    spans = _joined([(a, b) for a, b in _runs(vertical > THRESHOLD)], time)
    strikes, offs = [], []
    for a, b in spans:
        if time[b] - time[a] < _SHORTEST or vertical[a : b + 1].max() < _LEAST_LOAD:
            continue
        if a > 0:
            strikes.append(_crossing(time, vertical, a - 1))
        if b < len(time) - 1:
            offs.append(_crossing(time, vertical, b))
    return np.array(strikes), np.array(offs)


def _runs(on: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.diff(np.concatenate([[0], on.astype(int), [0]]))
    return list(zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1))


def _joined(spans: list[tuple[int, int]], time: Array) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for a, b in spans:
        if joined and time[a] - time[joined[-1][1]] < _SHORTEST:
            joined[-1] = (joined[-1][0], b)
        else:
            joined.append((a, b))
    return joined


def _crossing(time: Array, vertical: Array, k: int) -> float:
    """When the force crosses the threshold between frames k and k + 1."""
    share = (THRESHOLD - vertical[k]) / (vertical[k + 1] - vertical[k])
    return float(time[k] + share * (time[k + 1] - time[k]))
