"""Poses that the recordings lack: straight legs, joints bent by chance.

Motion that was brought to bodies of other proportions keeps the feet on the floor by bending the knees: in the CMU
walks on Anny's bodies they are bent by about 28 degrees where people stand on straight legs. A network that saw
nothing else would see bent knees everywhere.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..neurik.skeleton import Skeleton
from .keypoints import Array
from .lifter_input import RATE

_MOST = 40.0  # degrees by which a knee is straightened
_SWING = (30.0, 80.0)  # degrees of flexion from where on a knee keeps more of it, and nearly all
_KEPT = 0.2
_BEND_SD = 8.0  # degrees
_SLOWEST, _FASTEST = 0.1, 0.8  # Hz


class OtherPoses:
    """Changes motions of a model.

    Args:
        skeleton: of the model; without hip_flexion, knee_angle and ankle_angle of both sides no leg is straightened.
    """

    def __init__(self, skeleton: Skeleton) -> None:
        self.skeleton = skeleton
        names = skeleton.joint_names
        parts = ("hip_flexion", "knee_angle", "ankle_angle")
        self._legs = [
            [names.index(f"{part}_{side}") for part in parts]
            for side in "rl"
            if all(f"{part}_{side}" in names for part in parts)
        ]

    def __call__(self, coordinates: Tensor, straight: float, bent: float, random: np.random.Generator) -> Tensor:
        """Return coordinates (B, T, n_q) [rad | m] of other motions; the root stays.

        Args:
            coordinates: at the network's rate.
            straight: share of windows whose legs are straightened.
            bent: share of windows whose joints are bent.
            random: source of chance.
        """
        clips, frames = coordinates.shape[:2]
        half = self.skeleton.half_ranges_like(coordinates).numpy()
        middle = self._middle(coordinates)
        angles = self.skeleton.of_joints(coordinates).numpy() - middle
        limits = np.maximum(half, np.abs(angles))
        angles = angles + middle
        angles += (random.random((clips, 1, 1)) < bent) * self._bends(clips, frames, len(half), random)
        straightened = random.random((clips, 1)) < straight
        amount = np.radians(random.uniform(0.0, _MOST, (clips, 1)))
        for leg in self._legs:
            own = straightened * amount * random.uniform(0.7, 1.0, (clips, 1))
            _straighten(angles, leg, own)
        angles = np.clip(angles, middle - limits, middle + limits)
        values = torch.from_numpy((angles - middle) / half).to(coordinates)
        return self.skeleton.with_joints(coordinates, lambda _: values)

    def _middle(self, like: Tensor) -> Array:
        """Middles of the joints' ranges (J,) [rad]."""
        zero = torch.zeros_like(like[:1, :1])
        middle: Array = self.skeleton.of_joints(self.skeleton.with_joints(zero, lambda values: 0.0 * values)).numpy()
        return middle[0, 0]

    def _bends(self, clips: int, frames: int, joints: int, random: np.random.Generator) -> Array:
        """By how much joints are bent, for good and to and fro, (B, T, J) [rad]."""
        shape = (clips, 1, joints)
        time = np.arange(frames)[:, None] / RATE
        rate = random.uniform(_SLOWEST, _FASTEST, shape)
        wave = np.sin(2.0 * np.pi * (rate * time + random.random(shape)))
        size = np.radians(_BEND_SD)
        found: Array = size * (random.standard_normal(shape) + random.standard_normal(shape) * wave)
        return found


def _straighten(angles: Array, leg: list[int], amount: Array) -> None:
    """Straighten a leg by amounts (B, 1) [rad]; the foot stays as it is to the pelvis.

    A knee that swings keeps most of its flexion, one that is straight all.
    """
    hip, knee, ankle = leg
    bent = angles[..., knee]
    low, high = np.radians(_SWING)
    share = np.clip(1.0 - (1.0 - _KEPT) * (bent - low) / (high - low), _KEPT, 1.0)
    change = np.minimum(amount * share, np.maximum(bent, 0.0))
    angles[..., knee] -= change
    angles[..., hip] -= 0.5 * change
    angles[..., ankle] -= 0.5 * change
