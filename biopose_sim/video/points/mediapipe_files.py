"""MediaPipe's 33 landmarks from JSON and CSV, as people save them: shares of the picture's width and height."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...io.text import read_text_bytes
from .keypoints import LAYOUTS, Array
from .rows import KNOWN, MOST_FRAMES, Rows, whole_number

_LAYOUT = LAYOUTS["mediapipe33"]
_COUNT = len(_LAYOUT.points)
_FRAME = ("frame", "frame_id", "frame_number", "frame_index", "frame_idx")


def mediapipe_json(path: Path, frames: list[Any], content: dict[str, Any]) -> Rows:
    """Read a list of frames, each a list of landmarks ``{x, y, z, visibility}`` or ``[x, y, z, visibility]``.

    A frame may also be a dict that holds the list as ``landmarks`` or ``pose_landmarks``, or a list of people; it is
    empty or null where nobody was found.

    Raises:
        InputError: a frame is no such list, a landmark has no x and y.
    """
    rows = Rows(count=len(frames), layout=_LAYOUT.name, normalised=True)
    if isinstance(content.get("fps"), (int, float)):
        rows.fps = float(content["fps"])
    if content.get("width") and content.get("height"):
        rows.size = (whole_number(path, content["width"], "width"), whole_number(path, content["height"], "height"))
    for number, frame in enumerate(frames):
        marks = frame
        if isinstance(frame, dict):
            marks = frame.get("landmarks") or frame.get("pose_landmarks")
        if not marks and (marks is None or isinstance(marks, list)):
            continue
        if not isinstance(marks, list):
            raise InputError(path, f"frame {number} is no list of landmarks", f"known: {KNOWN}")
        nested = isinstance(marks[0], list) and marks[0] and isinstance(marks[0][0], (dict, list))
        for person in marks if nested else [marks]:
            rows.add(number, np.array([_landmark(path, mark) for mark in person], dtype=np.float64))
    return rows


def _landmark(path: Path, mark: Any) -> tuple[float, float, float]:
    try:
        if isinstance(mark, dict):
            return float(mark["x"]), float(mark["y"]), float(mark.get("visibility", 1.0))
        return float(mark[0]), float(mark[1]), float(mark[3]) if len(mark) > 3 else 1.0
    except (TypeError, ValueError, KeyError, IndexError):
        raise InputError(path, f"a landmark is {str(mark)[:60]}", "each has x, y and visibility") from None


def mediapipe_csv(path: Path) -> Rows:
    """Read a line for each landmark or for each frame.

    A line for each landmark needs a header with ``frame``, ``landmark`` (0 to 32, or its name), ``x``, ``y`` and
    perhaps ``visibility``. A line for each frame holds x, y, z, visibility 33 times, after up to two other columns
    (number of the frame, time); x, y, visibility and x, y, z are told apart by the header.

    Raises:
        InputError: another number of columns, lines of different length, a landmark that there is not.
    """
    text = read_text_bytes(path).decode("utf-8", "replace")
    lines = [
        [cell.strip().strip('"').lower() for cell in line.split(",")] for line in text.splitlines() if line.strip()
    ]
    if not lines:
        raise InputError(path, "is empty", "export it again")
    header = lines[0]
    if any(re.search("[a-z]", cell) and cell != "nan" for cell in header):
        lines = lines[1:]
    if not lines or any(len(line) != len(header) for line in lines):
        raise InputError(path, "lines have different numbers of cells", "export it again, separated by commas")
    table = np.array([[_number(cell) for cell in line] for line in lines])
    mark = next((header.index(n) for n in ("landmark", "landmark_id", "id", "name") if n in header), None)
    if mark is not None and {"frame", "x", "y"} <= set(header):
        return _a_line_each_landmark(path, table, header, np.array([_landmark_number(line[mark]) for line in lines]))
    return _a_line_each_frame(path, table, header)


def _number(text: str) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")


def _landmark_number(name: str) -> int:
    if name in _LAYOUT.points:
        return _LAYOUT.points.index(name)
    return int(name) if name.isdecimal() else -1


def _a_line_each_frame(path: Path, table: Array, header: list[str]) -> Rows:
    lead, each = len(header) % _COUNT, len(header) // _COUNT
    if lead > 2 or each not in (2, 3, 4, 5):
        problem = f"has {len(header)} columns, not 33 landmarks of x, y, z, visibility"
        raise InputError(path, problem, f"MediaPipe's CSV is expected; known: {KNOWN}")
    rows = Rows(count=len(table), layout=_LAYOUT.name, normalised=True)
    numbers = _numbers_of(path, table[:, :lead], header[:lead])
    if numbers is not None:
        rows.first, rows.count = int(numbers.min()), 0
        numbers = numbers - numbers.min()
    depth = any(re.search(r"(^z)|([_.]z$)", cell) for cell in header)
    for frame, line in enumerate(table):
        values = line[lead:].reshape(_COUNT, each)
        column = 3 if each > 3 else 2 if each == 3 and not depth else None
        visible = np.ones(_COUNT) if column is None else values[:, column]
        if np.isfinite(values[:, :2]).all(-1).any():
            rows.add(frame if numbers is None else int(numbers[frame]), np.column_stack([values[:, :2], visible]))
    if numbers is not None:
        rows.count = int(numbers.max()) + 1
    return rows


def _numbers_of(path: Path, lead: Array, header: list[str]) -> NDArray[np.int_] | None:
    """Numbers of the frames (T,), where a column before the landmarks says that it holds them."""
    column = next((k for k, cell in enumerate(header) if cell in _FRAME), None)
    if column is None:
        return None
    numbers = lead[:, column]
    if not ((numbers >= 0) & (numbers < MOST_FRAMES)).all() or (np.diff(numbers) < 1.0).any():
        raise InputError(path, f"its column '{header[column]}' does not number the frames", "give rising whole numbers")
    return numbers.astype(int)


def _a_line_each_landmark(path: Path, table: Array, header: list[str], landmark: NDArray[np.intp]) -> Rows:
    numbers = table[:, header.index("frame")]
    if landmark.min() < 0 or landmark.max() >= _COUNT or not ((numbers >= 0) & (numbers < MOST_FRAMES)).all():
        raise InputError(path, "a line names no frame or no landmark of MediaPipe", "landmarks are 0 to 32 or names")
    rows = Rows(layout=_LAYOUT.name, normalised=True, first=int(numbers.min()))
    place = [header.index("x"), header.index("y")]
    frames = numbers.astype(int)
    first = int(frames.min())
    for frame in np.unique(frames):
        at = np.flatnonzero(frames == frame)
        values = np.zeros((_COUNT, 3))
        values[landmark[at], :2] = table[at][:, place]
        values[landmark[at], 2] = table[at, header.index("visibility")] if "visibility" in header else 1.0
        rows.add(int(frame) - first, values)
    return rows
