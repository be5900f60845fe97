"""How rigidly virtual markers sit on their segments, measured on body-model motions alone.

For each person and segment a mean configuration of the segment's markers is learned from some poses (generalised
Procrustes analysis, Gower 1975 Psychometrika 40:33) and laid on other poses by the best rotation and translation
(Kabsch 1976 Acta Cryst. A32:922). What is left is the part of a marker's motion that no rigid segment can make.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from biopose_sim.bodies.virtual import VirtualMarker, read_virtual_markers

Array = NDArray[np.floating]
_ROUNDS = 4
# What is wanted of groups of markers: largest median [m].
TARGETS = {
    "limbs": 0.003,
    "pelvis landmarks": 0.006,
    "pelvis tracking": 0.008,
    "thorax and head": 0.004,
    "acromion": 0.010,
}


@dataclass(frozen=True, eq=False)
class Rigidity:
    """Distances of markers from their places on a rigid segment, in poses not seen before.

    Attributes:
        names: M markers.
        segments: of each marker.
        errors: (N, M) of all persons and poses [m].
    """

    names: tuple[str, ...]
    segments: tuple[str, ...]
    errors: Array

    @property
    def medians(self) -> Array:
        """(M,) median distance of each marker [m]."""
        return np.asarray(np.median(self.errors, axis=0))

    @property
    def percentiles95(self) -> Array:
        """(M,) distance that each marker keeps within in 95 % of poses [m]."""
        return np.asarray(np.percentile(self.errors, 95, axis=0))

    def of(self, names: Sequence[str]) -> Array:
        """(N, K) errors of some markers [m]."""
        return self.errors[:, [self.names.index(name) for name in names]]


def measure_rigidity(
    seen: Sequence[Array], unseen: Sequence[Array], names: Sequence[str], segments: Mapping[str, str]
) -> Rigidity:
    """Measure how rigidly markers move.

    Args:
        seen: (F, M, 3) markers of each person from which the places on the segments are learned [m].
        unseen: (G, M, 3) markers of the same persons in other poses [m].
        names: M markers.
        segments: of each marker; markers of one segment are fitted together.
    """
    columns: dict[str, list[int]] = {}
    for column, name in enumerate(names):
        columns.setdefault(segments[name], []).append(column)
    blocks = []
    for known, other in zip(seen, unseen):
        block = np.empty(other.shape[:2])
        for chosen in columns.values():
            shape = mean_configuration(known[:, chosen])
            block[:, chosen] = np.linalg.norm(rigid_fit(shape, other[:, chosen]) - other[:, chosen], axis=2)
        blocks.append(block)
    return Rigidity(tuple(names), tuple(segments[name] for name in names), np.concatenate(blocks))


def rigid_fit(shape: Array, points: Array) -> Array:
    """Return the configuration (K, 3) laid on each frame of points (F, K, 3) by the best rotation and translation."""
    turn, centre = _best_turn(shape, points)
    return np.asarray((shape - shape.mean(axis=0)) @ np.swapaxes(turn, 1, 2) + centre)


def mean_configuration(points: Array) -> Array:
    """Return the mean (K, 3) of configurations (F, K, 3) after each was laid on it."""
    shape = points[0]
    for _ in range(_ROUNDS):
        shape = laid_on(shape, points, points).mean(axis=0)
    return shape


def laid_on(shape: Array, points: Array, others: Array) -> Array:
    """Return other points (F, N, 3) moved as those (F, K, 3) that are laid on the configuration (K, 3)."""
    turn, centre = _best_turn(shape, points)
    return np.asarray((others - centre) @ turn + shape.mean(axis=0))


def _best_turn(shape: Array, points: Array) -> tuple[Array, Array]:
    """Rotations (F, 3, 3) from the configuration (K, 3) to points (F, K, 3), and the points' centres (F, 1, 3)."""
    centre = points.mean(axis=1, keepdims=True)
    left, _, right = np.linalg.svd(np.einsum("fki,kj->fij", points - centre, shape - shape.mean(axis=0)))
    # A reflection is no motion.
    left[:, :, 2] *= np.sign(np.linalg.det(left @ right))[:, None]
    return left @ right, centre


def group_of(marker: VirtualMarker) -> str:
    """Return the group of markers for which `TARGETS` names a limit, or "shoulder" or "lumbar"."""
    if marker.name.endswith("ACR"):
        return "acromion"
    if marker.segment == "pelvis":
        return f"pelvis {'landmarks' if marker.kind == 'landmark' else 'tracking'}"
    if marker.segment in ("thorax", "head"):
        return "thorax and head"
    return {"scap": "shoulder", "lumb": "lumbar"}.get(marker.segment[:4], "limbs")


def group_medians(rigidity: Rigidity, markers: Sequence[VirtualMarker] | None = None) -> dict[str, tuple[float, float]]:
    """Return for each group the median of all errors and that of its worst marker [m]."""
    groups: dict[str, list[str]] = {}
    for marker in markers or read_virtual_markers():
        groups.setdefault(group_of(marker), []).append(marker.name)
    result = {}
    for group, names in groups.items():
        errors = rigidity.of(names)
        result[group] = (float(np.median(errors)), float(np.median(errors, axis=0).max()))
    return result
