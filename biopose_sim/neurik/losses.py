"""Losses of training: joint centres, markers, sizes and angles, as BioPose weighs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from biopose_sim.kinematics.model import ForwardKinematics
from biopose_sim.neurik.network import Estimate
from biopose_sim.neurik.skeleton import Pose, Skeleton


@dataclass(frozen=True)
class LossWeights:
    """Weights of the losses (BioPose, appendix: 1.0, 2.0, 0.1, 0.06); lengths in metres, angles in radians.

    Attributes:
        joints: of the joint centres.
        markers: of the model's markers.
        scales: of the factors of size.
        angles: of the coordinates.
        earlier: of an estimate relative to the one that corrects it.
    """

    joints: float = 1.0
    markers: float = 2.0
    scales: float = 0.1
    angles: float = 0.06
    earlier: float = 0.5


@dataclass(frozen=True)
class Truth:
    """What estimates are compared with, all in the frame of the markers.

    Attributes:
        pose: (B, T, ...).
        sizes: (B, n_sizes).
        marker_offsets: (B, M, 3) of the person's markers [m].
        markers: (B, T, M, 3) of the true model [m].
        joint_centers: (B, T, n_joints, 3) [m].
        valid: (B, T) frames that count.
        free: (B, J) joints that were solved for.
    """

    pose: Pose
    sizes: Tensor
    marker_offsets: Tensor
    markers: Tensor
    joint_centers: Tensor
    valid: Tensor
    free: Tensor


def make_truth(
    skeleton: Skeleton, pose: Pose, sizes: Tensor, marker_offsets: Tensor, valid: Tensor, free: Tensor
) -> Truth:
    """Complete the truth by forward kinematics."""
    with torch.no_grad():
        kinematics = _kinematics(skeleton, pose, sizes, marker_offsets)
        return Truth(pose, sizes, marker_offsets, kinematics.markers, kinematics.joint_centers, valid, free)


def losses(skeleton: Skeleton, estimates: Sequence[Estimate], truth: Truth, weights: LossWeights) -> dict[str, Tensor]:
    """Return the losses by name and their weighted sum, ``"total"``; all are mean absolute differences."""
    parts: dict[str, Tensor] = {}
    total = truth.sizes.new_zeros(())
    share = 1.0
    for estimate in reversed(estimates):
        # Joint centres follow from the same poses as markers: for the last estimate they are worth their time.
        parts_of = _parts(skeleton, estimate, truth, with_joints=not parts)
        weighed = sum(getattr(weights, name) * value for name, value in parts_of.items())
        total = total + share * weighed
        share *= weights.earlier
        parts = parts or {name: value.detach() for name, value in parts_of.items()}
    return {"total": total, **parts}


def _parts(skeleton: Skeleton, estimate: Estimate, truth: Truth, with_joints: bool) -> dict[str, Tensor]:
    pose, frames = estimate.pose, estimate.pose.joints.shape[1]
    # A network of the last frame alone is compared there.
    of = slice(truth.valid.shape[1] - frames, None)
    valid = truth.valid[:, of].to(pose.joints)
    kinematics = _kinematics(skeleton, pose, estimate.sizes, truth.marker_offsets)
    half = skeleton.half_ranges_like(pose.joints)
    turned = (pose.root_rotation - truth.pose.root_rotation[:, of]).abs().mean(dim=(-1, -2))
    free = truth.free[:, None].to(pose.joints) * valid[..., None]
    angles = ((pose.joints - truth.pose.joints[:, of].clamp(-1.0, 1.0)) * half).abs() * free
    found = {
        "markers": _mean((kinematics.markers - truth.markers[:, of]).abs().mean(dim=(-1, -2)), valid),
        "scales": (estimate.sizes - truth.sizes).abs().mean(),
        "angles": angles.sum() / free.sum().clamp_min(1.0) + 0.1 * _mean(turned, valid),
    }
    if with_joints:
        apart = (kinematics.joint_centers - truth.joint_centers[:, of]).abs().mean(dim=(-1, -2))
        found["joints"] = _mean(apart, valid)
    return found


def _kinematics(skeleton: Skeleton, pose: Pose, sizes: Tensor, offsets: Tensor) -> ForwardKinematics:
    coordinates = skeleton.decode(pose)
    frames = coordinates.shape[1]
    scales = skeleton.scales(sizes)[:, None].expand(-1, frames, -1, -1)
    return skeleton.model(coordinates, scales, offsets[:, None].expand(-1, frames, -1, -1))


def _mean(values: Tensor, valid: Tensor) -> Tensor:
    return (values * valid).sum() / valid.sum().clamp_min(1.0)
