"""From what is named on the command line to views: clips, 2D key points of one person, cameras."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click
import numpy as np

from biopose_sim.cli.console import Progress
from biopose_sim.errors import InputError
from biopose_sim.io.camera import Camera
from biopose_sim.video.footage.clip import Clip, default_focal, film_focal_pixels, open_clip
from biopose_sim.video.points.following import Followed, follow
from biopose_sim.video.points.keypoints import Array, KeyPoints
from biopose_sim.video.types import View

if TYPE_CHECKING:
    from biopose_sim.io.calibration import Calibration

_FOCAL = re.compile(r"(?P<value>\d+(?:\.\d+)?)\s*(?P<unit>mm|px)?", re.IGNORECASE)
_FILM_FOCALS = (6.0, 2000.0)  # mm of 35 mm film: from fisheyes to the longest lenses
# What --up may name besides angles: axes of a calibration's world (`biopose_sim.io.calibration.Up`).
UPS = ("x", "y", "z", "-x", "-y", "-z")


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
    layout: str | None = None
    up: str | None = None

    @property
    def calibration_up(self) -> str | None:
        """The axis of the calibration's world that points up, if ``--up`` names one."""
        return self.up if self.up in UPS else None


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

    def exchanged(self) -> Sight:
        """Return what was seen with left and right exchanged in all frames."""
        from biopose_sim.video.points.swaps import Repair
        from biopose_sim.video.sides import exchanged

        frames = np.flatnonzero(self.view.key_points.seen.any(axis=1))
        repairs = (Repair(int(frames[0]), int(frames[-1]), "whole body"), *self.followed.repairs)
        followed = replace(self.followed, key_points=exchanged(self.followed.key_points), repairs=repairs)
        return replace(self, followed=followed, view=View(self.view.camera, exchanged(self.view.key_points)))


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
    if asked.clips and asked.size is not None:
        raise click.UsageError("--size is of key points without a clip, which says its own")
    if asked.layout is not None and not asked.key_points:
        raise click.UsageError("--layout is of key points from a file (--key-points)")
    calibration = _calibration(asked, count)
    clips = [_clip(asked, number, progress) for number in range(count)]
    sights = []
    for number, clip in enumerate(clips):
        followed, world, notes = _person(asked, number, clip, picture, progress)
        sights.append(_sight(asked, number, clip, followed, world, notes, calibration))
    names = [sight.name for sight in sights]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(twice, "is the name of two clips", "rename one: results are named after their clip")
    _check_cameras(sights, asked.calibration)
    return tuple(sights)


def _check_cameras(sights: Sequence[Sight], calibration: Path | None) -> None:
    """Complain of two clips that are taken for one camera."""
    for one, other in combinations(sights, 2):
        if calibration is not None and one.placed and np.allclose(one.view.camera.position, other.view.camera.position):
            problem = f"'{one.name}' and '{other.name}' are both taken for its camera '{one.view.camera.name}'"
            raise InputError(calibration, problem, "it needs a camera for each clip; name clips like their cameras")


def _calibration(asked: Asked, clips: int) -> Calibration | None:
    if asked.calibration is None:
        if asked.calibration_up is not None:
            raise click.UsageError(f"--up {asked.up} names an axis of a calibration (--calibration)")
        return None
    from biopose_sim.io.calibration import read_calibration

    if asked.focal is not None:
        raise click.UsageError("--focal and --calibration both give the focal length: name one")
    found = read_calibration(asked.calibration, asked.calibration_up or "auto")
    if found.placed and asked.up not in (None, "auto", asked.calibration_up):
        known = f"name the axis of its world that points up ({', '.join(UPS)})"
        raise click.UsageError(f"--up {asked.up}: the calibration says how its cameras stand; {known}")
    if clips > 1 and not found.placed:
        problem = "does not say where the cameras stand"
        raise InputError(asked.calibration, problem, "several clips need their rotations and translations")
    return found


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
        from biopose_sim.cli.video_points import followed_in_file

        found_in_file = followed_in_file(
            asked.key_points[number],
            clip,
            picture,
            person=asked.person,
            layout=asked.layout,
            fps=asked.fps,
            size=asked.size,
        )
        return found_in_file, None, ()
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

        # Of more or fewer cameras than clips the order says nothing.
        order = number if len(asked.clips or asked.key_points) == len(calibration) else None
        camera, told = for_clip(calibration, key_points.name, size, order)
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
        value, film = float(match["value"]), (match["unit"] or "").lower() == "mm"
        pixels = film_focal_pixels(value, size) if film else value
        shortest, longest = (film_focal_pixels(limit, size) for limit in _FILM_FOCALS)
        if not shortest <= pixels <= longest:
            film_limits = f"{_FILM_FOCALS[0]:g} to {_FILM_FOCALS[1]:g} mm of 35 mm film"
            limits = f"{shortest:.0f} to {longest:.0f} px for pictures of {size[0]} x {size[1]}, {film_limits}"
            raise click.UsageError(f"--focal {asked.focal}: no lens has that; give {limits}")
        return pixels, f"given as {value:g} mm of 35 mm film" if film else "given", True
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
