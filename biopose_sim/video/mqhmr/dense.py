"""An aid in training: each cell of the encoder's map says which points lie there, and how deep.

Without weights of ViTPose or HMR2.0 a transformer learns too slowly from what the decoder asks of it: the mean pose is
a long rest. ViTPose's encoder was trained on heat maps of key points before HMR2.0 took it; here both go on side by
side, or one before the other, and what stands in this file is gone once the network is trained.

Cells vote for points by a softmax over the image (cross-entropy with a Gaussian about the true place); the expectation
of their places, and of the depths that they give, are held to the truth as in integral regression (Sun et al. 2018,
ECCV, "Integral human pose regression").
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .encoder import IMAGE_SIZE, TOKEN_GRID
from .truth import Truth
from .weak_camera import SIDE

_CELL = IMAGE_SIZE[0] / TOKEN_GRID[0]
# Of the heat map [pixel]: three quarters of a cell.
_SPREAD = 12.0
# Errors that count as much as one unit of cross-entropy: a cell, and a hand's breadth in depth [m].
_DEPTH_UNIT = 0.1


class DensePoints(nn.Module):
    """Where points are in the image and how far before or behind the pelvis.

    Args:
        channels: of the encoder's map.
        points: number K.
    """

    places: Tensor

    def __init__(self, channels: int, points: int) -> None:
        super().__init__()
        self.points = points
        self.says = nn.Linear(channels, 2 * points)
        nn.init.zeros_(self.says.weight)
        nn.init.zeros_(self.says.bias)
        rows, columns = TOKEN_GRID
        margin = 0.5 * (SIDE - IMAGE_SIZE[1])
        down, across = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        places = torch.stack([margin + _CELL * (across + 0.5), _CELL * (down + 0.5)], dim=-1)
        self.register_buffer("places", places.reshape(-1, 2), persistent=False)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what a map (B, C, 16, 12) says.

        Returns:
            Votes of the cells as logarithms (B, K, 192), places (B, K, 2) [pixel of the square crop], depths from the
            pelvis (B, K) [m].
        """
        votes, depths = self.says(features.flatten(2).transpose(1, 2)).float().split(self.points, dim=2)
        votes = votes.log_softmax(dim=1)
        shares = votes.exp()
        return votes.transpose(1, 2), torch.einsum("bnk,nc->bkc", shares, self.places), (shares * depths).sum(dim=1)

    def loss(self, features: Tensor, truth: Truth, pelvis: int) -> Tensor:
        """Return the mean over points inside of what the encoder sees, by confidence, of the three parts' sum.

        Args:
            features: (B, C, 16, 12) of the encoder.
            truth: of the same images.
            pelvis: number of the point from which depths are counted.
        """
        votes, places, depths = self(features)
        seen = self._inside(truth.points_2d)
        true = torch.where(seen[..., None] > 0, truth.points_2d[..., :2], torch.zeros_like(places))
        away = (true[:, :, None] - self.places).square().sum(dim=-1)
        heat = (-away / (2.0 * _SPREAD**2)).softmax(dim=-1)
        flat = -(heat * votes).sum(dim=-1) + (places - true).abs().mean(dim=-1) / _CELL
        known = seen * truth.points_3d[..., 3] * (truth.points_3d[:, pelvis : pelvis + 1, 3] > 0)
        behind = truth.points_3d[..., 2] - truth.points_3d[:, pelvis : pelvis + 1, 2]
        deep = torch.where(known > 0, depths - behind, torch.zeros_like(depths)).abs() / _DEPTH_UNIT
        return _mean(flat, seen) + _mean(deep, known)

    def _inside(self, points: Tensor) -> Tensor:
        """(B, K) confidence of points (B, K, 3), 0 of those outside of the columns that the encoder sees."""
        across, down, confidence = points.unbind(dim=-1)
        margin = 0.5 * (SIDE - IMAGE_SIZE[1])
        inside = (across > margin) & (across < SIDE - margin) & (down > 0) & (down < IMAGE_SIZE[0])
        return torch.where(inside, confidence, torch.zeros_like(confidence))


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    return (weights * values).sum() / weights.sum().clamp(min=1e-6)
