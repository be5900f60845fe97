"""Training: configurations, learning, resuming to the bit, refusals; evaluation in the named protocols."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from biopose_sim.errors import InputError
from biopose_sim.paths import models_dir
from biopose_sim.video.mqhmr.anny import AnnyHeadBody
from biopose_sim.video.mqhmr.config import HmrTraining, hmr_config_names, load_hmr_training
from biopose_sim.video.mqhmr.encoder import EncoderConfig
from biopose_sim.video.mqhmr.evaluate import evaluate_network, predicted
from biopose_sim.video.mqhmr.files import load_mqhmr
from biopose_sim.video.mqhmr.layouts import AnnyPoints
from biopose_sim.video.mqhmr.losses import HmrLossWeights, hmr_losses
from biopose_sim.video.mqhmr.network import MqHmrConfig, build, placed
from biopose_sim.video.mqhmr.streams import FixedData
from biopose_sim.video.mqhmr.train import CHECKPOINT, LOG, HmrTrainer, train_mqhmr
from biopose_sim.video.mqhmr.truth import Truth
from biopose_sim.video.mqhmr.weak_camera import SIDE, CropCamera

BODY, POINTS = AnnyHeadBody(), AnnyPoints()
TINY = HmrTraining(
    network=replace(
        MqHmrConfig.preset("CI", scales=(1,), tokens=4, layers=1, width=16, heads=2, feed_forward=16, hidden=16),
        encoder=EncoderConfig("tiny", 16, 1, 1),
    ),
    batch=2,
    steps=6,
    rate=1e-2,
    fall="cosine",
    warm_up=2,
    optimiser="adamw",
    average=0.9,
    precision="float32",
    pretrained=False,
    log_steps=2,
    validation_steps=6,
    validation_images=4,
    checkpoint_seconds=0.0,
)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small products: more threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def people(count: int = 4, seed: int = 0) -> Truth:
    """Bodies near the mean pose before a camera, on images of noise."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 255, (count, 3, SIDE, SIDE), generator=generator, dtype=torch.uint8)
    six = BODY.mean_rotations.expand(count, -1, -1, -1) + 0.1 * torch.randn(count, 24, 3, 3, generator=generator)
    left, _, right = torch.linalg.svd(six)
    rotations = left @ right
    shape = BODY.mean_shape.expand(count, -1)
    crop = CropCamera(torch.full((count,), 500.0), torch.tensor([[128.0, 100.0]]).expand(count, 2))
    places = torch.tensor([0.1, 0.0, 4.0]) + POINTS(BODY.forward(rotations, shape))
    known = torch.ones(count, places.shape[1], 1)
    return Truth(
        images=images,
        points_2d=torch.cat([crop.project(places), known], dim=-1),
        points_3d=torch.cat([places, known], dim=-1),
        rotations=rotations,
        rotations_known=torch.ones(count),
        shape=shape,
        shape_known=torch.ones(count),
        focal=crop.focal,
        centre=crop.centre,
    )


def weights(folder: Path) -> dict[str, torch.Tensor]:
    content = torch.load(folder / CHECKPOINT, weights_only=True)
    return {f"{part}.{name}": value for part in ("network", "average") for name, value in content[part].items()}


def test_shipped_configurations_are_what_they_say():
    assert hmr_config_names() == ["ci", "cpu", "paper", "scratch"]
    paper = load_hmr_training("paper")
    assert paper == replace(HmrTraining(), network=replace(paper.network, body="smpl"))
    assert (paper.rate, paper.batch, paper.steps, paper.optimiser) == (1e-5, 48, 100_000, "adam")
    assert (paper.losses.pose, paper.losses.shape, paper.losses.points_3d, paper.losses.points_2d) == (
        *(1e-3, 5e-4),
        *(5e-2, 1e-2),
    )
    assert (paper.network.tokens, paper.network.layers, paper.network.scales) == (96, 4, (1, 4, 8, 16))
    scratch = load_hmr_training("scratch")
    assert (scratch.rate, scratch.optimiser, scratch.fall, scratch.pretrained) == (3e-4, "adamw", "cosine", False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rats = 1", "unknown key 'rats'"),
        ("[network]\ntoken = 4", r"unknown key 'network\.token' \(did you mean 'tokens'"),
        ("[network]\nscales = 4", "'network.scales' is 4; a list of whole numbers is needed"),
        ("[network]\nencoder = 'G'", "unknown encoder 'G'"),
        ("[network]\nencoder = 'CI'\nstem = 'conv'", "encoder with stem 'conv', not patches or convolutions"),
        ("dense_steps = 5", "dense_steps: is 5 and dense is 0"),
        ("pretrained = 1", "'pretrained' is 1; true or false is needed"),
        ("batch = 0", "batch: is 0"),
        ("fall = 'cosin'", r"did you mean 'cosine'"),
    ],
)
def test_wrong_configurations_are_refused(tmp_path, text, message):
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(InputError, match=message):
        load_hmr_training(tmp_path / "mine.toml")


def test_names_of_configurations_are_listed():
    with pytest.raises(InputError, match="there are ci, cpu, paper, scratch"):
        load_hmr_training("papper")
    for path in (models_dir() / "training").glob("mqhmr_*.toml"):
        assert tomllib.loads(path.read_text(encoding="utf-8"))


def test_killed_and_resumed_is_as_uninterrupted(tmp_path):
    data = FixedData(people(), POINTS)
    train_mqhmr(TINY, data, tmp_path / "whole", body=BODY)

    class Killed(Exception):
        pass

    def kill(text: str) -> None:
        # The log's entry of step 4: its checkpoint is not written yet, so that steps 3 and 4 are done again.
        if text.startswith("step 4 "):
            raise Killed

    with pytest.raises(Killed):
        train_mqhmr(TINY, data, tmp_path / "parts", body=BODY, progress=kill)
    assert torch.load(tmp_path / "parts" / CHECKPOINT, weights_only=True)["step"] == 2
    train_mqhmr(TINY, data, tmp_path / "parts", body=BODY)
    one, other = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    logs = [[json.loads(line) for line in (tmp_path / name / LOG).read_text().splitlines()] for name in
            ("whole", "parts")]  # fmt: skip
    for log in logs:
        for line in log:
            del line["time"]
    assert logs[0] == logs[1]
    saved = load_mqhmr(tmp_path / "parts" / "weights", BODY)
    assert "6 steps, 12 images" in (tmp_path / "parts" / "weights" / "README.md").read_text()
    assert all(torch.equal(value, one[f"average.{name}"]) for name, value in saved.state_dict().items())
    assert {"total", "pose", "shape", "points_3d", "points_2d", "rate"} <= logs[0][0].keys()
    assert {"mpjpe", "pa_mpjpe"} <= logs[0][-1].keys()


def test_the_encoder_alone_learns_at_first(tmp_path):
    """Dense points: the rest of the network waits, goes on later, and all of it survives a stop."""
    config = replace(TINY, dense=1.0, dense_steps=3, average=0.0, weight_decay=0.0)
    data = FixedData(people(), POINTS)
    torch.manual_seed(config.seed)
    start = {name: value.clone() for name, value in build(config.network, body=BODY).state_dict().items()}

    def stop(text: str) -> None:
        if text.startswith("step 4 "):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_mqhmr(config, data, tmp_path / "parts", body=BODY, progress=stop)
    content = torch.load(tmp_path / "parts" / CHECKPOINT, weights_only=True)
    assert content["step"] == 2
    changed = {name.split(".")[0] for name, value in content["network"].items() if not torch.equal(value, start[name])}
    assert changed == {"encoder"}
    again = train_mqhmr(config, data, tmp_path / "parts", body=BODY).state_dict()
    assert not torch.equal(again["head.pose.weight"], start["head.pose.weight"])
    whole = train_mqhmr(config, data, tmp_path / "whole", body=BODY).state_dict()
    assert all(torch.equal(value, whole[name]) for name, value in again.items())
    first, last = (json.loads(line) for line in (tmp_path / "whole" / LOG).read_text().splitlines()[::2])
    assert "pose" not in first and {"dense", "pose"} <= last.keys()  # noqa: PT018


def test_training_lowers_the_error(tmp_path):
    data = FixedData(people(), POINTS)
    config = replace(TINY, batch=4, steps=40, average=0.0, losses=replace(TINY.losses, points_3d=1.0, mean=True))
    torch.manual_seed(0)
    start = evaluate_network(build(config.network, body=BODY), data.validation(4, 4), "synthetic", POINTS)
    network = train_mqhmr(config, data, tmp_path, body=BODY)
    end = evaluate_network(network, data.validation(4, 4), "synthetic", POINTS)
    assert end.means["mpjpe"] < 0.8 * start.means["mpjpe"]


def test_the_truth_scores_nothing_and_its_mesh_too():
    """A network that says the truth has no error: cameras, rotations, points and meshes are in the same axes."""
    truth = people()

    class Oracle(torch.nn.Module):
        body = BODY

        def forward(self, images, crop, *, vertices=False):
            rotations = torch.cat([(crop.turns().transpose(1, 2) @ truth.rotations[:, 0])[:, None],
                                   truth.rotations[:, 1:]], dim=1)  # fmt: skip
            weak = crop.weak(truth.points_3d[:, POINTS.layout.pelvis, :3])
            return placed(BODY, rotations, truth.shape, weak, crop, vertices=vertices)

    oracle = Oracle()
    scores = evaluate_network(oracle, [truth], "synthetic", POINTS, mesh=True)
    assert all(value < 0.01 for value in scores.means.values())
    parts = hmr_losses(predicted(oracle(None, truth.crop), POINTS), truth, POINTS.layout.pelvis, HmrLossWeights())
    assert float(parts["total"]) < 1e-4
    assert float(parts["points_2d"]) < 1e-2
    with pytest.raises(InputError, match="'nowhere' is none for the body 'anny'"):
        evaluate_network(oracle, [truth], "nowhere", POINTS)


def test_what_does_not_go_together_is_refused(tmp_path):
    data = FixedData(people(), POINTS)
    with pytest.raises(InputError, match="begins from a pre-trained encoder"):
        train_mqhmr(replace(TINY, pretrained=True), data, tmp_path, body=BODY)
    with pytest.raises(InputError, match="the data know the body 'anny', the network has 'smpl'"):
        HmrTrainer(load_hmr_training("paper"), data, tmp_path)
    train_mqhmr(replace(TINY, steps=2), data, tmp_path, body=BODY)
    with pytest.raises(InputError, match="another configuration: rate, steps"):
        train_mqhmr(replace(TINY, rate=1e-3), data, tmp_path, body=BODY)
    with pytest.raises(InputError, match="on other data: 4 items, not 3 items"):
        train_mqhmr(replace(TINY, steps=2), FixedData(people(3), POINTS), tmp_path, body=BODY)
    (tmp_path / CHECKPOINT).write_bytes(b"damaged")
    with pytest.raises(InputError, match="cannot be read"):
        train_mqhmr(replace(TINY, steps=2), data, tmp_path, body=BODY)


def test_losses_without_numbers_end_the_training(tmp_path):
    truth = people()
    wrong = replace(truth, shape=torch.full_like(truth.shape, np.nan))
    with pytest.raises(InputError, match="no number any more; nothing was kept"):
        train_mqhmr(TINY, FixedData(wrong, POINTS), tmp_path, body=BODY)


def test_an_encoder_that_the_user_brings_is_taken(tmp_path):
    config = replace(TINY, network=replace(MqHmrConfig.preset("CI"), layers=1), pretrained=True, steps=1)
    other = build(config.network, body=BODY).encoder
    path = tmp_path / "vitpose.pth"
    torch.save({"state_dict": {f"backbone.{name}": value for name, value in other.state_dict().items()}}, path)
    trainer = HmrTrainer(config, FixedData(people(), POINTS), tmp_path / "out", encoder=path, body=BODY)
    trainer.begin()
    for network in (trainer.network, trainer.average):
        assert torch.equal(network.encoder.pos_embed, other.pos_embed)
