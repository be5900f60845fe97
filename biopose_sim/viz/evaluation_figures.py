"""The figures of an evaluation: errors by coordinate, by person, by action, and against disturbances."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from biopose_sim.ik.types import Array
from biopose_sim.viz import style

Method = Mapping[str, Any]
_WIDTH = 9.4
_HEAD = 0.4  # [inch] of a legend
_ROW = 0.185
_MOST_ACTIONS = 26
_COLOURS = {
    "network": style.RIGHT,
    "network + refine": style.GOOD,
    "fit": style.LEFT,
    "opensim": style.MEASURED,
    "mean": style.CENTER,
}
_OTHERS = ("#E69F00", "#56B4E9", "#8C6BB1", "#4D4D4D")
# Measures of a trial or person: key, title.
MEASURES = (("mae_angle", "MAE_angle [deg]"), ("mpblpe", "MPBLPE [mm]"), ("mae_body", "MAE_body [mm]"))
_CURVES = (
    ("noise", "White noise per axis [mm]"),
    ("missing", "Markers missing [%]"),
    ("mesh", "Mesh error, mean [mm]"),
)
_MARKS = ("o", "s", "^", "D", "v", "P")


def colours(names: Sequence[str]) -> dict[str, str]:
    """Return a colour for each method; well-known ones keep theirs."""
    others = iter(_OTHERS * len(names))
    return {name: _COLOURS.get(name) or next(others) for name in names}


def plot_coordinates(methods: Sequence[Method]) -> Figure:
    """Draw the error of each coordinate: bars for the first method, marks for the others."""
    names = list(methods[0]["angle"])
    half = -(-len(names) // 2)
    most = _scale([value for method in methods for value in _values(method["angle"], names)])
    with style.house_style():
        figure = _figure(half, methods)
        for axes, own in zip(figure.subplots(1, 2), (names[:half], names[half:])):
            _bars_and_marks(axes, own, methods, [_values(method["angle"], own) for method in methods], most)
            axes.set_xlabel("Mean absolute error [deg]")
    return figure


def plot_persons(methods: Sequence[Method]) -> Figure:
    """Draw how the errors are distributed over persons: each a dot, with median and middle half."""
    random = np.random.default_rng(0)
    with style.house_style():
        figure = style.new_figure(_WIDTH, 0.7 + 0.42 * max(len(methods), 2))
        for axes, (key, title) in zip(figure.subplots(1, len(MEASURES), sharey=True), MEASURES):
            numbers = [_known([p[key] for p in method["persons"].values()]) for method in methods]
            for row, own in enumerate(numbers):
                if not own.size:
                    axes.text(0.02, row, "not given", va="center", color=style.CENTER, fontsize=7.5)
                    continue
                colour = colours([m["name"] for m in methods])[methods[row]["name"]]
                away = random.uniform(-0.24, 0.24, own.size)
                axes.scatter(own, row + away, s=11, color=colour, alpha=0.6, linewidths=0, zorder=3)
                low, middle, high = np.percentile(own, [25, 50, 75])
                axes.plot([low, high], [row, row], color=style.INK, lw=1.2, zorder=4)
                axes.plot([middle] * 2, [row - 0.33, row + 0.33], color=style.INK, lw=1.6, zorder=4)
            axes.set_yticks(range(len(methods)), [m["name"] for m in methods])
            axes.set_ylim(len(methods) - 0.5, -0.5)
            axes.set_xlim(left=0.0)
            axes.set_title(title)
            axes.grid(axis="y", visible=False)
    return figure


def plot_actions(methods: Sequence[Method]) -> Figure:
    """Draw the error of each action, the worst of the first method on top."""
    first = methods[0]["actions"]
    names = sorted(first, key=lambda name: -_number(first[name]["mae_angle"]))[:_MOST_ACTIONS]
    values = [
        [_number(method["actions"].get(name, {}).get("mae_angle")) for name in names]  # one that lacks it says nothing
        for method in methods
    ]
    with style.house_style():
        figure = _figure(max(len(names), 4), methods)
        axes = figure.subplots()
        _bars_and_marks(axes, names, methods, values, _scale([v for own in values for v in own]))
        axes.set_xlabel("MAE_angle [deg]")
    return figure


def plot_robustness(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw errors of angles and landmarks against noise, missing markers and mesh errors.

    Args:
        rows: of the methods and conditions: method, kind, level, mae_angle [deg], mpblpe [mm].
    """
    names = list(dict.fromkeys(row["method"] for row in rows))
    tints = colours(names)
    clean = [dict(row) for row in rows if row["kind"] == "noise" and row["level"] == 0.0]
    with style.house_style():
        figure = style.new_figure(_WIDTH, 5.0)
        figure.get_layout_engine().set(rect=(0.0, 0.0, 1.0, 1.0 - _HEAD / 5.0))  # type: ignore[union-attr, call-arg]
        grid = figure.subplots(2, len(_CURVES), sharey="row", sharex="col")
        for column, (kind, label) in enumerate(_CURVES):
            own = [row for row in rows if row["kind"] == kind]
            for axes, key in zip(grid[:, column], ("mae_angle", "mpblpe")):
                for name, mark in zip(names, _MARKS * len(names)):
                    # An undisturbed recording is where all curves begin.
                    line = {r["level"]: _number(r[key]) for r in (*clean, *own) if r["method"] == name}
                    levels = sorted(line)
                    axes.plot(levels, [line[level] for level in levels], color=tints[name], marker=mark, ms=4, lw=1.6)
            grid[1, column].set_xlabel(label)
        # Only now, for limits that are set are not widened by what is drawn later.
        for axes in grid.flat:
            axes.set_ylim(bottom=0.0)
            axes.set_xlim(left=0.0)
        grid[0, 0].set_ylabel("MAE_angle [deg]")
        grid[1, 0].set_ylabel("MPBLPE [mm]")
        handles = [
            Line2D([], [], color=tints[name], marker=mark, ms=4, label=name)
            for name, mark in zip(names, _MARKS * len(names))
        ]
        figure.legend(handles=handles, loc="upper left", ncols=6, borderaxespad=0.2)
    return figure


def _figure(rows: int, methods: Sequence[Method]) -> Figure:
    """A figure of horizontal bars with a legend above."""
    height = 0.75 + _HEAD + _ROW * rows
    figure = style.new_figure(_WIDTH, height)
    figure.get_layout_engine().set(rect=(0.0, 0.0, 1.0, 1.0 - _HEAD / height))  # type: ignore[union-attr, call-arg]
    tints = colours([method["name"] for method in methods])
    handles = [
        Line2D([], [], color=tints[m["name"]], lw=0 if k else 5, marker=_MARKS[k % len(_MARKS)] if k else "", ms=5)
        for k, m in enumerate(methods)
    ]
    figure.legend(handles, [m["label"] for m in methods], loc="upper left", ncols=5, borderaxespad=0.2)
    return figure


def _bars_and_marks(
    axes: Axes, names: Sequence[str], methods: Sequence[Method], values: Sequence[Sequence[float]], most: float
) -> None:
    tints = colours([method["name"] for method in methods])
    rows = np.arange(len(names))
    for k, (method, own) in enumerate(zip(methods, values)):
        colour, numbers = tints[method["name"]], np.array(own, dtype=float)
        if k == 0:
            axes.barh(rows, np.nan_to_num(numbers), height=0.7, color=colour, alpha=0.55)
        else:
            mark = _MARKS[k % len(_MARKS)]
            axes.scatter(np.minimum(numbers, most), rows, s=18, color=colour, marker=mark, zorder=4, linewidths=0)
    for row, of_row in enumerate(np.array(values, dtype=float).reshape(len(values), -1).T):
        if beyond := [f"{value:.0f}" for value in of_row if value > most]:
            style_of: dict[str, Any] = {"textcoords": "offset points", "ha": "right", "va": "center", "fontsize": 6.5}
            axes.annotate(", ".join(beyond), (most, row), (-5, 0), zorder=5, **style_of)
    axes.set_xlim(0.0, 1.03 * most)
    axes.set_yticks(rows, list(names), fontsize=7.5)
    axes.set_ylim(max(len(names), 1) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)


def _scale(values: Sequence[float]) -> float:
    """The end of an axis on which most values can be told from each other: few large ones do not decide it."""
    known = _known(values)
    if not known.size:
        return 1.0
    usual = 4.0 * float(np.median(known))
    return max(min(float(known.max()), max(usual, float(np.percentile(known, 75)))), 1e-3)


def _values(of: Mapping[str, Any], names: Sequence[str]) -> list[float]:
    return [_number(of.get(name)) for name in names]


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _known(values: Sequence[float | None]) -> Array:
    numbers = np.array([_number(value) for value in values], dtype=float)
    found: Array = numbers[np.isfinite(numbers)]
    return found
