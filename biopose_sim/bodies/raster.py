"""Triangles to pixels without a graphics card or a display: a z-buffer in compiled loops.

Nothing here knows of colours: :func:`rasterize` says which triangle each pixel sees, where on it, and how far away.
Loops release the interpreter, so that threads draw images side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from ..io.camera import Camera

Array = NDArray[np.floating]
# Triangles that come nearer to the camera than this are left out [m].
NEAREST = 0.01
# Pixel centres this far outside of an edge (as a share of the triangle) still belong to it: no cracks between two.
_EDGE = 1e-9


@dataclass(frozen=True, eq=False)
class Fragments:
    """What each pixel sees first.

    Attributes:
        nearness: (H, W) 1 / distance along the camera's axis [1/m]; zero where there is nothing.
        face: (H, W) index of the triangle, -1 where there is none.
        weights: (H, W, 2) share of the triangle's first and second corner in the point seen (perspective is undone).
    """

    nearness: NDArray[np.float32]
    face: NDArray[np.int32]
    weights: NDArray[np.float32]

    @property
    def covered(self) -> NDArray[np.bool_]:
        """(H, W) where a triangle is seen."""
        return np.asarray(self.face >= 0)


def empty_fragments(height: int, width: int) -> Fragments:
    """Return an image that sees nothing."""
    return Fragments(
        np.zeros((height, width), dtype=np.float32),
        np.full((height, width), -1, dtype=np.int32),
        np.zeros((height, width, 2), dtype=np.float32),
    )


def rasterize(points: ArrayLike, faces: ArrayLike, camera: Camera, into: Fragments | None = None) -> Fragments:
    """Find what each pixel's centre sees of a mesh, both sides of its triangles.

    Args:
        points: (V, 3) in the world [m]; triangles with a corner that is not finite are left out.
        faces: (F, 3) indices of corners.
        camera: where it is seen from; triangles that cross the plane of the camera are left out.
        into: of an earlier image of this size: its memory is used again, which is faster.
    """
    found = empty_fragments(camera.height, camera.width) if into is None else into
    if into is not None:
        found.nearness.fill(0.0)
        found.face.fill(-1)
    corners = np.ascontiguousarray(camera.project(points))
    triangles = np.ascontiguousarray(faces, dtype=np.int32).reshape(-1, 3)
    fill(corners, triangles, found.nearness, found.face, found.weights)
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def fill(screen, faces, nearness, face_of, weights):
    """Draw triangles into the arrays of `Fragments`; ``screen`` (V, 3) as `Camera.project` returns it."""
    height, width = nearness.shape
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        xa, ya, za = screen[a, 0], screen[a, 1], screen[a, 2]
        xb, yb, zb = screen[b, 0], screen[b, 1], screen[b, 2]
        xc, yc, zc = screen[c, 0], screen[c, 1], screen[c, 2]
        if not (za > NEAREST and zb > NEAREST and zc > NEAREST):
            continue
        area = (xb - xa) * (yc - ya) - (xc - xa) * (yb - ya)
        if area == 0.0 or not np.isfinite(area):
            continue
        left = max(0, int(np.ceil(min(xa, min(xb, xc)) - 0.5)))
        right = min(width - 1, int(np.floor(max(xa, max(xb, xc)) - 0.5)))
        top = max(0, int(np.ceil(min(ya, min(yb, yc)) - 0.5)))
        bottom = min(height - 1, int(np.floor(max(ya, max(yb, yc)) - 0.5)))
        if left > right or top > bottom:
            continue
        na, nb, nc = 1.0 / za, 1.0 / zb, 1.0 / zc
        step_a, step_b = (yb - yc) / area, (yc - ya) / area
        px = left + 0.5
        for y in range(top, bottom + 1):
            py = y + 0.5
            wa = ((xb - px) * (yc - py) - (xc - px) * (yb - py)) / area
            wb = ((xc - px) * (ya - py) - (xa - px) * (yc - py)) / area
            for x in range(left, right + 1):
                wc = 1.0 - wa - wb
                if wa >= -_EDGE and wb >= -_EDGE and wc >= -_EDGE:
                    near = wa * na + wb * nb + wc * nc
                    if near > nearness[y, x]:
                        nearness[y, x] = near
                        face_of[y, x] = f
                        weights[y, x, 0] = wa * na / near
                        weights[y, x, 1] = wb * nb / near
                wa += step_a
                wb += step_b


def vertex_normals(points: ArrayLike, faces: ArrayLike) -> NDArray[np.float64]:
    """Return unit normals (V, 3) of a mesh: the mean of the triangles around each corner, by their area."""
    places = np.ascontiguousarray(points, dtype=np.float64)
    return np.asarray(_normals(places, np.ascontiguousarray(faces, dtype=np.int32).reshape(-1, 3)))


@njit(cache=True, nogil=True, error_model="numpy")
def _normals(points, faces):
    normals = np.zeros_like(points)
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ux, uy, uz = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1], points[b, 2] - points[a, 2]
        vx, vy, vz = points[c, 0] - points[a, 0], points[c, 1] - points[a, 1], points[c, 2] - points[a, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for corner in (a, b, c):
            normals[corner, 0] += nx
            normals[corner, 1] += ny
            normals[corner, 2] += nz
    for v in range(points.shape[0]):
        length = np.sqrt(normals[v, 0] ** 2 + normals[v, 1] ** 2 + normals[v, 2] ** 2)
        if length > 0.0:
            normals[v] /= length
    return normals
