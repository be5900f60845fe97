"""What the lifter says of a picture and of its mirror, in the mean."""

from __future__ import annotations

import torch

from ..points.keypoints import COMMON, LAYOUTS
from .data import mirror_of_joints
from .network import Lifted, LifterNetwork, columns, rotation_of


def both_sides(network: LifterNetwork, features: torch.Tensor) -> Lifted:
    """Return the mean of what is said of features (B, T, N_FEATURES) and of their mirror image, turned back."""
    count = 4 * len(COMMON)
    points = features[..., :count].unflatten(-1, (len(COMMON), 4))[..., list(LAYOUTS["anny23"].mirror), :]
    side = points.new_tensor([-1.0, 1.0, 1.0, 1.0])
    # The person's size is the same, the middle's place across the other.
    about = features[..., count:] * side[[1, 0, 2]]
    other = network(torch.cat([(points * side).flatten(-2), about], dim=-1))
    seen = network(features)
    twins, signs = mirror_of_joints(network.skeleton.joint_names)
    across = side[:3]
    # A mirror of the body's own left and right, too, makes a rotation of a rotation.
    rotation = other.rotation * across[:, None] * across.flip(0)
    spread = torch.cat([other.log_sd[..., :3], other.log_sd[..., 3:][..., twins]], dim=-1)
    return Lifted(
        rotation_of(columns(0.5 * (seen.rotation + rotation))),
        0.5 * (seen.joints + other.joints[..., twins] * torch.as_tensor(signs).to(seen.joints)),
        0.5 * (seen.place + other.place * across),
        torch.nn.functional.normalize(seen.up + other.up * across, dim=-1, eps=1e-6),
        0.5 * (seen.sizes + other.sizes),
        0.5 * (seen.log_sd + spread),
    )
