"""Anny, the body model that works out of the box: from the shipped table, or through the ``anny`` package.

Metres; Z up, the body faces -y, +x is to its left (`types.ANNY_AXES` turns that to the ground frame). A pose is one
rotation per bone, relative to rest and in the axes of the world: x' = sum of w_b (G_b (v - h_b) + q_b), where h are
the bones' heads at rest and q posed. With the bones' rest orientations R this is Anny's ``"world-orient"`` pose G R.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .anny_table import PHENOTYPES, AnnyData, anny_point_table, load_anny_data, phenotype_coefficients

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from .skin import PointTable

__all__ = ["PHENOTYPES", "AnnyBody", "anny_package_vertices", "check_phenotypes"]

# Values this far outside 0..1 are still taken for rounding.
_ROUNDING = 1e-6


class AnnyBody:
    """Adult and child bodies of Anny (age from 1/3), from the shipped table; see `body.Body`."""

    name = "anny"
    topology = "anny"

    def __init__(self, data: AnnyData | None = None) -> None:
        self.data = data or load_anny_data()

    @property
    def n_vertices(self) -> int:
        """Number of vertices V."""
        return self.data.n_vertices

    @property
    def faces(self) -> NDArray[np.int64]:
        """(F, 3) triangles."""
        return self.data.faces

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Names of the 104 bones; a joint is the head of its bone."""
        return self.data.joint_names

    @property
    def parents(self) -> tuple[int, ...]:
        """J indices, -1 for the root."""
        return self.data.parents

    def table(
        self,
        points: Sequence[Sequence[int]],
        weights: Sequence[Sequence[float]] | None = None,
        *,
        dtype: torch.dtype | None = None,
    ) -> PointTable:
        """What chosen points need; see `anny_table.anny_point_table`."""
        return anny_point_table(points, weights, dtype=dtype, data=self.data)

    def coefficients(self, shape: Tensor) -> Tensor:
        """Coefficients of the table's shape directions from phenotype values (..., 6)."""
        check_phenotypes(shape)
        return phenotype_coefficients(shape, self.data)

    def vertices(self, rotations: Tensor, translation: Tensor, shape: Tensor) -> tuple[Tensor, Tensor]:
        """Whole mesh and joints; within 0.2 mm of Anny itself (see ``models/bodies/README.md``).

        Args:
            rotations: (..., 104, 3, 3) of the bones relative to rest, in the axes of the world.
            translation: (..., 3) of the root bone's head [m].
            shape: (6,) or (..., 6) phenotype values.
        """
        from .skin import evaluate

        return evaluate(self._whole.to(rotations.dtype), rotations, translation, self.coefficients(shape))

    @cached_property
    def _whole(self) -> PointTable:
        return self.table([[vertex] for vertex in range(self.n_vertices)])


def check_phenotypes(shape: Tensor) -> None:
    """Check phenotype values (..., 6).

    Raises:
        InputError: not six values, one that is not from 0 to 1, or an age below 1/3 (babies).
    """
    import torch

    where = "the shape of an Anny body"
    if shape.dim() < 1 or shape.shape[-1] != len(PHENOTYPES):
        remedy = f"give (..., {len(PHENOTYPES)}): {', '.join(PHENOTYPES)}"
        raise InputError(where, f"has shape {tuple(shape.shape)}", remedy)
    low = torch.tensor([1 / 3 if name == "age" else 0.0 for name in PHENOTYPES]).to(shape)
    wrong = ~((shape >= low - _ROUNDING) & (shape <= 1 + _ROUNDING) | torch.isnan(shape))
    if wrong.any():
        index = tuple(int(i) for i in torch.nonzero(wrong)[0])
        name = PHENOTYPES[index[-1]]
        least = "1/3 (no babies)" if name == "age" else "0"
        raise InputError(where, f"{name} is {float(shape[index]):g}", f"give a value from {least} to 1")


def anny_package_vertices(model: Any, rotations: Tensor, translation: Tensor, shape: Tensor) -> tuple[Tensor, Tensor]:
    """Whole mesh and joints by the ``anny`` package itself; differentiable.

    Args:
        model: an ``anny.Anny`` with its default rig and topology, e.g. ``Anny(skinning_method="lbs")``; the first one
            that is made on a machine takes minutes.
        rotations: (..., 104, 3, 3) of the bones relative to rest, in the axes of the world.
        translation: (..., 3) of the root bone's head [m].
        shape: (6,) or (..., 6) phenotype values.

    Returns:
        Vertices (..., 13718, 3) and joints (..., 104, 3) [m], of the model's type.
    """
    import torch

    batch = torch.broadcast_shapes(rotations.shape[:-3], translation.shape[:-1], shape.shape[:-1])
    turned = rotations.expand(*batch, *rotations.shape[-3:]).reshape(-1, *rotations.shape[-3:]).to(model.dtype)
    heads = translation.expand(*batch, 3).reshape(-1, 3).to(model.dtype)
    values = shape.expand(*batch, shape.shape[-1]).reshape(len(turned), -1).to(model.dtype)
    rest = model(phenotype_kwargs=values)["rest_bone_poses"][..., :3, :3]
    moved = torch.cat([heads[:, None], torch.zeros_like(heads)[:, None].expand(-1, turned.shape[1] - 1, 3)], dim=1)
    upper = torch.cat([turned @ rest, moved[..., None]], dim=-1)
    last = torch.tensor([0.0, 0.0, 0.0, 1.0], dtype=model.dtype).expand(*upper.shape[:2], 1, 4)
    poses = torch.cat([upper, last], dim=-2)
    posed = model(pose_parameters=poses, phenotype_kwargs=values, pose_parameterization="world-orient")
    vertices, joints = posed["vertices"], posed["bone_poses"][..., :3, 3]
    return vertices.reshape(*batch, -1, 3), joints.reshape(*batch, -1, 3)
