"""People of other sizes: random but plausible scale factors of a model's bodies.

Stature follows adults of both sexes, N(1.71, 0.09) m. Given the stature, each part of the body departs from
proportion by a few percent, lengths less than widths: in ANSUR II (Gordon et al. 2014, NATICK/TR-15/007)
single lengths and breadths vary by 4 to 6 % among people of one sex (coefficient of variation), and about
half of the variance of lengths, little of that of breadths, goes with stature.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from biopose_sim.errors import InputError
from biopose_sim.kinematics.model import OsimModel

Array = NDArray[np.float64]
STATURE_MEAN, STATURE_SD = 1.71, 0.09
MODEL_STATURE = 1.70  # [m] Rajagopal et al. 2016: generic model of a 1.70 m, 75 kg man
_LENGTH_CV, _WIDTH_CV = 0.03, 0.045
_WIDTH_WITH_STATURE = 0.5
_LONGEST_DEPARTURE = 2.5

# Bodies that grow together share their factors.
_PARTS = {
    "pelvis": ("pelvis",),
    "thigh": ("femur", "patella"),
    "shank": ("tibia",),
    "foot": ("talus", "calcn", "toes"),
    "trunk": ("torso", "lumbar", "thorax"),
    "head": ("head",),
    "shoulder": ("scapula", "clavicle"),
    "upper arm": ("humerus",),
    "forearm": ("ulna", "radius"),
    "hand": ("hand",),
}
# Along which body axis the part is long: x for the foot, y for all others, none for pelvis, head and
# shoulder.
_LONG_AXIS = {"thigh": 1, "shank": 1, "foot": 0, "trunk": 1, "upper arm": 1, "forearm": 1, "hand": 1}


def random_anthropometry(
    model: OsimModel,
    rng: np.random.Generator,
    *,
    stature: float | None = None,
    model_stature: float = MODEL_STATURE,
) -> Array:
    """Draw scale factors of a plausible adult, relative to the model, shape (n_bodies, 3).

    Sides are symmetric, bodies of one part (ulna and radius; the bones of the foot) share their factors,
    lengths and widths of a part differ.

    Args:
        model: an unscaled model of average size.
        rng: the source of randomness.
        stature: body height [m]; drawn from N(1.71, 0.09), cut at 2.5 standard deviations, if None.
        model_stature: height of the person that the model depicts [m].

    Raises:
        InputError: a stature outside 1.2 to 2.2 m.
    """
    drawn = STATURE_MEAN + STATURE_SD * _normal(rng)
    height = drawn if stature is None else stature
    if not 1.2 <= height <= 2.2:
        raise InputError("random_anthropometry", f"stature is {height} m", "give 1.2 to 2.2 m")
    size = height / model_stature
    factors = {part: _part_factors(rng, part, size) for part in _PARTS}
    stems = {stem: part for part, names in _PARTS.items() for stem in names}
    rows = []
    for body in model.body_names:
        stem = body[:-2] if body.endswith(("_r", "_l")) else body
        part = stems.get(stem) or next((p for s, p in stems.items() if stem.startswith(s)), None)
        rows.append(np.full(3, size) if part is None else factors[part])
    return np.array(rows)


def _part_factors(rng: np.random.Generator, part: str, size: float) -> Array:
    width_size = 1.0 + _WIDTH_WITH_STATURE * (size - 1.0)
    length = size * (1.0 + _LENGTH_CV * _normal(rng))
    widths = width_size * (1.0 + _WIDTH_CV * np.array([_normal(rng), _normal(rng)]))
    if part == "head":  # the head hardly grows with stature and keeps its shape
        return np.full(3, widths.mean())
    axis = _LONG_AXIS.get(part)
    if axis is None:
        return np.array([widths[0], length, widths[1]])
    return np.insert(widths, axis, length)


def _normal(rng: np.random.Generator) -> float:
    return float(np.clip(rng.normal(), -_LONGEST_DEPARTURE, _LONGEST_DEPARTURE))
