"""Feature maps of several scales from the one map of a vision transformer."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn

from biopose_sim.errors import InputError

SCALES = (1, 2, 4, 8, 16)


@dataclass(frozen=True)
class PyramidConfig:
    """Sizes of a pyramid.

    Attributes:
        channels: C, of the encoder's map (1280 for ViT-H).
        width: D, of the maps given out.
        scales: which of 1, 2, 4, 8, 16 times the size of the encoder's map, in rising order. BioPose names 4, 8 and 16
            in its text and 1 to 16 in its Table 5.
    """

    channels: int = 1280
    width: int = 256
    scales: tuple[int, ...] = (1, 4, 8, 16)

    def __post_init__(self) -> None:
        """Refuse what is no pyramid.

        Raises:
            InputError: no scale, an unknown one, one twice or out of order; sizes below one; channels that cannot be
                halved often enough.
        """
        if not self.scales or list(self.scales) != sorted(set(self.scales) & set(SCALES)):
            valid = ", ".join(map(str, SCALES))
            raise InputError("pyramid.scales", f"is {self.scales}", f"give one or more of {valid}, in rising order")
        if self.width < 1 or self.channels < 1:
            raise InputError("pyramid", f"width {self.width}, channels {self.channels}", "both are 1 or more")
        if self.channels % self.scales[-1]:
            raise InputError(
                "pyramid.channels",
                f"{self.channels} cannot be halved for each doubling up to {self.scales[-1]}x",
                f"give a multiple of {self.scales[-1]}",
            )


class FeaturePyramid(nn.Module):
    """Deconvolutions (kernel 4, stride 2) that double the size and halve the channels, then a 1x1 projection per scale.

    Halving keeps every doubling at the same cost (5 GFLOP for C = 1280 on 16 x 12 cells); with a constant width each
    would cost four times as much as the one before. As in ViTDet (Li et al., ECCV 2022) each deconvolution is followed
    by a normalisation and GELU; the former over all channels and cells of an image, so that none depends on its batch.
    """

    def __init__(self, config: PyramidConfig) -> None:
        super().__init__()
        self.config = config
        doublings = config.scales[-1].bit_length() - 1
        channels = [config.channels >> k for k in range(doublings + 1)]
        self.doublings = nn.ModuleList(
            nn.Sequential(
                nn.ConvTranspose2d(before, after, kernel_size=4, stride=2, padding=1), nn.GroupNorm(1, after), nn.GELU()
            )
            for before, after in pairwise(channels)
        )
        self.projections = nn.ModuleDict(
            {str(scale): nn.Conv2d(config.channels // scale, config.width, 1) for scale in config.scales}
        )

    def forward(self, features: Tensor) -> list[Tensor]:
        """Return a map (B, width, s H, s W) for each scale s, for the encoder's map (B, channels, H, W).

        Raises:
            InputError: a map of another shape.
        """
        if features.ndim != 4 or features.shape[1] != self.config.channels:
            shape = tuple(features.shape)
            raise InputError("feature pyramid", f"map of shape {shape}", f"give (B, {self.config.channels}, H, W)")
        maps: list[Tensor] = []
        for k in range(len(self.doublings) + 1):
            if k:
                features = self.doublings[k - 1](features)
            if 1 << k in self.config.scales:
                maps.append(self.projections[str(1 << k)](features))
        return maps
