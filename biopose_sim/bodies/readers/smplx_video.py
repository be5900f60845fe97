"""SMPL-X from video: GVHMR (zju3dv/GVHMR, ``hmr4d_results.pt``) and SMPLest-X (MotrixLab/SMPLest-X, npz).

Both hold root and 21 body joints as axis-angle, of the neutral body. GVHMR's ``smpl_params_global`` is upright, y up;
``smpl_params_incam`` and SMPLest-X are in camera axes. SMPLest-X marks frames without the person with NaN. Fingers are
not stored: the tools' own meshes have relaxed hands.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...errors import InputError
from ..types import LEVEL_CAMERA, Y_UP, BodySequence
from .checks import betas_of, check_frames, floats, from_axis_angle
from .clip import Clip, Format, Options, Track, check_frame_option, finish, frame_rate, missing_keys, same_length
from .content import Content

# GVHMR's demo takes every video to have this rate (tools/demo/demo.py) [Hz].
_GVHMR_RATE = 30.0
_GVHMR = "GVHMR's result"
# The body models of both tools are made with flat_hand_mean=False (GVHMR: hmr4d/utils/smplx_utils.py, "supermotion";
# SMPLest-X: human_models of its code, the default of the smplx package).
_HANDS = "The file has no fingers; the hands have the body model's mean pose, as in the tool's own meshes."
_SMPLESTX = "SMPLest-X's result"
_SMPLESTX_KEYS = ("betas", "global_orient", "body_poses", "transl")


def _is_gvhmr(content: Content) -> bool:
    return content.kind in ("torch", "pickle") and (
        content.has("smpl_params_global") or content.has("smpl_params_incam")
    )


def _gvhmr_tracks(content: Content) -> list[Track]:
    side = content.data.get("smpl_params_global") or content.data.get("smpl_params_incam")
    if not isinstance(side, Mapping) or "body_pose" not in side:
        raise InputError(content.path, f"looks like {_GVHMR} but holds no body_pose")
    return [Track("0", len(side["body_pose"]))]


def _read_gvhmr(content: Content, track: Track, options: Options) -> BodySequence:
    source = content.path
    names = {"world": "smpl_params_global", "camera": "smpl_params_incam"}
    has = tuple(side for side, key in names.items() if content.has(key))
    side = check_frame_option(source, options, has, _GVHMR)
    data = content.data[names[side]]
    if missing := [key for key in ("body_pose", "betas", "global_orient", "transl") if key not in data]:
        raise InputError(source, f"{names[side]} lacks {', '.join(missing)}")
    rotations = _root_and_body(content, data["global_orient"], data["body_pose"], "body_pose")
    translation = floats(source, "transl", data["transl"], (None, 3))
    same_length(source, body_pose=len(rotations), transl=len(translation))
    notes = ["GVHMR's results are for the neutral body.", _HANDS]
    if options.fps is None:
        notes.append(
            "The frame rate is taken to be 30 Hz, as GVHMR's demo takes every video to be; fps=... sets another."
        )
    if side == "world":
        notes.append("GVHMR's world is upright, its y axis up.")
    clip = Clip(
        source=source,
        name=source.stem,
        body="smplx",
        rate=frame_rate(source, options, _GVHMR_RATE, [], _GVHMR),
        frames=np.arange(len(rotations)),
        rotations=rotations,
        translation=translation,
        shape=betas_of(source, data["betas"], len(rotations)),
        gender="neutral",
        to_ground=Y_UP if side == "world" else LEVEL_CAMERA,
        span=(0, len(rotations) - 1),
        camera=side == "camera",
        relaxed_hands=True,
        notes=notes,
    )
    return finish(clip, options)


def _root_and_body(content: Content, root: object, body: object, name: str) -> np.ndarray:
    roots = from_axis_angle(content.path, "global_orient", root, (3,))
    bodies = from_axis_angle(content.path, name, body, (63,))
    same_length(content.path, global_orient=len(roots), **{name: len(bodies)})
    return np.concatenate([roots, bodies], axis=1)


def _is_smplestx(content: Content) -> bool:
    return content.kind == "npz" and content.has("global_orient", "body_poses")


def _smplestx_tracks(content: Content) -> list[Track]:
    missing_keys(content.path, content, _SMPLESTX_KEYS, _SMPLESTX)
    roots = floats(content.path, "global_orient", content.data["global_orient"], (None, None, 3))
    check_frames(content.path, roots.shape[1])
    seen = np.isfinite(roots).all(axis=2).sum(axis=1)
    return [Track(str(person), int(n)) for person, n in enumerate(seen) if n]


def _read_smplestx(content: Content, track: Track, options: Options) -> BodySequence:
    source, data, person = content.path, content.data, int(track.key)
    check_frame_option(source, options, ("camera",), _SMPLESTX)
    people = {key: np.asarray(data[key]) for key in _SMPLESTX_KEYS}
    same_length_of_people = {key: len(value) for key, value in people.items()}
    if len(set(same_length_of_people.values())) > 1:
        raise InputError(source, f"its parts differ in their number of people ({same_length_of_people})")
    rotations = _root_and_body(content, people["global_orient"][person], people["body_poses"][person], "body_poses")
    translation = floats(source, "transl", people["transl"][person], (len(rotations), 3))
    found = np.isfinite(rotations).all(axis=(1, 2, 3)) & np.isfinite(translation).all(axis=1)
    notes = ["SMPLest-X's results are for the neutral body.", _HANDS]
    clip = Clip(
        source=source,
        name=f"{source.stem}_{track.key}",
        body="smplx",
        rate=frame_rate(source, options, None, notes, _SMPLESTX),
        frames=np.flatnonzero(found),
        rotations=rotations[found],
        translation=translation[found],
        shape=betas_of(source, people["betas"][person], len(rotations)),
        gender="neutral",
        to_ground=LEVEL_CAMERA,
        camera=True,
        relaxed_hands=True,
        notes=notes,
    )
    return finish(clip, options)


FORMATS = (
    Format("GVHMR", _is_gvhmr, _gvhmr_tracks, _read_gvhmr),
    Format("SMPLest-X", _is_smplestx, _smplestx_tracks, _read_smplestx),
)
