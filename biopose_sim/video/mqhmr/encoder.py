"""The image encoder of MQ-HMR: the plain vision transformer of ViTPose and HMR2.0, with their names of parameters.

Written after the layout of ViTPose (Xu et al., 2022, arXiv:2204.12484) as HMR2.0 uses it (4D-Humans,
``hmr2/models/backbones/vit.py``): patches of 16 pixels by a convolution with padding 2, a position table whose first
row (the place of a class token that is not there) is added to every token, pre-norm blocks, and a norm at the end
(epsilon 1e-6 everywhere).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional

IMAGE_SIZE = (256, 192)
"""Rows and columns of what the encoder sees [pixel]."""
TOKEN_GRID = (16, 12)
"""Rows and columns of the map that comes out."""
IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)
"""Of red, green and blue in 0..1 (ImageNet's), by which ViTPose and HMR2.0 normalise."""
_PATCH, _PADDING, _MARGIN = 16, 2, 32
_EPSILON = 1e-6
_MLP_RATIO = 4
STEMS = ("patches", "convolutions")
# Channels after each halving of the image, as parts of the width.
_NARROWER = (12, 4, 2, 1)


@dataclass(frozen=True)
class EncoderConfig:
    """Size of an encoder.

    Attributes:
        name: of the preset.
        width: channels C of a token.
        depth: number of blocks.
        heads: of the attention; divides the width. Cannot be seen in the shapes of the parameters.
        stem: of `STEMS`. ``"patches"`` is that of all published weights. ``"convolutions"`` (Xiao et al. 2021,
            "Early convolutions help transformers see better") is for training from nothing: on our synthetic people
            the smallest encoder needed a third of the images to find points as well.
    """

    name: str
    width: int
    depth: int
    heads: int
    stem: str = "patches"

    def __post_init__(self) -> None:
        if self.stem not in STEMS:
            raise ValueError(f"encoder with stem '{self.stem}', not {' or '.join(STEMS)}")
        if min(self.width, self.depth, self.heads) < 1 or self.width % self.heads:
            raise ValueError(f"encoder of width {self.width}, depth {self.depth} and {self.heads} heads")


PRESETS: Mapping[str, EncoderConfig] = MappingProxyType(
    {
        config.name: config
        for config in (
            EncoderConfig("H", 1280, 32, 16),
            EncoderConfig("B", 768, 12, 12),
            EncoderConfig("S", 384, 12, 6),
            EncoderConfig("XS", 256, 12, 4),
            EncoderConfig("CI", 96, 4, 3),
        )
    }
)
"""H is that of HMR2.0, TokenHMR and the paper; CI is for tests. ViTPose's small one has 12 heads where S has 6."""


class PatchEmbedding(nn.Module):
    """Image (B, 3, 256, 192) to tokens (B, 192, C), row by row."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, kernel_size=_PATCH, stride=_PATCH, padding=_PADDING)

    def forward(self, images: Tensor) -> Tensor:
        """Cut and project."""
        return self.proj(images).flatten(2).transpose(1, 2)


class ConvolutionalStem(nn.Module):
    """Image (B, 3, 256, 192) to tokens (B, 192, C), row by row, by four convolutions that halve it each."""

    def __init__(self, width: int) -> None:
        super().__init__()
        channels = [3, *(max(1, width // part) for part in _NARROWER)]
        halvings = [
            nn.Sequential(
                nn.Conv2d(before, after, kernel_size=3, stride=2, padding=1, bias=False),
                nn.GroupNorm(1, after),
                nn.ReLU(),
            )
            for before, after in pairwise(channels)
        ]
        self.halvings = nn.Sequential(*halvings)
        self.proj = nn.Conv2d(width, width, kernel_size=1)

    def forward(self, images: Tensor) -> Tensor:
        """Halve four times and project."""
        # Channels last: half the time of the processor on large maps of few channels.
        maps = self.halvings(images.contiguous(memory_format=torch.channels_last))
        return self.proj(maps).flatten(2).transpose(1, 2)


class Attention(nn.Module):
    """Self-attention of tokens (B, N, C) among themselves."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Mix (B, N, C) over N."""
        batch, count, width = tokens.shape
        qkv = self.qkv(tokens).view(batch, count, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return self.proj(mixed.transpose(1, 2).reshape(batch, count, width))


class Mlp(nn.Module):
    """Two layers per token, exact GELU between them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, _MLP_RATIO * width)
        self.fc2 = nn.Linear(_MLP_RATIO * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Change (B, N, C) token by token."""
        return self.fc2(functional.gelu(self.fc1(tokens)))


class Block(nn.Module):
    """Attention and layers per token, each after a norm and added to what came in."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=_EPSILON)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=_EPSILON)
        self.mlp = Mlp(width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, C) to (B, N, C)."""
        tokens = tokens + self.attn(self.norm1(tokens))
        return tokens + self.mlp(self.norm2(tokens))


class VisionTransformer(nn.Module):
    """The encoder; the names of its parameters are those of HMR2.0 without ``backbone.``.

    Args:
        config: its size; one of `PRESETS`, or any other.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        rows, columns = TOKEN_GRID
        self.patch_embed = (PatchEmbedding if config.stem == "patches" else ConvolutionalStem)(config.width)
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + rows * columns, config.width))
        self.blocks = nn.ModuleList(Block(config.width, config.heads) for _ in range(config.depth))
        self.last_norm = nn.LayerNorm(config.width, eps=_EPSILON)
        self._start()

    def _start(self) -> None:
        """Small random weights, as ViTPose starts from without a checkpoint."""
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Features of images.

        Args:
            images: RGB less `IMAGE_MEAN` by `IMAGE_STD`, shape (B, 3, 256, 192).

        Returns:
            Shape (B, C, 16, 12): channel, row, column.

        Raises:
            ValueError: images of another shape.
        """
        if images.ndim != 4 or images.shape[1:] != (3, *IMAGE_SIZE):
            raise ValueError(f"images of shape {tuple(images.shape)}, not (B, 3, {IMAGE_SIZE[0]}, {IMAGE_SIZE[1]})")
        tokens = self.patch_embed(images) + self.pos_embed[:, 1:] + self.pos_embed[:, :1]
        for block in self.blocks:
            tokens = block(tokens)
        return self.last_norm(tokens).transpose(1, 2).unflatten(2, TOKEN_GRID).contiguous()


def make_encoder(config: EncoderConfig, device: torch.device | str | None = None) -> VisionTransformer:
    """Build an encoder with random weights on a device; on ``"meta"`` it takes no memory and has no weights."""
    with torch.device(device if device is not None else "cpu"):
        return VisionTransformer(config)


def middle_columns(crops: Tensor) -> Tensor:
    """Cut square crops (..., 256, 256) to what the encoder sees (..., 256, 192), as HMR2.0 does."""
    return crops[..., _MARGIN:-_MARGIN]
