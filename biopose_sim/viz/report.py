"""The report: one HTML file to open, read, print and send, with all that a reader needs to trust a result."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from biopose_sim.errors import InputError
from biopose_sim.gait.types import GaitEvents
from biopose_sim.ik.types import Array, KinematicsResult
from biopose_sim.io import Trial, atomic_write
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.viz import plots, skeleton
from biopose_sim.viz import report_tables as tables
from biopose_sim.viz._html import Html, bullets, contents, element, heading, image, join, page, picture, table
from biopose_sim.viz.report_forces import forces_part
from biopose_sim.viz.report_gait import gait_of
from biopose_sim.viz.report_head import Known, cards_part, header_part, subject_part, warnings_part
from biopose_sim.viz.report_quality import Quality, feet_part, landmark_table, limit_part
from biopose_sim.viz.report_video import VideoPage, video_part

# So many trials get their figures; more would make the page heavy. All trials are in the tables.
MOST_TRIALS_WITH_FIGURES = 6
_STILL = 0.01  # [m]
_PACKAGES = ("biopose-sim", "numpy", "torch", "matplotlib", "opensim")


@dataclass(frozen=True)
class Section:
    """A part of the report that its writer brings along.

    Attributes:
        heading: of the part.
        text: paragraphs.
        points: a list below them.
        pictures: PNGs with their captions.
    """

    heading: str
    text: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    pictures: tuple[tuple[bytes, str], ...] = ()


_ALL_KNOWN = Known()


def write_report(
    path: str | Path,
    *,
    title: str,
    model: OsimModel,
    results: Sequence[KinematicsResult],
    trials: Sequence[Trial] | None = None,
    truth: Mapping[str, ArrayLike] | None = None,
    scales: ArrayLike | None = None,
    true_scales: ArrayLike | None = None,
    notes: Sequence[str] = (),
    sections: Sequence[Section] = (),
    subject: Sequence[tuple[str, str]] = (),
    qualities: Mapping[str, Quality] | None = None,
    simulations: Mapping[str, Path] | None = None,
    events: Mapping[str, GaitEvents] | None = None,
    known: Known = _ALL_KNOWN,
    video: VideoPage | None = None,
) -> Path:
    """Write the report as one self-contained HTML file (films beside it aside), whole or not at all.

    Args:
        path: where to; its folder must exist.
        title: heading of the page.
        model: the (scaled) model that the results belong to.
        results: one per trial.
        trials: the measured markers, in the order of the results; without them the pictures show the model.
        truth: known coordinates per trial name, shape (T, n_q) [rad | m], where there is a truth.
        scales: factors relative to the generic model, shape (n_bodies, 3); those of ``model`` if None.
        true_scales: the known factors, where there is a truth.
        notes: further sentences for the reader.
        sections: further parts, shown before the pictures of the skeleton.
        subject: who this is: what is known, and its value.
        qualities: figures of each trial by its name, for limits of ranges and for feet.
        simulations: folder of the simulation (``simulation.json``) by trial.
        events: of gait by trial, where they are known already; they are sought in the others.
        known: what is known of how the results were found.
        video: of the clip that the results were found from.

    Returns:
        The path of the file.

    Raises:
        InputError: no result, counts that do not fit, results of another model, an unwritable path.
    """
    _check(path, model, results, trials)
    truths = [_truth_of(result, truth) for result in results]
    factors = np.asarray(model.scales if scales is None else scales, dtype=float)
    true_factors = None if true_scales is None else np.asarray(true_scales, dtype=float)
    parts = [
        video_part(video),
        _gait(model, results, events or {}),
        forces_part(simulations or {}),
        *(_section(section) for section in sections),
        _pictures(model, results, trials),
        _quality(results, truths, qualities or {}, known),
        _angles(results, truths, known),
        _undetermined(results) if known.determination else _not_told(),
        _scales(model, factors, true_factors),
        _about(model, notes),
    ]
    start = [
        header_part(title, model, results),
        subject_part(subject),
        cards_part(results, truths, known),
        warnings_part(results, known),
        contents(parts),
    ]
    return atomic_write(path, page(title, join(part for part in [*start, *parts] if part)))


def _check(
    path: str | Path, model: OsimModel, results: Sequence[KinematicsResult], trials: Sequence[Trial] | None
) -> None:
    if not results:
        raise InputError(path, "there is no result to report", "give at least one trial")
    if trials is not None and len(trials) != len(results):
        raise InputError(path, f"{len(trials)} trials but {len(results)} results", "give one trial per result")
    for i, result in enumerate(results):
        if result.coordinate_names != model.coordinate_names:
            raise InputError(path, f"result '{result.name}' has other coordinates than model '{model.name}'")
        if trials is not None and len(trials[i].time) != len(result.time):
            raise InputError(path, f"trial '{trials[i].name}' and its result differ in their number of frames")


def _truth_of(result: KinematicsResult, truth: Mapping[str, ArrayLike] | None) -> Array | None:
    if truth is None or result.name not in truth:
        return None
    values = np.asarray(truth[result.name], dtype=float)
    if values.shape != result.coordinates.shape:
        wanted = f"give {result.coordinates.shape}"
        raise InputError(f"truth of '{result.name}'", f"has shape {values.shape}", wanted)
    return values


def _gait(model: OsimModel, results: Sequence[KinematicsResult], known: Mapping[str, GaitEvents]) -> Html:
    """Strides of the trials that hold some, and why the others hold none."""
    parts, without = [heading("Gait")], []
    for i in _with_figures(results):
        result = results[i]
        if _still(result):
            without.append(f"{result.name}: the person stands still.")
            continue
        found, part = gait_of(model, result, known.get(result.name))
        if part:
            parts += [element("h3", result.name), part]
        else:
            without.append(f"{result.name}: {found.note}.")
    if without:
        parts += [element("p", "No gait cycle was found in:"), bullets(without)]
    return join(parts + _left_out(results))


def _quality(
    results: Sequence[KinematicsResult],
    truths: Sequence[Array | None],
    qualities: Mapping[str, Quality],
    known: Known,
) -> Html:
    about = (
        "How well the model follows what was measured. Marker error: distance of measured and model marker. "
        "Seen: share of marker samples without gaps."
    )
    parts = [heading("Quality"), element("p", about), tables.trial_table(results, convergence=known.convergence)]
    if not any(np.isfinite(result.marker_errors).any() for result in results):
        parts.append(element("p", "The measured markers are not known, so that their distance cannot be told."))
    parts += [landmark_table(results), *_markers(results, known)]
    if any(t is not None for t in truths):
        parts += [element("h3", "Distance to the known truth"), tables.truth_table(results, truths)]
    if qualities:
        parts += [limit_part(results, qualities), feet_part(results, qualities)]
    return join(parts)


def _section(section: Section) -> Html:
    parts = [heading(section.heading), *(element("p", text) for text in section.text)]
    parts += [bullets(section.points)] if section.points else []
    return join(parts + [image(png, caption) for png, caption in section.pictures])


def _with_figures(results: Sequence[KinematicsResult]) -> list[int]:
    """The trials that get figures: the first ones, in their order."""
    return list(range(min(len(results), MOST_TRIALS_WITH_FIGURES)))


def _pictures(model: OsimModel, results: Sequence[KinematicsResult], trials: Sequence[Trial] | None) -> Html:
    parts = [heading("Skeleton and markers")]
    parts.append(element("p", "Lines: the scaled skeleton; dots: its markers; circles: measured markers.", css="soft"))
    for i in _with_figures(results):
        result = results[i]
        measured = None if trials is None else trials[i].markers
        frames = [len(result.time) // 2] if _still(result) else None
        views = ("front", "side", "oblique") if _still(result) else ("side", "front")
        figure = skeleton.plot_skeleton(
            model, result.coordinates, time=result.time, measured=measured, frames=frames, views=views
        )
        parts += [element("h3", result.name), picture(figure, f"{result.name}: skeleton of the scaled model")]
    return join(parts + _left_out(results))


def _still(result: KinematicsResult) -> bool:
    """Whether the person keeps one pose: the model's markers hardly leave their mean place."""
    if len(result.time) == 1:
        return True
    spread = np.std(result.model_markers, axis=0)
    return bool(spread.size and spread.mean() < _STILL)


def _angles(results: Sequence[KinematicsResult], truths: Sequence[Array | None], known: Known) -> Html:
    about = "Every coordinate of the model as it was found; positive as the model defines it (flexion, mostly)."
    parts = [heading("Joint angles over time"), element("p", about, css="soft")]
    for i in _with_figures(results):
        result, truth = results[i], truths[i]
        parts.append(element("h3", result.name))
        numbers = tables.coordinate_table(result, sensitivity=known.sensitivity, determination=known.determination)
        if _still(result):
            parts.append(element("p", "The person stands still: the mean of each coordinate is below.", css="soft"))
            parts.append(numbers)
            continue
        reference = None if truth is None else replace(result, coordinates=truth)
        figure = plots.plot_angles(result, reference, reference_label="known truth")
        caption = f"{result.name}: coordinates over time"
        parts += [picture(figure, caption, dpi=120), numbers]
    return join(parts + _left_out(results))


def _markers(results: Sequence[KinematicsResult], known: Known) -> list[Html]:
    """Marker errors over time and by marker, and how the solver fared."""
    parts = []
    for i in _with_figures(results):
        if np.isfinite(results[i].marker_errors).any():
            figure = plots.plot_marker_errors(results[i])
            parts += [element("h3", f"Marker errors of {results[i].name}")]
            parts += [picture(figure, f"{results[i].name}: marker errors")]
    if known.iterations:
        parts.append(element("h3", "Convergence"))
        parts.append(picture(plots.plot_convergence(results[:40]), "Iterations per frame"))
    return parts + _left_out(results)


def _left_out(results: Sequence[KinematicsResult]) -> list[Html]:
    left = len(results) - MOST_TRIALS_WITH_FIGURES
    if left <= 0:
        return []
    return [element("p", f"Figures of {left} further trials are left out to keep the page light.", css="soft")]


def _undetermined(results: Sequence[KinematicsResult]) -> Html:
    parts = [heading("What the markers do not determine")]
    by_name: dict[str, list[str]] = {}
    for result in results:
        for name, free, sure in zip(result.coordinate_names, result.free, result.determined):
            if free and not sure:
                by_name.setdefault(name, []).append(result.name)
    if not by_name:
        return join([*parts, element("p", "Every free coordinate is determined by the markers in every trial.")])
    warning = (
        "Of these coordinates the markers say little or nothing: an error of 1 mm in the markers moves them "
        "by more than 2 degrees, or no marker moves with them. Do not interpret their curves."
    )
    rows = [[n, "all trials" if len(t) == len(results) else ", ".join(t)] for n, t in by_name.items()]
    return join([*parts, element("p", warning), table(["Coordinate", "Trials"], rows, names=2)])


def _not_told() -> Html:
    text = "It is not known which coordinates the markers determine: the folder does not tell."
    return join([heading("What the markers do not determine"), element("p", text)])


def _scales(model: OsimModel, factors: Array, known: Array | None) -> Html:
    parts = [heading("Size of the model")]
    if known is None and np.allclose(factors, 1.0):
        return join([*parts, element("p", "As it is in its file; the factors of its scaling are not known.")])
    return join([*parts, tables.scale_table(model, factors, known)])


def _about(model: OsimModel, notes: Sequence[str]) -> Html:
    rows = [["Model", model.name], ["File", model.path.name if model.path else "none (made in memory)"]]
    if model.path is not None and model.path.is_file():
        rows.append(["SHA-256 of the file", hashlib.sha256(model.path.read_bytes()).hexdigest()])
    counts = f"{len(model.body_names)} bodies, {len(model.coordinate_names)} coordinates"
    counts += f", {len(model.marker_names)} markers"
    rows += [["Contents", counts], ["Python", platform.python_version()]]
    rows += [[package, _version(package)] for package in _PACKAGES]
    conventions = "Ground frame: X forward, Y up, Z to the right. Angles in degrees, lengths as written."
    parts = [
        heading("How this was made"),
        table(["", ""], rows, names=2),
        element("p", conventions, css="soft"),
    ]
    return join([*parts, bullets(notes)] if notes else parts)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
