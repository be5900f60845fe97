"""Losses of MQ-HMR: the paper's weights, and where it is silent HMR2.0's norms.

Sums over a batch, as HMR2.0 counts (4D-Humans, MIT, ``hmr2/models/losses.py``): absolute differences of points by
confidence, in the image as parts of its side, in space from the pelvis in metres; squared differences of the elements
of rotations and of the numbers of the shape.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import InputError
from .truth import Truth
from .weak_camera import SIDE


@dataclass(frozen=True)
class HmrLossWeights:
    """Weights of the parts; the defaults are the paper's (and HMR2.0's).

    Attributes:
        pose: of the rotations.
        shape: of the betas or phenotypes.
        points_3d: of the points in space.
        points_2d: of the points in the image.
        mean: whether sums are divided by the number of images, so that a learning rate means the same for any batch.
    """

    pose: float = 1e-3
    shape: float = 5e-4
    points_3d: float = 5e-2
    points_2d: float = 1e-2
    mean: bool = False

    def __post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises:
            InputError: a weight below 0, or all zero.
        """
        weights = {name: getattr(self, name) for name in ("pose", "shape", "points_3d", "points_2d")}
        for name, weight in weights.items():
            if not 0.0 <= weight < float("inf"):
                raise InputError(f"losses.{name}", f"is {weight}", "give 0 or more")
        if not any(weights.values()):
            raise InputError("losses", "are all without weight", "give one at least")


@dataclass(frozen=True, eq=False)
class Predicted:
    """What a network says of a batch.

    Attributes:
        rotations: (B, J, 3, 3) of the joints to their parents, the first to the camera.
        shape: (B, S).
        points_3d: (B, K, 3) right, down, forward [m], from any origin.
        points_2d: (B, K, 2) the same in the image [pixel].
    """

    rotations: Tensor
    shape: Tensor
    points_3d: Tensor
    points_2d: Tensor


def hmr_losses(predicted: Predicted, truth: Truth, pelvis: int, weights: HmrLossWeights) -> dict[str, Tensor]:
    """Return the loss, ``"total"``, and its parts before their weights.

    What is not known (confidence or mask zero) counts nothing, whatever numbers stand there; no point in space counts
    where that of the pelvis is not known.

    Args:
        predicted: of the network.
        truth: of the same images.
        pelvis: number of the point from which those in space are counted.
        weights: of the parts.
    """
    true_3d, confidence_3d = truth.points_3d[..., :3], truth.points_3d[..., 3:]
    confidence_3d = confidence_3d * (confidence_3d[:, pelvis : pelvis + 1] > 0)
    space = predicted.points_3d - predicted.points_3d[:, pelvis : pelvis + 1]
    true_space = true_3d - true_3d[:, pelvis : pelvis + 1]
    parts = {
        "pose": _off(predicted.rotations, truth.rotations, _mask(truth.rotations_known, 4)).square().sum(),
        "shape": _off(predicted.shape, truth.shape, _mask(truth.shape_known, 2)).square().sum(),
        "points_3d": (confidence_3d * _off(space, true_space, confidence_3d)).abs().sum(),
        "points_2d": _points_2d(predicted.points_2d, truth.points_2d),
    }
    if weights.mean:
        parts = {name: value / len(truth) for name, value in parts.items()}
    total = torch.stack([getattr(weights, name) * value for name, value in parts.items()]).sum()
    return {"total": total, **parts}


def _points_2d(predicted: Tensor, true: Tensor) -> Tensor:
    confidence = true[..., 2:]
    return (confidence * _off(predicted, true[..., :2], confidence)).abs().sum() / SIDE


def _mask(known: Tensor, dimensions: int) -> Tensor:
    return known.reshape(-1, *[1] * (dimensions - 1))


def _off(predicted: Tensor, true: Tensor, known: Tensor) -> Tensor:
    """Differences, zero where nothing is known: before anything is squared, so that NaN there reach no gradient."""
    return torch.where(known > 0, predicted - true, torch.zeros_like(predicted))
