"""Poses that the recordings lack: straight legs, joints bent by chance, limbs of other moments and people.

Few takes make a training set: what was walked was never walked with the arms of somebody who boxes. A network that saw
each pose of the arms with one pose of the legs only learns whole takes by heart.

Motion that was brought to bodies of other proportions keeps the feet on the floor by bending the knees: in the CMU
walks on Anny's bodies they are bent by about 28 degrees where people stand on straight legs. A network that saw
nothing else would see bent knees everywhere.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...neurik.skeleton import Skeleton
from ..points.keypoints import Array
from .input import RATE

_LEG = ("hip_flexion", "hip_adduction", "hip_rotation", "knee_angle", "ankle_angle", "subtalar_angle", "mtp_angle")
_MOST = 40.0  # degrees by which a knee is straightened
_SWING = (30.0, 80.0)  # degrees of flexion from where on a knee keeps more of it, and nearly all
_KEPT = 0.2
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
        legs = [k for k, name in enumerate(names) if name[:-2] in _LEG]
        trunk = [k for k, name in enumerate(names) if name[-2:] not in ("_r", "_l")]
        arms = [[k for k, name in enumerate(names) if name.endswith(side) and k not in legs] for side in ("_r", "_l")]
        self._parts = [part for part in (legs, trunk, *arms) if part]

    def __call__(
        self,
        coordinates: Tensor,
        straight: float,
        bent: float,
        mixed: float,
        random: np.random.Generator,
        bend: float = 10.0,
    ) -> Tensor:
        """Return coordinates (B, T, n_q) [rad | m] of other motions; the root stays.

        Args:
            coordinates: at the network's rate.
            straight: share of windows whose legs are straightened.
            bent: share of windows whose joints are bent.
            mixed: share of windows that have the arms, the trunk or the legs, each with this chance, of another one.
            random: source of chance.
            bend: how far joints are bent, standard deviation, on average over windows [degrees].
        """
        clips, frames = coordinates.shape[:2]
        half = self.skeleton.half_ranges_like(coordinates).numpy()
        middle = self._middle(coordinates)
        angles = self.skeleton.of_joints(coordinates).numpy() - middle
        if mixed > 0.0:
            angles = self._mixed(angles, mixed, random)
        limits = np.maximum(half, np.abs(angles))
        angles = angles + middle
        angles += (random.random((clips, 1, 1)) < bent) * self._bends(clips, frames, len(half), bend, random)
        straightened = random.random((clips, 1)) < straight
        amount = np.radians(random.uniform(0.0, _MOST, (clips, 1)))
        for leg in self._legs:
            own = straightened * amount * random.uniform(0.7, 1.0, (clips, 1))
            _straighten(angles, leg, own)
        angles = np.clip(angles, middle - limits, middle + limits)
        values = torch.from_numpy((angles - middle) / half).to(coordinates)
        return self.skeleton.with_joints(coordinates, lambda _: values)

    def _mixed(self, angles: Array, share: float, random: np.random.Generator) -> Array:
        """Give windows (B, T, J) limbs of each other, half of them backwards in time."""
        clips = len(angles)
        found = angles.copy()
        for part in self._parts:
            other = angles[random.permutation(clips)][..., part]
            other = np.where(random.random((clips, 1, 1)) < 0.5, other, other[:, ::-1])
            chosen = random.random((clips, 1, 1)) < share
            found[..., part] = np.where(chosen, other, found[..., part])
        return found

    def _middle(self, like: Tensor) -> Array:
        """Middles of the joints' ranges (J,) [rad]."""
        zero = torch.zeros_like(like[:1, :1])
        middle: Array = self.skeleton.of_joints(self.skeleton.with_joints(zero, lambda values: 0.0 * values)).numpy()
        return middle[0, 0]

    def _bends(self, clips: int, frames: int, joints: int, bend: float, random: np.random.Generator) -> Array:
        """By how much joints are bent, for good and to and fro, (B, T, J) [rad]."""
        shape = (clips, 1, joints)
        time = np.arange(frames)[:, None] / RATE
        rate = random.uniform(_SLOWEST, _FASTEST, shape)
        wave = np.sin(2.0 * np.pi * (rate * time + random.random(shape)))
        # Some windows are bent much, some hardly: what was recorded stays in sight.
        size = np.radians(bend) * random.uniform(0.0, 2.0, (clips, 1, 1))
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
