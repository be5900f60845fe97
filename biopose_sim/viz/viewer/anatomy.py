"""Built-in bones: a clean skeleton made from a model's joint centres, for when no files of bones are at hand.

The shapes are drawings, not measurements: long bones run from joint to joint, what has no second joint takes its
size from the person's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from biopose_sim.kinematics.model import OsimModel
from biopose_sim.viz.bones import place_points, skeleton_bones
from biopose_sim.viz.style import side_of
from biopose_sim.viz.viewer import limb_bones, trunk_bones
from biopose_sim.viz.viewer.shapes import Mesh, joined, rounded, sphere, unit

Array = NDArray[np.floating]
# Length of the thigh that the sizes of trunk and hands go with [m].
_USUAL_THIGH = 0.41
_SIDE = re.compile(r"(^[rl]_)|(_[rl]$)", re.IGNORECASE)
_LEAST_RADIUS, _SLENDER = 0.006, 0.09


@dataclass(frozen=True, eq=False)
class Posture:
    """Joint centres of a model in its default pose, in the ground frame, and the person's own directions.

    Attributes:
        model: the model.
        transforms: ground <- body, (n_bodies, 4, 4).
        own: of each body, the centre of the joint that carries it [m].
        carried: of each body, the centres of the joints that it carries [m], by the body there.
    """

    model: OsimModel
    transforms: Array
    own: dict[str, Array]
    carried: dict[str, dict[str, Array]]

    @classmethod
    def of(cls, model: OsimModel) -> Posture:
        """Put the model into its default pose."""
        with torch.no_grad():
            forward = model(model.default_coordinates)
            transforms, centres = forward.transforms.numpy(), forward.joint_centers.numpy()
        own: dict[str, Array] = {}
        carried: dict[str, dict[str, Array]] = {}
        for joint, centre in zip(model.model.joints, centres):
            own.setdefault(joint.child.body, centre)
            carried.setdefault(joint.parent.body, {})[joint.child.body] = centre
        return cls(model, transforms, own, carried)

    def joint(self, stem: str, side: str = "") -> Array | None:
        """Centre of the joint that carries the body of this stem and side, or None."""
        for name, centre in self.own.items():
            if bone_stem(name) == stem and (not side or _side(self, name) == side):
                return centre
        return None

    @cached_property
    def right(self) -> Array:
        """Unit vector to the person's right."""
        hips = self.joint("femur", "r"), self.joint("femur", "l")
        if hips[0] is None or hips[1] is None:
            return np.array([0.0, 0.0, 1.0])
        return unit(hips[0] - hips[1])

    @cached_property
    def up(self) -> Array:
        """Unit vector along the trunk."""
        vertical = np.array([0.0, 1.0, 0.0])
        return unit(vertical - (vertical @ self.right) * self.right)

    @cached_property
    def forward(self) -> Array:
        """Unit vector to the front."""
        return np.asarray(np.cross(self.up, self.right))

    @cached_property
    def size(self) -> float:
        """How much larger than usual the person is, by the length of the thighs."""
        lengths = []
        for side in "rl":
            hip, knee = self.joint("femur", side), self.joint("tibia", side)
            if hip is not None and knee is not None:
                lengths.append(float(np.linalg.norm(knee - hip)))
        return float(np.mean(lengths)) / _USUAL_THIGH if lengths else 1.0

    def outward(self, body: str) -> Array:
        """Unit vector from the middle to the side of a body."""
        return -self.right if _side(self, body) == "l" else self.right


def built_in_bones(model: OsimModel) -> dict[str, Mesh]:
    """Return a mesh per body, in the body's axes [m], for the model as it is scaled.

    Bodies of anatomical names (pelvis, femur_r, ...) look like their bones; others are tapered rods from their joint
    to those they carry. Bodies without extent have none.
    """
    posture = Posture.of(model)
    bones = {}
    for index, body in enumerate(model.body_names):
        draw = _DRAWN.get(bone_stem(body))
        meshes = draw(posture, body) if draw is not None and body in posture.own else []
        if meshes:
            into_body = np.linalg.inv(posture.transforms[index])
            whole = joined(meshes)
            bones[body] = Mesh(place_points(into_body, np.asarray(whole.vertices, dtype=np.float64)), whole.faces)
    return {**_rods(model, {body for body in model.body_names if bone_stem(body) in _DRAWN}), **bones}


def bone_stem(body: str) -> str:
    """Name of a body without its side, in small letters; usual other names become ours."""
    stem = _SIDE.sub("", body).lower()
    return _OTHER_NAMES.get(stem, stem)


def _side(posture: Posture, body: str) -> str:
    """Side of a body; one without a mark, whose joint is off the middle, belongs to the side where that is."""
    if marked := side_of(body):
        return marked
    hips = [centre for name, centre in posture.own.items() if bone_stem(name) == "femur"]
    middle = np.mean(hips, axis=0) if len(hips) == 2 else np.zeros(3)
    return "r" if float((posture.own[body] - middle) @ np.array([0.0, 0.0, 1.0])) >= -0.01 else "l"


def _rods(model: OsimModel, drawn: set[str]) -> dict[str, Mesh]:
    """Tapered rods for bodies of other names."""
    found: dict[str, list[Mesh]] = {}
    for bone in skeleton_bones(model):
        if bone.name in drawn:
            continue
        length = float(np.linalg.norm(bone.end - bone.start))
        radius = max(_LEAST_RADIUS, min(_SLENDER * length, 0.022))
        radii = [1.15 * radius, 0.8 * radius, 0.7 * radius, 0.8 * radius, radius]
        found.setdefault(bone.name, []).extend(
            [rounded(bone.start, bone.end, radii), sphere(bone.start, 1.4 * radius, 2)]
        )
    return {body: joined(meshes) for body, meshes in found.items()}


_OTHER_NAMES = {
    "thigh": "femur", "shank": "tibia", "calcaneus": "calcn", "torso": "torso", "thorax": "torso", "trunk": "torso",
    "head_neck": "head", "skull": "head",
}  # fmt: skip
_DRAWN: dict[str, Callable[[Posture, str], list[Mesh]]] = {
    "pelvis": trunk_bones.pelvis,
    "lumbar": trunk_bones.lumbar,
    "torso": trunk_bones.torso,
    "head": trunk_bones.head,
    "scapula": trunk_bones.scapula,
    "clavicle": trunk_bones.clavicle,
    "femur": limb_bones.femur,
    "tibia": limb_bones.tibia,
    "patella": limb_bones.patella,
    "talus": limb_bones.talus,
    "calcn": limb_bones.calcn,
    "toes": limb_bones.toes,
    "humerus": limb_bones.humerus,
    "ulna": limb_bones.ulna,
    "radius": limb_bones.radius,
    "hand": limb_bones.hand,
}
