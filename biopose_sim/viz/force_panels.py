"""Small multiples of forces: over the movement cycle where strides were found, over time else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from biopose_sim.gait.types import Cycle, GaitEvents
from biopose_sim.viz import style

Array = NDArray[np.float64]
PERCENT = np.linspace(0.0, 100.0, 101)
_WHOLE = 0.9  # of a stride: what counts as a whole one
_LEAST = 0.3  # of a stride: what is worth drawing where there is no whole one
_PANEL = (2.45, 1.75)  # [inch]
_HEAD, _FOOT = 0.72, 0.8  # [inch] above and below the panels
_GAP = (0.5, 0.5)  # [inch] between panels
_NAMES = {"r": "right", "l": "left", "": "midline"}
_LONGEST = 70  # characters of a title
_SD = 0.18  # opacity of the band


@dataclass(frozen=True, eq=False)
class Curve:
    """A signal of a side.

    Attributes:
        side: "r", "l" or "".
        time: (T,) [s].
        values: (T,) in the unit of its panel.
    """

    side: str
    time: Array
    values: Array


@dataclass(frozen=True, eq=False)
class Panel:
    """A title and the curves below it.

    Attributes:
        title: what they are.
        curves: right, left, midline.
        from_zero: whether the values cannot be negative.
        least: span of the values' axis that is not gone below.
    """

    title: str
    curves: tuple[Curve, ...]
    from_zero: bool = False
    least: float = 0.0


@dataclass(frozen=True, eq=False)
class Strides:
    """A signal over the strides of its side.

    Attributes:
        values: (n, 101) at 0 to 100 % of n strides; NaN where a stride was not simulated.
        foot_off: mean end of the stance [% of the stride].
        whole: whether the strides are whole ones; else it is the part of one.
    """

    values: Array
    foot_off: float
    whole: bool

    @property
    def mean(self) -> Array:
        """(101,)."""
        return np.ma.masked_invalid(self.values).mean(axis=0).filled(np.nan)

    @property
    def sd(self) -> Array:
        """(101,) sample standard deviation over the strides; 0 for a single one."""
        if len(self.values) < 2:
            return np.zeros(len(PERCENT))
        return np.ma.masked_invalid(self.values).std(axis=0, ddof=1).filled(0.0)


def over_strides(curve: Curve, events: GaitEvents | None) -> Strides | None:
    """A curve over the strides of its side, or over the right ones for a curve without a side.

    All strides that the curve covers, else the one of which it covers most; None where it covers too little.
    """
    cycles = () if events is None else events.of(curve.side or "r")
    covered = [_covered(curve, cycle) for cycle in cycles]
    chosen = [cycle for cycle, part in zip(cycles, covered) if part >= _WHOLE]
    whole = bool(chosen)
    if not whole:
        if not cycles or max(covered) < _LEAST:
            return None
        chosen = [cycles[int(np.argmax(covered))]]
    values = np.stack([_resampled(curve, cycle) for cycle in chosen])
    off = np.mean([100.0 * (cycle.foot_off - cycle.start) / cycle.duration for cycle in chosen])
    return Strides(values, float(off), whole)


def _covered(curve: Curve, cycle: Cycle) -> float:
    span = min(cycle.end, float(curve.time[-1])) - max(cycle.start, float(curve.time[0]))
    return span / cycle.duration


def _resampled(curve: Curve, cycle: Cycle) -> Array:
    time = cycle.start + PERCENT / 100.0 * cycle.duration
    frame = float(np.diff(curve.time).max()) if len(curve.time) > 1 else 0.0
    values = np.interp(time, curve.time, curve.values)
    return np.where((time > curve.time[0] - frame) & (time < curve.time[-1] + frame), values, np.nan)


def draw_panels(
    title: str,
    panels: Sequence[Panel],
    events: GaitEvents | None,
    *,
    caution: str = "",
    note: str = "",
    columns: int = 3,
) -> Figure:
    """Draw panels: right and left in one, mean and standard deviation over the strides.

    Args:
        title: of the figure.
        panels: what to draw.
        events: strides; over time if None or if the curves cover none.
        caution: said in the picture where forces are not measured ones.
        note: small print below the title.
        columns: of panels.
    """
    strided = any(over_strides(curve, events) is not None for panel in panels for curve in panel.curves)
    rows = -(-len(panels) // columns)
    with style.house_style():
        figure, grid = _grid(rows, columns)
        marks: set[str] = set()
        for axes, panel in zip(grid, panels):
            for curve in panel.curves:
                marks |= _draw_strides(axes, curve, events) if strided else _draw_time(axes, curve)
            _finish(axes, panel, strided)
        for axes in grid[len(panels) :]:
            style.hide(axes)
        for axes in grid[max(0, len(panels) - columns) : len(panels)]:
            axes.set_xlabel("Gait cycle [%]" if strided else "Time [s]")
        _head(figure, title, caution, note, marks)
    return figure


def _grid(rows: int, columns: int) -> tuple[Figure, list[Axes]]:
    """Panels at fixed places: fitting many panels to their labels takes longer than drawing them."""
    width, height = columns * _PANEL[0] + 0.2, rows * _PANEL[1] + _HEAD + _FOOT - _GAP[1]
    figure = style.new_figure(width, height, fitted=False)
    grid = figure.subplots(rows, columns, squeeze=False)
    figure.subplots_adjust(
        left=_GAP[0] / width,
        right=1.0 - 0.2 / width,
        bottom=_FOOT / height,
        top=1.0 - _HEAD / height,
        wspace=_GAP[0] / (_PANEL[0] - _GAP[0]),
        hspace=_GAP[1] / (_PANEL[1] - _GAP[1]),
    )
    return figure, list(grid.ravel())


def _draw_time(axes: Axes, curve: Curve) -> set[str]:
    axes.plot(curve.time, curve.values, color=style.side_colour(f"x_{curve.side}"), lw=1.3)
    return {curve.side}


def _draw_strides(axes: Axes, curve: Curve, events: GaitEvents | None) -> set[str]:
    strides = over_strides(curve, events)
    if strides is None:
        return set()
    colour = style.side_colour(f"x_{curve.side}")
    mean, sd = strides.mean, strides.sd
    axes.plot(PERCENT, mean, color=colour, lw=1.4, ls="-" if strides.whole else (0, (4, 2)))
    axes.axvline(strides.foot_off, color=colour, lw=0.8, ls=":")
    marks = {curve.side, "off"}
    if len(strides.values) > 1:
        axes.fill_between(PERCENT, mean - sd, mean + sd, color=colour, alpha=_SD, lw=0)
        marks.add("sd")
    return marks if strides.whole else marks | {"part"}


def _finish(axes: Axes, panel: Panel, strided: bool) -> None:
    axes.set_title(panel.title)
    axes.margins(x=0.0)
    if strided:
        axes.set_xlim(0.0, 100.0)
        axes.set_xticks([0, 25, 50, 75, 100])
    low, high = axes.get_ylim()
    if (missing := panel.least - (high - low)) > 0.0:
        low, high = axes.set_ylim(low - missing / 2.0, high + missing / 2.0)
    if panel.from_zero:
        axes.set_ylim(0.0, high)
    elif low < 0.0 < high:
        axes.axhline(0.0, color="#B5BAC0", lw=0.8, zorder=0)
    axes.locator_params(axis="y", nbins=5)


def shortened(title: str, longest: int = _LONGEST) -> str:
    """A title of at most so many characters."""
    return title if len(title) <= longest else title[: longest - 1] + "…"


def _head(figure: Figure, title: str, caution: str, note: str, marks: set[str]) -> None:
    """Title, what is to be said with care, and the legend."""
    height = figure.get_figheight()
    figure.text(0.01, 1.0 - 0.08 / height, shortened(title), va="top", fontsize=11, fontweight="bold")
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=style.side_colour(f"x_{side}"), label=name)
        for side, name in _NAMES.items()
        if side in marks
    ]
    if "sd" in marks:
        handles.append(Patch(color=style.CENTER, alpha=0.4, label="± SD over strides"))
    if "part" in marks:
        handles.append(Line2D([], [], color=style.CENTER, ls=(0, (4, 2)), label="part of a stride"))
    if "off" in marks:
        handles.append(Line2D([], [], color=style.CENTER, lw=0.8, ls=":", label="foot off"))
    figure.legend(handles=handles, loc="lower center", ncols=6)
    place = 0.01
    for text, colour, weight in ((caution, style.LEFT, "bold"), (note, style.REFERENCE, "normal")):
        if text:
            figure.text(place, 1.0 - 0.27 / height, text, va="top", color=colour, fontsize=8.5, fontweight=weight)
            place += (0.075 * len(text) + 0.2) / figure.get_figwidth()
