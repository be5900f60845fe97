"""Adapt the gait curves to a model so that the stance foot neither slides nor sinks.

Mean curves of many people do not fit the leg of one: applied as they are, the foot drifts by centimetres.
Here the curves of one leg and the path of the pelvis get small periodic corrections, found by Gauss-Newton
on the positions of three points of the sole (heel, ball, toe tip), each of which rests at one place of the
floor while it bears weight. Both legs get the same corrections, half a cycle apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from biopose_sim.kinematics.model import OsimModel
from biopose_sim.kinematics.soles import place_soles
from biopose_sim.synthetic.curves import normative_curves
from biopose_sim.synthetic.mapping import LEG_CURVES, Track, coordinate_sign, movable

Array = NDArray[np.float64]
N_PHASES = 50
_HARMONICS = 8
_STEP = 1e-6

# Begin and end of weight bearing of heel, ball and toe tip, in the cycle of their leg (Perry & Burnfield
# 2010).
BEARING = ((0.02, 0.33), (0.10, 0.56), (0.34, 0.60))
_RAMP = 0.04
# Typical sizes of a correction: angles [rad], pelvis [m]; the floor in the sizes below.
_ANGLE_SIZE = float(np.radians(2.0))
_SIZES: dict[str, float] = {"subtalar_angle": 0.05, "mtp_angle": 0.1, "ankle_angle": 0.05}
_PELVIS_SIZE = 0.01
_FLOOR_SIZE = 0.0025
_CLEARANCE_SIZE = 0.003
_STRIDE_SIZE = 0.02
# Stride of comfortable walking in heights of the hip joint: 1.41 m for adults of 1.71 m (Perry & Burnfield
# 2010).
_STRIDE_PER_HIP_HEIGHT = 1.55
_HALF_STEP_WIDTH = 0.05
_WIDTH_SIZE = 0.02


@dataclass(frozen=True, eq=False)
class Correction:
    """Periodic corrections of the curves, as Fourier coefficients of the right leg's cycle.

    Attributes:
        leg: per coordinate stem (``"knee_angle"``): (2 H + 1,), in the curve's own sign [rad].
        pelvis: of ``pelvis_tx``, ``pelvis_ty``, ``pelvis_tz``: (2 H + 1,) each [m].
        stride: length of a stride (two steps) [m].
    """

    leg: dict[str, Array]
    pelvis: Array
    stride: float


def fourier(phase: Array) -> Array:
    """Return 1, cos, sin, cos 2, sin 2, ... of the phases: (T,) -> (T, 2 H + 1)."""
    angles = 2.0 * np.pi * np.asarray(phase)[:, None] * np.arange(1, _HARMONICS + 1)
    waves = np.stack([np.cos(angles), np.sin(angles)], axis=2).reshape(len(angles), -1)
    return np.concatenate([np.ones((len(angles), 1)), waves], axis=1)


def bearing_weights(phase: Array) -> Array:
    """Return how much each sole point bears at phases of its own leg, (T,) -> (T, 3), 0 to 1."""
    phase = np.mod(phase, 1.0)
    begins, ends = np.array(BEARING).T
    rise = (phase[:, None] - begins) / _RAMP + 1.0
    fall = (ends - phase[:, None]) / _RAMP + 1.0
    return np.clip(np.minimum(rise, fall), 0.0, 1.0)


def sole_points(model: OsimModel, q: Array, side: str) -> Array:
    """Return heel, ball and toe tip of a foot in ground, (T, n_q) -> (T, 3, 3) [m].

    A model without toes has ball and tip on the calcaneus.
    """
    transforms = model(torch.from_numpy(np.ascontiguousarray(q))).transforms.numpy()
    return place_soles(model, transforms, side)


def toes_bend(model: OsimModel) -> bool:
    """Whether the toes of the model can move; where not, the foot rolls over its ball and its tip may dip."""
    return "mtp_angle_r" in movable(model)


class _RightFoot:
    """The right foot over one cycle as a function of a vector of corrections, with its Jacobian."""

    def __init__(self, model: OsimModel, tracks: list[Track]) -> None:
        self.model = model
        self.phase = np.arange(N_PHASES) / N_PHASES
        self.basis = fourier(self.phase)
        names, index = model.coordinate_names, movable(model)
        self.stems = [stem for stem in LEG_CURVES.values() if f"{stem}_r" in index]
        self.leg = [index[f"{stem}_r"] for stem in self.stems]
        self.signs = [coordinate_sign(model, f"{stem}_r") for stem in self.stems]
        self.pelvis = [names.index(f"pelvis_t{axis}") for axis in "xyz"]
        self.base = np.tile(model.default_coordinates.numpy(), (N_PHASES, 1))
        for track in tracks:
            self.base[:, track.coordinate] = track.values(self.phase)
        curves = normative_curves()
        self.base[:, self.pelvis] = 0.0
        self.base[:, self.pelvis[2]] = curves["pelvis_sway"](self.phase)
        lowest = sole_points(model, self.base, "r")[:, :, 1].min()
        self.base[:, self.pelvis[1]] = curves["pelvis_height"](self.phase) - lowest
        self.columns = self._columns()
        self.n_unknowns = len(self.columns) + 1

    def _columns(self) -> list[tuple[int, int, float, float]]:
        """Per unknown: coordinate, Fourier term, sign, size. The pelvis keeps left-right symmetry."""
        columns: list[tuple[int, int, float, float]] = []
        terms = range(self.basis.shape[1])
        for stem, coordinate, sign in zip(self.stems, self.leg, self.signs):
            angle = _SIZES.get(stem, _ANGLE_SIZE)
            columns += [(coordinate, t, sign, angle / _roughness(t)) for t in terms]
        for axis, coordinate in enumerate(self.pelvis):
            odd = axis == 2
            wanted = [t for t in terms if ((t + 1) // 2) % 2 == odd and not (axis == 0 and t == 0)]
            columns += [(coordinate, t, 1.0, _PELVIS_SIZE * (5.0 if t == 0 else 1.0 / _roughness(t))) for t in wanted]
        return columns

    def coordinates(self, unknowns: Array) -> Array:
        q = self.base.copy()
        for value, (coordinate, term, sign, _) in zip(unknowns, self.columns):
            q[:, coordinate] += sign * value * self.basis[:, term]
        q[:, self.pelvis[0]] += unknowns[-1] * self.phase
        return q

    def points_and_jacobian(self, unknowns: Array) -> tuple[Array, Array]:
        """Sole points (P, 3, 3) and their derivatives (P, 3, 3, unknowns)."""
        q = self.coordinates(unknowns)
        moved = [*self.leg, *self.pelvis]
        batch = np.tile(q, (len(moved) + 1, 1, 1))
        for i, coordinate in enumerate(moved):
            batch[i + 1, :, coordinate] += _STEP
        flat = sole_points(self.model, batch.reshape(-1, q.shape[1]), "r")
        points = flat.reshape(len(moved) + 1, N_PHASES, 3, 3)
        slopes = dict(zip(moved, (points[1:] - points[0]) / _STEP))
        jacobian = np.zeros((N_PHASES, 3, 3, self.n_unknowns))
        for i, (coordinate, term, sign, _) in enumerate(self.columns):
            jacobian[..., i] = sign * slopes[coordinate] * self.basis[:, term, None, None]
        jacobian[..., -1] = slopes[self.pelvis[0]] * self.phase[:, None, None]
        return points[0], jacobian


def _roughness(term: int) -> float:
    return 1.0 + ((term + 1) // 2 / 4.0) ** 2


def solve_contact(model: OsimModel, tracks: list[Track], iterations: int = 6) -> Correction:
    """Find the corrections that keep the bearing points of the foot at rest on the floor."""
    foot = _RightFoot(model, tracks)
    bears = bearing_weights(foot.phase)
    if not toes_bend(model):
        bears[:, 2] = 0.0
    sizes = np.array([column[3] for column in foot.columns] + [_STRIDE_SIZE])
    unknowns = np.zeros(foot.n_unknowns)
    unknowns[-1] = _natural_stride(model)
    prior = unknowns.copy()
    for _ in range(iterations):
        points, jacobian = foot.points_and_jacobian(unknowns)
        residual, slope = _floor_rows(points, jacobian, bears)
        rows = np.concatenate([slope, np.diag(1.0 / sizes)])
        values = np.concatenate([residual, (unknowns - prior) / sizes])
        unknowns = unknowns - np.linalg.lstsq(rows, values, rcond=None)[0]
    n_terms = foot.basis.shape[1]
    series: dict[int, Array] = {c: np.zeros(n_terms) for c in [*foot.leg, *foot.pelvis]}
    for value, (coordinate, term, _, _) in zip(unknowns, foot.columns):
        series[coordinate][term] += value
    height = foot.base[:, foot.pelvis[1]] - normative_curves()["pelvis_height"](foot.phase)
    series[foot.pelvis[1]][0] += float(height.mean())
    leg = {stem: series[c] for stem, c in zip(foot.stems, foot.leg)}
    return Correction(leg, np.stack([series[c] for c in foot.pelvis]), float(unknowns[-1]))


def _natural_stride(model: OsimModel) -> float:
    """Stride [m] from the height of the hip over the sole with the leg straight."""
    q = model.default_coordinates.numpy().copy()[None]
    for name, index in movable(model).items():
        if not name.startswith("pelvis_t"):
            q[0, index] = 0.0
    hip = model(torch.from_numpy(q)).transforms[0, model.body_names.index("femur_r"), 1, 3]
    return _STRIDE_PER_HIP_HEIGHT * float(hip - sole_points(model, q, "r")[0, :, 1].min())


def _floor_rows(points: Array, jacobian: Array, bears: Array) -> tuple[Array, Array]:
    """Residuals in their sizes: rest and floor contact while bearing, no dip else, width of the step."""
    weight = bears[:, :, None]
    total = weight.sum(axis=0)
    mean = (weight * points).sum(axis=0) / np.maximum(total, 1e-9)
    mean_slope = (weight[..., None] * jacobian).sum(axis=0) / np.maximum(total, 1e-9)[..., None]
    rest = weight * (points - mean)[:, :, [0, 2]] / _FLOOR_SIZE
    rest_slope = weight[..., None] * (jacobian - mean_slope)[:, :, [0, 2]] / _FLOOR_SIZE
    down = (bears > 0) | (points[:, :, 1] < 0.0)
    strength = np.where(bears > 0, bears / _FLOOR_SIZE, 1.0 / _CLEARANCE_SIZE) * down
    if not bears[:, 2].any():
        strength[:, 2] = 0.0
    height = strength * points[:, :, 1]
    height_slope = strength[..., None] * jacobian[:, :, 1]
    width = np.array([(mean[0, 2] - _HALF_STEP_WIDTH) / _WIDTH_SIZE])
    n = jacobian.shape[-1]
    slopes = (rest_slope.reshape(-1, n), height_slope.reshape(-1, n), mean_slope[0, 2][None] / _WIDTH_SIZE)
    return np.concatenate([rest.ravel(), height.ravel(), width]), np.concatenate(slopes)
