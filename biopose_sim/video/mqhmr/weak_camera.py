"""The weak-perspective camera of mesh networks, and where the person stands before a real one.

A network says of a crop: scale s, and tx, ty [m], so that a point (x, y) of the body, whose pelvis is the origin, lies
near the pixel 128 + 128 s (x + tx, y + ty) of its 256. With a focal length f of the crop that puts the pelvis at the
depth 2 f / (256 s). HMR2.0 takes f = 5000 and the middle of the crop for the axis, so that the translation is
(tx, ty, 2 f / (256 s)). With real intrinsics the pelvis lies on the ray through the same pixel instead, and what the
network takes for the direction of its look is the ray through the middle of the crop: rotations are turned with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...io.camera import Camera

SIDE = 256
"""Rows and columns of a crop [pixel]."""
FOCAL = 5000.0
"""Of a crop, where nothing is known of the camera [pixel]."""
_LEAST_SCALE = 1e-3


@dataclass(frozen=True, eq=False)
class CropCamera:
    """An ideal camera that sees B crops of 256 x 256 pixels; its axes are those of the camera of the full picture.

    Attributes:
        focal: (B,) [pixel of the crop].
        centre: (B, 2) where the camera's axis meets the plane of the crop, often outside of it [pixel of the crop].
    """

    focal: Tensor
    centre: Tensor

    @classmethod
    def unknown(cls, like: Tensor) -> CropCamera:
        """HMR2.0's: focal length 5000, the axis through the middle; as many as ``like`` has rows."""
        focal = torch.full((len(like),), FOCAL, device=like.device)
        return cls(focal, torch.full((len(like), 2), 0.5 * SIDE, device=like.device))

    @classmethod
    def of(cls, camera: Camera, boxes: Tensor) -> CropCamera:
        """What a camera sees of square boxes of its picture.

        Args:
            camera: ideal, or nearly; its two focal lengths are averaged.
            boxes: (B, 3) middle across and down and side [pixel of the picture].
        """
        zoom = SIDE / boxes[:, 2]
        middle = boxes.new_tensor(camera.centre)
        return cls(float(np.mean(camera.focal)) * zoom, (middle - boxes[:, :2]) * zoom[:, None] + 0.5 * SIDE)

    def to(self, device: torch.device | str) -> CropCamera:
        """The same on a device."""
        return CropCamera(self.focal.to(device), self.centre.to(device))

    def project(self, points: Tensor) -> Tensor:
        """Return points (B, K, 3) in the camera's axes [m] as pixels (B, K, 2) of the crop."""
        flat = points[..., :2] / points[..., 2:].clamp_min(_LEAST_SCALE)
        return self.focal[:, None, None] * flat + self.centre[:, None]

    def translation(self, weak: Tensor) -> Tensor:
        """Return where the pelvis is, (B, 3) in the camera's axes [m], for (s, tx, ty), (B, 3)."""
        scale = weak[:, 0].clamp_min(_LEAST_SCALE)
        depth = 2.0 * self.focal / (SIDE * scale)
        pixel = 0.5 * SIDE + 0.5 * SIDE * scale[:, None] * weak[:, 1:]
        across = (pixel - self.centre) * (depth / self.focal)[:, None]
        return torch.cat([across, depth[:, None]], dim=1)

    def weak(self, translation: Tensor) -> Tensor:
        """Return (s, tx, ty), (B, 3), of a pelvis at (B, 3) [m]; the inverse of `translation`."""
        scale = 2.0 * self.focal / (SIDE * translation[:, 2])
        pixel = self.project(translation[:, None])[:, 0]
        return torch.cat([scale[:, None], (pixel - 0.5 * SIDE) / (0.5 * SIDE * scale[:, None])], dim=1)

    def turns(self) -> Tensor:
        """Return the smallest turns (B, 3, 3) from the camera's axis to the rays through the middles of the crops."""
        across = (0.5 * SIDE - self.centre) / self.focal[:, None]
        ray = torch.nn.functional.normalize(torch.cat([across, torch.ones_like(across[:, :1])], dim=1), dim=1)
        x, y, z = ray.unbind(1)
        # Rodrigues about the axis (-y, x, 0), which is as long as the sine.
        k = 1.0 / (1.0 + z)
        rows = [1.0 - k * x * x, -k * x * y, x, -k * x * y, 1.0 - k * y * y, y, -x, -y, z]
        return torch.stack(rows, dim=1).unflatten(1, (3, 3))

    def turned(self, rotations: Tensor) -> Tensor:
        """Return rotations (B, J, 3, 3), the root's as seen along the ray, with the root's in the camera's axes."""
        # Never in half precision, in which no matrix is a rotation.
        with torch.autocast(rotations.device.type, enabled=False):
            return torch.cat([(self.turns().to(rotations) @ rotations[:, 0])[:, None], rotations[:, 1:]], dim=1)
