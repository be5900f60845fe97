"""HMR2.0 from random checkpoints in its own names, against formulae written down once more."""

from __future__ import annotations

import math
import pickle
import sys
import types

import numpy as np
import pytest
import torch
from synthetic_smpl import write_npz

from biopose_sim.bodies.markers import virtual_markers
from biopose_sim.bodies.smpl import SmplBody
from biopose_sim.errors import InputError
from biopose_sim.io.camera import Camera
from biopose_sim.video.mqhmr.checkpoints import convert
from biopose_sim.video.mqhmr.encoder import PRESETS, make_encoder
from biopose_sim.video.mqhmr.hmr2 import Hmr2, take_mean_pose
from biopose_sim.video.mqhmr.network import MqHmrConfig, build
from biopose_sim.video.mqhmr.predict import PredictConfig, predict_clip
from biopose_sim.video.mqhmr.smpl import SmplHeadBody
from biopose_sim.video.mqhmr.weak_camera import CropCamera
from biopose_sim.video.points.keypoints import KeyPoints
from biopose_sim.video.refine.paper import PaperConfig
from biopose_sim.video.types import View

EPSILON = 1e-5


@pytest.fixture(scope="module")
def smpl(tmp_path_factory) -> SmplHeadBody:
    folder = tmp_path_factory.mktemp("models")
    write_npz(folder / "SMPL_NEUTRAL.npz", "smpl", 10)
    return SmplHeadBody(SmplBody.find("smpl", "neutral", folder))


def head_shapes(context=1280, width=1024, depth=6, heads=8, feed=1024, token=1) -> dict[str, tuple[int, ...]]:
    """``smpl_head`` of the published checkpoint, as ``torch.load`` lists it."""
    inner, start = 64 * heads, "smpl_head.transformer."
    shapes = {
        f"{start}to_token_embedding.weight": (width, token),
        f"{start}to_token_embedding.bias": (width,),
        f"{start}pos_embedding": (1, 1, width),
    }
    for k in range(depth):
        layer = f"{start}transformer.layers.{k}."
        shapes |= {f"{layer}{n}.norm.{w}": (width,) for n in range(3) for w in ("weight", "bias")}
        shapes |= {
            f"{layer}0.fn.to_qkv.weight": (3 * inner, width),
            f"{layer}1.fn.to_kv.weight": (2 * inner, context),
            f"{layer}1.fn.to_q.weight": (inner, width),
            f"{layer}2.fn.net.0.weight": (feed, width),
            f"{layer}2.fn.net.0.bias": (feed,),
            f"{layer}2.fn.net.3.weight": (width, feed),
            f"{layer}2.fn.net.3.bias": (width,),
        }
        for n in (0, 1):
            shapes |= {f"{layer}{n}.fn.to_out.0.weight": (width, inner), f"{layer}{n}.fn.to_out.0.bias": (width,)}
    for name, size in (("pose", 144), ("shape", 10), ("cam", 3)):
        shapes |= {f"smpl_head.dec{name}.weight": (size, width), f"smpl_head.dec{name}.bias": (size,)}
    return shapes | {f"smpl_head.init_{n}": (1, s) for n, s in (("body_pose", 144), ("betas", 10), ("cam", 3))}


def checkpoint(seed=0, encoder="CI", **head) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = {f"backbone.{n}": tuple(v.shape) for n, v in make_encoder(PRESETS[encoder], "meta").state_dict().items()}
    shapes |= head_shapes(context=PRESETS[encoder].width, **head)
    return {name: 0.15 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}


SMALL = {"width": 40, "depth": 2, "heads": 2, "feed": 24}


def lightning(path, tensors):
    """As Lightning saves it: settings of a class of yacs pickled beside the weights."""
    module = types.ModuleType("yacs.config")
    kind = type("CfgNode", (dict,), {"__module__": "yacs.config"})
    module.CfgNode = kind
    sys.modules["yacs"], sys.modules["yacs.config"] = types.ModuleType("yacs"), module
    try:
        others = {"initialized": torch.tensor(True), "discriminator.D_conv1.weight": torch.ones(3, 3)}
        torch.save(
            {
                "epoch": 35, "global_step": 1_000_000, "pytorch-lightning_version": "2.0.0",
                "state_dict": {**tensors, **others}, "hyper_parameters": {"cfg": kind(MODEL=kind(IMAGE_SIZE=256))},
            },
            path,
        )  # fmt: skip
    finally:
        del sys.modules["yacs"], sys.modules["yacs.config"]
    return path


def plain_head(t, features, heads):
    """Pose, betas and camera of a map (C, 16, 12), in numpy, one token, no batch."""
    t = {n.removeprefix("smpl_head."): v.double().numpy() for n, v in t.items() if n.startswith("smpl_head.")}
    context = features.double().numpy().reshape(len(features), -1).T

    def normed(x, name):
        return (x - x.mean()) / np.sqrt(x.var() + EPSILON) * t[name + ".weight"] + t[name + ".bias"]

    def attend(query, keys, values):
        out = []
        for k in range(heads):
            part = slice(64 * k, 64 * k + 64)
            score = np.exp(keys[:, part] @ query[part] / 8.0)
            out.append((score / score.sum()) @ values[:, part])
        return np.concatenate(out)

    start = "transformer.to_token_embedding."
    given = t[start + "weight"].shape[1]
    mean = np.concatenate([t[f"init_{n}"][0] for n in ("body_pose", "betas", "cam")])
    x = (
        t[start + "weight"] @ (mean if given > 1 else np.zeros(1))
        + t[start + "bias"]
        + t["transformer.pos_embedding"][0, 0]
    )
    inner = 64 * heads
    for k in range(sum(n.endswith("0.fn.to_qkv.weight") for n in t)):
        layer = f"transformer.transformer.layers.{k}."
        qkv = t[layer + "0.fn.to_qkv.weight"] @ normed(x, layer + "0.norm")
        own = attend(qkv[:inner], qkv[None, inner : 2 * inner], qkv[None, 2 * inner :])
        x = x + t[layer + "0.fn.to_out.0.weight"] @ own + t[layer + "0.fn.to_out.0.bias"]
        kv = context @ t[layer + "1.fn.to_kv.weight"].T
        seen = attend(t[layer + "1.fn.to_q.weight"] @ normed(x, layer + "1.norm"), kv[:, :inner], kv[:, inner:])
        x = x + t[layer + "1.fn.to_out.0.weight"] @ seen + t[layer + "1.fn.to_out.0.bias"]
        h = t[layer + "2.fn.net.0.weight"] @ normed(x, layer + "2.norm") + t[layer + "2.fn.net.0.bias"]
        h = h * 0.5 * (1 + np.vectorize(math.erf)(h / np.sqrt(2)))
        x = x + t[layer + "2.fn.net.3.weight"] @ h + t[layer + "2.fn.net.3.bias"]
    said = [t[f"init_{i}"][0] + t[f"dec{d}.weight"] @ x + t[f"dec{d}.bias"]
            for d, i in (("pose", "body_pose"), ("shape", "betas"), ("cam", "cam"))]  # fmt: skip
    rotations = []
    for six in said[0].reshape(24, 6):
        a = six[:3] / np.linalg.norm(six[:3])
        b = six[3:] - (a @ six[3:]) * a
        b = b / np.linalg.norm(b)
        rotations.append(np.stack([a, b, np.cross(a, b)], axis=1))
    return np.stack(rotations), said[1], said[2]


@pytest.mark.parametrize(
    "head", [SMALL, {**SMALL, "token": 157}, {"depth": 1}], ids=["small", "mean token", "published widths"]
)
def test_the_head_agrees_with_plain_formulae(smpl, tmp_path, head):
    tensors = checkpoint(**head)
    network, report = Hmr2.from_checkpoint(lightning(tmp_path / "hmr2.ckpt", tensors), smpl)
    assert set(network.state_dict()) == set(tensors)
    assert report.unused == ("discriminator", "initialized")
    assert report.parameters == sum(value.numel() for value in tensors.values())
    features = torch.randn(2, 96, 16, 12, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        found = network.double().smpl_head(features.double())
    for k in range(2):
        for ours, plain in zip(found, plain_head(tensors, features[k], report.head.heads)):
            np.testing.assert_allclose(ours[k].numpy(), plain, atol=1e-9)


def test_the_names_and_shapes_are_those_of_the_published_network(smpl):
    from biopose_sim.video.mqhmr.hmr2 import Hmr2HeadConfig

    with torch.device("meta"):
        network = Hmr2(PRESETS["H"], Hmr2HeadConfig(), smpl)
    wanted = {f"backbone.{n}": v.shape for n, v in make_encoder(PRESETS["H"], "meta").state_dict().items()}
    wanted |= {name: torch.Size(shape) for name, shape in head_shapes().items()}
    assert {name: value.shape for name, value in network.state_dict().items()} == wanted


def test_whole_images_go_through(smpl, tmp_path):
    tensors = checkpoint(**SMALL)
    network, _ = Hmr2.from_checkpoint(lightning(tmp_path / "hmr2.ckpt", tensors), smpl)
    images = torch.randint(0, 256, (2, 3, 256, 256), dtype=torch.uint8, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        output = network(images, vertices=True)
        shift = output.crop.translation(output.weak)
    # SMPL's own vertices and HMR2.0's translation: they are the same place.
    vertices, joints = smpl.body.vertices(output.rotations, shift, output.shape)
    torch.testing.assert_close(output.body.vertices + output.translation[:, None], vertices, atol=2e-5, rtol=1e-5)
    torch.testing.assert_close(output.joints, joints, atol=2e-5, rtol=1e-5)
    with torch.no_grad():
        aside = network(
            images, CropCamera(torch.tensor([400.0, 400.0]), torch.tensor([[-300.0, 90.0], [128.0, 128.0]]))
        )
    torch.testing.assert_close(aside.rotations[1], output.rotations[1])
    assert not torch.allclose(aside.rotations[0, 0], output.rotations[0, 0], atol=0.1)


def test_half_precision_is_the_encoders_alone(smpl, tmp_path):
    network, _ = Hmr2.from_checkpoint(lightning(tmp_path / "hmr2.ckpt", checkpoint(**SMALL)), smpl)
    features = torch.randn(1, 96, 16, 12, generator=torch.Generator().manual_seed(3))
    network.backbone.forward = lambda images: features
    crop = CropCamera(torch.tensor([400.0]), torch.tensor([[-300.0, 90.0]]))
    found = []
    for halved in (False, True):
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=halved):
            found.append(network(torch.zeros(1, 3, 256, 192), crop))
    for name in ("rotations", "shape", "weak", "translation"):
        assert torch.equal(getattr(found[0], name), getattr(found[1], name)), name


def test_a_clip_goes_to_virtual_markers(smpl, tmp_path):
    """The paper's baseline up to where NeurIK takes over; from safetensors as well."""
    path = lightning(tmp_path / "hmr2.ckpt", checkpoint(**SMALL))
    convert(path, tmp_path / "hmr2.safetensors")
    camera = Camera.level(320, 240, 300.0)
    points = np.random.default_rng(0).uniform([60, 40], [160, 220], (3, 23, 2))
    view = View(camera, KeyPoints("clip", np.arange(3) / 30, points, np.ones((3, 23)), "anny23"))
    frames = np.random.default_rng(1).integers(0, 256, (3, 240, 320, 3), dtype=np.uint8)
    found = [
        predict_clip(Hmr2.from_checkpoint(file, smpl)[0], frames, view).sequence
        for file in (path, tmp_path / "hmr2.safetensors")
    ]
    np.testing.assert_array_equal(found[0].rotations, found[1].rotations)
    assert (found[0].body, found[0].shape.shape) == ("smpl", (3, 10))
    trial = virtual_markers(found[0], body=smpl.body)
    assert trial.markers.shape == (3, 142, 3)
    assert np.isfinite(trial.markers).all()
    with pytest.raises(InputError, match="no query tokens"):
        predict_clip(Hmr2.from_checkpoint(path, smpl)[0], frames, view, PredictConfig(refine=PaperConfig()))


def test_checkpoints_that_are_none(smpl, tmp_path):
    tensors = checkpoint(**SMALL)
    lacking = {n: v for n, v in tensors.items() if n != "smpl_head.init_betas" and "layers.1.2.norm" not in n}
    with pytest.raises(
        InputError, match=r"lacks smpl_head\.init_betas, smpl_head\.transformer\.transformer\.layers\.1\.2"
    ):
        Hmr2.from_checkpoint(lightning(tmp_path / "a.ckpt", lacking), smpl)
    wide = tensors | {"smpl_head.decshape.weight": torch.ones(11, 40)}
    with pytest.raises(InputError, match=r"decshape\.weight is \(11, 40\), not \(10, 40\)"):
        Hmr2.from_checkpoint(lightning(tmp_path / "b.ckpt", wide), smpl)
    other = {n: v for n, v in tensors.items() if n.startswith("backbone")} | {
        "smpl_head.tokenizer.weight": torch.ones(3)
    }
    with pytest.raises(InputError, match=r"holds no head of HMR2\.0: lacks .*the encoder alone can be used"):
        Hmr2.from_checkpoint(lightning(tmp_path / "c.ckpt", other), smpl)
    with pytest.raises(InputError, match=r"no .*SMPL_NEUTRAL"):
        Hmr2.from_checkpoint(lightning(tmp_path / "d.ckpt", tensors), tmp_path)


class Runs:
    def __reduce__(self):
        return (print, ("run",))


def test_nothing_in_a_checkpoint_is_run(smpl, tmp_path, capsys):
    torch.save(
        {"state_dict": checkpoint(**SMALL), "hyper_parameters": Runs()}, tmp_path / "e.ckpt", pickle_module=pickle
    )
    with pytest.raises(InputError, match="refused and nothing was run"):
        Hmr2.from_checkpoint(tmp_path / "e.ckpt", smpl)
    assert capsys.readouterr().out == ""


def test_mqhmr_starts_from_its_mean_pose(smpl, tmp_path):
    tensors = checkpoint(**SMALL)
    network = build(MqHmrConfig.preset("CI", body="smpl"), body=smpl)
    path = lightning(tmp_path / "hmr2.ckpt", tensors)
    take_mean_pose(network, path)
    network.take_encoder(path)
    with torch.no_grad():
        output = network(torch.zeros(1, 3, 256, 256, dtype=torch.uint8))
    expected = plain_head({n: v if "init" in n or "bias" not in n else 0 * v for n, v in tensors.items()} | {
        n: 0 * v for n, v in tensors.items() if "dec" in n}, torch.zeros(96, 16, 12), 2)  # fmt: skip
    np.testing.assert_allclose(output.rotations[0].numpy(), expected[0], atol=1e-5)
    np.testing.assert_allclose(output.shape[0].numpy(), expected[1], atol=1e-6)
