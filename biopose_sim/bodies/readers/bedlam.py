"""BEDLAM training files: one npz per scene with a row per image and person (pixelite1201/BEDLAM, ``df_full_body.py``).

Rows of one person are those with the same image folder, ``sub`` and ``motion_info``. Images are numbered at 30 Hz also
where only every fifth was kept (the 6 fps files), so time comes from the image's number. The world has the camera's
yaw and lies with y down and z forward (``get_global_orient`` there), so it is upright once turned about x.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import PurePosixPath

import numpy as np

from ...errors import InputError
from ..types import LEVEL_CAMERA, BodySequence
from .checks import betas_of, floats, from_axis_angle, gender_of, text_of
from .clip import Clip, Format, Options, Track, check_frame_option, finish, frame_rate, missing_keys, same_length
from .content import Content

_RATE = 30.0
_WHAT = "a BEDLAM training file"
_NEUTRAL_BETAS = 11


def _matches(content: Content) -> bool:
    return content.kind == "npz" and content.has("imgname", "pose_cam")


def _keys(content: Content) -> list[str]:
    """The person of each row: image folder, body, and the motion where one body makes two in the same folder."""
    data = content.data
    missing_keys(content.path, content, ("imgname", "sub", "motion_info"), _WHAT)
    images = [text_of(name) for name in data["imgname"]]
    subjects = [text_of(name) for name in np.atleast_1d(data["sub"])]
    motions = [text_of(name) for name in np.atleast_1d(data["motion_info"])]
    same_length(content.path, imgname=len(images), sub=len(subjects), motion_info=len(motions))
    folders = [str(PurePosixPath(image).parent) for image in images]
    several = Counter((folder, subject) for folder, subject, _ in {*zip(folders, subjects, motions)})
    return [
        f"{folder}/{subject}" + (f"/{motion}" if several[folder, subject] > 1 else "")
        for folder, subject, motion in zip(folders, subjects, motions)
    ]


def _tracks(content: Content) -> list[Track]:
    return [Track(key, count) for key, count in Counter(_keys(content)).items()]


def _image_number(content: Content, image: str) -> int:
    numbers = re.findall(r"\d+", PurePosixPath(image).stem)
    if not numbers:
        raise InputError(content.path, f"image '{image}' has no number", "images are named like seq_000000_0005.png")
    return int(numbers[-1])


def _read(content: Content, track: Track, options: Options) -> BodySequence:
    source, data = content.path, content.data
    chosen = check_frame_option(source, options, ("world", "camera"), _WHAT)
    side = "world" if chosen == "world" else "cam"
    missing_keys(source, content, (f"pose_{side}", f"trans_{side}", "shape", "gender", "cam_ext"), _WHAT)
    rows = np.flatnonzero([key == track.key for key in _keys(content)])
    rotations = from_axis_angle(source, f"pose_{side}", data[f"pose_{side}"][rows], (165,))
    translation = floats(source, f"trans_{side}", data[f"trans_{side}"][rows], (None, 3))
    if chosen == "camera":
        translation = translation + floats(source, "cam_ext", data["cam_ext"][rows], (None, 4, 4))[:, :3, 3]
    numbers = np.array([_image_number(content, text_of(name)) for name in data["imgname"]])
    # Where every fifth image was kept, the frames in between do not exist; they are no gaps.
    stride = max(1, int(np.gcd.reduce(numbers)))
    notes = [f"Images are numbered at 30 Hz; the file's numbers are multiples of {stride}: {_RATE / stride:g} Hz."]
    if chosen == "world":
        notes.append(
            "The world of BEDLAM is level and shares the camera's heading; the walker's place in it is not kept."
        )
    betas = betas_of(source, data["shape"][rows], len(rows), "shape")
    clip = Clip(
        source=source,
        name=f"{source.stem}_{track.key}".replace("/", "_"),
        body="smplx",
        rate=frame_rate(source, options, _RATE / stride, notes, _WHAT),
        frames=numbers[rows] // stride,
        rotations=rotations,
        translation=translation,
        shape=betas[0] if betas.ndim == 2 and (betas == betas[0]).all() else betas,
        gender=_gender(content, rows, betas.shape[-1], notes),
        to_ground=LEVEL_CAMERA,
        camera=chosen == "camera",
        notes=notes,
    )
    return finish(clip, options)


def _gender(content: Content, rows: np.ndarray, n_betas: int, notes: list[str]) -> str:
    """The body model's gender: shapes of 11 numbers are of the neutral body, whatever the person is."""
    person = gender_of(content.path, content.data["gender"][rows[0]])
    if n_betas != _NEUTRAL_BETAS:
        return person
    notes.append(f"The {n_betas} betas are those of the neutral body model; the person is {person}.")
    return "neutral"


FORMATS = (Format("BEDLAM training labels", _matches, _tracks, _read),)
