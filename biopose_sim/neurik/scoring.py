"""Scores of a trial of shards: what is compared with what."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from biopose_sim.kinematics.model import ForwardKinematics, OsimModel
from biopose_sim.neurik.metrics import Scores, angle_errors, body_errors, landmark_distances, orientation_errors

Array = NDArray[np.floating]


def score(
    card: Mapping[str, Any],
    model: OsimModel,
    trial: Mapping[str, Any],
    q: Array,
    scales: Array | None,
    marker_offsets: Array | None = None,
) -> Scores:
    """Return the scores of predicted coordinates and factors of a trial.

    Angles count where the coordinate is rotational, neither locked nor dependent, and was solved for in the trial; the
    root's are among them. Landmarks need all free coordinates and the factors, orientations all free coordinates; the
    true landmarks are those of the person, who has them elsewhere than scaling puts them.

    Args:
        card: content of the shards' card.
        model: their generic model.
        trial: as `ShardData.trial` returns it.
        q: (T, n_q) [rad | m]; rows of NaN are frames that were not solved, columns of NaN coordinates that the
            method does not have.
        scales: factors (n_bodies, 3); None where the method has none.
        marker_offsets: where the method says that the person's markers lie, from where scaling puts them, in body
            axes (M, 3) [m]; None: there.
    """
    about, names = card["model"], tuple(card["names"]["coordinates"])
    predicted = np.asarray(q, dtype=float)
    solved = np.isfinite(predicted).any(axis=1)
    predicted, true = predicted[solved], np.asarray(trial["coordinates"], dtype=float)[solved]
    angles = [k for k, c in enumerate(about["coordinates"]) if counts(c) and trial["coordinates_free"][k]]
    angle = np.full(len(names), np.nan)
    if len(predicted):
        errors = angle_errors(predicted[:, angles], true[:, angles])
        angle[angles] = [_mean(column) for column in errors.T]
    sure = np.where(np.asarray(trial["coordinates_determined"], dtype=bool), angle, np.nan)
    landmarks, orientation = _poses(card, model, trial, predicted, solved, scales, marker_offsets)
    body = math.nan
    if scales is not None:
        off = body_errors(scales, np.asarray(trial["scales"], dtype=float), _sizes(about), card["names"]["bodies"])
        body = _mean(off)
    return Scores(len(predicted), angle, names, landmarks, body, sure, orientation, _beyond(about, predicted))


def counts(coordinate: Mapping[str, Any]) -> bool:
    """Whether an entry of the card is an angle that is predicted: rotational, neither locked nor dependent."""
    return coordinate["motion_type"] == "rotational" and not (coordinate["locked"] or coordinate["dependent"])


def _poses(
    card: Mapping[str, Any],
    model: OsimModel,
    trial: Mapping[str, Any],
    q: Array,
    solved: NDArray[np.bool_],
    scales: Array | None,
    marker_offsets: Array | None,
) -> tuple[float, float]:
    """MPBLPE [mm] and the mean error of the segments' orientations [deg]."""
    about = card["model"]
    needed = np.array([not (c["locked"] or c["dependent"]) for c in about["coordinates"]])
    whole = np.isfinite(q[:, needed]).all(axis=1)
    if not whole.any():
        return math.nan, math.nan
    defaults = model.default_coordinates.numpy()
    found = _kinematics(model, np.where(np.isfinite(q[whole]), q[whole], defaults), scales, marker_offsets)
    rows = np.flatnonzero(solved)[whole]
    truth = _kinematics(
        model, np.asarray(trial["coordinates"], dtype=float)[rows], np.array(trial["scales"], dtype=float)
    )
    turned, true_turned = found.transforms.numpy(), truth.transforms.numpy()
    bodies = [card["names"]["bodies"].index(name) for name in dict.fromkeys(m["body"] for m in about["markers"])]
    turns = orientation_errors(turned[:, bodies, :3, :3], true_turned[:, bodies, :3, :3])
    if scales is None:
        return math.nan, float(turns.mean())
    landmarks = [card["names"]["markers"].index(name) for name in about["landmarks"]]
    root = card["names"]["bodies"].index(about["root_body"])
    far = landmark_distances(
        found.markers.numpy()[:, landmarks],
        np.asarray(trial["model_markers"])[rows][:, landmarks],
        turned[:, root, :3, 3],
        true_turned[:, root, :3, 3],
    )
    return _mean(far), float(turns.mean())


@torch.no_grad()
def _kinematics(
    model: OsimModel, q: Array, scales: Array | None, marker_offsets: Array | None = None
) -> ForwardKinematics:
    scaled = model if scales is None else model.scale(scales, marker_offsets)
    found: ForwardKinematics = scaled(torch.from_numpy(np.asarray(q, dtype=float)))
    return found


def _sizes(about: Mapping[str, Any]) -> dict[str, list[float]]:
    return {
        body["name"]: [size if axis in body["size_axes"] else 0.0 for axis, size in zip("xyz", body["size"])]
        for body in about["bodies"]
    }


def _beyond(about: Mapping[str, Any], q: Array) -> float:
    """How far an angle with limits is outside of them at most [deg]; numbers of single precision are let pass."""
    limited = [k for k, c in enumerate(about["coordinates"]) if counts(c) and c["clamped"]]
    if not limited or not len(q):
        return math.nan
    low, high = np.array([about["coordinates"][k]["range"] for k in limited]).T
    excess = np.maximum(low - q[:, limited], q[:, limited] - high)
    known = excess[np.isfinite(excess)]
    most = float(np.degrees(known.max())) if known.size else math.nan
    return 0.0 if most < _ROUNDING else most


_ROUNDING = 1e-4  # [deg]


def _mean(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else math.nan
