"""The report: one HTML file to open, read, print and send, with all that a reader needs to trust a result."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from biopose_sim.errors import InputError
from biopose_sim.ik.types import Array, KinematicsResult
from biopose_sim.io import Trial, atomic_write
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.viz import plots, skeleton
from biopose_sim.viz import report_tables as tables
from biopose_sim.viz._html import Html, bullets, element, image, join, page, picture, table

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
) -> Path:
    """Write the report as one self-contained HTML file, whole or not at all.

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
        sections: further parts, shown after the table of trials.

    Returns:
        The path of the file.

    Raises:
        InputError: no result, counts that do not fit, results of another model, an unwritable path.
    """
    _check(path, model, results, trials)
    truths = [_truth_of(result, truth) for result in results]
    factors = np.asarray(model.scales if scales is None else scales, dtype=float)
    known = None if true_scales is None else np.asarray(true_scales, dtype=float)
    parts = [
        _header(title, model, results),
        _cards(results, truths),
        _warnings(results),
        _summary(results, truths),
        *(_section(section) for section in sections),
        _pictures(model, results, trials),
        _angles(results, truths),
        _markers(results),
        _undetermined(results),
        _scales(model, factors, known),
        _about(model, notes),
    ]
    return atomic_write(path, page(title, join(part for part in parts if part)))


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


def _header(title: str, model: OsimModel, results: Sequence[KinematicsResult]) -> Html:
    frames = sum(len(r.time) for r in results)
    count = "1 trial" if len(results) == 1 else f"{len(results)} trials"
    when = datetime.now(UTC).strftime("%d %B %Y, %H:%M UTC")
    line = f"Model {model.name} · {count}, {frames} frames · made by biopose-sim on {when}"
    return join([element("h1", title), element("p", line, css="soft")])


def _cards(results: Sequence[KinematicsResult], truths: Sequence[Array | None]) -> Html:
    errors = np.concatenate([1e3 * r.marker_errors.ravel() for r in results])
    converged = np.concatenate([r.converged for r in results])
    determined = np.all([r.determined | ~r.free for r in results], axis=0) & results[0].free
    cards = [
        (f"{tables.number(tables.overall_rms(errors))} mm", "marker error, RMS over all trials"),
        (f"{tables.number(tables.largest(errors))} mm", "largest marker error"),
        (f"{100.0 * converged.mean():.4g} %", f"of {converged.size} frames converged"),
        (
            f"{int(determined.sum())} of {int(results[0].free.sum())}",
            "free coordinates determined by the markers",
        ),
    ]
    known = [tables.angle_errors(r, t)[0].ravel() for r, t in zip(results, truths) if t is not None]
    if known and (all_errors := np.concatenate(known)).size:
        cards.append((f"{all_errors.mean():.2f}°", "mean joint-angle error to the known truth"))
    return element(
        "div",
        *(element("div", element("b", a), element("span", b), css="card") for a, b in cards),
        css="cards",
    )


def _warnings(results: Sequence[KinematicsResult]) -> Html:
    lines = [f"{result.name}: {warning}" for result in results for warning in result.warnings]
    for result in results:
        if failed := int((~result.converged).sum()):
            lines.append(f"{result.name}: {failed} of {len(result.time)} frames did not converge")
    if not lines:
        return Html("")
    return element("div", element("b", "Please look at this"), bullets(lines), css="warn")


def _summary(results: Sequence[KinematicsResult], truths: Sequence[Array | None]) -> Html:
    parts = [element("h2", "Trials"), tables.trial_table(results)]
    about = "Marker error: distance of measured and model marker. Seen: share of marker samples without gaps."
    parts.append(element("p", about, css="soft"))
    if any(t is not None for t in truths):
        parts += [element("h3", "Distance to the known truth"), tables.truth_table(results, truths)]
    return join(parts)


def _section(section: Section) -> Html:
    parts = [element("h2", section.heading), *(element("p", text) for text in section.text)]
    parts += [bullets(section.points)] if section.points else []
    return join(parts + [image(png, caption) for png, caption in section.pictures])


def _with_figures(results: Sequence[KinematicsResult]) -> list[int]:
    """The trials that get figures: the first ones, in their order."""
    return list(range(min(len(results), MOST_TRIALS_WITH_FIGURES)))


def _pictures(model: OsimModel, results: Sequence[KinematicsResult], trials: Sequence[Trial] | None) -> Html:
    parts = [element("h2", "Skeleton and markers")]
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


def _angles(results: Sequence[KinematicsResult], truths: Sequence[Array | None]) -> Html:
    parts = [element("h2", "Joint angles")]
    for i in _with_figures(results):
        result, truth = results[i], truths[i]
        parts.append(element("h3", result.name))
        if _still(result):
            parts.append(element("p", "The person stands still: the mean of each coordinate is below.", css="soft"))
            parts.append(tables.coordinate_table(result))
            continue
        reference = None if truth is None else replace(result, coordinates=truth)
        figure = plots.plot_angles(result, reference, reference_label="known truth")
        caption = f"{result.name}: coordinates over time"
        parts += [picture(figure, caption, dpi=120), tables.coordinate_table(result)]
    return join(parts + _left_out(results))


def _markers(results: Sequence[KinematicsResult]) -> Html:
    parts = [element("h2", "Marker errors")]
    for i in _with_figures(results):
        figure = plots.plot_marker_errors(results[i])
        parts += [element("h3", results[i].name), picture(figure, f"{results[i].name}: marker errors")]
    parts += [
        element("h3", "Convergence"),
        picture(plots.plot_convergence(results[:40]), "Iterations per frame"),
    ]
    return join(parts + _left_out(results))


def _left_out(results: Sequence[KinematicsResult]) -> list[Html]:
    left = len(results) - MOST_TRIALS_WITH_FIGURES
    if left <= 0:
        return []
    return [element("p", f"Figures of {left} further trials are left out to keep the page light.", css="soft")]


def _undetermined(results: Sequence[KinematicsResult]) -> Html:
    parts = [element("h2", "What the markers do not determine")]
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


def _scales(model: OsimModel, factors: Array, known: Array | None) -> Html:
    return join([element("h2", "Size of the model"), tables.scale_table(model, factors, known)])


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
        element("h2", "How this was made"),
        table(["", ""], rows, names=2),
        element("p", conventions, css="soft"),
    ]
    return join([*parts, bullets(notes)] if notes else parts)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
