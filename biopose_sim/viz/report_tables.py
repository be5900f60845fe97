"""The tables of a report: trials, scale factors, coordinates, distance to the truth."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from biopose_sim.ik.types import Array, KinematicsResult
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.viz._html import Html, element, table
from biopose_sim.viz.plots import Panel, angle_panels, marker_statistics
from biopose_sim.viz.style import side_of

DASH = "–"
_SAME = 5e-4
_WORST = 3


def number(value: float, digits: int = 1) -> str:
    """Return a number with a fixed count of digits, a dash where there is none."""
    return f"{round(float(value), digits) + 0.0:.{digits}f}" if math.isfinite(value) else DASH


def overall_rms(errors: Array) -> float:
    """Root mean square of the errors that are numbers [the errors' unit], NaN where there is none."""
    seen = np.isfinite(errors)
    return float(np.sqrt(np.mean(errors[seen] ** 2))) if seen.any() else math.nan


def largest(errors: Array) -> float:
    """Largest of the errors that are numbers, NaN where there is none."""
    seen = np.isfinite(errors)
    return float(errors[seen].max()) if seen.any() else math.nan


def trial_table(results: Sequence[KinematicsResult], *, convergence: bool = True) -> Html:
    """One row per trial: length, marker errors, worst markers, gaps, convergence if it is known."""
    head = [
        "Trial",
        "Worst markers (RMS mm)",
        "Frames",
        "Time [s]",
        "Markers",
        "Seen",
        "RMS [mm]",
        "Max [mm]",
    ]
    head += ["Converged"] if convergence else []
    return table(head, [_trial_row(result)[: len(head)] for result in results], names=2)


def _trial_row(result: KinematicsResult) -> list[object]:
    errors = 1e3 * result.marker_errors
    rms, _ = marker_statistics(result)
    order = [i for i in np.argsort(-np.nan_to_num(rms, nan=-1.0)) if np.isfinite(rms[i])][:_WORST]
    worst = ", ".join(f"{result.marker_names[i]} ({rms[i]:.1f})" for i in order) or DASH
    seen = f"{100.0 * np.isfinite(errors).mean():.1f} %" if errors.size else DASH
    failed = int((~result.converged).sum())
    total = len(result.time)
    state = (
        element("span", "all", css="good") if not failed else element("span", f"{total - failed}/{total}", css="bad")
    )
    duration = float(result.time[-1] - result.time[0]) if total else math.nan
    cells = [result.name, worst, total, number(duration, 2), len(result.marker_names), seen]
    return [*cells, number(overall_rms(errors)), number(largest(errors)), state]


def scale_table(model: OsimModel, scales: Array, truth: Array | None = None) -> Html:
    """Scale factors in percent of the generic model, with their error where the truth is known."""
    bodies = list(model.body_names)
    rows: list[list[object]] = []
    for index, body in enumerate(bodies):
        stem, side = (body[:-2], body[-2:]) if body.endswith(("_r", "_l")) else (body, "")
        partner = bodies.index(f"{stem}_l") if side == "_r" and f"{stem}_l" in bodies else None
        if side == "_l" and f"{stem}_r" in bodies:
            continue
        same = partner is not None and np.allclose(scales[index], scales[partner], atol=_SAME)
        rows.append(_scale_row(f"{stem} (both sides)" if same else body, scales, truth, index))
        if partner is not None and not same:
            rows.append(_scale_row(bodies[partner], scales, truth, partner))
    head = ["Body", "Depth x [%]", "Length y [%]", "Width z [%]"]
    if truth is not None:
        head += ["Error x", "Error y", "Error z"]
    return table(head, rows, "Size of each body in percent of the generic model, along the axes of the body")


def _scale_row(label: str, scales: Array, truth: Array | None, index: int) -> list[object]:
    row: list[object] = [label, *(number(100.0 * s) for s in scales[index])]
    if truth is not None:
        row += [f"{100.0 * (s / t - 1.0):+.1f}" for s, t in zip(scales[index], truth[index])]
    return row


def coordinate_table(result: KinematicsResult, *, sensitivity: bool = True, determination: bool = True) -> Html:
    """Range and mean of each coordinate, sides beside each other, and where known what 1 mm of marker error does."""
    head = ["Coordinate", "Unit", "Right or centre", "Mean", "Left", "Mean"]
    more = [("Moved by 1 mm of marker error", sensitivity), ("Determined", determination)]
    keep = [*([True] * len(head)), *(known for _, known in more)]
    rows = [
        [cell for cell, kept in zip(_coordinate_row(result, panel), keep) if kept] for panel in angle_panels(result)
    ]
    return table([*head, *(name for name, known in more if known)], rows, "Least to largest value", names=2)


def _coordinate_row(result: KinematicsResult, panel: Panel) -> list[object]:
    indices = [result.coordinate_names.index(name) for name in panel.coordinates]
    unit, factor, digits = _unit(result.motion_types[indices[0]])
    cells: list[object] = [panel.title, unit]
    for i in indices:
        values = factor * result.coordinates[:, i]
        span = f"{number(values.min(), digits)} to {number(values.max(), digits)}"
        cells += [span, number(values.mean(), digits)]
    if len(indices) == 1:
        blank = [DASH, DASH]
        cells = cells[:2] + blank + cells[2:] if side_of(panel.coordinates[0]) == "l" else cells + blank
    moved = factor * max(float(result.sensitivity[i]) for i in indices)
    sure = all(result.determined[i] for i in indices)
    verdict = element("span", "yes" if sure else "no", css="good" if sure else "bad")
    return [*cells, number(moved, digits + 1), verdict]


def truth_table(results: Sequence[KinematicsResult], truths: Sequence[Array | None]) -> Html:
    """Distance of the joint angles to the truth, per trial, over the coordinates that markers determine."""
    rows = []
    for result, truth in zip(results, truths):
        if truth is None:
            continue
        errors, names = angle_errors(result, truth)
        if errors.size == 0:
            rows.append([result.name, DASH, DASH, DASH, DASH])
            continue
        mean = errors.mean(axis=0)
        order = np.argsort(-mean)[:_WORST]
        worst = ", ".join(f"{names[i]} ({mean[i]:.2f})" for i in order)
        numbers = (float(errors.mean()), float(np.percentile(errors, 95)), float(errors.max()))
        rows.append([result.name, worst, *(number(v, 2) for v in numbers)])
    head = ["Trial", "Worst angles (mean deg)", "Mean error [deg]", "95 % below [deg]", "Max [deg]"]
    return table(head, rows, names=2)


def angle_errors(result: KinematicsResult, truth: Array) -> tuple[Array, list[str]]:
    """Return absolute errors [deg] of the determined rotational coordinates, (T, n), and their names."""
    wanted = [i for i, d in enumerate(result.determined) if d and result.motion_types[i] == "rotational"]
    difference = result.coordinates[:, wanted] - np.asarray(truth, dtype=float)[:, wanted]
    wrapped = (difference + np.pi) % (2.0 * np.pi) - np.pi
    return np.abs(np.degrees(wrapped)), [result.coordinate_names[i] for i in wanted]


def _unit(motion: str) -> tuple[str, float, int]:
    if motion == "rotational":
        return "deg", 180.0 / math.pi, 1
    return ("m", 1.0, 3) if motion == "translational" else ("raw", 1.0, 3)
