"""The 24 joints of the head on Anny's 104 bones, and back.

The bones follow the joints as `bodies.retarget_pose` spreads a recording over them: spine, thighs, shins, feet, arms
and hands by a joint each; what lies between shares the turn or the twist of its neighbours; the rest follows its
parent. So recordings retargeted there come back nearly unchanged: virtual markers 0.5 mm off in the mean and at most 6
over 16 CMU takes. All rotations here are those in the world relative to rest, in one set of axes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...bodies.anny_table import AnnyData
from ...bodies.retarget_rig import SUFFIX, rig_of
from ..points.keypoints import LAYOUTS
from .rotations import about, part_way, twist_angle

# An adult between man and woman.
MEAN_ADULT = (0.5, 0.78, 0.5, 0.5, 0.36, 0.5)
JOINTS = LAYOUTS["smpl24"].points
# The bone whose turn each joint's is.
_TURNS = {
    "pelvis": "root", "spine1": "spine04", "spine2": "spine03", "spine3": "spine02", "neck": "neck02", "head": "head",
    "hip": "upperleg02", "knee": "lowerleg01", "ankle": "foot", "foot": "toe2-1", "collar": "clavicle",
    "shoulder": "upperarm02", "elbow": "lowerarm01", "wrist": "wrist", "hand": "finger3-1",
}  # fmt: skip
# The bone at whose head each joint lies, where it is another one.
_PLACES = {"hip": "upperleg01", "shoulder": "upperarm01", "neck": "neck01"}
_TOES = tuple(f"toe{k}-1" for k in range(1, 6))
_FINGERS = tuple(f"finger{k}-1" for k in range(1, 6))
# How `bodies.retarget_pose` shares turns and twists.
_GIRDLE_SHARE, _HALF, _SHIN_SHARE = 0.35, 0.5, 0.3
_TWIST_LIMIT = float(np.radians(110.0))
# Bones between the joints, in the order in which `AnnyBones.turns` makes them: left and right, then the neck's.
_BETWEEN = ("upperleg01", "lowerleg02", "shoulder01", "upperarm01", "lowerarm02")
_NECK = ("neck01", "neck03")


@dataclass(frozen=True, eq=False)
class AnnyBones:
    """Fixed tables of the two ways.

    Attributes:
        source: (104,) which of the 24 joints and of the bones between them turns each bone.
        turning: (24,) the bone whose turn each joint's is.
        places: (24,) the bone at whose head each joint lies.
        axes: (4, 2, 3) unit directions of thighs, shins, upper arms and forearms at rest, left and right.
    """

    source: Tensor
    turning: Tensor
    places: Tensor
    axes: Tensor

    @classmethod
    def of(cls, data: AnnyData) -> AnnyBones:
        """The tables of the shipped bodies."""
        names = data.joint_names
        drivers = {_bone(joint): k for k, joint in enumerate(JOINTS)}
        for suffix in SUFFIX.values():
            drivers |= {f"{toe}{suffix}": drivers[f"toe2-1{suffix}"] for toe in _TOES}
            drivers |= {f"{finger}{suffix}": drivers[f"finger3-1{suffix}"] for finger in _FINGERS}
        between = [f"{bone}{suffix}" for bone in _BETWEEN for suffix in SUFFIX.values()]
        drivers |= {bone: len(JOINTS) + k for k, bone in enumerate((*between, *_NECK))}
        source: list[int] = []
        for name, parent in zip(names, data.parents):
            source.append(drivers[name] if name in drivers else source[parent])
        turning = [names.index(_bone(joint)) for joint in JOINTS]
        places = [names.index(_bone(joint, _TURNS | _PLACES)) for joint in JOINTS]
        return cls(torch.tensor(source), torch.tensor(turning), torch.tensor(places), _axes())

    def to(self, like: Tensor) -> AnnyBones:
        """The tables on the device and of the type of another tensor."""
        device = like.device
        return AnnyBones(
            self.source.to(device), self.turning.to(device), self.places.to(device), self.axes.to(device, like.dtype)
        )

    def turns(self, joints: Tensor) -> Tensor:
        """Return the rotations of the bones, (B, 104, 3, 3), from those of the joints, (B, 24, 3, 3)."""
        hips, knees, ankles, collars, shoulders, elbows, wrists = (
            joints[:, [JOINTS.index(f"left_{part}"), JOINTS.index(f"right_{part}")]]
            for part in ("hip", "knee", "ankle", "collar", "shoulder", "elbow", "wrist")
        )
        pelvis, chest, neck, head = (joints[:, [JOINTS.index(part)]] for part in ("pelvis", "spine3", "neck", "head"))
        thigh, shin, arm, forearm = self.axes
        between = [
            _less_twist(pelvis, hips, thigh, _HALF),
            knees @ _part_of_twist(knees, ankles, shin, _SHIN_SHARE),
            part_way(collars, _less_twist(collars, shoulders, arm, 0.0), _GIRDLE_SHARE),
            _less_twist(collars, shoulders, arm, _HALF),
            elbows @ _part_of_twist(elbows, wrists, forearm, _HALF),
            part_way(chest, neck, _HALF),
            part_way(neck, head, _HALF),
        ]
        return torch.cat([joints, *between], dim=1).index_select(1, self.source)

    def joints(self, bones: Tensor) -> Tensor:
        """Return the rotations of the joints, (B, 24, 3, 3), from those of the bones, (B, 104, 3, 3)."""
        return bones.index_select(1, self.turning)


def _bone(joint: str, bones: dict[str, str] = _TURNS) -> str:
    """The bone of a joint: ``left_knee`` -> ``lowerleg01.L``."""
    side, _, part = joint.partition("_")
    return f"{bones[part]}{SUFFIX[side]}" if side in SUFFIX else bones[joint]


def _axes() -> Tensor:
    rig = rig_of(np.array(MEAN_ADULT))
    limbs = (
        ("upperleg01", "lowerleg01"),
        ("lowerleg01", "foot"),
        ("upperarm01", "lowerarm01"),
        ("lowerarm01", "wrist"),
    )
    axes = np.array([[rig.head(b + s) - rig.head(a + s) for s in SUFFIX.values()] for a, b in limbs])
    return torch.from_numpy(axes / np.linalg.norm(axes, axis=-1, keepdims=True))


def _less_twist(parent: Tensor, child: Tensor, axis: Tensor, kept: float) -> Tensor:
    """The child's rotation with only a part of its twist against the parent."""
    angle = twist_angle(parent.transpose(-1, -2) @ child, axis)
    return child @ about(axis, kept * _believable(angle) - angle)


def _part_of_twist(parent: Tensor, child: Tensor, axis: Tensor, part: float) -> Tensor:
    """A part of the child's twist against the parent."""
    angle = twist_angle(parent.transpose(-1, -2) @ child, axis)
    return about(axis, part * _believable(angle))


def _believable(angle: Tensor) -> Tensor:
    """A twist that fades to zero from what joints allow to half a turn, where its sign is arbitrary."""
    place = torch.clamp((angle.abs() - _TWIST_LIMIT) / (torch.pi - _TWIST_LIMIT), 0.0, 1.0)
    return angle * (1.0 - place**2 * (3.0 - 2.0 * place))
