"""From what is named on the command line to views: clips, 2D key points of one person, cameras."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click
import numpy as np

from biopose_sim.cli.console import Progress
from biopose_sim.errors import InputError
from biopose_sim.io.camera import Camera
from biopose_sim.video.footage.clip import Clip, default_focal, film_focal_pixels, open_clip
from biopose_sim.video.points.files import read_detections
from biopose_sim.video.points.following import Followed, follow
from biopose_sim.video.points.keypoints import Array, Detections, KeyPoints
from biopose_sim.video.types import View

if TYPE_CHECKING:
    from biopose_sim.io.calibration import Calibration

_FOCAL = re.compile(r"(?P<value>\d+(?:\.\d+)?)\s*(?P<unit>mm|px)?", re.IGNORECASE)
# Lengths of key-point files and clips may differ by so many frames: containers count broken ones or not.
_SLACK = 2
_TOLD = {"person=": "--person ", "fps=": "--fps ", "size=(width, height)": "--size W H", "layout=": "--layout "}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the command line says of the clips; see ``biopose video --help``."""

    clips: Sequence[Path]
    key_points: Sequence[Path] = ()
    calibration: Path | None = None
    focal: str | None = None
    person: str | None = None
    start: float | None = None
    stop: float | None = None
    fps: float | None = None
    size: tuple[int, int] | None = None


@dataclass(frozen=True, eq=False)
class Sight:
    """What one camera saw of the person.

    Attributes:
        clip: None where there are key points alone.
        followed: the person's key points in the layout of the detector, sides repaired.
        view: camera and common key points.
        camera_told: where the camera's focal length comes from.
        focal_known: whether it is known rather than usual.
        placed: whether the camera's place in the world is known.
        world: (T, 33, 3) the detector's own guess in space [m], where it makes one.
        notes: what was taken for granted.
    """

    clip: Clip | None
    followed: Followed
    view: View
    camera_told: str
    focal_known: bool
    placed: bool
    world: Array | None
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of the clip, or of the file of key points."""
        return self.view.key_points.name


def read_sights(asked: Asked, picture: Path, progress: Progress) -> tuple[Sight, ...]:
    """Open the clips, find the person in each, and say what is known of the cameras.

    Args:
        asked: the command line.
        picture: where a picture of the people goes if somebody must choose among several.
        progress: told what is done.

    Raises:
        InputError: a clip, key points or a calibration that cannot be used, nobody, or several people to choose from.
    """
    count = len(asked.clips) or len(asked.key_points)
    if not count:
        raise click.UsageError("name a CLIP, or --key-points")
    if asked.clips and asked.key_points and len(asked.clips) != len(asked.key_points):
        raise click.UsageError(f"{len(asked.clips)} clips but {len(asked.key_points)} files of key points")
    if count > 1 and asked.calibration is None:
        raise click.UsageError(f"{count} clips need their cameras: --calibration FILE")
    calibration = _calibration(asked)
    sights = []
    for number in range(count):
        clip = _clip(asked, number, progress)
        followed, world, notes = _person(asked, number, clip, picture, progress)
        sights.append(_sight(asked, number, clip, followed, world, notes, calibration))
    names = [sight.name for sight in sights]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(twice, "is the name of two clips", "rename one: results are named after their clip")
    return tuple(sights)


def _calibration(asked: Asked) -> Calibration | None:
    if asked.calibration is None:
        return None
    from biopose_sim.io.calibration import read_calibration

    if asked.focal is not None:
        raise click.UsageError("--focal and --calibration both give the focal length: name one")
    return read_calibration(asked.calibration)


def _clip(asked: Asked, number: int, progress: Progress) -> Clip | None:
    if not asked.clips:
        if asked.start is not None or asked.stop is not None:
            raise click.UsageError("--from and --to are of clips")
        return None
    progress(f"reading {asked.clips[number].name}")
    return open_clip(asked.clips[number], fps=asked.fps, start=asked.start, stop=asked.stop)


def _person(
    asked: Asked, number: int, clip: Clip | None, picture: Path, progress: Progress
) -> tuple[Followed, Array | None, tuple[str, ...]]:
    """The person's key points, the detector's own guess in space, and what is to be said."""
    if asked.key_points:
        path = asked.key_points[number]
        size = clip.size if clip is not None else asked.size
        try:
            detections = read_detections(path, fps=clip.fps if clip is not None else asked.fps, size=size)
            if clip is not None:
                detections = _of_clip(detections, clip)
            return follow(detections, asked.person), None, ()
        except InputError as error:
            raise _as_options(error) from error
    assert clip is not None  # there are clips or key points
    from biopose_sim.video.footage.detector import detect
    from biopose_sim.video.footage.people import find_people

    progress(f"looking for people in {clip.name}")
    crowd = find_people(clip)
    if crowd.several and asked.person is None:
        _draw_people(clip, crowd.frame, crowd.boxes, picture)
        problem = f"shows {len(crowd.boxes)} people: {crowd}"
        raise InputError(clip.path, problem, f"say --person 1, 2, ... as numbered in {picture}, largest, left or right")

    def tell(done: int, of: int) -> None:
        progress(f"finding key points in {clip.name}: {done} of {of} frames")

    found = detect(clip, person=asked.person, crowd=crowd, progress=tell)
    return follow(found.detections, "largest"), found.world, ()


def _draw_people(clip: Clip, frame: int, boxes: Array, picture: Path) -> None:
    from biopose_sim.viz.people import people_picture

    people_picture(clip.frame(frame), boxes, range(1, len(boxes) + 1), picture)


def _of_clip(detections: Detections, clip: Clip) -> Detections:
    """The key points of the clip's own frames, at its times."""
    whole, wanted = len(detections.time), clip.first + clip.n_frames
    if whole < wanted - _SLACK:
        problem = f"has key points of {whole} frames, and {clip.path.name} has {wanted}"
        raise InputError(detections.source, problem, "give the key points of this clip, one line or file a frame")
    inside = (detections.frame >= clip.first) & (detections.frame < wanted)
    if not inside.any():
        raise InputError(detections.source, "shows nobody in this part of the clip", "choose others by --from and --to")
    return replace(
        detections,
        name=clip.name,
        time=clip.time,
        frame=detections.frame[inside] - clip.first,
        points=detections.points[inside],
        confidence=detections.confidence[inside],
        track=None if detections.track is None else detections.track[inside],
        fps=clip.fps,
        size=clip.size,
    )


def _as_options(error: InputError) -> InputError:
    remedy = error.remedy or ""
    for argument, option in _TOLD.items():
        remedy = remedy.replace(argument, option)
    return InputError(error.source, error.problem, remedy)


def _sight(
    asked: Asked,
    number: int,
    clip: Clip | None,
    followed: Followed,
    world: Array | None,
    notes: tuple[str, ...],
    calibration: Calibration | None,
) -> Sight:
    key_points = followed.key_points
    size = clip.size if clip is not None else key_points.size or asked.size or _size_of(key_points)
    told: tuple[str, ...] = ()
    if calibration is not None:
        from biopose_sim.io.calibration import for_clip

        camera, told = for_clip(calibration, key_points.name, size, number)
        how, known, placed = f"from {calibration.source.name}", True, calibration.placed
        told = (*(calibration.notes if number == 0 else ()), *told)
    else:
        focal, how, known = _focal(asked, clip, size)
        camera, placed = Camera.level(*size, focal, name=key_points.name), False
    said = (*(clip.notes if clip is not None else ()), *key_points.assumptions, *notes, *told)
    view = View(camera, key_points.common())
    return Sight(clip, followed, view, how, known, placed, world, said)


def _focal(asked: Asked, clip: Clip | None, size: tuple[int, int]) -> tuple[float, str, bool]:
    """Focal length [px], where it comes from, and whether it is known."""
    if asked.focal is not None:
        match = _FOCAL.fullmatch(asked.focal.strip())
        if match is None or not float(match["value"]):
            raise click.UsageError(f"--focal {asked.focal}: give pixels (1500) or millimetres of 35 mm film (26mm)")
        value = float(match["value"])
        if (match["unit"] or "").lower() == "mm":
            return film_focal_pixels(value, size), f"given as {value:g} mm of 35 mm film", True
        return value, "given", True
    if clip is not None and clip.focal is not None:
        return clip.focal, "from the file", True
    return default_focal(size), "not known: that of a phone's main camera was taken to start from", False


def _size_of(key_points: KeyPoints) -> NoReturn:
    """Complain of key points without a picture."""
    corner = np.nanmax(key_points.points.reshape(-1, 2), axis=0)
    raise InputError(
        key_points.source or key_points.name,
        f"does not say how large the picture is (points lie up to {corner[0]:.0f}, {corner[1]:.0f})",
        "give --size W H, or the clip",
    )
