"""The multi-query deformable decoder of MQ-HMR: pose tokens gather what they need from maps of several scales."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from biopose_sim.errors import InputError
from biopose_sim.video.mqhmr.attention import Cells, DeformableAttention


@dataclass(frozen=True)
class DecoderConfig:
    """Sizes of a decoder; the defaults are BioPose's 96 queries and 4 layers on four scales.

    Attributes:
        tokens: N, queries.
        layers: of the decoder.
        levels: number of maps looked at (scales of the pyramid).
        width: D, of tokens and maps.
        heads: of both attentions.
        points: places per head and level.
        feed_forward: inner width of the feed-forward part.
    """

    tokens: int = 96
    layers: int = 4
    levels: int = 4
    width: int = 256
    heads: int = 8
    points: int = 4
    feed_forward: int = 1024

    def __post_init__(self) -> None:
        """Refuse what is no decoder.

        Raises:
            InputError: a size below one, a width that its heads do not divide.
        """
        for name, value in vars(self).items():
            if value < 1:
                raise InputError(f"decoder.{name}", f"is {value}", "one at least is needed")
        if self.width % self.heads:
            raise InputError("decoder.width", f"{self.width} is no multiple of heads = {self.heads}")


class DecoderLayer(nn.Module):
    """Self-attention of the tokens, deformable attention to the maps, feed-forward; each x + f(norm(x))."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        width = config.width
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.among = nn.MultiheadAttention(width, config.heads, batch_first=True)
        self.across = DeformableAttention(width, config.heads, config.levels, config.points)
        self.forwards = nn.Sequential(
            nn.Linear(width, config.feed_forward), nn.GELU(), nn.Linear(config.feed_forward, width)
        )

    def forward(self, tokens: Tensor, references: Tensor, cells: Cells) -> Tensor:
        """Return tokens (B, N, D) after this layer, for their places (B, N, 2) and the cells of the maps."""
        normed = self.norms[0](tokens)
        tokens = tokens + self.among(normed, normed, normed, need_weights=False)[0]
        tokens = tokens + self.across(self.norms[1](tokens), references, cells)
        found: Tensor = tokens + self.forwards(self.norms[2](tokens))
        return found


class MultiQueryDecoder(nn.Module):
    """Zero pose tokens -> Linear(1, D) + learned positions -> layers -> output tokens.

    Where a token looks from, its reference, comes from its learned position alone and stays through the layers.
    """

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Linear(1, config.width)
        # Unit size: with the projection below, the references then start spread over the middle of the image.
        self.positions = nn.Parameter(torch.randn(config.tokens, config.width))
        self.places = nn.Linear(config.width, 2)
        nn.init.xavier_uniform_(self.places.weight)
        nn.init.zeros_(self.places.bias)
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)

    def queries(self, batch: int) -> Tensor:
        """Return the tokens (B, N, D) that the first layer takes: embedded zeros and positions."""
        zeros = self.positions.new_zeros(batch, self.config.tokens, 1)
        found: Tensor = self.embedding(zeros) + self.positions
        return found

    def references(self) -> Tensor:
        """Return where each token looks from: (N, 2) fractions (x, y) of the image, in (0, 1)."""
        # Never in half precision: a step of bfloat16 near 1 is most of a cell of the finest map.
        with torch.autocast(self.positions.device.type, enabled=False):
            return torch.sigmoid(self.places(self.positions))

    def cells(self, maps: Sequence[Tensor]) -> Cells:
        """Return what the layers read of ``levels`` maps (B, D, H, W) of the same images; sizes may be any.

        Raises:
            InputError: another number or width of maps.
        """
        levels, width = self.config.levels, self.config.width
        shapes = [tuple(one.shape) for one in maps]
        if len(shapes) != levels or any(len(s) != 4 or s[1] != width or s[0] != shapes[0][0] for s in shapes):
            raise InputError("decoder", f"maps of shapes {shapes}", f"give {levels} maps (B, {width}, H, W)")
        return Cells.of([one.to(self.positions.dtype) for one in maps])

    def forward(self, maps: Sequence[Tensor] | Cells, queries: Tensor | None = None) -> Tensor:
        """Return output tokens (B, N, D).

        Args:
            maps: as `cells` takes them, or what it gave, which many passes over the same images may share.
            queries: (B, N, D) instead of `queries`, as when these are refined.

        Raises:
            InputError: another number or width of maps, another shape of queries.
        """
        cells = maps if isinstance(maps, Cells) else self.cells(maps)
        batch = len(cells.rows)
        wanted = (batch, self.config.tokens, self.config.width)
        if queries is not None and tuple(queries.shape) != wanted:
            raise InputError("decoder", f"queries of shape {tuple(queries.shape)}", f"give {wanted}")
        tokens = self.queries(batch) if queries is None else queries
        references = self.references().expand(batch, -1, -1)
        for layer in self.layers:
            tokens = layer(tokens, references, cells)
        found: Tensor = self.norm(tokens)
        return found
