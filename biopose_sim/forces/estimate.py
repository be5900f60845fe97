"""Estimating the ground's forces on the feet from a motion alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from biopose_sim.errors import InputError
from biopose_sim.forces import contact, momentum
from biopose_sim.forces.sharing import Asked, Shares, share
from biopose_sim.forces.types import GRAVITY, FootForce, GroundReaction
from biopose_sim.io import Motion
from biopose_sim.kinematics.model import OsimModel

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

IMPACT_HZ = 12.0  # [Hz] near flight, where forces rise within 50 ms
_NEAR_FLIGHT = 0.25  # [s] before take-off and after landing
_SHORTEST = 0.04  # [s] of a flight
_FREE, _BORNE = 0.5, 0.5  # of the body weight: below may be flight, above something bears it
_STRONG = 0.05
_LOADED = 0.01  # of the body weight; less is no load
_FULLY = 0.3  # strength of the strongest point from which the feet bear all; less, while they land or leave
_LOCAL = 0.2  # [s] over which the uncertainty of a force is judged
_FEWEST = 10  # frames
_MOST_CUTOFF = 0.3  # of the sampling rate


def estimate_ground_reaction(
    model: OsimModel,
    motion: Motion,
    *,
    cutoff_hz: float = 6.0,
    impact_hz: float = IMPACT_HZ,
    mass: float | None = None,
) -> GroundReaction:
    """Estimate what the ground does to each foot, by Newton and Euler on the whole body.

    The bodies' masses and motion give the force and the moment that all contacts together must exert. Points of the
    soles that are down share them (see :func:`biopose_sim.forces.sharing.share`): each pushes within a friction cone,
    so that the centre of pressure stays inside the foot, and in double support the moment says how much each foot
    bears (contact points as in Fluit et al. 2014, J. Biomech. 47:2321). In flight the person falls freely. What the
    feet cannot explain, e.g. a chair before seat-off, is left as the residual.

    Args:
        model: the scaled model; its masses are those of its file.
        motion: as measured: it is smoothed here, do not filter it before.
        cutoff_hz: of the smoothing [Hz].
        impact_hz: of the same within 0.25 s of a flight [Hz]; at least ``cutoff_hz``, at most 0.3 of the frame rate.
        mass: of the person [kg]; None takes that of the model.

    Raises:
        InputError: the model has no masses or no feet; the motion is too short, has gaps or is not of this model; a
            cut-off that the sampling rate does not allow.
    """
    time = np.asarray(motion.time, dtype=float)
    impact_hz = _allowed(motion, time, cutoff_hz, impact_hz)
    parts = momentum.segments(model, mass)
    weight = parts.total * GRAVITY
    transforms = momentum.body_transforms(model, motion)
    soles, notes = contact.soles(model, time, transforms)
    first = momentum.demand(parts, time, transforms, cutoff_hz)
    seat, sitting = contact.seat(model, time, transforms, soles, first.force, first.moment, first.center)
    soles, raised = contact.raised_floor(soles, time, first.force[:, 1] > _BORNE * weight, sitting)
    rough = momentum.demand(parts, time, transforms, impact_hz)
    flight = _flights(time, soles, sitting, rough.force[:, 1] < _FREE * weight)
    sharp = momentum.demand(parts, time, transforms, _cutoffs(time, flight, cutoff_hz, impact_hz))
    needed = _sharpened(first, sharp, weight)
    levers = np.concatenate([foot.points for foot in soles], axis=1) - needed.center[:, None]
    strength = np.concatenate([foot.strength for foot in soles], axis=1) * ~flight[:, None]
    force_doubt, moment_doubt = (
        _local_size(time, getattr(rough, what) - getattr(first, what)) for what in ("force", "moment")
    )
    borne = np.minimum(np.maximum(strength.max(axis=1), sitting) / _FULLY, 1.0)[:, None]
    asked = Asked(needed.force * borne, needed.moment * borne, force_doubt, moment_doubt)
    shares = share(asked, levers, strength, seat - needed.center, sitting, weight)
    return _reaction(motion, soles, needed, shares, weight, (*notes, *raised), cutoff_hz)


def _allowed(motion: Motion, time: Array, cutoff_hz: float, impact_hz: float) -> float:
    """The cut-off near flights that the sampling rate allows [Hz]."""
    where = motion.source or motion.name
    if len(time) < _FEWEST:
        raise InputError(where, f"has {len(time)} frames", f"an estimate of forces needs at least {_FEWEST}")
    rate = 1.0 / float(np.median(np.diff(time)))
    most = _MOST_CUTOFF * rate
    if not 0.0 < cutoff_hz <= most:
        problem = f"cutoff_hz is {cutoff_hz:g} at {rate:.0f} frames a second"
        raise InputError(where, problem, f"use up to {most:.1f} Hz")
    return max(cutoff_hz, min(impact_hz, most))


def _flights(time: Array, soles: tuple[contact.Soles, ...], sitting: Array, light: Mask) -> Mask:
    """Frames in which nothing touches the person."""
    down = np.any([foot.strength.max(axis=1) > _STRONG for foot in soles], axis=0)
    flight = ~down & light & (sitting < _STRONG)
    for start, end in contact.episodes(flight):
        if time[end - 1] - time[start] < _SHORTEST:
            flight[start:end] = False
    return flight


def _cutoffs(time: Array, flight: Mask, cutoff_hz: float, impact_hz: float) -> Array:
    """Cut-off of each frame: higher around flights, where forces change fast."""
    if not flight.any() or impact_hz <= cutoff_hz:
        return np.full(len(time), cutoff_hz)
    apart = np.min(np.abs(time[:, None] - time[flight][None]), axis=1)
    return cutoff_hz + (impact_hz - cutoff_hz) * contact.ramp(apart, 0.8 * _NEAR_FLIGHT, 1.2 * _NEAR_FLIGHT)


def _sharpened(calm: momentum.Demand, sharp: momentum.Demand, weight: float) -> momentum.Demand:
    """The vertical force of the sharp demand, acting where and in the direction in which the calm one does."""
    ratio = np.clip(sharp.force[:, 1] / np.maximum(calm.force[:, 1], 0.2 * weight), 0.0, 3.0)[:, None]
    force = calm.force * ratio
    force[:, 1] = sharp.force[:, 1]
    return momentum.Demand(sharp.center, force, calm.moment * ratio)


def _local_size(time: Array, values: Array) -> Array:
    """Root mean square over 0.2 s, (T, 3) -> (T, 3)."""
    from scipy.ndimage import uniform_filter1d

    width = max(1, round(_LOCAL / float(np.median(np.diff(time)))))
    return np.asarray(np.sqrt(uniform_filter1d(values**2, width, axis=0, mode="nearest")))


def _reaction(
    motion: Motion,
    soles: tuple[contact.Soles, ...],
    needed: momentum.Demand,
    shares: Shares,
    weight: float,
    notes: tuple[str, ...],
    cutoff_hz: float,
) -> GroundReaction:
    count = soles[0].points.shape[1]
    feet, moment = [], needed.moment.copy()
    for index, foot in enumerate(soles):
        forces = shares.points[:, index * count : (index + 1) * count]
        made = _foot(foot, forces, weight)
        moment -= np.cross(made.point - needed.center, made.force) + made.torque
        feet.append(made)
    total = np.sum([foot.force for foot in feet], axis=0)
    reaction = GroundReaction(
        name=motion.name,
        time=np.asarray(motion.time, dtype=float),
        feet=tuple(feet),
        origin="estimated",
        source=f"estimated from the motion (Newton-Euler, {cutoff_hz:g} Hz)",
        residual_force=needed.force - total,
        residual_moment=moment,
    )
    seat = shares.seat / weight
    left = _rms((needed.force - total - shares.seat) / weight), _rms(moment)
    said = f"the feet leave {100 * left[0]:.1f} % of the body weight unexplained"
    residual = f"{said} (root mean square, a seat's force apart) and {left[1]:.0f} N m"
    return replace(reaction, notes=(*notes, *_seat_notes(reaction.time, seat[:, 1]), residual))


def _rms(vectors: Array) -> float:
    return float(np.sqrt(np.mean(np.sum(vectors**2, axis=1))))


def _foot(foot: contact.Soles, forces: Array, weight: float) -> FootForce:
    """Force, centre of pressure and free moment of one foot from those of its points."""
    force = forces.sum(axis=1)
    loaded = force[:, 1] > _LOADED * weight
    force[~loaded] = 0.0
    upward = np.where(loaded[:, None], forces[..., 1], 1.0)
    point = np.einsum("tp,tpi->ti", upward, foot.points) / upward.sum(axis=1, keepdims=True)
    torque = np.cross(foot.points - point[:, None], forces).sum(axis=1) * loaded[:, None]
    torque[:, [0, 2]] = 0.0  # but for the free moment they come of the heights of the points
    return FootForce(foot.body, force, point, torque)


def _seat_notes(time: Array, share_of_weight: Array) -> tuple[str, ...]:
    """Say when something else than the feet bears the person."""
    spans = [(time[a], time[b - 1]) for a, b in contact.episodes(share_of_weight > 0.1) if time[b - 1] - time[a] > 0.1]
    if not spans:
        return ()
    said = ", ".join(f"{start:.2f} to {end:.2f} s" for start, end in spans[:5]) + (", ..." if len(spans) > 5 else "")
    text = f"sitting from {said}: a seat bears what the feet cannot, left as the residual"
    return (text + "; the feet's share then is little known",)
