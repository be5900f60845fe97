"""Figures of gait: joint angles over the cycle with the bands of healthy people, and when the feet bear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from biopose_sim.gait.angles import ANGLES, Angle
from biopose_sim.gait.normalise import PERCENT, over_cycles
from biopose_sim.gait.normative import Band
from biopose_sim.gait.types import GaitEvents
from biopose_sim.viz import style

Array = NDArray[np.float64]
_COLUMNS, _PANEL = 3, (3.1, 2.05)
_HEAD, _FOOT = 0.32, 0.45  # [inch] above and below the panels
_BAND, _WIDER = "#C9CED3", "#E6E9EB"
_COLOURS = {"r": style.RIGHT, "l": style.LEFT}
_SIDES = {"r": "right", "l": "left"}
_MOST_LINES = 20


def plot_gait_angles(
    time: Array,
    angles: Mapping[str, Mapping[str, Array]],
    events: GaitEvents,
    bands: Mapping[str, Band] | None,
) -> Figure:
    """Draw each angle over the gait cycle: every stride thin, the mean of a side bold, healthy people grey.

    Args:
        time: (T,) of the angles [s].
        angles: by name and side (T,) [deg], of :func:`~biopose_sim.gait.angles.gait_angles`.
        events: with at least one cycle.
        bands: of :func:`~biopose_sim.gait.normative.normative_bands`; None draws none (running, say).
    """
    shown = [angle for angle in ANGLES if angle.name in angles]
    rows = -(-len(shown) // _COLUMNS)
    with style.house_style():
        width, height = _COLUMNS * _PANEL[0], rows * _PANEL[1] + _HEAD + _FOOT
        figure = style.new_figure(width, height, fitted=False)  # fitting panels to labels takes longer than drawing
        grid = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
        figure.subplots_adjust(left=0.42 / width, right=1.0 - 0.1 / width, bottom=_FOOT / height, wspace=0.18,
                               top=1.0 - (_HEAD + 0.2) / height, hspace=0.42)  # fmt: skip
        for axes, angle in zip(grid, shown):
            band = None if bands is None else bands.get(angle.name)
            _draw(axes, angle, time, angles[angle.name], events, band)
        for axes in grid[len(shown) :]:
            style.hide(axes)
        for axes in grid[max(0, len(shown) - _COLUMNS) : len(shown)]:
            axes.set_xlabel("Gait cycle [%]")
        figure.legend(handles=_legend(events, bands is not None), loc="upper left", ncols=5, borderaxespad=0.2)
    return figure


def _draw(
    axes: Axes, angle: Angle, time: Array, by_side: Mapping[str, Array], events: GaitEvents, band: Band | None
) -> None:
    if band is not None:
        axes.fill_between(PERCENT, band.mean - 2 * band.sd, band.mean + 2 * band.sd, color=_WIDER, lw=0, zorder=0)
        axes.fill_between(PERCENT, band.mean - band.sd, band.mean + band.sd, color=_BAND, lw=0, zorder=0.5)
    for side, values in by_side.items():
        cycles = events.of(side)
        curves = over_cycles(time, values, cycles)
        if not len(curves):
            continue
        for curve in curves[:_MOST_LINES] if len(curves) > 1 else ():
            axes.plot(PERCENT, curve, color=_COLOURS[side], lw=0.6, alpha=0.35)
        axes.plot(PERCENT, curves.mean(axis=0), color=_COLOURS[side], lw=1.8)
        off = np.mean([100.0 * (c.foot_off - c.start) / c.duration for c in cycles])
        axes.axvline(float(off), color=_COLOURS[side], lw=0.8, ls=(0, (4, 3)), zorder=0.8)
    axes.set(xlim=(0, 100), xticks=[0, 20, 40, 60, 80, 100])
    low, high = axes.get_ylim()
    middle, half = (low + high) / 2, max(0.58 * (high - low), 10.0)  # with room for the names of the directions
    low, high = middle - half, middle + half
    axes.set_ylim(low, high)
    if low < 0.0 < high:
        axes.axhline(0.0, color="#9AA0A6", lw=0.7, zorder=0.9)
    axes.locator_params(axis="y", nbins=5)
    axes.set_title(f"{angle.label} [deg]")
    for text, place, anchor in ((angle.directions[1], 0.97, "top"), (angle.directions[0], 0.03, "bottom")):
        axes.text(
            0.99, place, text, transform=axes.transAxes, ha="right", va=anchor, fontsize=7.0, color=style.REFERENCE
        )


def _legend(events: GaitEvents, with_bands: bool) -> list[Line2D | Patch]:
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=_COLOURS[side], lw=1.8, label=f"{_SIDES[side]} ({_count(events, side)})")
        for side in "rl"
        if events.of(side)
    ]
    handles.append(Line2D([], [], color=style.INK, lw=0.8, ls=(0, (4, 3)), label="foot-off"))
    if with_bands:
        handles += [Patch(color=_BAND, label="healthy adults ±1 SD"), Patch(color=_WIDER, label="±2 SD")]
    return handles


def _count(events: GaitEvents, side: str) -> str:
    count = len(events.of(side))
    return f"{count} stride{'s' if count != 1 else ''}"


def plot_foot_contacts(events: GaitEvents, span: tuple[float, float]) -> Figure:
    """Draw when each foot stood on the floor in the strides that were found.

    Args:
        events: with at least one cycle.
        span: start and end of the recording [s].
    """
    with style.house_style():
        width, height = _COLUMNS * _PANEL[0], 1.25
        figure = style.new_figure(width, height, fitted=False)
        axes = figure.subplots()
        figure.subplots_adjust(left=0.75 / width, right=1.0 - 0.1 / width, bottom=_FOOT / height, top=0.96)
        for row, side in enumerate("rl"):
            for start, end in _stances(events, side, span):
                axes.barh(row, end - start, left=start, height=0.55, color=_COLOURS[side], lw=0)
            for strike in events.strikes[side]:
                axes.plot([strike, strike], [row - 0.36, row + 0.36], color=style.INK, lw=1.0)
        axes.set_yticks([0, 1], ["right foot", "left foot"])
        axes.set(xlim=span, ylim=(1.5, -0.5))
        axes.set_xlabel("Time [s]   (bar: foot on the floor, line: strike)")
        axes.grid(axis="y", visible=False)
    return figure


def _stances(events: GaitEvents, side: str, span: tuple[float, float]) -> Sequence[tuple[float, float]]:
    """Spans from strike to foot-off; one that began before the first strike is as long as others are."""
    strikes, offs = events.strikes[side], events.offs[side]
    usual = float(np.median([c.foot_off - c.start for c in events.cycles]))
    spans = []
    for k, strike in enumerate(strikes):
        following = strikes[k + 1] if k + 1 < len(strikes) else np.inf
        after = offs[(offs > strike) & (offs < following)]
        if len(after) or strike == strikes[-1]:
            spans.append((float(strike), float(after[0]) if len(after) else min(span[1], float(strike) + usual)))
    if len(offs) and not (len(strikes) and strikes[0] < offs[0]):
        spans.insert(0, (max(span[0], float(offs[0]) - usual), float(offs[0])))
    return spans
