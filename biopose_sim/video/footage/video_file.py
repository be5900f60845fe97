"""Clips as video files, by PyAV (FFmpeg's libraries)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from .clip import Picture, Recording
from .pictures import SUFFIXES, smaller

EXTRA = 'pip install "biopose-sim[video]"'
# Only these: FFmpeg would draw a text file as a film, and follow play lists to other files.
_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,asf,flv,ogg,h264,hevc,m4v,mjpeg,gif,dv,mxf,ivf,nut"
)
_KNOWN = ".mp4, .mov, .avi, .mkv, .webm, ..."
# 35-mm-equivalent focal length [mm] (Apple), and the rate of recording (Android, from version 7).
_APPLE_FOCAL = "com.apple.quicktime.camera.focal_length.35mm_equivalent"
_ANDROID_RATE = "com.android.capture.fps"
_WORTH_A_JUMP = 30  # frames
# How far before the end a frame is looked for that can be decoded [frames].
_LOOK_BACK = (1, 60, 600)
_GUESSED_RATE = 30.0
_EARLY = 0.5  # s that sound may go on after the last frame


@dataclass(frozen=True, eq=False)
class _Turn:
    """How stored pictures become upright ones (the display matrix of the file)."""

    matrix: tuple[int, int, int, int] = (1, 0, 0, 1)

    @classmethod
    def of(cls, frame: Any) -> tuple[_Turn, str | None]:
        """Read it from a decoded frame, with a note if the file asks for more than quarter turns."""
        for data in frame.side_data:
            if data.type.name == "DISPLAYMATRIX":
                a, b, _, c, d = np.frombuffer(bytes(data)[:36], dtype=np.int32)[:5] / 65536.0
                break
        else:
            return cls(), None
        swapped = abs(b) > abs(a)
        rounded = (0, _sign(b), _sign(c), 0) if swapped else (_sign(a), 0, 0, _sign(d))
        angle = math.degrees(math.atan2(b, a))
        off = abs((angle + 45.0) % 90.0 - 45.0)
        note = f"the file asks for a turn by {angle:.0f} degrees; quarter turns only are made" if off > 1.0 else None
        return cls(rounded), note

    @property
    def quarter(self) -> bool:
        """Whether width and height are exchanged."""
        return self.matrix[0] == 0

    @property
    def clockwise(self) -> int:
        """The turn [degrees]."""
        a, b = self.matrix[:2]
        return round(math.degrees(math.atan2(b, a))) % 360

    @property
    def mirrors(self) -> bool:
        """Whether left and right are exchanged."""
        a, b, c, d = self.matrix
        return a * d - b * c < 0

    def __call__(self, picture: Picture) -> Picture:
        """Return the picture upright: what lies at (x, y) comes to (a x + c y, b x + d y), up to a shift."""
        a, b, c, d = self.matrix
        if self.quarter:
            picture, a, d = picture.swapaxes(0, 1), c, b
        return np.ascontiguousarray(picture[:: 1 if d > 0 else -1, :: 1 if a > 0 else -1])


def _sign(value: float) -> int:
    return -1 if value < 0 else 1


@dataclass(frozen=True, eq=False)
class _Stamps:
    """Time stamps of the frames of a stream.

    Attributes:
        values: (T,) increasing, in units.
        unit: [s].
        keys: (n,) numbers of the frames from which decoding can begin, the first among them.
        carried: whether decoded frames carry them; else the k-th decoded frame has the k-th.
        absent: how many frames that the file announces are not there.
        notes: what was repaired.
    """

    values: NDArray[np.int64]
    unit: float
    keys: NDArray[np.intp]
    carried: bool
    absent: int = 0
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, path: Path, container: Any, stream: Any) -> _Stamps:
        """Read them from the packets, which needs no decoding."""
        packets = [(p.pts, p.is_discard, p.is_keyframe) for p in _packets(container, stream) if p.size]
        found = [stamp for stamp, hidden, _ in packets if not hidden]
        # Others announce no number, or one of ticks.
        absent = max(stream.frames - len(packets), 0) if "mp4" in container.format.name else 0
        if not found:
            raise InputError(path, "holds no frames", f"give a video ({_KNOWN})")
        known = [stamp for stamp in found if stamp is not None]
        if len(known) < len(found):
            rate = float(stream.average_rate or _GUESSED_RATE)
            without = len(found) - len(known)
            note = f"{without} of {len(found)} frames have no time stamp: taken at {rate:g} frames a second"
            return cls(np.arange(len(found)), 1.0 / rate, np.zeros(1, dtype=np.intp), False, absent, (note,))
        values = np.unique(np.array(known, dtype=np.int64))
        keys = np.searchsorted(values, [values[0], *(stamp for stamp, hidden, key in packets if key and not hidden)])
        doubles = len(known) - len(values)
        notes = (f"{doubles} frames have the time stamp of another one and are left out",) if doubles else ()
        # AVI stores the order of decoding only, which FFmpeg gives out as time stamps.
        carried = "avi" not in container.format.name
        return cls(values, float(stream.time_base), np.unique(keys), carried, absent, notes)

    @cached_property
    def numbers(self) -> dict[int, int]:
        """Number of the frame of each time stamp."""
        return {int(stamp): number for number, stamp in enumerate(self.values)}


@dataclass(frozen=True, eq=False)
class VideoFile:
    """A video file; opened anew for each reading.

    Attributes:
        path: of the file.
        stamps: of all frames of the file.
        skipped: how many of them, at the beginning, cannot be decoded and are no frames of the clip.
        turn: from stored to upright.
        stored: width and height of the stored pictures, made square in their pixels [px].
    """

    path: Path
    stamps: _Stamps
    skipped: int = 0
    turn: _Turn = _Turn()
    stored: tuple[int, int] = (0, 0)

    @classmethod
    def open(cls, path: Path) -> tuple[VideoFile, Recording]:
        """Read the time stamps of all frames, and what file and first frame say.

        Raises:
            InputError: not a video, no video stream, no frame that can be decoded, PyAV is not installed.
        """
        with _opened(path) as (container, stream):
            stamps = _Stamps.of(path, container, stream)
            length = 1e-6 * (container.duration or 0)  # FFmpeg counts it in microseconds
            metadata = {key.lower(): text for key, text in {**container.metadata, **stream.metadata}.items()}
            aspect = float(stream.sample_aspect_ratio or 1.0)
        first, frame = cls(path, stamps)._first()
        last = cls(path, stamps)._last()
        turn, turn_note = _Turn.of(frame)
        stored = (max(round(frame.width * aspect), 1), frame.height)
        notes = list(stamps.notes)
        if lost := stamps.absent + len(stamps.values) - (last + 1 - first):
            notes.append(f"the file is cut off or damaged: {lost} frames at its ends are missing")
        elif length - (stamps.values[-1] - stamps.values[0]) * stamps.unit > _EARLY + 0.02 * length:
            notes.append(f"the file says that it lasts {length:.1f} s, but holds no frames for the last of them")
        if turn_note:
            notes.append(turn_note)
        if turn.mirrors:
            notes.append("the pictures are mirrored, as the file asks for")
        if stored[0] != frame.width:
            notes.append(f"the pixels of the file are not square ({aspect:.3f}): the pictures are stretched")
        recording = Recording(
            np.asarray(stamps.values[first : last + 1] * stamps.unit, dtype=np.float64),
            stored[::-1] if turn.quarter else stored,
            turn.clockwise,
            _film_focal(metadata),
            _number(metadata, _ANDROID_RATE),
            tuple(notes),
        )
        return cls(path, stamps, first, turn, stored), recording

    def numbered(self, wanted: Sequence[int], longest: int | None) -> Iterator[tuple[int, Picture]]:
        """Yield number and picture of the wanted frames that can be decoded.

        Raises:
            InputError: the file cannot be opened any more.
        """
        width, height = smaller(self.stored, longest)
        for run in self._runs([number + self.skipped for number in wanted]):
            due = set(run)
            for number, frame in self._decoded(run[0]):
                if number in due:
                    picture = frame.to_ndarray(format="rgb24", width=width, height=height, interpolation="AREA")
                    yield number - self.skipped, self.turn(picture)
                if number >= run[-1]:
                    break

    def _runs(self, numbers: list[int]) -> Iterator[list[int]]:
        """Split numbers where a key frame lies so far ahead that going there is worth it."""
        run: list[int] = []
        for number in numbers:
            if run and self.stamps.carried:
                key = self.stamps.keys[np.searchsorted(self.stamps.keys, number, side="right") - 1]
                if key > run[-1] + _WORTH_A_JUMP:
                    yield run
                    run = []
            run.append(number)
        if run:
            yield run

    def _first(self) -> tuple[int, Any]:
        """The first frame that can be decoded, with its number."""
        for number, frame in self._decoded(0):
            return number, frame
        raise InputError(self.path, "no frame of it can be decoded", "convert the video to .mp4 (H.264)")

    def _last(self) -> int:
        """The number of the last frame that can be decoded."""
        count = len(self.stamps.values)
        for start in (*(count - back for back in _LOOK_BACK if back < count), 0):
            numbers = [number for number, _ in self._decoded(start)]
            if numbers:
                return numbers[-1]
        return 0

    def _decoded(self, start: int) -> Iterator[tuple[int, Any]]:
        """Sound frames from ``start`` on, with their numbers."""
        import av

        stamps = self.stamps
        with _opened(self.path) as (container, stream):
            stream.thread_type = "AUTO"
            if start and stamps.carried:
                container.seek(int(stamps.values[start]), stream=stream, backward=True)
            count, last = 0, start - 1
            for packet in _packets(container, stream):
                try:
                    frames = packet.decode()
                except av.FFmpegError:
                    continue
                for frame in frames:
                    number = stamps.numbers.get(frame.pts, -1) if stamps.carried else count
                    count += 1
                    if last < number < len(stamps.values) and not frame.is_corrupt:
                        last = number
                        yield number, frame


def _packets(container: Any, stream: Any) -> Iterator[Any]:
    """Packets until the end, or to where the file is cut off."""
    import av

    packets = container.demux(stream)
    while True:
        try:
            yield next(packets)
        except (StopIteration, av.FFmpegError):
            return


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """The file and its video stream (not a title picture)."""
    try:
        import av
    except ImportError:
        raise InputError(path, "videos need the package 'av'", EXTRA) from None
    try:
        # FFmpeg takes what stands before a colon for a protocol, unless the path is whole.
        container = av.open(str(path.absolute()), options={"format_whitelist": _FORMATS}, metadata_errors="ignore")
    except (av.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        picture = "is a single picture" if path.suffix.lower() in SUFFIXES else None
        remedy = f"give a video ({_KNOWN})" + (", or a folder of pictures" if picture else "")
        raise InputError(path, picture or f"is no video, or is cut off ({reason})", remedy) from error
    with container:
        streams = [s for s in container.streams.video if not s.disposition & type(s.disposition).attached_pic]
        if not streams:
            raise InputError(path, "holds no video stream", f"give a video ({_KNOWN})")
        yield container, streams[0]


def _film_focal(metadata: Mapping[str, str]) -> tuple[float, str] | None:
    value = _number(metadata, _APPLE_FOCAL)
    return (value, "QuickTime tag of the camera") if value else None


def _number(metadata: Mapping[str, str], key: str) -> float | None:
    try:
        value = float(metadata.get(key, ""))
    except ValueError:
        return None
    return value if 0.0 < value < 1e5 else None
