"""A picture of a fitted body mesh with the optical markers on it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from biopose_sim.bodies.body import body_for, mesh
from biopose_sim.bodies.raster import vertex_normals
from biopose_sim.bodies.types import Array, BodySequence
from biopose_sim.io import Trial
from biopose_sim.viz import style

_SKIN = np.array([0.70, 0.71, 0.74])
_HIDDEN, _SEEN = "#E8A33D", "#C2185B"
_MARGIN, _HALF = 0.06, 0.75  # [m]; half the width of a panel holds a stretched arm


def plot_fit(sequence: BodySequence, trial: Trial, frames: Sequence[int]) -> Figure:
    """Draw mesh and measured markers: a column per moment, from the right (above) and from the front.

    Args:
        sequence: of Anny.
        trial: the markers.
        frames: to draw.
    """
    body = body_for(sequence)
    vertices = np.asarray(mesh(body, sequence, np.asarray(frames)), dtype=float) @ sequence.to_ground.T
    top = float(vertices[..., 1].max()) + _MARGIN  # one scale for all panels
    with style.house_style():
        figure = style.new_figure(2.2 * len(frames) + 0.6, 6.6)
        panels = figure.subplots(2, len(frames), squeeze=False)
        for column, frame in enumerate(frames):
            skin, points = vertices[column], trial.markers[frame]
            ahead = _heading(skin, body.joint_names, sequence, frame)
            across = np.array([-ahead[2], 0.0, ahead[0]])
            for row, (right, depth) in enumerate(((ahead, across), (-across, ahead))):
                _panel(panels[row, column], skin, body.faces, points, right, depth, top)
            panels[1, column].set_xlabel(f"{sequence.time[frame]:.2f} s")
        figure.suptitle(f"{sequence.name}: optical markers on the fitted body")
    return figure


def _heading(skin: Array, names: tuple[str, ...], sequence: BodySequence, frame: int) -> Array:
    """Where the pelvis faces, level (3,)."""
    ahead = sequence.to_ground @ sequence.rotations[frame, names.index("root")] @ [0.0, -1.0, 0.0]
    ahead[1] = 0.0
    length = float(np.linalg.norm(ahead))
    return np.asarray(ahead / length if length > 1e-6 else [1.0, 0.0, 0.0])


def _panel(
    axes: object, skin: Array, faces: NDArray[np.int64], points: Array, right: Array, depth: Array, top: float
) -> None:
    from matplotlib.axes import Axes

    assert isinstance(axes, Axes)
    view = np.stack([right, [0.0, 1.0, 0.0], depth])
    seen, markers = skin @ view.T, points[np.isfinite(points).all(axis=1)] @ view.T
    corners = seen[faces]
    turned = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2]
    front = np.flatnonzero(turned > 0)
    front = front[np.argsort(corners[front, :, 2].mean(axis=1))]
    light = np.clip(vertex_normals(seen, faces) @ [-0.35, 0.45, 0.82], 0.0, 1.0)[faces[front]].mean(axis=1)
    colours = np.clip(_SKIN * (0.3 + 0.75 * light[:, None]), 0.0, 1.0)
    axes.add_collection(PolyCollection(corners[front, :, :2], facecolors=colours, edgecolors=colours, linewidths=0.3))
    # A marker on the far side of the body is drawn paler.
    near = markers[:, 2] > np.median(seen[:, 2]) - 0.02
    for chosen, colour, size in ((~near, _HIDDEN, 5.0), (near, _SEEN, 9.0)):
        axes.scatter(markers[chosen, 0], markers[chosen, 1], s=size, color=colour, linewidths=0, zorder=5)
    middle = 0.5 * float(seen[:, 0].min() + seen[:, 0].max())
    axes.set(xlim=(middle - _HALF, middle + _HALF), ylim=(-_MARGIN, top), xticks=[], yticks=[])
    axes.set_aspect("equal")
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.axhline(0.0, color="#9AA0A6", lw=1.0, zorder=0)
    axes.grid(visible=False)
