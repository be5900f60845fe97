"""Augmentation as HMR2.0's: scale, turn, shift, mirror, colour and crops to a part of the body.

After ``do_augmentation`` and ``extreme_cropping_aggressive`` of 4D-Humans (MIT, ``hmr2/datasets/utils.py``; the crops
are EFT's, Joo et al. 2021). What is true of the image follows in `mqhmr.truth.moved`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ...errors import InputError
from ..points.keypoints import Array
from .truth import Changes
from .weak_camera import SIDE

# Parts of the body that crops keep, their share of the crops of whole and of upper bodies, and how much larger than
# the box round their points the crop is (HMR2.0's 1.2 times a factor of each).
_HEAD = {"nose", "neck", "eye", "ear", "head_top", "jaw", "head"}
_ARM, _LEG = {"shoulder", "elbow", "wrist"}, {"hip", "knee", "ankle", "big_toe", "small_toe", "heel"}
_MIDDLE = {"mid_hip", "pelvis", "thorax", "spine"}
_CROPS: tuple[tuple[set[str], str, float, float, float], ...] = (
    (_HEAD | _ARM | _MIDDLE | {"hip"}, "", 0.2, 0.0, 1.1),
    (_HEAD | {"shoulder"}, "", 0.1, 0.2, 1.2),
    (_HEAD, "", 0.1, 0.2, 1.3),
    (_MIDDLE | {"neck", "shoulder", "hip"}, "", 0.1, 0.2, 1.1),
    (_ARM, "right", 0.1, 0.2, 1.1),
    (_ARM, "left", 0.1, 0.2, 1.1),
    (_LEG | {"mid_hip", "pelvis"}, "", 0.1, 0.0, 1.1),
    (_LEG, "right", 0.1, 0.0, 1.1),
    (_LEG, "left", 0.1, 0.0, 1.1),
)
_LARGER = 1.2
# Pixels below which no crop goes.
_SMALLEST = 4.0
_MAIN = {"shoulder", "elbow", "wrist", "knee", "ankle"}


@dataclass(frozen=True)
class HmrAugment:
    """How images are changed; the defaults are HMR2.0's.

    Attributes:
        scale: standard deviation of the crop's size, cut at one; of its side.
        turn: standard deviation of the turn in the plane, cut at two [degrees].
        turn_share: of the images that are turned.
        shift: standard deviation of the crop's place, cut at one; of its side.
        colour: most by which red, green and blue are each made brighter or darker.
        flip_share: of the images that are mirrored.
        crop_share: of the images that are cropped to a part of the body.
    """

    scale: float = 0.3
    turn: float = 30.0
    turn_share: float = 0.6
    shift: float = 0.02
    colour: float = 0.2
    flip_share: float = 0.5
    crop_share: float = 0.1

    def __post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises:
            InputError: a share beyond 0 to 1, amounts below 0 or that leave no image.
        """
        for name, most in {**dict.fromkeys(("turn_share", "flip_share", "crop_share"), 1.0), "scale": 0.9}.items():
            if not 0.0 <= getattr(self, name) <= most:
                raise InputError(f"augment.{name}", f"is {getattr(self, name)}", f"give a number from 0 to {most}")
        for name in ("turn", "shift", "colour"):
            if not getattr(self, name) >= 0.0:
                raise InputError(f"augment.{name}", f"is {getattr(self, name)}", "give 0 or more")


NONE = HmrAugment(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
"""Nothing is changed: evaluation."""


@dataclass(frozen=True, eq=False)
class Change:
    """How one image is changed; see `mqhmr.truth.Changes`."""

    box: Array
    zoom: float
    angle: float
    flip: bool
    colour: Array


def draw_change(
    config: HmrAugment, chance: np.random.Generator, centre: Array, size: float, points: Array, names: Sequence[str]
) -> Change:
    """Return a change by chance.

    Args:
        config: how much.
        chance: the generator; as many numbers are drawn whatever comes out.
        centre: (2,) of the square that would be cut out [pixel].
        size: its side [pixel].
        points: (K, 3) 2D points and confidence [pixel].
        names: of the points.
    """
    normal, even = chance.standard_normal(4), chance.random(5)
    colour = 1.0 + config.colour * (2.0 * chance.random(3) - 1.0)
    if even[0] < config.crop_share:
        centre, size = _crop(even[1], centre, size, points, names)
    middle = centre + size * config.shift * np.clip(normal[:2], -1.0, 1.0)
    size = size * (1.0 + config.scale * float(np.clip(normal[2], -1.0, 1.0)))
    angle = np.radians(config.turn) * float(np.clip(normal[3], -2.0, 2.0)) if even[2] < config.turn_share else 0.0
    return Change(middle, SIDE / size, angle, bool(even[3] < config.flip_share), colour)


def _crop(place: float, centre: Array, size: float, points: Array, names: Sequence[str]) -> tuple[Array, float]:
    """The square round a part of the body, drawn by a number from 0 to 1; the one given where that is not seen."""
    seen = points[:, 2] > 0
    parts = [_part(name) for name in names]
    column = _column({part for part, known in zip(parts, seen) if known})
    if column is None:
        return centre, size
    ends = np.cumsum([crop[column] for crop in _CROPS])
    kept_parts, side, *_, factor = _CROPS[min(int(np.searchsorted(ends, place, side="right")), len(_CROPS) - 1)]
    kept = seen & np.array([part in kept_parts and side in ("", where) for where, part in parts])
    if kept.sum() < 2:
        return centre, size
    low, high = points[kept, :2].min(axis=0), points[kept, :2].max(axis=0)
    side_length = factor * _LARGER * float((high - low).max())
    return (centre, size) if side_length < _SMALLEST else (0.5 * (low + high), side_length)


def _column(seen: set[tuple[str, str]]) -> int | None:
    """Which shares hold: of whole bodies (2), of upper bodies (3), or none."""
    if all((side, part) in seen for part in _MAIN for side in ("left", "right")):
        return 2
    legs = any(part in {"knee", "ankle"} for _, part in seen)
    return 3 if not legs and sum(part in _HEAD for _, part in seen) >= 2 else None


def _part(name: str) -> tuple[str, str]:
    """Side and part of a point's name: ``extra_left_hip`` -> left, hip."""
    plain = name.removeprefix("extra_")
    side, _, part = plain.partition("_")
    return (side, part) if side in ("left", "right") else ("", plain)


def stacked(changes: Sequence[Change]) -> Changes:
    """Return the changes of a batch."""
    return Changes(
        box=torch.tensor(np.stack([one.box for one in changes]), dtype=torch.float32),
        zoom=torch.tensor([one.zoom for one in changes], dtype=torch.float32),
        angle=torch.tensor([one.angle for one in changes], dtype=torch.float32),
        flip=torch.tensor([one.flip for one in changes]),
        colour=torch.tensor(np.stack([one.colour for one in changes]), dtype=torch.float32),
    )


def cut(image: NDArray[np.uint8], change: Change) -> NDArray[np.uint8]:
    """Return the changed image (256, 256, 3) of a whole picture (H, W, 3), black beyond its border.

    Where the picture is much finer than the crop its pixels are averaged in blocks first, against aliasing.
    """
    from PIL import Image

    block = max(1, int(1.0 / change.zoom))
    picture = Image.fromarray(image)
    if block > 1:
        picture = picture.reduce(block)
    affine = stacked([change]).affine[0].double().numpy()
    back = np.linalg.inv(np.vstack([affine, [0.0, 0.0, 1.0]]))[:2] / block
    coefficients = tuple(float(v) for v in back.ravel())
    found = picture.transform((SIDE, SIDE), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR)
    return coloured(np.asarray(found), change.colour)


def coloured(image: NDArray[np.uint8], colour: Array) -> NDArray[np.uint8]:
    """Return an image with its colours times three factors."""
    return np.clip(image * colour.astype(np.float32) + 0.5, 0, 255).astype(np.uint8)


def warped(images: Tensor, changes: Changes) -> Tensor:
    """Return the changed images (B, 3, 256, 256) uint8 of images that are cut out already; black beyond their border.

    The same as `cut`, a batch at a time on any device.
    """
    height, width = images.shape[2:]
    square = torch.cat([changes.affine, changes.affine.new_tensor([[0.0, 0.0, 1.0]]).expand(len(images), 1, 3)], dim=1)
    back = torch.linalg.inv(square)[:, :2]
    # From fractions -1..1 of the new image to those of the old one.
    new = back.new_tensor([[0.5 * SIDE, 0.0, 0.5 * SIDE], [0.0, 0.5 * SIDE, 0.5 * SIDE], [0.0, 0.0, 1.0]])
    size = back.new_tensor([width, height])
    theta = back @ new
    theta = 2.0 * theta / size[:, None] - theta.new_tensor([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    places = functional.affine_grid(theta, [len(images), 3, SIDE, SIDE], align_corners=False)
    found = functional.grid_sample(images.to(places.dtype), places, align_corners=False)
    return (found * changes.colour[:, :, None, None] + 0.5).clamp_(0, 255).to(torch.uint8)
