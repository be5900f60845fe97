"""What the readers of key-point files share: the rows that they find, and JSON read with care."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from ...io.text import read_text_bytes

KNOWN = "OpenPose (folder of JSON), COCO or AlphaPose results (JSON), MediaPipe (CSV, JSON), arrays (.npz)"
MOST_FRAMES = 10_000_000  # more are frame numbers gone wrong


@dataclass
class Rows:
    """What a reader of one format found: a row for each person and frame."""

    frames: list[int] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)  # each (K, 3): x, y, confidence; confidence 0: not found
    tracks: list[int | None] = field(default_factory=list)
    count: int = 0  # frames of the clip, with those of nobody
    size: tuple[int, int] | None = None
    fps: float | None = None
    layout: str | None = None
    normalised: bool = False  # shares of the picture are expected
    shares: bool = False  # and found
    first: int | None = None  # number in the file of frame 0, where frames are numbered
    notes: list[str] = field(default_factory=list)

    def add(self, frame: int, values: Any, track: int | None = None) -> None:
        """Add what was found of one person in one frame, (K, 3)."""
        self.frames.append(frame)
        self.values.append(values)
        self.tracks.append(track)
        self.count = max(self.count, frame + 1)


def load_json(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises:
        InputError: no such file, or no valid JSON.
    """
    try:
        return json.loads(read_text_bytes(path))
    except (ValueError, RecursionError) as error:
        raise InputError(path, f"is no valid JSON ({error})", "copy or export it again") from None


def whole_number(path: Path, value: Any, what: str) -> int:
    """Return a number or the text of one.

    Raises:
        InputError: not a whole number.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InputError(path, f"{what} is {value!r}", "give a whole number") from None
    if not np.isfinite(number) or number != int(number):
        raise InputError(path, f"{what} is {value!r}", "give a whole number")
    return int(number)
