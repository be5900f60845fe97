"""What there is to see of results, whoever draws it: figures with bones, markers, skin and forces over time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from biopose_sim.errors import InputError
from biopose_sim.io import Motion, Trial
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.viz.viewer.anatomy import built_in_bones
from biopose_sim.viz.viewer.geometry import Geometry

Array = NDArray[np.floating]
Colour = tuple[float, float, float]
ForceKind = Literal["measured", "estimated", "joint"]

BONE: Colour = (0.93, 0.89, 0.80)
MODEL_MARKER: Colour = (0.10, 0.16, 0.24)
MEASURED_MARKER: Colour = (0.85, 0.18, 0.52)
SKIN: Colour = (0.44, 0.62, 0.80)
FORCE_COLOURS: dict[str, Colour] = {
    "measured": (0.0, 0.62, 0.45),
    "estimated": (0.90, 0.55, 0.0),
    "joint": (0.55, 0.25, 0.70),
}
# Bones of results that lie over each other.
OVERLAY_COLOURS: tuple[Colour, ...] = (
    BONE,
    (0.35, 0.62, 0.85),
    (0.93, 0.58, 0.36),
    (0.45, 0.72, 0.52),
    (0.78, 0.52, 0.72),
)
SIDE_BY_SIDE = 1.1  # [m] from one figure to the next
_LEAST_KNOWN = 0.5  # share of a motion's columns that the model must know
_FULL_BODY = 10  # bodies without files of bones that make a figure of mixed kinds unsightly


@dataclass(frozen=True, eq=False)
class Solid:
    """A mesh fixed to a body.

    Attributes:
        body: index in the figure's transforms; -1: fixed to the ground.
        name: of the mesh.
        vertices: (V, 3) in the body's axes [m].
        faces: (F, 3) triangles.
        colour: red, green, blue from 0 to 1.
    """

    body: int
    name: str
    vertices: Array
    faces: NDArray[np.int32]
    colour: Colour = BONE


@dataclass(frozen=True, eq=False)
class Points:
    """Markers over time: places (T, M, 3) [m], NaN where not seen, with their M names."""

    names: tuple[str, ...]
    places: Array


@dataclass(frozen=True, eq=False)
class Forces:
    """Forces over time, drawn as arrows.

    Attributes:
        label: what the legend says.
        kind: "measured" or "estimated" ground reactions, or "joint" reactions.
        names: N names.
        points: (T, N, 3) where they act [m].
        vectors: (T, N, 3) [N]; not drawn where small or NaN.
        scale: length of the arrows [m/N].
    """

    label: str
    kind: ForceKind
    names: tuple[str, ...]
    points: Array
    vectors: Array
    scale: float


@dataclass(frozen=True, eq=False)
class Skin:
    """A body mesh: triangles (F, 3), and vertices (V, 3) [m] in the ground frame for a frame's index."""

    faces: NDArray[np.int32]
    vertices: Callable[[int], Array]


@dataclass(frozen=True, eq=False)
class Figure:
    """One result: a person over time.

    Attributes:
        name: said below the figure.
        time: (T,) [s].
        transforms: ground <- body, (T, n_bodies, 4, 4) [m].
        solids: the bones.
        model_markers: of the model.
        measured: as recorded.
        forces: on the feet and in the joints.
        skin: the body mesh, where there is one.
        offset: where the figure stands beside its own place [m].
        notes: what a user should know, e.g. bones that were not found.
        built_in: whether bones are drawings of our own.
    """

    name: str
    time: Array
    transforms: Array
    solids: tuple[Solid, ...]
    model_markers: Points | None = None
    measured: Points | None = None
    forces: tuple[Forces, ...] = ()
    skin: Skin | None = None
    offset: Array = field(default_factory=lambda: np.zeros(3))
    notes: tuple[str, ...] = ()
    built_in: bool = False

    def frame(self, time: float) -> int:
        """Index of the frame nearest to a time [s]; the first or last one outside."""
        after = int(np.searchsorted(self.time, time))
        if after == 0 or after == len(self.time):
            return min(after, len(self.time) - 1)
        return after if self.time[after] - time < time - self.time[after - 1] else after - 1


@dataclass(frozen=True, eq=False)
class Scene:
    """Figures and their common clock.

    Attributes:
        figures: one or several results.
        time: (T,) moments that are shown [s].
        delays: added to the clock for each figure's own time [s].
    """

    figures: tuple[Figure, ...]
    time: Array
    delays: tuple[float, ...]

    def frames(self, moment: float) -> list[int]:
        """Each figure's frame at a moment of the clock [s]."""
        return [figure.frame(moment + delay) for figure, delay in zip(self.figures, self.delays)]


def make_figure(
    name: str,
    model: OsimModel,
    motion: Motion,
    geometry: Geometry,
    *,
    measured: Trial | None = None,
    forces: Sequence[Forces] = (),
    skin: Skin | None = None,
) -> Figure:
    """Put a model through a motion.

    Args:
        name: of the figure.
        model: as its file has it.
        motion: of this model.
        geometry: bones from files; bodies whose files are missing get built-in ones.
        measured: recorded markers.
        forces: see `forces`; at the motion's times.
        skin: the body mesh, by the motion's frames.

    Raises:
        InputError: the motion does not belong to the model, or is empty.
    """
    q = pose_coordinates(model, motion)
    with torch.no_grad():
        forward = model(torch.from_numpy(q))
        transforms, markers = forward.transforms.numpy(), forward.markers.numpy()
    own = Points(model.marker_names, markers) if model.marker_names else None
    seen = None if measured is None else measured_points(measured, motion.time)
    if own is not None and seen is not None:
        own = _same_markers(own, seen)
    solids, built_in = figure_solids(model, geometry)
    notes = [*geometry.notes]
    if built_in and geometry.missing:
        count = sum(len(names) for names in geometry.missing.values())
        notes.append(
            f"{count} files of bones were not found, so that {'the' if built_in > _FULL_BODY else 'some'} bones are "
            "drawings: give --geometry the Geometry folder of an OpenSim installation"
        )
    return Figure(
        name, motion.time, transforms, solids, own, seen, tuple(forces), skin, notes=tuple(notes), built_in=built_in > 0
    )


def pose_coordinates(model: OsimModel, motion: Motion) -> Array:
    """Return a motion's values in the model's own order, (T, n_q) [rad | m]; what it lacks is at its default.

    Raises:
        InputError: the motion is of another model, or holds values that are no numbers.
    """
    where = motion.source or f"motion '{motion.name}'"
    known = [name for name in motion.coordinate_names if name in model.coordinate_names]
    if len(known) < max(1.0, _LEAST_KNOWN * len(motion.coordinate_names)):
        problem = f"does not belong to the model: it knows {len(known)} of {len(motion.coordinate_names)} columns"
        raise InputError(where, problem, f"give the motion that was made with '{model.path or model.name}'")
    if not len(motion.time):
        raise InputError(where, "holds no frame")
    q = np.tile(model.default_coordinates.numpy(), (len(motion.time), 1))
    for name in known:
        q[:, model.coordinate_names.index(name)] = motion.coordinate(name)
    if not np.isfinite(q).all():
        raise InputError(where, "holds values that are no numbers", "solve the trial again")
    return q


def measured_points(trial: Trial, time: Array) -> Points:
    """Return recorded markers at a motion's times: the nearest frame; NaN where none is near."""
    step = float(np.median(np.diff(trial.time))) if trial.n_frames > 1 else 0.01
    after = np.clip(np.searchsorted(trial.time, time), 1, max(trial.n_frames - 1, 1))
    before = after - 1
    after = np.minimum(after, trial.n_frames - 1)
    nearer = np.where(np.abs(trial.time[after] - time) < np.abs(trial.time[before] - time), after, before)
    places = trial.markers[nearer].copy()
    places[np.abs(trial.time[nearer] - time) > 0.51 * step] = np.nan
    return Points(trial.marker_names, places)


def _same_markers(own: Points, seen: Points) -> Points:
    """The model's markers that were also recorded; all of them where none was."""
    both = [index for index, name in enumerate(own.names) if name in set(seen.names)]
    return Points(tuple(own.names[i] for i in both), own.places[:, both]) if both else own


def figure_solids(model: OsimModel, geometry: Geometry) -> tuple[tuple[Solid, ...], int]:
    """Return the bones of a model's bodies, and how many bodies have built-in ones."""
    index = {body: k for k, body in enumerate(model.body_names)}
    solids = [
        Solid(
            -1 if solid.body is None else index[solid.body],
            solid.name,
            solid.mesh.vertices,
            solid.mesh.faces,
            solid.colour,
        )
        for solid in geometry.solids
    ]
    with_files = {solid.body for solid in geometry.solids}
    # A model without any file may leave bodies bare on purpose: hinges of a toy. A person's bodies are drawn.
    bare = [body for body in model.body_names if body not in with_files]
    wanted = {body for body in bare if body in geometry.missing} if with_files else set(bare)
    drawn = {body: mesh for body, mesh in built_in_bones(model).items() if body in wanted} if wanted else {}
    solids += [Solid(index[body], body, mesh.vertices, mesh.faces) for body, mesh in drawn.items()]
    return tuple(solids), len(drawn)


def make_scene(figures: Sequence[Figure], *, overlay: bool = False) -> Scene:
    """Set figures side by side, or over each other in colours of their own, on one clock.

    Recordings whose times overlap share the clock; others start together.

    Raises:
        InputError: no figure.
    """
    if not figures:
        raise InputError("view", "there is nothing to show", "give a result folder, or --model and --motion")
    starts = [float(figure.time[0]) for figure in figures]
    ends = [float(figure.time[-1]) for figure in figures]
    together = max(starts) < min(ends) or len(figures) == 1
    delays = [0.0 if together else start - starts[0] for start in starts]
    first = min(start - delay for start, delay in zip(starts, delays))
    last = max(end - delay for end, delay in zip(ends, delays))
    step = min(_step(figure) for figure in figures)
    clock = first + step * np.arange(round((last - first) / step) + 1)
    placed = _coloured(figures) if overlay else _apart(figures, delays)
    return Scene(tuple(placed), clock, tuple(delays))


def _step(figure: Figure) -> float:
    return float(np.median(np.diff(figure.time))) if len(figure.time) > 1 else 1.0


def _coloured(figures: Sequence[Figure]) -> list[Figure]:
    coloured = []
    for k, figure in enumerate(figures):
        colour = OVERLAY_COLOURS[k % len(OVERLAY_COLOURS)]
        coloured.append(replace(figure, solids=tuple(replace(solid, colour=colour) for solid in figure.solids)))
    return coloured


def _apart(figures: Sequence[Figure], delays: Sequence[float]) -> list[Figure]:
    """The figures in a row across their way, starting side by side."""
    if len(figures) == 1:
        return list(figures)
    across = _across(figures[0])
    start = figures[0].transforms[0, 0, :3, 3] * [1.0, 0.0, 1.0]
    placed = []
    for k, (figure, delay) in enumerate(zip(figures, delays)):
        own = figure.transforms[figure.frame(float(figures[0].time[0]) + delay), 0, :3, 3] * [1.0, 0.0, 1.0]
        placed.append(replace(figure, offset=start - own + SIDE_BY_SIDE * k * across))
    return placed


def _across(figure: Figure) -> Array:
    """Horizontal unit vector across the way that a figure goes; its right where it stays."""
    way = (figure.transforms[-1, 0, :3, 3] - figure.transforms[0, 0, :3, 3]) * [1.0, 0.0, 1.0]
    if np.linalg.norm(way) < 0.3:
        way = figure.transforms[0, 0, :3, 0] * [1.0, 0.0, 1.0]
    way = way / max(float(np.linalg.norm(way)), 1e-9)
    return np.asarray(np.cross(way, [0.0, 1.0, 0.0]))
