"""Networks, losses, disturbances, the log."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
import torch
from neurik_cases import some_coordinates

from biopose_sim.errors import InputError
from biopose_sim.neurik.augment import AugmentConfig, disturb, mesh_error, missing
from biopose_sim.neurik.frame import Framer
from biopose_sim.neurik.losses import LossWeights, losses, make_truth
from biopose_sim.neurik.network import make_network
from biopose_sim.neurik.network_config import NETWORKS, NetworkConfig
from biopose_sim.neurik.predict import Predictor
from biopose_sim.neurik.sampling import resampled
from biopose_sim.neurik.scalars import ScalarLog, _crc32c
from biopose_sim.neurik.weights import load_network, save_network
from biopose_sim.neurik.windows import pose_of, window_starts

SMALL = {"window": 8, "hidden": 32, "width": 16, "heads": 2, "layers": 1, "marker_width": 4}


@pytest.fixture
def scene(skeleton):
    coordinates = some_coordinates(skeleton, (2, 8))
    framed = Framer(skeleton)(skeleton.model(coordinates).markers)
    pose = skeleton.encode(coordinates, framed.heading, framed.origin)
    zero = torch.zeros(2, skeleton.n_sizes)
    offsets = torch.zeros(2, len(skeleton.model.marker_names), 3)
    truth = make_truth(
        skeleton, pose, zero, offsets, torch.ones(2, 8, dtype=torch.bool), torch.ones(2, pose.joints.shape[-1])
    )
    return framed, truth


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("output", ["all", "last"])
def test_a_network_learns_a_window(skeleton, scene, kind, output):
    torch.manual_seed(0)
    network = make_network(skeleton, NetworkConfig(kind=kind, output=output, **SMALL))
    framed, truth = scene
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    history = []
    for _ in range(30):
        parts = losses(skeleton, network(framed), truth, LossWeights(angles=1.0))
        optimiser.zero_grad()
        parts["total"].backward()
        optimiser.step()
        history.append(float(parts["total"].detach()))
    assert history[-1] < 0.7 * history[0]
    assert network(framed)[-1].pose.joints.shape[1] == (8 if output == "all" else 1)


def test_losses_of_the_truth_are_nothing(skeleton, scene):
    from biopose_sim.neurik.network import Estimate

    _, truth = scene
    parts = losses(skeleton, [Estimate(truth.pose, truth.sizes)], truth, LossWeights())
    assert all(float(value) < 1e-5 for value in parts.values())
    assert set(parts) == {"total", "joints", "markers", "scales", "angles"}


def test_weights_come_back_and_changed_ones_are_refused(skeleton, scene, tmp_path):
    network = make_network(skeleton, NetworkConfig(**SMALL)).eval()
    save_network(tmp_path / "w", network, {"licence": "Apache-2.0"})
    again = load_network(tmp_path / "w", skeleton.model)
    framed, _ = scene
    torch.testing.assert_close(again(framed)[-1].sizes, network(framed)[-1].sizes)
    weights = tmp_path / "w" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    with pytest.raises(InputError, match="its card describes"):
        load_network(tmp_path / "w", skeleton.model)
    with pytest.raises(InputError, match="holds no weights"):
        load_network(tmp_path / "nothing")


def test_prediction_of_any_length_and_rate(skeleton):
    torch.manual_seed(0)
    predictor = Predictor(make_network(skeleton, NetworkConfig(**SMALL)))
    markers = skeleton.model(some_coordinates(skeleton, (1, 1))[0].expand(37, -1)).markers
    for frames, rate in ((1, 30.0), (3, 30.0), (8, 30.0), (37, 30.0), (37, 100.0)):
        q, sizes = predictor.coordinates(markers[:frames], rate)
        assert q.shape == (frames, len(skeleton.model.coordinate_names))
        assert torch.isfinite(q).all()
        assert torch.isfinite(sizes).all()


def test_windows_cover_all_frames():
    for frames in (1, 8, 9, 20, 33):
        rows = window_starts(frames, 8, 4)[:, None] + torch.arange(8)
        assert set(range(frames)) <= set(rows.flatten().tolist())
        assert rows.max() < max(frames, 8)


def test_resampling_keeps_straight_lines():
    time = torch.arange(50, dtype=torch.float32) / 100.0
    markers = time[:, None, None].expand(-1, 2, 3).clone()
    slow = resampled(markers, 100.0, 30.0)
    torch.testing.assert_close(slow[:, 0, 0], torch.arange(len(slow)) / 30.0, atol=1e-6, rtol=0)
    markers[18:26] = torch.nan
    assert torch.isnan(resampled(markers, 100.0, 30.0)).any()


def test_rotations_between_others_are_rotations():
    found = pose_of(torch.randn(10, 20)).root_rotation
    torch.testing.assert_close(found @ found.transpose(1, 2), torch.eye(3).expand(10, 3, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(found), torch.ones(10), atol=1e-5, rtol=0)


def test_mesh_error_has_its_length_and_is_alike_nearby():
    random = torch.Generator().manual_seed(0)
    places = torch.tensor([[0.0, 0, 0], [0.02, 0, 0], [1.5, 0, 0]])
    time = torch.tensor([[0.0, 0.01, 3.0]]).expand(4000, -1)
    field = mesh_error(time, places, 0.3, 0.3, random)
    assert float(field.norm(dim=-1).mean()) == pytest.approx(1.0, rel=0.03)

    def alike(a, b):
        return float((a * b).sum(dim=-1).mean() / (a.norm(dim=-1) * b.norm(dim=-1)).mean())

    assert alike(field[:, 0, 0], field[:, 0, 1]) > 0.95
    assert alike(field[:, 0, 0], field[:, 1, 0]) > 0.95
    assert abs(alike(field[:, 0, 0], field[:, 0, 2])) < 0.05
    assert abs(alike(field[:, 0, 0], field[:, 2, 0])) < 0.05


def test_missing_markers_miss_about_as_many_as_said():
    random = torch.Generator().manual_seed(0)
    gone = missing(torch.tensor([0.0, 0.4]), 64, 500, random)
    assert not gone[0].any()
    assert 0.2 < float(gone[1].float().mean()) < 0.5


def test_disturbances_depend_on_the_seed_alone(skeleton):
    markers = torch.zeros(6, 8, 5, 3)
    config = AugmentConfig(noise_share=1.0, mesh_share=1.0, missing_share=1.0)
    runs = [
        disturb(markers, torch.full((6,), 30.0), torch.zeros(5, 3), config, torch.Generator().manual_seed(s))
        for s in (1, 1, 2)
    ]
    torch.testing.assert_close(runs[0], runs[1], equal_nan=True, rtol=0, atol=0)
    assert not torch.allclose(runs[0], runs[2], equal_nan=True)


def test_log_is_an_event_file(tmp_path):
    log = ScalarLog(tmp_path, "log.jsonl")
    log.write(3, {"total": 0.25})
    assert json.loads((tmp_path / "log.jsonl").read_text())["total"] == 0.25
    data = next(tmp_path.glob("events*")).read_bytes()
    assert _crc32c(b"123456789") == 0xE3069283  # of the standard's test vector
    records = []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        records.append(data[12 : 12 + length])
        data = data[16 + length :]
    assert len(records) == 2
    assert b"brain.Event:2" in records[0]
    assert b"total" in records[1]
    assert records[1].endswith(struct.pack("<f", 0.25))
    assert np.isfinite(struct.unpack("<d", records[1][1:9])[0])
