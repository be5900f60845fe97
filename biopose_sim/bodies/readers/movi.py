"""BML-MoVi, round F: bodies of ``F_amass_Subject_N.mat`` and markers of ``F_v3d_Subject_N.mat``.

Layout after saeed1262/MoVi-Toolbox (``MoCap/utils.py``, ``single_motions.m``): struct ``Subject_N_F_amass`` with a cell
of moves (SMPL-H, metres, z up, 120 Hz), and struct ``Subject_N_F`` with one move that holds the whole session (markers
in millimetres, z up, 120 Hz) and the frames of each action, 1-based, first and last included: ``flags120`` in the
markers, ``flags30`` in the video.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from ...io.trial import Trial
from ..types import Z_UP, BodySequence
from .checks import betas_of, check_frames, floats, from_axis_angle, gender_of, text_of
from .clip import Clip, Format, Options, Track, check_frame_option, choose, finish, frame_rate, layout_of
from .content import Content, open_content

_RATE = 120.0
_BODIES = "a MoVi body file"
_ROUNDS = re.compile(r"(?:Subject_\d+_|^)(F|S|I|U|PG)\d*(?:_|$)", re.IGNORECASE)
_FARTHEST = 50.0  # the laboratory is smaller [m]; larger numbers are millimetres


@dataclass(frozen=True)
class Action:
    """One action of a session.

    Attributes:
        name: as in the file, e.g. ``"walking"``.
        mocap: first and last frame (0-based, both included) in the 120 Hz markers.
        video: the same in the 30 Hz video, where the file holds it.
    """

    name: str
    mocap: tuple[int, int]
    video: tuple[int, int] | None


def read_movi_markers(
    path: str | Path, *, action: str | None = None, track: str | int | None = None, virtual: bool = False
) -> Trial:
    """Read the markers of one action of ``F_v3d_Subject_N.mat``.

    Args:
        path: the file.
        action: name of an action; without it, and without ``track``, the whole session is read.
        track: number of the action in the file, where a name occurs twice.
        virtual: the joint centres of Visual3D (``virtualMarkerLocation``) in place of the markers.

    Returns:
        The trial: time (T,) [s] on the clock of the session (0 at its first frame), markers (T, M, 3) [m], Y up.

    Raises:
        InputError: not such a file, no such action, actions outside the recording.
    """
    content = open_content(path)
    with layout_of(content.path, "MoVi's markers"):
        return _markers(content, action, track, virtual)


def actions(path: str | Path | Content) -> list[Action]:
    """Return the actions of ``F_v3d_Subject_N.mat``, its path or open content, in their order.

    Raises:
        InputError: not such a file, or cuts that do not fit its frames.
    """
    content = open_content(path)
    with layout_of(content.path, "MoVi's markers"):
        return _actions(content)


def _markers(content: Content, action: str | None, track: str | int | None, virtual: bool) -> Trial:
    move = _session(content)
    what = "virtualMarkerLocation" if virtual else "markerLocation"
    if what not in move:
        raise InputError(content.path, f"has no '{what}'")
    points = floats(content.path, what, move[what], (None, None, 3))
    check_frames(content.path, len(points))
    names = _marker_names(content.path, move, virtual, points.shape[1])
    first, last, name = 0, len(points) - 1, content.path.stem
    if action is not None or track is not None:
        found = _actions(content)
        chosen = found[int(choose(content.path, _action_tracks(found), track, action).key) - 1]
        (first, last), name = chosen.mocap, f"{name}_{chosen.name}"
    cut = points[first : last + 1]
    # Where Visual3D has no marker it writes zeros.
    missing = (cut == 0).all(axis=2) | ~np.isfinite(cut).all(axis=2)
    ground = np.where(missing[:, :, None], np.nan, cut * 1e-3 @ Z_UP.T)
    time = np.arange(first, last + 1) / _RATE
    return Trial.checked(name, time, ground, names, source=content.path, nominal_rate=_RATE)


def _actions(content: Content) -> list[Action]:
    move = _session(content)
    n_frames = len(np.asarray(move.get("markerLocation", move.get("virtualMarkerLocation", ()))))
    names = [text_of(name) for name in np.atleast_1d(move.get("motions_list", ()))]
    cuts = np.atleast_2d(floats(content.path, "flags120", np.atleast_2d(move.get("flags120", ())), (None, None)))
    if not names or cuts.shape != (len(names), 2):
        problem = f"flags120 has shape {cuts.shape} for {len(names)} names in motions_list"
        raise InputError(content.path, problem, "expected a first and a last frame per action")
    video = move.get("flags30")
    shots = None if video is None else np.atleast_2d(floats(content.path, "flags30", np.atleast_2d(video), (None, 2)))
    if (cuts[:, 0] < 1).any() or (cuts[:, 1] < cuts[:, 0]).any() or (cuts[:, 1] > n_frames).any():
        bad = int(np.flatnonzero((cuts[:, 0] < 1) | (cuts[:, 1] < cuts[:, 0]) | (cuts[:, 1] > n_frames))[0])
        problem = f"action '{names[bad]}' is cut from frame {cuts[bad, 0]:g} to {cuts[bad, 1]:g} of {n_frames}"
        raise InputError(content.path, problem)
    return [
        Action(name, _zero_based(cuts[i]), _zero_based(shots[i]) if shots is not None and i < len(shots) else None)
        for i, name in enumerate(names)
    ]


def _zero_based(cut: np.ndarray) -> tuple[int, int]:
    return int(cut[0]) - 1, int(cut[1]) - 1


def _session(content: Content) -> Mapping[str, Any]:
    key = _subject_key(content)
    if key.endswith("_amass"):
        raise InputError(
            content.path, "holds bodies, no markers", "read it with bodies.load, or give F_v3d_Subject_N.mat"
        )
    moves = _moves(content.path, content.data[key])
    if len(moves) != 1:
        raise InputError(content.path, f"holds {len(moves)} recordings where round F has one")
    return moves[0]


def _subject_key(content: Content) -> str:
    """Name of the struct: ``Subject_N_F`` or ``Subject_N_F_amass``; other rounds are refused by name."""
    keys = list(content.data) if content.kind == "matlab" else []
    for key in keys:
        if re.fullmatch(r"Subject_\d+_F(_amass)?", key) and isinstance(content.data[key], Mapping):
            return key
    for name in (*keys, content.path.stem):
        if (match := _ROUNDS.search(name)) and match[1].upper() != "F":
            problem = f"seems to be of MoVi's round {match[0].strip('_').split('_')[-1].upper()}"
            raise InputError(content.path, problem, "only round F (F_amass_Subject_N.mat, F_v3d_Subject_N.mat) is read")
    has = f"it holds {', '.join(keys[:5]) or 'nothing'}"
    raise InputError(content.path, "is not a MoVi file of round F (no Subject_N_F or Subject_N_F_amass)", has)


def _moves(source: Path, subject: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The recordings of a subject; MATLAB's cells come as one struct, a list, or lists in a list."""
    found = subject.get("move", [])
    found = [found] if isinstance(found, Mapping) else list(np.asarray(found, dtype=object).reshape(-1))
    if not found or not all(isinstance(move, Mapping) for move in found):
        raise InputError(source, "has no recordings in its field 'move'")
    return found


def _marker_names(source: Path, move: Mapping[str, Any], virtual: bool, n_markers: int) -> list[str]:
    key = "virtualMarkerName" if virtual else "markerName"
    if key not in move:
        return [f"{'joint' if virtual else 'marker'}_{i + 1}" for i in range(n_markers)]
    names = [text_of(name) for name in np.atleast_1d(move[key])]
    if len(names) != n_markers:
        raise InputError(source, f"has {len(names)} names in {key} for {n_markers} markers")
    return names


def _action_tracks(found: list[Action]) -> list[Track]:
    return [Track(str(i + 1), a.mocap[1] - a.mocap[0] + 1, a.name) for i, a in enumerate(found)]


def _matches(content: Content) -> bool:
    return content.kind == "matlab"


def _tracks(content: Content) -> list[Track]:
    key = _subject_key(content)
    if not key.endswith("_amass"):
        remedy = "read them with bodies.read_movi_markers; bodies are in F_amass_Subject_N.mat"
        raise InputError(content.path, "holds markers and joint centres, no body", remedy)
    moves = _moves(content.path, content.data[key])
    return [
        Track(str(i + 1), len(np.asarray(move.get("jointsExpMaps_amass", ()))), text_of(move.get("description", i + 1)))
        for i, move in enumerate(moves)
    ]


def _read(content: Content, track: Track, options: Options) -> BodySequence:
    source = content.path
    check_frame_option(source, options, ("world",), _BODIES)
    subject = content.data[_subject_key(content)]
    move = _moves(source, subject)[int(track.key) - 1]
    lacking = [k for k in ("jointsExpMaps_amass", "RootTranslation_amass", "jointsBetas_amass") if k not in move]
    if lacking:
        raise InputError(source, f"action '{track.action}' lacks {', '.join(lacking)}")
    rotations = from_axis_angle(source, "jointsExpMaps_amass", move["jointsExpMaps_amass"], (156,))
    notes = ["The vertical of MoVi is its z axis."]
    clip = Clip(
        source=source,
        name=f"{source.stem}_{track.key}_{track.action}",
        body="smplh",
        rate=frame_rate(source, options, _RATE, notes, _BODIES),
        frames=np.arange(len(rotations)),
        rotations=rotations,
        translation=_metres(source, move["RootTranslation_amass"], notes),
        shape=betas_of(source, move["jointsBetas_amass"], len(rotations), "jointsBetas_amass"),
        gender=_gender(source, subject, notes),
        to_ground=Z_UP,
        span=(0, len(rotations) - 1),
        notes=notes,
    )
    return finish(clip, options)


def _metres(source: Path, value: Any, notes: list[str]) -> np.ndarray:
    translation = floats(source, "RootTranslation_amass", value, (None, 3))
    if np.nanmax(np.abs(translation), initial=0.0) > _FARTHEST:
        notes.append("The translation is taken to be in millimetres.")
        return translation * 1e-3
    return translation


def _gender(source: Path, subject: Mapping[str, Any], notes: list[str]) -> str:
    person = subject.get("subject")
    if isinstance(person, Mapping):
        for key in ("sex", "gender"):
            if key in person:
                return gender_of(source, person[key])
    notes.append("The file does not say the person's gender; the neutral body is taken.")
    return "neutral"


FORMATS = (Format("BML-MoVi", _matches, _tracks, _read),)
