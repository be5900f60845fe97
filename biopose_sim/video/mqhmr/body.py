"""Body models as the head of a mesh network sees them: 24 joint rotations and a shape in, points out.

Both bodies have the 24 joints of SMPL by name, each joint's rotation relative to its parent and to rest, so that one
head serves both. The root's rotation takes the body's own axes (Anny: Z up, faces -y; SMPL: Y up, faces +z) to those of
the camera: right, down, forward. The pelvis, joint 0, lies at the origin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ...bodies.body import Body
from ...bodies.markers import read_body_markers
from ...bodies.skin import PointTable, evaluate
from ...bodies.smpl import SmplBody
from ...bodies.types import LEVEL_CAMERA, BodySequence
from ...errors import InputError
from ...io.camera import Camera
from ..points.body_points import body_points
from ..points.keypoints import LAYOUTS

JOINTS = LAYOUTS["smpl24"].points
"""The 24 joints."""
PARENTS: tuple[int, ...] = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)
"""Which joint each of the 24 hangs on."""


@dataclass(frozen=True, eq=False)
class BodyOutput:
    """Points of B bodies, in the camera's axes with the pelvis at the origin [m].

    Attributes:
        joints: (B, 24, 3).
        key_points: (B, 23, 3), those of `keypoints.COMMON`.
        markers: (B, 142, 3), the virtual markers.
        vertices: (B, V, 3), where they were asked for.
    """

    joints: Tensor
    key_points: Tensor
    markers: Tensor
    vertices: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Clip:
    """What a `BodySequence` says besides the motion.

    Attributes:
        name: of the clip.
        time: (T,) strictly increasing [s].
        seen: (T,) whether the person was seen.
        source: the file.
        assumptions: what was taken for granted, a sentence each.
    """

    name: str
    time: ArrayLike
    seen: NDArray[np.bool_] | None = None
    source: Path | None = None
    assumptions: tuple[str, ...] = ()


class HeadBody(Protocol):
    """A body model under the head of a network.

    Attributes:
        name: ``"anny"`` or ``"smpl"``.
        joint_names: the 24 joints.
        parents: indices, -1 for the root; parents come first.
        n_shape: S, numbers of a shape; free numbers about the size of one.
        n_vertices: V.
        marker_names: the 142 virtual markers.
        mean_rotations: (24, 3, 3) of an average pose before the camera.
        mean_shape: (S,) of an average adult.
    """

    name: str
    joint_names: tuple[str, ...]
    parents: tuple[int, ...]
    n_shape: int
    n_vertices: int
    marker_names: tuple[str, ...]
    mean_rotations: Tensor
    mean_shape: Tensor

    def forward(self, rotations: Tensor, shape: Tensor, *, vertices: bool = False) -> BodyOutput:
        """Return points of bodies; differentiable.

        Args:
            rotations: (B, 24, 3, 3) relative to the parents, the root's in the camera's axes.
            shape: (B, S).
            vertices: whether the whole mesh is wanted too, at many times the cost.
        """

    def from_sequence(self, sequence: BodySequence) -> tuple[Tensor, Tensor]:
        """Return rotations (T, 24, 3, 3), the root's in the axes of the sequence, and shape (T, S), float32."""

    def pelvis(self, sequence: BodySequence) -> Tensor:
        """Return the pelvis (T, 3) [m] of a sequence, in its axes: what is added to points of `forward`."""

    def to_sequence(self, clip: Clip, rotations: Tensor, shape: Tensor, pelvis: Tensor) -> BodySequence:
        """Return the motion of T frames in the camera's axes.

        Args:
            clip: its name, times and so on.
            rotations: (T, 24, 3, 3).
            shape: (T, S) or (S,).
            pelvis: (T, 3) in the camera's axes [m].
        """


class Tables:
    """Tables of chosen points on each device, and of the whole mesh where it is asked for."""

    def __init__(self, body: Body) -> None:
        markers = read_body_markers(body.topology)
        self.marker_names = markers.names
        self._body = body
        self._points = body.table(markers.vertices, markers.weights)
        self._mix = torch.from_numpy(body_points().matrix(markers.names))
        self._there: dict[tuple[str, torch.device, torch.dtype], tuple[PointTable, Tensor]] = {}

    def of(self, like: Tensor, *, whole: bool = False) -> tuple[PointTable, Tensor]:
        """Table and key points from markers, on the device and of the type of a tensor."""
        key = ("whole" if whole else "points", like.device, like.dtype)
        if key not in self._there:
            table = self._whole if whole else self._points
            self._there[key] = (table.to(like.dtype).to(like.device), self._mix.to(like))
        return self._there[key]

    @cached_property
    def _whole(self) -> PointTable:
        return self._body.table([[vertex] for vertex in range(self._body.n_vertices)])


def skinned(
    tables: Tables, rotations: Tensor, coefficients: Tensor, places: Tensor | None, vertices: bool
) -> BodyOutput:
    """Points of bodies whose model takes these rotations and coefficients; ``places`` are the 24 of its joints."""
    table, mix = tables.of(rotations)
    nowhere = rotations.new_zeros(len(rotations), 3)
    markers, joints = evaluate(table, rotations, nowhere, coefficients)
    joints = joints if places is None else joints.index_select(1, places)
    origin = joints[:, :1]
    mesh = evaluate(tables.of(rotations, whole=True)[0], rotations, nowhere, coefficients)[0] if vertices else None
    markers = markers - origin
    return BodyOutput(joints - origin, mix @ markers, markers, None if mesh is None else mesh - origin)


def head_body(name: str, smpl: str | Path | SmplBody | None = None) -> HeadBody:
    """Return a body model for the head.

    Args:
        name: ``"anny"``, or ``"smpl"``.
        smpl: the user's model file or folder (neutral), where SMPL is wanted; see `bodies.smpl.find_model_file`.

    Raises:
        InputError: another name, or no SMPL file.
    """
    from .anny import AnnyHeadBody
    from .smpl import SmplHeadBody

    def from_file() -> HeadBody:
        return SmplHeadBody(smpl if isinstance(smpl, SmplBody) else SmplBody.find("smpl", "neutral", smpl))

    makers: dict[str, Callable[[], HeadBody]] = {"anny": AnnyHeadBody, "smpl": from_file}
    if name not in makers:
        raise InputError("body of the head", f"unknown body '{name}'", f"there are {', '.join(makers)}")
    return makers[name]()


def seen_by(camera: Camera, body: HeadBody, sequence: BodySequence) -> tuple[Tensor, Tensor, Tensor]:
    """Return a motion as a camera sees it, for ground truth.

    Args:
        camera: in the ground frame.
        body: of the sequence.
        sequence: in any axes; ``to_ground`` says which.

    Returns:
        Rotations (T, 24, 3, 3), the root's in the camera's axes, shape (T, S) and the pelvis (T, 3) in the camera's
        axes [m]; float32.
    """
    rotations, shape = body.from_sequence(sequence)
    turn = torch.from_numpy(camera.rotation @ sequence.to_ground).float()
    pelvis = camera.to_camera(body.pelvis(sequence).double().numpy() @ sequence.to_ground.T)
    root = turn @ rotations[:, :1]
    return torch.cat([root, rotations[:, 1:]], dim=1), shape, torch.from_numpy(pelvis).float()


def computed(values: Tensor) -> Tensor:
    """Return numbers in double precision where they are in it, else in single."""
    return values if values.dtype == torch.float64 else values.float()


def check_body(sequence: BodySequence, body: str) -> None:
    """Check whose motion it is.

    Raises:
        InputError: a sequence of another body.
    """
    if sequence.body != body:
        where = sequence.source or f"sequence '{sequence.name}'"
        raise InputError(where, f"is a motion of the body '{sequence.body}'", f"give one of '{body}'")


def camera_sequence(clip: Clip, body: str, rotations: Tensor, translation: Tensor, shape: Tensor) -> BodySequence:
    """Return a motion in the camera's axes, of parameters as the body takes them."""
    turned, moved, values = (value.detach().cpu().double().numpy() for value in (rotations, translation, shape))
    return BodySequence(
        name=clip.name, body=body, time=np.asarray(clip.time, dtype=float), rotations=turned, translation=moved,
        shape=values, to_ground=LEVEL_CAMERA, seen=clip.seen, source=clip.source, assumptions=clip.assumptions,
    )  # fmt: skip
