"""Anny's bones and soles as a rig of its own: heads at rest, where poses put them, frames that align rests.

Axes are Anny's: Z up, faces -y, +x to its left. Rotations are each bone's world rotation relative to rest, so that a
point v of bone b goes to G_b (v - h_b) + q_b, where the heads follow
q_child = q_parent + G_parent (h_child - h_parent).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from .anny_table import AnnyData, load_anny_data, phenotype_coefficients

Array = NDArray[np.floating]
SUFFIX = {"left": ".L", "right": ".R"}
# A sole is what lies within this height above the lowest point of the foot at rest [m], seen on the mean adult.
_SOLE_HEIGHT = 0.012
# Points kept per sole, spread evenly by farthest-point sampling, and at least this share of weight on foot and toes.
_SOLE_POINTS = 36
_SOLE_WEIGHT = 0.99


@dataclass(frozen=True, eq=False)
class Sole:
    """Points under one foot.

    Attributes:
        vertices: (P, 3) at rest [m].
        bones: (K,) bones that move them: the foot, then those of the toes.
        weights: (P, K) skinning weights.
        heel: (P,) bool, points behind the ankle's head, moved by the foot alone.
        ball: (P,) bool, points under the heads of the metatarsals, moved by the foot alone.
    """

    vertices: Array
    bones: NDArray[np.int64]
    weights: Array
    heel: NDArray[np.bool_]
    ball: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Rig:
    """One Anny body: bones and soles of one set of phenotype values.

    Attributes:
        names: B bone names, in Anny's order.
        parents: B indices, -1 for the root; parents come first.
        heads: (B, 3) heads of the bones at rest [m].
        soles: by side.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    heads: Array
    soles: dict[str, Sole]

    def index(self, name: str) -> int:
        """Return the index of a bone."""
        return self.names.index(name)

    def head(self, name: str) -> Array:
        """Return the head of a bone at rest, (3,) [m]."""
        return self.heads[self.index(name)]

    def limb_length(self, upper: str, lower: str, end: str) -> float:
        """Return the length of a limb of two segments, between bone heads at rest [m]."""
        a, b, c = self.head(upper), self.head(lower), self.head(end)
        return float(np.linalg.norm(b - a) + np.linalg.norm(c - b))


def rig_of(phenotypes: Array) -> Rig:
    """Return the rig of a body, for phenotype values (6,) in the order of ``anny.PHENOTYPES``."""
    data = load_anny_data()
    coefficients = shape_coefficients(phenotypes)
    heads = data.rest_heads.T + np.einsum("r,rcj->jc", coefficients, data.head_modes)
    soles = {}
    for side in SUFFIX:
        chosen, bones, weights, heel, ball = _sole_vertices(side)
        vertices = data.rest[:, chosen].T + np.einsum("r,rcv->vc", coefficients, data.modes[:, :, chosen])
        soles[side] = Sole(vertices.astype(float), bones, weights, heel, ball)
    return Rig(data.joint_names, data.parents, heads.astype(float), soles)


def shape_coefficients(phenotypes: Array) -> Array:
    """Return the coefficients (..., R) of Anny's table for phenotype values (..., 6)."""
    import torch

    values = torch.from_numpy(np.ascontiguousarray(phenotypes, dtype=np.float64))
    return phenotype_coefficients(values).numpy()


def rest_vertices(phenotypes: Array) -> Array:
    """Return the whole mesh at rest, (V, 3) [m], for phenotype values (6,)."""
    data = load_anny_data()
    return (data.rest + np.tensordot(shape_coefficients(phenotypes).astype(np.float32), data.modes, 1)).T


@lru_cache(maxsize=2)
def _sole_vertices(
    side: str,
) -> tuple[list[int], NDArray[np.int64], Array, NDArray[np.bool_], NDArray[np.bool_]]:
    """Choose the points of a sole on the mean adult: indices, bones, weights (P, K), heel and ball."""
    data = load_anny_data()
    adult = rest_vertices(np.array([0.5, 0.75, 0.5, 0.5, 0.35, 0.5]))
    names = data.joint_names
    foot = names.index(f"foot{SUFFIX[side]}")
    bones = [foot, *(k for k, n in enumerate(names) if n.startswith("toe") and n.endswith(SUFFIX[side]))]
    low = np.flatnonzero(adult[:, 2] < adult[:, 2].min() + _SOLE_HEIGHT)
    weights = data.weights(low.tolist())[bones].T
    low, weights = low[weights.sum(1) > _SOLE_WEIGHT], weights[weights.sum(1) > _SOLE_WEIGHT]
    picked = _spread(adult[low], _SOLE_POINTS)
    low, weights = low[picked], weights[picked] / weights[picked].sum(1, keepdims=True)
    fixed, backward = weights[:, 0] > 0.95, adult[low, 1]
    heel = fixed & (backward > np.percentile(backward, 75))
    ball = (weights[:, 0] > 0.3) & (backward < np.percentile(backward[fixed], 25))
    return low.tolist(), np.array(bones), weights, heel, ball


def _spread(points: Array, count: int) -> NDArray[np.int64]:
    """Indices of points far from each other, the rearmost first."""
    chosen = [int(points[:, 1].argmax())]
    distance = np.linalg.norm(points - points[chosen[0]], axis=1)
    while len(chosen) < min(count, len(points)):
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return np.array(chosen)


def bone_heads(rig: Rig, rotations: Array, root: Array) -> Array:
    """Return the heads of all bones, (T, B, 3) [m], for rotations (T, B, 3, 3) and the root's head (T, 3)."""
    above = np.array(rig.parents[1:])
    arms = np.zeros((len(rig.names), 3))
    arms[1:] = rig.heads[1:] - rig.heads[above]
    steps = np.empty((len(rotations), 3, len(rig.names)))
    steps[:, :, 0] = root
    # Column by column: many small matrix products would take three times as long.
    x, y, z = (rotations[..., k].transpose(0, 2, 1)[:, :, above] for k in range(3))
    steps[:, :, 1:] = x * arms[1:, 0] + y * arms[1:, 1] + z * arms[1:, 2]
    return np.swapaxes((steps.reshape(-1, len(rig.names)) @ _ancestors(rig.parents)).reshape(steps.shape), 1, 2)


@lru_cache(maxsize=2)
def _ancestors(parents: tuple[int, ...]) -> Array:
    """(B, B) one where the row's bone is the column's or lies above it."""
    matrix = np.eye(len(parents))
    for bone, parent in enumerate(parents):
        if parent >= 0:
            matrix[:, bone] += matrix[:, parent]
    return matrix


def sole_points(rig: Rig, side: str, rotations: Array, heads: Array) -> Array:
    """Return the points under a foot, (T, P, 3) [m], for rotations (T, B, 3, 3) and heads (T, B, 3)."""
    sole = rig.soles[side]
    arms = sole.vertices[None] - rig.heads[sole.bones][:, None]
    weighted = (sole.weights.T[..., None] * arms).reshape(len(sole.bones), -1, 3)
    turned = np.einsum("tkij,kpj->tpi", rotations[:, sole.bones], weighted, optimize=True)
    return turned + np.einsum("pk,tki->tpi", sole.weights, heads[:, sole.bones], optimize=True)


def unit(vectors: Array) -> Array:
    """Return vectors (..., 3) of length one; zero vectors stay zero."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)


def frame(first: Array, second: Array) -> Array:
    """Return a rotation (3, 3) whose first column is along ``first`` and whose second is nearest to ``second``."""
    x = unit(first)
    y = unit(second - (second @ x) * x)
    return np.stack([x, y, np.cross(x, y)], axis=1)


def share(start: Array, end: Array, fraction: float) -> Array:
    """Return rotations (T, 3, 3) a fraction of the way from ``start`` to ``end``, along the shortest arc."""
    turn = Rotation.from_matrix(np.swapaxes(start, -1, -2) @ end).as_rotvec()
    return start @ Rotation.from_rotvec(fraction * turn).as_matrix()


def twist_angle(rotations: Array, axis: Array) -> Array:
    """Return the twist of rotations (T, 3, 3) about an axis (3,), (T,) [rad] from -pi to pi.

    The rotation is a swing, which has no turn about the axis, after this twist. A swing of half a turn leaves the twist
    undefined: zero is returned.
    """
    quaternions = Rotation.from_matrix(rotations).as_quat()
    angle = 2 * np.arctan2(quaternions[:, :3] @ unit(axis), quaternions[:, 3])
    return (angle + np.pi) % (2 * np.pi) - np.pi


def arc(start: Array, end: Array) -> Array:
    """Return the smallest rotations (T, 3, 3) that take directions ``start`` (T, 3) to ``end`` (T, 3)."""
    a, b = unit(start), unit(end)
    axis = np.cross(a, b)
    sine, cosine = np.linalg.norm(axis, axis=-1), np.einsum("ti,ti->t", a, b)
    return Rotation.from_rotvec(unit(axis) * np.arctan2(sine, cosine)[:, None]).as_matrix()


def volume_of(data: AnnyData, vertices: Array) -> float:
    """Return the volume [m3] that the mesh encloses, vertices (V, 3)."""
    a, b, c = (vertices[data.faces[:, k]].astype(float) for k in range(3))
    return float(abs(np.einsum("fi,fi->", np.cross(a, b), c)) / 6)
