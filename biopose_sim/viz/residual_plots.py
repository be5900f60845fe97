"""Residuals and reserves of a simulation beside the limits of what is acceptable."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from biopose_sim.forces.quality import Check, reserve_checks
from biopose_sim.forces.results import Results
from biopose_sim.viz import style
from biopose_sim.viz.force_panels import shortened

_SIZE = (7.4, 2.6)  # [inch]
_PER_RESERVE = 0.17  # [inch]
_ROOM = 1.3  # of the largest value or limit
_LEAST = 1.0  # [N | N m] that an axis shows at least
_COMPONENTS = (style.RIGHT, style.GOOD, style.LEFT)


def plot_residuals(results: Results, residuals: Sequence[Check]) -> Figure:
    """Draw residual force and moment over time, and peaks and RMS of the reserves as parts of their limits.

    Args:
        results: of the simulation.
        residuals: what :func:`~biopose_sim.forces.quality.residual_checks` says of it; not empty.
    """
    reserves = [check for check in reserve_checks(results) if check.limit]
    height = _SIZE[1] + (0.9 + _PER_RESERVE * len(reserves) if reserves else 0.0)
    with style.house_style():
        figure = style.new_figure(_SIZE[0], height)
        ratios = [1.9, 0.5 + _PER_RESERVE * len(reserves)] if reserves else [1.0]
        grid = figure.add_gridspec(len(ratios), 2, height_ratios=ratios)
        for k, check in enumerate(residuals):
            _draw_residual(figure.add_subplot(grid[0, k]), results, check)
        if reserves:
            _draw_reserves(figure.add_subplot(grid[1, :]), reserves)
        figure.suptitle(
            shortened(f"Residuals · {results.simulation.trial}", 40), x=0.01, ha="left", fontsize=11, fontweight="bold"
        )
        if results.caution:
            figure.text(0.99, 0.985, results.caution, ha="right", va="top", color=style.LEFT, fontweight="bold")
    return figure


def _draw_residual(axes: Axes, results: Results, check: Check) -> None:
    moments, (turns, shifts) = results.moments, results.root
    assert moments is not None  # there are checks
    for name, colour in zip(shifts if check.unit == "N" else turns, _COMPONENTS):
        if name in moments.names:
            axes.plot(moments.time, moments.column(name), color=colour, lw=0.9, label=name.replace("_", " "))
    axes.plot(check.time, check.values, color=style.INK, lw=1.3, label="resultant")
    top = max(check.peak, check.limit or 0.0, _LEAST)
    if check.limit is not None:
        for sign in (1.0, -1.0):
            axes.axhline(sign * check.limit, color=style.REFERENCE, ls=(0, (4, 2)), lw=0.9)
    unit = check.unit.replace(" ", "·")
    verdict = "" if check.passed is None else (": acceptable" if check.passed else ": not acceptable")
    axes.set_title(f"{check.name.capitalize()} [{unit}]{verdict}")
    axes.set_xlabel(f"Time [s]  ·  peak {check.peak:.0f}, RMS {check.rms:.0f}"
                    + ("" if check.limit is None else f", limit {check.limit:.0f} {unit} (dashed)"))  # fmt: skip
    axes.set_ylim(-_ROOM * top, 1.75 * top)
    axes.margins(x=0.0)
    axes.axhline(0.0, color="#B5BAC0", lw=0.8, zorder=0)
    axes.legend(loc="upper left", ncols=2, fontsize=7.5)


def _draw_reserves(axes: Axes, reserves: Sequence[Check]) -> None:
    parts = [(check, 100.0 * check.peak / check.limit) for check in reserves if check.limit]
    place = np.arange(len(parts))
    colours = [style.side_colour(check.coordinate) for check, _ in parts]
    axes.barh(place, [part for _, part in parts], height=0.6, color=colours)
    rms = [part * check.rms / check.peak if check.peak else 0.0 for check, part in parts]
    axes.plot(rms, place, "|", color=style.INK, ms=7)
    axes.axvline(100.0, color=style.REFERENCE, ls=(0, (4, 2)), lw=0.9)
    axes.set_yticks(place, [check.coordinate.replace("_", " ") for check, _ in parts], fontsize=7.5)
    axes.invert_yaxis()
    axes.set_xlim(0.0, max(115.0, 1.1 * max(part for _, part in parts)))
    axes.grid(axis="y", visible=False)
    axes.set_title("Reserves beside the muscles [% of what is acceptable]")
    axes.set_xlabel("bar: peak, mark: RMS; limit: 10 % of the joint's peak moment")
