"""Windows of training in other poses, of other proportions and with markers elsewhere, their labels exact.

Joints are drawn towards smooth random paths within their ranges. The model's markers follow by forward kinematics, what
the measured ones were off goes along with the segments: so a network meets poses and bodies that no recording has.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from biopose_sim.kinematics.model import ForwardKinematics
from biopose_sim.neurik.augment import AugmentConfig, generator_on
from biopose_sim.neurik.skeleton import Skeleton

_INSIDE = 0.98  # of half a range, that random paths reach


@dataclass(frozen=True)
class Bent:
    """Windows before or after bending, see :func:`bent`.

    Attributes:
        markers: measured, (B, T, M, 3) [m], NaN where not seen.
        coordinates: (B, T, n_q) [rad | m].
        scales: factors of the persons, (B, n_bodies, 3).
        offsets: of their markers from where scaling puts them, body axes, (B, M, 3) [m].
    """

    markers: Tensor
    coordinates: Tensor
    scales: Tensor
    offsets: Tensor


def bent(
    skeleton: Skeleton, windows: Bent, rate: Tensor, free: Tensor, config: AugmentConfig, random: torch.Generator
) -> Bent:
    """Bend a share of windows, give a share other proportions, and move the markers of a share.

    Args:
        skeleton: of the shards' model.
        windows: as the shards hold them.
        rate: (B,) frames per second [Hz].
        free: (B, J) joints that were solved for; others are not bent.
        config: how often and how far.
        random: the source of chance.
    """
    batch, device = len(windows.markers), windows.markers.device
    shares = torch.tensor([config.bend_share, config.shape_share, config.offset_share])
    struck = torch.rand(batch, 3, generator=random) < shares
    rows = torch.nonzero(struck.any(dim=1)).flatten()
    if not len(rows):
        return windows
    there = generator_on(device, random)
    bends, shapes, moves = (x.to(device, non_blocking=True) for x in struck[rows].T)
    rows = rows.to(device, non_blocking=True)

    def normal(kind: Tensor, most: float, count: int) -> Tensor:
        """Normal numbers (R, count, 3) of a standard deviation up to the most where the kind strikes."""
        drawn = torch.randn(len(rows), count, 3, generator=there, device=there.device)
        return drawn * (most * torch.rand(len(rows), generator=there, device=there.device) * kind)[:, None, None]

    markers, q, scales, offsets = (
        x[rows] for x in (windows.markers, windows.coordinates, windows.scales, windows.offsets)
    )
    new = _drawn(skeleton, q, rate[rows], free[rows] & bends[:, None], config, there)
    factors = skeleton.scales(normal(shapes, config.shape, len(skeleton.groups.names)).flatten(1))
    apart = normal(moves, config.offset, markers.shape[2])
    was = _kinematics(skeleton, q, scales, offsets)
    becomes = _kinematics(skeleton, new, scales * factors, offsets)
    body = skeleton.marker_body().to(device)
    local = torch.einsum("btmji,btmj->btmi", _turned(was, body), markers - was.markers) + apart[:, None]
    moved = becomes.markers + torch.einsum("btmij,btmj->btmi", _turned(becomes, body), local)
    result = Bent(*(x.clone() for x in (windows.markers, windows.coordinates, windows.scales, windows.offsets)))
    result.markers[rows], result.coordinates[rows] = moved, new
    result.scales[rows], result.offsets[rows] = scales * factors, offsets + apart
    return result


def _drawn(
    skeleton: Skeleton, q: Tensor, rate: Tensor, which: Tensor, config: AugmentConfig, random: torch.Generator
) -> Tensor:
    """Coordinates whose joints are drawn towards random paths, some of them in each window."""
    count, frames = q.shape[:2]
    joints = which.shape[1]

    def even() -> Tensor:
        return torch.rand(count, 1, joints, generator=random, device=random.device)

    share = torch.rand(count, 1, 1, generator=random, device=random.device)
    much = even() * (even() < share) * which[:, None]
    time = torch.arange(frames, device=q.device)[None, :, None] / rate[:, None, None]
    path = _INSIDE * torch.sin(2.0 * math.pi * (even() + config.bend_rate * even() * time.to(q)))
    return skeleton.with_joints(q, lambda joint: joint + much * (path - joint))


def _kinematics(skeleton: Skeleton, q: Tensor, scales: Tensor, offsets: Tensor) -> ForwardKinematics:
    frames = q.shape[1]
    return skeleton.model(q, scales[:, None].expand(-1, frames, -1, -1), offsets[:, None].expand(-1, frames, -1, -1))


def _turned(kinematics: ForwardKinematics, body: Tensor) -> Tensor:
    """Rotations (B, T, M, 3, 3) of the markers' segments."""
    return kinematics.transforms[..., :3, :3][..., body, :, :]
