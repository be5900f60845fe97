"""MQ-HMR: an image of a person to a body model's pose, shape and camera by many queries (Koleini et al., BioPose).

Vision transformer -> feature pyramid -> multi-query deformable decoder -> head -> body. Every row of the ablations of
the paper and of its appendix is a `MqHmrConfig`: any number of queries, layers, scales and points.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import InputError, near_matches
from ..refine.paper import PaperConfig, PaperRefined, Pinhole, refine_paper
from .attention import Cells
from .body import BodyOutput, HeadBody, head_body
from .checkpoints import EncoderReport, load_encoder
from .crops import normalised
from .decoder import DecoderConfig, MultiQueryDecoder
from .encoder import IMAGE_SIZE, PRESETS, EncoderConfig, VisionTransformer, middle_columns
from .head import HmrHead
from .pyramid import FeaturePyramid, PyramidConfig
from .weak_camera import CropCamera

_REFINEMENT = PaperConfig()


@dataclass(frozen=True)
class MqHmrConfig:
    """Sizes of a network; the defaults are the paper's where it gives them.

    Attributes:
        encoder: one of `encoder.PRESETS`, or any other.
        scales: of the feature pyramid: 1, 2, 4, 8, 16 times the encoder's map.
        tokens: queries.
        layers: of the decoder.
        width: D, of tokens and maps.
        heads: of the decoder's attentions.
        points: places per head and scale that a query looks at.
        feed_forward: inner width of the decoder's feed-forward parts.
        hidden: inner width of the feed-forward part of the head; 0 for none.
        body: ``"anny"`` or ``"smpl"``.
    """

    encoder: EncoderConfig = field(default_factory=lambda: PRESETS["H"])
    scales: tuple[int, ...] = (1, 4, 8, 16)
    tokens: int = 96
    layers: int = 4
    width: int = 256
    heads: int = 8
    points: int = 4
    feed_forward: int = 1024
    hidden: int = 512
    body: str = "anny"

    @classmethod
    def preset(cls, encoder: str, **others: Any) -> MqHmrConfig:
        """Return the configuration with an encoder by name; ``CI`` comes with a decoder as small.

        Args:
            encoder: one of `encoder.PRESETS`.
            others: what differs, and of the encoder its ``stem`` or another number of ``encoder_heads`` (ViTPose's
                small one has 12).

        Raises:
            InputError: an encoder or stem that is not known.
        """
        if encoder not in PRESETS:
            problem = f"unknown encoder '{encoder}'{near_matches(encoder, PRESETS)}"
            raise InputError("MQ-HMR", problem, f"there are {', '.join(PRESETS)}")
        small = {"scales": (1, 4), "tokens": 24, "layers": 2, "width": 64, "feed_forward": 128, "hidden": 128}
        try:
            preset = PRESETS[encoder]
            heads = others.pop("encoder_heads", preset.heads)
            chosen = replace(preset, stem=others.pop("stem", preset.stem), heads=heads)
        except ValueError as error:
            raise InputError("MQ-HMR", str(error)) from error
        return cls(**{"encoder": chosen, **(small if encoder == "CI" else {}), **others})

    @classmethod
    def from_record(cls, record: Mapping[str, Any], source: str | Path) -> MqHmrConfig:
        """Return what `record` wrote.

        Raises:
            InputError: unknown or missing entries.
        """
        names = {one.name for one in fields(cls)}
        if wrong := sorted(names ^ set(record)):
            what = f"'{wrong[0]}' is {'missing' if wrong[0] in names else 'unknown'}"
            raise InputError(source, f"is no card of this version of MQ-HMR: {what}", "get weights of this version")
        try:
            return cls(**{**record, "encoder": EncoderConfig(**record["encoder"]), "scales": tuple(record["scales"])})
        except (TypeError, ValueError) as error:
            raise InputError(source, f"is no card of MQ-HMR ({error})", "get the weights anew") from error

    def record(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {**asdict(self), "scales": list(self.scales)}


@dataclass(frozen=True, eq=False)
class HmrOutput:
    """What a network says of B crops, in the axes of the camera: right, down, forward.

    Attributes:
        rotations: (B, 24, 3, 3) relative to the parents, the root's in the camera's axes.
        shape: (B, S), see `HeadBody`.
        weak: (B, 3) s, tx, ty in the crop; see `weak_camera`.
        translation: (B, 3) of the pelvis [m].
        body: points of the bodies, from the pelvis.
        crop: the cameras that see the crops.
        tokens: (B, N, D) of the decoder, where there are any.
    """

    rotations: Tensor
    shape: Tensor
    weak: Tensor
    translation: Tensor
    body: BodyOutput
    crop: CropCamera
    tokens: Tensor | None = None

    @property
    def joints(self) -> Tensor:
        """(B, 24, 3) in the camera's axes [m]."""
        return self.body.joints + self.translation[:, None]

    @property
    def key_points(self) -> Tensor:
        """(B, 23, 3) in the camera's axes [m]."""
        return self.body.key_points + self.translation[:, None]

    @property
    def markers(self) -> Tensor:
        """(B, 142, 3) in the camera's axes [m]."""
        return self.body.markers + self.translation[:, None]


class MqHmr(nn.Module):
    """The network; see the module.

    Args:
        config: sizes.
        body: the model that it moves; not a part of the module's parameters.

    Raises:
        InputError: sizes that do not go together, or a body of another name than the configuration's.
    """

    def __init__(self, config: MqHmrConfig, body: HeadBody) -> None:
        super().__init__()
        if body.name != config.body:
            raise InputError("MQ-HMR", f"is for the body '{config.body}', and '{body.name}' is given")
        self.config, self.body = config, body
        self.encoder = VisionTransformer(config.encoder)
        self.pyramid = FeaturePyramid(PyramidConfig(config.encoder.width, config.width, config.scales))
        self.decoder = MultiQueryDecoder(
            DecoderConfig(
                tokens=config.tokens,
                layers=config.layers,
                levels=len(config.scales),
                width=config.width,
                heads=config.heads,
                points=config.points,
                feed_forward=config.feed_forward,
            )
        )
        self.head = HmrHead(config.tokens, config.width, config.hidden, body)

    def features(self, images: Tensor) -> Tensor:
        """Return the encoder's map (B, C, 16, 12).

        Args:
            images: (B, 3, 256, 256) or their middle columns (B, 3, 256, 192), uint8 or `crops.normalised`.
        """
        images = normalised(images) if images.dtype == torch.uint8 else images
        if images.shape[-1] == IMAGE_SIZE[0]:
            images = middle_columns(images)
        found: Tensor = self.encoder(images)
        return found

    def cells(self, images: Tensor) -> Cells:
        """Return the maps that the decoder looks at, which many passes of it may share; images as for `features`."""
        return self.cells_of(self.features(images))

    def cells_of(self, features: Tensor) -> Cells:
        """As `cells`, of the encoder's map."""
        return self.decoder.cells(self.pyramid(features))

    def said(self, tokens: Tensor, crop: CropCamera | None = None, *, vertices: bool = False) -> HmrOutput:
        """Return what the decoder's tokens (B, N, D) say of crops that these cameras see."""
        head = self.head(tokens)
        return placed(self.body, head.rotations, head.shape, head.camera, crop, tokens=tokens, vertices=vertices)

    def forward(self, images: Tensor, crop: CropCamera | None = None, *, vertices: bool = False) -> HmrOutput:
        """Return the bodies in images.

        Args:
            images: as for `features`.
            crop: their cameras; HMR2.0's (focal length 5000) where nothing is known.
            vertices: whether whole meshes are wanted too.
        """
        return self.said(self.decoder(self.cells(images)), crop, vertices=vertices)

    def refine(
        self,
        output: HmrOutput,
        pixels: Tensor,
        confidence: Tensor,
        config: PaperConfig = _REFINEMENT,
        maps: Cells | None = None,
    ) -> tuple[HmrOutput, PaperRefined]:
        """Refine by 2D key points, as the paper does: on the decoder's output, or on its input where maps are given.

        Args:
            output: of `forward`.
            pixels: (B, 23, 2) key points of `keypoints.COMMON` in the crops [pixel of 256]; NaN where not seen.
            confidence: (B, 23).
            config: iterations and so on.
            maps: what `cells` gave for the images: then the decoder's input queries are refined, at many times the
                cost.

        Returns:
            The refined output, and what the refinement says of each crop.

        Raises:
            InputError: an output without tokens, or shapes that do not fit.
        """
        if output.tokens is None:
            raise InputError("MQ-HMR", "the output has no tokens to refine")
        crop = output.crop
        camera = Pinhole(crop.focal[:, None].expand(-1, 2), crop.centre)
        with torch.no_grad():
            start = output.tokens if maps is None else self.decoder.queries(len(pixels))

        def tokens_of(refined: Tensor) -> Tensor:
            return refined if maps is None else self.decoder(maps, refined)

        def decode(refined: Tensor) -> tuple[Tensor, Tensor]:
            found = self.said(tokens_of(refined), crop)
            return found.key_points, found.rotations

        refined = refine_paper(decode, start.detach(), pixels, confidence, camera, config)
        with torch.no_grad():
            vertices = output.body.vertices is not None
            return self.said(tokens_of(refined.tokens), crop, vertices=vertices), refined

    def take_encoder(self, path: str | Path, heads: int | None = None) -> EncoderReport:
        """Take the encoder of a checkpoint that a user brings: HMR2.0, TokenHMR, ViTPose; see `checkpoints`.

        Raises:
            InputError: no encoder that can be read, or one of another size.
        """
        found, report = load_encoder(path, heads)
        ours, theirs = self.config.encoder, found.config
        if ours.stem != theirs.stem:
            raise InputError(path, f"has a stem of {theirs.stem}, the network one of {ours.stem}", "leave 'stem' out")
        if (ours.width, ours.depth, ours.heads) != (theirs.width, theirs.depth, theirs.heads):
            said = " against ".join(f"{c.width}/{c.depth}/{c.heads}" for c in (theirs, ours))
            problem = f"is of another architecture: width/depth/heads {said} of the network"
            same = (ours.width, ours.depth) == (theirs.width, theirs.depth)
            remedy = f"set encoder_heads = {theirs.heads}" if same else f"take the encoder {theirs.name}"
            raise InputError(path, problem, remedy)
        self.encoder.load_state_dict(found.state_dict())
        return report


def placed(
    body: HeadBody,
    rotations: Tensor,
    shape: Tensor,
    weak: Tensor,
    crop: CropCamera | None = None,
    *,
    origin: Tensor | None = None,
    tokens: Tensor | None = None,
    vertices: bool = False,
) -> HmrOutput:
    """Return bodies before the cameras of their crops.

    Args:
        body: the model.
        rotations: (B, 24, 3, 3), the root's as seen along the middle of the crop.
        shape: (B, S).
        weak: (B, 3) s, tx, ty.
        crop: the cameras; HMR2.0's where nothing is known.
        origin: (B, 3) where the pelvis lies from what tx and ty place, as seen along the middle of the crop [m]; there
            by default.
        tokens: of the decoder.
        vertices: whether whole meshes are wanted too.
    """
    crop = CropCamera.unknown(weak) if crop is None else crop
    turned = crop.turned(rotations)
    points = body.forward(turned, shape, vertices=vertices)
    pelvis = crop.translation(weak)
    if origin is not None:
        pelvis = pelvis + (crop.turns() @ origin[..., None])[..., 0]
    return HmrOutput(turned, shape, weak, pelvis, points, crop, tokens)


def build(
    config: MqHmrConfig,
    device: torch.device | str = "cpu",
    *,
    body: HeadBody | None = None,
    smpl: str | Path | None = None,
) -> MqHmr:
    """Build a network with random weights.

    Args:
        config: sizes.
        device: on ``"meta"`` it takes no memory and has no weights.
        body: its body model, where it is at hand.
        smpl: else, for the body ``"smpl"``, the user's model file or folder.

    Raises:
        InputError: sizes that do not go together, no SMPL file.
    """
    body = head_body(config.body, smpl) if body is None else body
    with torch.device(device):
        return MqHmr(config, body)


def parameter_counts(network: nn.Module) -> dict[str, int]:
    """Return the number of parameters of each part, and ``"total"``."""
    counts = {name: sum(p.numel() for p in part.parameters()) for name, part in network.named_children()}
    return {**counts, "total": sum(counts.values())}
