"""Rotations as networks use them: six numbers, down a tree, parts of a turn and of a twist; all differentiable."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

# Keeps square roots and angles differentiable where a turn is zero or half a turn.
_TINY = 1e-12


def matrix_from_six(six: Tensor) -> Tensor:
    """Return rotations (..., 3, 3) from six numbers each, the first and the second column one after the other.

    Zhou et al., CVPR 2019: the columns are made orthonormal, the third is their cross product. The order is HMR2.0's
    (`rot6d_to_rotmat` in 4D-Humans); SPIN and its mean pose interleave the two columns.

    Args:
        six: (..., 6), or (..., 6 J) for (..., J, 3, 3).
    """
    if six.shape[-1] != 6:
        six = six.unflatten(-1, (-1, 6))
    first, second = six[..., :3], six[..., 3:]
    x = functional.normalize(first, dim=-1)
    y = functional.normalize(second - (x * second).sum(-1, keepdim=True) * x, dim=-1)
    return torch.stack([x, y, torch.linalg.cross(x, y)], dim=-1)


def six_from_matrix(rotations: Tensor) -> Tensor:
    """Return the six numbers (..., 6) of rotations (..., 3, 3); the inverse of `matrix_from_six`."""
    return torch.cat([rotations[..., 0], rotations[..., 1]], dim=-1)


def world_rotations(rotations: Tensor, parents: Sequence[int]) -> Tensor:
    """Return rotations (B, J, 3, 3) in the world from those relative to the parents, which come first."""
    found = [rotations[:, 0]]
    for joint in range(1, len(parents)):
        found.append(found[parents[joint]] @ rotations[:, joint])
    return torch.stack(found, dim=1)


def relative_rotations(rotations: Tensor, parents: Sequence[int]) -> Tensor:
    """Return rotations (B, J, 3, 3) relative to the parents from those in the world; the root's stay."""
    above = rotations[:, list(parents[1:])]
    return torch.cat([rotations[:, :1], above.transpose(-1, -2) @ rotations[:, 1:]], dim=1)


def twist_angle(rotations: Tensor, axes: Tensor) -> Tensor:
    """Return the twist of rotations (..., 3, 3) about unit axes (..., 3), (...) [rad] from -pi to pi.

    The rotation is a swing, which has no turn about the axis, after this twist.
    """
    # Four times the quaternion's real part times its parts.
    along = (_axial(rotations) * axes).sum(-1)
    return 2.0 * torch.atan2(along, 1.0 + _trace(rotations) + _TINY)


def about(axes: Tensor, angles: Tensor) -> Tensor:
    """Return rotations (..., 3, 3) by angles (...) [rad] about unit axes (..., 3)."""
    return _from_quaternion(torch.cos(0.5 * angles), torch.sin(0.5 * angles)[..., None] * axes)


def part_way(start: Tensor, end: Tensor, fraction: float) -> Tensor:
    """Return rotations (..., 3, 3) a fraction of the way from ``start`` to ``end``, along the shortest arc."""
    turn = start.transpose(-1, -2) @ end
    real = 0.5 * torch.sqrt(torch.clamp(1.0 + _trace(turn), min=_TINY))
    imaginary = _axial(turn) / (4.0 * real[..., None])
    sine = torch.sqrt((imaginary**2).sum(-1) + _TINY)
    half = torch.atan2(sine, real)
    ratio = torch.sin(fraction * half) / sine
    return start @ _from_quaternion(torch.cos(fraction * half), ratio[..., None] * imaginary)


def _trace(rotations: Tensor) -> Tensor:
    return rotations.diagonal(dim1=-2, dim2=-1).sum(-1)


def _axial(rotations: Tensor) -> Tensor:
    """(..., 3) the antisymmetric part as a vector: twice the sine of the angle times the axis."""
    r = rotations
    return torch.stack([r[..., 2, 1] - r[..., 1, 2], r[..., 0, 2] - r[..., 2, 0], r[..., 1, 0] - r[..., 0, 1]], dim=-1)


def _from_quaternion(real: Tensor, imaginary: Tensor) -> Tensor:
    """(..., 3, 3) from the real (...) and the imaginary part (..., 3) of quaternions of any length but zero."""
    four = functional.normalize(torch.cat([real[..., None], imaginary], dim=-1), dim=-1)
    w, x, y, z = four.unbind(-1)
    rows = [
        *(1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        *(2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        *(2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    ]
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))
