"""Meshes without a body model: SAM 3D Body (facebookresearch/sam-3d-body) and plain npz files of vertices.

SAM 3D Body gives, per image, a list of one dictionary per person; points in camera space are ``pred_vertices`` +
``pred_cam_t``. It has no notion of who is who: people keep their place in the lists (or their ``track_id``). Read are
a pickle or npy file with a list of such lists (or a dictionary image -> list), and a folder with one file per image.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePath
from typing import Any

import numpy as np

from ...errors import InputError
from ..types import LEVEL_CAMERA, Y_UP, Z_UP, BodySequence
from .checks import check_body_size, check_frames, floats, text_of
from .clip import TOPOLOGIES, Clip, Format, Options, Track, check_frame_option, finish, frame_rate
from .content import Content, NpzData

_SAM = "SAM 3D Body's result"
_PLAIN = "a file of vertices"
_MHR_VERTICES = 18439


def _images(content: Content) -> list[tuple[int, list[Mapping[str, Any]]]] | None:
    """Image number and people of each image, or None where it is something else."""
    data = content.data
    if content.kind not in ("pickle", "npy", "folder"):
        return None
    if isinstance(data, Mapping) and "pred_vertices" not in data:
        opened = [(_number(str(name), i), _people(value)) for i, (name, value) in enumerate(data.items())]
    else:
        items = list(np.atleast_1d(data)) if isinstance(data, np.ndarray) else data
        items = list(items) if isinstance(items, list | tuple) else [items]
        one_image = bool(items) and all(isinstance(item, Mapping) for item in items)
        opened = [(0, _people(items))] if one_image else [(i, _people(item)) for i, item in enumerate(items)]
    found = [(number, people) for number, people in opened if people is not None]
    return found if len(found) == len(opened) and any(people for _, people in found) else None


def _people(value: Any) -> list[Mapping[str, Any]] | None:
    if isinstance(value, NpzData):
        value = dict(value) if "pred_vertices" in value else next(iter(value.values()), None)
    people = [value] if isinstance(value, Mapping) else value
    people = list(people.reshape(-1)) if isinstance(people, np.ndarray) and people.dtype == object else people
    if not isinstance(people, list | tuple):
        return None
    good = all(isinstance(person, Mapping) and {"pred_vertices", "pred_cam_t"} <= person.keys() for person in people)
    return list(people) if good else None


def _number(name: str, otherwise: int) -> int:
    numbers = re.findall(r"\d+", PurePath(name).stem)
    return int(numbers[-1]) if numbers else otherwise


def _person_key(person: Mapping[str, Any], place: int) -> str:
    return text_of(person.get("track_id", place))


def _is_sam(content: Content) -> bool:
    return _images(content) is not None


def _sam_tracks(content: Content) -> list[Track]:
    count: dict[str, int] = {}
    for _, people in _images(content) or ():
        for place, person in enumerate(people):
            key = _person_key(person, place)
            count[key] = count.get(key, 0) + 1
    return [Track(key, n) for key, n in count.items()]


def _read_sam(content: Content, track: Track, options: Options) -> BodySequence:
    source = content.path
    check_frame_option(source, options, ("camera",), _SAM)
    rows = [
        (number, person)
        for number, people in _images(content) or ()
        for place, person in enumerate(people)
        if _person_key(person, place) == track.key
    ]
    meshes = []
    for _, person in rows:
        points = np.asarray(person["pred_vertices"])
        if points.shape != (_MHR_VERTICES, 3):
            problem = f"pred_vertices has shape {points.shape}"
            raise InputError(source, problem, f"expected ({_MHR_VERTICES}, 3), the MHR body")
        meshes.append(points + np.ravel(np.asarray(person["pred_cam_t"], dtype=points.dtype)))
    notes = ["The mesh is that of SAM 3D Body (MHR)."]
    if len(_sam_tracks(content)) > 1 and "track_id" not in rows[0][1]:
        notes.append(
            "SAM 3D Body does not track people: this is whoever stands at the same place in each image's list."
        )
    clip = _mesh_clip(content, np.stack(meshes), np.array([number for number, _ in rows]), notes, options, None, _SAM)
    clip.name, clip.topology, clip.camera = f"{source.stem}_{track.key}", "mhr", True
    clip.to_ground = LEVEL_CAMERA
    return finish(clip, options)


def _mesh_clip(
    content: Content,
    vertices: np.ndarray,
    frames: np.ndarray,
    notes: list[str],
    options: Options,
    rate: object | None,
    what: str,
) -> Clip:
    whole = np.flatnonzero(np.isfinite(vertices).all(axis=(1, 2)))
    if len(whole):
        check_body_size(content.path, vertices[whole[0]])
    n_frames = len(vertices)
    return Clip(
        source=content.path,
        name=content.path.stem,
        body="mesh",
        rate=frame_rate(content.path, options, rate, notes, what),
        frames=frames,
        rotations=np.zeros((n_frames, 0, 3, 3)),
        translation=np.zeros((n_frames, 3)),
        shape=np.zeros(0),
        gender="neutral",
        to_ground=Y_UP,
        vertices=vertices,
        topology=TOPOLOGIES.get(vertices.shape[1]),
        notes=notes,
    )


def _is_plain(content: Content) -> bool:
    return content.kind == "npz" and content.has("vertices") and not content.has("rotations")


def _plain_tracks(content: Content) -> list[Track]:
    return [Track("0", len(content.data["vertices"]))]


def _read_plain(content: Content, track: Track, options: Options) -> BodySequence:
    source, data = content.path, content.data
    side = check_frame_option(source, options, ("world", "camera"), _PLAIN)
    vertices = data["vertices"]
    if vertices.dtype != np.float32:
        vertices = floats(source, "vertices", vertices, (None, None, 3))
    if vertices.ndim != 3 or vertices.shape[2] != 3:
        raise InputError(source, f"vertices has shape {vertices.shape}", "expected (T, V, 3)")
    check_frames(source, len(vertices))
    notes: list[str] = []
    rate, frames, start = _plain_time(content, len(vertices), options)
    clip = _mesh_clip(content, vertices, frames, notes, options, rate, _PLAIN)
    clip.span = (int(frames[0]), int(frames[-1]))
    if "topology" in data:
        clip.topology = text_of(data["topology"])
    if side == "camera":
        clip.camera, clip.to_ground = True, LEVEL_CAMERA
    else:
        clip.to_ground = _plain_vertical(content, notes)
    sequence = finish(clip, options)
    return replace(sequence, time=sequence.time + start)


def _plain_vertical(content: Content, notes: list[str]) -> np.ndarray:
    up = text_of(content.data["up"]).lower() if "up" in content.data else ""
    if up not in ("", "y", "z"):
        raise InputError(content.path, f"up is '{up}'", "y or z are known")
    notes.append(
        f"The vertical is the {up or 'y'} axis" + (", as the file says." if up else ": the file does not say.")
    )
    return Z_UP if up == "z" else Y_UP


def _plain_time(content: Content, n_frames: int, options: Options) -> tuple[object | None, np.ndarray, float]:
    """Frame rate, frame numbers and time of the first frame from ``time`` [s] (even steps, gaps allowed) or ``fps``."""
    source, data = content.path, content.data
    if "time" not in data or options.fps is not None or n_frames < 2:
        return data.get("fps"), np.arange(n_frames), 0.0
    time = floats(source, "time", data["time"], (n_frames,))
    steps = np.diff(time)
    if not (np.isfinite(time).all() and (steps > 0).all()):
        raise InputError(source, "time does not increase from frame to frame")
    frames = np.concatenate([[0.0], np.cumsum(np.round(steps / np.median(steps)))])
    rate = frames[-1] / (time[-1] - time[0])
    if np.abs((time - time[0]) * rate - frames).max() > 0.25 or (np.diff(frames) < 1).any():
        raise InputError(source, "time does not rise in even steps", "resample it, or give fps=... in place of time")
    return rate, frames, float(time[0])


FORMATS = (
    Format("SAM 3D Body", _is_sam, _sam_tracks, _read_sam),
    Format("vertices", _is_plain, _plain_tracks, _read_plain),
)
