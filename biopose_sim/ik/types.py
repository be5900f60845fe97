"""What goes into and comes out of inverse kinematics; every way to solve gives the same result type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from biopose_sim.osim.schema import MotionType

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class CoordinateTarget:
    """A wanted value of a coordinate: weight times half its squared deviation joins the cost.

    Attributes:
        value: one value, or one per frame (T,) [rad | m].
        weight: OpenSim's weight of an IKCoordinateTask.
    """

    value: float | Array
    weight: float = 1.0


CONTINUITY = 2e-5  # most [m^2/rad^2] by which joints are pulled that the markers do not determine


@dataclass(frozen=True)
class IKConfig:
    """How to solve.

    Attributes:
        weights: weight per marker name; a marker that is not named gets ``default_weight``, 0 leaves it out.
        default_weight: weight of the markers that ``weights`` does not name.
        coordinate_targets: wanted values per coordinate name.
        smoothness: weight s [m^2/rad^2] of the second differences over frames: minimises
            sum_t (cost_t / marker weight) + s sum_t |q_{t+1} - 2 q_t + q_{t-1}|^2, with s stated for 100 Hz (at a
            rate f it is multiplied with (f / 100 Hz)^4, so that the meaning stays); 0 solves every frame for itself.
            A coordinate that 1 m^2 / rad^2 of mean squared marker motion determines (1e-2: a hip) passes
            frequencies up to about 16 Hz (curvature / s)^(1/4); 1e-5 hardly touches what markers determine.
        prior: weight [m^2/rad^2] of a pull of the coordinates towards the smooth motion, where ``smoothness``
            gives one, else of the joints towards their defaults, in OpenSim's normalisation as a coordinate
            target. It decides what markers determine badly: at 1e-5 a direction in which markers move 3 mm per
            radian counts half.
        continuity: weight [m^2/rad^2] of a pull of the joints towards the frame solved before, in the
            normalisation of ``prior``. It steadies what markers determine badly, at no cost of time and hardly any
            of fit: a joint whose markers move r m per radian lags by continuity / r^2 frames. None pulls only
            those joints that the markers leave open (beyond twice the sensitivity of what is called determined),
            with up to 2e-5 and less where the markers fit within millimetres; 0 pulls none.
        free: coordinates to move although the model locks them; the model file stays as it is.
        respect_ranges: keep clamped coordinates inside their range.
        max_iterations: per frame and start.
        tolerance: a frame has converged when a Newton step would move no coordinate by more [rad | m].
        threads: 0 takes all cores.
        engine: "kernel" (compiled for the CPU) or "torch" (batched, also on a GPU).
        device: of the torch engine.
    """

    weights: Mapping[str, float] = field(default_factory=dict)
    default_weight: float = 1.0
    coordinate_targets: Mapping[str, CoordinateTarget] = field(default_factory=dict)
    smoothness: float = 0.0
    prior: float = 0.0
    continuity: float | None = None
    free: tuple[str, ...] = ()
    respect_ranges: bool = True
    max_iterations: int = 100
    tolerance: float = 1e-7
    threads: int = 0
    engine: str = "kernel"
    device: str = "cpu"


@dataclass(frozen=True)
class KinematicsResult:
    """Coordinates of one trial and how well they explain the markers.

    Attributes:
        name: the trial's name.
        time: shape (T,) [s].
        coordinates: all coordinates in the model's order, dependent ones included, shape (T, n_q) [rad | m].
        coordinate_names: names, length n_q.
        motion_types: "rotational", "translational" or "coupled" per coordinate.
        marker_names: the markers that were used, length M.
        marker_weights: their weights, shape (M,).
        model_markers: the model's markers, ground frame, shape (T, M, 3) [m].
        marker_errors: distance of measured and model marker, shape (T, M) [m]; NaN where none was measured.
        converged: shape (T,).
        iterations: shape (T,).
        sensitivity: per coordinate, how far an error of 1 mm (standard deviation, every marker axis) moves it,
            root mean square over the frames, shape (n_q,) [rad | m]; infinite where no marker determines it.
        free: which coordinates were solved for (neither locked nor dependent nor without markers), (n_q,).
        warnings: what a user should know.
    """

    name: str
    time: Array
    coordinates: Array
    coordinate_names: tuple[str, ...]
    motion_types: tuple[MotionType, ...]
    marker_names: tuple[str, ...]
    marker_weights: Array
    model_markers: Array
    marker_errors: Array
    converged: BoolArray
    iterations: IntArray
    sensitivity: Array
    free: BoolArray
    warnings: tuple[str, ...] = ()

    # A coordinate that 1 mm of marker error moves by more than this is called undetermined.
    SENSITIVITY_LIMIT = float(np.radians(2.0))

    @property
    def determined(self) -> BoolArray:
        """Which free coordinates the markers determine, shape (n_q,)."""
        return self.free & (self.sensitivity < self.SENSITIVITY_LIMIT)

    @property
    def marker_rmse(self) -> Array:
        """Root mean square distance of the frame's markers, unweighted, shape (T,) [m]."""
        return _rms(self.marker_errors, np.ones_like(self.marker_weights))

    @property
    def weighted_marker_rmse(self) -> Array:
        """Root of the weighted mean squared distance, shape (T,) [m]: what the solver makes small."""
        return _rms(self.marker_errors, self.marker_weights)

    def coordinate(self, name: str) -> Array:
        """Values of one coordinate, shape (T,) [rad | m]."""
        return self.coordinates[:, self.coordinate_names.index(name)]

    def with_warnings(self, *warnings: str) -> KinematicsResult:
        """Return the result with further warnings."""
        return replace(self, warnings=(*self.warnings, *warnings))


def _rms(errors: Array, weights: Array) -> Array:
    seen = np.isfinite(errors)
    squares = np.where(seen, errors, 0.0) ** 2
    total = (seen * weights).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sqrt((squares * weights).sum(axis=1) / total)
