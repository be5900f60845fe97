"""Losses on cases counted by hand; what is not known counts nothing, not even NaN."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from biopose_sim.errors import InputError
from biopose_sim.video.mqhmr.losses import HmrLossWeights, Predicted, hmr_losses
from biopose_sim.video.mqhmr.truth import Truth
from biopose_sim.video.mqhmr.weak_camera import SIDE


def truth(**changes: torch.Tensor) -> Truth:
    """Two images of a body with three points and two joints, everything known and zero but the pelvis's place."""
    made = Truth(
        images=torch.zeros(2, 3, SIDE, SIDE, dtype=torch.uint8),
        points_2d=torch.cat([torch.full((2, 3, 2), 10.0), torch.ones(2, 3, 1)], dim=-1),
        points_3d=torch.cat([torch.full((2, 3, 3), 5.0), torch.ones(2, 3, 1)], dim=-1),
        rotations=torch.eye(3).repeat(2, 2, 1, 1),
        rotations_known=torch.ones(2),
        shape=torch.zeros(2, 4),
        shape_known=torch.ones(2),
        focal=torch.ones(2),
        centre=torch.zeros(2, 2),
    )
    return replace(made, **changes)


def guess() -> Predicted:
    """The truth, apart from one number in each part."""
    points = torch.zeros(2, 3, 3)
    points[0, 1, 2] = 0.25  # 0.25 m deeper than the pelvis (point 0)
    pixels = torch.full((2, 3, 2), 10.0)
    pixels[1, 2, 0] += 0.5 * SIDE
    rotations = torch.eye(3).repeat(2, 2, 1, 1)
    rotations[0, 1, 0, 2] = 0.5
    shape = torch.zeros(2, 4)
    shape[1, 3] = 2.0
    return Predicted(*(part.requires_grad_() for part in (rotations, shape, points, pixels)))


def test_parts_and_the_papers_weights():
    parts = hmr_losses(guess(), truth(), 0, HmrLossWeights())
    found = {name: float(value.detach()) for name, value in parts.items()}
    assert found["pose"] == pytest.approx(0.25)
    assert found["shape"] == pytest.approx(4.0)
    assert found["points_3d"] == pytest.approx(0.25)
    assert found["points_2d"] == pytest.approx(0.5)
    assert found["total"] == pytest.approx(1e-3 * 0.25 + 5e-4 * 4.0 + 5e-2 * 0.25 + 1e-2 * 0.5)
    per_image = hmr_losses(guess(), truth(), 0, HmrLossWeights(mean=True))
    assert float(per_image["total"].detach()) == pytest.approx(found["total"] / 2)


def test_points_in_space_count_from_the_pelvis_by_confidence():
    points = truth().points_3d.clone()
    points[0, :, 3] = torch.tensor([1.0, 0.4, 1.0])
    found = hmr_losses(guess(), truth(points_3d=points), 0, HmrLossWeights())
    assert float(found["points_3d"].detach()) == pytest.approx(0.1)
    points[0, 0] = torch.tensor([torch.nan, torch.nan, torch.nan, 0.0])
    found = hmr_losses(guess(), truth(points_3d=points), 0, HmrLossWeights())
    assert float(found["points_3d"].detach()) == 0.0


def test_what_is_unknown_counts_nothing_and_gives_no_gradient():
    nan = torch.tensor(torch.nan)
    unknown = truth(
        points_2d=torch.cat([nan.expand(2, 3, 2), torch.zeros(2, 3, 1)], dim=-1),
        points_3d=torch.cat([nan.expand(2, 3, 3), torch.zeros(2, 3, 1)], dim=-1),
        rotations=nan.expand(2, 2, 3, 3),
        rotations_known=torch.zeros(2),
        shape=nan.expand(2, 4),
        shape_known=torch.zeros(2),
    )
    predicted = guess()
    total = hmr_losses(predicted, unknown, 0, HmrLossWeights())["total"]
    assert float(total.detach()) == 0.0
    total.backward()
    for part in (predicted.rotations, predicted.shape, predicted.points_3d, predicted.points_2d):
        assert not part.grad.any()
    half = replace(unknown, rotations=truth().rotations, rotations_known=torch.tensor([1.0, 0.0]))
    assert float(hmr_losses(guess(), half, 0, HmrLossWeights())["pose"].detach()) == pytest.approx(0.25)


def test_senseless_weights_are_refused():
    with pytest.raises(InputError, match=r"losses\.shape: is -1"):
        HmrLossWeights(shape=-1.0)
    with pytest.raises(InputError, match="all without weight"):
        HmrLossWeights(0.0, 0.0, 0.0, 0.0)
