"""What the page about a result from video says, kept beside it, so that ``biopose report`` can make the page again."""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from biopose_sim.errors import InputError
from biopose_sim.io import atomic_write
from biopose_sim.viz.report_video import Fact, VideoPage, VideoView

FILE = "video.npz"
_ARRAYS = ("after", "before", "found", "confidence", "point_errors")
_PICTURES = ("poster", "sheet")
_PLAIN = ("name", "repairs", "person_height", "film")


def write_page_file(path: Path, page: VideoPage) -> Path:
    """Write the page's content as .npz: a text ``page`` (JSON) and arrays of each view."""
    text = {
        "views": [{key: getattr(view, key) for key in _PLAIN} for view in page.views],
        "points": list(page.points),
        "flags": list(page.flags),
        "facts": [asdict(fact) for fact in page.facts],
        "size_known": page.size_known,
        "notes": list(page.notes),
    }
    arrays: dict[str, Any] = {"page": np.array(json.dumps(text)), "time": page.time}
    for number, view in enumerate(page.views):
        for key in _ARRAYS:
            if (values := getattr(view, key)) is not None:
                arrays[f"{key}_{number}"] = values
        for key in _PICTURES:
            if (picture := getattr(view, key)) is not None:
                arrays[f"{key}_{number}"] = np.frombuffer(picture, dtype=np.uint8)
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    return atomic_write(path, content.getvalue())


def read_page_file(path: Path) -> VideoPage:
    """Read what `write_page_file` wrote.

    Raises:
        InputError: the file is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            text, arrays = json.loads(str(stored["page"])), {name: stored[name] for name in stored.files}
        views = [_view(row, number, arrays) for number, row in enumerate(text.pop("views"))]
        facts = [Fact(**fact) for fact in text.pop("facts")]
        return VideoPage(time=arrays["time"], views=views, facts=facts, **text)
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise InputError(path, f"cannot be read ({error})", "run 'biopose video' again, or remove the file") from error


def _view(row: dict[str, Any], number: int, arrays: dict[str, np.ndarray]) -> VideoView:
    values = {key: arrays.get(f"{key}_{number}") for key in _ARRAYS}
    pictures = {key: None if (own := arrays.get(f"{key}_{number}")) is None else own.tobytes() for key in _PICTURES}
    return VideoView(**row, **values, **pictures)  # type: ignore[arg-type]
