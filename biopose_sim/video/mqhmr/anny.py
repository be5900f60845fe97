"""Anny under the head of a mesh network: 24 joint rotations and six free numbers of shape."""

from __future__ import annotations

import csv

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor

from ...bodies.anny import AnnyBody
from ...bodies.anny_table import phenotype_coefficients
from ...bodies.types import BodySequence
from ...paths import models_dir
from .anny_bones import MEAN_ADULT, AnnyBones
from .body import JOINTS, PARENTS, BodyOutput, Clip, Tables, camera_sequence, check_body, computed, skinned
from .rotations import relative_rotations, world_rotations

# A person upright before the camera, face to it: from Anny's axes to right, down, forward.
_FACING = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
# Phenotype values as free numbers z: low + (high - low) / (1 + exp(-z / _SOFTNESS)); at the ends of the range, where z
# would be infinite, they are taken this much inside.
_SOFTNESS, _INSIDE = 0.5, 0.005
_LOW = (0.0, 1 / 3, 0.0, 0.0, 0.0, 0.0)


class AnnyHeadBody:
    """Anny from the shipped table; see `HeadBody`. The shape is its six phenotype values as free numbers."""

    name = "anny"
    joint_names = JOINTS
    parents = PARENTS
    n_shape = 6

    def __init__(self) -> None:
        body = AnnyBody()
        self.n_vertices = body.n_vertices
        self._data = body.data
        self._bones = AnnyBones.of(body.data)
        self._tables = Tables(body)
        self.marker_names = self._tables.marker_names
        self.mean_rotations = torch.from_numpy(_mean_pose(_FACING)).float()
        self.mean_shape = free_shape(torch.tensor(MEAN_ADULT))

    def forward(self, rotations: Tensor, shape: Tensor, *, vertices: bool = False) -> BodyOutput:
        """See `HeadBody.forward`."""
        with torch.autocast(rotations.device.type, enabled=False):
            rotations, shape = computed(rotations), computed(shape)
            bones = self._bones.to(rotations)
            turned = bones.turns(world_rotations(rotations, PARENTS))
            coefficients = phenotype_coefficients(phenotypes(shape), self._data)
            return skinned(self._tables, turned, coefficients, bones.places, vertices)

    def from_sequence(self, sequence: BodySequence) -> tuple[Tensor, Tensor]:
        """See `HeadBody.from_sequence`; what lies between the joints of the head is lost (a few millimetres).

        Raises:
            InputError: a sequence of another body.
        """
        check_body(sequence, self.name)
        joints = self._bones.joints(torch.as_tensor(np.asarray(sequence.rotations), dtype=torch.float32))
        values = torch.as_tensor(np.asarray(sequence.shape), dtype=torch.float32)
        return relative_rotations(joints, PARENTS), free_shape(values).expand(len(joints), -1)

    def pelvis(self, sequence: BodySequence) -> Tensor:
        """See `HeadBody.pelvis`: the head of the root bone."""
        check_body(sequence, self.name)
        return torch.as_tensor(np.asarray(sequence.translation), dtype=torch.float32)

    def to_sequence(self, clip: Clip, rotations: Tensor, shape: Tensor, pelvis: Tensor) -> BodySequence:
        """See `HeadBody.to_sequence`."""
        with torch.no_grad():
            joints = world_rotations(computed(rotations), PARENTS)
            turned = self._bones.to(joints).turns(joints)
        values = phenotypes(computed(shape)).detach()
        return camera_sequence(clip, self.name, turned, pelvis, values)


def phenotypes(shape: Tensor) -> Tensor:
    """Return Anny's phenotype values (..., 6) from free numbers (..., 6)."""
    low = shape.new_tensor(_LOW)
    return low + (1.0 - low) * torch.sigmoid(shape / _SOFTNESS)


def free_shape(values: Tensor) -> Tensor:
    """Return free numbers (..., 6) from Anny's phenotype values (..., 6)."""
    low = values.new_tensor(_LOW)
    return _SOFTNESS * torch.logit(((values - low) / (1.0 - low)).clamp(_INSIDE, 1.0 - _INSIDE))


def _mean_pose(facing: NDArray[np.float64]) -> NDArray[np.float64]:
    """(24, 3, 3) the mean pose of Anny in CMU motion, before the camera."""
    with (models_dir() / "bodies" / "anny_mean_pose.csv").open(newline="", encoding="utf-8") as stream:
        rows = {row["joint"]: [float(row[axis]) for axis in "xyz"] for row in csv.DictReader(stream)}
    pose = Rotation.from_rotvec([rows.get(joint, [0.0, 0.0, 0.0]) for joint in JOINTS]).as_matrix()
    pose[0] = facing @ pose[0]
    return pose
