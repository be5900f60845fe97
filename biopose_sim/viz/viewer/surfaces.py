"""The figures' bones, markers, arrows and skins at one moment, as triangles in the ground frame."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numba import njit
from numpy.typing import NDArray

from biopose_sim.bodies.raster import vertex_normals
from biopose_sim.viz.viewer.scene import (
    FORCE_COLOURS,
    MEASURED_MARKER,
    MODEL_MARKER,
    SKIN,
    Figure,
    Forces,
    Points,
)
from biopose_sim.viz.viewer.shading import Surface
from biopose_sim.viz.viewer.shapes import Mesh, joined, sphere, tube

Array = NDArray[np.floating]
MODEL_RADIUS, MEASURED_RADIUS = 0.0075, 0.010  # [m]
ARROW_RADIUS, HEAD_RADIUS, HEAD_LENGTH = 0.0115, 0.03, 0.075  # [m]
LEAST_LENGTH = 0.02  # [m]; shorter arrows are not drawn


class FigureMeshes:
    """A figure's triangles, made ready once; each moment only moves them.

    Args:
        figure: the figure.
    """

    def __init__(self, figure: Figure) -> None:
        self.figure = figure
        self._ball = sphere(np.zeros(3), 1.0, 1)
        self._arrow = arrow_mesh()

    @cached_property
    def _bones(self) -> tuple[Array, Array, NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
        """Points, normals and colours in body axes, the body of each, and the triangles."""
        solids = self.figure.solids
        if not solids:
            none = np.zeros((0, 3))
            return none, none, np.zeros(0, np.int32), np.zeros((0, 3), np.int32), np.zeros((0, 3), np.float32)
        whole = joined([Mesh(solid.vertices, solid.faces) for solid in solids])
        normals = np.concatenate([vertex_normals(solid.vertices, solid.faces) for solid in solids])
        body = np.concatenate([np.full(len(solid.vertices), solid.body, dtype=np.int32) for solid in solids])
        colours = np.concatenate([np.tile(solid.colour, (len(solid.vertices), 1)) for solid in solids])
        return np.ascontiguousarray(whole.vertices), normals, body, whole.faces, colours.astype(np.float32)

    def bones(self, frame: int) -> Surface:
        """Bones at a frame."""
        points, normals, body, faces, colours = self._bones
        moved, turned = np.empty_like(points), np.empty_like(normals)
        _pose(
            points,
            normals,
            body,
            np.ascontiguousarray(self.figure.transforms[frame]),
            self.figure.offset,
            moved,
            turned,
        )
        return Surface(moved, turned, colours, faces)

    def markers(self, frame: int, *, model: bool = True, measured: bool = True) -> Surface:
        """Markers at a frame, as small balls."""
        figure, parts = self.figure, []
        if model and figure.model_markers is not None:
            parts.append(self._balls(figure.model_markers, frame, MODEL_RADIUS, MODEL_MARKER))
        if measured and figure.measured is not None:
            parts.append(self._balls(figure.measured, frame, MEASURED_RADIUS, MEASURED_MARKER))
        return merged(parts)

    def _balls(self, points: Points, frame: int, radius: float, colour: tuple[float, float, float]) -> Surface:
        places = points.places[frame]
        places = places[np.isfinite(places).all(axis=1)] + self.figure.offset
        ball = self._ball
        vertices = (places[:, None] + radius * ball.vertices).reshape(-1, 3)
        faces = (ball.faces[None] + len(ball.vertices) * np.arange(len(places))[:, None, None]).reshape(-1, 3)
        normals = np.tile(ball.vertices, (len(places), 1))
        colours = np.tile(np.array(colour, dtype=np.float32), (len(vertices), 1))
        return Surface(vertices, normals, colours, faces.astype(np.int32))

    def arrows(self, frame: int) -> Surface:
        """Forces at a frame."""
        parts = []
        for forces in self.figure.forces:
            for start, end in zip(*arrow_ends(forces, frame, self.figure.offset)):
                length = float(np.linalg.norm(end - start))
                placed = stretched(self._arrow, start, end, thickness(forces))
                colours = np.tile(np.array(FORCE_COLOURS[forces.kind], dtype=np.float32), (len(placed.vertices), 1))
                if length > 0.0:
                    parts.append(
                        Surface(placed.vertices, vertex_normals(placed.vertices, placed.faces), colours, placed.faces)
                    )
        return merged(parts)

    def skin(self, frame: int) -> Surface | None:
        """The body mesh at a frame, where the figure has one that was seen."""
        skin = self.figure.skin
        if skin is None:
            return None
        points = np.asarray(skin.vertices(frame), dtype=float) + self.figure.offset
        if not np.isfinite(points).all():
            return None
        colours = np.tile(np.array(SKIN, dtype=np.float32), (len(points), 1))
        return Surface(points, vertex_normals(points, skin.faces), colours, skin.faces)


def thickness(forces: Forces) -> float:
    """How thick a force's arrows are, relative to those of ground reactions."""
    return 0.75 if forces.kind == "joint" else 1.0


def arrow_ends(forces: Forces, frame: int, offset: Array) -> tuple[Array, Array]:
    """Tails and tips (N, 3) of the arrows that are long enough to see [m].

    Ground reactions start at the centre of pressure; joint reactions end at the joint.
    """
    points, along = forces.points[frame] + offset, forces.vectors[frame] * forces.scale
    shown = np.isfinite(points).all(axis=1) & (np.linalg.norm(np.nan_to_num(along), axis=1) > LEAST_LENGTH)
    points, along = points[shown], along[shown]
    return (points - along, points) if forces.kind == "joint" else (points, points + along)


def arrow_mesh() -> tuple[Mesh, Mesh]:
    """Shaft (from 0 to 1 along Y) and head (tip at 0, back at -1) of radius 1."""
    shaft = tube(np.array([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]]), [1.0, 1.0], 16)
    head = tube(np.array([[0.0, -1.0, 0.0], [0.0, -0.999, 0.0], [0.0, 0.0, 0.0]]), [0.55, 1.0, 0.0], 16)
    return shaft, head


def stretched(arrow: tuple[Mesh, Mesh], start: Array, end: Array, thick: float = 1.0) -> Mesh:
    """Return an arrow from start to end [m]."""
    shaft, head = arrow
    length = float(np.linalg.norm(end - start))
    along = (end - start) / max(length, 1e-9)
    side = np.cross(along, np.eye(3)[np.argmin(np.abs(along))])
    side /= np.linalg.norm(side)
    axes = np.stack([side, along, np.cross(side, along)])
    tip = min(HEAD_LENGTH * thick, 0.6 * length)
    wide = HEAD_RADIUS * thick * tip / (HEAD_LENGTH * thick)
    thin = min(ARROW_RADIUS * thick, 0.5 * wide)
    bar = Mesh(shaft.vertices * [thin, length - 0.95 * tip, thin] @ axes + start, shaft.faces)
    point = Mesh(head.vertices * [wide, tip, wide] @ axes + end, head.faces)
    return joined([bar, point])


def merged(surfaces: list[Surface]) -> Surface:
    """Return several surfaces as one."""
    if not surfaces:
        none = np.zeros((0, 3))
        return Surface(none, none, none.astype(np.float32), none.astype(np.int32))
    starts = np.cumsum([0, *[len(surface.points) for surface in surfaces[:-1]]])
    return Surface(
        np.concatenate([surface.points for surface in surfaces]),
        np.concatenate([surface.normals for surface in surfaces]),
        np.concatenate([surface.colours for surface in surfaces]),
        np.concatenate([surface.faces + start for surface, start in zip(surfaces, starts)]).astype(np.int32),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _pose(points, normals, body, transforms, offset, moved, turned):
    for v in range(points.shape[0]):
        b = body[v]
        for i in range(3):
            if b < 0:
                moved[v, i] = points[v, i] + offset[i]
                turned[v, i] = normals[v, i]
                continue
            place, turn = transforms[b, i, 3] + offset[i], 0.0
            for j in range(3):
                place += transforms[b, i, j] * points[v, j]
                turn += transforms[b, i, j] * normals[v, j]
            moved[v, i] = place
            turned[v, i] = turn
