"""What a network learns from: images of people, cut out, and what is true of them, a batch at a time.

`moved` carries all of it along when the images are mirrored, turned, shifted and scaled, so that the truth stays that
of the image: a camera turned about its axis and looking through another part of its picture sees exactly that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ...errors import InputError
from .data import Labels
from .layouts import Layout
from .weak_camera import FOCAL, SIDE, CropCamera

if TYPE_CHECKING:
    from ..synthetic.batch import PeopleBatch
    from .anny_bones import AnnyBones


@dataclass(frozen=True, eq=False)
class Truth:
    """A batch.

    Attributes:
        images: (B, 3, 256, 256) uint8, red, green, blue.
        points_2d: (B, K, 3) across, down [pixel of the image] and confidence, 0 where unknown.
        points_3d: (B, K, 4) right, down, forward [m], from the pinhole where the camera is known, and confidence.
        rotations: (B, J, 3, 3) of the joints to their parents, the first to the camera.
        rotations_known: (B,) 0 or 1.
        shape: (B, S) betas or phenotypes.
        shape_known: (B,) 0 or 1.
        focal: (B,) of the image [pixel]; `FOCAL` where unknown.
        centre: (B, 2) where the camera's axis meets the image [pixel]; its middle where unknown.
    """

    images: Tensor
    points_2d: Tensor
    points_3d: Tensor
    rotations: Tensor
    rotations_known: Tensor
    shape: Tensor
    shape_known: Tensor
    focal: Tensor
    centre: Tensor

    def __len__(self) -> int:
        """Number of images B."""
        return len(self.images)

    @property
    def crop(self) -> CropCamera:
        """The cameras that see the images."""
        return CropCamera(self.focal, self.centre)

    def to(self, device: torch.device | str) -> Truth:
        """Return the batch on a device."""
        return Truth(*(getattr(self, field.name).to(device, non_blocking=True) for field in fields(self)))


@dataclass(frozen=True, eq=False)
class Changes:
    """How each image of a batch is changed.

    Attributes:
        box: (B, 2) what comes to the middle [pixel of the old image].
        zoom: (B,) new pixels per old one.
        angle: (B,) turn, from right to down [rad].
        flip: (B,) whether it is mirrored first.
        colour: (B, 3) factors of red, green and blue.
    """

    box: Tensor
    zoom: Tensor
    angle: Tensor
    flip: Tensor
    colour: Tensor

    def to(self, device: torch.device | str) -> Changes:
        """Return them on a device."""
        return Changes(*(getattr(self, field.name).to(device) for field in fields(self)))

    @property
    def turns(self) -> Tensor:
        """(B, 3, 3) what happens to the camera's axes: the mirror, then the turn."""
        cos, sin, zero = torch.cos(self.angle), torch.sin(self.angle), torch.zeros_like(self.angle)
        side = torch.where(self.flip, -torch.ones_like(cos), torch.ones_like(cos))
        rows = [cos * side, -sin, zero, sin * side, cos, zero, zero, zero, torch.ones_like(zero)]
        return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))

    @property
    def affine(self) -> Tensor:
        """(B, 2, 3) from old pixels to new ones."""
        linear = self.zoom[:, None, None] * self.turns[:, :2, :2]
        return torch.cat([linear, 0.5 * SIDE - linear @ self.box[..., None]], dim=-1)


def moved(truth: Truth, changes: Changes, layout: Layout) -> Truth:
    """Return what is true of the changed images; the images themselves are left as they are.

    Points that come to lie outside of the image keep their confidence, as in HMR2.0.

    Args:
        truth: of the images before.
        changes: of each.
        layout: of the body.
    """
    mirror_points, mirror_joints = (order.to(truth.images.device) for order in layout.mirror)
    flip = changes.flip
    points_2d = torch.where(flip[:, None, None], truth.points_2d[:, mirror_points], truth.points_2d)
    points_3d = torch.where(flip[:, None, None], truth.points_3d[:, mirror_points], truth.points_3d)
    side = torch.diag(truth.rotations.new_tensor([-1.0, 1.0, 1.0]))
    turned = torch.where(flip[:, None, None, None], side @ truth.rotations[:, mirror_joints] @ side, truth.rotations)
    # The mirror is in the rotations already; what is left is the turn.
    turn = changes.turns @ torch.where(flip[:, None, None], side, torch.eye(3, dtype=side.dtype, device=side.device))
    rotations = torch.cat([(turn @ turned[:, 0])[:, None], turned[:, 1:]], dim=1)
    affine = changes.affine
    places = torch.cat([points_2d[..., :2], torch.ones_like(points_2d[..., :1])], dim=-1) @ affine.transpose(1, 2)
    middle = (affine[:, :, :2] @ truth.centre[..., None]).squeeze(-1) + affine[:, :, 2]
    return replace(
        truth,
        points_2d=torch.cat([places, points_2d[..., 2:]], dim=-1),
        points_3d=torch.cat([points_3d[..., :3] @ changes.turns.transpose(1, 2), points_3d[..., 3:]], dim=-1),
        rotations=rotations,
        focal=truth.focal * changes.zoom,
        centre=middle,
    )


def truth_of_labels(images: np.ndarray, labels: Sequence[Labels]) -> Truth:
    """Return a batch of pictures' labels, still in pixels of the whole pictures: `moved` brings them into the images.

    Args:
        images: (B, 256, 256, 3) uint8, cut out.
        labels: of each.
    """

    def stacked(name: str) -> Tensor:
        return torch.from_numpy(np.stack([np.asarray(getattr(one, name), dtype=np.float32) for one in labels]))

    return Truth(
        images=torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))),
        points_2d=stacked("points_2d"),
        points_3d=stacked("points_3d"),
        rotations=stacked("rotations"),
        rotations_known=stacked("rotations_known"),
        shape=stacked("shape"),
        shape_known=stacked("shape_known"),
        focal=torch.tensor([np.nan if one.focal is None else one.focal for one in labels]),
        centre=torch.from_numpy(
            np.stack([np.full(2, np.nan) if one.principal is None else one.principal for one in labels]).astype("f4")
        ),
    )


def with_assumed_cameras(truth: Truth) -> Truth:
    """Return the batch with `FOCAL` and the middle of the image where the camera is not known."""
    middle = torch.full_like(truth.centre, 0.5 * SIDE)
    return replace(
        truth,
        focal=torch.where(torch.isfinite(truth.focal), truth.focal, torch.full_like(truth.focal, FOCAL)),
        centre=torch.where(torch.isfinite(truth.centre), truth.centre, middle),
    )


def truth_of_people(people: PeopleBatch, bones: AnnyBones, markers: float = 0.0) -> Truth:
    """Return a batch of synthetic people, of whom everything is true, with the points of `mqhmr.layouts.AnnyPoints`.

    Args:
        people: images of 256 x 256 pixels.
        bones: Anny's.
        markers: confidence of the virtual markers; that of the key points and the pelvis is 1.

    Raises:
        InputError: images of another size.
    """
    from .anny import free_shape
    from .body import PARENTS
    from .rotations import relative_rotations

    if people.image.shape[1:3] != (SIDE, SIDE):
        raise InputError("synthetic people", f"images of {people.image.shape[1:3]} pixels", f"give {SIDE} x {SIDE}")
    count = len(people)
    focal, centre = torch.from_numpy(people.focal), torch.from_numpy(people.centre)
    points = np.concatenate([people.key_points_3d, people.translation[:, None], people.markers], axis=1)
    places = torch.from_numpy(points)
    confidence = torch.ones(count, points.shape[1], 1)
    confidence[:, people.key_points_3d.shape[1] + 1 :] = markers
    pixels = focal[:, None, None] * places[..., :2] / places[..., 2:] + centre[:, None]
    turned = bones.joints(torch.from_numpy(people.rotations))
    return Truth(
        images=torch.from_numpy(np.ascontiguousarray(people.image.transpose(0, 3, 1, 2))),
        points_2d=torch.cat([pixels, confidence], dim=-1),
        points_3d=torch.cat([places, confidence], dim=-1),
        rotations=relative_rotations(turned, PARENTS),
        rotations_known=torch.ones(count),
        shape=free_shape(torch.from_numpy(people.phenotypes)),
        shape_known=torch.ones(count),
        focal=focal,
        centre=centre,
    )
