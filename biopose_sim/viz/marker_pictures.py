"""Pictures of the virtual markers on a body and on the skeleton, from the front, the side and the back."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from biopose_sim.viz import style
from biopose_sim.viz.body_markers import Array, MarkerScene

COLOURS = {"landmark": "#D55E00", "tracking": "#0072B2"}
# Rows: image right, image up and towards the viewer, for a body that faces X, with Y up and Z to its right.
VIEWS: dict[str, Array] = {
    "front": np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]),
    "right side": np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
    "back": np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]]),
}
_LIGHT = np.array([-0.35, 0.45, 0.82])
_SKIN = np.array([0.86, 0.83, 0.79])
_LINE = 0.036  # [m] between two names
_GAP = 0.10  # [m] between the body and the names
_MARGIN = 0.25  # [m] for the names
_HIDDEN_BEHIND = 0.015  # [m] of body in front of a marker before it counts as hidden


def plot_markers(scene: MarkerScene) -> Figure:
    """Draw the body with its visible markers above, the skeleton with the same markers below.

    Args:
        scene: see `body_markers.marker_scene`.
    """
    with style.house_style():
        figure = style.new_figure(19.0, 15.5)
        panels = figure.subplots(2, len(VIEWS))
        widths = [0.0] * len(VIEWS)
        for column, (view, camera) in enumerate(VIEWS.items()):
            seen = visible_markers(scene, camera)
            _draw_mesh(panels[0, column], scene, camera)
            wide = [_draw_markers(panels[0, column], scene, scene.on_body @ camera.T, seen)]
            panels[0, column].set_title(f"{scene.body}, {view}")
            _draw_bones(panels[1, column], scene.bones @ camera.T)
            wide.append(_draw_markers(panels[1, column], scene, scene.on_skeleton @ camera.T, seen))
            panels[1, column].set_title(f"OpenSim model, {view}")
            widths[column] = max(wide)
        panels[0, 0].get_gridspec().set_width_ratios(widths)
        for axes in panels.flat:
            axes.set_aspect("equal")
            axes.set_axis_off()
        kinds = [m.kind for m in scene.markers]
        handles = [
            Line2D([], [], marker="o", ls="", ms=6, color=colour, label=f"{kind} ({kinds.count(kind)})")
            for kind, colour in COLOURS.items()
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=11)
    return figure


def visible_markers(scene: MarkerScene, camera: Array) -> NDArray[np.intp]:
    """Return the indices of the markers that the body does not hide from a camera.

    Args:
        scene: the body with its markers.
        camera: (3, 3) rows: image right, image up, towards the viewer.
    """
    corners = (scene.vertices @ camera.T)[scene.faces]
    low, high = corners.min(axis=1), corners.max(axis=1)
    points = scene.on_body @ camera.T
    seen = []
    for index, point in enumerate(points):
        if scene.facing[index] @ camera[2] < -0.1:
            continue
        over = (low[:, :2] <= point[:2]).all(axis=1) & (high[:, :2] >= point[:2]).all(axis=1)
        if not _covered(corners[over & (high[:, 2] > point[2] + _HIDDEN_BEHIND)], point):
            seen.append(index)
    return np.array(seen, dtype=np.intp)


def _covered(corners: Array, point: Array) -> bool:
    """Whether one of the triangles (N, 3, 3) lies before the point, seen along the third axis."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    area = np.where(np.abs(area) < 1e-14, np.inf, area)
    u = ((point[0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (point[1] - a[:, 1]) * (c[:, 0] - a[:, 0])) / area
    v = ((b[:, 0] - a[:, 0]) * (point[1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (point[0] - a[:, 0])) / area
    depth = a[:, 2] + u * (b[:, 2] - a[:, 2]) + v * (c[:, 2] - a[:, 2])
    return bool(((u >= 0) & (v >= 0) & (u + v <= 1) & (depth > point[2] + _HIDDEN_BEHIND)).any())


def _draw_mesh(axes: Axes, scene: MarkerScene, camera: Array) -> None:
    """Paint the triangles that face the viewer, far ones first."""
    corners = (scene.vertices @ camera.T)[scene.faces]
    light = np.clip(scene.normals @ camera.T @ (_LIGHT / np.linalg.norm(_LIGHT)), 0.0, 1.0)[scene.faces].mean(axis=1)
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2]
    front = np.flatnonzero(across > 0)
    front = front[np.argsort(corners[front, :, 2].mean(axis=1))]
    colours = np.clip(_SKIN * (0.62 + 0.48 * light[front, None]), 0.0, 1.0)
    painted = PolyCollection(list(corners[front, :, :2]), facecolors=colours, edgecolors=colours, linewidths=0.3)
    painted.set_rasterized(True)
    axes.add_collection(painted)


def _draw_bones(axes: Axes, bones: Array) -> None:
    for depth in np.argsort(bones[:, :, 2].mean(axis=1)):
        line: dict[str, Any] = {"solid_capstyle": "round", "zorder": 2}
        axes.plot(*bones[depth, :, :2].T, color="white", lw=9.0, **line)
        axes.plot(*bones[depth, :, :2].T, color=style.BONE, lw=7.0, **line)


def _draw_markers(axes: Axes, scene: MarkerScene, points: Array, seen: NDArray[np.intp]) -> float:
    """Dots in the colour of their kind, names in a column on either side with a line to each; the width [m]."""
    colours = [COLOURS[scene.markers[index].kind] for index in seen]
    axes.scatter(points[seen, 0], points[seen, 1], s=26, c=colours, edgecolors="white", linewidths=0.6, zorder=20)
    middle = float(np.median(points[:, 0]))
    left, right = points[:, 0].min() - _GAP, points[:, 0].max() + _GAP
    order = seen[np.argsort(points[seen, 0])]
    n_left = min(max(int((points[order, 0] < middle).sum()), len(order) // 2 - 4), len(order) // 2 + 4)
    for group, edge, align in ((order[:n_left], left, "right"), (order[n_left:], right, "left")):
        group = group[np.argsort(points[group, 1])]
        heights = _spread(points[group, 1])
        ends = [((edge, y), (points[k, 0], points[k, 1])) for y, k in zip(heights, group)]
        axes.add_collection(LineCollection(ends, colors="#9AA0A6", linewidths=0.5, zorder=10))
        for y, k in zip(heights, group):
            name, shift = scene.markers[k].name, -0.01 if align == "right" else 0.01
            axes.text(edge + shift, y, name, ha=align, va="center", fontsize=8.5, color=COLOURS[scene.markers[k].kind])
    axes.set_xlim(left - _MARGIN, right + _MARGIN)
    axes.set_ylim(-0.16, 1.86)
    return float(right - left + 2 * _MARGIN)


def _spread(wanted: Array) -> Array:
    """Move rising heights apart so that names do not overlap, as little as possible in the least-squares sense."""
    steps = _LINE * np.arange(len(wanted))
    return np.asarray(isotonic_regression(wanted - steps).x + steps) if len(wanted) else wanted
