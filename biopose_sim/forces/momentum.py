"""What moves a whole body: its mass, its centre of mass, and the force and moment that its motion asks for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from biopose_sim.errors import InputError
from biopose_sim.forces.smoothing import derivative, smooth
from biopose_sim.forces.types import GRAVITY
from biopose_sim.io import Motion
from biopose_sim.kinematics.model import OsimModel

Array = NDArray[np.float64]
GRAVITY_VECTOR = np.array([0.0, -GRAVITY, 0.0])


@dataclass(frozen=True, eq=False)
class Segments:
    """Mass properties of B bodies.

    Attributes:
        mass: (B,) [kg].
        center: (B, 3) centre of mass in body axes [m].
        inertia: (B, 3, 3) about it, in body axes [kg m^2].
    """

    mass: Array
    center: Array
    inertia: Array

    @property
    def total(self) -> float:
        """Mass of the whole body [kg]."""
        return float(self.mass.sum())


@dataclass(frozen=True, eq=False)
class Demand:
    """What the motion asks of all that touches the person.

    Attributes:
        center: (T, 3) centre of mass of the whole body [m].
        force: (T, 3) all forces but gravity, together [N].
        moment: (T, 3) their moment about the centre of mass [N m].
    """

    center: Array
    force: Array
    moment: Array


def segments(model: OsimModel, mass: float | None = None) -> Segments:
    """Mass properties of a model as its file has them, at the model's scales.

    Args:
        model: the scaled model.
        mass: of the person [kg]; None keeps that of the model. Bodies share it as they share the model's.

    Raises:
        InputError: the model has no mass, or the given one is no positive number.
    """
    bodies = {body.name: body for body in model.model.bodies}
    chosen = [bodies[name] for name in model.body_names]
    own = np.array([body.mass for body in chosen])
    if not own.sum() > 0.0:
        raise InputError(model.path or model.name, "its bodies have no mass", "forces need a model with masses")
    if mass is not None and not (np.isfinite(mass) and mass > 0.0):
        raise InputError(model.path or model.name, f"a mass of {mass:g} kg", "give the person's mass in kilograms")
    ratio = 1.0 if mass is None else mass / own.sum()
    inertia = np.zeros((len(chosen), 3, 3))
    for index, body in enumerate(chosen):
        xx, yy, zz, xy, xz, yz = body.inertia
        inertia[index] = [[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]
    size = np.cbrt(model.scales.prod(axis=1))[:, None, None]
    center = np.array([body.mass_center for body in chosen]) * model.scales
    return Segments(own * ratio, center, inertia * ratio * size**2)


def body_transforms(model: OsimModel, motion: Motion) -> Array:
    """Ground <- body along a motion, (T, B, 4, 4) [m]; coordinates that it lacks stay at the model's defaults.

    Raises:
        InputError: the motion has no coordinate of the model, or values that are not numbers.
    """
    import torch

    q = np.tile(model.default_coordinates.numpy(), (len(motion.time), 1))
    known = [name for name in model.coordinate_names if name in motion.coordinate_names]
    where = motion.source or motion.name
    if not known:
        raise InputError(where, "has no coordinate of the model", f"give the motion of {model.path or model.name}")
    for name in known:
        q[:, model.coordinate_names.index(name)] = motion.coordinate(name)
    if not np.isfinite(q).all():
        bad = model.coordinate_names[int(np.argmin(np.isfinite(q).all(axis=0)))]
        raise InputError(where, f"'{bad}' is not a number everywhere", "fill or cut the gaps first")
    return np.asarray(model(torch.from_numpy(q)).transforms.numpy(), dtype=float)


def center_of_mass(parts: Segments, transforms: Array) -> Array:
    """Centre of mass of the whole body, (T, 3) [m]."""
    return np.einsum("b,tbi->ti", parts.mass, _centers(parts, transforms)) / parts.total


def demand(
    parts: Segments,
    time: Array,
    transforms: Array,
    cutoff_hz: float | Array | None,
) -> Demand:
    """Newton and Euler on the whole body.

    Args:
        parts: mass properties.
        time: (T,) [s].
        transforms: ground <- body, (T, B, 4, 4) [m].
        cutoff_hz: of the smoothing, one or one a frame; None takes the motion as smooth already.
    """
    center = center_of_mass(parts, transforms)
    spin = _angular_momentum(parts, time, transforms, cutoff_hz)
    if cutoff_hz is not None:
        center, spin = smooth(time, center, cutoff_hz), smooth(time, spin, cutoff_hz)
    force = parts.total * (derivative(time, center, 2) - GRAVITY_VECTOR)
    return Demand(center, force, derivative(time, spin, 1))


def _centers(parts: Segments, transforms: Array) -> Array:
    """Centres of mass of the bodies in ground, (T, B, 3) [m]."""
    turned = np.einsum("tbij,bj->tbi", transforms[..., :3, :3], parts.center)
    return turned + transforms[..., :3, 3]


def _angular_momentum(parts: Segments, time: Array, transforms: Array, cutoff_hz: float | Array | None) -> Array:
    """Angular momentum about the centre of mass of the whole body, (T, 3) [kg m^2 / s]."""
    places, turns = _centers(parts, transforms), transforms[..., :3, :3]
    if cutoff_hz is not None:
        places, turns = smooth(time, places, cutoff_hz), smooth(time, turns, cutoff_hz)
    center = np.einsum("b,tbi->ti", parts.mass, places) / parts.total
    lever = places - center[:, None]
    speed = derivative(time, lever, 1)
    orbital = np.einsum("b,tbi->ti", parts.mass, np.cross(lever, speed))
    # The skew part of dR/dt R^T is the angular velocity; smoothing leaves R a rotation but for terms of second order.
    rate = np.einsum("tbij,tbkj->tbik", derivative(time, turns, 1), turns)
    omega = 0.5 * np.stack(
        [rate[..., 2, 1] - rate[..., 1, 2], rate[..., 0, 2] - rate[..., 2, 0], rate[..., 1, 0] - rate[..., 0, 1]], -1
    )
    own = np.einsum("tbij,bjk,tblk,tbl->ti", turns, parts.inertia, turns, omega, optimize=True)
    return orbital + own
