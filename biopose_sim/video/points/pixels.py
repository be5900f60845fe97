"""Coordinates of key-point files as pixels of the clip: shares of the picture, pictures of another size, nonsense."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import InputError
from .keypoints import Array
from .rows import Rows

_LARGEST_SHARE = 2.0  # shares of the picture; nine tenths of the points of a person lie nearer
_BEHIND = 0.25  # of the coordinates below zero: they count from the middle of the picture or of the body
_LEAST, _MOST = 32, 16384  # pixels of a side
_SAME_SHAPE = 0.01  # of the ratio of width and height, which rounding changes
_BORDER, _MOST_OUTSIDE = 0.1, 0.5  # of the picture; of the points
_SURE = 0.2  # confidence from which on a point counts
_ONE_SPOT = 1e-6  # of how far it is from the corner


def in_pixels(path: Path, values: Array, rows: Rows, size: tuple[int, int] | None) -> Array:
    """Return where points lie in the picture, (N, K, 2) [px]; ``rows`` is told the size and what was assumed.

    Args:
        path: named in errors.
        values: (N, K, 3) x, y as in the file, and confidence from 0 to 1.
        rows: of the file.
        size: width and height of the clip, if known.

    Raises:
        InputError: shares of a picture of unknown size, a picture of another shape, points beyond the picture, on one
            spot, or about the middle of the body.
    """
    for each in (size, rows.size):
        _check_size(path, each)
    points = values[..., :2].copy()
    sure = (values[..., 2] > _SURE) & np.isfinite(points).all(-1) & (points != 0.0).any(-1)
    found = points[sure]
    if not len(found):
        rows.size = size or rows.size
        return points
    if float(np.quantile(np.abs(found), 0.9)) <= _LARGEST_SHARE:
        points = _from_shares(path, points, found, rows, size or rows.size)
    elif rows.normalised:
        rows.notes.append("Coordinates were taken for pixels (they go beyond the range of shares of the picture).")
    if size is not None and rows.size is not None and size != rows.size and not rows.shares:
        points = _resized(path, points, rows, size)
    rows.size = size or rows.size
    _check_place(path, points, sure, rows.size)
    return points


def _check_size(path: Path, size: tuple[int, int] | None) -> None:
    if size is not None and not _LEAST <= min(size) <= max(size) <= _MOST:
        problem = f"is of pictures of {size[0]} x {size[1]} pixels"
        raise InputError(path, problem, f"sizes are width and height, each from {_LEAST} to {_MOST}")


def _from_shares(path: Path, points: Array, found: Array, rows: Rows, size: tuple[int, int] | None) -> Array:
    if float(np.mean(found < 0.0)) > _BEHIND:
        if rows.normalised:
            remedy = "give the landmarks of the picture (pose_landmarks)"
            raise InputError(path, "holds MediaPipe's world landmarks (metres about the hips)", remedy)
        raise InputError(path, "has points about the middle, many below zero", "give pixels, or shares from 0 to 1")
    if size is None:
        raise InputError(path, "holds shares of the picture, whose size is unknown", "give size=(width, height) in px")
    rows.shares = True
    if not rows.normalised:
        rows.notes.append("Coordinates were taken for shares of the picture: none goes far beyond 1.")
    return points * np.array(size, dtype=float)


def _resized(path: Path, points: Array, rows: Rows, size: tuple[int, int]) -> Array:
    """Points of pictures of the file's size in those of the clip."""
    assert rows.size is not None  # asked before
    times = np.array(size, dtype=float) / rows.size
    own = f"{rows.size[0]} x {rows.size[1]}"
    if abs(times[0] / times[1] - 1.0) > _SAME_SHAPE:
        problem = f"is of pictures of {own} pixels, the clip's have {size[0]} x {size[1]}"
        raise InputError(path, problem, "give the key points of this clip, as it stands upright")
    rows.notes.append(f"The key points are of pictures of {own} pixels: brought to {size[0]} x {size[1]}.")
    scaled: Array = points * times
    return scaled


def _check_place(path: Path, points: Array, sure: Array, size: tuple[int, int] | None) -> None:
    found = points[sure]
    if float(np.ptp(found, axis=0).max()) <= _ONE_SPOT * float(np.abs(found).max()):
        raise InputError(path, "has all its points on one spot", "give key points of a person")
    if size is None:
        return
    low, high = -_BORDER * np.array(size), (1.0 + _BORDER) * np.array(size)
    outside = ((found < low) | (found > high)).any(-1)
    if outside.mean() > _MOST_OUTSIDE:
        x, y = np.median(found, axis=0)
        problem = (
            f"has most points beyond the picture of {size[0]} x {size[1]} pixels (the middle one at {x:.0f}, {y:.0f})"
        )
        raise InputError(path, problem, "give the key points of this clip, and the size of its pictures")
