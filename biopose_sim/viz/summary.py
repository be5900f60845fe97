"""The summary of a run over many persons: one HTML page with counts, distributions, the worst cases, every trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from biopose_sim.io import atomic_write
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.viz._html import element, join, page

# Pictures are large and take a second each.
MOST_PICTURES = 12
Picture = Callable[[str, str], bytes | None]


@dataclass(frozen=True)
class TrialSummary:
    """A trial of the run.

    Attributes:
        person: id of the person.
        trial: name of the trial.
        state: ``"ok"``, ``"rejected"`` or ``"failed"``.
        reasons: why it was rejected or failed, a sentence each.
        action: what is done in it, where known.
        quality: what was measured, ``dataclasses.asdict`` of the pipeline's `TrialQuality`; empty if it failed.
    """

    person: str
    trial: str
    state: str
    reasons: tuple[str, ...] = ()
    action: str | None = None
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
    return atomic_write(Path(path), page(run.title, join([element("h1", run.title)])))


def worst_case_picture(model: OsimModel, coordinates: ArrayLike, markers: ArrayLike, model_markers: ArrayLike) -> bytes:
    """Draw one frame from the side and the front: skeleton, measured and model markers, lines between them.

    Args:
        model: the person's scaled model.
        coordinates: of the frame, (n_q,) [rad | m].
        markers: measured, (M, 3) [m]; NaN where not seen.
        model_markers: the model's, in the same order, (M, 3) [m].

    Returns:
        A PNG.
    """
    raise NotImplementedError
