"""Key points of a file for ``biopose video``: read, brought to the frames of the clip, one person chosen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from biopose_sim.errors import InputError
from biopose_sim.video.footage.clip import Clip
from biopose_sim.video.points.files import read_detections
from biopose_sim.video.points.following import Followed, Person, follow, people, rivals
from biopose_sim.video.points.keypoints import Array, Detections

# Lengths of key-point files and clips may differ by so many frames: containers count broken ones or not.
_SLACK = 2
_TOLD = {"person=": "--person ", "fps=": "--fps ", "size=(width, height)": "--size W H", "layout=": "--layout "}


def followed_in_file(
    path: Path,
    clip: Clip | None,
    picture: Path,
    *,
    person: str | None = None,
    layout: str | None = None,
    fps: float | None = None,
    size: tuple[int, int] | None = None,
) -> Followed:
    """Return one person's key points of a file, on the frames of the clip if there is one.

    Args:
        path: of the file or folder.
        clip: that the key points are of.
        picture: where a picture of the people goes if somebody must choose among several.
        person: who, see `follow`.
        layout: of the key points, where their number does not tell.
        fps: frame rate [Hz], where there is no clip.
        size: width and height of the picture [px], where there is no clip.

    Raises:
        InputError: the file cannot be used, is not of the clip, shows nobody, or several people to choose from.
    """
    try:
        if clip is None:
            return follow(read_detections(path, fps=fps, size=size, layout=layout), person)
        detections = of_clip(read_detections(path, fps=clip.fps, size=clip.size, layout=layout), clip)
        if person is None and len(several := rivals(people(detections))) > 1:
            _ask(detections, clip, several, picture)
        return follow(detections, person)
    except InputError as error:
        raise _as_options(error) from error


def of_clip(detections: Detections, clip: Clip) -> Detections:
    """Return the key points of the clip's own frames, at its times.

    Raises:
        InputError: key points of more or fewer frames than the file of the clip has, or nobody in this part.
    """
    given, shift = len(detections.time), _shift(detections, clip.whole)
    missing = clip.whole - given
    # Where frames have numbers, those without anybody may be left out; else another length is of another clip.
    numbered = detections.first is not None and 2 * given >= clip.whole
    if missing < -_SLACK or (missing > _SLACK and not numbered):
        problem = f"has key points of {given} frames, and {clip.path.name} has {clip.whole}"
        raise InputError(detections.source, problem, "give the key points of this clip, one line or file a frame")
    notes = detections.assumptions
    if missing > _SLACK:
        first, last = shift, shift + given - 1
        notes = (*notes, f"Key points are of frames {first} to {last} of {clip.whole}: nobody is seen in the others.")
    frames = detections.frame + shift
    inside = (frames >= clip.first) & (frames < clip.first + clip.n_frames)
    if not inside.any():
        raise InputError(detections.source, "shows nobody in this part of the clip", "choose others by --from and --to")
    return replace(
        detections,
        name=clip.name,
        time=clip.time,
        frame=frames[inside] - clip.first,
        points=detections.points[inside],
        confidence=detections.confidence[inside],
        track=None if detections.track is None else detections.track[inside],
        fps=clip.fps,
        size=clip.size,
        assumptions=notes,
    )


def _shift(detections: Detections, whole: int) -> int:
    """Number of the clip's frame that the file's first is: frames are numbered from 0, from 1, or from anywhere."""
    first = detections.first or 0
    last = first + len(detections.time) - 1
    if last < whole:
        return first
    return first - 1 if last == whole else 0


def _ask(detections: Detections, clip: Clip, several: list[Person], picture: Path) -> None:
    """Draw the people and complain that nobody was chosen."""
    from biopose_sim.viz.people import people_picture

    counts = sum(np.isin(np.arange(clip.n_frames), detections.frame[p.rows]).astype(int) for p in several)
    frame = int(np.argmax(counts))
    there = [(p.key, _box(detections, p, frame)) for p in several]
    shown = [(key, box) for key, box in there if box is not None]
    people_picture(clip.frame(frame), [box for _, box in shown], [key for key, _ in shown], picture)
    listing = "; ".join(map(str, several))
    remedy = f"choose one with --person, as in {picture} (or --person largest, left, right): {listing}"
    raise InputError(detections.source, f"{len(several)} people are seen for long", remedy)


def _box(detections: Detections, person: Person, frame: int) -> Array | None:
    """x, y, width, height [px] of somebody in a frame; None if they are not in it."""
    rows = person.rows[detections.frame[person.rows] == frame]
    if not len(rows):
        return None
    low, high = np.nanmin(detections.points[rows[0]], axis=0), np.nanmax(detections.points[rows[0]], axis=0)
    return np.concatenate([low, high - low])


def _as_options(error: InputError) -> InputError:
    remedy = error.remedy or ""
    for argument, option in _TOLD.items():
        remedy = remedy.replace(argument, option)
    return InputError(error.source, error.problem, remedy)
