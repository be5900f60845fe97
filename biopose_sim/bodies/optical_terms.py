"""What a fit to optical markers makes small, and its derivatives: markers, priors of the joints, smoothness."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded

from .optical_rig import JOINTS, Array, MarkerRig, Pose, Shaped

N_POSE = 6 + 3 * len(JOINTS)
_STEP = 1e-6  # of the differences [rad]: exact to nine digits
# How far joints stray from Anny's rest pose [deg], about the axes x (bending knee and hip), y, z: wide where markers
# decide, narrow where a joint hardly moves (a knee's abduction) or no laboratory has markers for it.
_SPREAD = {"abdomen": (25, 15, 15), "chest": (12, 12, 12), "head": (30, 30, 30), "clavicle": (8, 8, 8),
           "upperarm": (80, 80, 80), "forearm": (60, 60, 60), "hand": (15, 15, 15), "thigh": (60, 30, 30),
           "shin": (80, 5, 8), "foot": (25, 12, 15)}  # fmt: skip
# Knees and elbows that bend the wrong way: beyond this angle [rad] with this spread [rad].
_KNEE_LIMIT, _KNEE_SPREAD = -0.1, 0.03
# Angular accelerations of joints, standard deviation [rad/s2]; quick ones of walking are about 100.
_ACCELERATION = 60.0


@dataclass(frozen=True, eq=False)
class Terms:
    """Frames of one body with its markers.

    Attributes:
        rig: of the markers.
        markers: (N, M, 3) measured, in Anny's axes [m]; NaN where not seen.
        weights: (M,) one by the variance of a marker [1/m2].
        robust: a marker further away than this counts less and less [m].
    """

    rig: MarkerRig
    markers: Array
    weights: Array
    robust: float

    @cached_property
    def seen(self) -> NDArray[np.bool_]:
        """(N, M)."""
        return np.asarray(np.isfinite(self.markers).all(axis=2))

    @cached_property
    def colours(self) -> list[list[int]]:
        """Joints that move no marker in common, together: their derivatives need one evaluation."""
        groups: list[tuple[list[int], NDArray[np.bool_]]] = []
        for joint, moved in enumerate(self.rig.moved_by):
            for members, taken in groups:
                if moved.any() and not (taken & moved).any():
                    members.append(joint)
                    taken |= moved
                    break
            else:
                if moved.any():
                    groups.append(([joint], moved.copy()))
        return [members for members, _ in groups]

    def gaps(self, points: Array) -> Array:
        """Return model minus measured, (N, M, 3) [m]; zero where not seen."""
        return np.where(self.seen[:, :, None], points - self.markers, 0.0)

    def marker_weights(self, gaps: Array) -> Array:
        """Return (N, M) weights of the markers; far ones count less (Geman-McClure)."""
        distance = (gaps**2).sum(axis=2) / self.robust**2
        return np.asarray(self.seen * self.weights / (1.0 + distance) ** 2)

    def marker_cost(self, gaps: Array) -> Array:
        """Return half the robust sum of squares of each frame, (N,)."""
        squared = (gaps**2).sum(axis=2)
        return np.asarray(0.5 * (self.seen * self.weights * squared / (1.0 + squared / self.robust**2)).sum(axis=1))

    def pose_jacobian(self, shaped: Shaped, pose: Pose, points: Array) -> Array:
        """Return the derivatives of the markers by the steps of `turned_by`, (N, M, 3, 57)."""
        jacobian = np.zeros((*points.shape, N_POSE))
        arms = points - pose.place[:, None]
        x, y, z = np.moveaxis(arms, -1, 0)
        nought = np.zeros_like(x)
        for axis, column in enumerate(((nought, -z, y), (z, nought, -x), (-y, x, nought))):
            jacobian[..., axis] = np.stack(column, axis=-1)
            jacobian[..., axis, 3 + axis] = 1.0
        for members in self.colours:
            for axis in range(3):
                step = np.zeros((1, len(JOINTS), 3))
                step[:, members, axis] = _STEP
                moved = self.rig.points(shaped, Pose(pose.root, pose.place, pose.joints + step))
                slope = (moved - points) / _STEP
                for joint in members:
                    mask = self.rig.moved_by[joint]
                    jacobian[..., 6 + 3 * joint + axis][:, mask] = slope[:, mask]
        return jacobian


def joint_prior(joints: Array) -> tuple[Array, Array, Array]:
    """Return cost (N,), gradient (N, 51) and curvature (N, 51) of the joints' prior."""
    spread = np.radians(np.array([_SPREAD[name.split(".")[0]] for name in JOINTS], dtype=float))
    flat = joints.reshape(len(joints), -1)
    inverse = np.broadcast_to((1.0 / spread**2).ravel(), flat.shape)
    gradient, curvature, cost = flat * inverse, inverse.copy(), 0.5 * (flat**2 * inverse).sum(axis=1)
    for k in (3 * JOINTS.index("shin.L"), 3 * JOINTS.index("shin.R")):
        beyond = np.minimum(flat[:, k] - _KNEE_LIMIT, 0.0) / _KNEE_SPREAD**2
        gradient[:, k] += beyond
        curvature[:, k] += (beyond < 0) / _KNEE_SPREAD**2
        cost = cost + 0.5 * beyond**2 * _KNEE_SPREAD**2
    return cost, gradient, curvature


def smoothness(joints: Array, interval: float) -> tuple[float, Array, float]:
    """Return cost, gradient (N, 51) and weight of the squared second differences of the joints' motion."""
    flat = joints.reshape(len(joints), -1)
    weight = 1.0 / (_ACCELERATION * interval**2) ** 2
    gradient = np.zeros_like(flat)
    if len(flat) < 3:
        return 0.0, gradient, 0.0
    second = flat[2:] - 2 * flat[1:-1] + flat[:-2]
    gradient[2:] += second
    gradient[1:-1] -= 2 * second
    gradient[:-2] += second
    return 0.5 * weight * float((second**2).sum()), weight * gradient, weight


def banded_step(blocks: Array, gradient: Array, weight: float, damping: float) -> Array:
    """Solve for the steps (N, 57) of all frames together.

    Args:
        blocks: (N, 57, 57) curvature of each frame.
        gradient: (N, 57).
        weight: of the second differences of the joints.
        damping: share of the diagonal that is added to it.
    """
    n, width = gradient.shape
    coupled = weight > 0
    reach = 2 * width if coupled else width - 1
    bands = np.zeros((reach + 1, n * width))
    for offset in range(width):
        diagonal = np.diagonal(blocks, -offset, 1, 2)  # (N, width - offset)
        bands[offset].reshape(n, width)[:, : width - offset] = diagonal
    if coupled:
        joints = np.zeros(width)
        joints[6:] = weight
        own, next_, after = np.zeros(n), np.zeros(n), np.zeros(n)
        for shift, factor in ((0, 1.0), (1, -2.0), (2, 1.0)):
            own[shift : shift + n - 2] += factor**2
        next_[:-2] += -2.0
        next_[1:-1] += -2.0
        after[:-2] += 1.0
        for offset, share in ((0, own), (width, next_), (2 * width, after)):
            bands[offset] += (share[:, None] * joints).ravel()
    bands[0] *= 1.0 + damping
    return np.asarray(solveh_banded(bands, -gradient.ravel(), lower=True, overwrite_ab=True)).reshape(n, width)
