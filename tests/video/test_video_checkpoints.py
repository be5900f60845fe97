"""Encoders from random checkpoints in the names and containers of other projects, and what is refused."""

from __future__ import annotations

import pickle
import sys
import types
import zipfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from biopose_sim.errors import InputError
from biopose_sim.video.mqhmr.checkpoints import convert, load_encoder, read_checkpoint
from biopose_sim.video.mqhmr.encoder import PRESETS, EncoderConfig, VisionTransformer, make_encoder


@pytest.fixture(scope="module")
def encoder() -> VisionTransformer:
    torch.manual_seed(1)
    made = make_encoder(PRESETS["CI"])
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.normal_(std=0.1)
    return made.eval()


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.randn(1, 3, 256, 192, generator=torch.Generator().manual_seed(2))


def transformers_names(state: dict[str, torch.Tensor], prefix: str = "backbone.") -> dict[str, torch.Tensor]:
    """The same weights as ``VitPoseForPoseEstimation.state_dict()`` names them."""
    theirs = {}
    for name, value in state.items():
        if ".attn.qkv." in name:
            block, kind = name.split(".")[1], name.split(".")[-1]
            for part, third in zip(("query", "key", "value"), value.chunk(3), strict=True):
                theirs[f"{prefix}encoder.layer.{block}.attention.attention.{part}.{kind}"] = third.clone()
            continue
        for ours, other in (
            ("patch_embed.proj", "embeddings.patch_embeddings.projection"),
            ("pos_embed", "embeddings.position_embeddings"),
            ("blocks", "encoder.layer"),
            ("attn.proj", "attention.output.dense"),
            ("norm1", "layernorm_before"),
            ("norm2", "layernorm_after"),
            ("last_norm", "layernorm"),
        ):
            name = name.replace(ours, other)
        theirs[prefix + name] = value
    return theirs


def with_backbone(state):
    return {f"backbone.{name}": value for name, value in state.items()}


def write(path: Path, tensors: dict[str, torch.Tensor], naming: str) -> Path:
    if path.suffix == ".safetensors":
        save_file(tensors, path)
    elif naming == "HMR2.0":
        torch.save({"epoch": 3, "state_dict": tensors, "optimizer_states": [{"state": {}, "param_groups": []}]}, path)
    else:
        torch.save({"state_dict": tensors} if path.suffix == ".pth" else tensors, path)
    return path


HEAD = {"keypoint_head.final_layer.weight": torch.ones(17, 8, 1, 1)}
SMPL = {"smpl_head.decpose.weight": torch.ones(144, 8), "smpl_head.init_betas": torch.zeros(1, 10)}


@pytest.mark.parametrize("ending", [".pth", ".pt", ".safetensors"])
@pytest.mark.parametrize(
    ("naming", "rename", "others"),
    [
        ("HMR2.0", with_backbone, SMPL),
        ("ViTPose", dict, HEAD),
        ("ViTPose with backbone.", with_backbone, HEAD),
        ("transformers", transformers_names, {"head.conv.weight": torch.ones(17, 8, 3, 3)}),
        ("transformers", lambda state: transformers_names(state, ""), {}),
    ],
)
def test_four_namings_load_completely(tmp_path, encoder, images, naming, rename, others, ending):
    path = write(tmp_path / f"weights{ending}", {**rename(encoder.state_dict()), **others}, naming)
    loaded, report = load_encoder(path)
    assert report.naming == naming
    assert report.config == PRESETS["CI"]
    assert report.tensors == len(encoder.state_dict())
    assert report.parameters == sum(p.numel() for p in encoder.parameters())
    assert report.unused == tuple({name.split(".")[0] for name in others})
    for name, value in encoder.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name
    with torch.no_grad():
        assert torch.equal(loaded(images), encoder(images))
    assert not loaded.training


class FakeConfig(dict):
    """Stands for yacs' CfgNode: a dictionary with attributes of its own."""


class FakeDictConfig:
    """Stands for omegaconf's: an object with a state."""

    def __init__(self):
        self.__dict__["_content"] = {"MODEL": {"IMAGE_SIZE": 256}}
        self.__dict__["_cache"] = defaultdict(dict, {"a": {}})

    def __setstate__(self, state):
        raise AssertionError("a class of the file was run")


@pytest.fixture
def foreign(monkeypatch):
    """Give a class of this test the name of another package, as it stands in the package's own pickles."""

    def name_it(kind: type, module: str, name: str) -> type:
        parts = module.split(".")
        for count in range(1, len(parts) + 1):
            monkeypatch.setitem(sys.modules, ".".join(parts[:count]), types.ModuleType(parts[count - 1]))
        setattr(sys.modules[module], name, kind)
        kind.__module__, kind.__qualname__ = module, name
        return kind

    return name_it


def test_lightning_file_with_pickled_settings(tmp_path, encoder, images, foreign):
    foreign(FakeConfig, "yacs.config", "CfgNode")
    foreign(FakeDictConfig, "omegaconf.dictconfig", "DictConfig")
    config = FakeConfig({"SMPL": {"NUM_BODY_JOINTS": 23}})
    config.__immutable__ = True
    content = {
        "state_dict": {**with_backbone(encoder.state_dict()), **SMPL},
        "hyper_parameters": {"cfg": config, "other": FakeDictConfig(), "best": np.float64(0.5), "a": np.arange(3)},
        "callbacks": {"where": Path("a/b")},
    }
    path = tmp_path / "epoch=35-step=1000000.ckpt"
    torch.save(content, path)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)
    loaded, report = load_encoder(path)
    assert report.naming == "HMR2.0"
    with torch.no_grad():
        assert torch.equal(loaded(images), encoder(images))

    target = tmp_path / "converted.safetensors"
    convert(path, target)
    assert set(load_file(target)) == set(content["state_dict"])
    again, _ = load_encoder(target)
    assert torch.equal(again.pos_embed, encoder.pos_embed)


class Trap:
    """Would make a file if its pickle were run."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


class Eval:
    def __reduce__(self):
        return eval, ("1 + 1",)


@pytest.mark.parametrize("zipped", [True, False])
def test_foreign_classes_are_refused_by_name(tmp_path, encoder, foreign, zipped):
    path = tmp_path / "weights.pth"
    plain = foreign(type("Plain", (), {}), "evil.package", "Plain")
    content = {"state_dict": encoder.state_dict(), "hyper": plain()}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match=r"asks for 'evil\.package\.Plain'.*nothing was run") as caught:
        load_encoder(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(("kind", "name"), [(Trap, "touch"), (Eval, "eval")])
def test_nothing_is_run(tmp_path, encoder, kind, name, zipped):
    mark = tmp_path / "made"
    path = tmp_path / "weights.ckpt"
    trap = Trap(mark) if kind is Trap else Eval()
    torch.save(
        {"state_dict": encoder.state_dict(), "hyper_parameters": trap}, path, _use_new_zipfile_serialization=zipped
    )
    with pytest.raises(InputError):
        load_encoder(path)
    assert not mark.exists()


def test_plain_pickle_and_damage(tmp_path, encoder):
    path = tmp_path / "weights.pt"
    path.write_bytes(pickle.dumps({"state_dict": Eval()}))
    with pytest.raises(InputError, match="eval"):
        load_encoder(path)
    torch.save(encoder.state_dict(), path)
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"PK\x03\x04 no", b"not a checkpoint"):
        path.write_bytes(content)
        with pytest.raises(InputError) as caught:
            load_encoder(path)
        assert "\n" not in str(caught.value)
    save_file(encoder.state_dict(), tmp_path / "w.safetensors")
    (tmp_path / "w.safetensors").write_bytes((tmp_path / "w.safetensors").read_bytes()[:5000])
    with pytest.raises(InputError, match="cannot be read"):
        load_encoder(tmp_path / "w.safetensors")


def test_a_compressed_archive_is_refused(tmp_path, encoder):
    """Its bytes would be taken for numbers, and a small file could fill the memory."""
    torch.save(encoder.state_dict(), tmp_path / "whole.pt")
    archives = (
        zipfile.ZipFile(tmp_path / "whole.pt"),
        zipfile.ZipFile(tmp_path / "packed.pt", "w", zipfile.ZIP_DEFLATED),
    )
    with archives[0] as whole, archives[1] as packed:
        for name in whole.namelist():
            packed.writestr(name, whole.read(name))
    with pytest.raises(InputError, match="is a compressed archive"):
        load_encoder(tmp_path / "packed.pt")


def without(state, name):
    return {key: value for key, value in state.items() if key != name}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: without(s, "blocks.2.mlp.fc1.bias"), r"lacks blocks\.2\.mlp\.fc1\.bias$"),
        (lambda s: {**s, "blocks.0.mlp.experts.0.weight": torch.ones(2)}, r"has besides blocks\.0\.mlp\.experts"),
        (lambda s: {**s, "pos_embed": torch.ones(1, 197, 96)}, r"pos_embed is \(1, 197, 96\), not \(1, 193, 96\)"),
        (lambda s: {k: v for k, v in s.items() if "blocks.3" not in k}, r"width 96, 3 blocks.*CI 96/4"),
        (lambda s: {"conv1.weight": torch.ones(3), "fc.bias": torch.ones(2)}, "begin with conv1.weight, fc.bias"),
        (
            lambda s: without(transformers_names(s), "backbone.encoder.layer.1.attention.attention.key.bias"),
            "lacks its key",
        ),
        (lambda s: {"a": 1}, "no tensors"),
    ],
)
def test_another_architecture_says_what_differs(tmp_path, encoder, change, message):
    path = tmp_path / "weights.pth"
    torch.save(change(dict(encoder.state_dict())), path)
    with pytest.raises(InputError, match=message) as caught:
        load_encoder(path)
    assert caught.value.exit_code == 2


def test_heads_of_the_small_encoder(tmp_path):
    """ViTPose's small encoder has 12 heads where our preset has 6, and no shape tells."""
    path = tmp_path / "vitpose_small.pth"
    torch.save(with_backbone(make_encoder(PRESETS["S"]).state_dict()), path)
    loaded, report = load_encoder(path)
    assert (loaded.config.heads, report.heads_from) == (12, "publication")
    assert load_encoder(path, heads=6)[0].config == PRESETS["S"]
    convert(path, tmp_path / "ours.safetensors", heads=6)
    loaded, report = load_encoder(tmp_path / "ours.safetensors")
    assert (loaded.config.heads, report.heads_from) == (6, "file")
    with pytest.raises(InputError, match="7 heads"):
        load_encoder(path, heads=7)


def test_half_precision_and_shared_tensors(tmp_path, encoder):
    shared = torch.ones(4)
    content = {
        **{name: value.half() for name, value in encoder.state_dict().items()},
        "head.a": shared,
        "head.b": shared,
    }
    torch.save(content, tmp_path / "half.pt")
    loaded, report = load_encoder(tmp_path / "half.pt")
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    assert report.unused == ("head",)
    convert(tmp_path / "half.pt", tmp_path / "half.safetensors")
    assert read_checkpoint(tmp_path / "half.safetensors").tensors["head.b"].dtype == torch.float32


def test_wrong_paths(tmp_path, encoder):
    with pytest.raises(InputError, match="is not a file"):
        load_encoder(tmp_path / "nowhere.pth")
    (tmp_path / "weights.h5").write_bytes(b"x")
    with pytest.raises(InputError, match=r"known endings are \.safetensors"):
        load_encoder(tmp_path / "weights.h5")
    torch.save(encoder.state_dict(), tmp_path / "w.pt")
    with pytest.raises(InputError, match=r"end it in \.safetensors"):
        convert(tmp_path / "w.pt", tmp_path / "w.bin")
    assert EncoderConfig("CI", 96, 4, 3) == PRESETS["CI"]
