"""Windows of a motion, and one motion of windows: the network's poses in ground, faded into each other."""

from __future__ import annotations

import torch
from torch import Tensor

from biopose_sim.neurik.frame import Framed
from biopose_sim.neurik.network import Estimate, NeurIKNetwork
from biopose_sim.neurik.skeleton import Pose, turn

_POSE = 12  # numbers of a root's pose in a row: rotation, position


def window_starts(n_frames: int, length: int, stride: int) -> Tensor:
    """Return first frames (W,) of windows that cover all frames; the last one ends with the last frame."""
    if n_frames <= length:
        return torch.zeros(1, dtype=torch.long)
    starts = list(range(0, n_frames - length, stride))
    return torch.tensor([*starts, n_frames - length])


def window_frames(n_frames: int, network: NeurIKNetwork, overlap: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the frames that windows see (W, L), those that they say (W, F), and how much each counts (W, F).

    Args:
        n_frames: of the motion.
        network: how long its windows are, and whether it says all frames or the last one.
        overlap: frames that neighbouring windows share.
    """
    length = network.config.window
    if network.config.output == "last":
        said = torch.arange(n_frames)[:, None]
        return (said - torch.arange(length - 1, -1, -1)).clamp_min(0), said, torch.ones(n_frames, 1)
    rows = window_starts(n_frames, length, length - overlap)[:, None] + torch.arange(length)
    weight = faded(length, overlap).expand(len(rows), -1).clone()
    # What is repeated to fill a window does not count.
    weight[rows >= n_frames] = 0.0
    rows = rows.clamp_max(n_frames - 1)
    return rows, rows, weight


def faded(length: int, overlap: int) -> Tensor:
    """Return weights (length,) that rise and fall over the overlap; those of two neighbours are 1 together."""
    place = (torch.arange(length, dtype=torch.float32) + 0.5) / max(overlap, 1)
    return rising(torch.minimum(place, place.flip(0)))


def rising(place: Tensor) -> Tensor:
    """Return weights that rise smoothly from 0 at place 0 to 1 at place 1."""
    return torch.sin(0.5 * torch.pi * place.clamp(0.0, 1.0)).square()


def rows_of(estimate: Estimate, framed: Framed) -> Tensor:
    """Return an estimate's poses in ground as rows of numbers (B, T, 12 + J): rotation, position [m], joints."""
    pose = estimate.pose
    frames = pose.joints.shape[1]
    heading, origin = framed.heading[:, -frames:], framed.origin[:, -frames:]
    rotation = turn(heading, pose.root_rotation.transpose(-1, -2)).transpose(-1, -2)
    position = turn(heading, pose.root_position) + origin
    return torch.cat([rotation.flatten(-2), position, pose.joints], dim=-1)


def pose_of(rows: Tensor) -> Pose:
    """Return the poses of rows (..., 12 + J), also of rows between others: the rotation is made one again."""
    rotation = rows[..., :9].unflatten(-1, (3, 3))
    x = torch.nn.functional.normalize(rotation[..., 0], dim=-1, eps=1e-9)
    y = rotation[..., 1]
    y = torch.nn.functional.normalize(y - (x * y).sum(dim=-1, keepdim=True) * x, dim=-1, eps=1e-9)
    turned = torch.stack([x, y, torch.linalg.cross(x, y)], dim=-1)
    return Pose(turned, rows[..., 9:_POSE], rows[..., _POSE:])
