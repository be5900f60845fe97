"""From the frames that a reader found to a `BodySequence`: gaps filled in time, unseen frames marked, notes written."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...errors import InputError, near_matches
from ...io.notice import listed
from ..types import BodySequence
from ..upright import Upright, turn_upright
from .checks import check_frames, rate_of
from .content import Content

_LONGEST = 10_000_000  # frames; more are frame numbers gone wrong
TOPOLOGIES = {6890: "smpl", 10475: "smplx", 13718: "anny", 18439: "mhr"}


@dataclass(frozen=True)
class Options:
    """What the user asks of a reader; see `load`."""

    fps: float | None = None
    frame: str = "auto"
    upright: Upright | None = None


@dataclass(frozen=True)
class Track:
    """One person (or one action) in a file.

    Attributes:
        key: what `load` takes as ``track``.
        n_frames: frames in which the person is seen.
        action: name of the action, if the file is cut into actions.
    """

    key: str
    n_frames: int
    action: str | None = None

    def __str__(self) -> str:
        action = f", action '{self.action}'" if self.action else ""
        return f"'{self.key}' ({self.n_frames} frames{action})"


@dataclass(frozen=True)
class Format:
    """A file format: how to know it, whom it holds, how to read one of them."""

    name: str
    matches: Callable[[Content], bool]
    tracks: Callable[[Content], list[Track]]
    read: Callable[[Content, Track, Options], BodySequence]


@dataclass(eq=False)
class Clip:
    """Frames of one person, one row each, before gaps and notes are settled.

    Attributes:
        frames: (N,) frame numbers of the rows; frames in between were not seen.
        span: first and last frame of the recording, where it says so; else those of the rows with values.
        camera: whether the axes are those of a camera (then ``to_ground`` is found by `turn_upright`).
        relaxed_hands: see `BodySequence`.
    """

    source: Path
    name: str
    body: str
    rate: float
    frames: np.ndarray
    rotations: np.ndarray
    translation: np.ndarray
    shape: np.ndarray
    gender: str
    to_ground: np.ndarray
    vertices: np.ndarray | None = None
    topology: str | None = None
    span: tuple[int, int] | None = None
    camera: bool = False
    relaxed_hands: bool = False
    notes: list[str] = field(default_factory=list)


@contextlib.contextmanager
def layout_of(source: Path, what: str) -> Iterator[None]:
    """Say in one line that a file which looks like ``what`` holds something else where that is what a reader trips on.

    The values that matter are checked one by one; this is for the rest: a number in place of a list, and the like.

    Raises:
        InputError: an error that values of a wrong kind cause inside the block.
    """
    try:
        yield
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0][:160]
        raise InputError(source, f"looks like {what} but does not have its layout ({reason})") from error


def finish(clip: Clip, options: Options) -> BodySequence:
    """Return the sequence of a clip on an unbroken clock: time = frame number / rate [s].

    Frames without a row, or whose row holds NaN, are not seen; they carry the values of the last seen frame so that a
    body model can be evaluated on them.

    Raises:
        InputError: no frame, none with values, frame numbers that repeat or run away.
    """
    check_frames(clip.source, len(clip.frames))
    frames = _whole_numbers(clip)
    good = _with_values(clip)
    if not good.any():
        raise InputError(clip.source, "every frame has values that are not numbers", "export the recording again")
    if not good.all():
        clip.notes.append(f"{int((~good).sum())} of {len(good)} frames hold NaN and count as not seen.")
    rows = np.flatnonzero(good)[np.argsort(frames[good], kind="stable")]
    held = frames[rows]
    if (np.diff(held) == 0).any():
        repeated = int(held[:-1][np.diff(held) == 0][0])
        raise InputError(clip.source, f"frame {repeated} occurs more than once for one person")
    first, last = clip.span or (int(held[0]), int(held[-1]))
    if last - first >= _LONGEST:
        raise InputError(clip.source, f"frame numbers run from {first} to {last}", "they are no frame numbers")
    grid = np.arange(first, last + 1)
    newest = np.clip(np.searchsorted(held, grid, side="right") - 1, 0, None)
    seen = held[newest] == grid
    take = rows[newest]
    if clip.span is None and not seen.all():
        clip.notes.append(f"The person is not seen in {int((~seen).sum())} of {len(grid)} frames.")
    if clip.shape.ndim == 2 and np.ptp(clip.shape[rows], axis=0).max(initial=0.0) > 0:
        clip.notes.append("The shape of the body changes from frame to frame.")
    sequence = BodySequence(
        name=clip.name,
        body=clip.body,
        time=grid / clip.rate,
        rotations=clip.rotations[take],
        translation=clip.translation[take],
        shape=clip.shape[take] if clip.shape.ndim == 2 else clip.shape,
        gender=clip.gender,
        to_ground=clip.to_ground,
        seen=seen,
        vertices=None if clip.vertices is None else clip.vertices[take],
        topology=clip.topology,
        source=clip.source,
        assumptions=tuple(clip.notes),
        relaxed_hands=clip.relaxed_hands,
    )
    if clip.camera:
        return turn_upright(sequence, "level" if options.upright is None else options.upright)
    return sequence


def frame_rate(source: Path, options: Options, stated: object | None, notes: list[str], what: str) -> float:
    """Return the frame rate [Hz]: the user's, else the file's.

    Raises:
        InputError: neither is there (the user is asked for it), or it is absurd.
    """
    if options.fps is not None:
        rate = rate_of(source, options.fps, "fps")
        if stated is not None and abs(rate_of(source, stated) - rate) > 1e-3:
            notes.append(f"The frame rate {rate:g} Hz was given; the file states {rate_of(source, stated):g} Hz.")
        return rate
    if stated is None:
        raise InputError(source, f"{what} holds no frame rate", "give that of the video, e.g. fps=30")
    return rate_of(source, stated)


def check_frame_option(source: Path, options: Options, has: tuple[str, ...], what: str) -> str:
    """Return ``"world"`` or ``"camera"``, as asked, for a file that has these; ``"auto"`` is the first of them.

    Raises:
        InputError: the file has no such frame, or the word is unknown.
    """
    if options.frame not in ("auto", "world", "camera"):
        raise InputError(source, f"frame is '{options.frame}'", "auto, world or camera are known")
    chosen = has[0] if options.frame == "auto" else options.frame
    if chosen not in has:
        raise InputError(source, f"{what} has no {chosen} frame", f"use frame='{has[0]}'")
    if chosen == "world" and options.upright is not None:
        raise InputError(source, f"upright is given, but the vertical of {what} is known", "leave upright away")
    return chosen


def choose(source: Path, found: list[Track], track: str | int | None, action: str | None) -> Track:
    """Return the track asked for; the only one where nothing is asked.

    Raises:
        InputError: there are several and none is named, or there is no such track; all are listed.
    """
    if not found:
        raise InputError(source, "no person is seen in any frame")
    if track is None and action is None:
        if len(found) == 1:
            return found[0]
        way = "action" if found[0].action else "track"
        several = f"holds {len(found)} {'actions' if way == 'action' else 'people'}: {_listing(found)}"
        raise InputError(source, several, f"name one of them, e.g. {way}={(found[0].action or found[0].key)!r}")
    chosen = [t for t in found if track is None or t.key == str(track)]
    chosen = [t for t in chosen if action is None or t.action == action]
    if len(chosen) == 1:
        return chosen[0]
    asked = " and ".join(
        f"{way} '{value}'" for way, value in (("track", track), ("action", action)) if value is not None
    )
    if chosen:
        raise InputError(source, f"has more than one {asked}: {_listing(chosen)}", "give track=... as well")
    near = near_matches(str(action if action is not None else track), [t.action or t.key for t in found])
    raise InputError(source, f"has no {asked}{near}", f"it holds {_listing(found)}")


def _listing(found: list[Track], limit: int = 25) -> str:
    shown = ", ".join(str(track) for track in found[:limit])
    return shown if len(found) <= limit else f"{shown} and {len(found) - limit} more"


def missing_keys(source: Path, has: Content, keys: tuple[str, ...], what: str) -> None:
    """Raise an InputError that names the keys of a format that a file lacks."""
    if missing := [key for key in keys if not has.has(key)]:
        raise InputError(source, f"looks like {what} but lacks {listed(missing)}")


def same_length(source: Path, **lengths: int) -> None:
    """Raise an InputError where things that belong to the same frames differ in number."""
    if len(set(lengths.values())) > 1:
        differ = ", ".join(f"{name} {n}" for name, n in lengths.items())
        raise InputError(source, f"its parts differ in their number of frames ({differ})")


def _whole_numbers(clip: Clip) -> np.ndarray:
    frames = np.asarray(clip.frames, dtype=np.float64)
    if not np.isfinite(frames).all() or (frames != np.round(frames)).any():
        raise InputError(clip.source, "has frame numbers that are not whole numbers")
    return frames.astype(np.int64)


def _with_values(clip: Clip) -> np.ndarray:
    """Which rows (N,) hold only finite numbers."""
    parts = [clip.rotations, clip.translation]
    parts += [clip.shape] if clip.shape.ndim == 2 else []
    parts += [clip.vertices] if clip.vertices is not None else []
    n = len(clip.frames)
    same_length(clip.source, frames=n, **{f"part {i + 1}": len(part) for i, part in enumerate(parts)})
    good = np.ones(n, dtype=bool)
    for part in parts:
        good &= np.isfinite(part.reshape(n, -1)).all(axis=1)
    return good
