"""Plain solids as triangle meshes: tubes, ellipsoids, arrows. Triangles face outwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Mesh:
    """Corners (V, 3) [m] and triangles (F, 3) of indices."""

    vertices: Array
    faces: NDArray[np.int32]

    def moved(self, rotation: ArrayLike, translation: ArrayLike) -> Mesh:
        """Return the mesh turned by (3, 3) and then moved by (3,) [m]."""
        return Mesh(self.vertices @ np.asarray(rotation).T + np.asarray(translation), self.faces)


def unit(vector: ArrayLike) -> Array:
    """Return the vector (3,) with length 1."""
    given = np.asarray(vector, dtype=float)
    return np.asarray(given / max(float(np.linalg.norm(given)), 1e-9))


def smooth_curve(points: Sequence[Array], radii: ArrayLike, count: int = 18) -> tuple[Array, Array]:
    """Return ``count`` places (N, 3) of a curve through the points [m], and radii (N,) between theirs."""
    from scipy.interpolate import PchipInterpolator

    given, fine = np.linspace(0.0, 1.0, len(points)), np.linspace(0.0, 1.0, count)
    return PchipInterpolator(given, np.array(points), axis=0)(fine), PchipInterpolator(given, radii)(fine)


def joined(meshes: Sequence[Mesh]) -> Mesh:
    """Return several meshes as one."""
    starts = np.cumsum([0, *[len(mesh.vertices) for mesh in meshes[:-1]]])
    vertices = np.concatenate([mesh.vertices for mesh in meshes])
    faces = np.concatenate([mesh.faces + start for mesh, start in zip(meshes, starts)])
    return Mesh(vertices, faces.astype(np.int32))


@cache
def _sphere(detail: int) -> Mesh:
    """Unit sphere of 20 * 4**detail triangles."""
    g = (1.0 + 5.0**0.5) / 2.0
    corners = [-1, g, 0, 1, g, 0, -1, -g, 0, 1, -g, 0, 0, -1, g, 0, 1, g, 0, -1, -g, 0, 1, -g, g, 0, -1, g, 0, 1]
    corners += [-g, 0, -1, -g, 0, 1]
    sides = [0, 11, 5, 0, 5, 1, 0, 1, 7, 0, 7, 10, 0, 10, 11, 1, 5, 9, 5, 11, 4, 11, 10, 2, 10, 7, 6, 7, 1, 8]
    sides += [3, 9, 4, 3, 4, 2, 3, 2, 6, 3, 6, 8, 3, 8, 9, 4, 9, 5, 2, 4, 11, 6, 2, 10, 8, 6, 7, 9, 8, 1]
    faces = np.array(sides).reshape(-1, 3)
    points = np.array(corners, dtype=float).reshape(-1, 3)
    for _ in range(detail):
        points, faces = _halved(points, faces)
    return Mesh(points / np.linalg.norm(points, axis=1, keepdims=True), faces.astype(np.int32))


def _halved(points: Array, faces: NDArray[np.integer]) -> tuple[Array, NDArray[np.integer]]:
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    unique, which = np.unique(edges, axis=0, return_inverse=True)
    middles = points[unique].mean(axis=1)
    middles *= (np.linalg.norm(points[0]) / np.linalg.norm(middles, axis=1))[:, None]
    ab, bc, ca = which.reshape(3, -1) + len(points)
    a, b, c = faces.T
    small = np.concatenate([np.stack(t, axis=1) for t in ((a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca))])
    return np.concatenate([points, middles]), small


def sphere(centre: ArrayLike, radius: float, detail: int = 1) -> Mesh:
    """Return a sphere [m]; 80 triangles, four times as many with each step of ``detail``."""
    return ellipsoid(centre, np.eye(3), (radius, radius, radius), detail)


def ellipsoid(centre: ArrayLike, axes: ArrayLike, radii: ArrayLike, detail: int = 2) -> Mesh:
    """Return an ellipsoid.

    Args:
        centre: (3,) [m].
        axes: (3, 3) unit vectors of its axes, one a row.
        radii: along each [m].
        detail: 20 * 4**detail triangles.
    """
    unit = _sphere(detail)
    return Mesh(unit.vertices * np.asarray(radii) @ np.asarray(axes) + np.asarray(centre), unit.faces)


def tube(path: ArrayLike, radii: ArrayLike, sides: int = 14, *, flat: ArrayLike | None = None) -> Mesh:
    """Return a tube with closed ends along a path.

    Args:
        path: (N, 3) [m], no two neighbours alike.
        radii: (N,) [m], or (N, 2): across and along ``flat``.
        sides: of its cross-section.
        flat: (3,) direction of the second radius; any direction if none is given.
    """
    line = np.asarray(path, dtype=float)
    size = np.asarray(radii, dtype=float)
    size = np.stack([size, size], axis=1) if size.ndim == 1 else size
    tangents = np.gradient(line, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    second = _across(tangents, flat)
    first = np.cross(second, tangents)
    turn = np.linspace(0.0, 2.0 * np.pi, sides, endpoint=False)
    ring = (
        np.cos(turn)[None, :, None] * (first * size[:, :1])[:, None]
        + np.sin(turn)[None, :, None] * (second * size[:, 1:])[:, None]
    )
    points = np.concatenate([(line[:, None] + ring).reshape(-1, 3), line[:1], line[-1:]])
    return Mesh(points, _tube_faces(len(line), sides))


def _across(tangents: Array, flat: ArrayLike | None) -> Array:
    """A direction across the tube at each place, without twist."""
    start = tangents[0]
    wanted = np.eye(3)[np.argmin(np.abs(start))] if flat is None else np.asarray(flat, dtype=float)
    out = np.empty_like(tangents)
    for k, tangent in enumerate(tangents):
        side = wanted - (wanted @ tangent) * tangent
        out[k] = side / max(np.linalg.norm(side), 1e-9)
        wanted = out[k] if flat is None else wanted
    return out


def _tube_faces(rings: int, sides: int) -> NDArray[np.int32]:
    k = np.arange(sides)
    after = (k + 1) % sides
    faces = []
    for r in range(rings - 1):
        low, high = r * sides, (r + 1) * sides
        faces += [
            np.stack([low + k, low + after, high + after], axis=1),
            np.stack([low + k, high + after, high + k], axis=1),
        ]
    bottom, top, last = rings * sides, rings * sides + 1, (rings - 1) * sides
    faces += [np.stack([np.full(sides, bottom), after, k], axis=1)]
    faces += [np.stack([np.full(sides, top), last + k, last + after], axis=1)]
    return np.concatenate(faces).astype(np.int32)


def rounded(
    start: ArrayLike,
    end: ArrayLike,
    radii: ArrayLike,
    *,
    rounds: int = 4,
    flat: ArrayLike | None = None,
    squash: float = 1.0,
) -> Mesh:
    """Return a tube from start to end [m] with round ends; ``radii`` [m] are spread evenly along it.

    Args:
        start: (3,).
        end: (3,).
        radii: at least two.
        rounds: rings of each end.
        flat: (3,) direction along which the tube is squashed.
        squash: factor of the radius along ``flat``.
    """
    a, b = np.asarray(start, dtype=float), np.asarray(end, dtype=float)
    length = max(float(np.linalg.norm(b - a)), 1e-6)
    along = (b - a) / length
    given = np.asarray(radii, dtype=float)
    size = np.interp(np.linspace(0.0, 1.0, 9), np.linspace(0.0, 1.0, len(given)), given)
    places = np.linspace(0.0, length, 9)
    turn = np.linspace(0.5 * np.pi, 0.0, rounds, endpoint=False)[1:]
    cap = np.stack([np.sin(turn), np.cos(turn)])
    before, behind = -size[0] * cap[0], length + size[-1] * cap[0][::-1]
    stations = np.concatenate([before, places, behind])
    radius = np.concatenate([size[0] * cap[1], size, size[-1] * cap[1][::-1]])
    both = np.stack([radius, radius * squash], axis=1)
    return tube(a + stations[:, None] * along, both, flat=flat)


def arrow(radius: float) -> Mesh:
    """Return an arrow of length 1 along Y, to be stretched: shaft and head as shares of its length."""
    path = np.array([[0, 0, 0], [0, 0.82, 0], [0, 0.8201, 0], [0, 1.0, 0]], dtype=float)
    return tube(path, np.array([radius, radius, 2.6 * radius, 1e-4]), 16)


def box(size: ArrayLike) -> Mesh:
    """Return a box about the origin with these whole lengths [m]."""
    x, y, z = np.asarray(size, dtype=float) / 2.0
    corners = np.array([[i * x, j * y, k * z] for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)])
    sides = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    # Corners of their own for each side keep the edges sharp.
    points = np.concatenate([corners[list(side)] for side in sides])
    faces = [(4 * s + a, 4 * s + b, 4 * s + c) for s in range(6) for a, b, c in ((0, 1, 2), (0, 2, 3))]
    return Mesh(points, np.array(faces, dtype=np.int32))
