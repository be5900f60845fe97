"""A camera: where it stands, which way it looks, how it maps points of the world to pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
# Rounds in which a distorted point is brought back; lenses for which ten do not do show no straight line at all.
_ROUNDS = 10


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera, with the lens distortion of Brown and Conrady as OpenCV has it.

    Pixels count from the upper left corner of the picture, x to the right and y down; the middle of the first pixel
    lies at (0.5, 0.5).

    Attributes:
        rotation: (3, 3) world to camera; the rows point right, down and forward.
        position: (3,) of the pinhole in the world [m].
        focal: focal lengths across and down [pixel].
        centre: where the axis meets the picture, across and down [pixel].
        width: of the picture [pixel].
        height: of the picture [pixel].
        distortion: k1, k2, p1, p2, k3 (OpenCV's order); zero for an ideal lens.
        name: of the camera.
    """

    rotation: Array
    position: Array
    focal: tuple[float, float]
    centre: tuple[float, float]
    width: int
    height: int
    distortion: tuple[float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0)
    name: str = ""

    @classmethod
    def level(cls, width: int, height: int, focal: float, *, name: str = "") -> Camera:
        """Return an ideal camera at the origin that looks along -Z of a world with Y up, its own x along X.

        Args:
            width: of the picture [pixel].
            height: of the picture [pixel].
            focal: focal length [pixel].
            name: of the camera.
        """
        rotation = np.diag([1.0, -1.0, -1.0])
        return cls(rotation, np.zeros(3), (focal, focal), (0.5 * width, 0.5 * height), width, height, name=name)

    @classmethod
    def look_at(
        cls, position: ArrayLike, target: ArrayLike, width: int, height: int, *, view_angle: float = 30.0
    ) -> Camera:
        """Return the upright camera (Y up) at ``position`` [m] that has ``target`` [m] in the middle.

        Args:
            position: (3,), not straight above or below the target.
            target: (3,).
            width: of the picture [pixel].
            height: of the picture [pixel].
            view_angle: between the upper and the lower border [degrees].
        """
        eye, aim = np.asarray(position, dtype=float), np.asarray(target, dtype=float)
        forward = (aim - eye) / np.linalg.norm(aim - eye)
        right = np.cross(forward, [0.0, 1.0, 0.0])
        right /= np.linalg.norm(right)
        rotation = np.stack([right, np.cross(forward, right), forward])
        focal = float(0.5 * height / np.tan(0.5 * np.radians(view_angle)))
        return cls(rotation, eye, (focal, focal), (0.5 * width, 0.5 * height), width, height)

    @property
    def is_ideal(self) -> bool:
        """Whether the lens does not distort."""
        return not any(self.distortion)

    @property
    def ideal(self) -> Camera:
        """The same camera with a lens that does not distort."""
        return replace(self, distortion=(0.0, 0.0, 0.0, 0.0, 0.0))

    def to_camera(self, points: ArrayLike) -> Array:
        """Return points (..., 3) of the world [m] in the camera's axes: right, down, forward."""
        seen: Array = (np.asarray(points, dtype=float) - self.position) @ self.rotation.T
        return seen

    def to_world(self, points: ArrayLike) -> Array:
        """Return points (..., 3) in the camera's axes [m] in the world."""
        found: Array = np.asarray(points, dtype=float) @ self.rotation + self.position
        return found

    def project(self, points: ArrayLike) -> Array:
        """Return points (..., 3) of the world [m] as (..., 3): across and down [pixel], and forward [m].

        Points behind the camera have a negative third number; their pixels mean nothing.
        """
        seen = self.to_camera(points)
        with np.errstate(divide="ignore", invalid="ignore"):
            flat = seen[..., :2] / seen[..., 2:]
        if not self.is_ideal:
            flat = _distorted(flat, self.distortion)
        return np.concatenate([flat * self.focal + self.centre, seen[..., 2:]], axis=-1)

    def rays(self, pixels: ArrayLike) -> Array:
        """Return what the pixels (..., 2) see: directions (..., 3) in the camera's axes, one metre forward."""
        flat = (np.asarray(pixels, dtype=float) - self.centre) / self.focal
        if not self.is_ideal:
            bent = flat
            for _ in range(_ROUNDS):
                flat = flat - (_distorted(flat, self.distortion) - bent)
        return np.concatenate([flat, np.ones_like(flat[..., :1])], axis=-1)

    def undistorted(self, pixels: ArrayLike) -> Array:
        """Return where the `ideal` camera sees what this one sees at the pixels (..., 2)."""
        found: Array = self.rays(pixels)[..., :2] * self.focal + self.centre
        return found

    def enlarged(self, times: float) -> Camera:
        """Return the same view with so many times the pixels each way."""
        fx, fy = self.focal
        across, down = self.centre
        return replace(
            self,
            focal=(fx * times, fy * times),
            centre=(across * times, down * times),
            width=round(self.width * times),
            height=round(self.height * times),
        )


def _distorted(flat: Array, distortion: tuple[float, float, float, float, float]) -> Array:
    """Bend points (..., 2) of the plane one metre ahead."""
    k1, k2, p1, p2, k3 = distortion
    x, y = flat[..., 0], flat[..., 1]
    r2 = x * x + y * y
    radial = 1.0 + r2 * (k1 + r2 * (k2 + r2 * k3))
    return np.stack(
        [
            x * radial + 2.0 * p1 * x * y + p2 * (r2 + 2.0 * x * x),
            y * radial + p1 * (r2 + 2.0 * y * y) + 2.0 * p2 * x * y,
        ],
        axis=-1,
    )
