"""Figures of a result from video: how far key points and model are apart over time, and the flags of the frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from biopose_sim.viz import style
from biopose_sim.viz.force_panels import shortened
from biopose_sim.viz.video_flags import flag_words

Array = NDArray[np.floating]
_WIDTH, _PANEL, _STRIP = 7.4, 1.35, 0.62  # [inch]
_FLAGS = (style.LEFT, style.MEASURED, "#E69F00", "#56B4E9", style.INK)
_ROOM = 1.12  # of the largest value
_CUT = 99.0  # percent of the values that fit into a panel if a few are far larger
_FAR = 2.0


def plot_views(time: Array, views: Sequence[tuple[str, Array | None, Array]], flags: Sequence[str]) -> Figure:
    """Draw the mean 2D error of each frame before and after refinement, a panel for each view, and the flags below.

    Args:
        time: (T,) [s].
        views: name, (T,) before [pixel] or None, (T,) after [pixel], of each.
        flags: (T,) as `flag_words` knows them.
    """
    words = [flag_words(flag) for flag in flags]
    kinds = [kind for kind in dict.fromkeys(words) if kind]
    ratios = [_PANEL] * len(views) + ([_STRIP] if kinds else [])
    with style.house_style():
        figure = style.new_figure(_WIDTH, sum(ratios) + 0.5 + 0.17 * len(kinds))
        grid = figure.subplots(len(ratios), 1, sharex=True, squeeze=False, height_ratios=ratios)[:, 0]
        top = _top(views)
        for axes, (name, before, after) in zip(grid, views):
            _draw_view(axes, time, name, before, after, top)
        if kinds:
            _draw_flags(grid[-1], time, words, kinds)
        grid[-1].set_xlabel("Time [s]")
        grid[0].legend(loc="upper left", ncols=2)
        if len(time) > 1:
            grid[-1].set_xlim(time[0], time[-1])
    return figure


def _top(views: Sequence[tuple[str, Array | None, Array]]) -> float:
    """Upper end of the panels' axis: a few far larger values may leave them."""
    values = np.concatenate([part for _, before, after in views for part in (before, after) if part is not None])
    values = values[np.isfinite(values)]
    if not values.size:
        return 1.0
    usual, most = float(np.percentile(values, _CUT)), float(values.max())
    return _ROOM * (usual if most > _FAR * usual else most) or 1.0


def _draw_view(axes: Axes, time: Array, name: str, before: Array | None, after: Array, top: float) -> None:
    lone = "o" if len(time) == 1 else None
    if before is not None:
        axes.plot(time, before, color=style.CENTER, lw=1.0, marker=lone, ms=4, label="before refinement")
    axes.plot(time, after, color=style.RIGHT, lw=1.4, marker=lone, ms=4, label="as written")
    known = after[np.isfinite(after)]
    mean = f": mean {known.mean():.1f} px" if known.size else ": no key point"
    axes.set_title(f"{shortened(name, 50)}{mean}")
    axes.set_ylabel("2D error [px]")
    axes.set_ylim(0.0, 1.3 * top)


def _draw_flags(axes: Axes, time: Array, words: Sequence[str], kinds: Sequence[str]) -> None:
    """A strip with a bar for each run of frames of one flag."""
    borders = _borders(time)
    for kind, colour in zip(kinds, _colours(len(kinds))):
        frames = np.flatnonzero([word == kind for word in words])
        runs = np.split(frames, np.flatnonzero(np.diff(frames) > 1) + 1)
        bars = [(borders[run[0]], borders[run[-1] + 1] - borders[run[0]]) for run in runs]
        axes.broken_barh(bars, (0.0, 1.0), color=colour, lw=0)
    axes.set(ylim=(0.0, 1.0), yticks=[])
    axes.set_title("Flags of the frames")
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)
    handles = [Patch(color=colour, label=kind) for kind, colour in zip(kinds, _colours(len(kinds)))]
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(0.0, -0.75), borderaxespad=0.0)


def _borders(time: Array) -> Array:
    """(T + 1,) times between the frames, and outside of the first and last."""
    if len(time) < 2:
        return np.array([time[0] - 0.5, time[0] + 0.5])
    middle = 0.5 * (time[1:] + time[:-1])
    return np.concatenate([[2.0 * time[0] - middle[0]], middle, [2.0 * time[-1] - middle[-1]]])


def _colours(count: int) -> list[str]:
    return [_FLAGS[k % len(_FLAGS)] for k in range(count)]
