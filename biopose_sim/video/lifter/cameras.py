"""Chance cameras that look at people, at rest or following them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..points.keypoints import Array

_WIDEST = 0.8  # rad from the axis to the person
_NEAREST = 1.0  # m that the camera stays away


@dataclass(frozen=True)
class CameraConfig:
    """What cameras are drawn.

    Attributes:
        nearest, farthest: distance from the person [m].
        lowest, highest: how far cameras look down, of the unusual ones [degrees]; half of all are nearly level.
        roll: standard deviation [degrees].
        narrowest, widest: angle between the ends of the longer side of the picture [degrees].
        off_centre: standard deviation of where the person is, in half pictures.
        panned: share of windows in which the camera follows.
        truncated: share of windows in which the picture ends where it does; else points outside are seen too.
        focal_error: standard deviation of the logarithm of the focal length that is taken for granted.
    """

    nearest: float = 2.0
    farthest: float = 8.0
    lowest: float = -20.0
    highest: float = 35.0
    roll: float = 3.0
    narrowest: float = 30.0
    widest: float = 75.0
    off_centre: float = 0.3
    panned: float = 0.25
    truncated: float = 0.3
    focal_error: float = 0.08


def draw_cameras(points: Array, config: CameraConfig, random: np.random.Generator) -> tuple[Array, Array, Array]:
    """Draw a camera for each window.

    Args:
        points: (B, T, K, 3) of the person, in ground (Y up) [m].
        config: what cameras.
        random: source of chance.

    Returns:
        Rotations (B, 3, 3) camera <- ground and places (B, 3) in ground [m] at rest, and how the camera turns on from
        there, (B, T, 3, 3).
    """
    clips = len(points)
    level = random.random(clips) < 0.5
    pitch = np.where(level, 6.0 * random.standard_normal(clips), random.uniform(config.lowest, config.highest, clips))
    yaw = random.uniform(-np.pi, np.pi, clips)
    pitch, roll = np.radians(pitch), np.radians(np.clip(config.roll * random.standard_normal(clips), -8.0, 8.0))
    # Forward direction of a camera that looks down by its pitch.
    forward = np.stack([np.cos(pitch) * np.cos(yaw), -np.sin(pitch), np.cos(pitch) * np.sin(yaw)], axis=-1)
    middle = points.mean(axis=(1, 2))
    distance = random.uniform(config.nearest, config.farthest, clips)
    ahead_of = np.einsum("btkc,bc->btk", points - middle[:, None, None], forward).min(axis=(1, 2))
    distance = np.maximum(distance, _NEAREST - ahead_of)
    eye = middle - distance[:, None] * forward
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right, axis=-1, keepdims=True)
    upright = np.stack([right, np.cross(forward, right), forward], axis=-2)
    # The person is not in the middle: the camera is turned on about its own axes, which are rolled last.
    half = np.tan(0.25 * np.radians(config.narrowest + config.widest))
    off = config.off_centre * half * random.standard_normal((clips, 2))
    off *= np.minimum(1.0, 3.0 / distance)[:, None]
    rotation = _about(2, roll) @ _about(0, off[:, 1]) @ _about(1, off[:, 0]) @ upright
    seen = np.einsum("bij,btj->bti", rotation, points.mean(2) - eye[:, None])
    angle = np.arctan2(seen[..., 0], seen[..., 2])
    follow = random.random(clips) < config.panned
    share = np.where(follow, random.uniform(0.3, 1.1, clips), 0.0)
    # Who walks out of every picture is followed.
    lost = np.abs(angle).max(1) > _WIDEST
    turned = np.where(lost[:, None], angle, share[:, None] * (angle - angle[:, :1]))
    pan = _about(1, -turned)
    return rotation, eye, pan


def _about(axis: int, angle: Array) -> Array:
    """Rotations (..., 3, 3) about an axis by angles (...,) [rad]."""
    i, j = (axis + 1) % 3, (axis + 2) % 3
    found = np.zeros((*angle.shape, 3, 3))
    found[..., axis, axis] = 1.0
    found[..., i, i] = found[..., j, j] = np.cos(angle)
    found[..., i, j], found[..., j, i] = -np.sin(angle), np.sin(angle)
    return found
