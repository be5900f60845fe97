"""The segments of a skeleton: where each body's bones begin and end, for any tree of bodies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from biopose_sim.ik.types import Array
from biopose_sim.kinematics.model import OsimModel

_HIDDEN = ("patella",)
_SHORTEST = 0.004


@dataclass(frozen=True, eq=False)
class Bone:
    """A segment to draw, fixed to a body: ends in body axes [m]; ``body`` is the index in the model."""

    body: int
    name: str
    start: Array
    end: Array


def skeleton_bones(model: OsimModel) -> list[Bone]:
    """Return the segments of the skeleton: from each body's own joint to each joint that it carries.

    A body that carries no joint (toes, hand, head) is drawn to the centre of its mass and as far beyond.
    """
    q = model.default_coordinates
    with torch.no_grad():
        forward = model(q)
        transforms, centers = forward.transforms.numpy(), forward.joint_centers.numpy()
    joints = model.model.joints
    own: dict[str, Array] = {}
    carried: dict[str, list[tuple[str, Array]]] = {}
    for joint, center in zip(joints, centers):
        own.setdefault(joint.child.body, center)
        if not joint.child.body.startswith(_HIDDEN):
            carried.setdefault(joint.parent.body, []).append((joint.child.body, center))
    bones = []
    for index, body in enumerate(model.body_names):
        if body.startswith(_HIDDEN) or body not in own:
            continue
        base = own[body]
        ends = [center for _, center in carried.get(body, [])]
        if _is_root(model, body):
            base = np.mean([base, *ends], axis=0) if ends else base
        if not ends:
            ends = [_free_end(model, index, transforms[index], base)]
        into_body = np.linalg.inv(transforms[index])
        for end in ends:
            if np.linalg.norm(end - base) > _SHORTEST:
                bones.append(Bone(index, body, place_points(into_body, base), place_points(into_body, end)))
    return bones


def _is_root(model: OsimModel, body: str) -> bool:
    return any(j.child.body == body and j.parent.body == "ground" for j in model.model.joints)


def _free_end(model: OsimModel, index: int, transform: Array, base: Array) -> Array:
    center = place_points(transform, np.array(model.model.bodies[index].mass_center) * model.scales[index])
    return base + 2.0 * (center - base)


def place_points(transform: Array, points: Array) -> Array:
    """Return points (..., 3) of a frame in the frame that ``transform`` (4, 4) leads to."""
    return np.asarray(points @ transform[..., :3, :3].swapaxes(-1, -2) + transform[..., :3, 3])
