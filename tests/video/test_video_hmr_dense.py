"""Training's aid: cells of the encoder's map say where points lie."""

from __future__ import annotations

import torch

from biopose_sim.video.mqhmr.dense import DensePoints
from biopose_sim.video.mqhmr.truth import Truth

PELVIS = 1


def truth(points: list[list[float]], depths: list[float]) -> Truth:
    """One image with points [across, down, confidence] and depths [m]."""
    count = len(points)
    space = torch.zeros(1, count, 4)
    space[0, :, 2], space[0, :, 3] = torch.tensor(depths), 1.0
    return Truth(
        images=torch.zeros(1, 3, 256, 256, dtype=torch.uint8),
        points_2d=torch.tensor([points]),
        points_3d=space,
        rotations=torch.eye(3).expand(1, 1, 3, 3),
        rotations_known=torch.ones(1),
        shape=torch.zeros(1, 1),
        shape_known=torch.ones(1),
        focal=torch.ones(1),
        centre=torch.zeros(1, 2),
    )


def answering(where: list[int], depths: list[float]) -> tuple[DensePoints, torch.Tensor]:
    """A module and a map whose cells vote for these places, with these depths everywhere."""
    dense = DensePoints(2 * len(where), len(where))
    dense.says.weight.data = torch.eye(2 * len(where))
    features = torch.zeros(1, 2 * len(where), 16, 12)
    for k, cell in enumerate(where):
        features[0, k].view(-1)[cell] = 50.0
        features[0, len(where) + k] = depths[k]
    return dense, features


def test_votes_become_places_and_depths():
    # Row 2, column 3: 32 columns of the square crop are not seen, cells are 16 pixels wide.
    dense, features = answering([2 * 12 + 3, 0], [0.3, 0.0])
    _, places, depths = dense(features)
    assert torch.allclose(places[0], torch.tensor([[32 + 16 * 3.5, 16 * 2.5], [40.0, 8.0]]), atol=1e-3)
    assert torch.allclose(depths[0], torch.tensor([0.3, 0.0]), atol=1e-4)


def test_the_truth_costs_least_and_each_error_more():
    dense, features = answering([2 * 12 + 3, 0], [0.3, 0.0])
    right = truth([[88.0, 40.0, 1.0], [40.0, 8.0, 1.0]], [5.3, 5.0])
    least = dense.loss(features, right, PELVIS)
    for wrong in (
        truth([[104.0, 40.0, 1.0], [40.0, 8.0, 1.0]], [5.3, 5.0]),
        truth([[88.0, 40.0, 1.0], [40.0, 8.0, 1.0]], [5.1, 5.0]),
    ):
        assert dense.loss(features, wrong, PELVIS) > least + 0.9
    away = truth([[104.0, 40.0, 0.0], [40.0, 8.0, 1.0]], [9.0, 5.0])
    assert dense.loss(features, away, PELVIS) <= least  # of no confidence, in the image or in space
    outside = truth([[20.0, 40.0, 1.0], [40.0, 8.0, 1.0]], [9.0, 5.0])
    assert dense.loss(features, outside, PELVIS) <= least  # left of what the encoder sees


def test_what_is_unknown_reaches_no_gradient():
    dense, features = answering([5, 7], [0.0, 0.0])
    unknown = truth([[float("nan"), 40.0, 0.0], [60.0, 60.0, 1.0]], [float("nan"), 5.0])
    dense.loss(features.requires_grad_(), unknown, PELVIS).backward()
    assert torch.isfinite(features.grad).all()
    assert torch.isfinite(dense.says.weight.grad).all()
