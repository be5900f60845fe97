"""A step on a device of its own: everything is there, nothing waits for it; the device "meta" stands in for a GPU."""

from __future__ import annotations

import contextlib
from dataclasses import fields

import pytest
import shard_runs as runs
import torch
from device_watch import Watch

from biopose_sim.neurik.batches import Batches, Windows, windows_of
from biopose_sim.neurik.losses import LossWeights, losses
from biopose_sim.neurik.network import make_network
from biopose_sim.neurik.network_config import NetworkConfig
from biopose_sim.neurik.skeleton import Skeleton
from ik_pipeline.shards import ShardConfig, load_model, write_shards


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    run = runs.write_run(tmp_path_factory.mktemp("run"), groups=("08",), lengths=(16,), rate=30.0, splits=["train"])
    return write_shards(run, config=ShardConfig(window=8, stride=8)).folder


@pytest.mark.parametrize(("kind", "frame"), [("paper", "window"), ("base", "person")])
def test_a_step_stays_on_its_device(shards, monkeypatch, kind, frame):
    # It has no other precisions.
    monkeypatch.setattr(torch, "autocast", lambda *_args, **_options: contextlib.nullcontext())
    device = torch.device("meta")
    skeleton = Skeleton(load_model(shards))
    batches = Batches(shards, "train", skeleton, size=2, window=8)
    windows = windows_of(batches.data.batch([0, 1]))
    there = Windows(*(getattr(windows, f.name).to(device) for f in fields(windows)))
    small = {"window": 8, "hidden": 16, "width": 8, "heads": 2, "layers": 1, "marker_width": 2}
    network = make_network(skeleton, NetworkConfig(kind=kind, frame=frame, **small)).to(device)

    def step():
        batch = batches._batch(there, torch.Generator())
        total = losses(skeleton, network(batch.framed), batch.truth, LossWeights())["total"]
        total.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        return total

    assert step().device.type == "meta"  # what does not change is brought there once
    with Watch() as watch:
        step()
    assert watch.seen == []
