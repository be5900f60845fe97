"""PHALP, the tracker of 4D-Humans and TokenHMR (brjathu/PHALP, ``phalp/trackers/PHALP.py``): joblib ``.pkl``.

``{frame path: {time, tid, tracked_time, smpl: [{betas (10,), body_pose (23, 3, 3), global_orient (1, 3, 3)}], camera:
[(3,)], ...}}`` with one entry per tracked person in every list; rotation matrices; no frame rate. Where
``tracked_time`` is above 0 the person was not observed but predicted: such frames count as not seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ...errors import InputError
from ..types import LEVEL_CAMERA, BodySequence
from .checks import betas_of, floats, from_matrices, text_of
from .clip import Clip, Format, Options, Track, check_frame_option, finish, frame_rate
from .content import Content

_WHAT = "PHALP's result"
_LISTS = ("tid", "tracked_time", "smpl")


def _matches(content: Content) -> bool:
    data = content.data
    if content.kind != "pickle" or not isinstance(data, Mapping) or not data:
        return False
    return all(isinstance(frame, Mapping) and {"tid", "smpl"} <= frame.keys() for frame in data.values())


def _observed(content: Content) -> Iterator[tuple[str, int, Mapping[str, Any], Any]]:
    """Person, frame number, SMPL parameters and camera translation of each observation."""
    for number, (key, frame) in enumerate(content.data.items()):
        if missing := [name for name in _LISTS if name not in frame]:
            raise InputError(content.path, f"frame '{key}' lacks {', '.join(missing)}")
        cameras = frame.get("camera", [])
        lengths = {name: len(frame[name]) for name in _LISTS} | {"camera": len(cameras)}
        if len(set(lengths.values())) > 1:
            raise InputError(content.path, f"frame '{key}' has lists of different lengths ({lengths})")
        known: set[str] = set()
        for person, since, smpl, camera in zip(frame["tid"], frame["tracked_time"], frame["smpl"], cameras):
            name = text_of(person)
            if since == 0 and name not in known:
                known.add(name)
                yield name, int(frame.get("time", number)), smpl, camera


def _tracks(content: Content) -> list[Track]:
    count: dict[str, int] = {}
    for person, _, _, _ in _observed(content):
        count[person] = count.get(person, 0) + 1
    return [Track(person, n) for person, n in count.items()]


def _read(content: Content, track: Track, options: Options) -> BodySequence:
    source = content.path
    check_frame_option(source, options, ("camera",), _WHAT)
    rows = [(frame, smpl, camera) for person, frame, smpl, camera in _observed(content) if person == track.key]
    poses = np.stack([_rotations(content, smpl) for _, smpl, _ in rows])
    notes = [
        "PHALP's results are for the neutral body; frames in which the person was predicted count as not seen.",
        "The distance to the camera rests on an assumed focal length: do not trust the path over the ground.",
    ]
    clip = Clip(
        source=source,
        name=f"{source.stem}_{track.key}",
        body="smpl",
        rate=frame_rate(source, options, None, notes, _WHAT),
        frames=np.array([frame for frame, _, _ in rows]),
        rotations=from_matrices(source, "smpl", poses),
        translation=np.stack([floats(source, "camera", np.ravel(camera), (3,)) for _, _, camera in rows]),
        shape=np.stack([betas_of(source, np.ravel(smpl["betas"]), 1) for _, smpl, _ in rows]),
        gender="neutral",
        to_ground=LEVEL_CAMERA,
        camera=True,
        notes=notes,
    )
    return finish(clip, options)


def _rotations(content: Content, smpl: Mapping[str, Any]) -> np.ndarray:
    """Rotation matrices (24, 3, 3) of one observation: the root's and the body's."""
    parts = []
    for name, joints in (("global_orient", 1), ("body_pose", 23)):
        if name not in smpl or "betas" not in smpl:
            raise InputError(content.path, f"an observation lacks {name if name not in smpl else 'betas'}")
        value = np.asarray(smpl[name])
        if value.shape != (joints, 3, 3):
            problem = f"{name} has shape {value.shape}"
            raise InputError(content.path, problem, f"expected ({joints}, 3, 3), rotation matrices")
        parts.append(floats(content.path, name, value, (joints, 3, 3)))
    return np.concatenate(parts)


FORMATS = (Format("PHALP", _matches, _tracks, _read),)
