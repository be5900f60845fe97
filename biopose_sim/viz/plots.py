"""Figures of a result: joint angles, marker errors, convergence; matplotlib Figures without a window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from biopose_sim.ik.types import Array, KinematicsResult
from biopose_sim.viz import style

_COLUMNS = 4
_PANEL = (2.35, 1.55)
_HEAD, _FOOT = 0.32, 0.45  # [inch] above and below the panels
_UNITS = {"rotational": ("deg", np.degrees(1.0)), "translational": ("m", 1.0), "coupled": ("raw", 1.0)}
_STILL = 1e-6
_PALE = 0.35


@dataclass(frozen=True)
class Panel:
    """A panel of joint angles: a title and its coordinates (one, or the right and the left one)."""

    title: str
    coordinates: tuple[str, ...]


def angle_panels(result: KinematicsResult) -> list[Panel]:
    """Group the coordinates that move or were solved for, left and right together, in the model's order.

    "Coupled" coordinates (a patella's) follow others in a unit of their own and are left out.
    """
    moves = np.ptp(result.coordinates, axis=0) > _STILL if len(result.time) > 1 else np.ones_like(result.free)
    wanted = (moves | result.free) & (np.array(result.motion_types, dtype=object) != "coupled")
    shown = [n for n, keep in zip(result.coordinate_names, wanted) if keep]
    panels: list[Panel] = []
    done: set[str] = set()
    for name in shown:
        if name in done:
            continue
        names: tuple[str, ...] = (name,)
        other = _other_side(name)
        if other != name and other in shown:
            names = (name, other) if style.side_of(name) == "r" else (other, name)
        done.update(names)
        panels.append(Panel(pretty_name(name), names))
    return panels


def pretty_name(coordinate: str) -> str:
    """Return a coordinate's name for people, without its side: ``knee_angle_r`` -> ``Knee angle``."""
    parts = coordinate.split("_")
    parts = [p for p in parts if p not in ("r", "l")] if style.side_of(coordinate) else parts
    text = " ".join(parts) or coordinate
    return text[:1].upper() + text[1:]


def _other_side(name: str) -> str:
    """``knee_angle_r`` -> ``knee_angle_l`` and back; a name without a side stays."""
    swap = {"r": "l", "l": "r"}
    return "_".join(swap.get(part, part) for part in name.split("_")) if style.side_of(name) else name


def plot_angles(
    result: KinematicsResult,
    reference: KinematicsResult | None = None,
    *,
    panels: Sequence[Panel] | None = None,
    reference_label: str = "reference",
) -> Figure:
    """Draw the coordinates over time as small multiples: degrees and metres, right and left in one panel.

    Args:
        result: what to draw.
        reference: a second result or the truth, dashed; coordinates are matched by name, times by value.
        panels: which coordinates; :func:`angle_panels` if None.
        reference_label: name of the second one in the legend.
    """
    chosen = list(angle_panels(result) if panels is None else panels)
    if not chosen:
        return _empty("No coordinate moves")
    columns = min(_COLUMNS, len(chosen))
    rows = -(-len(chosen) // columns)
    with style.house_style():
        figure, grid = _fixed_grid(rows, columns)
        for axes, panel in zip(grid, chosen):
            _draw_panel(axes, panel, result, reference)
        for axes in grid[len(chosen) :]:
            style.hide(axes)
        for axes in grid[max(0, len(chosen) - columns) : len(chosen)]:
            axes.set_xlabel("Time [s]")
        names = [name for panel in chosen for name in panel.coordinates]
        handles = _angle_legend(names, reference, reference_label)
        if not all(sure for name, sure in zip(result.coordinate_names, result.determined) if name in names):
            handles.append(Line2D([], [], color=style.CENTER, alpha=_PALE, label="pale: not determined"))
        figure.legend(handles=handles, loc="upper left", ncols=5, borderaxespad=0.2)
    return figure


def _fixed_grid(rows: int, columns: int) -> tuple[Figure, list[Axes]]:
    """Panels at fixed places: fitting forty panels to their labels takes longer than drawing them."""
    width, height = columns * _PANEL[0], rows * _PANEL[1] + _HEAD + _FOOT
    figure = style.new_figure(width, height, fitted=False)
    panels = figure.subplots(rows, columns, squeeze=False)
    figure.subplots_adjust(
        left=0.56 / width,
        right=1.0 - 0.08 / width,
        bottom=_FOOT / height,
        top=1.0 - (_HEAD + 0.2) / height,
        wspace=0.6 / (_PANEL[0] - 0.6),
        hspace=0.5 / (_PANEL[1] - 0.5),
    )
    return figure, list(panels.ravel())


def _draw_panel(axes: Axes, panel: Panel, result: KinematicsResult, reference: KinematicsResult | None) -> None:
    motion = result.motion_types[result.coordinate_names.index(panel.coordinates[0])]
    unit, factor = _UNITS[motion]
    lone = "o" if len(result.time) == 1 else None
    for name in panel.coordinates:
        colour = style.side_colour(name)
        determined = bool(result.determined[result.coordinate_names.index(name)])
        alpha = 1.0 if determined else _PALE
        axes.plot(
            result.time,
            factor * result.coordinate(name),
            color=colour,
            alpha=alpha,
            lw=1.3,
            marker=lone,
            ms=4,
        )
        if reference is not None and name in reference.coordinate_names:
            values = factor * reference.coordinate(name)
            axes.plot(reference.time, values, color=style.INK, lw=0.9, ls=(0, (3, 2)), marker=lone, ms=3)
    axes.set_title(f"{panel.title} [{unit}]")
    axes.margins(x=0.0 if len(result.time) > 1 else 0.5)
    if len(result.time) == 1:
        axes.set_xticks(result.time)
    low, high = axes.get_ylim()
    least = 4.0 if motion == "rotational" else 0.02
    if high - low < least:
        middle = (low + high) / 2
        axes.set_ylim(middle - least / 2, middle + least / 2)
    low, high = axes.get_ylim()
    if low < 0.0 < high:
        axes.axhline(0.0, color="#B5BAC0", lw=0.8, zorder=0)
    axes.locator_params(axis="y", nbins=4)
    if len(result.time) > 1:
        axes.locator_params(axis="x", nbins=4)


def _angle_legend(names: list[str], reference: KinematicsResult | None, label: str) -> list[Line2D]:
    sides = {style.side_of(name) for name in names}
    entries = [("r", "right", style.RIGHT), ("l", "left", style.LEFT), ("", "centre", style.CENTER)]
    handles = [Line2D([], [], color=colour, label=text) for side, text, colour in entries if side in sides]
    if reference is not None:
        handles.append(Line2D([], [], color=style.INK, lw=0.9, ls=(0, (3, 2)), label=label))
    return handles


def plot_marker_errors(result: KinematicsResult, *, most: int = 40) -> Figure:
    """Draw the distance of measured and model markers: over time, and by marker with the worst first [mm].

    Args:
        result: what to draw; NaN errors (markers that were not seen) are left out.
        most: how many markers to show at most.
    """
    errors = 1e3 * np.asarray(result.marker_errors, dtype=float)
    if not np.isfinite(errors).any():
        return _empty("No marker was measured")
    rms, worst = marker_statistics(result)
    order = np.argsort(-np.nan_to_num(rms, nan=-1.0))[:most]
    order = order[np.isfinite(rms[order])]
    with style.house_style():
        figure = style.new_figure(_COLUMNS * _PANEL[0], 3.9)
        upper, lower = figure.subplots(2, 1, height_ratios=[1.0, 1.15])
        _draw_error_over_time(upper, result.time, errors)
        place = np.arange(len(order))
        colours = [style.side_colour(result.marker_names[i]) for i in order]
        lower.bar(place, rms[order], width=0.62, color=colours)
        lower.plot(place, worst[order], ls="", marker="_", ms=7, mew=1.6, color=style.INK)
        names = [result.marker_names[i] for i in order]
        lower.set_xticks(place, names, rotation=90 if len(order) > 12 else 0, fontsize=7.5)
        lower.set_xlim(-0.7, max(len(order), 6) - 0.3)
        lower.set_ylim(0.0, 1.3 * float(worst[order].max()) + 1e-6)
        lower.grid(axis="x", visible=False)
        left_out = "" if len(order) == np.isfinite(rms).sum() else f" (the {len(order)} worst)"
        lower.set_title(f"By marker{left_out}: bar = RMS, dash = largest [mm]")
        handles = _side_handles(names)
        if len(handles) > 1:
            lower.legend(handles=handles, loc="upper right", ncols=3)
    return figure


def _draw_error_over_time(axes: Axes, time: Array, errors: Array) -> None:
    seen = np.isfinite(errors)
    rows = seen.any(axis=1)
    rms = np.full(len(time), np.nan)
    rms[rows] = np.sqrt(np.nanmean(errors[rows] ** 2, axis=1))
    largest = np.full(len(time), np.nan)
    largest[rows] = np.nanmax(errors[rows], axis=1)
    lone = "o" if len(time) == 1 else None
    axes.plot(time, largest, color=style.REFERENCE, lw=0.9, label="largest of all markers", marker=lone, ms=4)
    axes.plot(time, rms, color=style.INK, label="RMS of all markers", marker=lone, ms=4)
    axes.set_title("Over time [mm]")
    axes.set_xlabel("Time [s]")
    axes.set_ylim(0.0, 1.3 * float(np.nanmax(largest)) + 1e-6)
    axes.margins(x=0.0 if len(time) > 1 else 0.5)
    axes.legend(loc="upper right", ncols=2)


def _side_handles(names: Sequence[str]) -> list[Line2D]:
    entries = [("r", "right", style.RIGHT), ("l", "left", style.LEFT), ("", "centre", style.CENTER)]
    sides = {style.side_of(name) for name in names}
    return [Line2D([], [], color=c, lw=5, label=text) for side, text, c in entries if side in sides]


def marker_statistics(result: KinematicsResult) -> tuple[Array, Array]:
    """Return RMS and largest error per marker where it was measured, (M,) each [mm], NaN where never."""
    errors = 1e3 * np.asarray(result.marker_errors, dtype=float)
    rms, worst = np.full(errors.shape[1], np.nan), np.full(errors.shape[1], np.nan)
    seen = np.isfinite(errors).any(axis=0)
    if seen.any():
        rms[seen] = np.sqrt(np.nanmean(errors[:, seen] ** 2, axis=0))
        worst[seen] = np.nanmax(errors[:, seen], axis=0)
    return rms, worst


def plot_convergence(results: Sequence[KinematicsResult]) -> Figure:
    """Draw, per trial, how many iterations the frames took and how many did not converge."""
    with style.house_style():
        figure = style.new_figure(_COLUMNS * _PANEL[0], 0.8 + 0.32 * max(1, len(results)))
        axes = figure.subplots()
        for row, result in enumerate(results):
            counts = np.asarray(result.iterations, dtype=float)
            low, middle, high = np.percentile(counts, [0, 50, 100]) if counts.size else (0.0, 0.0, 0.0)
            failed = int((~result.converged).sum())
            colour = style.GOOD if failed == 0 else style.LEFT
            axes.plot([low, high], [row, row], color=colour, lw=3, alpha=0.5)
            axes.plot(middle, row, "o", color=colour, ms=6)
            text = "all frames converged" if failed == 0 else f"{failed} of {counts.size} frames did not converge"
            axes.annotate(text, (high, row), (8, 0), textcoords="offset points", va="center", fontsize=8)
        axes.set_yticks(range(len(results)), [_shortened(r.name, 28) for r in results])
        axes.set_ylim(len(results) - 0.5, -0.5)
        axes.set_xlim(0.0, 1.45 * max([float(np.max(r.iterations, initial=1)) for r in results] + [1.0]))
        axes.set_xlabel("Iterations per frame (dot: median, bar: from fewest to most)")
        axes.grid(axis="y", visible=False)
    return figure


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _empty(text: str) -> Figure:
    with style.house_style():
        figure = style.new_figure(_COLUMNS * _PANEL[0], 1.0)
        axes = figure.subplots()
        style.hide(axes)
        axes.text(0.5, 0.5, text, ha="center", va="center", color=style.REFERENCE, transform=axes.transAxes)
    return figure
