"""Two ways to the same motion: differences of angles, scale factors, marker distances and marker places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from biopose_sim.errors import InputError
from biopose_sim.ik.types import Array, BoolArray, IntArray, KinematicsResult
from biopose_sim.io.motion import MotionLike
from biopose_sim.kinematics.model import OsimModel
from ik_pipeline.types import ScaledPerson

_UNITS = {"rotational": ("deg", 180.0 / np.pi), "translational": ("mm", 1e3)}


@dataclass(frozen=True)
class Difference:
    """Absolute difference of one quantity.

    Attributes:
        name: of the coordinate, body or marker.
        unit: ``"deg"``, ``"mm"``, ``"%"`` or, for coordinates that are neither angle nor length, ``""``.
        median, percentile95, largest: of the absolute difference.
    """

    name: str
    unit: str
    median: float
    percentile95: float
    largest: float


@dataclass(frozen=True)
class Comparison:
    """How far two results of one trial are apart.

    Attributes:
        name: of the trial.
        frames: how many were compared.
        coordinates: of the coordinates that the markers determine in both results, each apart from the others.
        angles: of all angles among them together.
        translations: of all translations among them together.
        undetermined: free coordinates that are left out.
        rms: root mean square marker distance of either result [mm], weighted as the solver weighs and unweighted, over
            the markers and frames that both have.
        markers: distance of the model markers of the two results.
    """

    name: str
    frames: int
    coordinates: tuple[Difference, ...]
    angles: Difference | None
    translations: Difference | None
    undetermined: tuple[str, ...]
    weighted_rms: tuple[float, float]
    rms: tuple[float, float]
    markers: tuple[Difference, ...]

    def table(self, labels: tuple[str, str] = ("fit", "opensim"), rows: int | None = None) -> str:
        """Return the comparison as text, the largest medians first; ``rows`` limits the coordinates shown."""
        a, b = labels
        lines = [
            f"{self.name}: {self.frames} frames; marker RMS {a} {self.rms[0]:.2f} mm, {b} {self.rms[1]:.2f} mm; "
            f"weighted {a} {self.weighted_rms[0]:.2f} mm, {b} {self.weighted_rms[1]:.2f} mm"
        ]
        whole = [d for d in (self.angles, self.translations) if d is not None]
        shown = sorted(self.coordinates, key=lambda d: -d.median)[:rows]
        lines += difference_lines([*whole, *shown])
        if self.undetermined:
            lines.append(f"left out, for the markers do not determine them: {', '.join(self.undetermined)}")
        return "\n".join(lines)


@dataclass(frozen=True)
class ScaleComparison:
    """How far two scaled models of one person are apart.

    Attributes:
        bodies: difference of the factors of each body, over its three axes [%].
        factors: (n_bodies, 2, 3) factors of both.
        overall: of all factors together [%].
        markers: distance of the markers in body axes [mm], over all markers that sit on the same body in both.
    """

    bodies: tuple[Difference, ...]
    factors: Array
    overall: Difference
    markers: Difference | None

    def table(self, labels: tuple[str, str] = ("fit", "opensim")) -> str:
        """Return the comparison as text."""
        a, b = labels
        lines = [f"{'body':<16}{a + ' X Y Z':^24}{b + ' X Y Z':^24}{'largest difference':>20}"]
        for body, (first, second) in zip(self.bodies, self.factors):
            columns = ["  ".join(f"{v:.3f}" for v in row) for row in (first, second)]
            lines.append(f"{body.name:<16}{columns[0]:^24}{columns[1]:^24}{body.largest:>18.1f} %")
        lines += difference_lines([d for d in (self.overall, self.markers) if d is not None])
        return "\n".join(lines)


def difference_lines(differences: Sequence[Difference]) -> list[str]:
    """Return a header and one line per difference."""
    width = max((len(d.name) for d in differences), default=0) + 2
    lines = [f"{'':<{width}}{'median':>12}{'95 %':>12}{'largest':>12}"]
    for d in differences:
        lines.append(f"{d.name:<{width}}{d.median:>12.4f}{d.percentile95:>12.4f}{d.largest:>12.4f} {d.unit}".rstrip())
    return lines


def compare_results(model: OsimModel, a: KinematicsResult, b: KinematicsResult) -> Comparison:
    """Compare two results of one trial, on models with the same coordinates.

    Args:
        model: either model (names and kinds of coordinates are taken).
        a: one result.
        b: the other; its frames are matched to those of ``a`` by time.

    Raises:
        InputError: no frame or coordinate in common.
    """
    rows_a, rows_b = _common_frames(a.time, b.time)
    names = [n for n in model.coordinate_names if n in a.coordinate_names and n in b.coordinate_names]
    if not names or not len(rows_a):
        raise InputError(a.name, "has no frame or coordinate in common with the result it is compared with")
    kinds = dict(zip(a.coordinate_names, a.motion_types))
    sure = {n: all(_flag(r, r.determined, n) for r in (a, b)) for n in names}
    free = [n for n in names if any(_flag(r, r.free, n) for r in (a, b))]
    apart = {}
    for name in (n for n in names if sure[n]):
        difference = np.abs(_column(a, name)[rows_a] - _column(b, name)[rows_b])
        if kinds[name] == "rotational":
            difference = _turned(difference)
        apart[name] = difference
    weighted, plain, markers = _marker_figures(a, b, rows_a, rows_b)
    return Comparison(
        name=a.name,
        frames=len(rows_a),
        coordinates=tuple(_difference(n, d, *_UNITS.get(kinds[n], ("", 1.0))) for n, d in apart.items()),
        angles=_pooled("all angles", [d for n, d in apart.items() if kinds[n] == "rotational"], *_UNITS["rotational"]),
        translations=_pooled(
            "all translations",
            [d for n, d in apart.items() if kinds[n] == "translational"],
            *_UNITS["translational"],
        ),
        undetermined=tuple(n for n in free if not sure[n]),
        weighted_rms=weighted,
        rms=plain,
        markers=markers,
    )


def compare_angles(result: KinematicsResult, motion: MotionLike) -> Difference | None:
    """Compare the angles that the markers determine with a motion from elsewhere, all together [deg].

    Args:
        result: ours.
        motion: the laboratory's own, say; frames are matched by time, coordinates by name.

    Returns:
        None where nothing can be compared.
    """
    rows, others = _common_frames(result.time, motion.time)
    apart = []
    for k, name in enumerate(result.coordinate_names):
        if name in motion.coordinate_names and result.motion_types[k] == "rotational" and result.determined[k]:
            other = motion.coordinates[others, motion.coordinate_names.index(name)]
            apart.append(_turned(result.coordinates[rows, k] - other))
    return _pooled("all angles", apart, *_UNITS["rotational"]) if len(rows) else None


def compare_scales(a: ScaledPerson, b: ScaledPerson) -> ScaleComparison:
    """Compare two scaled models of one person.

    Raises:
        InputError: no body in common.
    """
    names = [n for n in a.model.body_names if n in b.model.body_names]
    if not names:
        raise InputError(a.model.name, f"has no body in common with {b.model.name}")
    factors = np.stack(
        [p.scales[[p.model.body_names.index(n) for n in names]] for p in (a, b)], axis=1
    )  # (n_bodies, 2, 3)
    apart = 100.0 * np.abs(factors[:, 0] / factors[:, 1] - 1.0)
    return ScaleComparison(
        bodies=tuple(_difference(n, d, "%", 1.0) for n, d in zip(names, apart)),
        factors=factors,
        overall=_difference("all factors", apart.ravel(), "%", 1.0),
        markers=_marker_places(a.model, b.model),
    )


def _marker_places(a: OsimModel, b: OsimModel) -> Difference | None:
    places = [
        {
            name: (model.body_names[body] if body >= 0 else "", location)
            for name, body, location in zip(
                model.marker_names, model.tree.marker_body, model.tree.marker_matrix.sum(axis=2)
            )
        }
        for model in (a, b)
    ]
    gaps = [
        float(np.linalg.norm(location - places[1][name][1]))
        for name, (body, location) in places[0].items()
        if name in places[1] and places[1][name][0] == body
    ]
    return _pooled("marker places on the bodies", [np.array(gaps)], "mm", 1e3) if gaps else None


def _common_frames(a: Array, b: Array) -> tuple[IntArray, IntArray]:
    """Rows of frames with the same time, to a tenth of the frame interval."""
    step = float(np.median(np.diff(a))) if len(a) > 1 else 1e-3
    nearest = np.searchsorted(b, a - 0.5 * step).clip(0, len(b) - 1)
    near = np.abs(b[nearest] - a) <= 0.1 * step
    return np.flatnonzero(near).astype(np.int64), nearest[near].astype(np.int64)


def _turned(difference: Array) -> Array:
    """Absolute differences of angles, whole turns left out [rad]."""
    return np.asarray(np.abs((difference + np.pi) % (2.0 * np.pi) - np.pi))


def _column(result: KinematicsResult, name: str) -> Array:
    return result.coordinates[:, result.coordinate_names.index(name)]


def _flag(result: KinematicsResult, flags: BoolArray, name: str) -> bool:
    return bool(flags[result.coordinate_names.index(name)])


def _marker_figures(
    a: KinematicsResult, b: KinematicsResult, rows_a: IntArray, rows_b: IntArray
) -> tuple[tuple[float, float], tuple[float, float], tuple[Difference, ...]]:
    """Weighted and unweighted marker distances of both [mm], and how far their model markers are apart."""
    names = [n for n in a.marker_names if n in b.marker_names]
    if not names:
        nothing = (float("nan"), float("nan"))
        return nothing, nothing, ()
    columns = [np.array([r.marker_names.index(n) for n in names], dtype=np.int64) for r in (a, b)]
    errors = [r.marker_errors[np.ix_(rows, cols)] for r, rows, cols in zip((a, b), (rows_a, rows_b), columns)]
    both = np.isfinite(errors[0]) & np.isfinite(errors[1])
    weights = a.marker_weights[columns[0]] * both
    weighted, plain = (
        tuple(1e3 * float(np.sqrt((np.where(both, e, 0.0) ** 2 * w).sum() / max(w.sum(), 1e-30))) for e in errors)
        for w in (weights, 1.0 * both)
    )
    gaps = np.linalg.norm(
        a.model_markers[np.ix_(rows_a, columns[0])] - b.model_markers[np.ix_(rows_b, columns[1])], axis=2
    )
    markers = tuple(_difference(n, gaps[:, k], "mm", 1e3) for k, n in enumerate(names))
    return (weighted[0], weighted[1]), (plain[0], plain[1]), markers


def _difference(name: str, values: Array, unit: str, factor: float) -> Difference:
    known = factor * values[np.isfinite(values)]
    if not len(known):
        known = np.array([np.nan])
    return Difference(name, unit, float(np.median(known)), float(np.percentile(known, 95)), float(known.max()))


def _pooled(name: str, values: list[Array], unit: str, factor: float) -> Difference | None:
    return _difference(name, np.concatenate(values), unit, factor) if values else None
