"""Balls as fine meshes, and exactly what a camera sees of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from biopose_sim.video.synthetic.mesh import PaintedMesh

Array = NDArray[np.floating]
# Rays through each pixel and way.
_RAYS = 16


def ball_mesh(rings: int = 96) -> PaintedMesh:
    """A ball of radius 1 about the origin, of twice as many triangles round as from pole to pole."""
    angles = np.linspace(0, np.pi, rings + 1), np.linspace(0, 2 * np.pi, 2 * rings + 1)
    down, round_ = np.meshgrid(*angles, indexing="ij")
    points = np.stack([np.sin(down) * np.cos(round_), np.cos(down), np.sin(down) * np.sin(round_)], -1).reshape(-1, 3)
    row = 2 * rings + 1
    first = (np.arange(rings)[:, None] * row + np.arange(2 * rings)).ravel()
    # Outward: Anny's triangles turn the same way.
    faces = np.concatenate(
        [np.stack([first, first + 1, first + row], 1), np.stack([first + 1, first + row + 1, first + row], 1)]
    )
    count = len(points)
    nothing = np.zeros(0, dtype=np.float32)
    return PaintedMesh(
        faces=faces.astype(np.int32),
        parts=np.zeros(len(faces), dtype=np.int8),
        places=np.hstack([points, np.zeros((count, 1))]).astype(np.float32),
        vertex_parts=np.zeros(count, dtype=np.int8),
        normals=points.astype(np.float32),
        weight_starts=np.zeros(count + 1, dtype=np.int32),
        weight_joints=np.zeros(0, dtype=np.int32),
        weight_values=nothing,
        modes=nothing,
        rest=nothing,
    )


def ball_outline(
    middle: Array, radius: float, focal: float, centre: tuple[float, float], height: int, width: int
) -> NDArray[np.float32]:
    """Share of each pixel (H, W) whose rays meet a ball; arguments in the camera's axes [m] and pixels."""
    down = ((np.arange(height * _RAYS) + 0.5) / _RAYS - centre[1]) / focal
    across = ((np.arange(width * _RAYS) + 0.5) / _RAYS - centre[0]) / focal
    along = across[None, :] * middle[0] + down[:, None] * middle[1] + middle[2]
    length = across[None, :] ** 2 + down[:, None] ** 2 + 1.0
    met = along**2 >= length * (middle @ middle - radius**2)
    return met.reshape(height, _RAYS, width, _RAYS).mean(axis=(1, 3), dtype=np.float32)
