"""Evaluation on shards: persons and motions that a network, or anything else, has not seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from biopose_sim.kinematics.model import OsimModel
from biopose_sim.neurik.metrics import Scores, angle_errors, body_errors, landmark_distances, together
from biopose_sim.neurik.predict import Predictor
from ik_pipeline.shards import ShardData

Array = NDArray[np.floating]
# Markers (T, M, 3) [m] of a trial, NaN where not seen, and its rate [Hz], disturbed or as they are.
Disturb = Callable[[NDArray[np.float32], float, int], NDArray[np.float32]]
# From a person's marker trials and their rates [Hz] to coordinates (T, n_q) of each, and factors (n_bodies, 3).
Method = Callable[[list[NDArray[np.float32]], list[float]], tuple[list[Array], Array]]


@dataclass(frozen=True)
class TrialScores:
    """Scores of a trial and whose it is."""

    person: str
    trial: str
    action: str | None
    scores: Scores


def network_method(predictor: Predictor) -> Method:
    """Return the network as a method."""

    def solve(markers: list[NDArray[np.float32]], rates: list[float]) -> tuple[list[Array], Array]:
        found = [predictor.coordinates(torch.from_numpy(m), rate) for m, rate in zip(markers, rates)]
        sizes = torch.cat([windows for _, windows in found]).mean(dim=0)
        scales = predictor.skeleton.scales(sizes).double().numpy()
        return [q.double().numpy() for q, _ in found], scales

    return solve


def evaluate(
    data: ShardData,
    model: OsimModel,
    method: Method,
    *,
    disturb: Disturb | None = None,
    most_trials: int | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> list[TrialScores]:
    """Return the scores of every trial of a split.

    Args:
        data: the split.
        model: the generic model of the shards.
        method: what is judged.
        disturb: changes the markers that the method sees.
        most_trials: of each person.
        progress: is told what is being done.
    """
    found: list[TrialScores] = []
    for person, rows in _by_person(data, most_trials):
        progress(f"{person}: {len(rows)} trials")
        trials = [data.trial(row) for row in rows]
        rates = [float(trial["rate"]) for trial in trials]
        markers = [np.array(trial["markers"], dtype=np.float32) for trial in trials]
        if disturb is not None:
            markers = [disturb(m, rate, row) for m, rate, row in zip(markers, rates, rows)]
        coordinates, scales = method(markers, rates)
        for row, trial, q in zip(rows, trials, coordinates):
            entry = data.trials[row]
            scores = score(data.card.content, model, trial, q, scales)
            found.append(TrialScores(person, str(entry["name"]), entry["action"], scores))
    return found


def score(card: Mapping[str, Any], model: OsimModel, trial: Mapping[str, Any], q: Array, scales: Array) -> Scores:
    """Return the scores of predicted coordinates (T, n_q) and factors (n_bodies, 3) of a trial of shards."""
    names = tuple(card["names"]["coordinates"])
    about = card["model"]
    turning = [k for k, c in enumerate(about["coordinates"]) if _counts(c) and trial["coordinates_free"][k]]
    angle = np.full(len(names), np.nan)
    angle[turning] = angle_errors(q[:, turning], np.asarray(trial["coordinates"])[:, turning]).mean(axis=0)
    with torch.no_grad():
        kinematics = model.scale(scales)(torch.from_numpy(np.asarray(q, dtype=float)))
        markers, root = kinematics.markers.numpy(), kinematics.transforms[:, 0, :3, 3].numpy()
        true_q = torch.from_numpy(np.array(trial["coordinates"], dtype=float))
        true_root = model.scale(trial["scales"])(true_q).transforms[:, 0, :3, 3].numpy()
    rows = [card["names"]["markers"].index(name) for name in about["landmarks"]]
    far = landmark_distances(markers[:, rows], np.asarray(trial["model_markers"])[:, rows], root, true_root)
    sizes = {
        body["name"]: [size if axis in body["size_axes"] else 0.0 for axis, size in zip("xyz", body["size"])]
        for body in about["bodies"]
    }
    off = body_errors(scales, np.asarray(trial["scales"], dtype=float), sizes, card["names"]["bodies"])
    return Scores(len(q), angle, names, float(far.mean()), float(off.mean()))


def by(scores: list[TrialScores], what: str) -> dict[str, Scores]:
    """Return scores put together by ``"person"``, ``"trial"``, ``"action"`` or, as "all", for everything."""
    groups: dict[str, list[Scores]] = {}
    for entry in scores:
        key = "all" if what == "all" else str(getattr(entry, what))
        groups.setdefault(key, []).append(entry.scores)
    return {key: together(values) for key, values in groups.items()}


def _by_person(data: ShardData, most: int | None) -> Iterator[tuple[str, list[int]]]:
    rows: dict[str, list[int]] = {}
    for row, trial in enumerate(data.trials):
        rows.setdefault(str(trial["person"]), []).append(row)
    for person, own in rows.items():
        yield person, own[:most]


def _counts(coordinate: Mapping[str, Any]) -> bool:
    return coordinate["motion_type"] == "rotational" and not (coordinate["locked"] or coordinate["dependent"])
