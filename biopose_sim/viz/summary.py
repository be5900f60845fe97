"""The summary of a run over many persons: one HTML page with counts, distributions, the worst cases, every trial.

What a trial or person is like comes as the plain numbers that the pipeline measures; names and units are theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from biopose_sim.io import atomic_write
from biopose_sim.viz import summary_figures as figures
from biopose_sim.viz import summary_tables as tables
from biopose_sim.viz._html import Html, bullets, element, image, join, page
from biopose_sim.viz._html import picture as inlined
from biopose_sim.viz.summary_picture import worst_case_picture

__all__ = ["PersonSummary", "RunSummary", "TrialSummary", "worst_case_picture", "write_summary"]

# Pictures are the heaviest part of the page and take a quarter of a second each.
MOST_PICTURES = 12
MOST_NOTICES = 16
# So that one broken person does not fill the page.
MOST_OF_ONE_PERSON = 3
OK, REJECTED, FAILED = "ok", "rejected", "failed"
Picture = Callable[[str, str], bytes | None]
_MARKERS = (
    "Left: RMS of the markers on each body over the trials: median, half of them (thick), 90 of 100 (thin). "
    "Right: trials in which a marker is among the eight worst, and the median of its RMS in these."
)
_STYLE = """<style>
.cases { display: grid; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); gap: 14px; }
.case { border: 1px solid var(--line); border-radius: 8px; padding: 10px 14px; break-inside: avoid; }
.case h3 { margin: 0 0 4px; } .case ul { margin: 4px 0; padding-left: 18px; font-size: 13.5px; }
main { max-width: 1180px; }
</style>"""


@dataclass(frozen=True)
class TrialSummary:
    """A trial of the run.

    Attributes:
        person: id of the person.
        trial: name of the trial.
        state: ``"ok"``, ``"rejected"`` or ``"failed"``.
        reasons: why it was rejected or failed, a sentence each.
        action: what is done in it, where known.
        severity: how bad it is: the largest ratio of a figure to its limit; the worst come first.
        quality: what was measured, ``dataclasses.asdict`` of the pipeline's `TrialQuality`; empty if it failed.
    """

    person: str
    trial: str
    state: str
    reasons: tuple[str, ...] = ()
    action: str | None = None
    severity: float = 0.0
    quality: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PersonSummary:
    """A person of the run.

    Attributes:
        id: unique within the run.
        state: ``"ok"``, ``"rejected"`` or ``"failed"`` (then there is no model).
        reasons: why, a sentence each.
        dataset: where the person comes from.
        sex: where known.
        stature: [m], where known.
        split: ``"train"``, ``"val"`` or ``"test"``.
        quality: ``dataclasses.asdict`` of the pipeline's `PersonQuality`; empty if scaling failed.
    """

    id: str
    state: str
    reasons: tuple[str, ...] = ()
    dataset: str = ""
    sex: str | None = None
    stature: float | None = None
    split: str | None = None
    quality: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RunSummary:
    """A whole run.

    Attributes:
        title: heading of the page.
        persons: all of them.
        trials: all of them.
        bad_files: files that could not be used, with their reason.
        notices: what a reader should know, a sentence each.
        about: how it was made: labels with their values (model, engine, versions, limits, ...).
    """

    title: str
    persons: tuple[PersonSummary, ...]
    trials: tuple[TrialSummary, ...]
    bad_files: tuple[tuple[str, str], ...] = ()
    notices: tuple[str, ...] = ()
    about: tuple[tuple[str, str], ...] = ()


def write_summary(path: str | Path, run: RunSummary, picture: Picture | None = None) -> Path:
    """Write the page as one self-contained HTML file, whole or not at all.

    Args:
        path: where to; its folder must exist.
        run: what to show.
        picture: called as ``picture(person, trial)`` for the worst cases only, 12 at most; returns a PNG (see
            `worst_case_picture`) or None where there is none to draw.

    Returns:
        The path of the file.

    Raises:
        InputError: an unwritable path.
    """
    splits = {person.id: person.split or "" for person in run.persons}
    parts = [
        Html(_STYLE),
        element("h1", run.title),
        _cards(run),
        _notices(run.notices),
        _worst(run.trials, picture),
        _failures(run),
        _reasons(run),
        _distributions(run),
        _people(run.persons),
        tables.shares(run.persons, run.trials),
        tables.trial_table(run.trials, splits),
        tables.about(run.about),
    ]
    return atomic_write(Path(path), page(run.title, join(part for part in parts if part)))


def _cards(run: RunSummary) -> Html:
    measured = [t for t in run.trials if t.quality]
    accepted = [t for t in measured if t.state == OK]
    seconds = sum(float(t.quality["seconds"]) for t in accepted)
    frames = sum(int(t.quality["frames"]) for t in accepted)
    persons = sum(p.state == OK for p in run.persons)
    counts = {state: sum(t.state == state for t in run.trials) for state in (OK, REJECTED, FAILED)}
    cards = [
        (f"{persons} of {len(run.persons)}", "persons accepted"),
        (f"{counts[OK]:,}", f"trials accepted of {len(run.trials):,}"),
        (f"{counts[REJECTED]:,}", "trials rejected"),
        (f"{counts[FAILED]:,}", "trials failed"),
        (f"{seconds / 3600.0:.2f} h", f"of accepted motion, {frames:,} frames"),
    ]
    if rms := [float(t.quality["marker_rms"]) for t in accepted if t.quality["marker_rms"] is not None]:
        cards.append((f"{np.median(rms):.1f} mm", "marker RMS, median of accepted trials"))
    return element(
        "div", *(element("div", element("b", a), element("span", b), css="card") for a, b in cards), css="cards"
    )


def _notices(notices: Sequence[str]) -> Html:
    if not notices:
        return Html("")
    shown = list(notices[:MOST_NOTICES])
    if len(notices) > MOST_NOTICES:
        shown.append(f"{len(notices) - MOST_NOTICES} more are in the manifest")
    return element("div", element("b", "Please look at this"), bullets(shown), css="warn")


def worst_cases(trials: Sequence[TrialSummary]) -> list[TrialSummary]:
    """Return the worst measured trials, 12 at most, 3 of a person at most: rejected ones, the most severe first."""
    taken: dict[str, int] = {}
    found: list[TrialSummary] = []
    measured = (t for t in trials if t.quality)
    for trial in sorted(measured, key=lambda t: (t.state == OK, -t.severity, -(t.quality["marker_rms"] or 0.0))):
        if taken.get(trial.person, 0) < MOST_OF_ONE_PERSON:
            taken[trial.person] = taken.get(trial.person, 0) + 1
            found.append(trial)
        if len(found) == MOST_PICTURES:
            break
    return found


def _worst(trials: Sequence[TrialSummary], picture: Picture | None) -> Html:
    cases = worst_cases(trials)
    if not cases:
        return Html("")
    about = (
        "The trials that are furthest beyond a limit, or nearest to one, each at the frame where the markers fit worst "
        "(hollow: measured, filled: the model's; lines join pairs that are more than 2 cm apart). "
        f"At most {MOST_OF_ONE_PERSON} of a person."
    )
    shown = [_case(case, picture) for case in cases]
    return join([element("h2", "Worst cases"), element("p", about, css="soft"), element("div", *shown, css="cases")])


def _case(trial: TrialSummary, picture: Picture | None) -> Html:
    name = f"{trial.person} · {trial.trial}"
    png = picture(trial.person, trial.trial) if picture else None
    quality = trial.quality
    rms = "–" if quality["marker_rms"] is None else f"{quality['marker_rms']:.1f} mm"
    worst = ", ".join(f"{marker} {value:.0f} mm" for marker, value in quality["worst_markers"][:3])
    frame = f"Frame {quality['worst_frame'] + 1} of {quality['frames']}; RMS {rms}; worst: {worst or '–'}"
    verdict = element("span", trial.state, css="good" if trial.state == OK else "bad")
    parts = [element("h3", name, " – ", verdict)]
    parts.append(image(png, frame) if png else element("p", frame, css="soft"))
    parts.append(bullets(trial.reasons) if trial.reasons else Html(""))
    return element("div", *parts, css="case")


def _failures(run: RunSummary) -> Html:
    failed = [(f"{t.person} · {t.trial}", "; ".join(t.reasons)) for t in run.trials if t.state == FAILED]
    failed += [(p.id, "; ".join(p.reasons)) for p in run.persons if p.state != OK]
    parts = []
    if failed:
        parts += [element("h2", "Failed trials, persons that failed or were rejected")]
        parts += [tables.capped(["What", "Why"], failed)]
    if run.bad_files:
        parts += [element("h2", "Files that cannot be used"), tables.capped(["File", "Why"], run.bad_files)]
    return join(parts)


def _reasons(run: RunSummary) -> Html:
    rejected = [t.reasons for t in run.trials if t.state == REJECTED]
    if not rejected:
        return Html("")
    return join([element("h2", "Why trials were rejected"), tables.reason_table(rejected, len(run.trials))])


def _distributions(run: RunSummary) -> Html:
    measured = [t for t in run.trials if t.quality]
    if not measured:
        return Html("")
    accepted = np.array([t.state == OK for t in measured])
    values = [t.quality for t in measured]
    return join(
        [
            element("h2", "Distributions over trials"),
            inlined(
                figures.plot_trials(values, accepted), "Number of trials; what is off the scale is in the last bar"
            ),
            element("h2", "Where markers fit worst"),
            inlined(figures.plot_markers(values), _MARKERS),
            element("h2", "Coordinates at their limits and coordinates that jump"),
            inlined(figures.plot_coordinates(values), "Over all frames of all measured trials"),
        ]
    )


def _people(persons: Sequence[PersonSummary]) -> Html:
    measured = [p for p in persons if p.quality]
    if not measured:
        return Html("")
    caption = "Middle line: median; thick: half of the persons; thin: 90 of 100. Shaded: what nearly all people have."
    scales = figures.plot_scales([p.quality for p in measured])
    sizes = figures.plot_people([p.quality for p in measured], [p.sex for p in measured], [p.stature for p in measured])
    return join(
        [
            element("h2", "Persons"),
            inlined(sizes, "Number of persons"),
            element("h3", "Size of each part relative to the whole body"),
            inlined(scales, caption),
        ]
    )
