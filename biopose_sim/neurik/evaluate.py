"""Evaluation on shards: persons and motions that a network, or anything else, has not seen."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray

from biopose_sim.errors import InputError
from biopose_sim.io import Trial
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.neurik.metrics import Scores, together
from biopose_sim.neurik.predict import FEWEST_MARKERS, Predictor
from biopose_sim.neurik.scoring import score
from ik_pipeline.shards import ShardData

__all__ = [
    "Answer",
    "Disturb",
    "Method",
    "Named",
    "TrialScores",
    "as_trial",
    "by",
    "choose_persons",
    "evaluate",
    "network_method",
    "refined_method",
    "score",
]

Array = NDArray[np.floating]
Markers = NDArray[np.float32]
# Markers (T, M, 3) [m] of a trial, NaN where not seen, its rate [Hz] and its row in the split; returns what is seen.
Disturb = Callable[[Markers, float, int], Markers]


class Answer(NamedTuple):
    """What a method says of a person.

    Attributes:
        coordinates: (T, n_q) of each trial [rad | m]; NaN where nothing is known.
        scales: factors (n_bodies, 3); None where the method has none.
        marker_offsets: of the markers from where scaling puts them, in body axes (M, 3) [m]; None: they lie there.
    """

    coordinates: list[Array]
    scales: Array | None
    marker_offsets: Array | None = None


# From a person's marker trials and their rates [Hz].
Method = Callable[[list[Markers], list[float]], Answer]


@dataclass(frozen=True)
class TrialScores:
    """Scores of a trial and whose it is.

    Attributes:
        person: id of the person.
        trial: name of the trial.
        action: what is done in it, where known.
        scores: of the trial.
        seconds: that the method took, its share of the person's by frames.
    """

    person: str
    trial: str
    action: str | None
    scores: Scores
    seconds: float = math.nan


@runtime_checkable
class Named(Protocol):
    """A method that answers by the names of the trials: what another system found is looked up."""

    def named(self, person: str, trials: Sequence[str], times: Sequence[Array]) -> Answer:
        """Return what a `Method` does, for trials at these times [s]; rows of NaN where nothing is known."""


def network_method(predictor: Predictor, names: Sequence[str] | None = None) -> Method:
    """Return the network as a method.

    Args:
        predictor: of the network.
        names: of the markers it will be given; in the order of its own if None.

    Raises:
        InputError: not all of the network's markers are among the names.
    """
    columns = _columns(predictor, names)

    def solve(markers: list[Markers], rates: list[float]) -> Answer:
        given = [torch.from_numpy(np.ascontiguousarray(m[:, columns])) for m in markers]
        found = predictor.motions(given, rates)
        scales, offsets = predictor.size([windows for _, windows in found])
        coordinates = [q.double().numpy() for q, _ in found]
        if not (np.isfinite(scales).all() and all(np.isfinite(q).all() for q in coordinates)):
            raise InputError("the network", "gives no numbers", "its weights are damaged: get them anew")
        return Answer(coordinates, scales, offsets)

    return solve


def refined_method(predictor: Predictor, names: Sequence[str]) -> Method:
    """Return the network with the engine's polish (`neurik.refine`) as a method; arguments as `network_method`."""
    _columns(predictor, names)

    def solve(markers: list[Markers], rates: list[float]) -> Answer:
        trials = [as_trial(f"trial{k}", m, rate, names) for k, (m, rate) in enumerate(zip(markers, rates))]
        found = predictor.person(trials, refine=True)
        return Answer([result.coordinates for result in found.results], found.scales, found.marker_offsets)

    return solve


def as_trial(name: str, markers: Markers, rate: float, names: Sequence[str]) -> Trial:
    """Return markers (T, M, 3) [m] of shards, which have these names, as a trial."""
    time = np.arange(len(markers)) / rate
    return Trial.checked(name, time, np.asarray(markers, dtype=float), names, nominal_rate=rate)


def evaluate(
    data: ShardData,
    model: OsimModel,
    method: Method | Named,
    *,
    disturb: Disturb | None = None,
    most_trials: int | None = None,
    most_persons: int | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> list[TrialScores]:
    """Return the scores of every trial of a split; trials that the method knows nothing of are left out.

    Args:
        data: the split.
        model: the generic model of the shards.
        method: what is judged.
        disturb: changes the markers that the method sees.
        most_trials: of each person.
        most_persons: spread over the split; all if None.
        progress: is told what is being done.

    Raises:
        InputError: the split has no trial, or a trial has no frame with ten markers.
    """
    chosen = choose_persons(data, most_persons, most_trials)
    found: list[TrialScores] = []
    for count, (person, rows) in enumerate(chosen, start=1):
        progress(f"{person}, {len(rows)} trials ({count} of {len(chosen)})")
        trials = [data.trial(row) for row in rows]
        rates = [float(trial["rate"]) for trial in trials]
        start = time.perf_counter()
        if isinstance(method, Named):
            known = [data.trials[row] for row in rows]
            times = [t["start_s"] + np.arange(len(x["markers"])) / rate for t, x, rate in zip(known, trials, rates)]
            answer = method.named(person, [str(t["name"]) for t in known], times)
        else:
            markers = list(_seen(data, rows, rates, disturb))
            start = time.perf_counter()
            answer = method(markers, rates)
        seconds = time.perf_counter() - start
        person_of = answer.scales, answer.marker_offsets
        scores = [score(data.card.content, model, x, q, *person_of) for x, q in zip(trials, answer.coordinates)]
        each = seconds / max(sum(s.frames for s in scores), 1)
        for row, own in zip(rows, scores):
            if own.frames:
                entry = data.trials[row]
                found.append(TrialScores(person, str(entry["name"]), entry["action"], own, each * own.frames))
    return found


def choose_persons(
    data: ShardData, most_persons: int | None = None, most_trials: int | None = None
) -> list[tuple[str, list[int]]]:
    """Return persons and the rows of their trials: the first trials of persons spread over the split.

    Raises:
        InputError: the split has no trial.
    """
    rows: dict[str, list[int]] = {}
    for row, trial in enumerate(data.trials):
        rows.setdefault(str(trial["person"]), []).append(row)
    if not rows:
        raise InputError(data.folder, f"its split {data.split!r} has no trials", "give another split")
    persons = list(rows)
    if most_persons is not None and most_persons < len(persons):
        persons = [persons[k] for k in np.linspace(0, len(persons) - 1, most_persons).round().astype(int)]
    return [(person, rows[person][:most_trials]) for person in persons]


def by(scores: list[TrialScores], what: str) -> dict[str, Scores]:
    """Return scores put together by ``"person"``, ``"trial"``, ``"action"`` or, as "all", for everything."""
    groups: dict[str, list[Scores]] = {}
    for entry in scores:
        key = "all" if what == "all" else str(getattr(entry, what))
        groups.setdefault(key, []).append(entry.scores)
    return {key: together(values) for key, values in groups.items()}


def _seen(data: ShardData, rows: Sequence[int], rates: Sequence[float], disturb: Disturb | None) -> Iterator[Markers]:
    """What a method sees of the trials."""
    for row, rate in zip(rows, rates):
        markers = np.array(data.trial(row)["markers"], dtype=np.float32)
        if np.isfinite(markers).all(axis=2).sum(axis=1).max(initial=0) < FEWEST_MARKERS:
            entry = data.trials[row]
            problem = f"trial {entry['name']} of {entry['person']} has no frame with ten markers"
            raise InputError(data.folder / data.split, problem, "write the shards again without it")
        yield markers if disturb is None else disturb(markers, rate, row)


def _columns(predictor: Predictor, names: Sequence[str] | None) -> list[int]:
    own = predictor.skeleton.model.marker_names
    if names is None:
        return list(range(len(own)))
    if lost := [name for name in own if name not in names]:
        problem = f"lack {len(lost)} of the network's {len(own)} markers: {', '.join(lost[:4])}"
        raise InputError("the shards", problem, "give a network that was trained on such markers")
    return [list(names).index(name) for name in own]
