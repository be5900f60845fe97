"""Multi-scale deformable attention in plain torch: each query looks at a few points of each feature map.

Zhu et al., Deformable DETR, ICLR 2021, eq. 3. A place is a fraction (x, y) of a map: 0 is the outer edge of its first
cell and 1 the outer edge of its last one, so that the centre of cell i of n lies at (i + 0.5) / n
(``align_corners=False``) and one place is the same spot on the maps of all scales. Beyond a map's edge all is zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from biopose_sim.errors import InputError


def gathered(maps: Sequence[Tensor], places: Tensor, weights: Tensor) -> Tensor:
    """Return weighted sums of what is seen at places of maps, between cells by bilinear interpolation.

    Args:
        maps: a (B, D, H, W) for each of L levels; sizes differ, W goes with x.
        places: (B, N, heads, L, P, 2) fractions (x, y) of each map, see above; they may lie outside.
        weights: (B, N, heads, L, P).

    Returns:
        (B, N, heads, D).
    """
    batch, queries, heads, _, points, _ = places.shape
    total: Tensor | None = None
    for level, values in enumerate(maps):
        grid = (2.0 * places[:, :, :, level] - 1.0).reshape(batch, queries * heads, points, 2)
        seen = nn.functional.grid_sample(values, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        part = torch.einsum("bdqp,bqp->bqd", seen, weights[:, :, :, level].reshape(batch, -1, points).to(seen.dtype))
        total = part if total is None else total + part
    if total is None:
        raise InputError("deformable attention", "no map to look at", "give one map per level")
    return total.reshape(batch, queries, heads, -1)


class DeformableAttention(nn.Module):
    """Queries look at ``points`` places per level and head, around a place of their own.

    The heads' value matrices are applied to what was gathered, not to whole maps: they are linear and without a bias,
    so the result is the same, but a map of 256 x 192 cells is neither multiplied nor stored once per layer.

    Args:
        width: D, of queries and maps.
        heads: attention heads; they divide D.
        levels: number of maps.
        points: places per head and level.

    Raises:
        InputError: a size below one, or heads that do not divide the width.
    """

    def __init__(self, width: int = 256, heads: int = 8, levels: int = 4, points: int = 4) -> None:
        super().__init__()
        if min(width, heads, levels, points) < 1 or width % heads:
            raise InputError(
                "deformable attention",
                f"width {width}, heads {heads}, levels {levels}, points {points}",
                "all are 1 or more, and width is a multiple of heads",
            )
        self.heads, self.levels, self.points = heads, levels, points
        self.offsets = nn.Linear(width, heads * levels * points * 2)
        self.weights = nn.Linear(width, heads * levels * points)
        self.values = nn.Parameter(torch.empty(heads, width, width // heads))
        self.output = nn.Linear(width, width)
        self._start()

    def _start(self) -> None:
        """Head k looks in direction 2 pi k / heads, its points 1, 2, ... cells away, all with the same weight."""
        turn = torch.arange(self.heads) * (2.0 * math.pi / self.heads)
        directions = torch.stack([turn.cos(), turn.sin()], -1)
        # The longer side is a whole cell, so that eight heads look at the eight neighbours.
        directions = directions / directions.abs().amax(-1, keepdim=True)
        far = torch.arange(1, self.points + 1)
        steps = directions[:, None, None] * far[:, None]
        with torch.no_grad():
            self.offsets.weight.zero_()
            self.offsets.bias.copy_(steps.expand(-1, self.levels, -1, -1).reshape(-1))
            self.weights.weight.zero_()
            self.weights.bias.zero_()
            bound = math.sqrt(6.0 / (2 * self.values.shape[1]))  # Xavier, of the D x D matrix of all heads
            self.values.uniform_(-bound, bound)
            nn.init.xavier_uniform_(self.output.weight)
            self.output.bias.zero_()

    def forward(self, queries: Tensor, references: Tensor, maps: Sequence[Tensor]) -> Tensor:
        """Return (B, N, D) for queries (B, N, D), their places (B, N, 2) and ``levels`` maps (B, D, H, W).

        Offsets are counted in cells of the map they are for.

        Raises:
            InputError: another number of maps than levels.
        """
        if len(maps) != self.levels:
            raise InputError("deformable attention", f"{len(maps)} maps", f"give {self.levels}, one per level")
        batch, count, _ = queries.shape
        shape = (batch, count, self.heads, self.levels, self.points)
        # Places keep the precision of the references: in bfloat16 a place on a large map is a cell off.
        sizes = references.new_tensor([[m.shape[-1], m.shape[-2]] for m in maps])
        offsets = self.offsets(queries).reshape(*shape, 2).to(references.dtype)
        places = references[:, :, None, None, None] + offsets / sizes[:, None]
        weights = self.weights(queries).reshape(batch, count, self.heads, -1).softmax(-1).reshape(shape)
        seen = gathered(maps, places, weights)
        found: Tensor = self.output(torch.einsum("bnhd,hde->bnhe", seen, self.values).reshape(batch, count, -1))
        return found
