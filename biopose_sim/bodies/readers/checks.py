"""Values of motion files, checked: text, gender, frame rate, betas, rotations, points."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from ...errors import InputError

Source = str | Path

_GENDERS = {
    **dict.fromkeys(("female", "f", "woman", "w"), "female"),
    **dict.fromkeys(("male", "m", "man"), "male"),
    **dict.fromkeys(("neutral", "n", "neuter"), "neutral"),
}
_HIGHEST_RATE = 2000.0
# smplx takes 10 or 16 (SMPL-H), 11 (BEDLAM's neutral body), at most 300 (SMPL, SMPL-X with all directions).
_FEWEST_BETAS, _MOST_BETAS = 10, 300
# Bodies of adults and children measure this much in their longest direction [m]; beyond, the unit is another.
_SMALLEST_BODY, _LARGEST_BODY = 0.3, 3.5


def text_of(value: Any) -> str:
    """Return text that may be stored as str, bytes, or an array of one of them, in one line."""
    array = np.asarray(value)
    item = array.reshape(-1)[0] if array.size == 1 else value
    return " ".join((item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item)).split())


def gender_of(source: Source, value: Any) -> str:
    """Return ``"female"``, ``"male"`` or ``"neutral"``.

    Raises:
        InputError: another word.
    """
    word = text_of(value).lower()
    if word not in _GENDERS:
        raise InputError(source, f"gender is '{word}'", "female, male or neutral are known")
    return _GENDERS[word]


def rate_of(source: Source, value: Any, what: str = "frame rate") -> float:
    """Return a frame rate [Hz]; one within 0.001 Hz of a whole number is that number (120.0000458 -> 120).

    Raises:
        InputError: not a number, not above 0, or above 2000 Hz.
    """
    try:
        rate = float(np.asarray(value, dtype=np.float64).reshape(()))
    except (TypeError, ValueError):
        raise InputError(source, f"{what} is not a number", "give fps=...") from None
    if not np.isfinite(rate) or not 0 < rate <= _HIGHEST_RATE:
        remedy = f"give fps=... above 0 and at most {_HIGHEST_RATE:g} Hz"
        raise InputError(source, f"{what} is {rate:g} Hz", remedy)
    return float(round(rate)) if abs(rate - round(rate)) < 1e-3 and round(rate) > 0 else rate


def _numbers(source: Source, what: str, value: Any) -> np.ndarray:
    """Float64 values of any shape; complex numbers, of which numpy would keep the real part, are refused as well."""
    try:
        array = np.asarray(value)
        if not np.iscomplexobj(array):
            return array.astype(np.float64)
    except (TypeError, ValueError):
        pass
    raise InputError(source, f"{what} does not hold numbers")


def floats(source: Source, what: str, value: Any, shape: tuple[int | None, ...]) -> np.ndarray:
    """Return float64 values of a shape; None stands for any length.

    Raises:
        InputError: not numbers, or of another shape.
    """
    array = _numbers(source, what, value)
    fits = array.ndim == len(shape) and all(n is None or n == m for n, m in zip(shape, array.shape))
    if not fits:
        wanted = "(" + ", ".join("any" if n is None else str(n) for n in shape) + ")"
        raise InputError(source, f"{what} has shape {array.shape}", f"expected {wanted}")
    return array


def betas_of(source: Source, value: Any, n_frames: int, what: str = "betas") -> np.ndarray:
    """Return betas, (S,) or, where they change from frame to frame, (T, S).

    Raises:
        InputError: neither one list nor one list per frame, or of a length that no body model has.
    """
    betas = _numbers(source, what, value)
    if betas.ndim == 2 and len(betas) == 1:
        betas = betas[0]
    if betas.ndim not in (1, 2) or (betas.ndim == 2 and len(betas) != n_frames):
        raise InputError(source, f"{what} has shape {betas.shape}", f"expected (S,) or ({n_frames}, S)")
    if not _FEWEST_BETAS <= betas.shape[-1] <= _MOST_BETAS:
        problem = f"{what} has {betas.shape[-1]} values"
        raise InputError(source, problem, "body models take 10, 11 or 16 (at most 300)")
    if betas.ndim == 1 and not np.isfinite(betas).all():
        raise InputError(source, f"{what} has values that are not numbers")
    return betas


def from_axis_angle(source: Source, what: str, value: Any, widths: tuple[int, ...]) -> np.ndarray:
    """Return rotation matrices (T, J, 3, 3) of axis-angle vectors (T, 3 J) or (T, J, 3) [rad]; NaN where they are.

    Raises:
        InputError: a width that is not among ``widths`` (in numbers per frame), or no frame.
    """
    array = _numbers(source, what, value)
    if array.ndim == 3 and array.shape[2] == 3:
        array = array.reshape(len(array), -1)
    if array.ndim != 2 or array.shape[1] not in widths:
        wanted = " or ".join(f"(T, {width})" for width in widths)
        raise InputError(source, f"{what} has shape {array.shape}", f"expected {wanted}, axis-angle")
    check_frames(source, len(array))
    known = np.isfinite(array).all(axis=1)
    matrices = np.full((len(array), array.shape[1] // 3, 3, 3), np.nan)
    vectors = array[known].reshape(-1, 3)
    if len(vectors):
        matrices[known] = Rotation.from_rotvec(vectors).as_matrix().reshape(-1, array.shape[1] // 3, 3, 3)
    return matrices


def from_matrices(source: Source, what: str, value: npt.ArrayLike) -> np.ndarray:
    """Return proper rotation matrices (..., 3, 3) nearest to the given ones; NaN where they are.

    Raises:
        InputError: not matrices, or further than 0.05 from a rotation (a mirror, a wrong scale, zeros).
    """
    array = np.asarray(value, dtype=np.float64)
    if array.ndim < 2 or array.shape[-2:] != (3, 3):
        raise InputError(source, f"{what} has shape {array.shape}", "expected rotation matrices (..., 3, 3)")
    flat = array.reshape(-1, 3, 3).copy()
    known = np.isfinite(flat).all(axis=(1, 2))
    given = flat[known]
    right_handed = np.linalg.det(given) > 0 if len(given) else np.ones(0, dtype=bool)
    loose = np.abs(np.swapaxes(given, 1, 2) @ given - np.eye(3)).max(axis=(1, 2), initial=0.0) > 1e-5
    left, _, right = np.linalg.svd(given[loose])
    nearest = left @ right
    if not right_handed.all() or np.abs(nearest - given[loose]).max(initial=0.0) > 0.05:
        raise InputError(source, f"{what} holds matrices that are not rotations")
    given[loose] = nearest
    flat[known] = given
    return flat.reshape(array.shape)


def check_frames(source: Source, n_frames: int) -> None:
    """Raise an InputError where there is no frame."""
    if n_frames == 0:
        raise InputError(source, "holds no frame", "the recording is empty; export it again")


def check_body_size(source: Source, vertices: np.ndarray) -> None:
    """Raise an InputError where a mesh, (V, 3), is far smaller or larger than a person in metres."""
    size = float(np.ptp(vertices, axis=0).max())
    if not _SMALLEST_BODY < size < _LARGEST_BODY:
        raise InputError(source, f"the mesh measures {size:.3g} m", "vertices in metres are expected")
