"""The whole network: sizes, gradients, cameras, refinement, files."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from biopose_sim.errors import InputError
from biopose_sim.video.mqhmr.anny import AnnyHeadBody
from biopose_sim.video.mqhmr.encoder import PRESETS, make_encoder
from biopose_sim.video.mqhmr.files import load_mqhmr, open_network, save_mqhmr, take_weights, warning_of
from biopose_sim.video.mqhmr.network import MqHmr, MqHmrConfig, build, parameter_counts
from biopose_sim.video.mqhmr.weak_camera import CropCamera

TINY = MqHmrConfig.preset("CI", tokens=6, width=32)


@pytest.fixture(scope="module")
def anny() -> AnnyHeadBody:
    return AnnyHeadBody()


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.randint(0, 256, (2, 3, 256, 256), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def spread(network: MqHmr, size: float = 0.02) -> MqHmr:
    """Layers that start at zero: some numbers there, so that they say something."""
    torch.manual_seed(7)
    with torch.no_grad():
        for last in (network.head.pose, network.head.shape, network.head.camera):
            last.weight.normal_(std=size)
        for layer in network.decoder.layers:
            layer.across.offsets.weight.normal_(std=0.1)
            layer.across.weights.weight.normal_(std=0.1)
    return network


@pytest.fixture(scope="module")
def network(anny) -> MqHmr:
    torch.manual_seed(3)
    return spread(build(TINY, body=anny)).eval()


@pytest.mark.parametrize("tokens", [1, 24, 48, 96, 192])
@pytest.mark.parametrize("layers", [1, 2, 4, 6])
@pytest.mark.parametrize("scales", [(1,), (4, 8, 16), (1, 2, 4, 8, 16)])
def test_ablations_are_configurations(anny, tokens, layers, scales):
    config = MqHmrConfig(PRESETS["CI"], scales=scales, tokens=tokens, layers=layers)
    made = build(config, "meta", body=anny)
    assert len(made.decoder.layers) == layers
    assert made.decoder.positions.shape == (tokens, 256)
    assert len(made.pyramid.projections) == len(scales)
    assert all(parameter.is_meta for parameter in made.parameters())


def test_size_of_the_papers_network(anny):
    counts = parameter_counts(build(MqHmrConfig(), "meta", body=anny))
    assert counts["encoder"] == 630_912_000
    assert 640e6 < counts["total"] < 655e6


def test_an_untrained_network_says_the_mean(anny, images):
    made = build(TINY, body=anny)
    output = made(images)
    torch.testing.assert_close(output.rotations, anny.mean_rotations.expand(2, -1, -1, -1), atol=1e-5, rtol=0)
    torch.testing.assert_close(output.shape, anny.mean_shape.expand(2, -1))
    torch.testing.assert_close(output.translation[0], torch.tensor([0.0, 0.0, 2 * 5000 / (256 * 0.9)]))
    pixels = output.crop.project(output.key_points)
    assert pixels.min() > 0
    assert pixels.max() < 256, "the mean person is inside of the crop"


@pytest.mark.parametrize("hidden", [0, 32])
def test_a_gradient_reaches_every_parameter(anny, images, hidden):
    torch.manual_seed(2)
    made = spread(build(replace(TINY, hidden=hidden), body=anny))
    output = made(images)
    (output.key_points.square().mean() + output.shape.sum() + output.rotations[:, 5].sum()).backward()
    still = {name for name, p in made.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0}
    # It multiplies the zeros of which the pose tokens are made.
    assert still == {"decoder.embedding.weight"}


def test_one_token_still_moves_joints_apart(anny, images):
    """A mix of a single token gives every joint a multiple of one answer: the head must do better."""
    torch.manual_seed(4)
    made = spread(build(replace(TINY, tokens=1), body=anny), 0.5)
    change = (made(images).rotations[0] - anny.mean_rotations).flatten(1)
    assert int(torch.linalg.matrix_rank(change.detach(), rtol=1e-2)) > 6


def test_queries_and_cells_can_be_shared(network, images):
    with torch.no_grad():
        whole = network(images, vertices=True)
        cells = network.cells(images[..., 32:-32])
        again = network.said(network.decoder(cells, network.decoder.queries(2)))
    torch.testing.assert_close(again.key_points, whole.key_points)
    assert whole.body.vertices.shape == (2, 13718, 3)


def test_refinement_of_tokens_brings_the_key_points_nearer(network, images):
    camera = CropCamera(torch.tensor([700.0, 300.0]), torch.tensor([[20.0, 128.0], [300.0, 90.0]]))
    with torch.no_grad():
        output = network(images, camera)
        target = camera.project(output.key_points) + 6 * torch.randn(
            2, 23, 2, generator=torch.Generator().manual_seed(5)
        )
    confidence = torch.ones(2, 23)
    with torch.no_grad():
        maps = network.cells(images)
    for given in (None, maps):
        refined, said = network.refine(output, target, confidence, maps=given)
        assert (said.after < said.before).all(), said.flags
        torch.testing.assert_close(
            (camera.project(refined.key_points) - target).norm(dim=-1).mean(1), said.after, rtol=1e-3, atol=1e-2
        )
    few = confidence.clone()
    few[1, :12] = 0
    left, said = network.refine(output, target, few)
    assert said.flags[1] == "few_points"
    torch.testing.assert_close(left.rotations[1], output.rotations[1], atol=1e-5, rtol=0)


@pytest.mark.parametrize("half", [False, True])
def test_files_come_back(network, images, anny, tmp_path, half):
    folder = save_mqhmr(tmp_path / "net", network, {"data": "none"}, half=half)
    again = load_mqhmr(folder, anny)
    assert again.config == network.config
    with torch.no_grad():
        before, after = network(images).key_points, again(images).key_points
    torch.testing.assert_close(after, before, atol=0.3 if half else 1e-6, rtol=0)
    assert json.loads((folder / "card.json").read_text())["data"] == "none"
    with (folder / "weights.safetensors").open("ab") as file:
        file.write(b"0")
    with pytest.raises(InputError, match="not the file that its card describes"):
        load_mqhmr(folder, anny)


def test_files_of_other_networks(network, anny, tmp_path):
    other = build(replace(TINY, tokens=12, layers=1), body=anny)
    path = tmp_path / "other.safetensors"
    save_file(other.state_dict(), path)
    with pytest.raises(InputError, match=r"lacks decoder\.layers\.1.*decoder\.positions is \(12, 32\), not \(6, 32\)"):
        take_weights(network, path)
    encoder = tmp_path / "encoder.safetensors"
    save_file({f"backbone.{n}": v for n, v in make_encoder(PRESETS["CI"]).state_dict().items()}, encoder)
    assert network.take_encoder(encoder).naming == "ViTPose with backbone."
    with pytest.raises(InputError, match="another architecture: width/depth/heads 96/4/3 against 256/12/4"):
        build(MqHmrConfig.preset("XS"), "meta", body=anny).take_encoder(encoder)
    with pytest.raises(InputError, match="96/4/3 against 96/4/6 of the network; set encoder_heads = 3"):
        build(MqHmrConfig.preset("CI", encoder_heads=6), "meta", body=anny).take_encoder(encoder)
    with pytest.raises(InputError, match="has a stem of patches, the network one of convolutions; leave 'stem' out"):
        build(MqHmrConfig.preset("CI", stem="convolutions"), "meta", body=anny).take_encoder(encoder)
    (tmp_path / "card.json").write_text('{"kind": "NeurIK"}')
    with pytest.raises(InputError, match="is no card of MQ-HMR"):
        load_mqhmr(tmp_path)
    with pytest.raises(InputError, match="'hidden' is missing"):
        MqHmrConfig.from_record({k: v for k, v in TINY.record().items() if k != "hidden"}, "card")
    with pytest.raises(InputError, match="unknown encoder 'XXL'"):
        MqHmrConfig.preset("XXL")


def test_whatever_the_user_names_is_opened(network, tmp_path):
    folder = save_mqhmr(tmp_path / "net", network)
    for path in (folder, folder / "weights.safetensors"):
        assert isinstance(open_network(path), MqHmr)
    assert warning_of(folder) == ""
    told = save_mqhmr(
        tmp_path / "told", network, {"data": "synthetic people train, 9 poses", "metrics": {"mpjpe": 80.4}}
    )
    for path in (told, told / "weights.safetensors"):
        assert "saw synthetic people only, whose joints it misses by 80 mm" in warning_of(path)
    lone = tmp_path / "best.safetensors"
    lone.write_bytes((folder / "weights.safetensors").read_bytes())
    with pytest.raises(InputError, match=r"is a MQ-HMR without its card\.json"):
        open_network(lone)
    encoder = tmp_path / "vitpose.safetensors"
    save_file(make_encoder(PRESETS["CI"]).state_dict(), encoder)
    with pytest.raises(InputError, match=r"holds no head of HMR2\.0.*encoder alone"):
        open_network(encoder)
    with pytest.raises(InputError, match="holds no weights"):
        open_network(tmp_path / "nothing")


def test_records_are_json():
    config = MqHmrConfig.preset("B", tokens=48, scales=(4, 8))
    assert MqHmrConfig.from_record(json.loads(json.dumps(config.record())), "card") == config
    assert np.isscalar(config.tokens)
