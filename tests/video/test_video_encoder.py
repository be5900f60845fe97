"""The encoder against HMR2.0's list of parameters and against a forward pass written out."""

from __future__ import annotations

import math

import pytest
import torch

from biopose_sim.video.mqhmr.encoder import IMAGE_SIZE, PRESETS, TOKEN_GRID, EncoderConfig, make_encoder, middle_columns


def hmr2_list() -> dict[str, tuple[int, ...]]:
    """Names (without ``backbone.``) and shapes of the encoder in HMR2.0's checkpoint: 32 blocks of 12 and 5 more."""
    c = 1280
    block = {
        "norm1.weight": (c,),
        "norm1.bias": (c,),
        "attn.qkv.weight": (3 * c, c),
        "attn.qkv.bias": (3 * c,),
        "attn.proj.weight": (c, c),
        "attn.proj.bias": (c,),
        "norm2.weight": (c,),
        "norm2.bias": (c,),
        "mlp.fc1.weight": (4 * c, c),
        "mlp.fc1.bias": (4 * c,),
        "mlp.fc2.weight": (c, 4 * c),
        "mlp.fc2.bias": (c,),
    }
    return {
        "pos_embed": (1, 193, c),
        "patch_embed.proj.weight": (c, 3, 16, 16),
        "patch_embed.proj.bias": (c,),
        **{f"blocks.{n}.{name}": shape for n in range(32) for name, shape in block.items()},
        "last_norm.weight": (c,),
        "last_norm.bias": (c,),
    }


def test_vit_h_without_memory_has_the_names_and_shapes_of_hmr2():
    encoder = make_encoder(PRESETS["H"], "meta")
    found = {name: tuple(value.shape) for name, value in encoder.state_dict().items()}
    assert found == hmr2_list()
    assert len(found) == 389
    assert all(parameter.is_meta for parameter in encoder.parameters())


@pytest.mark.parametrize(
    ("name", "size"), [("H", (1280, 32, 16)), ("B", (768, 12, 12)), ("S", (384, 12, 6)), ("XS", (256, 12, 4))]
)
def test_presets(name, size):
    config = PRESETS[name]
    assert (config.width, config.depth, config.heads) == size
    out = make_encoder(config, "meta")(torch.empty(2, 3, 256, 192, device="meta"))
    assert out.shape == (2, config.width, 16, 12)


def plain_forward(state: dict[str, torch.Tensor], images: torch.Tensor, depth: int, heads: int) -> torch.Tensor:
    """The encoder with loops over patches and heads, in float64; nothing is shared with the package."""
    p = {name: value.double() for name, value in state.items()}
    batch, width = len(images), p["pos_embed"].shape[-1]

    def norm(x, name):
        centred = x - x.sum(-1, keepdim=True) / width
        spread = (centred**2).sum(-1, keepdim=True) / width
        return centred / (spread + 1e-6).sqrt() * p[f"{name}.weight"] + p[f"{name}.bias"]

    def linear(x, name):
        return torch.einsum("bni,oi->bno", x, p[f"{name}.weight"]) + p[f"{name}.bias"]

    padded = torch.zeros(batch, 3, 260, 196, dtype=torch.float64)
    padded[:, :, 2:258, 2:194] = images.double()
    tokens = torch.zeros(batch, 192, width, dtype=torch.float64)
    for row in range(16):
        for column in range(12):
            patch = padded[:, :, 16 * row : 16 * row + 16, 16 * column : 16 * column + 16]
            projected = torch.einsum("bcij,ocij->bo", patch, p["patch_embed.proj.weight"])
            place = p["pos_embed"][0, 1 + 12 * row + column] + p["pos_embed"][0, 0]
            tokens[:, 12 * row + column] = projected + p["patch_embed.proj.bias"] + place
    size = width // heads
    for n in range(depth):
        qkv = linear(norm(tokens, f"blocks.{n}.norm1"), f"blocks.{n}.attn.qkv")
        mixed = torch.zeros_like(tokens)
        for head in range(heads):
            q, k, v = (qkv[..., part * width + head * size : part * width + (head + 1) * size] for part in range(3))
            weight = (torch.einsum("bqd,bkd->bqk", q, k) / math.sqrt(size)).exp()
            weight = weight / weight.sum(-1, keepdim=True)
            mixed[..., head * size : (head + 1) * size] = torch.einsum("bqk,bkd->bqd", weight, v)
        tokens = tokens + linear(mixed, f"blocks.{n}.attn.proj")
        hidden = linear(norm(tokens, f"blocks.{n}.norm2"), f"blocks.{n}.mlp.fc1")
        hidden = hidden * 0.5 * (1 + torch.erf(hidden / math.sqrt(2)))
        tokens = tokens + linear(hidden, f"blocks.{n}.mlp.fc2")
    out = norm(tokens, "last_norm")
    grid = torch.zeros(batch, width, 16, 12, dtype=torch.float64)
    for row in range(16):
        for column in range(12):
            grid[:, :, row, column] = out[:, 12 * row + column]
    return grid


@pytest.mark.parametrize("size", [1.0, 1e-3], ids=["usual tokens", "tokens so small that epsilon shows"])
def test_forward_equals_one_written_out(size):
    torch.manual_seed(0)
    config = PRESETS["CI"]
    encoder = make_encoder(config)
    with torch.no_grad():
        for name, parameter in encoder.named_parameters():
            # Larger than at the start of a training, so that every part of the network shows in the output.
            parameter.normal_(std=0.1 * (size if name == "patch_embed.proj.bias" else 1.0)).add_(
                1.0 if "norm" in name and "weight" in name else 0.0
            )
        encoder.pos_embed *= size
    images = size * torch.randn(2, 3, 256, 192)
    with torch.no_grad():
        found = encoder(images)
    wanted = plain_forward(encoder.state_dict(), images, config.depth, config.heads)
    assert found.shape == (2, 96, 16, 12)
    assert wanted.std() > 0.5
    assert (found.double() - wanted).abs().max() <= 1e-5
    of_other_heads = plain_forward(encoder.state_dict(), images, config.depth, 4)
    assert (found.double() - of_other_heads).abs().max() > 1e-2


def test_gradients_reach_every_parameter():
    encoder = make_encoder(EncoderConfig("tiny", 12, 2, 3))
    encoder(torch.randn(1, 3, 256, 192)).square().mean().backward()
    assert not [name for name, parameter in encoder.named_parameters() if parameter.grad is None]


def test_middle_columns():
    crop = torch.arange(256.0).expand(1, 3, 256, 256)
    middle = middle_columns(crop)
    assert middle.shape == (1, 3, 256, 192)
    assert (middle[0, 0, 0, 0], middle[0, 0, 0, -1]) == (32, 223)


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match=r"\(1, 3, 256, 256\)"):
        make_encoder(EncoderConfig("tiny", 12, 1, 3))(torch.zeros(1, 3, 256, 256))
    with pytest.raises(ValueError, match="width 10"):
        EncoderConfig("odd", 10, 1, 3)


def test_a_stem_of_convolutions_gives_the_same_map():
    config = EncoderConfig("tiny", 12, 1, 3, "convolutions")
    encoder = make_encoder(config)
    images = torch.randn(2, 3, *IMAGE_SIZE, requires_grad=True)
    found = encoder(images)
    assert found.shape == (2, 12, *TOKEN_GRID)
    # Row by row: the last of the stem's tokens sees the lower right; the norm adds a trace of all the rest.
    token = encoder.patch_embed(images)[0, -1].square().sum()
    (change,) = torch.autograd.grad(token, images)
    corner = change[0, :, -16:, -16:].abs().mean()
    assert corner > 10 * change[0, :, :16, :16].abs().mean()
    assert corner > 10 * change[0, :, -16:, :16].abs().mean()
    plain = make_encoder(EncoderConfig("tiny", 12, 1, 3)).state_dict()
    assert {name for name in encoder.state_dict() if "patch_embed" not in name} == {
        name for name in plain if "patch_embed" not in name
    }
    with pytest.raises(ValueError, match="stem 'patch', not patches or convolutions"):
        EncoderConfig("tiny", 12, 1, 3, "patch")
