"""Sharing the force that a motion asks for between the points that may bear it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FRICTION = 0.8  # of a shoe or a bare foot on a laboratory's floor
_EDGES = 4  # of the pyramid inside the friction cone
# What is uncertain: force in body weights, moment in body weights times a metre, and both grow where the motion is
# violent, by this many times the difference that smoothing makes there.
_FORCE, _MOMENT, _DOUBT = 0.01, 0.05, 30.0
# Uncertainty of the even share, in body weights; a seat bears nearly all of the weight until the hips have left it.
_EVEN, _SEAT = 10.0, 50.0
# The force on a foot points to a place above the centre of mass, as those of standing, walking and running people do
# (Maus et al. 2010, Nature Communications 1:70): it leans this share of the way from the vertical to the centre.
_LEAN = 0.65
_LOWEST = 0.3  # [m] of the centre of mass above a foot, for that lean
_IDLE = 0.02  # strength of a point that does not count


@dataclass(frozen=True, eq=False)
class Asked:
    """What all contacts together must do, over time.

    Attributes:
        force: (T, 3) [N].
        moment: (T, 3) about the centre of mass [N m].
        force_doubt: (T, 3) how much of the force is uncertain [N].
        moment_doubt: (T, 3) of the moment [N m].
    """

    force: Array
    moment: Array
    force_doubt: Array
    moment_doubt: Array


@dataclass(frozen=True, eq=False)
class Shares:
    """Forces of the points.

    Attributes:
        points: (T, P, 3) force at each point [N].
        seat: (T, 3) force of the seat [N].
    """

    points: Array
    seat: Array


def share(asked: Asked, levers: Array, strength: Array, seat: Array, sitting: Array, weight: float) -> Shares:
    """Share force and moment between points by least squares, each pushing within its friction cone.

    No point pulls (non-negative least squares over the edges of the cones), so that the centre of pressure stays
    inside the feet. The moment says where the whole force acts, and so how two feet share it; where it is uncertain,
    they share evenly by the strength of their points. The vertical force is met but for what no point can bear.

    Args:
        asked: force and moment.
        levers: (T, P, 3) from the centre of mass to the points [m].
        strength: (T, P) from 0 to 1; a point of low strength bears reluctantly, one of none not at all.
        seat: (T, 3) from the centre of mass to where a seat pushes [m].
        sitting: (T,) its strength.
        weight: of the person [N].
    """
    from scipy.optimize import nnls

    edges = _cone()
    lean = _LEAN * levers[..., [0, 2]] / np.minimum(levers[..., 1:2], -_LOWEST)
    wrench = np.concatenate([asked.force, asked.moment], axis=1) / weight
    doubt = np.concatenate([asked.force_doubt * [1.0, 0.0, 1.0], asked.moment_doubt], axis=1) / weight
    trust = 1.0 / (np.repeat([_FORCE, _MOMENT], 3) + _DOUBT * doubt)
    points, seats = np.zeros(levers.shape), np.zeros(asked.force.shape)
    for t in range(len(wrench)):
        used = np.flatnonzero(strength[t] > _IDLE)
        places, cost, aim = levers[t, used], 1.0 / (_EVEN * strength[t, used]), lean[t, used]
        if sitting[t] > _IDLE:
            places = np.vstack([places, seat[t]])
            cost, aim = np.append(cost, 1.0 / (_SEAT * sitting[t])), np.vstack([aim, np.zeros(2)])
        if not len(places):
            continue
        forces = np.tile(edges, (len(places), 1))
        moments = np.cross(np.repeat(places, _EDGES, axis=0), forces)
        rows = np.vstack([np.hstack([forces, moments]).T * trust[t, :, None], _preferences(forces, cost, aim)])
        right = np.concatenate([wrench[t] * trust[t], np.zeros(3 * len(places))])
        found, _ = nnls(rows, right)
        pressed = weight * (found[:, None] * forces).reshape(len(places), _EDGES, 3).sum(axis=1)
        points[t, used] = pressed[: len(used)]
        if len(places) > len(used):
            seats[t] = pressed[-1]
    return Shares(points, seats)


def _preferences(forces: Array, cost: Array, aim: Array) -> Array:
    """Rows that keep each point's vertical force small and its lean (x, z) near its aim, (3 P, P * edges)."""
    count, columns = len(cost), np.arange(len(forces))
    point = np.repeat(np.arange(count), _EDGES)
    rows = np.zeros((3 * count, len(forces)))
    rows[point, columns] = cost[point]
    for number, axis in enumerate((0, 2)):
        rows[(number + 1) * count + point, columns] = (forces[:, axis] - aim[point, number]) * cost[point]
    return rows


def _cone() -> Array:
    """Edges of the friction pyramid with one newton upward, (4, 3)."""
    angle = 2.0 * np.pi * np.arange(_EDGES) / _EDGES
    return np.stack([FRICTION * np.cos(angle), np.ones(_EDGES), FRICTION * np.sin(angle)], axis=1)
