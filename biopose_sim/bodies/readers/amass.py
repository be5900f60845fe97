"""AMASS (SMPL+H ``*_poses.npz``, SMPL-X ``*_stageii.npz``) and BEDLAM motions (``motion_seq.npz``, animation npz)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import InputError
from ..types import Y_UP, Z_UP, BodySequence
from .checks import betas_of, floats, from_axis_angle, gender_of
from .clip import Clip, Format, Options, Track, check_frame_option, finish, frame_rate, missing_keys, same_length
from .content import Content

# Numbers per frame of axis-angle poses: 24 joints; root, body, hands; root, body, jaw, eyes, hands.
_BODIES = {72: "smpl", 156: "smplh", 165: "smplx"}
_RATE_KEYS = ("mocap_framerate", "mocap_frame_rate")
_PARTS = ("root_orient", "pose_body", "pose_jaw", "pose_eye", "pose_hand")
_BEDLAM_KEYS = ("motion_info", "gender_sub", "global_ori")
_STAGEII_KEYS = ("surface_model_type", "root_orient", "num_betas", "latent_labels")


def _matches(content: Content) -> bool:
    per_image = content.has("imgname")
    return (
        content.kind == "npz"
        and not per_image
        and (content.has("poses", "trans") or content.has("root_orient", "trans"))
    )


def _tracks(content: Content) -> list[Track]:
    return [Track("0", len(_poses(content)))]


def _poses(content: Content) -> np.ndarray:
    data = content.data
    if "poses" in data:
        return data["poses"]
    missing_keys(content.path, content, _PARTS, "an AMASS SMPL-X file")
    return np.concatenate([data[part] for part in _PARTS], axis=1)


def _read(content: Content, track: Track, options: Options) -> BodySequence:
    source, data = content.path, content.data
    bedlam = source.name == "motion_seq.npz" or any(key in data for key in _BEDLAM_KEYS)
    what = "a BEDLAM motion" if bedlam else "an AMASS motion"
    check_frame_option(source, options, ("world",), what)
    missing_keys(source, content, ("betas", "gender"), what)
    rotations = from_axis_angle(source, "poses", _poses(content), tuple(_BODIES))
    translation = floats(source, "trans", data["trans"], (None, 3))
    same_length(source, poses=len(rotations), trans=len(translation))
    y_up, notes = _y_is_up(content, rotations, bedlam, what)
    stated = next((data[key] for key in _RATE_KEYS if key in data), None)
    clip = Clip(
        source=source,
        name=_name(source),
        body=_BODIES[rotations.shape[1] * 3],
        rate=frame_rate(source, options, stated, notes, what),
        frames=np.arange(len(rotations)),
        rotations=rotations,
        translation=translation,
        shape=betas_of(source, data["betas"], len(rotations)),
        gender=gender_of(source, data["gender"]),
        to_ground=Y_UP if y_up else Z_UP,
        span=(0, len(rotations) - 1),
        notes=notes,
    )
    return finish(clip, options)


def _y_is_up(content: Content, rotations: np.ndarray, bedlam: bool, what: str) -> tuple[bool, list[str]]:
    """Whether y is up (BEDLAM) or z (AMASS), and the note that says so."""
    labelled = bedlam or rotations.shape[1] != 55 or any(key in content.data for key in _STAGEII_KEYS)
    if labelled:
        return bedlam, [f"The vertical of {what} is its {'y' if bedlam else 'z'} axis."]
    # SMPL-X without the keys of either data set: the pelvis' own up tells which it is.
    _, y, z = np.nanmean(rotations[:, 0, :, 1], axis=0)
    return bool(y > z), [
        f"The file does not say what made it; the {'y' if y > z else 'z'} axis is up by the body's pose."
    ]


def _name(source: Path) -> str:
    """The file's stem; with its folders where every recording has the same file name (BEDLAM: person/number)."""
    if source.stem == "motion_seq":
        return "_".join([*source.parts[-3:-1], source.stem])
    return source.stem


def _shape_matches(content: Content) -> bool:
    return content.kind == "npz" and content.has("betas") and not any("pose" in key for key in content.data)


def _no_motion(content: Content) -> list[Track]:
    raise InputError(
        content.path, "holds the shape of a body and no motion", "give one of the motion files beside it (*_poses.npz)"
    )


FORMATS = (
    Format("AMASS or BEDLAM motion", _matches, _tracks, _read),
    Format("AMASS shape", _shape_matches, _no_motion, _read),
)
