"""The picture of a case that went wrong: skeleton, measured and model markers of one frame."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from numpy.typing import ArrayLike

from biopose_sim.ik.types import Array
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.viz import style
from biopose_sim.viz.skeleton import draw_skeleton, projection

VIEWS = ("side", "front")
# Pairs further apart than this are joined by a line [m]: the limit for bony landmarks.
FAR = 0.02
_MARGIN, _MOST_MARGIN = 0.12, 0.6  # [m] around the model; markers further out are counted, not shown
_HEIGHT, _DPI = 2.9, 105


def worst_case_picture(model: OsimModel, coordinates: ArrayLike, markers: ArrayLike, model_markers: ArrayLike) -> bytes:
    """Draw one frame from the side and the front: skeleton, measured and model markers, lines between them.

    Args:
        model: the person's scaled model.
        coordinates: of the frame, (n_q,) [rad | m].
        markers: measured, (M, 3) [m]; NaN where not seen.
        model_markers: the model's, in the same order, (M, 3) [m].

    Returns:
        A PNG.
    """
    q = np.asarray(coordinates, dtype=float)
    measured, own = (np.asarray(points, dtype=float).reshape(-1, 3) for points in (markers, model_markers))
    with torch.no_grad():
        transforms = model(torch.from_numpy(q)).transforms.numpy()
    with style.house_style():
        figure = style.new_figure(4.4, _HEIGHT, fitted=False)
        panels = figure.subplots(1, len(VIEWS))
        figure.subplots_adjust(left=0.01, right=0.99, bottom=0.02, top=0.91, wspace=0.04)
        for axes, view in zip(panels, VIEWS):
            project = projection(model, transforms, view)
            draw_skeleton(axes, model, q, view=view, markers=False)
            places = np.concatenate([project(own), project(transforms[:, :3, 3])])
            hidden = _draw_markers(axes, project(measured), project(own), places)
            floor = float(project(np.array([[0.0, 0.0, 0.0]]))[0, 1])
            axes.axhline(floor, color="#9AA0A6", lw=1.0, zorder=0)
            axes.set_title(f"From the {view}" + (f" ({hidden} markers outside)" if hidden else ""))
        return style.to_png(figure, _DPI, colours=64)


def _draw_markers(axes: Axes, measured: Array, own: Array, places: Array) -> int:
    """Draw markers (M, 3) of the picture and set its borders; return how many measured ones are outside."""
    seen = np.asarray(np.isfinite(measured).all(axis=1), dtype=bool)
    flat = measured[:, :2]
    low, high = places[:, :2].min(axis=0), places[:, :2].max(axis=0)
    near = seen & np.all((flat > low - _MOST_MARGIN) & (flat < high + _MOST_MARGIN), axis=1)
    if near.any():
        low, high = np.minimum(low, flat[near].min(axis=0)), np.maximum(high, flat[near].max(axis=0))
    far = seen & (np.linalg.norm(np.where(seen[:, None], measured - own, 0.0), axis=1) > FAR)
    lines: Any = np.stack([own[far, :2], measured[far, :2]], axis=1)
    axes.add_collection(LineCollection(lines, colors=style.MEASURED, linewidths=0.9, zorder=49), autolim=False)
    axes.scatter(own[seen, 0], own[seen, 1], s=4, color=style.INK, linewidths=0, zorder=50)
    hollow: dict[str, Any] = {"facecolors": "none", "edgecolors": style.MEASURED}
    axes.scatter(measured[near, 0], measured[near, 1], s=11, lw=0.8, zorder=51, **hollow)
    axes.set(
        xlim=(low[0] - _MARGIN, high[0] + _MARGIN), ylim=(low[1] - _MARGIN, high[1] + _MARGIN), xticks=[], yticks=[]
    )
    axes.set_aspect("equal")
    axes.grid(visible=False)
    axes.spines[["left", "bottom"]].set_visible(False)
    return int(seen.sum() - near.sum())
