"""Multi-scale deformable attention in plain torch: each query looks at a few points of each feature map.

Zhu et al., Deformable DETR, ICLR 2021, eq. 3. A place is a fraction (x, y) of a map: 0 is the outer edge of its first
cell and 1 the outer edge of its last one, so that the centre of cell i of n lies at (i + 0.5) / n
(``align_corners=False``) and one place is the same spot on the maps of all scales. Beyond a map's edge all is zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from biopose_sim.errors import InputError


@dataclass(frozen=True)
class Cells:
    """The cells of the maps of all levels, one row each: what a query gathers then lies together in memory.

    Attributes:
        rows: (B, sum of H W, D), the maps one after the other, each row by row.
        sizes: (H, W) of each map.
    """

    rows: Tensor
    sizes: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, maps: Sequence[Tensor]) -> Cells:
        """The cells of maps (B, D, H, W), to be made once for all layers."""
        rows = torch.cat([one.flatten(2).transpose(1, 2) for one in maps], dim=1)
        return cls(rows, tuple((one.shape[2], one.shape[3]) for one in maps))


def gathered(cells: Cells, places: Tensor, weights: Tensor) -> Tensor:
    """Return weighted sums of what is seen at places of maps, between cells by bilinear interpolation.

    What `torch.nn.functional.grid_sample` does with zero padding, as one weighted sum of rows per query and head: on a
    CPU the sums over four maps up to 256 x 192 take a seventh of its time and their gradients a quarter.

    Args:
        cells: of L maps.
        places: (B, N, heads, L, P, 2) fractions (x, y) of each map, see above; they may lie outside.
        weights: (B, N, heads, L, P).

    Returns:
        (B, N, heads, D).
    """
    batch, count, heads = places.shape[:3]
    # Half precision cannot count the cells of a large map.
    places = places.to(torch.promote_types(places.dtype, torch.float32))
    height, width = places.new_tensor(cells.sizes).T[:, :, None]
    columns, column_weights = _neighbours(places[..., 0] * width - 0.5, width[..., None])
    rows, row_weights = _neighbours(places[..., 1] * height - 0.5, height[..., None])
    # First cell of each map among those of an image, of each image among all.
    ends = torch.tensor([h * w for h, w in cells.sizes], device=places.device).cumsum(0)
    first = (ends - ends.diff(prepend=ends.new_zeros(1)))[:, None, None, None]
    images = torch.arange(batch, device=places.device)[(...,) + (None,) * 6] * cells.rows.shape[1]
    which = rows[..., :, None] * width[..., None, None].long() + columns[..., None, :] + first + images
    shares = row_weights[..., :, None] * column_weights[..., None, :] * weights[..., None, None]
    found = nn.functional.embedding_bag(
        which.reshape(batch * count * heads, -1),
        cells.rows.flatten(0, 1),
        per_sample_weights=shares.reshape(batch * count * heads, -1).to(cells.rows.dtype),
        mode="sum",
    )
    return found.reshape(batch, count, heads, -1)


def _neighbours(position: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
    """The two cells (..., 2) about positions counted in cells, and their weights; zero for those beyond the map."""
    before = position.detach().floor()
    share = position - before
    both = torch.stack([before, before + 1], -1)
    weights = torch.stack([1 - share, share], -1) * ((both >= 0) & (both < size))
    # No number stays none through its weight; its cell must be one that exists.
    return both.nan_to_num(0.0).clamp(min=torch.zeros_like(size), max=size - 1).long(), weights


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

    def forward(self, queries: Tensor, references: Tensor, cells: Cells) -> Tensor:
        """Return (B, N, D) for queries (B, N, D), their places (B, N, 2) and the cells of ``levels`` maps.

        Offsets are counted in cells of the map they are for.

        Raises:
            InputError: another number of maps than levels.
        """
        if len(cells.sizes) != self.levels:
            raise InputError("deformable attention", f"{len(cells.sizes)} maps", f"give {self.levels}, one per level")
        batch, count, _ = queries.shape
        shape = (batch, count, self.heads, self.levels, self.points)
        # Places keep the precision of the references: in bfloat16 a place on a large map is a cell off.
        sizes = references.new_tensor([(width, height) for height, width in cells.sizes])
        offsets = self.offsets(queries).reshape(*shape, 2).to(references.dtype)
        places = references[:, :, None, None, None] + offsets / sizes[:, None]
        weights = self.weights(queries).reshape(batch, count, self.heads, -1).softmax(-1).reshape(shape)
        seen = gathered(cells, places, weights)
        found: Tensor = self.output(torch.einsum("bnhd,hde->bnhe", seen, self.values).reshape(batch, count, -1))
        return found
