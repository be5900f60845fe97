"""HMR2.0, whole: the network that the paper compares with, from a checkpoint and a body model that a user brings.

Written after 4D-Humans (Goel et al., ICCV 2023; MIT, ``hmr2/models``), with its names of parameters: a vision
transformer, and a decoder in which one token looks at the whole map of features.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...bodies.smpl import SmplBody
from ...errors import InputError
from .checkpoints import Checkpoint, compare_tensors, encoder_of, read_checkpoint
from .crops import normalised
from .encoder import IMAGE_SIZE, EncoderConfig, VisionTransformer, middle_columns
from .network import HmrOutput, MqHmr, placed
from .rotations import matrix_from_six
from .smpl import SmplHeadBody
from .weak_camera import CropCamera

_BACKBONE, _HEAD = "backbone.", "smpl_head."
_POSE, _SHAPE, _CAMERA = 144, 10, 3
_HEAD_WIDTH = 64


@dataclass(frozen=True)
class Hmr2HeadConfig:
    """Sizes of the head; the defaults are HMR2.0's.

    Attributes:
        context: channels of the encoder's map.
        width: of the token.
        depth: layers.
        heads: of the attentions, each 64 wide.
        feed_forward: inner width of the feed-forward parts.
        token: numbers that the token is made of: 1, a zero, or 157, the mean pose, shape and camera.
    """

    context: int = 1280
    width: int = 1024
    depth: int = 6
    heads: int = 8
    feed_forward: int = 1024
    token: int = 1


class _Attention(nn.Module):
    """Attention with heads of 64; without a context that of the tokens among themselves, with HMR2.0's names."""

    def __init__(self, config: Hmr2HeadConfig, context: int | None) -> None:
        super().__init__()
        inner, self.heads = config.heads * _HEAD_WIDTH, config.heads
        if context is None:
            self.to_qkv = nn.Linear(config.width, 3 * inner, bias=False)
        else:
            self.to_kv = nn.Linear(context, 2 * inner, bias=False)
            self.to_q = nn.Linear(config.width, inner, bias=False)
        self.to_out = nn.Sequential(nn.Linear(inner, config.width))

    def forward(self, tokens: Tensor, context: Tensor) -> Tensor:
        """Return (B, N, D) for tokens (B, N, D) and a context (B, M, C)."""
        if hasattr(self, "to_qkv"):
            parts = self.to_qkv(tokens).chunk(3, dim=-1)
        else:
            parts = (self.to_q(tokens), *self.to_kv(context).chunk(2, dim=-1))
        query, key, value = (part.unflatten(2, (self.heads, _HEAD_WIDTH)).transpose(1, 2) for part in parts)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        found: Tensor = self.to_out(mixed.transpose(1, 2).flatten(2))
        return found


class _FeedForward(nn.Module):
    def __init__(self, config: Hmr2HeadConfig) -> None:
        super().__init__()
        # The place of a dropout keeps HMR2.0's numbers.
        self.net = nn.Sequential(
            nn.Linear(config.width, config.feed_forward), nn.GELU(), nn.Identity(),
            nn.Linear(config.feed_forward, config.width),
        )  # fmt: skip

    def forward(self, tokens: Tensor, context: Tensor) -> Tensor:
        """Change tokens (B, N, D) one by one."""
        found: Tensor = self.net(tokens)
        return found


class _Normed(nn.Module):
    """A part after a norm, added to what came in."""

    def __init__(self, width: int, part: nn.Module) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fn = part

    def forward(self, tokens: Tensor, context: Tensor) -> Tensor:
        """Return (B, N, D)."""
        found: Tensor = tokens + self.fn(self.norm(tokens), context)
        return found


class _Layers(nn.Module):
    def __init__(self, config: Hmr2HeadConfig) -> None:
        super().__init__()

        def layer() -> nn.ModuleList:
            parts = (_Attention(config, None), _Attention(config, config.context), _FeedForward(config))
            return nn.ModuleList(_Normed(config.width, part) for part in parts)

        self.layers = nn.ModuleList(layer() for _ in range(config.depth))

    def forward(self, tokens: Tensor, context: Tensor) -> Tensor:
        """Return (B, N, D) for tokens (B, N, D) and a context (B, M, C)."""
        for layer in self.layers:
            assert isinstance(layer, nn.ModuleList)
            for part in layer:
                tokens = part(tokens, context)
        return tokens


class _Decoder(nn.Module):
    def __init__(self, config: Hmr2HeadConfig) -> None:
        super().__init__()
        self.to_token_embedding = nn.Linear(config.token, config.width)
        self.pos_embedding = nn.Parameter(torch.randn(1, 1, config.width))
        self.transformer = _Layers(config)

    def forward(self, token: Tensor, context: Tensor) -> Tensor:
        """Return (B, D) for a token (B, 1, token) and a context (B, M, C)."""
        found: Tensor = self.transformer(self.to_token_embedding(token) + self.pos_embedding, context)
        return found[:, 0]


class Hmr2Head(nn.Module):
    """From the encoder's map to pose, shape and camera; the names of its parameters are HMR2.0's.

    Args:
        config: sizes.
    """

    init_body_pose: Tensor
    init_betas: Tensor
    init_cam: Tensor

    def __init__(self, config: Hmr2HeadConfig) -> None:
        super().__init__()
        self.config = config
        self.transformer = _Decoder(config)
        self.decpose = nn.Linear(config.width, _POSE)
        self.decshape = nn.Linear(config.width, _SHAPE)
        self.deccam = nn.Linear(config.width, _CAMERA)
        for name, size in (("init_body_pose", _POSE), ("init_betas", _SHAPE), ("init_cam", _CAMERA)):
            self.register_buffer(name, torch.zeros(1, size))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return rotations (B, 24, 3, 3), betas (B, 10) and s, tx, ty (B, 3) of a map (B, C, 16, 12)."""
        mean = torch.cat([self.init_body_pose, self.init_betas, self.init_cam], dim=1)
        token = torch.zeros_like(mean[:, :1]) if self.config.token == 1 else mean
        said = self.transformer(token[:, None].expand(len(features), -1, -1), features.flatten(2).transpose(1, 2))
        pose = self.init_body_pose + self.decpose(said)
        rotations = matrix_from_six(pose.unflatten(1, (24, 6)))
        return rotations, self.init_betas + self.decshape(said), self.init_cam + self.deccam(said)


@dataclass(frozen=True)
class Hmr2Report:
    """What was read.

    Attributes:
        path: the file.
        encoder: size of the encoder.
        head: sizes of the head.
        parameters: how many numbers were taken.
        unused: parts of the file that are left aside, e.g. ``("discriminator", "smpl")``.
    """

    path: Path
    encoder: EncoderConfig
    head: Hmr2HeadConfig
    parameters: int
    unused: tuple[str, ...]


class Hmr2(nn.Module):
    """HMR2.0 with the names of its parameters.

    Args:
        encoder: size of the encoder.
        head: sizes of the head.
        body: SMPL.

    Raises:
        InputError: a file of SMPL with fewer than ten betas.
    """

    def __init__(self, encoder: EncoderConfig, head: Hmr2HeadConfig, body: SmplHeadBody) -> None:
        super().__init__()
        if body.n_shape != _SHAPE:
            problem = f"has {body.n_shape} betas"
            raise InputError(body.body.arrays.source, problem, f"HMR2.0 needs SMPL with {_SHAPE}")
        self.body = body
        self.backbone = VisionTransformer(encoder)
        self.smpl_head = Hmr2Head(head)

    @classmethod
    def from_checkpoint(
        cls, path: str | Path, smpl: str | Path | SmplHeadBody | None = None, heads: int | None = None
    ) -> tuple[Hmr2, Hmr2Report]:
        """Read a whole network.

        Args:
            path: HMR2.0's ``.ckpt``, or the same as safetensors (`checkpoints.convert`); nothing in it is run.
            smpl: the user's neutral SMPL file or its folder, see `bodies.smpl.find_model_file`; or read already.
            heads: of the encoder's attention, which no checkpoint tells; see `checkpoints.load_encoder`.

        Returns:
            The network in evaluation mode, float32 on the CPU, its numbers perhaps mapped to the file; and what was
            read.

        Raises:
            InputError: a file that cannot be read safely or is of another architecture (says what differs), no SMPL.
        """
        checkpoint = read_checkpoint(path)
        encoder, _ = encoder_of(checkpoint, heads)
        state = {name: value for name, value in checkpoint.tensors.items() if name.startswith((_BACKBONE, _HEAD))}
        config = _head_config(checkpoint, encoder.config.width)
        body = smpl if isinstance(smpl, SmplHeadBody) else SmplHeadBody(SmplBody.find("smpl", "neutral", smpl))
        with torch.device("meta"):
            network = cls(encoder.config, config, body)
        network.backbone = encoder
        head = {name: value for name, value in state.items() if name.startswith(_HEAD)}
        wanted = {name: value for name, value in network.state_dict().items() if name.startswith(_HEAD)}
        compare_tensors(checkpoint.path, head, wanted, f"HMR2.0's head, {config.depth} layers of {config.width}")
        network.smpl_head.load_state_dict(
            {name.removeprefix(_HEAD): value.float().contiguous() for name, value in head.items()}, assign=True
        )
        parameters = sum(value.numel() for value in network.state_dict().values())
        unused = {name.split(".")[0] for name in checkpoint.tensors} - {_BACKBONE[:-1], _HEAD[:-1]}
        report = Hmr2Report(checkpoint.path, encoder.config, config, parameters, tuple(sorted(unused)))
        return network.eval(), report

    def forward(self, images: Tensor, crop: CropCamera | None = None, *, vertices: bool = False) -> HmrOutput:
        """Return the bodies in images; see `MqHmr.forward`."""
        images = normalised(images) if images.dtype == torch.uint8 else images
        if images.shape[-1] == IMAGE_SIZE[0]:
            images = middle_columns(images)
        features = self.backbone(images)
        # All but the encoder in single precision or better, as in `HmrHead`.
        with torch.autocast(features.device.type, enabled=False):
            rotations, betas, weak = self.smpl_head(features.to(self.smpl_head.init_cam.dtype))
            # Its translation is that of SMPL's own origin.
            pelvis = self.body.root(betas)
            return placed(self.body, rotations, betas, weak, crop, origin=pelvis, vertices=vertices)


def take_mean_pose(network: MqHmr, path: str | Path) -> None:
    """Let a MQ-HMR network of SMPL start from the mean pose, shape and camera in a checkpoint of HMR2.0.

    Raises:
        InputError: a network of another body, or no such numbers in the file.
    """
    if network.config.body != "smpl":
        raise InputError("MQ-HMR", f"is for the body '{network.config.body}'", "HMR2.0's mean pose is one of SMPL")
    checkpoint = read_checkpoint(path)
    names = ("init_body_pose", "init_betas", "init_cam")
    found = {name: value for name in names if (value := checkpoint.tensors.get(_HEAD + name)) is not None}
    sizes = {
        "init_body_pose": torch.zeros(1, _POSE),
        "init_betas": torch.zeros(1, _SHAPE),
        "init_cam": torch.zeros(1, _CAMERA),
    }
    compare_tensors(checkpoint.path, found, sizes, "HMR2.0 (its smpl_head)")
    head = network.head
    with torch.no_grad():
        head.mean_six.copy_(found["init_body_pose"].reshape(24, 6))
        head.mean_shape.copy_(found["init_betas"][0])
        head.mean_camera.copy_(found["init_cam"][0])


def _head_config(checkpoint: Checkpoint, context: int) -> Hmr2HeadConfig:
    """Sizes of the head from the shapes of its parameters."""
    tensors, start = checkpoint.tensors, f"{_HEAD}transformer."
    numbers = [
        int(m[1]) for name in tensors if (m := re.match(re.escape(start) + r"transformer\.layers\.(\d+)\.", name))
    ]
    first = f"{start}transformer.layers.0."
    needed = {
        "token": f"{start}to_token_embedding.weight",
        "query": f"{first}1.fn.to_q.weight",
        "feed": f"{first}2.fn.net.0.weight",
    }
    if missing := [name for name in needed.values() if name not in tensors]:
        parts = ", ".join(sorted({name.split(".")[0] for name in tensors}))
        problem = f"holds no head of HMR2.0: lacks {', '.join(missing)}; its parts are {parts}"
        raise InputError(checkpoint.path, problem, "of other checkpoints the encoder alone can be used")
    shapes = {what: tuple(tensors[name].shape) for what, name in needed.items()}
    if any(len(shape) != 2 for shape in shapes.values()) or shapes["query"][0] % _HEAD_WIDTH:
        problem = f"is of another architecture than HMR2.0's head: {needed['query']} is {shapes['query']}"
        raise InputError(checkpoint.path, problem, f"its attention has heads of {_HEAD_WIDTH}")
    if shapes["token"][1] not in (1, _POSE + _SHAPE + _CAMERA):
        raise InputError(checkpoint.path, f"has a token of {shapes['token'][1]} numbers", "HMR2.0's has 1 or 157")
    return Hmr2HeadConfig(
        context=context,
        width=shapes["token"][0],
        depth=max(numbers) + 1,
        heads=shapes["query"][0] // _HEAD_WIDTH,
        feed_forward=shapes["feed"][0],
        token=shapes["token"][1],
    )
