"""Losses of the lifter: angles, the root's rotation, gravity, sizes, and the body by forward kinematics."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .data import LifterBatch
from .network import Lifted, LifterNetwork

_LEG = ("hip_flexion", "hip_adduction", "hip_rotation", "knee_angle", "ankle_angle", "subtalar_angle", "mtp_angle")


@dataclass(frozen=True)
class LifterLosses:
    """Weights of the losses, all means of absolute differences; lengths in metres, angles in radians.

    Attributes:
        angles: of the joint coordinates.
        legs: as much more for those of the legs.
        rotation: of the root, entries of its matrix.
        points: of the key points from the root, by forward kinematics.
        place: of the root before the camera.
        up: of the upward direction.
        sizes: of the factors of size.
        speed: of the change of the key points from frame to frame.
        spread: of the uncertainty, a Gaussian's negative logarithmic likelihood.
        earlier: of what was said before each correction: as much of all of the above that need no forward kinematics.
    """

    angles: float = 2.0
    legs: float = 1.5
    rotation: float = 1.0
    points: float = 5.0
    place: float = 0.5
    up: float = 0.5
    sizes: float = 0.3
    speed: float = 5.0
    spread: float = 0.02
    earlier: float = 0.5


def is_leg(names: tuple[str, ...]) -> Tensor:
    """Say which coordinates (J,) are of the legs."""
    return torch.tensor([name[:-2] in _LEG for name in names])


def losses(network: LifterNetwork, lifted: Lifted, batch: LifterBatch, weights: LifterLosses) -> dict[str, Tensor]:
    """Return the losses by name and their weighted sum, ``"total"``.

    Args:
        network: that said ``lifted``.
        lifted: what it said.
        batch: what is true.
        weights: of the parts.
    """
    valid = batch.valid.to(lifted.joints)
    parts, off = _said(network, lifted, batch, weights)
    apart = key_points(network, lifted) - batch.points
    change = (apart[:, 1:] - apart[:, :-1]).abs().mean(dim=(-1, -2))
    turned = rotation_error(lifted.rotation.detach(), batch.rotation)
    error = torch.cat([turned, off.detach()], dim=-1)
    log_sd = lifted.log_sd
    likely = (0.5 * (error * torch.exp(-log_sd)).square().clamp_max(50.0) + log_sd).mean(dim=-1)
    parts |= {
        "points": _mean(apart.abs().mean(dim=(-1, -2)), valid),
        "speed": _mean(change, valid[:, 1:] * valid[:, :-1]),
        "spread": _mean(likely, valid),
    }
    if lifted.earlier:
        before = [_said(network, said, batch, weights)[0] for said in lifted.earlier]
        parts["earlier"] = sum((_weighted(said, weights) for said in before), valid.new_zeros(())) / len(before)
    return {"total": _weighted(parts, weights), **parts}


def _said(
    network: LifterNetwork, lifted: Lifted, batch: LifterBatch, weights: LifterLosses
) -> tuple[dict[str, Tensor], Tensor]:
    """Losses of the numbers themselves, and how far the joints are off, (B, T, J) [rad]."""
    valid = batch.valid.to(lifted.joints)
    off = (lifted.joints - batch.joints.clamp(-1.0, 1.0)) * network.skeleton.half_ranges_like(lifted.joints)
    legs = is_leg(network.skeleton.joint_names).to(off)
    counts = batch.free[:, None].to(off) * valid[..., None] * (1.0 + (weights.legs - 1.0) * legs)
    parts = {
        "angles": (off.abs() * counts).sum() / counts.sum().clamp_min(1.0),
        "rotation": _mean((lifted.rotation - batch.rotation).abs().mean(dim=(-1, -2)), valid),
        "place": _mean((lifted.place - batch.place).abs().mean(dim=-1), valid),
        "up": _mean((lifted.up - batch.up).abs().mean(dim=-1), valid),
        "sizes": (lifted.sizes - batch.sizes).abs().mean(),
    }
    return parts, off


def key_points(network: LifterNetwork, lifted: Lifted) -> Tensor:
    """Return the key points (B, T, 23, 3) from the root in the axes of the turned camera [m]."""
    markers, _ = network.root_relative(lifted.joints, lifted.sizes)
    return network.of_markers(markers) @ lifted.rotation.transpose(-1, -2)


def rotation_error(found: Tensor, true: Tensor) -> Tensor:
    """Return the angles (..., 3) about the camera's axes that lead from rotations (..., 3, 3) to the true ones [rad].

    Near half a turn they are too small.
    """
    r = true @ found.transpose(-1, -2)
    sines = torch.stack([r[..., 2, 1] - r[..., 1, 2], r[..., 0, 2] - r[..., 2, 0], r[..., 1, 0] - r[..., 0, 1]], -1)
    cosine = 0.5 * (r.diagonal(dim1=-2, dim2=-1).sum(-1) - 1.0)
    angle = torch.atan2(0.5 * sines.norm(dim=-1), cosine)
    return torch.nn.functional.normalize(sines, dim=-1, eps=1e-9) * angle[..., None]


def _mean(values: Tensor, valid: Tensor) -> Tensor:
    return (values * valid).sum() / valid.sum().clamp_min(1.0)


def _weighted(parts: dict[str, Tensor], weights: LifterLosses) -> Tensor:
    return torch.stack([getattr(weights, name) * value for name, value in parts.items()]).sum()
