"""Which points of a body a network learns and is judged by: HMR2.0's 44 of SMPL, or Anny's with its virtual markers."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from ...bodies.markers import read_body_markers
from ...errors import InputError
from ..points.keypoints import COMMON, LAYOUTS, Array

if TYPE_CHECKING:
    from torch import Tensor

    from .body import BodyOutput

_EXTRA = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "right_wrist", "right_elbow",
    "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "neck", "head_top", "pelvis", "thorax", "spine",
    "jaw", "head",
)  # fmt: skip
POINTS = (*LAYOUTS["body25"].points, *(f"extra_{name}" for name in _EXTRA))
"""Names of HMR2.0's 44 key points: OpenPose's 25, and 19 of older data sets."""
JOINTS = LAYOUTS["smpl24"].points
_SIDES = {"left": "right", "right": "left"}
_LETTERS = {"L": "R", "R": "L"}
# Which joint of SMPL or vertex of its mesh each point of OpenPose is (4D-Humans, ``smpl_wrapper.py``, and
# ``smplx/vertex_ids.py``).
_JOINT_POINTS = {
    "neck": "neck", "mid_hip": "pelvis",
    **{f"{side}_{part}": f"{side}_{part}" for side in _SIDES
       for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")},
}  # fmt: skip
_VERTEX_POINTS = {
    "nose": 332, "right_eye": 6260, "left_eye": 2800, "right_ear": 4071, "left_ear": 583, "left_big_toe": 3216,
    "left_small_toe": 3226, "left_heel": 3387, "right_big_toe": 6617, "right_small_toe": 6624, "right_heel": 6787,
}  # fmt: skip


def mirrored(names: Sequence[str]) -> NDArray[np.intp]:
    """Return which of the names each becomes when left and right are exchanged, (K,).

    Sides are words (``extra_left_hip``) or the first letter of a marker (``LASI``).
    """
    number = {name: k for k, name in enumerate(names)}

    def other(name: str) -> str:
        swapped = "_".join(_SIDES.get(part, part) for part in name.split("_"))
        if swapped == name and name[:1] in _LETTERS and _LETTERS[name[0]] + name[1:] in number:
            return _LETTERS[name[0]] + name[1:]
        return swapped

    return np.array([number[other(name)] for name in names])


@dataclass(frozen=True, eq=False)
class Layout:
    """Which points and joints a body has.

    Attributes:
        name: ``"smpl"`` or ``"anny"``.
        points: names of the K points.
        joints: names of the J joints.
        pelvis: number of the point that 3D errors are counted from.
        protocol: of `metrics.PROTOCOLS`, by which the first of the points are judged.
    """

    name: str
    points: tuple[str, ...]
    joints: tuple[str, ...]
    pelvis: int
    protocol: str

    @functools.cached_property
    def mirror(self) -> tuple[Tensor, Tensor]:
        """Which point and which joint each becomes when left and right are exchanged, (K,) and (J,)."""
        return torch.from_numpy(mirrored(self.points)), torch.from_numpy(mirrored(self.joints))


class BodyPointsOf(Protocol):
    """What a network's body gives in a layout."""

    layout: Layout
    whole_mesh: bool

    def __call__(self, body: BodyOutput) -> Tensor:
        """Return the points (B, K, 3) of bodies; with their vertices if ``whole_mesh``."""


class AnnyPoints:
    """The 23 common key points, the pelvis and the 142 virtual markers."""

    whole_mesh = False

    def __init__(self) -> None:
        points = (*COMMON, "pelvis", *read_body_markers("anny").names)
        self.layout = Layout("anny", points, JOINTS, len(COMMON), "synthetic")

    def __call__(self, body: BodyOutput) -> Tensor:
        """Return (B, 166, 3)."""
        return torch.cat([body.key_points, body.joints[:, :1], body.markers], dim=1)


class SmplPoints:
    """HMR2.0's 44 points of SMPL.

    Args:
        regressor: (19, 6890) from the mesh to the 19 points, HMR2.0's ``SMPL_to_J19.pkl`` (`read_regressor`).

    Raises:
        InputError: a regressor of another shape.
    """

    whole_mesh = True
    layout = Layout("smpl", POINTS, JOINTS, POINTS.index("extra_pelvis"), "3dpw")

    def __init__(self, regressor: Array) -> None:
        if regressor.shape != (len(_EXTRA), 6890):
            raise InputError("joint regressor", f"has shape {regressor.shape}", f"give ({len(_EXTRA)}, 6890)")
        self._regressor = torch.from_numpy(np.ascontiguousarray(regressor, dtype=np.float32))
        # Joints and chosen vertices one after the other.
        self._vertices = torch.tensor(list(_VERTEX_POINTS.values()))
        place = {name: len(JOINTS) + k for k, name in enumerate(_VERTEX_POINTS)}
        place |= {name: JOINTS.index(joint) for name, joint in _JOINT_POINTS.items()}
        self._order = torch.tensor([place[name] for name in POINTS[:25]])

    def __call__(self, body: BodyOutput) -> Tensor:
        """Return (B, 44, 3)."""
        assert body.vertices is not None, "whole_mesh says that the vertices are needed"
        device = body.vertices.device
        both = torch.cat([body.joints, body.vertices[:, self._vertices.to(device)]], dim=1)
        extra = torch.einsum("kv,bvc->bkc", self._regressor.to(body.vertices), body.vertices)
        return torch.cat([both[:, self._order.to(device)], extra], dim=1)


def read_regressor(path: str | Path) -> Array:
    """Read a joint regressor (J, V): a pickled array, as HMR2.0's ``SMPL_to_J19.pkl``, or ``.npy``.

    Raises:
        InputError: no such file, or anything else in it; nothing in it is run.
    """
    from ...bodies.readers.content import open_content
    from ...bodies.readers.unpickle import load_pickle

    source = Path(path)
    found = open_content(source).data if source.suffix == ".npy" else load_pickle(source, encoding="latin1")
    if not isinstance(found, np.ndarray) or found.ndim != 2 or found.dtype.kind not in "fiu":
        raise InputError(source, "is no joint regressor", "an array of joints times vertices is needed")
    return found.astype(float)
