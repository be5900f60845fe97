"""The project's own npz file of a body motion: every `BodySequence` can be written and read back.

Arrays (all plain, none of Python objects): ``rotations (T, J, 3, 3)``, ``translation (T, 3)``, ``phenotypes`` (Anny) or
``shape``, ``time (T,)`` [s] or ``fps`` [Hz]; optional ``body``, ``gender``, ``to_ground (3, 3)``, ``seen (T,)``,
``vertices (T, V, 3)``, ``topology``, ``name``, ``recording`` (the file it was read from), ``assumptions``,
``relaxed_hands``. A file that somebody else makes needs only the first four; axes are then Anny's where there are
``phenotypes``, else y up.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from ...io.atomic import atomic_path
from ..types import ANNY_AXES, Y_UP, BodySequence
from .checks import betas_of, check_frames, floats, from_matrices, gender_of, rate_of, text_of
from .clip import TOPOLOGIES, Clip, Format, Options, Track, check_frame_option, finish, frame_rate, same_length
from .content import Content

_WHAT = "a biopose sequence"
_BODIES = ("smpl", "smplh", "smplx", "anny", "mesh")


def save_sequence(sequence: BodySequence, path: str | Path) -> Path:
    """Write a sequence to an npz file, in one step, and return the path.

    Raises:
        InputError: the path does not end in ``.npz``, or its folder cannot be written to.
    """
    target = Path(path)
    if target.suffix != ".npz":
        raise InputError(target, "does not end in .npz", "name it like sequence.npz")
    arrays: dict[str, Any] = {
        "body": np.array(sequence.body),
        "name": np.array(sequence.name),
        "time": sequence.time,
        "rotations": sequence.rotations,
        "translation": sequence.translation,
        "phenotypes" if sequence.body == "anny" else "shape": sequence.shape,
        "gender": np.array(sequence.gender),
        "to_ground": sequence.to_ground,
        "assumptions": np.array(sequence.assumptions, dtype=np.str_),
    }
    optional = {"seen": sequence.seen, "vertices": sequence.vertices}
    texts = {"topology": sequence.topology, "recording": sequence.source}
    if sequence.relaxed_hands:
        optional["relaxed_hands"] = np.array(True)
    arrays |= {key: value for key, value in optional.items() if value is not None}
    arrays |= {key: np.array(str(value)) for key, value in texts.items() if value is not None}
    with atomic_path(target) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)
    return target


def _matches(content: Content) -> bool:
    return content.kind == "npz" and content.has("rotations", "translation")


def _tracks(content: Content) -> list[Track]:
    return [Track("0", len(content.data["rotations"]))]


def _read(content: Content, track: Track, options: Options) -> BodySequence:
    check_frame_option(content.path, options, ("world",), _WHAT)
    if "time" in content.data and options.fps is None:
        return _read_timed(content)
    return _read_evenly(content, options)


def _read_timed(content: Content) -> BodySequence:
    """A file with its own clock, as `save_sequence` writes it: nothing is filled in."""
    source, data = content.path, content.data
    parts = _parts(content)
    time = floats(source, "time", data["time"], (len(parts["rotations"]),))
    if not np.isfinite(time).all() or (np.diff(time) <= 0).any():
        raise InputError(source, "time does not increase from frame to frame")
    if len(time) > 1:
        rate_of(source, 1.0 / np.median(np.diff(time)), "the frame rate of 'time'")
    seen = np.asarray(data["seen"], dtype=bool) if "seen" in data else None
    if seen is not None:
        same_length(source, rotations=len(time), seen=len(seen))
        if not seen.any():
            raise InputError(source, "the person is seen in no frame")
    held = slice(None) if seen is None else seen
    for name in ("rotations", "translation"):
        if not np.isfinite(parts[name][held]).all():
            raise InputError(source, f"{name} has values that are not numbers", "mark such frames in 'seen'")
    recording = data.get("recording")
    return BodySequence(
        name=text_of(data["name"]) if "name" in data else source.stem,
        time=time,
        seen=seen,
        source=source if recording is None else Path(text_of(recording)),
        assumptions=tuple(str(note) for note in np.atleast_1d(data.get("assumptions", ()))),
        **parts,
    )


def _read_evenly(content: Content, options: Options) -> BodySequence:
    source, data = content.path, content.data
    notes: list[str] = [str(note) for note in np.atleast_1d(data.get("assumptions", ()))]
    parts = _parts(content)
    n_frames = len(parts["rotations"])
    stated = data.get("fps")
    if stated is None and "time" in data and n_frames > 1:
        stated = rate_of(source, (n_frames - 1) / np.ptp(data["time"]))
    clip = Clip(
        source=source,
        name=text_of(data["name"]) if "name" in data else source.stem,
        rate=frame_rate(source, options, stated, notes, _WHAT),
        frames=np.arange(n_frames),
        span=(0, n_frames - 1),
        notes=notes,
        **parts,
    )
    if "seen" in data:
        seen = np.asarray(data["seen"], dtype=bool)
        same_length(source, rotations=n_frames, seen=len(seen))
        clip.rotations = np.where(seen[:, None, None, None], clip.rotations, np.nan)
        if not clip.rotations.size:
            clip.translation = np.where(seen[:, None], clip.translation, np.nan)
    return finish(clip, options)


def _parts(content: Content) -> dict[str, Any]:
    """The checked arrays that both ways of reading share."""
    source, data = content.path, content.data
    body = text_of(data["body"]) if "body" in data else ("anny" if "phenotypes" in data else "")
    if body not in _BODIES:
        raise InputError(source, f"body is '{body}'", f"known are {', '.join(_BODIES)}")
    rotations = from_matrices(source, "rotations", floats(source, "rotations", data["rotations"], (None, None, 3, 3)))
    check_frames(source, len(rotations))
    translation = floats(source, "translation", data["translation"], (len(rotations), 3))
    vertices = np.asarray(data["vertices"]) if "vertices" in data else None
    if vertices is not None and (vertices.ndim != 3 or vertices.shape[::2] != (len(rotations), 3)):
        raise InputError(source, f"vertices has shape {vertices.shape}", f"expected ({len(rotations)}, V, 3)")
    if body == "mesh" and vertices is None:
        raise InputError(source, "is of a mesh but has no 'vertices'")
    topology = TOPOLOGIES.get(vertices.shape[1]) if vertices is not None else None
    to_ground = data.get("to_ground", ANNY_AXES if body == "anny" else Y_UP)
    turn = from_matrices(source, "to_ground", floats(source, "to_ground", to_ground, (3, 3)))
    return {
        "body": body,
        "rotations": rotations,
        "translation": translation,
        "shape": _shape(content, body, len(rotations)),
        "gender": gender_of(source, data.get("gender", "neutral")),
        "relaxed_hands": bool(np.all(data.get("relaxed_hands", False))),
        "to_ground": turn,
        "vertices": vertices,
        "topology": text_of(data["topology"]) if "topology" in data else topology,
    }


def _shape(content: Content, body: str, n_frames: int) -> np.ndarray:
    key = "phenotypes" if body == "anny" else "shape"
    if key not in content.data:
        raise InputError(content.path, f"is of the body '{body}' but has no '{key}'")
    value = content.data[key]
    if body not in ("anny", "mesh"):
        return betas_of(content.path, value, n_frames, key)
    shape = floats(content.path, key, value, (None,) * (2 if np.ndim(value) == 2 else 1))
    if shape.ndim == 2 and len(shape) != n_frames:
        raise InputError(content.path, f"{key} has shape {shape.shape}", f"expected (S,) or ({n_frames}, S)")
    if not np.isfinite(shape).all():
        raise InputError(content.path, f"{key} has values that are not numbers")
    return shape


FORMATS = (Format("biopose sequence", _matches, _tracks, _read),)
