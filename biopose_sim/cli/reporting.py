"""The page of a result: what fit, ik, predict, demo and report have in common."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biopose_sim.ik.types import KinematicsResult
from biopose_sim.io import Trial
from biopose_sim.kinematics.model import OsimModel

if TYPE_CHECKING:
    from ik_pipeline.quality.types import TrialQuality


def write_page(
    path: Path,
    *,
    title: str,
    model: OsimModel,
    results: Sequence[KinematicsResult],
    trials: Sequence[Trial] | None,
    mass: float | None = None,
    subject: Sequence[tuple[str, str]] = (),
    **more: Any,
) -> Path:
    """Write the report of a person's results; see :func:`biopose_sim.viz.report.write_report`.

    Args:
        path: where to.
        title: of the page.
        model: scaled to the person.
        results: one per trial.
        trials: the measured markers of the results; None where they are not known.
        mass: of the person [kg]; that of the model if None.
        subject: further lines about the person, said first.
        more: further arguments of ``write_report``.
    """
    from biopose_sim.viz import write_report

    lines = [*subject, *body_lines(model, mass)]
    qualities = {
        result.name: quality_of(model, result, None if trials is None else trial)
        for result, trial in zip(results, trials or results)
    }
    return write_report(
        path, title=title, model=model, results=results, trials=trials, subject=lines, qualities=qualities, **more
    )


def body_lines(model: OsimModel, mass: float | None = None) -> list[tuple[str, str]]:
    """Height and mass of a person, as far as the model tells."""
    from ik_pipeline.quality.person import model_stature

    lines = []
    if (stature := model_stature(model)) is not None:
        lines.append(("Height of the standing model", f"{stature:.2f} m"))
    of_model = sum(body.mass for body in model.model.bodies)
    if mass is not None:
        lines.append(("Mass", f"{mass:.1f} kg"))
    elif of_model:
        lines.append(("Mass of the model", f"{of_model:.1f} kg"))
    return lines


def quality_of(model: OsimModel, result: KinematicsResult, trial: Any) -> TrialQuality:
    """Figures of a trial; without measured markers those that the motion alone tells."""
    from biopose_sim.ik.landmarks import find_landmarks
    from ik_pipeline.quality.trial import measure_trial

    if not isinstance(trial, Trial):
        trial = Trial.checked(result.name, result.time, result.model_markers, result.marker_names)
    return measure_trial(model, result, trial, find_landmarks(result.marker_names))
