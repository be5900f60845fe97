"""Motion files of SMPL's family looked at without reading the motion: whose body, how many frames, which rate."""

from __future__ import annotations

import hashlib
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from biopose_sim.bodies.readers.checks import betas_of, gender_of, rate_of
from biopose_sim.bodies.readers.content import NpzData, open_content
from biopose_sim.errors import InputError

_BODIES = {72: "smpl", 156: "smplh", 165: "smplx"}
_RATES = ("mocap_framerate", "mocap_frame_rate")
_DAMAGED = (OSError, EOFError, ValueError, SyntaxError, tokenize.TokenError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class MotionFile:
    """What a motion file says of itself.

    Attributes:
        path: the file.
        body: ``"smpl"``, ``"smplh"`` or ``"smplx"``.
        gender: of the body model.
        shape: digest of the betas; two files of one body have the same.
        frames: number of frames.
        rate: [Hz].
        subject: who it is, where the file says so (BEDLAM's ``sub``).
        sex: the person's, where it may differ from the body model's (BEDLAM's ``gender_sub``).
    """

    path: Path
    body: str
    gender: str
    shape: str
    frames: int
    rate: float
    subject: str | None = None
    sex: str | None = None

    @property
    def person(self) -> tuple[str, str, str]:
        """What differs between two bodies."""
        return self.body, self.gender, self.shape


def look_at(path: Path) -> MotionFile:
    """Look at an AMASS or BEDLAM motion file.

    Raises:
        InputError: the file is damaged, holds no motion, or one of another format.
    """
    content = open_content(path)
    data = content.data
    if not isinstance(data, NpzData):
        raise InputError(path, f"is a {content.kind} file", "motions of AMASS and BEDLAM are .npz files")
    if "imgname" in data:
        raise InputError(path, "holds labels of single images, no motion", "give BEDLAM's motion files")
    if "trans" not in data or not ("poses" in data or "root_orient" in data):
        raise InputError(path, "holds no motion (no 'poses' with 'trans')")
    if missing := [key for key in ("betas", "gender") if key not in data]:
        raise InputError(path, f"lacks {' and '.join(missing)}")
    frames, body = _poses(data, path)
    if not frames:
        raise InputError(path, "has no frames")
    key = next((key for key in _RATES if key in data), None)
    if key is None:
        raise InputError(path, "holds no frame rate")
    return MotionFile(
        path,
        body,
        gender_of(path, data["gender"]),
        _digest(betas_of(path, data["betas"], frames)),
        frames,
        rate_of(path, data[key]),
        subject=_text(data, "sub"),
        sex=_sex(data, path),
    )


def _poses(data: NpzData, path: Path) -> tuple[int, str]:
    """Number of frames and body model, from the header of the poses."""
    shape = _array_shape(data, "poses" if "poses" in data else "root_orient")
    if "poses" not in data:
        return shape[0], "smplx"
    width = int(np.prod(shape[1:])) if len(shape) > 1 else 0
    if width not in _BODIES:
        raise InputError(path, f"poses have shape {shape}", "expected 72, 156 or 165 numbers per frame")
    return shape[0], _BODIES[width]


def _array_shape(data: NpzData, key: str) -> tuple[int, ...]:
    try:
        with zipfile.ZipFile(data.path) as archive, archive.open(data.members[key]) as stream:
            version = np.lib.format.read_magic(stream)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape: tuple[int, ...] = read(stream)[0]
            return shape
    except _DAMAGED as error:
        raise InputError(data.path, f"'{key}' cannot be read ({error})", "the file may be cut off") from error


def _digest(betas: np.ndarray) -> str:
    """Betas that differ by rounding are the same body's."""
    one = np.median(betas, axis=0) if betas.ndim == 2 else betas
    return hashlib.sha256(np.round(one, 4).astype(np.float32).tobytes()).hexdigest()[:12]


def _text(data: Mapping[str, np.ndarray], key: str) -> str | None:
    if key not in data:
        return None
    value = np.asarray(data[key]).reshape(-1)
    if value.size != 1:
        return None
    item = value[0]
    return (item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item)).strip() or None


def _sex(data: Mapping[str, np.ndarray], path: Path) -> str | None:
    told = _text(data, "gender_sub") or _text(data, "gender")
    found = None if told is None else gender_of(path, told)
    return found if found != "neutral" else None
