"""Pictures of people with what is known of them: one form for all training and evaluation files of HMR2.0's kind.

Conventions of 4D-Humans (MIT; ``hmr2/datasets``): 44 key points, 25 of OpenPose and 19 of older data sets; SMPL's
poses as axis-angle vectors, the first one turning the body into the camera's axes (right, down, forward).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import InputError
from ..points.keypoints import Array
from .layouts import JOINTS, POINTS

BETAS = 10
# Width to height of what the encoder sees of the square crop.
_ASPECT = 192.0 / 256.0
# 3D points of OpenPose's body that the data sets do not have in the same place: HMR2.0 takes them from the 19 instead.
_UNTRUSTED = slice(1, 15)


@dataclass(frozen=True, eq=False)
class Labels:
    """What is known of a person in a picture.

    Attributes:
        centre: (2,) middle of the box round the person [pixel]; pixels as `io.Camera` counts them.
        size: side of the square to be cut out [pixel].
        points_2d: (K, 3) across, down [pixel] and confidence, 0 where unknown.
        points_3d: (K, 4) right, down, forward [m] from any origin, and confidence.
        rotations: (J, 3, 3) of the joints to their parents, the first to the camera.
        rotations_known: whether those are.
        shape: (S,) betas or phenotypes.
        shape_known: whether those are.
        focal: focal length of the picture [pixel]; None where unknown.
        principal: (2,) where the camera's axis meets the picture [pixel]; None where unknown.
    """

    centre: Array
    size: float
    points_2d: Array
    points_3d: Array
    rotations: Array
    rotations_known: bool
    shape: Array
    shape_known: bool
    focal: float | None = None
    principal: Array | None = None


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture and one person in it.

    Attributes:
        name: of the picture, for messages.
        image: (H, W, 3) red, green and blue, uint8.
        labels: of the person.
    """

    name: str
    image: NDArray[np.uint8]
    labels: Labels


class Pictures(Protocol):
    """A data set from which examples are drawn."""

    def draw(self, chance: np.random.Generator) -> Picture:
        """Return a person by chance; the same one for generators in the same state."""


@dataclass(frozen=True)
class Cleaning:
    """What is left out of automatic labels; the defaults are HMR2.0's for training.

    Its test of poses against a histogram of AMASS is not here: nothing that is made of AMASS is ours to ship.

    Attributes:
        confidence: 2D points below it count as unknown.
        points: a person with no more known 2D points is left out.
        beta: a shape with a beta beyond it counts as unknown; 0: none does.
        reprojection: a person whose fit left more is left out; 0: none is.
        together: pose and shape are known together or not at all.
        mean_shape: where the shape is unknown, the mean one is taken for it.
    """

    confidence: float = 0.3
    points: int = 4
    beta: float = 3.0
    reprojection: float = 31000.0
    together: bool = True
    mean_shape: bool = True

    def __call__(self, labels: Labels, reprojection: float | None = None) -> Labels | None:
        """Return the labels cleaned, None where the person is left out."""
        points = labels.points_2d.copy()
        points[points[:, 2] < self.confidence, 2] = 0.0
        if (points[:, 2] > 0).sum() <= self.points:
            return None
        if self.reprojection and reprojection is not None and reprojection >= self.reprojection:
            return None
        shape_known = labels.shape_known and not (self.beta and bool((np.abs(labels.shape) > self.beta).any()))
        rotations_known = labels.rotations_known
        if self.together:
            shape_known = rotations_known = shape_known and rotations_known
        shape = labels.shape
        if self.mean_shape and not shape_known:
            shape, shape_known = np.zeros_like(shape), True
        return replace(labels, points_2d=points, rotations_known=rotations_known, shape=shape, shape_known=shape_known)


class Mixture:
    """Several data sets of which examples are drawn in given shares.

    Args:
        parts: data sets and their shares, in any unit.

    Raises:
        InputError: no part, or a share that is not above zero.
    """

    def __init__(self, parts: Sequence[tuple[Pictures, float]]) -> None:
        shares = np.array([share for _, share in parts], dtype=float)
        if not len(parts) or not (shares > 0).all():
            raise InputError("mixture", f"has the shares {shares.tolist()}", "give data sets with shares above 0")
        self._parts = [part for part, _ in parts]
        self._shares = shares / shares.sum()

    def draw(self, chance: np.random.Generator) -> Picture:
        """Return a person of one of the data sets."""
        return self._parts[int(chance.choice(len(self._parts), p=self._shares))].draw(chance)


def smpl_labels(source: object, fields: dict[str, ArrayLike], *, side: Callable[[Array], float]) -> Labels:
    """Return the labels of a person in HMR2.0's fields, each of one person.

    Args:
        source: the file, for messages.
        fields: ``center`` (2,), ``scale``, and where known ``body_pose`` (72,), ``has_body_pose``, ``betas`` (10,),
            ``has_betas``, ``keypoints_2d`` (44, 3), ``keypoints_3d`` (44, 4). Pixels count from the middle of the
            first one, as in OpenCV.
        side: side of the square crop [pixel] from ``scale``, whose unit differs between files.

    Raises:
        InputError: a field of another shape.
    """

    def field(name: str, *shape: int) -> Array:
        values = np.asarray(fields.get(name, np.zeros(shape)), dtype=float)
        if values.size != int(np.prod(shape)):
            raise InputError(str(source), f"'{name}' has shape {values.shape} for a person", f"give {shape}")
        return values.reshape(shape)

    from scipy.spatial.transform import Rotation

    points_2d, points_3d = field("keypoints_2d", len(POINTS), 3).copy(), field("keypoints_3d", len(POINTS), 4).copy()
    points_2d[:, :2] += 0.5
    for points in (points_2d, points_3d):
        points[~np.isfinite(points).all(axis=1)] = 0.0
    pose = field("body_pose", len(JOINTS), 3)
    return Labels(
        centre=field("center", 2) + 0.5,
        size=side(np.asarray(fields["scale"], dtype=float).reshape(-1)),
        points_2d=points_2d,
        points_3d=points_3d,
        rotations=Rotation.from_rotvec(np.nan_to_num(pose)).as_matrix(),
        rotations_known="body_pose" in fields and bool(field("has_body_pose", 1)[0] > 0),
        shape=field("betas", BETAS),
        shape_known="betas" in fields and bool(field("has_betas", 1)[0] > 0),
    )


def trusted_3d(points: Array) -> Array:
    """Return 3D points (..., 44, 4) with no confidence in OpenPose's body joints, as HMR2.0 reads its npz files."""
    found = points.copy()
    found[..., _UNTRUSTED, 3] = 0.0
    return found


def square_side(box: Array) -> float:
    """Return the side of the square crop [pixel] of a box's width and height [pixel], (1,) or (2,).

    A person fills the part of it that the encoder sees, 192 of 256 columns: HMR2.0's rule.
    """
    if len(box) == 1:
        return float(box[0])
    width, height = float(box[0]), float(box[1])
    return max(height, width / _ASPECT)


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read a picture as (H, W, 3), red, green and blue, as its pixels are stored: no turning by EXIF.

    Raises:
        InputError: no such file, or no picture.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except FileNotFoundError:
        raise InputError(path, "no such picture", "give the folder that the names in the file start from") from None
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
        raise InputError(path, f"is no picture that can be read ({error})", "get it anew") from error
