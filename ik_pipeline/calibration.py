"""Places of the virtual markers on the default model, calibrated on people of many shapes in many poses.

Each person's size, motion and marker offsets are fitted; a marker's place is the mean over people of where it came to
lie, in the axes of the unscaled segment, the same on both sides. Repeated, because the offsets of one round pull on
the sizes and poses of that round. Bony landmarks are held near their anatomical places in every round, always the same
ones: without that, a segment and its joints could wander under their markers and no marker would tell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from scipy.stats import trim_mean

from biopose_sim.bodies.virtual import VirtualMarker
from biopose_sim.errors import InputError
from biopose_sim.ik.fit import FitResult, fit
from biopose_sim.ik.groups import SizePrior
from biopose_sim.io import Trial
from ik_pipeline.rigidity import Rigidity, measure_rigidity
from ik_pipeline.virtual_fit import LANDMARK_SD, PRIOR, virtual_fit_config, virtual_model

Array = NDArray[np.floating]
# Weight of a marker without any motion of its own, and the error at which half of it is left [m].
_MOST_WEIGHT, _LEAST_WEIGHT, _HALF_WEIGHT = 10.0, 0.2, 0.004
_TRIM = 0.15
# Segments whose landmarks may go where the motion puts them: they carry no further joint that would move along, and
# body models turn them about a joint of their own (Anny: the head 6 cm above C7, the model: 3 cm below).
UNBOUND = ("head",)


@dataclass(frozen=True)
class CalibrationConfig:
    """How to calibrate.

    Attributes:
        rounds: of fits and averages.
        frames: of each person used in a fit.
        landmark_sd: how far a person's landmark may lie from its anatomical place, standard deviation [m].
        tracking_sd: the same for tracking markers and their place of the round before [m].
        most_moved: no landmark's place leaves the anatomical one by more [m], but for those of `UNBOUND` segments.
        prior: how people's proportions vary.
    """

    rounds: int = 3
    frames: int = 60
    landmark_sd: float = LANDMARK_SD
    tracking_sd: float = 0.03
    most_moved: float = 0.015
    prior: SizePrior = PRIOR


@dataclass(frozen=True, eq=False)
class Calibration:
    """Calibrated markers and how they behave.

    Attributes:
        markers: with their places and weights.
        moved: (M,) distance of each place from where it was at first [m].
        spread: (M, 3) standard deviation over people of where the marker lies on the unscaled segment [m].
        residuals: (M,) root mean square distance of model and marker after a person's own fit [m].
        rigidity: of the markers on their segments, poses of one half against those of the other.
        rms: root mean square marker distance of all people after each round [m].
        results: of the last round, one a person.
    """

    markers: tuple[VirtualMarker, ...]
    moved: Array
    spread: Array
    residuals: Array
    rigidity: Rigidity
    rms: tuple[float, ...]
    results: tuple[FitResult, ...]


def calibrate(
    people: Sequence[Sequence[Trial]],
    markers: tuple[VirtualMarker, ...],
    config: CalibrationConfig | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> Calibration:
    """Calibrate the places of virtual markers.

    Args:
        people: the marker trials of each person, of any body model.
        markers: at their anatomical places, with which the calibration begins.
        config: the default suits two dozen people.
        progress: is told what is being done.

    Raises:
        InputError: nobody, or trials that lack a marker.
    """
    config = config or CalibrationConfig()
    names = tuple(m.name for m in markers)
    people = [[trial.select(names) for trial in trials] for trials in people]
    if not people:
        raise InputError("calibration", "no people were given", "give the trials of several")
    rigidity = rigidity_of_halves(people, markers)
    anatomy = with_weights(markers, rigidity)
    now, rms = anatomy, list[float]()
    results: list[FitResult] = []
    for number in range(config.rounds):
        results = []
        for k, trials in enumerate(people):
            progress(f"round {number + 1} of {config.rounds}, person {k + 1} of {len(people)}")
            results.append(_fit_person(trials, now, config))
        places = np.array([local_places(result, names) for result in results])
        now = _updated(anatomy, places, config)
        rms.append(float(np.sqrt(np.mean([_squares(result, names) for result in results]))))
    moved = np.linalg.norm(_positions(now) - _positions(markers), axis=1)
    residuals = np.sqrt(np.mean([_squares(result, names) for result in results], axis=0))
    spread = places.std(axis=0, ddof=min(1, len(places) - 1))
    return Calibration(now, moved, spread, residuals, rigidity, tuple(rms), tuple(results))


def local_places(result: FitResult, names: Sequence[str]) -> Array:
    """Return where a fitted person's markers lie on the unscaled segments, (M, 3) [m], in the order of the names."""
    model = result.model
    rows = [model.marker_names.index(name) for name in names]
    bodies = [model.body_names.index(model.model.markers[row].frame.body) for row in rows]
    base = np.array([model.model.markers[row].location for row in rows])
    return np.asarray(base + result.marker_offsets[rows] / result.scales[bodies])


def rigidity_of_halves(people: Sequence[Sequence[Trial]], markers: Sequence[VirtualMarker]) -> Rigidity:
    """Measure how rigidly markers move: places from every second trial (or frame, of one trial), errors in others."""
    names = [m.name for m in markers]
    seen, unseen = [], []
    for trials in people:
        parts = [trial.markers for trial in trials]
        first, second = (parts[0::2], parts[1::2]) if len(parts) > 1 else ([parts[0][0::2]], [parts[0][1::2]])
        seen.append(np.concatenate(first))
        unseen.append(np.concatenate(second))
    return measure_rigidity(seen, unseen, names, {m.name: m.segment for m in markers})


def with_weights(markers: Sequence[VirtualMarker], rigidity: Rigidity) -> tuple[VirtualMarker, ...]:
    """Return the markers with weights from their rigidity, alike on both sides: w = w0 s^2 / (s^2 + e^2).

    e is the root mean square error of the marker, s = 4 mm, w0 = 10.
    """
    squares = dict(zip(rigidity.names, (rigidity.errors**2).mean(axis=0)))
    result = []
    for marker in markers:
        square = 0.5 * (squares[marker.name] + squares[_twin(marker.name, squares)])
        weight = max(_MOST_WEIGHT * _HALF_WEIGHT**2 / (_HALF_WEIGHT**2 + square), _LEAST_WEIGHT)
        result.append(replace(marker, weight=float(f"{weight:.2g}")))
    return tuple(result)


def _fit_person(trials: Sequence[Trial], markers: tuple[VirtualMarker, ...], config: CalibrationConfig) -> FitResult:
    chosen = replace(
        virtual_fit_config(markers),
        landmarks=frozenset(m.name for m in markers if m.kind == "landmark" and m.segment not in UNBOUND),
        landmark_sd=config.landmark_sd,
        tracking_sd=config.tracking_sd,
        max_frames=config.frames,
        prior=config.prior,
    )
    return fit(virtual_model(markers=markers), trials, chosen)


def _updated(anatomy: tuple[VirtualMarker, ...], places: Array, config: CalibrationConfig) -> tuple[VirtualMarker, ...]:
    """Markers at the mean of the people's places (N, M, 3); both sides alike, the midline in the middle."""
    mean = np.asarray(trim_mean(places, _TRIM, axis=0))
    for segment in UNBOUND:
        _turn_back(mean, anatomy, segment)
    rows = {m.name: k for k, m in enumerate(anatomy)}
    mirror = np.array([1.0, 1.0, -1.0])
    result = []
    for k, marker in enumerate(anatomy):
        place = 0.5 * (mean[k] + mirror * mean[rows[_twin(marker.name, rows)]])
        if marker.kind == "landmark" and marker.segment not in UNBOUND:
            step = place - marker.position
            place = marker.position + step * min(1.0, config.most_moved / max(float(np.linalg.norm(step)), 1e-9))
        x, y, z = (round(float(v), 4) + 0.0 for v in place)
        result.append(replace(marker, position=(x, y, z)))
    return tuple(result)


def _turn_back(mean: Array, anatomy: Sequence[VirtualMarker], segment: str) -> None:
    """Turn a segment's markers about their centre to face as the anatomical ones do; changes ``mean`` (M, 3).

    Nothing else says which way a last segment faces when its joint is at zero.
    """
    own = [k for k, m in enumerate(anatomy) if m.segment == segment]
    bony = [k for k in own if anatomy[k].kind == "landmark"]
    if len(bony) < 3:
        return
    shift, target = mean[bony].mean(axis=0), _positions([anatomy[k] for k in bony])
    turn = Rotation.align_vectors(target - target.mean(axis=0), mean[bony] - shift)[0]
    mean[own] = turn.apply(mean[own] - shift) + shift


def _twin(name: str, names: dict[str, object] | dict[str, int] | dict[str, float]) -> str:
    """The same marker on the other side; itself in the midline."""
    other = {"R": "L", "L": "R"}.get(name[0], "") + name[1:]
    return other if other in names else name


def _positions(markers: Sequence[VirtualMarker]) -> Array:
    return np.array([m.position for m in markers])


def _squares(result: FitResult, names: Sequence[str]) -> Array:
    """(M,) mean squared distance of each marker [m^2]."""
    errors = [r.marker_errors[:, [r.marker_names.index(name) for name in names]] for r in result.results]
    return np.asarray(np.nanmean(np.concatenate(errors) ** 2, axis=0))
