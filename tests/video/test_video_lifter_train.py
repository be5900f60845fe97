"""What the lifter is trained on, and that it learns: geometry of windows, mirror, other poses, going on, weights."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import shard_runs as runs
import torch

from biopose_sim.errors import InputError
from biopose_sim.neurik.skeleton import Skeleton
from biopose_sim.video.lifter.data import DataConfig, LifterData, balanced, exact, mirror_of_joints
from biopose_sim.video.lifter.evaluate import aligned, evaluate_lifter
from biopose_sim.video.lifter.input import framed
from biopose_sim.video.lifter.losses import LifterLosses, is_leg, key_points, losses, rotation_error
from biopose_sim.video.lifter.mirror import both_sides
from biopose_sim.video.lifter.network import LifterConfig, LifterNetwork, columns
from biopose_sim.video.lifter.train import CHECKPOINT, LifterTraining, load_training, set_statistics, train_lifter
from biopose_sim.video.lifter.weights import add_metrics, load_lifter, stature_of
from biopose_sim.video.points.keypoints import COMMON, LAYOUTS
from biopose_sim.video.points.noise import CLEAN

SMALL = LifterConfig(window=16, joined=4, width=48, heads=4, layers=1, hidden=96)
CONFIG = LifterTraining(
    network=SMALL, data=exact(DataConfig(), CLEAN), batch=4, steps=12, log_steps=4, warm_up=2,
    validation_minutes=60.0, validation_windows=4,
)  # fmt: skip


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    from ik_pipeline.shards import ShardConfig, write_shards

    run = runs.write_run(tmp_path_factory.mktemp("run"), lengths=(60, 40), rate=30.0, splits=["train", "val", "test"])
    return write_shards(run, config=ShardConfig(window=16, stride=8)).folder


@pytest.fixture(scope="module")
def skeleton(shards):
    from ik_pipeline.shards import load_model

    return Skeleton(load_model(shards))


def window_data(shards, skeleton, **changes):
    return LifterData(shards, "train", skeleton, 16, replace(exact(DataConfig(), CLEAN), **changes))


@pytest.mark.parametrize(
    "changes", [{}, {"mirror": 1.0}, {"straight": 1.0, "bent": 1.0, "mixed": 0.5}, {"mirror": 0.5}]
)
def test_what_is_seen_is_what_is_true(shards, skeleton, changes):
    """Key points in the features are those of the truth before the turned camera."""
    data = window_data(shards, skeleton, **changes)
    batch = data.batch(np.arange(6), np.random.default_rng(0))
    size = torch.exp(batch.features[..., 92] - 1.5)
    depth = torch.exp(batch.place[..., 2]) / size
    root = torch.stack([batch.place[..., 0] * size * depth, batch.place[..., 1] * size * depth, depth], dim=-1)
    points = batch.points + root[:, :, None]
    shown = batch.features[..., :92].unflatten(-1, (23, 4))
    seen = points[..., :2] / points[..., 2:] / size[..., None, None]
    assert torch.allclose(shown[..., :2], seen, atol=1e-4)
    # ... and the joints say where they are, but for the 5 mm that markers lie off the model, and its marker offsets.
    network = LifterNetwork(skeleton, SMALL)
    markers, _ = network.root_relative(batch.joints, batch.sizes)
    matrix = torch.tensor(data.matrix, dtype=torch.float32)
    found = matrix @ markers @ batch.rotation.transpose(-1, -2)
    assert (found - batch.points).norm(dim=-1).median() < 0.05
    assert torch.allclose(torch.linalg.det(batch.rotation), torch.ones(6, 16), atol=1e-4)


def test_a_mirrored_pose_has_mirrored_points(skeleton):
    twins, signs = mirror_of_joints(skeleton.joint_names)
    joints = torch.rand(1, 5, len(twins)) - 0.5
    network = LifterNetwork(skeleton, SMALL)
    sizes = torch.zeros(1, skeleton.n_sizes)
    _, centres = network.root_relative(joints, sizes)
    _, other = network.root_relative(torch.tensor(signs).float() * joints[..., twins], sizes)
    names = skeleton.model.joint_names
    back = [names.index({"_r": n[:-2] + "_l", "_l": n[:-2] + "_r"}.get(n[-2:], n)) for n in names]
    assert torch.allclose(other, centres[:, :, back] * torch.tensor([1.0, 1.0, -1.0]), atol=1e-5)


def test_a_correction_sees_the_misfit_and_its_slope(shards, skeleton):
    network = LifterNetwork(skeleton, replace(SMALL, corrections=1))
    batch = window_data(shards, skeleton).batch(np.arange(4), np.random.default_rng(0))
    true = torch.cat([columns(batch.rotation), batch.place, batch.up, batch.joints], dim=-1)
    count = true.shape[-1]

    def looked_at(numbers):
        off, pose, slope = network._misfit(batch.features, numbers, batch.sizes).split([46, count, count], dim=-1)
        assert torch.equal(pose, numbers.clamp(-8.0, 8.0))
        return off.square().mean(), slope

    wrong = true + 0.1 * torch.randn(true.shape, generator=torch.Generator().manual_seed(0))
    right, start = looked_at(true)[0], looked_at(wrong)
    assert right < 0.2 * start[0]
    # Against the slope it goes down.
    assert looked_at(wrong - 0.01 * start[1])[0] < 0.97 * start[0]
    lifted = network(batch.features)
    assert len(lifted.earlier) == 1
    parts = losses(network, lifted, batch, LifterLosses())
    parts["total"].backward()
    assert network.correction.weight.grad.abs().max() > 0.0
    with torch.no_grad():
        network.correction.weight.normal_(std=0.3)
        assert not torch.allclose(network(batch.features).joints, lifted.joints, atol=1e-3)


def test_a_mirrored_picture_gives_the_mirrored_body(shards, skeleton):
    torch.manual_seed(0)
    network = LifterNetwork(skeleton, replace(SMALL, corrections=1)).eval()
    features = window_data(shards, skeleton).batch(np.arange(4), np.random.default_rng(0)).features
    flat = features[..., :92].unflatten(-1, (23, 4)) * torch.tensor([-1.0, 1.0, 1.0, 1.0])
    mirror = list(LAYOUTS["anny23"].mirror)
    other = torch.cat([flat[..., mirror, :].flatten(-2), features[..., 92:] * torch.tensor([1.0, -1.0, 1.0])], dim=-1)
    with torch.no_grad():
        here, there = both_sides(network, features), both_sides(network, other)
        points, mirrored = key_points(network, here), key_points(network, there)
    assert torch.allclose(here.sizes, there.sizes, atol=1e-5)
    # The model's own left and right differ by fractions of a millimetre.
    assert torch.allclose(mirrored, points[:, :, mirror] * torch.tensor([-1.0, 1.0, 1.0]), atol=2e-3)


def test_balance_holds_back_who_is_there_often():
    takes = np.array(["01_01"] * 2 + ["02_01"] * 10 + ["02_02"] * 30)
    even = balanced(takes, 1.0)
    assert [even[:2].sum(), even[2:12].sum(), even[12:].sum()] == pytest.approx([0.5, 0.25, 0.25])
    assert balanced(takes, 0.0) == pytest.approx(1.0 / 42.0)
    assert 2.0 / 42.0 < balanced(takes, 0.5)[:2].sum() < 0.5


def test_the_turned_camera_looks_at_the_person():
    random = np.random.default_rng(0)
    flat = random.uniform(-0.2, 0.2, (2, 16, 23, 2)) + np.array([0.5, -0.3])
    flat[0, 3:6] = np.nan
    found = framed(flat, np.ones((2, 16, 23)))
    rays = np.concatenate([found.points, np.ones_like(found.points[..., :1])], axis=-1)
    back = np.einsum("btji,btkj->btki", found.turn, rays)
    assert np.allclose((back[..., :2] / back[..., 2:])[1], flat[1])
    assert np.abs(np.nanmean(found.points, axis=(1, 2))).max() < 0.03
    assert np.isfinite(found.features).all()
    shown = found.features[..., :92].reshape(2, 16, 23, 4)
    assert (shown[0, 3:6] == 0.0).all()
    assert shown[1, :, :, :2].std() == pytest.approx(0.7, abs=0.15)


def test_straight_legs_keep_the_foot(shards, skeleton):
    data = window_data(shards, skeleton)
    coordinates = torch.zeros(3, 16, len(skeleton.model.coordinate_names))
    names = skeleton.model.coordinate_names
    columns = [names.index(f"{part}_r") for part in ("hip_flexion", "knee_angle", "ankle_angle")]
    coordinates[..., columns] = torch.tensor(np.radians([30.0, 40.0, 15.0])).float()
    found = data._poses(coordinates, 1.0, 0.0, 0.0, np.random.default_rng(0))
    change = np.degrees((found - coordinates)[..., columns].numpy())
    assert (change[..., 1] < -1.0).all()
    assert (change[..., 1] > -41.0).all()
    assert np.allclose(change[..., 0] - change[..., 1] + change[..., 2], 0.0, atol=1e-3)
    same = data._poses(coordinates, 0.0, 0.0, 0.0, np.random.default_rng(0))
    assert torch.allclose(same, coordinates, atol=1e-5)


def test_alignment_undoes_a_similarity():
    random = np.random.default_rng(0)
    true = random.normal(size=(5, 13, 3))
    turn = np.linalg.qr(random.normal(size=(3, 3)))[0]
    turn *= np.linalg.det(turn)
    assert np.allclose(aligned(0.3 * true @ turn + [1.0, 2.0, 3.0], true), true)
    mirrored = true * [1.0, 1.0, -1.0]
    assert np.linalg.norm(aligned(mirrored, true) - true, axis=-1).mean() > 0.3


def test_rotation_errors_are_angles():
    angle = torch.tensor(0.3)
    c, s = angle.cos(), angle.sin()
    turn = torch.stack([torch.stack([c, -s, c * 0]), torch.stack([s, c, c * 0]), torch.tensor([0.0, 0.0, 1.0])])
    assert torch.allclose(rotation_error(torch.eye(3), turn), torch.tensor([0.0, 0.0, 0.3]), atol=1e-6)
    assert len(COMMON) == 23
    assert is_leg(("knee_angle_r", "elbow_flex_r", "lumbar_bending")).tolist() == [1, 0, 0]


def test_it_learns_a_few_windows(shards, skeleton):
    torch.manual_seed(0)
    data = window_data(shards, skeleton)
    network = LifterNetwork(skeleton, SMALL)
    set_statistics(network, data, 0)
    batch = data.batch(np.arange(4), np.random.default_rng(0))
    optimiser = torch.optim.AdamW(network.parameters(), lr=5e-3)
    log = []
    for _ in range(75):
        parts = losses(network, network(batch.features), batch, LifterLosses())
        optimiser.zero_grad()
        parts["total"].backward()
        optimiser.step()
        log.append({name: float(value.detach()) for name, value in parts.items()})
    for name, share in (("points", 0.25), ("angles", 0.35), ("rotation", 0.2), ("up", 0.3), ("speed", 0.6)):
        assert log[-1][name] < share * log[0][name], (name, log[0][name], log[-1][name])
    assert log[-1]["spread"] < log[0]["spread"] - 0.5


def test_training_is_gone_on_with_and_shipped(shards, tmp_path):
    lines: list[str] = []
    network = train_lifter(shards, tmp_path, CONFIG, tell=lines.append)
    assert any("noise 2 %: PA [mm]" in line for line in lines)
    loaded = load_lifter(tmp_path / "weights")
    for name, value in network.state_dict().items():
        assert torch.allclose(loaded.state_dict()[name], value, rtol=1e-3, atol=1e-4), name
    card = json.loads((tmp_path / "weights" / "card.json").read_text())
    assert card["training"]["steps"] == 12
    assert card["metrics"]["validation"]["clean"]["PA [mm]"] > 0.0
    known = stature_of(tmp_path / "weights")
    assert known is not None
    assert known[1].sum() == pytest.approx(1.0)
    figures = evaluate_lifter(loaded, shards, "test", "realistic", windows=4)
    assert set(figures) == set(card["metrics"]["validation"]["clean"])
    add_metrics(tmp_path / "weights", "test", {"realistic": figures})
    assert "- test, realistic: PA [mm]" in (tmp_path / "weights" / "README.md").read_text()
    assert stature_of(tmp_path / "weights") is not None
    # A run that is over is not begun anew; another configuration does not go on from it.
    written = (tmp_path / CHECKPOINT).stat().st_mtime_ns
    train_lifter(shards, tmp_path, CONFIG)
    assert (tmp_path / CHECKPOINT).stat().st_mtime_ns == written
    with pytest.raises(InputError, match="another configuration: rate"):
        train_lifter(shards, tmp_path, replace(CONFIG, rate=2e-3))
    (tmp_path / "weights" / "weights.safetensors").write_bytes(b"")
    with pytest.raises(InputError, match="not the file that its card describes"):
        load_lifter(tmp_path / "weights")


def test_the_shipped_configuration_is_read(tmp_path):
    assert load_training().network.window == 64
    bad = tmp_path / "bad.toml"
    bad.write_text("[network]\nwindow = 30\n")
    with pytest.raises(InputError, match=r"network\.window"):
        load_training(bad)
    bad.write_text("[data.noise]\nwhyte = 0.1\n")
    with pytest.raises(InputError, match=r"data\.noise\.whyte"):
        load_training(bad)
