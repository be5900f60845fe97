"""Terms of the inverse-kinematics cost in torch: each gives cost (B,), gradient (B, n) and matrix (B, n, n)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from biopose_sim.kinematics.jacobian import marker_jacobian
from biopose_sim.kinematics.model import OsimModel


class Term(NamedTuple):
    """Value and Gauss-Newton expansion of one term of the cost of B frames."""

    cost: Tensor
    gradient: Tensor
    matrix: Tensor

    def __add__(self, other: Term) -> Term:  # type: ignore[override]
        return Term(*(a + b for a, b in zip(self, other)))


def marker_residual(markers: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Root-weighted marker deviations (B, 3 M) [m] for markers and targets (B, M, 3) and weights (B, M)."""
    return (weights.sqrt()[..., None] * (markers - targets)).flatten(1)


def marker_term(
    model: OsimModel, q: Tensor, markers: Tensor, columns: Tensor, targets: Tensor, weights: Tensor
) -> Term:
    """1/2 sum w |x - y|^2 over the markers with the given indices, in the given columns of q (B, n_q)."""
    points, jacobian = marker_jacobian(model, q)
    points = points.index_select(1, markers)
    jacobian = jacobian.index_select(1, markers).index_select(3, columns)
    r = marker_residual(points, targets, weights)
    rows = (weights.sqrt()[..., None, None] * jacobian).flatten(1, 2)
    return Term(0.5 * r.square().sum(1), torch.einsum("brn,br->bn", rows, r), rows.transpose(1, 2) @ rows)


def marker_cost(model: OsimModel, q: Tensor, markers: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """1/2 sum w |x - y|^2, shape (B,)."""
    points = model(q).markers.index_select(1, markers)
    return 0.5 * marker_residual(points, targets, weights).square().sum(1)


def goal_cost(x: Tensor, goal: Tensor, weight: Tensor) -> Tensor:
    """1/2 sum W (x - g)^2, shape (B,)."""
    return 0.5 * (weight * (x - goal).square()).sum(1)


def goal_term(x: Tensor, goal: Tensor, weight: Tensor) -> Term:
    """1/2 sum W (x - g)^2 for x, g and W of shape (B, n)."""
    return Term(goal_cost(x, goal, weight), weight * (x - goal), torch.diag_embed(weight))
