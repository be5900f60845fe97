"""Feet and floor: where the floor is, how deep feet sink into it, how far standing feet slide; who is upside down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from biopose_sim.bodies.floor import fit_floor
from biopose_sim.bodies.retarget_feet import NEAR_FLOOR, STANDING_SPEED, runs
from biopose_sim.ik.groups import make_groups, split_side
from biopose_sim.ik.types import KinematicsResult
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.kinematics.soles import has_soles, place_soles

Array = NDArray[np.floating]
Bools = NDArray[np.bool_]

# Standing feet within this of y = 0 stand on it; else the floor is where they are [m].
AT_GROUND = 0.03
# The sole is known to about this [m]: shoes, soft heels.
SINKS = 0.02
# Below this share of frames, feet that stand may be feet that turn in the air.
_FEW = 0.1
# Head and feet are level where the line between them rises by less than this share of its length.
LEVEL = 0.3
_SMOOTH = 0.02  # [s] standard deviation of the Gaussian before speeds are taken, as where stances are found elsewhere
_SHORTEST_STANCE = 0.1  # [s]
_BLOCK = 4096


@dataclass(frozen=True, eq=False)
class FootPoints:
    """Points of the feet over time.

    Attributes:
        kind: ``"soles"`` or ``"markers"``.
        feet: (T, n, 3) of each foot [m], ground frame.
        head: (T, 3) top body of the person, None if it has none.
    """

    kind: str
    feet: tuple[Array, ...]
    head: Array | None


@dataclass(frozen=True)
class FeetQuality:
    """Measures of feet on a floor; meaning and units as in `TrialQuality`."""

    floor: float
    floor_from: str
    feet: str
    penetration: float
    penetrating: float
    standing: float
    skate: float | None
    slip: float | None
    upside_down: float | None
    lying: float | None


def measure_feet(model: OsimModel, result: KinematicsResult) -> FeetQuality | None:
    """Measure the feet of the model; None for a model whose feet are not known."""
    points = foot_points(model, result)
    if points is None or not len(result.time):
        return None
    rate = (len(result.time) - 1) / float(result.time[-1] - result.time[0]) if len(result.time) > 1 else 0.0
    stances = [_stance(foot, rate) for foot in points.feet]
    floor, floor_from = _floor(points, stances)
    depth = floor - np.min([foot[..., 1].min(axis=1) for foot in points.feet], axis=0)
    on_floor = [(s.speed < STANDING_SPEED) & (np.abs(s.lowest - floor) < NEAR_FLOOR) for s in stances]
    skate, slip = _sliding(stances, on_floor, rate)
    upside_down, lying = _uprightness(points)
    return FeetQuality(
        floor=1e3 * floor,
        floor_from=floor_from,
        feet=points.kind,
        penetration=1e3 * max(0.0, float(np.percentile(depth, 99))),
        penetrating=float((depth > SINKS).mean()),
        standing=float(np.any(on_floor, axis=0).mean()),
        skate=skate,
        slip=slip,
        upside_down=upside_down,
        lying=lying,
    )


def foot_points(model: OsimModel, result: KinematicsResult) -> FootPoints | None:
    """Return points of the feet: of the soles where the model has the usual feet, else its markers on the feet."""
    sides = [side for side in "rl" if has_soles(model, side)]
    by_foot = [] if sides else _foot_markers(model, result.marker_names)
    if not sides and not by_foot:
        return None
    top = _top_body(model)
    feet: list[list[Array]] = [[] for _ in sides or by_foot]
    heads: list[Array] = []
    for start in range(0, len(result.time), _BLOCK):
        q = np.ascontiguousarray(result.coordinates[start : start + _BLOCK])
        with torch.no_grad():
            transforms = model(torch.from_numpy(q)).transforms.numpy()
        if top is not None:
            heads.append(transforms[:, top, :3, 3])
        for found, side in zip(feet, sides):
            found.append(place_soles(model, transforms, side))
    head = np.concatenate(heads) if heads else None
    if sides:
        return FootPoints("soles", tuple(np.concatenate(found) for found in feet), head)
    return FootPoints("markers", tuple(result.model_markers[:, columns] for columns in by_foot), head)


def _foot_markers(model: OsimModel, names: Sequence[str]) -> list[list[int]]:
    """Columns of the markers on each foot; feet with fewer than two are left out."""
    groups = make_groups(model.body_names)
    if "foot" not in groups.names:
        return []
    part = groups.names.index("foot")
    by_side: dict[str, list[int]] = {}
    for column, name in enumerate(names):
        body = int(model.tree.marker_body[model.marker_names.index(name)])
        if body >= 0 and groups.group[body] == part:
            by_side.setdefault(split_side(model.body_names[body])[1], []).append(column)
    return [columns for _, columns in sorted(by_side.items()) if len(columns) > 1]


def _top_body(model: OsimModel) -> int | None:
    """The first body of the head, else of the thorax."""
    groups = make_groups(model.body_names)
    for part in ("head", "thorax"):
        if part in groups.names:
            return int(np.flatnonzero(groups.group == groups.names.index(part))[0])
    return None


@dataclass(frozen=True, eq=False)
class _Stance:
    """One foot: height of its lowest point (T,) [m], velocity (T, 3) and speed (T,) of its slowest point [m/s]."""

    lowest: Array
    velocity: Array
    speed: Array


def _stance(points: Array, rate: float) -> _Stance:
    lowest = points[..., 1].min(axis=1)
    if len(points) < 2:
        return _Stance(lowest, np.zeros((len(points), 3)), np.zeros(len(points)))
    smooth = gaussian_filter1d(points, _SMOOTH * rate, axis=0, mode="nearest")
    velocity = np.gradient(smooth, axis=0) * rate
    speeds = np.sqrt(np.einsum("tpi,tpi->tp", velocity, velocity))
    slowest = speeds.argmin(axis=1)
    frames = np.arange(len(points))
    return _Stance(lowest, velocity[frames, slowest], speeds[frames, slowest])


def _floor(points: FootPoints, stances: Sequence[_Stance]) -> tuple[float, str]:
    """Height of the floor [m], and whether it is the ground's y = 0.

    It is, where the level that standing feet agree on is near 0, or where the lowest that feet reach is (on a treadmill
    feet do not stand). Else the floor is that level, or where feet hardly ever stand the lowest that they reach.
    """
    heights, numbers, last = [], [], 0
    for stance in stances:
        standing = stance.speed < STANDING_SPEED
        heights.append(stance.lowest[standing])
        numbers.append(runs(standing)[standing] + last)
        last += len(stance.lowest)
    lowest = float(np.percentile(np.min([s.lowest for s in stances], axis=0), 5))
    high = np.concatenate(heights)
    level = lowest
    if len(high) >= _FEW * len(points.feet) * len(stances[0].lowest):
        # All at one place, so that no slope is sought.
        places = np.zeros((len(high), 3))
        places[:, 2] = high
        level = fit_floor(places, np.concatenate(numbers)).level
    if points.kind == "soles" and min(abs(level), abs(lowest)) < AT_GROUND:
        return 0.0, "ground"
    return level, "feet"


def _sliding(stances: Sequence[_Stance], on_floor: Sequence[Bools], rate: float) -> tuple[float | None, float | None]:
    """Mean speed of standing feet [mm/s], and the distance that 95 of 100 stances stay below [mm]."""
    if not rate:
        return None, None
    speeds, slips = [], []
    for stance, standing in zip(stances, on_floor):
        across = stance.velocity[standing][:, [0, 2]]
        number = runs(standing)[standing]
        if not len(number):
            continue
        speeds.append(np.linalg.norm(across, axis=1))
        ways = np.stack([np.bincount(number, across[:, axis]) for axis in (0, 1)], axis=1) / rate
        long_enough = np.bincount(number) >= _SHORTEST_STANCE * rate
        slips.append(np.linalg.norm(ways, axis=1)[long_enough])
    if not speeds:
        return None, None
    slip = np.concatenate(slips)
    return 1e3 * float(np.concatenate(speeds).mean()), 1e3 * float(np.percentile(slip, 95)) if len(slip) else None


def _uprightness(points: FootPoints) -> tuple[float | None, float | None]:
    """Share of frames with the head below the feet, and level with them."""
    if points.head is None:
        return None, None
    line = points.head - np.mean([foot.mean(axis=1) for foot in points.feet], axis=0)
    rise = line[:, 1] / np.maximum(np.linalg.norm(line, axis=1), 1e-9)
    return float((rise < -LEVEL).mean()), float((np.abs(rise) <= LEVEL).mean())
