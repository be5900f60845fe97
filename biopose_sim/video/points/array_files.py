"""Key points as arrays: ``.npz`` files, our own and those of other programs."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from ...io.text import read_bytes
from .keypoints import Array
from .rows import Rows, whole_number

_NAMES = ("keypoints", "landmarks", "pose_landmarks")
_MEDIAPIPE = 33


def read_arrays(path: Path) -> Rows:
    """Read ``keypoints`` (T, K, 3), (T, P, K, 3), or (N, K, 3) with ``image_id`` (N,) and perhaps ``track_id``.

    ``fps``, ``size`` (width, height) and ``layout`` may be beside them.

    Raises:
        InputError: no such file or array, damaged, or something beside it that makes no sense.
    """
    read_bytes(path)
    try:
        content = _content(path)
    except (ValueError, OSError, EOFError, KeyError, NotImplementedError, zipfile.BadZipFile) as error:
        raise InputError(path, f"cannot be read as .npz ({error})", "save it again with numpy.savez") from None
    name = next((n for n in _NAMES if n in content), None)
    if name is None or content[name].ndim not in (3, 4) or content[name].dtype.kind not in "fiu":
        have = ", ".join(f"{n} {a.shape}" for n, a in content.items())
        raise InputError(path, f"holds no key points ({have})", "give 'keypoints' of shape (T, K, 3) or (T, P, K, 3)")
    array = content[name].astype(np.float64)
    if array.shape[-1] not in (2, 3, 4, 5):
        raise InputError(path, f"'{name}' has shape {array.shape}", "the last axis is x, y, confidence")
    rows = Rows(count=len(array), fps=_numbers(path, content, "fps", 1))
    rows.layout = str(content["layout"]) if "layout" in content else None
    rows.normalised = array.shape[-2] == _MEDIAPIPE
    if (size := _numbers(path, content, "size", 2)) is not None:
        rows.size = (whole_number(path, size[0], "width"), whole_number(path, size[1], "height"))
    values = np.concatenate([array[..., :2], _confidence(array, rows)[..., None]], axis=-1)
    return _rows(path, rows, values, content)


def _content(path: Path) -> dict[str, Any]:
    found = np.load(path, allow_pickle=False)
    if isinstance(found, np.ndarray):
        raise ValueError("it holds one array without a name")
    with found as archive:
        return {name: archive[name] for name in archive.files}


def _numbers(path: Path, content: dict[str, Any], name: str, count: int) -> Any:
    """A number, or so many; None where the file has none."""
    if name not in content:
        return None
    try:
        values = [float(value) for value in content[name].ravel()]
    except (TypeError, ValueError):
        values = []
    if len(values) != count:
        wanted = "one number" if count == 1 else f"{count} numbers"
        raise InputError(path, f"'{name}' is {str(content[name])[:60]}", f"it should be {wanted}")
    return values[0] if count == 1 else values


def _confidence(array: Array, rows: Rows) -> Array:
    """x, y; x, y, confidence; MediaPipe's x, y, z, visibility(, presence) or x, y, z."""
    columns = array.shape[-1]
    if columns == 2:
        return np.ones(array.shape[:-1])
    last: Array = array[..., min(columns - 1, 3)]
    if columns == 3 and rows.normalised and bool((last < 0.0).any()):
        rows.notes.append("The third number of each landmark is its depth, not a confidence: all are taken for sure.")
        return np.ones(array.shape[:-1])
    return last


def _rows(path: Path, rows: Rows, values: Array, content: dict[str, Any]) -> Rows:
    numbers = content.get("image_id")
    if numbers is not None and values.ndim == 3:
        tracks, rows.count = content.get("track_id"), 0
        lengths = {np.shape(array) for array in (numbers, tracks) if array is not None}
        if lengths != {(len(values),)}:
            raise InputError(path, "'image_id' or 'track_id' has another length than 'keypoints'", "one for each row")
        frames = [whole_number(path, n, "image_id") for n in numbers]
        rows.first = min(frames, default=0)
        for i, frame in enumerate(frames):
            track = None if tracks is None else whole_number(path, tracks[i], "track_id")
            rows.add(frame - rows.first, values[i], track)
        return rows
    for frame, people in enumerate(values if values.ndim == 4 else values[:, None]):
        for person in people:
            if np.isfinite(person[:, :2]).all(-1).any():
                rows.add(frame, person)
    return rows
