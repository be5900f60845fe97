"""Pictures of a model's skeleton with markers: limbs as thick lines, from the side, the front and obliquely.

Bones are drawn from the joint that carries a body to the joints that the body carries, so that any tree of
bodies works without geometry files. The views turn with the pelvis: "front" faces the person.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from biopose_sim.errors import InputError
from biopose_sim.ik.types import Array
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.viz import style
from biopose_sim.viz.bones import place_points, skeleton_bones

# Rows: image right, image up and towards the viewer, for a person who faces X, with Y up and Z to the right.
_OBLIQUE, _ABOVE = np.radians(35.0), np.radians(12.0)
VIEWS: dict[str, Array] = {
    "side": np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
    "front": np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]),
    "back": np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]]),
    "oblique": np.array(
        [
            [np.cos(_OBLIQUE), 0.0, -np.sin(_OBLIQUE)],
            [-np.sin(_OBLIQUE) * np.sin(_ABOVE), np.cos(_ABOVE), -np.cos(_OBLIQUE) * np.sin(_ABOVE)],
            [np.sin(_OBLIQUE) * np.cos(_ABOVE), np.sin(_ABOVE), np.cos(_OBLIQUE) * np.cos(_ABOVE)],
        ]
    ),
}
_WIDTHS = {
    "femur": 6.5,
    "tibia": 5.5,
    "humerus": 5.0,
    "pelvis": 6.0,
    "torso": 6.0,
    "thorax": 6.0,
    "lumbar": 6.0,
}
_WIDTHS |= {"ulna": 3.5, "radius": 3.5, "calcn": 4.5, "toes": 4.0, "talus": 3.5, "hand": 4.0, "head": 13.0}
_FRAME_LENGTH = 0.06
_SPACING = 1.05  # [m] between the figures of a row


def draw_skeleton(
    axes: Axes,
    model: OsimModel,
    q: ArrayLike,
    *,
    view: str = "side",
    measured: ArrayLike | None = None,
    markers: bool = True,
    body_frames: bool = False,
    shift: float = 0.0,
) -> tuple[float, float]:
    """Draw one pose into a panel, the root body at ``shift``, and return its (left, right) end [m].

    Args:
        axes: where to draw; :func:`plot_skeleton` sets one up with equal aspect.
        model: the (scaled) model.
        q: coordinates of one frame, shape (n_q,) [rad | m].
        view: "side", "front", "back" or "oblique".
        measured: measured markers of the frame, shape (M, 3) [m], drawn hollow; NaN ones are left out.
        markers: draw the model's own markers, filled.
        body_frames: draw the axes of the bodies (x red, y green, z blue, 6 cm).
        shift: where the root body stands across the picture [m].

    Raises:
        InputError: an unknown view or coordinates of another shape.
    """
    with torch.no_grad():
        forward = model(torch.as_tensor(np.asarray(q, dtype=float)))
        transforms, own = forward.transforms.numpy(), forward.markers.numpy()
    project = projection(model, transforms, view, shift)

    across = [np.array([shift])]
    for bone in skeleton_bones(model):
        ends = project(place_points(transforms[bone.body], np.stack([bone.start, bone.end])))
        _draw_bone(axes, bone.name, ends)
        across.append(ends[:, 0])
    if body_frames:
        _draw_frames(axes, transforms, project)
    if markers and len(own):
        seen = project(own)
        axes.scatter(seen[:, 0], seen[:, 1], s=5, color=style.INK, linewidths=0, zorder=50)
        across.append(seen[:, 0])
    if measured is not None:
        points = np.asarray(measured, dtype=float).reshape(-1, 3)
        points = project(points[np.isfinite(points).all(axis=1)])
        hollow: dict[str, Any] = {"facecolors": "none", "edgecolors": style.MEASURED}
        axes.scatter(points[:, 0], points[:, 1], s=15, lw=0.8, zorder=51, **hollow)
    spread = np.concatenate(across)
    return float(spread.min()), float(spread.max())


def projection(model: OsimModel, transforms: Array, view: str, shift: float = 0.0) -> Callable[[Array], Array]:
    """Return the function that takes points (..., 3) of the ground frame to the picture: right, up, to the viewer [m].

    Args:
        model: the model.
        transforms: of its bodies in this frame, shape (n_bodies, 4, 4).
        view: one of ``VIEWS``; it turns with the pelvis.
        shift: where the root body stands across the picture [m].

    Raises:
        InputError: an unknown view.
    """
    if view not in VIEWS:
        raise InputError("draw_skeleton", f"unknown view '{view}'", f"choose one of {', '.join(VIEWS)}")
    camera = VIEWS[view] @ _facing(model, transforms)
    origin = transforms[0, :3, 3] * [1.0, 0.0, 1.0]
    return lambda points: np.asarray((points - origin) @ camera.T) + np.array([shift, 0.0, 0.0])


def _facing(model: OsimModel, transforms: Array) -> Array:
    """Rotation about Y that turns the way the pelvis faces into X; none for a model without pelvis."""
    if "pelvis" not in model.body_names:
        return np.eye(3)
    x, _, z = transforms[model.body_names.index("pelvis"), :3, 0]
    angle = np.arctan2(z, x)
    # Steps of 15 degrees: the view follows a turn but not the pelvis' swing from step to step.
    angle = np.radians(15.0) * np.round(np.degrees(angle) / 15.0)
    return np.array([[np.cos(angle), 0.0, np.sin(angle)], [0.0, 1.0, 0.0], [-np.sin(angle), 0.0, np.cos(angle)]])


def _draw_bone(axes: Axes, name: str, ends: Array) -> None:
    if name.startswith("head"):  # a thin neck below a round head
        _draw_line(axes, "neck", ends[0] + np.outer([0.0, 0.5], ends[1] - ends[0]))
        ends = ends[0] + np.outer([0.62, 0.88], ends[1] - ends[0])
    _draw_line(axes, name, ends)


def _draw_line(axes: Axes, name: str, ends: Array) -> None:
    width = next((w for stem, w in _WIDTHS.items() if name.startswith(stem)), 4.0)
    depth = 10.0 + float(np.clip(ends[:, 2].mean(), -5.0, 5.0))
    colour = style.side_colour(name)
    colour = style.BONE if colour == style.CENTER else colour
    line: dict[str, Any] = {"solid_capstyle": "round", "zorder": depth}
    axes.plot(ends[:, 0], ends[:, 1], color="white", lw=width + 1.6, **line)
    axes.plot(ends[:, 0], ends[:, 1], color=colour, lw=width, alpha=0.85, **line)


def _draw_frames(axes: Axes, transforms: Array, project: Callable[[Array], Array]) -> None:
    for transform in transforms:
        for axis, colour in enumerate(("#D62728", "#2CA02C", "#1F77B4")):
            tip = transform[:3, 3] + _FRAME_LENGTH * transform[:3, axis]
            ends = project(np.stack([transform[:3, 3], tip]))
            axes.plot(ends[:, 0], ends[:, 1], color=colour, lw=1.2, zorder=40)


def plot_skeleton(
    model: OsimModel,
    coordinates: ArrayLike,
    *,
    time: ArrayLike | None = None,
    measured: ArrayLike | None = None,
    frames: Sequence[int] | None = None,
    views: Sequence[str] = ("side", "front"),
    body_frames: bool = False,
) -> Figure:
    """Draw the skeleton with the model's markers (filled) and the measured ones (hollow).

    The first view shows several frames side by side, each further view the first of these frames.

    Args:
        model: the (scaled) model.
        coordinates: shape (T, n_q) or (n_q,) [rad | m].
        time: shape (T,) [s], written below the figures.
        measured: measured markers, shape (T, M, 3) [m].
        frames: which frames; five, evenly spaced over a second in the middle, if None.
        views: of "side", "front", "back" and "oblique".
        body_frames: draw the axes of the bodies.
    """
    q = np.atleast_2d(np.asarray(coordinates, dtype=float))
    times = None if time is None else np.asarray(time, dtype=float)
    chosen = list(_spread(len(q), times) if frames is None else frames)
    points = None if measured is None else np.asarray(measured, dtype=float).reshape(len(q), -1, 3)
    low, high = _heights(model, q[chosen])
    with style.house_style():
        figure = style.new_figure(9.4, 3.9)
        panels = figure.subplots(1, len(views), squeeze=False)[0]
        widths = []
        for k, (axes, view) in enumerate(zip(panels, views)):
            group = chosen if k == 0 else chosen[:1]
            _draw_row(axes, model, q, group, view, times, points, body_frames)
            axes.set_title({"oblique": "Oblique view"}.get(view, f"From the {view}"))
            widths.append(_finish(axes, low, high, labelled=k == 0))
        panels[0].get_gridspec().set_width_ratios(widths)
        figure.legend(handles=_legend(model, points is not None), loc="outside lower center", ncols=6)
    return figure


def _spread(n: int, time: Array | None, count: int = 5) -> list[int]:
    """Frames over about a second in the middle of the recording."""
    if n <= count:
        return list(range(n))
    rate = (n - 1) / float(time[-1] - time[0]) if time is not None and n > 1 else 100.0
    span = min(n - 1, max(count - 1, round(rate * 1.0)))
    first = (n - 1 - span) // 2
    return [int(i) for i in np.linspace(first, first + span, count).round()]


def _draw_row(
    axes: Axes,
    model: OsimModel,
    q: Array,
    frames: Sequence[int],
    view: str,
    time: Array | None,
    points: Array | None,
    body_frames: bool,
) -> None:
    right = 0.0
    for k, frame in enumerate(frames):
        seen = None if points is None else points[frame]
        shift = right + _SPACING if k else 0.0
        draw_skeleton(axes, model, q[frame], view=view, measured=seen, shift=shift, body_frames=body_frames)
        right = shift
        if time is not None:
            place = axes.get_xaxis_transform()
            axes.text(shift, -0.02, f"{time[frame]:.2f} s", ha="center", va="top", fontsize=8, transform=place)


def _heights(model: OsimModel, q: Array) -> tuple[float, float]:
    """Lowest and highest point [m] of bodies and markers over the frames, the floor included."""
    with torch.no_grad():
        forward = model(torch.as_tensor(q))
        heights = [
            forward.transforms[..., 1, 3].numpy().ravel(),
            forward.markers[..., 1].numpy().ravel(),
            [0.0],
        ]
    values = np.concatenate(heights)
    return float(values.min()), float(max(values.max(), 0.5))


def _finish(axes: Axes, low: float, high: float, *, labelled: bool) -> float:
    """Set floor, limits and ticks; return the width of the panel [m]."""
    axes.set_aspect("equal")
    axes.axhline(0.0, color="#9AA0A6", lw=1.2, zorder=0)
    axes.grid(visible=False)
    axes.set_xticks([])
    axes.set_ylim(low - 0.1, high + 0.12)
    axes.spines["bottom"].set_visible(False)
    axes.locator_params(axis="y", nbins=6)
    if labelled:
        axes.set_ylabel("Height [m]")
    else:
        axes.spines["left"].set_visible(False)
        axes.set_yticks([])
    left, right = axes.get_xlim()
    axes.set_xlim(left - 0.12, right + 0.12)
    return right - left + 0.24


def _legend(model: OsimModel, with_measured: bool) -> list[Line2D]:
    handles = [
        Line2D([], [], color=style.RIGHT, lw=4, label="right"),
        Line2D([], [], color=style.LEFT, lw=4, label="left"),
        Line2D([], [], color=style.BONE, lw=4, label="trunk"),
    ]
    if model.marker_names:
        handles.append(Line2D([], [], color=style.INK, marker="o", ms=3, ls="", label="model marker"))
    if with_measured:
        hollow: dict[str, Any] = {"markerfacecolor": "none", "markeredgecolor": style.MEASURED}
        handles.append(Line2D([], [], marker="o", ms=5, ls="", label="measured marker", **hollow))
    return handles
