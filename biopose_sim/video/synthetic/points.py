"""True markers of a posed body, few at a time, and how deep under the surface key points lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...bodies.anny_table import AnnyData
from ...bodies.markers import BodyMarkers
from .mesh import painted_mesh

Floats = NDArray[np.float32]
# What hides a point lies further before it than the surface above it by this [m].
_MARGIN = 0.05


@dataclass(frozen=True, eq=False)
class MarkerSkin:
    """What M markers on Anny need.

    Attributes:
        names: M names.
        vertices: (Q,) those that the markers are mixed from.
        weights: (Q, J) their skinning weights.
        mix: (M, Q) shares of the vertices in each marker.
    """

    names: tuple[str, ...]
    vertices: NDArray[np.int64]
    weights: Floats
    mix: Floats

    @classmethod
    def of(cls, markers: BodyMarkers, data: AnnyData) -> MarkerSkin:
        """Prepare a marker set on Anny's mesh."""
        vertices = np.unique(np.concatenate([np.asarray(corners) for corners in markers.vertices]))
        mix = np.zeros((len(markers.names), len(vertices)), dtype=np.float32)
        for row, (corners, shares) in enumerate(zip(markers.vertices, markers.weights, strict=True)):
            np.add.at(mix[row], np.searchsorted(vertices, corners), np.asarray(shares, dtype=np.float32))
        return cls(tuple(markers.names), vertices, data.weights(vertices.tolist()).T.astype(np.float32), mix)

    def place(self, rest: Floats, rotations: Floats, shifts: Floats) -> Floats:
        """Return the markers (M, 3) of a body: rest shape (3, V), rotations (J, 3, 3), `bone_shifts` (J, 3)."""
        moves = np.concatenate([rotations, shifts[..., None]], axis=-1)
        blended = (self.weights @ moves.reshape(len(moves), 12)).reshape(-1, 3, 4)
        corners = rest[:, self.vertices].T
        return np.asarray(self.mix @ (np.einsum("qab,qb->qa", blended[..., :3], corners) + blended[..., 3]))


def hidden_depths(matrix: NDArray[np.float64], markers: MarkerSkin) -> Floats:
    """Return how far before each key point (K,) the body's own surface may be [m], seen from anywhere.

    Args:
        matrix: (K, M) key points as mixes of the markers.
        markers: of the mean adult.
    """
    places = painted_mesh().places[:, :3]
    points = matrix @ (markers.mix @ places[markers.vertices])
    gaps = np.linalg.norm(places[None, ::4] - points[:, None], axis=2).min(axis=1)
    return np.asarray(gaps + _MARGIN, dtype=np.float32)
