"""A BVH motion brought to Anny's axes, relative to a reference pose in which the body stands upright.

The reference is the zero pose, where that looks like a person (CMU, Mixamo: T- or A-pose). Where it does not (LaFAN:
all bones along one axis), it is the frame in which the person stands most upright.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..errors import InputError
from ..io.bvh import Bvh, chain
from .retarget_names import SIDES, BodyJoints, find_joints
from .retarget_rig import frame, unit

Array = NDArray[np.floating]
LATERAL, FORWARD, UP = np.array([1.0, 0, 0]), np.array([0.0, -1, 0]), np.array([0.0, 0, 1])
# A hinge axis is measured where the limb is bent by more than this [sine], in at least so many frames.
_BENT, _BENT_FRAMES = 0.35, 20
# Legs of a pose that looks like a standing person point down at least so far [cosine].
_LEGS_DOWN = 0.7


@dataclass(frozen=True, eq=False)
class Source:
    """Motion of the joints of a BVH file in Anny's axes (Z up; the reference faces -y, +x to its left).

    Attributes:
        bvh: the file.
        joints: which joint is which part.
        time: (T,) [s], from zero.
        turns: (T, J, 3, 3) rotation of each joint in the world relative to the reference pose.
        places: (T, J, 3) [unit of the file].
        reference: (J, 3) places in the reference pose.
        reference_axes: (J, 3, 3) rotation of each joint in the reference pose: from its own axes to Anny's.
        hinges: (3,) flexion axes in the reference pose of ``"left upper_arm"``, ``"left forearm"``,
            ``"left thigh"``, ``"left shin"`` and those of the right: along cross(upper, lower bone) in flexion.
        assumptions: what was taken for granted, a sentence each.
    """

    bvh: Bvh
    joints: BodyJoints
    time: Array
    turns: Array
    places: Array
    reference: Array
    reference_axes: Array
    hinges: Mapping[str, Array]
    assumptions: tuple[str, ...]

    def at(self, side: str, part: str) -> Array:
        """Return the path of a joint, (T, 3)."""
        return self.places[:, self.joints.limbs[f"{side} {part}"]]

    def bone(self, side: str, upper: str, lower: str) -> Array:
        """Return the direction of a bone in the reference pose, (3,)."""
        limbs = self.joints.limbs
        return unit(self.reference[limbs[f"{side} {lower}"]] - self.reference[limbs[f"{side} {upper}"]])


def source_motion(
    bvh: Bvh, frames: slice = slice(None), fps: float | None = None, names: Mapping[str, str] | None = None
) -> Source:
    """Bring a BVH motion to Anny's axes.

    Args:
        bvh: the file.
        frames: which frames.
        fps: rate [Hz] to resample to (rotations along the shortest arc, places linearly); None keeps the file's.
        names: joint names by part, see `find_joints`.

    Raises:
        InputError: joints that were not found, no frame in the range, legs of no length.
    """
    joints = find_joints(bvh, names)
    chosen = np.arange(bvh.n_frames)[frames]
    if not len(chosen):
        raise InputError(bvh.source or bvh.name, f"no frame in the range; it has {bvh.n_frames}")
    local, shifts = bvh.local_rotations(frames), bvh.local_translations(frames)
    step = frames.step or 1
    time = np.arange(len(chosen)) * bvh.frame_time * step
    if fps is not None:
        time, local, shifts = resample(time, local, shifts, fps)
    rotations, places = chain(bvh.parents, local, shifts)
    up = _vertical(bvh, joints, places)
    world = _upright_axes(up)
    reference, turned, told = _reference(bvh, joints, rotations, places, up)
    own = _body_axes(bvh, joints, reference, turned[2])
    turns = world @ rotations @ np.swapaxes(turned[0], -1, -2) @ own.T
    said = (told,) if told else ()
    standing = (reference - reference[joints.hips]) @ own.T
    moved = places @ world.T
    hinges = _hinges(joints, turns, moved, standing)
    return Source(bvh, joints, time, turns, moved, standing, own @ turned[0], hinges, said)


def resample(time: Array, local: Array, shifts: Array, fps: float) -> tuple[Array, Array, Array]:
    """Return a motion at another rate: rotations along the shortest arc, places linearly, frames as they are where
    the new clock meets them all.

    Args:
        time: (T,) even, from zero [s].
        local: (T, J, 3, 3) rotations.
        shifts: (T, K, 3) places.
        fps: the new rate [Hz].

    Raises:
        InputError: a rate that is not above zero.
    """
    if not fps > 0:
        raise InputError("frame rate", f"is {fps:g} Hz", "give a rate above zero")
    wanted = np.arange(int(np.floor(time[-1] * fps + 1e-6)) + 1) / fps
    place = np.clip(wanted / time[1] if len(time) > 1 else wanted, 0, len(time) - 1)
    before = np.minimum(np.floor(place + 1e-6).astype(int), max(len(time) - 2, 0))
    after = np.minimum(before + 1, len(time) - 1)
    part = np.clip(place - before, 0, 1)
    if np.allclose(part % 1, 0, atol=1e-4):
        nearest = np.rint(place).astype(int)
        return wanted, local[nearest], shifts[nearest]
    turn = Rotation.from_matrix((np.swapaxes(local[before], -1, -2) @ local[after]).reshape(-1, 3, 3)).as_rotvec()
    turn = turn.reshape(len(wanted), -1, 3) * part[:, None, None]
    between = Rotation.from_rotvec(turn.reshape(-1, 3)).as_matrix().reshape(len(wanted), -1, 3, 3)
    mixed = shifts[before] + part[:, None, None] * (shifts[after] - shifts[before])
    return wanted, local[before] @ between, mixed


def _vertical(bvh: Bvh, joints: BodyJoints, places: Array) -> Array:
    """The axis of the file that points up (3,): along which heads are above feet."""
    feet = (places[:, joints.limbs["left foot"]] + places[:, joints.limbs["right foot"]]) / 2
    rise = np.median(unit(places[:, joints.head] - feet), axis=0)
    if not np.isfinite(rise).all() or not np.abs(rise).max() > 0:
        raise InputError(bvh.source or bvh.name, "head and feet lie in one place", "is the skeleton whole?")
    # Y by habit: another axis must be clearly the better one, so that a person who lies down stays lying.
    rise[1] *= 1.5
    axis = int(np.abs(rise).argmax())
    return np.sign(rise[axis]) * np.eye(3)[axis]


def _upright_axes(up: Array) -> Array:
    """Rotation (3, 3) from the axes of the file to Z up; Y up goes to x left, z forward as CMU has it."""
    lateral = np.eye(3)[0] if abs(up[0]) < 0.5 else np.eye(3)[1]
    return np.stack([lateral, np.cross(up, lateral), up])


def _reference(
    bvh: Bvh, joints: BodyJoints, rotations: Array, places: Array, up: Array
) -> tuple[Array, tuple[Array, Array, Array], str]:
    """Places (J, 3), rotations (J, 3, 3) and vertical (3,) of the reference pose."""
    zero = bvh.zero_pose()
    still = np.broadcast_to(np.eye(3), (len(zero), 3, 3))
    for axis in (up, *np.eye(3), *-np.eye(3)):
        if _standing(joints, zero[None], axis)[0] > _LEGS_DOWN:
            return zero, (still, zero, axis), ""
    best = int(_standing(joints, places, up).argmax())
    told = f"the zero pose is no standing person: frame {best + 1} of those read is taken as the upright reference"
    return places[best], (rotations[best], places[best], up), told


def _standing(joints: BodyJoints, places: Array, up: Array) -> Array:
    """How far the legs point down and the trunk up, the worst of the five cosines, (T,)."""
    limbs = joints.limbs
    pairs = [(joints.head, joints.hips)]
    for side in SIDES:
        pairs.append((limbs[f"{side} thigh"], limbs[f"{side} shin"]))
        pairs.append((limbs[f"{side} shin"], limbs[f"{side} foot"]))
    return np.min([unit(places[:, above] - places[:, below]) @ up for above, below in pairs], axis=0)


def _body_axes(bvh: Bvh, joints: BodyJoints, reference: Array, up: Array) -> Array:
    """Rotation (3, 3) from the axes of the file to Anny's in the reference pose."""
    across = reference[joints.limbs["left thigh"]] - reference[joints.limbs["right thigh"]]
    across = across - (across @ up) * up
    if not np.linalg.norm(across) > 0:
        raise InputError(bvh.source or bvh.name, "left and right thigh begin in one place")
    return frame(across, up)[:, [0, 2, 1]].T * np.array([[1.0], [-1.0], [1.0]])


def _hinges(joints: BodyJoints, turns: Array, places: Array, reference: Array) -> dict[str, Array]:
    """Flexion axes of elbows and knees in the reference pose, measured where the limb is bent."""
    hinges = {}
    for side in SIDES:
        for upper, lower, end in (("upper_arm", "forearm", "hand"), ("thigh", "shin", "foot")):
            a, b, c = (joints.limbs[f"{side} {part}"] for part in (upper, lower, end))
            normal = np.cross(unit(places[:, b] - places[:, a]), unit(places[:, c] - places[:, b]))
            bent = np.linalg.norm(normal, axis=1) > _BENT
            for part, joint in ((upper, a), (lower, b)):
                axis = np.einsum("tji,tj->ti", turns[bent, joint], normal[bent]).sum(axis=0)
                if bent.sum() < _BENT_FRAMES or not np.linalg.norm(axis) > 0:
                    bone = reference[b] - reference[a] if part == upper else reference[c] - reference[b]
                    axis = LATERAL if part in ("thigh", "shin") else np.cross(bone, FORWARD)
                hinges[f"{side} {part}"] = unit(axis)
    return hinges
