"""The head of MQ-HMR: from pose tokens to joint rotations, shape and camera, all as changes of a mean."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .body import HeadBody
from .rotations import matrix_from_six, six_from_matrix

MEAN_CAMERA = (0.9, 0.0, 0.0)
"""(s, tx, ty) to start from: HMR2.0's; a box 1.2 times as high as a person of 1.8 m."""


@dataclass(frozen=True, eq=False)
class HeadOutput:
    """What the head says of B crops.

    Attributes:
        rotations: (B, 24, 3, 3) relative to the parents, the root's as seen along the middle of the crop.
        shape: (B, S), see `HeadBody`.
        camera: (B, 3) s, tx, ty; see `weak_camera`.
    """

    rotations: Tensor
    shape: Tensor
    camera: Tensor


class HmrHead(nn.Module):
    """N tokens are mixed to a token per joint, which one layer for all joints turns to six numbers.

    A mix alone would give all joints multiples of one answer where there is one token: so each joint has an embedding
    of its own and a feed-forward part sees both. Shape and camera come from the mean of the tokens. The last layers
    start at zero, so that an untrained head says the mean.

    Args:
        tokens: N.
        width: D.
        hidden: inner width of the feed-forward part; 0 leaves it and the embeddings out.
        body: whose joints, shape and mean pose it predicts.
    """

    mean_six: Tensor
    mean_shape: Tensor
    mean_camera: Tensor

    def __init__(self, tokens: int, width: int, hidden: int, body: HeadBody) -> None:
        super().__init__()
        joints = len(body.joint_names)
        self.mix = nn.Linear(tokens, joints)
        self.joints = nn.Parameter(0.02 * torch.randn(joints, width)) if hidden else None
        self.between = (
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
            if hidden
            else None
        )
        self.pose = nn.Linear(width, 6)
        self.shape = nn.Linear(width, body.n_shape)
        self.camera = nn.Linear(width, 3)
        for last in (self.pose, self.shape, self.camera):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
        device = self.pose.weight.device
        self.register_buffer("mean_six", six_from_matrix(body.mean_rotations).to(device))
        self.register_buffer("mean_shape", body.mean_shape.clone().to(device))
        self.register_buffer("mean_camera", torch.tensor(MEAN_CAMERA, device=device))

    def forward(self, tokens: Tensor) -> HeadOutput:
        """Return what tokens (B, N, D) say; always in single precision or better."""
        with torch.autocast(tokens.device.type, enabled=False):
            tokens = tokens if tokens.dtype == torch.float64 else tokens.float()
            joints = self.mix(tokens.transpose(1, 2)).transpose(1, 2)
            if self.between is not None and self.joints is not None:
                joints = joints + self.joints
                joints = joints + self.between(joints)
            rotations = matrix_from_six(self.mean_six + self.pose(joints))
            mean = tokens.mean(dim=1)
            scale, shift = self.camera(mean).split((1, 2), dim=1)
            # A scale is a factor: so it cannot become negative.
            camera = torch.cat([self.mean_camera[:1] * torch.exp(scale), self.mean_camera[1:] + shift], dim=1)
            return HeadOutput(rotations, self.mean_shape + self.shape(mean), camera)
