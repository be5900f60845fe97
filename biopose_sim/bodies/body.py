"""One interface to every body model: parameters to vertices, chosen points and joints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .types import BodySequence

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from .skin import PointTable

# Vertices of each topology.
TOPOLOGIES = {"smpl": 6890, "smplx": 10475, "anny": 13718}
# Whose vertex numbering each body model has: SMPL-H is SMPL with other hand joints.
TOPOLOGY_OF = {"smpl": "smpl", "smplh": "smpl", "smplx": "smplx", "anny": "anny"}
# Vertex numbers of a chunk of whole meshes.
_MESH_CHUNK = 64


class Body(Protocol):
    """A body model: torch in, torch out, any leading batch dimensions, metres, in the axes of its parameters.

    Attributes:
        name: ``"smpl"``, ``"smplh"``, ``"smplx"`` or ``"anny"``.
        topology: whose vertex numbering its mesh has, ``"smpl"``, ``"smplx"`` or ``"anny"``.
        n_vertices: number of vertices V.
        faces: (F, 3) triangles.
        joint_names: J names.
        parents: J indices, -1 for the root.
    """

    name: str
    topology: str

    @property
    def n_vertices(self) -> int:
        """Number of vertices V."""

    @property
    def faces(self) -> NDArray[np.int64]:
        """(F, 3) triangles."""

    @property
    def joint_names(self) -> tuple[str, ...]:
        """J names."""

    @property
    def parents(self) -> tuple[int, ...]:
        """J indices, -1 for the root."""

    def table(
        self,
        points: Sequence[Sequence[int]],
        weights: Sequence[Sequence[float]] | None = None,
        *,
        dtype: torch.dtype | None = None,
    ) -> PointTable:
        """What chosen points need: vertex indices of each, and their weights where there are several."""

    def coefficients(self, shape: Tensor) -> Tensor:
        """Coefficients of the table's shape directions, (..., S), from betas or phenotype values."""

    def vertices(self, rotations: Tensor, translation: Tensor, shape: Tensor) -> tuple[Tensor, Tensor]:
        """Whole mesh (..., V, 3) and joints (..., J, 3) [m] from parameters as in a `BodySequence`."""


def body_for(sequence: BodySequence, model_folder: str | Path | None = None) -> Body:
    """Return the body model of a sequence.

    Args:
        sequence: says which model and which gender.
        model_folder: where the files of the SMPL family lie; see `smpl.find_model_file`.

    Raises:
        InputError: the sequence holds a mesh and no parameters, an unknown body or a shape that the model does not
            have, or the file is missing.
    """
    where = sequence.source or f"sequence '{sequence.name}'"
    if sequence.body == "anny":
        import torch

        from .anny import AnnyBody, check_phenotypes

        # Without a shape only the body itself is wanted: its triangles, its joints' names.
        if sequence.shape.size:
            try:
                check_phenotypes(torch.as_tensor(sequence.shape))
            except InputError as error:
                raise InputError(where, f"{error.source}: {error.problem}", error.remedy) from error
        return AnnyBody()
    if sequence.body in TOPOLOGY_OF:
        from .smpl import SmplBody

        body = SmplBody.find(sequence.body, sequence.gender, model_folder)
        if (count := sequence.shape.shape[-1]) > body.n_shape:
            problem = f"has {count} betas, its body model has {body.n_shape} ({body.arrays.source})"
            raise InputError(where, problem, "download the model with more shape components")
        return body
    if sequence.body == "mesh":
        raise InputError(where, "holds a mesh without parameters of a body model", "its vertices are all there is")
    raise InputError(where, f"unknown body model '{sequence.body}'", f"there are {', '.join(TOPOLOGY_OF)}, mesh")


def one_shape(sequence: BodySequence) -> BodySequence:
    """Return the sequence with one shape for all frames: a person does not change size, though video tools say so.

    It is the median, value by value, over the frames in which the person was seen; an assumption says how far the
    frames differ. A sequence that has one shape comes back as it is.
    """
    if sequence.shape.ndim < 2:
        return sequence
    shapes = sequence.shape if sequence.seen is None else sequence.shape[sequence.seen]
    spread = float(np.ptp(shapes, axis=0).max(initial=0.0))
    said = sequence.assumptions
    if spread > 0.0:
        said = (*said, f"One shape is used for all frames, the median; its values vary by up to {spread:.2g}.")
    return replace(sequence, shape=np.median(shapes, axis=0), assumptions=said)


def sequence_tensors(
    sequence: BodySequence, body: Body, frames: slice | NDArray[np.integer], dtype: torch.dtype
) -> tuple[Tensor, Tensor, Tensor]:
    """Rotations (T, J, 3, 3), translation (T, 3) and shape (S,) or (T, S) of some frames."""
    import torch

    from .smpl import SmplBody

    one_shape = sequence.shape.ndim == 1
    arrays = sequence.rotations[frames], sequence.translation[frames]
    shape = sequence.shape if one_shape else sequence.shape[frames]
    rotations, translation, values = (torch.as_tensor(np.asarray(array), dtype=dtype) for array in (*arrays, shape))
    if sequence.relaxed_hands and isinstance(body, SmplBody):
        rotations = body.with_relaxed_hands(rotations)
    return rotations, translation, values


def mesh(body: Body, sequence: BodySequence, frames: NDArray[np.integer] | None = None) -> NDArray[np.float32]:
    """Whole meshes of some frames, (T, V, 3) [m], in the axes of the sequence.

    Args:
        body: the model of the sequence; see `body_for`.
        sequence: the motion.
        frames: indices of the frames; all if none are given (mind the memory: 160 kB a frame).
    """
    import torch

    wanted = np.arange(len(sequence.time)) if frames is None else np.asarray(frames)
    out = np.empty((len(wanted), body.n_vertices, 3), dtype=np.float32)
    with torch.no_grad():
        for start in range(0, len(wanted), _MESH_CHUNK):
            part = wanted[start : start + _MESH_CHUNK]
            parameters = sequence_tensors(sequence, body, part, torch.float32)
            out[start : start + len(part)] = body.vertices(*parameters)[0].numpy()
    return out
