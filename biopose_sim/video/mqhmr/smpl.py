"""SMPL, from a file that the user brings, under the head of a mesh network: 24 joint rotations and its first betas."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from ...bodies.smpl import SmplBody
from ...bodies.types import LEVEL_CAMERA, BodySequence
from ...errors import InputError
from .body import JOINTS, PARENTS, BodyOutput, Clip, Tables, camera_sequence, check_body, computed, skinned

# Betas of SMPL in use: as many as HMR2.0 and the paper predict.
_BETAS = 10
# How far the arms of SMPL's T-pose are lowered in the mean pose [rad].
_ARMS = 1.0


class SmplHeadBody:
    """SMPL from the user's model file; see `HeadBody`. The shape is its first betas.

    Args:
        body: of the 24 joints of SMPL, e.g. ``SmplBody.find("smpl", "neutral", folder)``.
        mean_rotations: (24, 3, 3) of an average pose, as that of a HMR2.0 checkpoint; else a T-pose with lowered arms.

    Raises:
        InputError: another body of the family.
    """

    name = "smpl"
    joint_names = JOINTS
    parents = PARENTS

    def __init__(self, body: SmplBody, mean_rotations: Tensor | None = None) -> None:
        if body.name != self.name:
            raise InputError(body.arrays.source, f"is a model of '{body.name}'", "the head needs one of SMPL")
        self.body = body
        self.n_shape = min(body.n_shape, _BETAS)
        self.n_vertices = body.n_vertices
        self._tables = Tables(body)
        self.marker_names = self._tables.marker_names
        self.mean_rotations = _lowered_arms() if mean_rotations is None else mean_rotations
        self.mean_shape = torch.zeros(self.n_shape)

    def forward(self, rotations: Tensor, shape: Tensor, *, vertices: bool = False) -> BodyOutput:
        """See `HeadBody.forward`."""
        with torch.autocast(rotations.device.type, enabled=False):
            return skinned(self._tables, computed(rotations), computed(shape), None, vertices)

    def from_sequence(self, sequence: BodySequence) -> tuple[Tensor, Tensor]:
        """See `HeadBody.from_sequence`; joints that the sequence leaves out are at rest, betas that it lacks zero.

        Raises:
            InputError: a sequence of another body.
        """
        check_body(sequence, self.name)
        given = torch.as_tensor(np.asarray(sequence.rotations), dtype=torch.float32)
        rest = torch.eye(3).expand(len(given), len(PARENTS) - given.shape[1], 3, 3)
        betas = torch.as_tensor(np.asarray(sequence.shape), dtype=torch.float32)[..., : self.n_shape]
        missing = betas.new_zeros(*betas.shape[:-1], self.n_shape - betas.shape[-1])
        shape = torch.cat([betas, missing], dim=-1).expand(len(given), -1)
        return torch.cat([given, rest], dim=1), shape

    def pelvis(self, sequence: BodySequence) -> Tensor:
        """See `HeadBody.pelvis`."""
        moved = torch.as_tensor(np.asarray(sequence.translation), dtype=torch.float32)
        return moved + self.root(self.from_sequence(sequence)[1])

    def root(self, shape: Tensor) -> Tensor:
        """Return where the pelvis lies in SMPL's own frame, (..., 3) [m], for betas (..., S)."""
        table = self._tables.of(shape)[0]
        return table.rest_joints[:, 0] + shape @ table.joint_directions[:, 0, : shape.shape[-1]].T

    def to_sequence(self, clip: Clip, rotations: Tensor, shape: Tensor, pelvis: Tensor) -> BodySequence:
        """See `HeadBody.to_sequence`."""
        with torch.no_grad():
            shape = computed(shape)
            moved = computed(pelvis) - self.root(shape)
        return camera_sequence(clip, self.name, rotations, moved, shape)


def _lowered_arms() -> Tensor:
    pose = np.tile(np.eye(3), (len(JOINTS), 1, 1))
    pose[0] = LEVEL_CAMERA
    for joint, angle in (("left_shoulder", -_ARMS), ("right_shoulder", _ARMS)):
        pose[JOINTS.index(joint)] = Rotation.from_rotvec([0.0, 0.0, angle]).as_matrix()
    return torch.from_numpy(pose).float()
