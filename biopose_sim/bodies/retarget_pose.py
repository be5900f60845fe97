"""Bone rotations of Anny from a BVH motion: global rotations, each bone aligned once between the two rests.

A bone's rotation is that of its joint since the reference pose, after the turn that brings Anny's bone at rest along
the reference's: arms and legs by bone direction and measured flexion axis, trunk and head by the axes of the body,
hands by knuckles, feet by heading only (soles are flat in both rests). Twist is spread over a segment's two bones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from .retarget_rig import SUFFIX, Rig, frame, share, twist_angle, unit
from .retarget_source import FORWARD, LATERAL, UP, Source

Array = NDArray[np.floating]
# Shares found by looking at a trial's frames: how much of the abdomen's turn the lowest lumbar bone makes, how much
# of the raising arm the shoulder girdle follows, how much of its twist each first bone of a segment takes.
_LUMBAR_SHARE = 0.35
_GIRDLE_SHARE = 0.35
_HALF = 0.5
_SHIN_TWIST_SHARE = 0.3
_TWIST_LIMIT = np.radians(110.0)


def bone_rotations(source: Source, rig: Rig) -> Array:
    """Return the world rotation of each of Anny's bones relative to rest, (T, B, 3, 3)."""
    found: dict[str, Array] = {}
    _trunk(source, found)
    for side, suffix in SUFFIX.items():
        _leg(source, rig, side, suffix, found)
        _arm(source, rig, side, suffix, found)
    result = np.empty((len(source.time), len(rig.names), 3, 3))
    for bone, (name, parent) in enumerate(zip(rig.names, rig.parents)):
        result[:, bone] = found[name] if name in found else result[:, parent]
    return result


def _trunk(source: Source, found: dict[str, Array]) -> None:
    joints, turns = source.joints, source.turns
    column = [turns[:, k] for k in (joints.hips, *joints.spine)]
    found["root"] = found["spine05"] = column[0]
    middle = (len(column) - 1) / 2
    found["spine04"] = _along(column, _LUMBAR_SHARE * middle)
    found["spine03"] = _along(column, middle)
    found["spine02"] = found["spine01"] = column[-1]
    head = turns[:, joints.head]
    neck = turns[:, joints.neck[-1]] if joints.neck else share(column[-1], head, _HALF)
    found["neck01"] = share(column[-1], neck, _HALF)
    found["neck02"] = neck
    found["neck03"] = share(neck, head, _HALF)
    found["head"] = head


def _along(column: list[Array], place: float) -> Array:
    """The rotation at a place between the members of a column, 0 the first."""
    low = min(int(place), len(column) - 2)
    part = place - low
    return column[low] if part == 0 else column[low + 1] if part == 1 else share(column[low], column[low + 1], part)


def _aligned(source: Source, side: str, part: str, ours: tuple[Array, Array], theirs: tuple[Array, Array]) -> Array:
    """Rotations (T, 3, 3) of a bone; first and second direction of it at rest in Anny (``ours``) and the BVH."""
    return source.turns[:, source.joints.limbs[f"{side} {part}"]] @ (frame(*theirs) @ frame(*ours).T)


def _leg(source: Source, rig: Rig, side: str, suffix: str, found: dict[str, Array]) -> None:
    hip, knee, ankle = (rig.head(f"{name}{suffix}") for name in ("upperleg01", "lowerleg01", "foot"))
    bones = (source.bone(side, "thigh", "shin"), source.bone(side, "shin", "foot"))
    thigh = _aligned(source, side, "thigh", (knee - hip, LATERAL), (bones[0], source.hinges[f"{side} thigh"]))
    shin = _aligned(source, side, "shin", (ankle - knee, LATERAL), (bones[1], source.hinges[f"{side} shin"]))
    ours = rig.head(f"toe2-1{suffix}") - ankle
    foot = _aligned(source, side, "foot", (UP, ours), (UP, _foot_direction(source, side)))
    found[f"upperleg01{suffix}"] = _less_twist(found["root"], thigh, knee - hip, _HALF)
    found[f"upperleg02{suffix}"] = thigh
    found[f"lowerleg01{suffix}"] = shin
    found[f"lowerleg02{suffix}"] = shin @ _part_of_twist(shin, foot, ankle - knee, _SHIN_TWIST_SHARE)
    found[f"foot{suffix}"] = foot


def _foot_direction(source: Source, side: str) -> Array:
    """Where the foot points in the reference pose (3,); straight ahead if the file does not say."""
    joints, foot = source.joints, source.joints.limbs[f"{side} foot"]
    toe = joints.limb(side, "toe")
    if toe is not None:
        pointing = source.reference[toe] - source.reference[foot]
    else:
        offset = source.bvh.end_offset(foot)
        pointing = FORWARD if offset is None else source.reference_axes[foot] @ offset
    level = pointing * np.array([1.0, 1, 0])
    # An End Site straight below the ankle says nothing.
    return level if np.linalg.norm(level) > 0.3 * np.linalg.norm(pointing) and level @ FORWARD > 0 else FORWARD


def _arm(source: Source, rig: Rig, side: str, suffix: str, found: dict[str, Array]) -> None:
    joints = source.joints
    names = ("upperarm01", "lowerarm01", "wrist")
    shoulder, elbow, wrist = (rig.head(f"{name}{suffix}") for name in names)
    hinge = np.cross(elbow - shoulder, wrist - elbow)
    bones = (source.bone(side, "upper_arm", "forearm"), source.bone(side, "forearm", "hand"))
    upper = _aligned(
        source, side, "upper_arm", (elbow - shoulder, hinge), (bones[0], source.hinges[f"{side} upper_arm"])
    )
    fore = _aligned(source, side, "forearm", (wrist - elbow, hinge), (bones[1], source.hinges[f"{side} forearm"]))
    hand = _hand(source, rig, side, suffix)
    collar = joints.limb(side, "collar")
    girdle = source.turns[:, joints.spine[-1] if collar is None else collar]
    swung = _less_twist(girdle, upper, elbow - shoulder, 0.0)
    found[f"clavicle{suffix}"] = girdle
    found[f"shoulder01{suffix}"] = share(girdle, swung, _GIRDLE_SHARE)
    found[f"upperarm01{suffix}"] = _less_twist(girdle, upper, elbow - shoulder, _HALF)
    found[f"upperarm02{suffix}"] = upper
    found[f"lowerarm01{suffix}"] = fore
    found[f"lowerarm02{suffix}"] = fore @ _part_of_twist(fore, hand, wrist - elbow, _HALF)
    found[f"wrist{suffix}"] = hand


def _hand(source: Source, rig: Rig, side: str, suffix: str) -> Array:
    """Rotations of the hand: by the knuckles where the file has fingers, else palms down in a T-pose."""
    joints, wrist = source.joints, rig.head(f"wrist{suffix}")
    index, middle, little = (rig.head(f"finger{k}-1{suffix}") for k in (2, 3, 5))
    found = [joints.limb(side, part) for part in ("hand", "index", "middle", "little")]
    if all(joint is not None for joint in found):
        at = source.reference[[joint for joint in found if joint is not None]]
        return _aligned(source, side, "hand", (middle - wrist, little - index), (at[2] - at[0], at[3] - at[1]))
    along = source.bone(side, "forearm", "hand")
    return _aligned(source, side, "hand", (middle - wrist, little - index), (along, -FORWARD))


def _less_twist(parent: Array, child: Array, axis: Array, kept: float) -> Array:
    """The child's rotation with only a part of its twist against the parent about its bone's axis at rest (3,)."""
    angle = twist_angle(np.swapaxes(parent, -1, -2) @ child, axis)
    return child @ _about(axis, kept * _believable(angle) - angle)


def _part_of_twist(parent: Array, child: Array, axis: Array, part: float) -> Array:
    """A part of the child's twist against the parent, (T, 3, 3)."""
    angle = twist_angle(np.swapaxes(parent, -1, -2) @ child, axis)
    return _about(axis, part * _believable(angle))


def _believable(angle: Array) -> Array:
    """A twist [rad] that fades to zero from what joints allow to half a turn, where its sign is arbitrary.

    A share of an angle that jumps from half a turn to minus half a turn would make the bone flip.
    """
    place = np.clip((np.abs(angle) - _TWIST_LIMIT) / (np.pi - _TWIST_LIMIT), 0, 1)
    return angle * (1 - place**2 * (3 - 2 * place))


def _about(axis: Array, angle: Array) -> Array:
    return Rotation.from_rotvec(angle[:, None] * unit(axis)).as_matrix()
