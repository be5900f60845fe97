"""Pictures of a body mesh with the fitted skeleton inside and the markers on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray

from biopose_sim.bodies.raster import vertex_normals
from biopose_sim.errors import InputError
from biopose_sim.ik.types import Array
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.viz import style
from biopose_sim.viz.skeleton import draw_skeleton, projection

VIEWS = ("side", "front", "back")
_LIGHT = np.array([-0.35, 0.45, 0.82]) / np.linalg.norm([-0.35, 0.45, 0.82])
_SKIN = np.array([0.61, 0.63, 0.67])
_OPACITY = 0.6
# Above the bones, below the markers.
_MESH_ORDER, _MARKER_ORDER = 40.0, 50.0
_MARGIN = 0.06  # [m]
_ROW, _LEAST_WIDTH = 3.0, 5.5  # [inch]


def choose_frames(seen: ArrayLike, count: int = 5) -> list[int]:
    """Return frames to draw, evenly over those in which the person is seen.

    Args:
        seen: shape (T,) of bool.
        count: how many at most.
    """
    candidates = np.flatnonzero(np.asarray(seen, dtype=bool))
    places = (np.arange(min(count, len(candidates))) + 0.5) / max(min(count, len(candidates)), 1)
    return [int(candidates[int(place * len(candidates))]) for place in places]


def plot_body(
    model: OsimModel,
    coordinates: ArrayLike,
    vertices: ArrayLike,
    faces: ArrayLike | None,
    *,
    markers: ArrayLike | None = None,
    time: ArrayLike | None = None,
    views: Sequence[str] = VIEWS,
) -> Figure:
    """Draw mesh, skeleton and markers together: a column per moment, a row per view; one moment: views side by side.

    Args:
        model: the fitted model.
        coordinates: of the moments, shape (N, n_q) [rad | m].
        vertices: of the mesh in these moments, ground frame, shape (N, V, 3) [m].
        faces: triangles, shape (F, 3); None where they are not known: the vertices are drawn as points.
        markers: what the model was fitted to, shape (N, M, 3) [m]; missing ones are left out.
        time: of the moments, shape (N,) [s].
        views: of "side", "front", "back" and "oblique".

    Raises:
        InputError: an unknown view, no moment, or shapes that do not fit each other.
    """
    q, skin = np.atleast_2d(np.asarray(coordinates, dtype=float)), np.asarray(vertices, dtype=float)
    if not len(q) or skin.ndim != 3 or len(skin) != len(q):
        raise InputError("plot_body", f"{len(q)} poses but vertices of shape {skin.shape}", "give (N, V, 3), N above 0")
    triangles = None if faces is None else np.asarray(faces, dtype=np.int64)
    points = None if markers is None else np.asarray(markers, dtype=float).reshape(len(q), -1, 3)
    times = None if time is None else np.asarray(time, dtype=float).reshape(len(q))
    cells = [[(moment, view) for moment in range(len(q))] for view in views]
    if len(q) == 1:
        cells = [[(0, view) for view in views]]
    with style.house_style():
        figure = style.new_figure(6.0, _ROW * len(cells))
        panels = figure.subplots(len(cells), len(cells[0]), squeeze=False)
        boxes = np.empty((*panels.shape, 4))
        for (row, column), axes in np.ndenumerate(panels):
            moment, view = cells[row][column]
            seen = None if points is None else points[moment]
            boxes[row, column] = _draw(axes, model, q[moment], skin[moment], triangles, seen, view)
            if column == 0 or len(q) == 1:
                axes.set_title("Oblique view" if view == "oblique" else f"From the {view}")
            if times is not None and row == len(cells) - 1:
                axes.set_xlabel(f"{times[moment]:.2f} s")
        _arrange(figure, panels, boxes)
        figure.legend(handles=_legend(points is not None), loc="outside lower center", ncols=6)
    return figure


def _draw(
    axes: Axes,
    model: OsimModel,
    q: Array,
    vertices: Array,
    faces: NDArray[np.int64] | None,
    markers: Array | None,
    view: str,
) -> tuple[float, float, float, float]:
    """Draw one moment from one side; return left, right, lowest and highest place [m]."""
    with torch.no_grad():
        transforms = model(torch.from_numpy(np.ascontiguousarray(q))).transforms.numpy()
    project = projection(model, transforms, view)
    draw_skeleton(axes, model, q, view=view, markers=False)
    if markers is not None:
        points = project(markers[np.isfinite(markers).all(axis=1)])
        axes.scatter(points[:, 0], points[:, 1], s=4.5, color=style.MEASURED, linewidths=0, zorder=_MARKER_ORDER)
    seen = project(vertices)
    if faces is None:
        axes.scatter(seen[:, 0], seen[:, 1], s=0.6, color=_SKIN * 0.8, alpha=0.35, linewidths=0, zorder=_MESH_ORDER)
    else:
        _paint(axes, seen, faces)
    return float(seen[:, 0].min()), float(seen[:, 0].max()), float(seen[:, 1].min()), float(seen[:, 1].max())


def _paint(axes: Axes, seen: Array, faces: NDArray[np.int64]) -> None:
    """Paint the triangles that face the viewer, far ones first, as one sheet that lets the skeleton through."""
    corners = seen[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2]
    front = np.flatnonzero(across > 0)
    front = front[np.argsort(corners[front, :, 2].mean(axis=1))]
    light = np.clip(vertex_normals(seen, faces) @ _LIGHT, 0.0, 1.0)[faces[front]].mean(axis=1)
    colours = np.clip(_SKIN * (0.25 + 0.80 * light[:, None]), 0.0, 1.0)
    places: Any = corners[front, :, :2]  # as one array, which is several times faster than a list
    sheet = PolyCollection(places, facecolors=colours, edgecolors=colours, linewidths=0.3, zorder=_MESH_ORDER)
    # Triangles that let light through one by one would show each limb that another hides.
    sheet.set_agg_filter(_translucent)
    axes.add_collection(sheet)


def _translucent(image: Any, _dpi: float) -> tuple[NDArray[Any], float, float]:
    """The painted sheet (H, W, 4) with its opacity lowered."""
    return np.asarray(image) * np.array([1.0, 1.0, 1.0, _OPACITY]), 0.0, 0.0


def _arrange(figure: Figure, panels: NDArray[Any], boxes: Array) -> None:
    """One scale and one floor for all panels; columns as wide as what they show."""
    low, high = min(0.0, float(boxes[..., 2].min())) - _MARGIN, float(boxes[..., 3].max()) + _MARGIN
    left, right = boxes[..., 0].min(axis=0) - _MARGIN, boxes[..., 1].max(axis=0) + _MARGIN
    panels[0, 0].get_gridspec().set_width_ratios(list(right - left))
    for (_, column), axes in np.ndenumerate(panels):
        axes.set_aspect("equal")
        axes.axhline(0.0, color="#9AA0A6", lw=1.2, zorder=0)
        axes.set(xlim=(left[column], right[column]), ylim=(low, high), xticks=[], yticks=[])
        axes.grid(visible=False)
        axes.spines[["left", "bottom"]].set_visible(False)
    width = (_ROW - 0.3) / (high - low) * float((right - left).sum())
    figure.set_size_inches(max(width, _LEAST_WIDTH), _ROW * len(panels) + 0.6)


def _legend(with_markers: bool) -> list[Line2D | Patch]:
    handles: list[Line2D | Patch] = [
        Patch(facecolor=tuple(_SKIN.tolist()), label="body mesh"),
        Line2D([], [], color=style.RIGHT, lw=4, label="right"),
        Line2D([], [], color=style.LEFT, lw=4, label="left"),
        Line2D([], [], color=style.BONE, lw=4, label="trunk"),
    ]
    if with_markers:
        handles.append(Line2D([], [], marker="o", ms=3.5, ls="", color=style.MEASURED, label="virtual marker"))
    return handles
