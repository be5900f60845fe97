"""The top of a report: what it is of, who the person is, the figures that tell most, and what deserves a look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from biopose_sim.ik.types import Array, KinematicsResult
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.viz import report_tables as tables
from biopose_sim.viz._html import Html, bullets, element, join, table


@dataclass(frozen=True)
class Known:
    """What is known of how results were found; of results that were read from files less than of fresh ones.

    Attributes:
        convergence: how many frames converged.
        iterations: how many iterations the frames took.
        determination: which coordinates the markers determine.
        sensitivity: how far an error of the markers moves each coordinate.
    """

    convergence: bool = True
    iterations: bool = True
    determination: bool = True
    sensitivity: bool = True


def header_part(title: str, model: OsimModel, results: Sequence[KinematicsResult]) -> Html:
    """Title, model, how much there is, and when the page was made."""
    frames = sum(len(r.time) for r in results)
    count = "1 trial" if len(results) == 1 else f"{len(results)} trials"
    when = datetime.now(UTC).strftime("%d %B %Y, %H:%M UTC")
    line = f"Model {model.name} · {count}, {frames} frames · made by biopose-sim on {when}"
    return join([element("h1", title), element("p", line, css="soft")])


def subject_part(subject: Sequence[tuple[str, str]]) -> Html:
    """What is known of the person; empty where nothing is."""
    return table(["Person", ""], subject, names=2) if subject else Html("")


def cards_part(results: Sequence[KinematicsResult], truths: Sequence[Array | None], known: Known) -> Html:
    """The figures that tell most, large."""
    errors = np.concatenate([1e3 * r.marker_errors.ravel() for r in results])
    cards = []
    if np.isfinite(errors).any():
        cards += [
            (f"{tables.number(tables.overall_rms(errors))} mm", "marker error, RMS over all trials"),
            (f"{tables.number(tables.largest(errors))} mm", "largest marker error"),
        ]
    else:
        cards.append((f"{len(results)}", "trials, without measured markers"))
    if known.convergence:
        converged = np.concatenate([r.converged for r in results])
        cards.append((f"{100.0 * converged.mean():.4g} %", f"of {converged.size} frames converged"))
    if known.determination:
        determined = np.all([r.determined | ~r.free for r in results], axis=0) & results[0].free
        cards.append(
            (f"{int(determined.sum())} of {int(results[0].free.sum())}", "free coordinates determined by the markers")
        )
    distances = [tables.angle_errors(r, t)[0].ravel() for r, t in zip(results, truths) if t is not None]
    if distances and (all_errors := np.concatenate(distances)).size:
        cards.append((f"{all_errors.mean():.2f}°", "mean joint-angle error to the known truth"))
    return element(
        "div",
        *(element("div", element("b", a), element("span", b), css="card") for a, b in cards),
        css="cards",
    )


def warnings_part(results: Sequence[KinematicsResult], known: Known) -> Html:
    """Warnings of the results, and frames that did not converge."""
    lines = [f"{result.name}: {warning}" for result in results for warning in result.warnings]
    for result in results if known.convergence else ():
        if failed := int((~result.converged).sum()):
            lines.append(f"{result.name}: {failed} of {len(result.time)} frames did not converge")
    if not lines:
        return Html("")
    return element("div", element("b", "Please look at this"), bullets(lines), css="warn")
