"""The figures of a run's summary: distributions over trials, markers, coordinates, persons."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from biopose_sim.ik.groups import SizePrior
from biopose_sim.ik.types import Array, BoolArray
from biopose_sim.viz import style

Quality = Mapping[str, Any]
_WIDTH = 9.4
_COLUMNS = 4
_BINS = 28
_OTHER = "#56B4E9"
_MOST_BARS = 26
# Panels of the distributions over trials: title, key, factor.
_PANELS: tuple[tuple[str, str, float], ...] = (
    ("Landmark RMS [mm]", "landmark_rms", 1.0),
    ("Tracking marker RMS [mm]", "tracking_rms", 1.0),
    ("Largest marker error [mm]", "largest_error", 1.0),
    ("Landmarks over 2 cm [%]", "masked_landmarks", 100.0),
    ("Samples missing [%]", "missing", 100.0),
    ("Samples at a limit [%]", "at_limits", 100.0),
    ("Coordinates jump [% frames]", "jump_frames", 100.0),
    ("Marker jumps", "marker_jumps", 1.0),
    ("Jerk at 30 Hz [m/s³]", "jerk", 1.0),
    ("Jerk, model : measured", "jerk_ratio", 1.0),
    ("Not converged [% frames]", "converged", -100.0),
    ("A foot stands [% frames]", "standing", 100.0),
    ("Feet below the floor [mm]", "penetration", 1.0),
    ("Over 2 cm below [% frames]", "penetrating", 100.0),
    ("Speed of standing feet [mm/s]", "skate", 1.0),
    ("Slip of a stance [mm]", "slip", 1.0),
)


def column(values: Sequence[Quality], key: str, factor: float = 1.0) -> Array:
    """One measure of all trials or persons, NaN where there is none; a negative factor counts down from 1."""
    found = np.array([np.nan if (v := q.get(key)) is None else float(v) for q in values])
    return factor * found if factor > 0 else -factor * (1.0 - found)


def plot_trials(values: Sequence[Quality], accepted: BoolArray) -> Figure:
    """Draw how each measure is distributed over the trials, accepted and rejected ones apart."""
    rows = -(-len(_PANELS) // _COLUMNS)
    with style.house_style():
        figure, panels = _grid(rows, _COLUMNS, 1.5)
        for axes, (title, key, factor) in zip(panels, _PANELS):
            numbers = column(values, key, factor)
            _histogram(axes, [numbers[accepted], numbers[~accepted]], [style.RIGHT, style.LEFT])
            axes.set_title(title)
        handles = [Patch(color=style.RIGHT, label="accepted"), Patch(color=style.LEFT, label="rejected")]
        figure.legend(handles=handles, loc="upper left", ncols=2, borderaxespad=0.2)
    return figure


def _grid(rows: int, columns: int, panel: float) -> tuple[Figure, list[Axes]]:
    """Panels of a height [inch] at fixed places below a legend: fitting many to their labels takes long."""
    head, foot = 0.5, 0.25
    height = rows * panel + head
    figure = style.new_figure(_WIDTH, height, fitted=False)
    panels = figure.subplots(rows, columns, squeeze=False)
    figure.subplots_adjust(
        left=0.38 / _WIDTH,
        right=1.0 - 0.08 / _WIDTH,
        bottom=foot / height,
        top=1.0 - head / height,
        wspace=0.42 / (_WIDTH / columns - 0.42),
        hspace=0.5 / (panel - 0.5),
    )
    return figure, list(panels.ravel())


def _histogram(axes: Axes, groups: Sequence[Array], colours: Sequence[str]) -> None:
    """Stacked bars; values far beyond most are gathered in the last bar."""
    groups = [g[np.isfinite(g)] for g in groups]
    numbers = np.concatenate(groups)
    if not numbers.size:
        axes.text(0.5, 0.5, "nothing measured", ha="center", va="center", transform=axes.transAxes, color=style.CENTER)
        style.hide(axes)
        axes.set_axis_on()
        axes.set(xticks=[], yticks=[])
        return
    low, high = float(numbers.min()), float(numbers.max())
    low = min(low, 0.0) if low < 0.3 * high else low
    most = float(np.percentile(numbers, 95))
    if high > (beyond := low + 2.0 * (most - low)) > low:
        high = beyond
        axes.margins(x=0.0)
        axes.annotate(
            f"to {numbers.max():.3g}", (1.0, 0.94), xycoords="axes fraction", ha="right", fontsize=7, va="top"
        )
    edges = np.linspace(low, high if high > low else low + max(abs(low), 1.0) * 0.1, _BINS + 1)
    clipped = [np.clip(g, edges[0], edges[-1]) for g in groups]
    below = np.zeros(_BINS)
    for group, colour in zip(clipped, colours):
        above = below + np.histogram(group, edges)[0]
        axes.stairs(above, edges, baseline=below, fill=True, color=colour, lw=0)
        below = above
    axes.set_ylim(0.0, 1.08 * max(float(below.max()), 1.0))
    axes.locator_params(axis="y", nbins=4, integer=True)
    axes.locator_params(axis="x", nbins=5)


def plot_markers(values: Sequence[Quality]) -> Figure:
    """Draw the RMS of the markers on each body, and which markers are most often among the worst."""
    by_segment: dict[str, list[float]] = defaultdict(list)
    by_marker: dict[str, list[float]] = defaultdict(list)
    for quality in values:
        for name, rms in quality["segments"]:
            by_segment[name].append(rms)
        for name, rms in quality["worst_markers"]:
            by_marker[name].append(rms)
    segments = sorted(by_segment, key=lambda name: -float(np.median(by_segment[name])))[:_MOST_BARS]
    worst = sorted(by_marker, key=lambda name: -len(by_marker[name]))[:_MOST_BARS]
    with style.house_style():
        figure = style.new_figure(_WIDTH, _height(max(len(segments), len(worst))))
        left, right = figure.subplots(1, 2)
        _ranges(left, segments, [np.array(by_segment[name]) for name in segments])
        left.set_title("RMS of the markers on a body [mm]")
        left.set_xlim(left=0.0)
        shares = [100.0 * len(by_marker[name]) / len(values) for name in worst]
        _bars(right, worst, shares, [f"{np.median(by_marker[name]):.0f} mm" for name in worst])
        right.set_title("Trials with the marker among the worst [%]")
    return figure


def plot_coordinates(values: Sequence[Quality]) -> Figure:
    """Draw the share of frames at a limit, and the jumps per minute, by coordinate."""
    at: dict[str, float] = defaultdict(float)
    jumps: dict[str, float] = defaultdict(float)
    frames = sum(q["frames"] for q in values)
    seconds = sum(q["seconds"] for q in values)
    for quality in values:
        for name, share in quality["limits"]:
            at[name] += 100.0 * share * quality["frames"] / max(frames, 1)
        for name, count in quality["jumping"]:
            jumps[name] += 60.0 * count / max(seconds, 1e-9)
    with style.house_style():
        limited, jumping = (sorted(d, key=lambda name: -d[name])[:_MOST_BARS] for d in (at, jumps))
        figure = style.new_figure(_WIDTH, _height(max(len(limited), len(jumping))))
        left, right = figure.subplots(1, 2)
        _bars(left, limited, [at[name] for name in limited])
        left.set_title("Share of frames at a limit [%]")
        _bars(right, jumping, [jumps[name] for name in jumping])
        right.set_title("Jumps per minute")
    return figure


def plot_people(values: Sequence[Quality], sexes: Sequence[str | None], statures: Sequence[float | None]) -> Figure:
    """Draw stature by sex, the stature of the models, sizes, marker errors and offsets."""
    known = np.array([np.nan if s is None else s for s in statures], dtype=float)
    own = column(values, "model_stature")
    tall = np.where(np.isfinite(known), known, own)
    kinds = {"female": style.LEFT, "male": style.RIGHT, None: style.CENTER}
    sexes = [sex if sex in kinds else None for sex in sexes]
    present = [sex for sex in kinds if sex in sexes]
    with style.house_style():
        figure, panels = _grid(2, 3, 1.6)
        _histogram(panels[0], [tall[[s == sex for s in sexes]] for sex in present], [kinds[sex] for sex in present])
        panels[0].set_title("Stature [m]" + ("" if np.isfinite(known).all() else " (the model's where not known)"))
        if len(present) > 1:
            handles = [Patch(color=kinds[sex], label=sex or "not known") for sex in present]
            figure.legend(handles=handles, loc="upper left", ncols=3, borderaxespad=0.2)
        titles = [
            ("Model's stature less the person's [mm]", 1e3 * (own - known)),
            ("Size relative to the generic model", column(values, "size")),
            ("Marker RMS over all trials [mm]", column(values, "marker_rms")),
            ("Largest offset of a landmark [mm]", column(values, "landmark_offset")),
            ("Difference of left and right [%]", 100.0 * np.expm1(column(values, "asymmetry"))),
        ]
        for axes, (title, numbers) in zip(panels[1:], titles):
            _histogram(axes, [numbers], [style.RIGHT])
            axes.set_title(title)
    return figure


def plot_scales(values: Sequence[Quality]) -> Figure:
    """Draw the factors of each part relative to the whole body, along depth, length and width."""
    parts: dict[str, list[Sequence[float]]] = defaultdict(list)
    for quality in values:
        for part, factors in quality["parts"]:
            parts[part].append(factors)
    names = list(parts)
    usual = 100.0 * np.expm1(SizePrior().limit)
    with style.house_style():
        figure = style.new_figure(_WIDTH, _height(len(names)))
        for axis, (axes, title) in enumerate(
            zip(figure.subplots(1, 3, sharey=True), ("Depth x", "Length y", "Width z"))
        ):
            axes.axvspan(-usual, usual, color=style.GRID, zorder=0, lw=0)
            _ranges(axes, names, [100.0 * (np.array(parts[name])[:, axis] - 1.0) for name in names])
            axes.set_title(f"{title} [% beyond the body's mean]")
            axes.axvline(0.0, color="#9AA0A6", lw=0.8, zorder=1)
    return figure


def _height(rows: int) -> float:
    """Height of a figure of horizontal bars [inch]."""
    return 0.7 + 0.175 * max(rows, 4)


def _ranges(axes: Axes, names: Sequence[str], numbers: Sequence[Array]) -> None:
    """For each name the median, the middle half and the middle 90 of 100 of its numbers, the first on top."""
    for row, own in enumerate(numbers):
        low, quarter, middle, three, high = np.percentile(own, [5, 25, 50, 75, 95])
        colour = style.side_colour(names[row])
        axes.plot([low, high], [row, row], color=colour, lw=1.2, zorder=2)
        axes.plot([quarter, three], [row, row], color=colour, lw=5, alpha=0.55, solid_capstyle="butt", zorder=3)
        axes.plot([middle, middle], [row - 0.33, row + 0.33], color=style.INK, lw=1.4, zorder=4)
    _label(axes, names)


def _bars(axes: Axes, names: Sequence[str], lengths: Sequence[float], notes: Sequence[str] = ()) -> None:
    axes.barh(range(len(names)), lengths, height=0.7, color=[style.side_colour(name) for name in names])
    for row, note in enumerate(notes):
        axes.annotate(note, (lengths[row], row), (3, 0), textcoords="offset points", va="center", fontsize=7)
    axes.set_xlim(0.0, 1.15 * max([*lengths, 1e-9]))
    if not names:
        axes.text(0.5, 0.5, "none", ha="center", va="center", transform=axes.transAxes, color=style.CENTER)
        axes.set_xticks([])
    _label(axes, names)


def _label(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), list(names), fontsize=7.5)
    axes.set_ylim(max(len(names), 1) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    axes.locator_params(axis="x", nbins=6)
