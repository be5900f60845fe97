"""A step of MQ-HMR's training on a device of its own: no tensor of the processor gets in, nothing waits for it."""

from __future__ import annotations

import contextlib

import pytest
import torch
from device_watch import Watch

from biopose_sim.video.mqhmr.anny import AnnyHeadBody
from biopose_sim.video.mqhmr.augment import warped
from biopose_sim.video.mqhmr.evaluate import predicted
from biopose_sim.video.mqhmr.layouts import AnnyPoints
from biopose_sim.video.mqhmr.losses import HmrLossWeights, hmr_losses
from biopose_sim.video.mqhmr.network import MqHmrConfig, build
from biopose_sim.video.mqhmr.truth import Changes, Truth, moved


@pytest.mark.parametrize("scales", [(1,), (1, 4)])
def test_a_step_stays_on_its_device(monkeypatch, scales):
    # It has no other precisions.
    monkeypatch.setattr(torch, "autocast", lambda *_args, **_options: contextlib.nullcontext())
    points = AnnyPoints()
    network = build(MqHmrConfig.preset("CI", tokens=4, scales=scales), "meta", body=AnnyHeadBody())
    count = len(points.layout.points)
    with torch.device("meta"):
        truth = Truth(
            images=torch.zeros(2, 3, 256, 256, dtype=torch.uint8),
            points_2d=torch.zeros(2, count, 3),
            points_3d=torch.zeros(2, count, 4),
            rotations=torch.zeros(2, 24, 3, 3),
            rotations_known=torch.ones(2),
            shape=torch.zeros(2, 6),
            shape_known=torch.ones(2),
            focal=torch.ones(2),
            centre=torch.zeros(2, 2),
        )
        one = torch.ones(2)
        changes = Changes(torch.zeros(2, 2), one, one, torch.ones(2, dtype=torch.bool), torch.ones(2, 3))

    def step() -> torch.Tensor:
        changed = moved(truth, changes, points.layout)
        output = network(warped(truth.images, changes), changed.crop, vertices=True)
        total = hmr_losses(predicted(output, points), changed, points.layout.pelvis, HmrLossWeights())["total"]
        total.backward()
        return total

    assert step().device.type == "meta"
    with Watch() as watch:
        step()
    # Small tables and lists of numbers are brought there in each step, which waits for nothing.
    assert [seen for seen in watch.seen if "from the processor" not in seen and "aten.index" not in seen] == []
