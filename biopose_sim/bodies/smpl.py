"""SMPL, SMPL+H and SMPL-X: chosen points fast, whole meshes through the ``smplx`` package.

Metres, in the axes of the motion (the models' own axes are Y up, facing +z, +x to their left). Rotations are those of
each joint relative to its parent, hands without the mean pose (``flat_hand_mean=True``), as AMASS has them. Loper et
al. 2015 ACM TOG 34(6):248; Romero et al. 2017 ACM TOG 36(6):245; Pavlakos et al. 2019 CVPR.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..errors import InputError
from .body import TOPOLOGY_OF
from .skin import PointTable, combination
from .smpl_file import FAMILIES, ModelArrays, find_model_file, read_model_file

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["JOINT_NAMES", "SmplBody", "find_model_file", "read_model_file"]

_BODY_JOINTS = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle",
    "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head", "left_shoulder",
    "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
)  # fmt: skip
_FINGER_JOINTS = tuple(
    f"{side}_{finger}{number}"
    for side in ("left", "right")
    for finger in ("index", "middle", "pinky", "ring", "thumb")
    for number in (1, 2, 3)
)
# Names of the joints of each model, in its order (smplx/joint_names.py).
JOINT_NAMES: dict[str, tuple[str, ...]] = {
    "smpl": (*_BODY_JOINTS, "left_hand", "right_hand"),
    "smplh": (*_BODY_JOINTS, *_FINGER_JOINTS),
    "smplx": (*_BODY_JOINTS, "jaw", "left_eye", "right_eye", *_FINGER_JOINTS),
}


class SmplBody:
    """A body of the SMPL family from a model file that the user brings; see `body.Body`."""

    def __init__(self, arrays: ModelArrays) -> None:
        self.arrays = arrays
        self.name = arrays.body
        self.topology = TOPOLOGY_OF[arrays.body]

    @classmethod
    def find(cls, body: str, gender: str, model_folder: str | Path | None = None) -> SmplBody:
        """Read the model file of a body and gender; see `find_model_file`."""
        return cls(read_model_file(find_model_file(body, gender, model_folder), body))

    @property
    def n_vertices(self) -> int:
        """Number of vertices V."""
        return len(self.arrays.template)

    @property
    def n_shape(self) -> int:
        """Most betas that the file has directions for."""
        return self.arrays.shape_directions.shape[2]

    @property
    def faces(self) -> NDArray[np.int64]:
        """(F, 3) triangles."""
        return self.arrays.faces

    @property
    def joint_names(self) -> tuple[str, ...]:
        """J names."""
        return JOINT_NAMES[self.name]

    @property
    def parents(self) -> tuple[int, ...]:
        """J indices, -1 for the root."""
        return self.arrays.parents

    def table(
        self,
        points: Sequence[Sequence[int]],
        weights: Sequence[Sequence[float]] | None = None,
        *,
        dtype: torch.dtype | None = None,
    ) -> PointTable:
        """What chosen points need; uses the model file only, not the ``smplx`` package.

        Args:
            points: vertex indices of each point, one or several that are mixed.
            weights: as many weights of each point, summing to 1; may be left out where each point is one vertex.
            dtype: floating-point type; float32 if none is given.
        """
        import torch

        a, kind = self.arrays, dtype or torch.float32
        vertices, combine = combination(points, weights, self.n_vertices, FAMILIES[self.name].title)
        used = np.flatnonzero((a.weights[vertices] != 0).any(axis=0))

        def tensor(array: NDArray[np.float64]) -> Tensor:
            return torch.tensor(np.ascontiguousarray(array), dtype=kind)

        return PointTable(
            convention="parent",
            rest=tensor(a.template[vertices].T),
            shape_directions=tensor(a.shape_directions[vertices].transpose(1, 0, 2)),
            pose_directions=tensor(a.pose_directions[vertices].transpose(1, 0, 2)),
            weights=tensor(a.weights[vertices][:, used].T),
            skin_joints=torch.from_numpy(used),
            combine=None if combine is None else tensor(combine),
            rest_joints=tensor((a.joint_regressor @ a.template).T),
            joint_directions=tensor(np.einsum("jv,vcs->cjs", a.joint_regressor, a.shape_directions, optimize=True)),
            parents=a.parents,
            joint_names=self.joint_names,
        )

    def coefficients(self, shape: Tensor) -> Tensor:
        """Coefficients of the table's shape directions: the betas (..., S) themselves.

        Raises:
            InputError: more betas than the file has, or none.
        """
        if shape.dim() < 1 or not 1 <= shape.shape[-1] <= self.n_shape:
            count = shape.shape[-1] if shape.dim() else 0
            raise InputError(self.arrays.source, f"{count} betas are given", f"the file has 1 to {self.n_shape}")
        return shape

    def with_relaxed_hands(self, rotations: Tensor) -> Tensor:
        """Return the rotations of all joints, (..., J, 3, 3): hands that are left out in the file's mean pose.

        Args:
            rotations: (..., J', 3, 3) relative to the parents. Of a J' that reaches the hands, and of a file without
                a mean pose, they come back as they are; other joints that are left out are at rest.
        """
        import torch

        hands, given = self.arrays.hands, rotations.shape[-3]
        if hands is None or given > len(self.parents) - len(hands):
            return rotations
        ends = torch.eye(3, dtype=rotations.dtype).repeat(len(self.parents) - given, 1, 1)
        ends[-len(hands) :] = torch.from_numpy(Rotation.from_rotvec(hands).as_matrix())
        return torch.cat([rotations, ends.expand(*rotations.shape[:-3], *ends.shape)], dim=-3)

    def vertices(self, rotations: Tensor, translation: Tensor, shape: Tensor) -> tuple[Tensor, Tensor]:
        """Whole mesh and joints by ``smplx.lbs.lbs``.

        Args:
            rotations: (..., J', 3, 3) relative to the parents, the root's relative to the world; joints left out are
                at rest.
            translation: (..., 3) added to all points [m].
            shape: (S,) or (..., S) betas.

        Raises:
            InputError: the ``smplx`` package is not installed, or shapes that do not fit.
        """
        import torch

        skin = _require_lbs()
        self.coefficients(shape)
        batch = torch.broadcast_shapes(rotations.shape[:-3], translation.shape[:-1], shape.shape[:-1])
        given, count = rotations.shape[-3], len(self.parents)
        if given > count or rotations.shape[-2:] != (3, 3):
            raise InputError(self.arrays.source, f"rotations of {given} joints are given, the model has {count}")
        turned = rotations.expand(*batch, given, 3, 3).reshape(-1, given, 3, 3)
        rest = torch.eye(3, dtype=turned.dtype).expand(len(turned), count - given, 3, 3)
        betas = shape.expand(*batch, shape.shape[-1]).reshape(len(turned), -1)
        a = self._tensors(turned.dtype)
        vertices, joints = skin(
            betas, torch.cat([turned, rest], dim=1), a["template"], a["shape"][:, :, : betas.shape[1]], a["pose"],
            a["regressor"], torch.tensor(self.parents), a["weights"], pose2rot=False,
        )  # fmt: skip
        shift = translation.expand(*batch, 3).reshape(-1, 1, 3)
        return (vertices + shift).reshape(*batch, -1, 3), (joints + shift).reshape(*batch, -1, 3)

    def _tensors(self, dtype: torch.dtype) -> dict[str, Tensor]:
        import torch

        if dtype == torch.float32:
            return self._single
        return {name: torch.from_numpy(array).to(dtype) for name, array in self._named.items()}

    @cached_property
    def _single(self) -> dict[str, Tensor]:
        import torch

        return {name: torch.from_numpy(array).float() for name, array in self._named.items()}

    @cached_property
    def _named(self) -> dict[str, NDArray[np.float64]]:
        a = self.arrays
        pose = np.ascontiguousarray(a.pose_directions.reshape(3 * self.n_vertices, -1).T)
        return {
            "template": a.template, "shape": a.shape_directions, "pose": pose,
            "regressor": a.joint_regressor, "weights": a.weights,
        }  # fmt: skip


def _require_lbs() -> Callable[..., Any]:
    try:
        from smplx.lbs import lbs
    except ImportError as error:
        raise InputError(
            "whole meshes of the SMPL family",
            "need the package 'smplx', which is not installed",
            "pip install 'biopose-sim[smpl]' (its licence: non-commercial research)",
        ) from error
    return lbs
