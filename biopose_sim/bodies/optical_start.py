"""First poses of a body for optical markers: segment by segment, from the pelvis outwards, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from .optical_rig import JOINTS, Array, MarkerRig, Pose, Shaped, above, centre_of, product, quaternion

# The joint that moves the markers of a segment; those of `toes` are on the foot for this purpose.
_JOINT_OF = {"femur": "thigh", "tibia": "shin", "calcn": "foot", "toes": "foot", "talus": "foot", "humerus": "upperarm",
             "ulna": "forearm", "radius": "forearm", "hand": "hand", "thorax": "chest", "head": "head",
             "scapula": "clavicle", "lumbar": "abdomen"}  # fmt: skip
_FEWEST_PELVIS = 3


def joint_of(segment: str) -> str:
    """Return the joint that moves the markers on a segment, ``"pelvis"`` for those of the pelvis."""
    side = {"_r": ".R", "_l": ".L"}.get(segment[-2:], "")
    base = segment[:-2] if side else segment
    return _JOINT_OF[base] + side if base in _JOINT_OF else "pelvis"


def first_poses(rig: MarkerRig, shaped: Shaped, markers: Array, segments: Sequence[str]) -> Pose:
    """Return poses in which each segment lies as its markers say, and as the one above where they say nothing.

    Args:
        rig: of the markers.
        shaped: the body.
        markers: (N, M, 3) in Anny's axes [m], NaN where not seen.
        segments: of the markers.
    """
    at = {rig.names[bone]: shaped.heads[k] for k, bone in enumerate(rig.bones)}
    owner = np.array([joint_of(segment) for segment in segments])
    trunk = np.isin(owner, ("pelvis", "abdomen", "chest"))
    pelvis = owner == "pelvis"
    seen = np.asarray(np.isfinite(markers).all(axis=2))
    # Where the pelvis is hardly seen, the trunk stands in for it.
    use = np.where((seen & pelvis).sum(axis=1, keepdims=True) >= _FEWEST_PELVIS, pelvis, trunk) & seen
    use = np.where(use.sum(axis=1, keepdims=True) >= _FEWEST_PELVIS, use, seen)
    root, shift = rigid(shaped.points, markers, use)
    place = np.einsum("nij,j->ni", root, shaped.heads[0]) + shift
    turned, centres = {"pelvis": root}, {"pelvis": place}
    local = np.zeros((len(markers), len(JOINTS), 3))
    rest = {name: at[centre_of(name)] for name in JOINTS} | {"pelvis": shaped.heads[0]}
    for k, joint in enumerate(JOINTS):
        parent = above(joint)
        centre = centres[parent] + turned[parent] @ (rest[joint] - rest[parent])
        own = seen & (owner == joint)
        turned[joint] = turned[parent]
        if own.any() and joint.split(".")[0] not in ("clavicle", "abdomen", "head"):
            turned[joint] = _about_centre(shaped.points - rest[joint], markers - centre[:, None], own, turned[parent])
        centres[joint] = centre
        relative = np.swapaxes(turned[parent], 1, 2) @ turned[joint]
        local[:, k] = unwound(Rotation.from_matrix(relative).as_rotvec())
    return Pose(Rotation.from_matrix(root).as_quat(), place, local)


def rigid(points: Array, markers: Array, use: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Return rotations (N, 3, 3) and shifts (N, 3) that bring points (M, 3) nearest to markers (N, M, 3) (Kabsch)."""
    weights = use / np.maximum(use.sum(axis=1, keepdims=True), 1)
    measured = np.where(use[:, :, None], markers, 0.0)
    ours, theirs = weights @ points, np.einsum("nm,nmi->ni", weights, measured)
    covariance = np.einsum("nm,nmi,nmj->nij", weights, points[None] - ours[:, None], measured - theirs[:, None])
    turned = _nearest(covariance)
    return turned, theirs - np.einsum("nij,nj->ni", turned, ours)


def _about_centre(points: Array, markers: Array, use: NDArray[np.bool_], parent: Array) -> Array:
    """Rotations (N, 3, 3) about a joint; what its markers leave open is as in the segment above."""
    arms = np.where(use[:, :, None], markers, 0.0)
    covariance = np.einsum("nm,mi,nmj->nij", use.astype(float), points, arms)
    # A weak pull to the parent's rotation decides about the axis through a single marker.
    covariance += 1e-2 * np.trace(points.T @ points) / max(len(points), 1) * np.swapaxes(parent, 1, 2)
    return np.where(np.asarray(use.any(axis=1))[:, None, None], _nearest(covariance), parent)


def _nearest(covariance: Array) -> Array:
    u, _, vt = np.linalg.svd(np.swapaxes(covariance, 1, 2))
    u[:, :, 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
    return np.asarray(u @ vt)


def unwound(vectors: Array) -> Array:
    """Return rotation vectors (N, 3) without jumps by whole turns."""
    result = vectors.copy()
    for frame in range(1, len(result)):
        angle = np.linalg.norm(result[frame])
        if angle > np.pi / 2:
            other = result[frame] * (1 - 2 * np.pi / angle)
            if np.sum((other - result[frame - 1]) ** 2) < np.sum((result[frame] - result[frame - 1]) ** 2):
                result[frame] = other
    return result


def turned_by(pose: Pose, step: Array) -> Pose:
    """Return poses after steps (N, 6 + 51): turn of the root [rad], of its place [m], of the joints [rad]."""
    root = product(quaternion(step[:, :3]), pose.root)
    root /= np.linalg.norm(root, axis=1, keepdims=True)
    return Pose(root, pose.place + step[:, 3:6], pose.joints + step[:, 6:].reshape(pose.joints.shape))
