"""Plausibility of a scaled person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from biopose_sim.ik.groups import SizePrior, make_groups, split_side
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.kinematics.soles import has_soles, place_soles
from ik_pipeline.quality.markers import ranked
from ik_pipeline.quality.types import PersonQuality, TrialQuality
from ik_pipeline.types import ModelChoice, ScaledPerson

Array = NDArray[np.float64]
# Proportions of 99 of 100 people lie within so many standard deviations of the prior.
PLAUSIBLE_SD = 2.5
_LEAST_MASS = 1e-3  # [kg]
_AXES = "xyz"


def measure_person(
    scaled: ScaledPerson, choice: ModelChoice, trials: Mapping[str, TrialQuality], stature: float | None = None
) -> PersonQuality:
    """Measure how plausible a scaled person is.

    Args:
        scaled: the person's model.
        choice: what it was scaled from; its prior says how people's proportions vary.
        trials: quality of the person's trials, by name.
        stature: of the person [m], where known.
    """
    model = scaled.model
    logs = np.log(scaled.scales)
    groups = make_groups(model.body_names)
    # By mass, so that a patella or a talus does not count as much as the bone it belongs to.
    masses = np.maximum([body.mass for body in model.model.bodies], _LEAST_MASS)
    on = [groups.group == g for g in range(len(groups.names))]
    parts = np.array([np.average(logs[own], axis=0, weights=masses[own]) for own in on])
    size = float(parts.mean())
    relative = parts - size
    names = [f"{part} {axis}" for part in groups.names for axis in _AXES]
    departures = relative.ravel()
    order = np.argsort(-np.abs(departures), kind="stable")
    beyond = plausible_departure(choice.fit.prior)
    asymmetry, asymmetric = _asymmetry(model.body_names, logs)
    moved = 1e3 * np.linalg.norm(scaled.marker_offsets, axis=1)
    is_landmark = np.array([name in choice.landmarks for name in model.marker_names], dtype=bool)
    qualities = list(trials.values())
    return PersonQuality(
        trials=len(qualities),
        frames=sum(q.frames for q in qualities),
        marker_rms=_pooled([(q.marker_rms, q.frames) for q in qualities]),
        landmark_rms=_pooled([(q.landmark_rms, q.frames) for q in qualities]),
        tracking_rms=_pooled([(q.tracking_rms, q.frames) for q in qualities]),
        size=float(np.exp(size)),
        parts=tuple((part, _vec(np.exp(row))) for part, row in zip(groups.names, relative)),
        departures=tuple((names[k], float(departures[k])) for k in order if abs(departures[k]) > beyond),
        departure=float(np.abs(departures[order[0]])),
        furthest=names[order[0]],
        asymmetry=asymmetry,
        asymmetric=asymmetric,
        model_stature=model_stature(model),
        stature=stature,
        offsets=ranked(model.marker_names, moved),
        landmark_offset=float(moved[is_landmark].max()) if is_landmark.any() else None,
        tracking_offset=float(moved[~is_landmark].max()) if (~is_landmark).any() else None,
    )


def plausible_departure(prior: SizePrior) -> float:
    """How far a dimension may be from the body's mean factor in nearly all people [logarithm of the factor]."""
    return PLAUSIBLE_SD * float(np.hypot(prior.part, prior.dimension))


def model_stature(model: OsimModel) -> float | None:
    """Height of the standing model from its soles to the top of its head [m].

    The top is the highest marker of the head, else as far above the head's joint again as its centre of mass is (the
    centre lies midway between C7 and the vertex; de Leva 1996). None for a model without a head or the usual feet.
    """
    sides = [side for side in "rl" if has_soles(model, side)]
    groups = make_groups(model.body_names)
    if "head" not in groups.names or not sides:
        return None
    q = np.zeros((1, len(model.coordinate_names)))
    with torch.no_grad():
        forward = model(torch.from_numpy(q))
        transforms, points = forward.transforms.numpy(), forward.markers.numpy()[0]
    floor = min(float(place_soles(model, transforms, side)[..., 1].min()) for side in sides)
    on_head = groups.group == groups.names.index("head")
    own = [k for k, body in enumerate(model.tree.marker_body) if body >= 0 and on_head[body]]
    if own:
        top = float(points[own, 1].max())
    else:
        body = int(np.flatnonzero(on_head)[-1])
        centre = 2.0 * np.array(model.model.bodies[body].mass_center) * model.scales[body]
        top = float(transforms[0, body, 1, :3] @ centre + transforms[0, body, 1, 3])
    return top - floor


def _asymmetry(bodies: Sequence[str], logs: Array) -> tuple[float | None, str | None]:
    """The largest difference of the factors of both sides, and where it is."""
    rows = {split_side(name): row for name, row in zip(bodies, logs)}
    pairs = [
        (base, np.abs(row - rows[base, "l"]))
        for (base, side), row in rows.items()
        if (base, "l") in rows and side == "r"
    ]
    if not pairs:
        return None, None
    base, apart = max(pairs, key=lambda pair: float(pair[1].max()))
    return float(apart.max()), f"{base} {_AXES[int(apart.argmax())]}" if apart.max() > 0.0 else None


def _pooled(values: Sequence[tuple[float | None, int]]) -> float | None:
    """RMS over trials, weighted with their frames; trials without a value are left out."""
    known = [(value, frames) for value, frames in values if value is not None and frames]
    total = sum(frames for _, frames in known)
    return float(np.sqrt(sum(value**2 * frames for value, frames in known) / total)) if total else None


def _vec(row: Array) -> tuple[float, float, float]:
    return (round(float(row[0]), 6), round(float(row[1]), 6), round(float(row[2]), 6))
