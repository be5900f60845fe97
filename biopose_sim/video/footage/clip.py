"""A clip: a video file or a folder of pictures, upright, on its own clock."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..points.keypoints import Array

Picture = NDArray[np.uint8]
# Diagonal of a 36 mm x 24 mm film frame [mm], to which "35-mm-equivalent" focal lengths refer (CIPA DCG-001).
_FILM_DIAGONAL = 43.2666
# Main cameras of phones: 24 to 26 mm in photographs; the stabilised video keeps the inner nine tenths of them.
_PHONE_VIDEO = 28.0
_LEAST, _MOST, _MOST_PIXELS = 32, 16384, 2**26
# Intervals between frames that differ by more than this factor from the usual one are a varying frame rate.
_UNEVEN = 1.5
_SLOWEST, _FASTEST = 1.0, 10000.0  # Hz, of a motion that can be followed


class Reader(Protocol):
    """What a clip reads its pictures from."""

    def numbered(self, wanted: Sequence[int], longest: int | None) -> Iterator[tuple[int, Picture]]:
        """Yield number and picture (H, W, 3) of those wanted frames (numbers that increase) that can be decoded."""


@dataclass(frozen=True)
class Recording:
    """What a file or folder says about itself.

    Attributes:
        times: (T,) strictly increasing [s], from any start.
        size: width and height of the upright pictures [px].
        rotation: by how much the stored pictures are turned to stand upright, clockwise [degrees].
        film_focal: 35-mm-equivalent focal length [mm], and where it says so; None if nowhere.
        capture_fps: the rate of recording [Hz], where the file says that it plays at another one.
        notes: what was taken for granted, a sentence each.
    """

    times: Array
    size: tuple[int, int]
    rotation: int = 0
    film_focal: tuple[float, str] | None = None
    capture_fps: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Clip:
    """Frames of a video or a folder of pictures.

    Attributes:
        path: of the file or folder.
        time: (T,) strictly increasing [s], on the clock of the file, which begins with 0 at its first frame (also if
            the clip begins later).
        size: width and height [px], after the pictures were turned upright.
        rotation: by how much the stored pictures are turned to stand upright, clockwise [degrees].
        focal: focal length [px] if the file says it, else None (see `default_focal`).
        notes: what was taken for granted or a user should know, a sentence each.
        first: number of the clip's first frame in the file.
        reader: where the pictures come from.
        whole: how many frames the file has.
    """

    path: Path
    time: Array
    size: tuple[int, int]
    rotation: int
    focal: float | None
    notes: tuple[str, ...]
    first: int
    reader: Reader
    whole: int

    @property
    def name(self) -> str:
        """Name of the file without its suffix."""
        return self.path.stem if self.path.is_file() else self.path.name

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return len(self.time)

    @property
    def fps(self) -> float:
        """The usual frame rate [Hz]: one over the mean of the intervals that are near their median."""
        steps = np.diff(self.time)
        usual = float(np.median(steps))
        return float(1.0 / np.mean(steps[(steps <= _UNEVEN * usual) & (steps >= usual / _UNEVEN)]))

    def numbered(
        self, start: int = 0, stop: int | None = None, *, longest: int | None = None
    ) -> Iterator[tuple[int, Picture]]:
        """Yield number and picture of the frames from ``start`` to before ``stop``; those that are broken are left out.

        Args:
            start: number of the first frame of the clip.
            stop: number after the last one; all if none is given.
            longest: larger pictures are made smaller until their longer side has so many pixels.

        Yields:
            Number of the frame, and its picture (H, W, 3), RGB, upright.

        Raises:
            InputError: the file cannot be read any more.
        """
        stop = self.n_frames if stop is None else min(stop, self.n_frames)
        yield from self.picked(range(start, stop), longest=longest)

    def picked(self, wanted: Sequence[int], *, longest: int | None = None) -> Iterator[tuple[int, Picture]]:
        """Yield number and picture of the wanted frames (numbers that increase), see `numbered`."""
        own = wanted if not self.first else [number + self.first for number in wanted]
        for number, picture in self.reader.numbered(own, longest):
            yield number - self.first, picture

    def frames(self, start: int = 0, stop: int | None = None, *, longest: int | None = None) -> Iterator[Picture]:
        """Yield a picture for each frame; a broken one is given as the one before it. See `numbered`."""
        stop = self.n_frames if stop is None else min(stop, self.n_frames)
        due, last = start, None
        for number, picture in self.numbered(start, stop, longest=longest):
            for _ in range(due, number):
                yield picture if last is None else last
            yield picture
            due, last = number + 1, picture
        if last is None and start < stop:
            raise InputError(self.path, f"frames {start} to {stop - 1} cannot be decoded", "convert the video again")
        for _ in range(due, stop):
            if last is not None:
                yield last

    def frame(self, index: int, *, longest: int | None = None) -> Picture:
        """Return the picture (H, W, 3) of one frame, RGB, upright."""
        return next(self.frames(index, index + 1, longest=longest))


def open_clip(
    path: str | Path, *, fps: float | None = None, start: float | None = None, stop: float | None = None
) -> Clip:
    """Open a video file, or a folder of pictures (sorted by name, numbers in the name by value).

    Args:
        path: of the file (.mp4, .mov, .avi, .mkv, .webm, ...) or folder (.jpg, .png, ...).
        fps: frame rate of recording [Hz]: needed for pictures, and for videos with wrong time stamps (slow motion).
        start: the clip begins here [s], on the clock of the file.
        stop: the clip ends here [s].

    Raises:
        InputError: no such file; not a video; no pictures, no frames, or none between start and stop; pictures of an
            absurd size; pictures without ``fps``; PyAV is not installed.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(path, "no such file")
    if fps is not None and not _SLOWEST <= fps <= _FASTEST:
        raise InputError(path, f"a frame rate of {fps:g} Hz", f"give frames a second, {_SLOWEST:g} to {_FASTEST:g}")
    if any(moment is not None and not math.isfinite(moment) for moment in (start, stop)):
        raise InputError(path, f"a part from {start} to {stop} s", "give seconds from the beginning of the clip")
    reader: Reader
    if path.is_dir():
        from .pictures import PictureFolder

        if fps is None:
            raise InputError(path, "pictures do not say their frame rate", "give it: --fps 30")
        reader, recording = PictureFolder.open(path, fps)
    elif not path.is_file():
        raise InputError(path, "is no file", "give a video, or a folder of pictures")
    else:
        from .video_file import VideoFile

        reader, recording = VideoFile.open(path)
    _check_size(path, recording.size)
    if len(recording.times) < 2:
        raise InputError(path, "holds one frame", "give a video, or a folder of pictures")
    time, clock_notes = _clock(recording, fps)
    focal, focal_notes = _focal(recording)
    first, last = _part(path, time, start, stop)
    notes = (*recording.notes, *clock_notes, *focal_notes)
    return Clip(path, time[first:last], recording.size, recording.rotation, focal, notes, first, reader, len(time))


def default_focal(size: tuple[int, int]) -> float:
    """Return a focal length [px] for a clip of which nothing is known: that of a phone's main camera.

    28 mm of 35-mm film for the diagonal of the picture (see `film_focal_pixels`): 0.65 of the diagonal, 1426 px for
    1920 x 1080. Lenses that show more (0.5x: 13 mm) or less (2x, 3x: 50 to 77 mm) are not rare.

    Args:
        size: width and height [px].
    """
    return film_focal_pixels(_PHONE_VIDEO, size)


def film_focal_pixels(millimetres: float, size: tuple[int, int]) -> float:
    """Return a 35-mm-equivalent focal length [mm] in pixels: by the diagonals of film (43.27 mm) and picture.

    Source: CIPA DCG-001, Guideline for Noting Digital Camera Specifications: equal angles of view across the diagonal.
    """
    return millimetres / _FILM_DIAGONAL * float(np.hypot(*size))


def _check_size(path: Path, size: tuple[int, int]) -> None:
    width, height = size
    if min(size) < _LEAST or max(size) > _MOST or width * height > _MOST_PIXELS:
        problem = f"has pictures of {width} x {height} pixels"
        raise InputError(path, problem, f"give pictures of {_LEAST} to {_MOST} pixels each way, 67 million in all")


def _clock(recording: Recording, fps: float | None) -> tuple[Array, tuple[str, ...]]:
    """Times from 0 [s], and what there is to say about them."""
    if fps is not None:
        return np.arange(len(recording.times)) / fps, ()
    time = recording.times - recording.times[0]
    steps = np.diff(time)
    usual = float(np.median(steps))
    notes: list[str] = []
    if recording.capture_fps and abs(np.log(recording.capture_fps * usual)) > 0.05:
        played, usual = 1.0 / usual, 1.0 / recording.capture_fps
        time, steps = time * (usual * played), steps * (usual * played)
        notes.append(
            f"slow motion or time lapse: recorded at {recording.capture_fps:g} Hz, played at {played:.4g} Hz; "
            "the times are those of the recording"
        )
    if steps.max() > _UNEVEN * usual or steps.min() < usual / _UNEVEN:
        low, high = 1e3 * steps.min(), 1e3 * steps.max()
        notes.append(
            f"the frame rate varies: {low:.1f} to {high:.1f} ms from frame to frame (median {1e3 * usual:.1f} ms); "
            "each frame keeps its own time"
        )
    return time, tuple(notes)


def _focal(recording: Recording) -> tuple[float | None, tuple[str, ...]]:
    if recording.film_focal is None:
        return None, ()
    millimetres, where = recording.film_focal
    focal = film_focal_pixels(millimetres, recording.size)
    return focal, (f"focal length {focal:.0f} px, from {millimetres:g} mm of 35-mm film ({where})",)


def _part(path: Path, time: Array, start: float | None, stop: float | None) -> tuple[int, int]:
    """Numbers of the first frame and of the one after the last, of those between start and stop [s]."""
    first = 0 if start is None else int(np.searchsorted(time, start - 1e-6))
    last = len(time) if stop is None else int(np.searchsorted(time, stop + 1e-6, side="right"))
    if last - first < 2:
        span = f"the clip lasts from 0 to {time[-1]:.2f} s"
        wanted = f"from {start or 0:g} s to {'the end' if stop is None else f'{stop:g} s'}"
        raise InputError(path, f"has {max(last - first, 0)} frames {wanted}", f"{span}; at least 2 frames are needed")
    return first, last
