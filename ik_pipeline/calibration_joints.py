"""Joint centres of a fitted model against the joints of the body model it was fitted to."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from biopose_sim.bodies.markers import joints
from biopose_sim.bodies.types import BodySequence
from biopose_sim.ik.types import KinematicsResult
from biopose_sim.kinematics.model import OsimModel

Array = NDArray[np.floating]
# Segment of the default model whose origin is the joint's centre, and Anny's bone whose head is.
ANNY_JOINTS = {
    "hip": ("femur", "upperleg01"),
    "knee": ("tibia", "lowerleg01"),
    "ankle": ("talus", "foot"),
    "shoulder": ("humerus", "upperarm01"),
    "elbow": ("ulna", "lowerarm01"),
    "wrist": ("hand", "wrist"),
}


def joint_differences(model: OsimModel, result: KinematicsResult, sequence: BodySequence) -> dict[str, Array]:
    """Return model minus Anny for each joint of `ANNY_JOINTS`, (T, 2, 3) [m], right and left.

    Differences are in the axes of the segment's parent in the model (X forward, Y up, Z outwards on both sides).

    Args:
        model: the fitted model.
        result: its motion in the frames of the sequence.
        sequence: a motion of Anny.
    """
    places, names = joints(sequence)
    with torch.no_grad():
        transforms = model(torch.from_numpy(result.coordinates)).transforms.numpy()
    bodies = list(model.body_names)
    parents = {"femur": "pelvis", "humerus": "thorax"}
    found = {}
    for joint, (segment, bone) in ANNY_JOINTS.items():
        sides = []
        for side, suffix, outward in (("r", ".R", 1.0), ("l", ".L", -1.0)):
            frame = transforms[:, bodies.index(f"{segment}_{side}")]
            axes = transforms[:, bodies.index(parents.get(segment, f"{segment}_{side}")), :3, :3]
            gap = frame[:, :3, 3] - places[:, names.index(f"{bone}{suffix}")]
            sides.append(np.einsum("tji,tj->ti", axes, gap) * [1.0, 1.0, outward])
        found[joint] = np.stack(sides, axis=1)
    return found
