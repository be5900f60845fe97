"""Which points of the soles may bear weight, from how high they are and how fast they move."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from biopose_sim.errors import InputError
from biopose_sim.forces.smoothing import derivative, smooth
from biopose_sim.kinematics.model import OsimModel

Array = NDArray[np.float64]

# Points of a sole where it may be pressed, in axes of an unscaled Rajagopal or Gait2392 foot [m]; lateral is the
# third axis of a right foot. Heel and forefoot are as wide as their pressure is, the tip is that of the great toe.
_SOLE = (
    ("calcn", (0.010, -0.015, -0.020)),
    ("calcn", (0.010, -0.015, 0.020)),
    ("toes", (0.000, -0.013, -0.035)),
    ("toes", (-0.010, -0.013, 0.040)),
    ("toes", (0.055, -0.010, -0.030)),
    ("toes", (0.040, -0.010, 0.030)),
)
_TO_TOES = np.array([0.1788, -0.002, 0.0])  # from the calcaneus to where a foot without toes would carry them
# A point bears fully up to the first height or speed and not at all above the second: limits of Fluit et al. 2014
# (J. Biomech. 47:2321) and Skals et al. 2017, widened for feet that are modelled less closely.
_HEIGHT = (0.005, 0.03)  # above where the point stands [m]
_SPEED = (0.8, 1.4)  # along the floor [m/s]
_SINKING = 0.15  # [s] for which a point that sank below its standing height keeps the floor with it
_VELOCITY_HZ = 12.0
_SLOWLY = 0.15  # [m/s] upward or downward: a point that stands
_BELT = 0.3  # [m/s] the floor moves
_BELOW_HIPS = 0.08  # [m] of a seat
_LEVEL = 0.5  # sine of the thighs' angle to the floor: near to level
_RESTS = 0.1  # [m/s] of the hips
_BEHIND = 0.05  # [m] behind the heels
_RISEN = (0.0, 0.035)  # [m] of the hips above the seat: it bears, has left it
_STANDS = 0.1  # [s]


@dataclass(frozen=True, eq=False)
class Soles:
    """The points of one foot over time.

    Attributes:
        body: that carries the force.
        points: (T, 6, 3) in ground [m].
        height: (T, 6) above where the point stands [m].
        strength: (T, 6) from 0, where a point cannot bear weight, to 1.
    """

    body: str
    points: Array
    height: Array
    strength: Array


def ramp(values: Array, full: float, none: float) -> Array:
    """1 up to ``full``, 0 from ``none`` on, a smooth step between."""
    x = np.clip((values - full) / (none - full), 0.0, 1.0)
    return np.asarray(1.0 - x * x * (3.0 - 2.0 * x))


def soles(model: OsimModel, time: Array, transforms: Array) -> tuple[tuple[Soles, ...], tuple[str, ...]]:
    """Find the soles of both feet, right before left, and what is to be said of the floor.

    Raises:
        InputError: the model has no foot of the usual names.
    """
    sides = [side for side in "rl" if f"calcn_{side}" in model.body_names]
    if not sides:
        raise InputError(
            model.path or model.name,
            "has no body 'calcn_r' or 'calcn_l'",
            "ground reaction is estimated for models with feet of the usual names",
        )
    points = np.stack([place_points(model, transforms, side) for side in sides])
    velocity = np.moveaxis(derivative(time, smooth(time, np.moveaxis(points, 1, 0), _VELOCITY_HZ), 1), 0, 1)
    stand = _standing_heights(points[..., 1], velocity[..., 1])
    height = _above_floor(points[..., 1] - stand[:, None], time)
    belt = _floor_velocity(height, velocity)
    speed = np.linalg.norm((velocity - belt)[..., [0, 2]], axis=-1)
    strength = ramp(height, *_HEIGHT) * ramp(speed, *_SPEED)
    notes: tuple[str, ...] = ()
    if belt.any():
        notes = (f"the floor moves at {np.linalg.norm(belt):.1f} m/s (a treadmill)",)
    feet = zip(sides, points, height, strength, strict=True)
    return tuple(Soles(f"calcn_{side}", p, h, s) for side, p, h, s in feet), notes


def place_points(model: OsimModel, transforms: Array, side: str) -> Array:
    """Points of a sole in ground, (T, B, 4, 4) -> (T, 6, 3) [m]."""
    mirror = np.array([1.0, 1.0, 1.0 if side == "r" else -1.0])
    size = _foot_size(model, side)
    places = []
    for body, location in _SOLE:
        name, place = f"{body}_{side}", np.array(location) * mirror * size
        if name not in model.body_names:
            name, place = f"calcn_{side}", place + _TO_TOES * size
        index = model.body_names.index(name)
        places.append(transforms[:, index, :3, :3] @ place + transforms[:, index, :3, 3])
    return np.stack(places, axis=1)


def _foot_size(model: OsimModel, side: str) -> float:
    """Length of the model's foot from heel to ball over that of the unscaled one."""
    import torch

    names = (f"calcn_{side}", f"toes_{side}")
    if names[1] not in model.body_names:
        return float(model.scales[model.body_names.index(names[0])].mean())
    poses = model(model.default_coordinates).transforms.detach().to(torch.float64).numpy()
    apart = poses[model.body_names.index(names[1]), :3, 3] - poses[model.body_names.index(names[0]), :3, 3]
    return float(np.linalg.norm(apart) / np.linalg.norm(_TO_TOES))


def _standing_heights(heights: Array, rising: Array) -> Array:
    """Height at which each point stands on the floor: (feet, T, 6) and upward velocities -> (feet, 6) [m].

    A point may stand at another height than its neighbour: feet and markers differ. A foot that stays in the air
    takes the heights of the other.
    """
    stand = np.empty((heights.shape[0], heights.shape[2]))
    for foot, point in np.ndindex(*stand.shape):
        h = heights[foot, :, point]
        low = h[(np.abs(rising[foot, :, point]) < _SLOWLY) & (h < h.min() + 0.06)]
        stand[foot, point] = np.quantile(low, 0.25) if len(low) > 4 else h.min()
    lowest = stand.min(axis=0)
    return np.where(stand > lowest + 0.06, lowest, stand)


def _above_floor(height: Array, time: Array) -> Array:
    """Heights (feet, T, 6) above the floor, which follows a point that sinks below where it stands.

    The toes of a foot without a joint at the ball sink by 3 cm while it pushes off, and leave the floor from there.
    """
    from scipy.ndimage import minimum_filter1d

    reach = max(1, round(_SINKING / float(np.median(np.diff(time))))) if len(time) > 1 else 1
    lowest = minimum_filter1d(np.minimum(height, 0.0), reach + 1, axis=1, origin=reach // 2, mode="nearest")
    return np.asarray(height - lowest)


def _floor_velocity(height: Array, velocity: Array) -> Array:
    """Velocity of the floor in ground (3,) [m/s]: that of the points which are down, zero unless it is a treadmill."""
    down = (height < 0.01) & (np.abs(velocity[..., 1]) < _SLOWLY)
    if down.sum() < 5:
        return np.zeros(3)
    belt = np.median(velocity[down], axis=0)
    belt[1] = 0.0
    return belt if np.linalg.norm(belt) > _BELT else np.zeros(3)


def episodes(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and past-the-last index of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(int)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def seat(
    model: OsimModel,
    time: Array,
    transforms: Array,
    feet: tuple[Soles, ...],
    force: Array,
    moment: Array,
    center: Array,
) -> tuple[Array, Array]:
    """Where a seat would push, (T, 3) in ground [m], and how much of it the person sits on, (T,) from 0 to 1.

    A seat is where the hips rest with the thighs near to level while the force must act behind the feet; it bears until
    the hips have risen by 3.5 cm from there.

    Args:
        model: the model.
        time: (T,) [s].
        transforms: ground <- body.
        feet: of :func:`soles`.
        force: (T, 3) that the motion asks for [N].
        moment: (T, 3) of the same, about the centre of mass [N m].
        center: (T, 3) centre of mass [m].
    """
    names = model.body_names
    nowhere = np.zeros((len(time), 3)), np.zeros(len(time))
    if not all(f"{body}_{side}" in names for body in ("femur", "tibia") for side in "rl"):
        return nowhere
    hips, knees = (
        np.mean([transforms[:, names.index(f"{body}_{side}"), :3, 3] for side in "rl"], axis=0)
        for body in ("femur", "tibia")
    )
    thigh = hips - knees
    level = thigh[:, 1] < _LEVEL * np.linalg.norm(thigh, axis=1)
    speed = np.linalg.norm(derivative(time, smooth(time, hips, _VELOCITY_HZ), 1), axis=1)
    rests = level & (speed < _RESTS) & (_behind_feet(hips, feet, force, moment, center) > _BEHIND)
    for start, end in episodes(rests):
        if time[end - 1] - time[start] < _STANDS:
            rests[start:end] = False
    if not rests.any():
        return nowhere
    risen = hips[:, 1] - np.median(hips[rests, 1])
    return hips - [0.0, _BELOW_HIPS, 0.0], ramp(risen, *_RISEN) * level


def _behind_feet(hips: Array, feet: tuple[Soles, ...], force: Array, moment: Array, center: Array) -> Array:
    """How far behind the heels, toward the hips, the whole force acts on the floor, (T,) [m]."""
    points = np.concatenate([foot.points for foot in feet], axis=1)
    floor = points[..., 1].min(axis=1)
    drop = center[:, 1] - floor
    upward = np.maximum(force[:, 1], 1.0)
    acts = center + np.stack(
        [(moment[:, 2] - drop * force[:, 0]) / upward, -drop, (-moment[:, 0] - drop * force[:, 2]) / upward], axis=1
    )
    ahead = (points.mean(axis=1) - hips)[:, [0, 2]]
    ahead /= np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-6)
    heels = np.einsum("tpi,ti->tp", points[..., [0, 2]], ahead).min(axis=1)
    return np.asarray(heels - np.einsum("ti,ti->t", acts[:, [0, 2]], ahead))


def raised_floor(
    feet: tuple[Soles, ...], time: Array, borne: NDArray[np.bool_], sitting: Array
) -> tuple[tuple[Soles, ...], tuple[str, ...]]:
    """Let feet that stand still bear weight at any height, where nothing else could: on a box, a step or stairs.

    Args:
        feet: of :func:`soles`.
        time: (T,) [s].
        borne: (T,) whether something bears the person's weight.
        sitting: (T,) of :func:`seat`.
    """
    lacking = borne & (sitting < 0.5) & np.all([foot.strength.max(axis=1) < 0.05 for foot in feet], axis=0)
    for start, end in episodes(lacking):
        if time[end - 1] - time[start] < _STANDS:
            lacking[start:end] = False
    if not lacking.any():
        return feet, ()
    raised, high = [], 0.0
    for foot in feet:
        speed = np.linalg.norm(derivative(time, smooth(time, foot.points, _VELOCITY_HZ), 1), axis=-1)
        still = ramp(speed, 0.2, 0.5) * lacking[:, None]
        raised.append(replace(foot, strength=np.maximum(foot.strength, still)))
        if (still > 0.5).any():
            high = max(high, float(np.median(foot.height[still > 0.5])))
    if high == 0.0:
        return feet, ()
    return tuple(raised), (f"stands {100 * high:.0f} cm above the floor at times",)
