"""The motion of a body of known shape from optical markers: all frames of a stretch together (Levenberg-Marquardt)."""

from __future__ import annotations

import numpy as np

from .optical_rig import Array, Pose, Shaped
from .optical_start import turned_by
from .optical_terms import N_POSE, Terms, banded_step, joint_prior, smoothness

_MOST_ITERATIONS = 15
_ENOUGH = 1e-3  # relative change of the cost
_FIRST_DAMPING, _LEAST_DAMPING, _MOST_DAMPING = 1e-3, 1e-7, 1e6


def solve_motion(terms: Terms, shaped: Shaped, pose: Pose, interval: float) -> Pose:
    """Return the poses of a stretch of frames.

    Args:
        terms: the markers.
        shaped: the body, offsets of the markers included.
        pose: where to start.
        interval: between frames [s].
    """
    damping = _FIRST_DAMPING
    cost, points = _cost(terms, shaped, pose, interval)
    for _ in range(_MOST_ITERATIONS):
        blocks, gradient, weight = _normal(terms, shaped, pose, points, interval)
        while damping < _MOST_DAMPING:
            trial = turned_by(pose, banded_step(blocks, gradient, weight, damping))
            new_cost, new_points = _cost(terms, shaped, trial, interval)
            if new_cost < cost:
                break
            damping *= 10.0
        else:
            return pose
        gained = (cost - new_cost) / max(cost, 1e-12)
        pose, cost, points = trial, new_cost, new_points
        damping = max(damping * 0.1, _LEAST_DAMPING)
        if gained < _ENOUGH:
            break
    return pose


def _cost(terms: Terms, shaped: Shaped, pose: Pose, interval: float) -> tuple[float, Array]:
    points = terms.rig.points(shaped, pose)
    markers = float(terms.marker_cost(terms.gaps(points)).sum())
    return markers + float(joint_prior(pose.joints)[0].sum()) + smoothness(pose.joints, interval)[0], points


def _normal(terms: Terms, shaped: Shaped, pose: Pose, points: Array, interval: float) -> tuple[Array, Array, float]:
    blocks, gradient, _ = frame_normal(terms, shaped, pose, points)
    _, smooth, weight = smoothness(pose.joints, interval)
    gradient[:, 6:] += smooth
    return blocks, gradient, weight


def frame_normal(terms: Terms, shaped: Shaped, pose: Pose, points: Array) -> tuple[Array, Array, Array]:
    """Return curvature (N, 57, 57) and gradient (N, 57) of each frame by its pose: markers and prior.

    The third array is the weighted derivative of the markers by the pose, (N, 3 M, 57).
    """
    gaps = terms.gaps(points)
    root = np.sqrt(terms.marker_weights(gaps))[..., None]
    jacobian = terms.pose_jacobian(shaped, pose, points) * root[..., None]
    flat = jacobian.reshape(len(points), -1, N_POSE)
    across = np.swapaxes(flat, 1, 2)
    blocks = across @ flat
    gradient = (across @ (gaps * root).reshape(len(points), -1, 1))[..., 0]
    _, pull, curvature = joint_prior(pose.joints)
    rows = np.arange(6, N_POSE)
    blocks[:, rows, rows] += curvature
    gradient[:, 6:] += pull
    return blocks, gradient, flat
