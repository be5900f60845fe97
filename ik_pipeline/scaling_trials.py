"""Which trials of a person, and which of their frames, a model is scaled from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from biopose_sim.errors import InputError
from biopose_sim.io import Trial
from ik_pipeline.types import Array, ModelChoice, PersonSpec, TrialSpec

# What a source says of a trial that takes the body through its joints' ranges: no further motion is needed.
RANGE_OF_MOTION = "range of motion"
MOST_STATIC, MOST_MOTIONS = 2, 4
MOST_WITHOUT_STATIC = 6
STILL = 0.005  # [m] that markers may move within the chosen frames (median over markers)
LONGEST = 1.0  # [s] of chosen frames
# A frame with a speed of 1 m/s is as bad as one whose markers are 10 cm from the upright pose.
_SECONDS = 0.1
_SCORED_FRAMES = 2000  # of a trial at most


def choose_scaling_trials(person: PersonSpec) -> tuple[tuple[TrialSpec, ...], str]:
    """Return the trials to read for scaling and the sentence that says why.

    Static trials (marked by the source) come first; motions are spread over the actions, for they tell where joints
    are. Few, so that reading them costs little.

    Raises:
        InputError: the person has no trials.
    """
    if not person.recordings:
        raise InputError(person.id, "has no trials", "a person without recordings cannot be scaled")
    static = tuple(t for t in person.recordings if t.scaling is not None)[:MOST_STATIC]
    others = [t for t in person.trials if t not in static]
    wanted = MOST_MOTIONS if static else MOST_WITHOUT_STATIC
    if any(t.scaling == RANGE_OF_MOTION for t in static):
        wanted = 0
    motions = _spread(others, wanted)
    said = [f"{t.name} ({t.scaling})" for t in static]
    if motions:
        spread = "motions spread over the actions" if len(motions) < len(others) else "all motions"
        said.append(f"{spread}: {', '.join(t.name for t in motions)}")
    start = "scaled from " if static else "no static trial: scaled from "
    return (*static, *motions), start + " and ".join(said)


def _spread(trials: Sequence[TrialSpec], count: int) -> tuple[TrialSpec, ...]:
    """Trials of as many actions as possible, evenly over the order of the source."""
    if count == 0:
        return ()
    first: dict[str, TrialSpec] = {}
    for trial in trials:
        first.setdefault(trial.action or trial.name, trial)
    several = list(first.values())
    if len(several) < count:
        several += [t for t in trials if t not in several][: count - len(several)]
    rows = sorted(set(np.linspace(0, len(several) - 1, min(count, len(several))).round().astype(int).tolist()))
    return tuple(several[row] for row in rows)


def choose_static_frames(choice: ModelChoice, trials: Sequence[tuple[TrialSpec, Trial]]) -> tuple[Trial, str]:
    """Return the frames for the ScaleTool and the sentence that says which and why.

    Of static trials, where there are some, else of all: the frames around the one in which the markers of the
    measurements are seen, hardly move and lie as in the model's upright default pose.

    Args:
        choice: the model and its marker pairs.
        trials: those chosen by :func:`choose_scaling_trials`.

    Returns:
        Consecutive frames of one trial, and why these.

    Raises:
        InputError: no trial shares three markers with the model.
    """
    static = [pair for pair in trials if pair[0].scaling not in (None, RANGE_OF_MOTION)]
    best: tuple[float, int, int, Array] | None = None
    pool = static or list(trials)
    for k, (_, trial) in enumerate(pool):
        scored = _scores(choice, trial)
        if scored is None:
            continue
        frames, scores = scored
        row = int(np.argmin(scores))
        if best is None or scores[row] < best[0]:
            best = float(scores[row]), k, int(frames[row]), scores
    if best is None:
        raise InputError("scaling", "no trial shares three markers with the model", "rename the markers")
    spec, trial = pool[best[1]]
    first, last = _still_around(choice, trial, best[2])
    chosen = trial.crop(float(trial.time[first]), float(trial.time[last]))
    span = f"{trial.time[first]:.2f} to {trial.time[last]:.2f} s of {spec.name}"
    why = (
        f"the {spec.scaling} trial" if static else "the stillest and most upright frames, for there is no static trial"
    )
    return chosen, f"{span} ({chosen.n_frames} frames): {why}"


def _common(choice: ModelChoice, trial: Trial) -> list[str]:
    return [name for name in choice.model.marker_names if name in trial.marker_names]


def _scores(choice: ModelChoice, trial: Trial) -> tuple[NDArray[np.int64], Array] | None:
    """Frames (n,) and how unfit each is (n,) [m]; None for a trial with too few markers."""
    names = _common(choice, trial)
    if len(names) < 3:
        return None
    frames = np.unique(np.linspace(0, trial.n_frames - 1, min(trial.n_frames, _SCORED_FRAMES)).astype(np.int64))
    columns = [trial.marker_names.index(name) for name in names]
    markers = trial.markers[:, columns]
    model = choice.model
    points = model(model.default_coordinates).markers.numpy()[[model.marker_names.index(n) for n in names]]
    measured = {name for m in choice.measurements for pair in m.pairs for name in pair}
    wanted = np.array([name in measured for name in names]) if measured & set(names) else np.ones(len(names), bool)
    seen = np.isfinite(markers[frames]).all(axis=2)
    unseen = (~seen[:, wanted]).sum(axis=1)
    speed = _speeds(trial, markers)[frames]
    return frames, _misfits(points, markers[frames], seen) + _SECONDS * speed + 1.0 * unseen


def _speeds(trial: Trial, markers: Array) -> Array:
    """Median speed of the markers, (T,) [m/s]; 0 where it cannot be told."""
    if trial.n_frames < 2:
        return np.zeros(trial.n_frames)
    with np.errstate(invalid="ignore"):
        speeds = np.linalg.norm(np.gradient(markers, trial.time, axis=0), axis=2)
    told = np.isfinite(speeds).any(axis=1)
    result = np.zeros(trial.n_frames)
    if told.any():
        result[told] = np.nanmedian(speeds[told], axis=1)
    return result


def _misfits(points: Array, markers: Array, seen: NDArray[np.bool_]) -> Array:
    """Root mean square distance [m] of markers (F, M, 3) from points (M, 3), turned and sized to fit.

    They turn about the vertical: the best turn and factor in the plane are those of a complex regression (x + iz); one
    factor serves the height too.
    """
    weight = seen / np.maximum(seen.sum(axis=1, keepdims=True), 1)
    b = np.where(seen[:, :, None], markers, 0.0)
    b = b - (weight[:, :, None] * b).sum(axis=1, keepdims=True)
    a = points[None] - (weight[:, :, None] * points[None]).sum(axis=1, keepdims=True)
    a, b = (np.where(seen[:, :, None], v, 0.0) for v in (a, b))
    flat_a, flat_b = (v[:, :, 0] + 1j * v[:, :, 2] for v in (a, b))
    across = (weight * np.conj(flat_a) * flat_b).sum(axis=1)
    along = (weight * a[:, :, 1] * b[:, :, 1]).sum(axis=1)
    own, other = ((weight[:, :, None] * v**2).sum(axis=(1, 2)) for v in (a, b))
    factor = np.maximum(np.abs(across) + along, 0.0) / np.maximum(own, 1e-12)
    return np.sqrt(np.maximum(other - factor**2 * own, 0.0))


def _still_around(choice: ModelChoice, trial: Trial, frame: int) -> tuple[int, int]:
    """First and last frame around one in which markers stay where they are."""
    columns = [trial.marker_names.index(name) for name in _common(choice, trial)]
    markers = trial.markers[:, columns]
    seen = np.isfinite(markers[frame]).all(axis=1)

    def still(other: int) -> bool:
        moved = np.linalg.norm(markers[other, seen] - markers[frame, seen], axis=1)
        near = abs(trial.time[other] - trial.time[frame]) <= 0.5 * LONGEST
        return bool(near and np.isfinite(moved).all() and np.median(moved) <= STILL)

    first = last = frame
    while first > 0 and still(first - 1):
        first -= 1
    while last + 1 < trial.n_frames and still(last + 1):
        last += 1
    return first, last
