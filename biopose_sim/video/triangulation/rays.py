"""Points in space from several cameras: many at once, and in spite of some cameras that are wrong.

A point is the minimum of sum_c weight_c rho(error_c), errors in units of what is usual for the camera's key points;
rho is the truncated square while looking for it (MSAC, Torr & Zisserman 2000, with every pair of cameras as a
hypothesis) and Cauchy's loss while refining it (Gauss-Newton with its weights).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ...io.camera import Camera
from ..points.keypoints import Array

CUT = 4.0  # in usual errors: a camera that is further off does not see the point
_SOFT = 1.5  # usual errors at which Cauchy's loss turns
_STEPS = 6
_LARGEST_STEP = 0.2  # m
_LEAST_ANGLE = 3.0  # degrees between the two rays that make a point


@dataclass(frozen=True, eq=False)
class Sights:
    """What C cameras see of N points.

    Attributes:
        matrices: (C, 3, 4) world to pixels of lenses that do not distort.
        pixels: (C, N, 2) as such lenses see the points; NaN where not seen.
        weights: (C, N) confidence; 0 where not seen.
        unit: (C,) a usual error [pixel].
    """

    matrices: Array
    pixels: Array
    weights: Array
    unit: Array

    @classmethod
    def of(cls, cameras: tuple[Camera, ...], pixels: Array, confidence: Array, unit: Array) -> Sights:
        """Take the lens out of pixels (C, N, 2)."""
        straight = np.stack([camera.undistorted(seen) for camera, seen in zip(cameras, pixels, strict=True)])
        weights = np.where(np.isfinite(straight).all(-1), np.clip(confidence, 0.0, 1.0), 0.0)
        return cls(np.stack([_matrix(camera) for camera in cameras]), straight, weights, unit)

    def errors(self, points: Array) -> Array:
        """Distances (C, N) of what is seen and where points (N, 3) [m] would be seen, in usual errors."""
        seen = self._flat(points)[0] - self.pixels
        found: Array = np.linalg.norm(seen, axis=-1) / self.unit[:, None]
        return np.where(self.weights > 0.0, found, np.nan)

    def _flat(self, points: Array) -> tuple[Array, Array]:
        """Pixels (C, N, 2) and their derivatives (C, N, 2, 3) in the points."""
        seen = np.einsum("cij,nj->cni", self.matrices[..., :3], points) + self.matrices[:, None, :, 3]
        depth = np.where(seen[..., 2:] > 1e-3, seen[..., 2:], np.nan)
        flat = seen[..., :2] / depth
        slope = (self.matrices[:, None, :2, :3] - flat[..., None] * self.matrices[:, None, 2:, :3]) / depth[..., None]
        return flat, slope

    def meeting(self, weights: Array) -> Array:
        """The linear solution (N, 3) (direct linear transform, Hartley & Zisserman, ch. 12.2); NaN below two rays.

        Args:
            weights: (C, N).
        """
        rows = self.pixels[..., None] * self.matrices[:, None, 2:] - self.matrices[:, None, :2]
        # An equation counts as its ray is turned, not as the point is deep: all cameras stand about as far.
        rows = np.where(weights[..., None, None] > 0.0, rows / self.unit[:, None, None, None], 0.0)
        square = np.einsum("cn,cnki,cnkj->nij", weights, rows[..., :3], rows[..., :3])
        right = -np.einsum("cn,cnki,cnk->ni", weights, rows[..., :3], rows[..., 3])
        return _solved(square, right, (weights > 0.0).sum(0) >= 2)

    def refined(self, points: Array, use: NDArray[np.bool_]) -> Array:
        """Points (N, 3) moved to the least Cauchy loss of the cameras in ``use`` (C, N), by Gauss-Newton."""
        for _ in range(_STEPS):
            flat, slope = self._flat(points)
            off = (flat - self.pixels) / self.unit[:, None, None]
            slope = slope / self.unit[:, None, None, None]
            weight = self.weights / (1.0 + (off**2).sum(-1) / _SOFT**2)
            weight = np.where(use & np.isfinite(weight), weight, 0.0)
            off, slope = (np.where(weight[(...,) + (None,) * (a.ndim - 2)] > 0.0, a, 0.0) for a in (off, slope))
            square = np.einsum("cn,cnki,cnkj->nij", weight, slope, slope)
            right = -np.einsum("cn,cnki,cnk->ni", weight, slope, off)
            step = _solved(square, right, (weight > 0.0).sum(0) >= 2)
            points = points + np.clip(step, -_LARGEST_STEP, _LARGEST_STEP)
        return points

    def located(self) -> tuple[Array, NDArray[np.bool_]]:
        """Points (N, 3) [m], NaN where no two cameras agree, and which cameras were used for each, (C, N)."""
        count = len(self.matrices)
        best = np.full(self.weights.shape[1], np.inf)
        points = np.full((len(best), 3), np.nan)
        everyone = np.ones(count, dtype=bool)
        pairs = [np.isin(np.arange(count), pair) for pair in combinations(range(count), 2)] if count > 2 else []
        for chosen in [everyone, *pairs]:
            candidate = self.meeting(np.where(chosen[:, None], self.weights, 0.0))
            loss = self.loss(candidate)
            better = loss < best
            best, points = np.where(better, loss, best), np.where(better[:, None], candidate, points)
        use = self.errors(points) < CUT
        points = self.refined(points, use)
        use = self.errors(points) < CUT
        points = self.refined(points, use)
        use = np.asarray((self.errors(points) < CUT) & use)
        known = np.isfinite(points).all(-1) & (use.sum(0) >= 2) & self._wide(points, use)
        return np.where(known[:, None], points, np.nan), use & known

    def loss(self, points: Array) -> Array:
        """Truncated squares (N,) of the errors, summed over the cameras by their confidence; inf without a point."""
        off = np.minimum(np.nan_to_num(self.errors(points), nan=CUT) ** 2, CUT**2)
        return np.where(np.isfinite(points).all(-1), (self.weights * off).sum(0), np.inf)

    def _wide(self, points: Array, use: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Whether two of the used rays (C, N) meet at an angle that says how far the point is."""
        eyes = np.stack([-np.linalg.solve(m[:, :3], m[:, 3]) for m in self.matrices])
        rays = points - eyes[:, None]
        rays = rays / np.linalg.norm(rays, axis=-1, keepdims=True)
        wide = np.zeros(len(points), dtype=bool)
        for a, b in combinations(range(len(eyes)), 2):
            between = np.linalg.norm(np.cross(rays[a], rays[b]), axis=-1)
            wide |= use[a] & use[b] & (between > np.sin(np.radians(_LEAST_ANGLE)))
        return wide


def _matrix(camera: Camera) -> Array:
    """World to pixels (3, 4) of the camera without its lens."""
    (fx, fy), (cx, cy) = camera.focal, camera.centre
    inner = np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])
    return np.asarray(inner @ np.column_stack([camera.rotation, -camera.rotation @ camera.position]))


def _solved(square: Array, right: Array, known: NDArray[np.bool_]) -> Array:
    """Solutions (N, 3) of N systems; NaN where not ``known``."""
    size = np.trace(square, axis1=-2, axis2=-1)
    safe = known & np.isfinite(size) & (size > 0.0)
    square = np.where(safe[:, None, None], square, np.eye(3))
    square = square + 1e-12 * np.where(safe, size, 1.0)[:, None, None] * np.eye(3)
    found = np.linalg.solve(square, np.where(safe[:, None], right, 0.0)[..., None])[..., 0]
    return np.where(safe[:, None], found, np.nan)
