"""The body that refinement moves: key points and soles of an OpenSim model, and their derivatives."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ...ik.groups import SizePrior, make_groups
from ...kinematics.model import OsimModel
from ...kinematics.soles import SOLE_POINTS, has_soles
from ..points.body_points import body_points
from ..points.keypoints import COMMON, LAYOUTS, Array

if TYPE_CHECKING:
    import torch

# Parts whose breadth (z axis) varies beside their size: hips and shoulders are as wide apart as these.
_BROAD = ("pelvis", "thorax")
_STEP = 1e-6  # rad, m, or of a logarithmic factor, for differences
_BLOCK = 256  # frames at once
_SAGITTAL = np.array([1.0, 1.0, -1.0])  # z changes its sign in a mirror


@dataclass(frozen=True, eq=False)
class Placed:
    """Points of all frames in ground.

    Attributes:
        points: (T, N, 3) [m]: the 23 key points, then the soles.
        rotations: (T, 23, 3, 3) ground <- segment of each key point.
        by_pose: (T, N, 3, n) derivative by the free coordinates; None unless asked for.
    """

    points: Array
    rotations: Array
    by_pose: Array | None = None


class PointBody:
    """Key points and soles of a model as functions of coordinates, size and offsets.

    Size: one logarithmic factor for each part of the body (both sides alike), and one for the breadth of pelvis and
    thorax. Offsets: where a detector marks a key point beside its place on the body, in axes of its segment, mirrored
    between left and right.

    Args:
        model: the person's, with the virtual markers.

    Attributes:
        free: (n,) columns of the coordinates that are neither locked nor dependent.
        low, high: (n,) ranges of these; infinite where they are not clamped.
        root: (n,) of these, those of the joint that floats on ground.
        translational: (n,) of these, those in metres.
        n_size, n_offsets: how many parameters.
    """

    def __init__(self, model: OsimModel) -> None:
        from ...osim.markerset import keep_markers, with_markers
        from ...osim.schema import Frame, Marker

        self.model = model
        where = body_points()
        needed = {marker for mix in where.mixes for marker, _ in mix}
        small = keep_markers(model, [name for name in model.marker_names if name in needed])
        self.mix = where.matrix(small.marker_names)
        segments = tuple(dict.fromkeys(where.segments))
        soles = [Marker(f"sole {i}", Frame(b), p, False) for i, (b, p) in enumerate(_soles(model))]
        origins = [Marker(f"origin {s}", Frame(s), (0.0, 0.0, 0.0), False) for s in segments]
        marks = [
            Marker(f"mark {n}", Frame(s), (0.0, 0.0, 0.0), False) for n, s in zip(COMMON, where.segments, strict=True)
        ]
        self.n_soles = len(soles)
        self._small = with_markers(small, [*soles, *origins, *marks])
        self._small.fast = "always"
        m = len(small.marker_names)
        k = len(COMMON)
        self._matrix = np.zeros((k + len(soles), len(self._small.marker_names)))
        self._matrix[:k, :m] = self.mix
        self._matrix[k:, m : m + len(soles)] = np.eye(len(soles))
        first_mark = m + len(soles) + len(origins)
        for i, segment in enumerate(where.segments):
            self._matrix[i, m + len(soles) + segments.index(segment)] -= 1.0
            self._matrix[i, first_mark + i] += 1.0
        self._marks = slice(first_mark, first_mark + k)
        self._segment_rows = np.array([model.body_names.index(s) for s in where.segments])
        self.offset_basis, self.offset_sd = _mirrored_offsets(where.offset_sd)
        self.n_offsets = self.offset_basis.shape[1]
        self._coordinates()
        self._sizes()

    def _coordinates(self) -> None:
        tree = self.model.tree
        self.free = np.flatnonzero(~(tree.locked | tree.dependent))
        given = [self.model.model.coordinates[i] for i in self.free]
        clamped = np.array([c.clamped for c in given])
        ranges = np.array([c.range for c in given], dtype=float)
        self.low = np.where(clamped, ranges[:, 0], -np.inf)
        self.high = np.where(clamped, ranges[:, 1], np.inf)
        self.translational = np.array([c.motion_type == "translational" for c in given])
        joints = self.model.model.joints
        floating = {c for j in joints if j.parent.body == "ground" for c in j.coordinates}
        self.root = np.array([c.name in floating for c in given])

    def _sizes(self) -> None:
        self._groups = make_groups(self.model.body_names)
        names = self._groups.names
        columns = [np.kron(np.eye(len(names))[g], np.ones(3)) for g in range(len(names))]
        broad = [names.index(part) for part in _BROAD if part in names]
        columns += [np.eye(3 * len(names))[3 * g + 2] for g in broad]
        self._size_basis = np.array(columns).T
        self.n_size = len(columns)
        self._n_parts = len(names)

    def size_precision(self, stature_sd: float, prior: SizePrior) -> Array:
        """Inverse covariance of the size's parameters, for a stature known to the share ``stature_sd``."""
        covariance = np.diag([prior.part**2] * self._n_parts + [prior.dimension**2] * (self.n_size - self._n_parts))
        covariance[: self._n_parts, : self._n_parts] += stature_sd**2
        return np.asarray(np.linalg.inv(covariance))

    def scales(self, size: Array) -> Array:
        """Factors (n_bodies, 3) of the parameters (n_size,)."""
        return self._groups.scales(self._size_basis @ size)

    def offsets(self, parameters: Array) -> Array:
        """Offsets (23, 3) of the key points in their segments [m]."""
        return np.asarray((self.offset_basis @ parameters).reshape(-1, 3))

    def place(self, q: Array, size: Array, offsets: Array, derive: bool = False) -> Placed:
        """Place the points.

        Args:
            q: (T, n_q) all coordinates [rad | m].
            size: (n_size,).
            offsets: (n_offsets,).
            derive: also by the free coordinates.
        """
        import torch

        with torch.no_grad():
            forward = self._small(torch.from_numpy(q), torch.from_numpy(self.scales(size)), self._moved(offsets))
            points = self._matrix @ forward.markers.numpy()
            rotations = forward.transforms[:, self._segment_rows, :3, :3].numpy()
        return Placed(points, rotations, self._by_pose(q, size, offsets, points) if derive else None)

    def _moved(self, offsets: Array) -> torch.Tensor:
        """Offsets of all markers (M, 3): those of the marks."""
        import torch

        moved = torch.zeros(len(self._small.marker_names), 3, dtype=torch.float64)
        moved[self._marks] = torch.from_numpy(self.offsets(offsets))
        return moved

    def _by_pose(self, q: Array, size: Array, offsets: Array, points: Array) -> Array:
        """Derivative (T, N, 3, n) by the free coordinates, by differences.

        The compiled kinematics place a thousand poses in the time in which the analytic Jacobian does twenty.
        """
        import torch

        scales, moved = torch.from_numpy(self.scales(size)), self._moved(offsets)
        steps = np.zeros((len(self.free), q.shape[1]))
        steps[np.arange(len(self.free)), self.free] = _STEP
        found = np.empty((*points.shape, len(self.free)))
        with torch.no_grad():
            for first in range(0, len(q), _BLOCK):
                part = slice(first, first + _BLOCK)
                stepped = self._small(torch.from_numpy(q[part] + steps[:, None]), scales, moved).markers.numpy()
                found[part] = ((self._matrix @ stepped - points[part]) / _STEP).transpose(1, 2, 3, 0)
        return found

    def by_size(self, q: Array, size: Array, offsets: Array, points: Array) -> Array:
        """Derivative (T, N, 3, n_size) of the points (T, N, 3) by the size, by differences."""
        import torch

        scales = np.stack([self.scales(size + step) for step in np.eye(self.n_size) * _STEP])[:, None]
        moved, found = self._moved(offsets), np.empty((*points.shape, self.n_size))
        with torch.no_grad():
            for first in range(0, len(q), _BLOCK):
                part = slice(first, first + _BLOCK)
                here = torch.from_numpy(q[part]).expand(self.n_size, -1, -1)
                grown = torch.from_numpy(scales).expand(-1, here.shape[1], -1, -1)
                stepped = self._small(here, grown, moved).markers.numpy()
                found[part] = ((self._matrix @ stepped - points[part]) / _STEP).transpose(1, 2, 3, 0)
        return found

    def by_offsets(self, rotations: Array) -> Array:
        """Derivative (T, 23, 3, n_offsets) of the key points by the offsets."""
        basis = self.offset_basis.reshape(-1, 3, self.n_offsets)
        return np.asarray(np.einsum("tkij,kjp->tkip", rotations, basis, optimize=True))

    @cached_property
    def coordinate_names(self) -> tuple[str, ...]:
        """Names of the free coordinates."""
        return tuple(self.model.coordinate_names[i] for i in self.free)


def _soles(model: OsimModel) -> list[tuple[str, tuple[float, float, float]]]:
    """Body and place of each point of the soles that the model has: right, then left."""
    found = []
    for side in ("r", "l"):
        if not has_soles(model, side):
            continue
        for body, location in SOLE_POINTS:
            name = f"{body}_{side}"
            if name in model.body_names:
                x, y, z = (float(v) for v in np.array(location) * model.scales[model.body_names.index(name)])
                found.append((name, (x, y, z)))
    return found


def _mirrored_offsets(sd: Array) -> tuple[Array, Array]:
    """Basis (69, P) of offsets that are alike on both sides, and the deviation of each (P,) [m]."""
    mirror = LAYOUTS["anny23"].mirror
    columns, deviations = [], []
    for k, other in enumerate(mirror):
        if other < k:
            continue
        for axis in range(3):
            if other == k and axis == 2:  # in the midline
                continue
            column = np.zeros((len(mirror), 3))
            column[k, axis] = 1.0
            column[other, axis] = _SAGITTAL[axis] if other != k else 1.0
            columns.append(column.ravel())
            deviations.append(sd[k])
    return np.array(columns).T, np.array(deviations)
