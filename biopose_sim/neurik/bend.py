"""Windows of training in other poses and with markers elsewhere, their labels exact.

Joints are drawn towards smooth random paths within their ranges. The model's markers follow by forward kinematics, what
the measured ones were off goes along with the segments: so a network meets poses that the recordings do not have.
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
    """Windows after bending, see :func:`bent`: markers (B, T, M, 3), coordinates (B, T, n_q), offsets (B, M, 3)."""

    markers: Tensor
    coordinates: Tensor
    offsets: Tensor


def bent(
    skeleton: Skeleton,
    windows: Bent,
    scales: Tensor,
    rate: Tensor,
    free: Tensor,
    config: AugmentConfig,
    random: torch.Generator,
) -> Bent:
    """Bend a share of windows, and move the markers of a share.

    Args:
        skeleton: of the shards' model.
        windows: measured markers (B, T, M, 3) [m], NaN where not seen, coordinates [rad | m] and marker offsets [m].
        scales: factors of the persons, (B, n_bodies, 3).
        rate: (B,) frames per second [Hz].
        free: (B, J) joints that were solved for; others are not bent.
        config: how often and how far.
        random: the source of chance.
    """
    batch = len(windows.markers)
    bends = torch.rand(batch, generator=random) < config.bend_share
    moves = torch.rand(batch, generator=random) < config.offset_share
    rows = torch.nonzero(bends | moves).flatten()
    if not len(rows):
        return windows
    there = generator_on(windows.markers.device, random)
    bends, moves, rows = (x.to(windows.markers.device, non_blocking=True) for x in (bends[rows], moves[rows], rows))
    old, markers, offsets, own = (x[rows] for x in (windows.coordinates, windows.markers, windows.offsets, scales))
    new = _drawn(skeleton, old, rate[rows], free[rows] & bends[:, None], config, there)
    apart = torch.randn(len(rows), markers.shape[2], 3, generator=there, device=there.device)
    apart = apart * (config.offset * torch.rand(len(rows), generator=there, device=there.device) * moves)[:, None, None]
    was, becomes = (_kinematics(skeleton, q, own, offsets) for q in (old, new))
    body = skeleton.marker_body().to(markers.device)
    local = torch.einsum("btmji,btmj->btmi", _turned(was, body), markers - was.markers) + apart[:, None]
    moved = becomes.markers + torch.einsum("btmij,btmj->btmi", _turned(becomes, body), local)
    result = Bent(windows.markers.clone(), windows.coordinates.clone(), windows.offsets.clone())
    result.markers[rows], result.coordinates[rows], result.offsets[rows] = moved, new, offsets + apart
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
