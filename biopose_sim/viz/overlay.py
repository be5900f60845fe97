"""The skeleton of a result on the clip that it was found from: a film, and a picture of some moments of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from biopose_sim.errors import InputError
from biopose_sim.io.camera import Camera
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.viz.film import write_pictures
from biopose_sim.viz.overlay_painter import OverlayPainter, PointsSeen
from biopose_sim.viz.pixels import Pixels, resized, to_jpeg, write_png
from biopose_sim.viz.viewer.geometry import Geometry

_PANEL = 480  # [pixel] high, each moment of the sheet
_MARGIN = 0.12  # of the person's height and width, around them in the sheet
_NARROWEST, _WIDEST = 0.55, 1.8  # width / height of a moment of the sheet
_GAP = 4  # [pixel] between them


@dataclass(frozen=True, eq=False)
class Shown:
    """A result on the clip of one camera: what the film and the sheet draw.

    Attributes:
        time: (T,) of the frames of the clip, strictly increasing [s].
        camera: of the clip, in the ground frame.
        model: scaled to the person.
        coordinates: (T, n_q) [rad | m]; frames with values that are no numbers show no skeleton.
        seen: (T,) frames in which there is a person; all if None.
        points: where the key points were found; not drawn if None.
        flags: (T,) what is to be said of a frame, in words or as `biopose_sim.viz.video_flags` knows it.
        geometry: bones from files; built-in ones if None.
    """

    time: ArrayLike
    camera: Camera
    model: OsimModel
    coordinates: ArrayLike
    seen: ArrayLike | None = None
    points: PointsSeen | None = None
    flags: Sequence[str] | None = None
    geometry: Geometry | None = field(default=None, repr=False)


@dataclass(frozen=True, eq=False)
class Overlay:
    """What was drawn.

    Attributes:
        path: of the film.
        pictures: how many it has.
        poster: one of them, as a JPEG.
        errors: (T,) mean distance of found and modelled key points by confidence [pixel of the camera]; NaN without.
    """

    path: Path
    pictures: int
    poster: bytes
    errors: NDArray[np.float64]


def write_overlay(
    path: str | Path,
    frames: Iterable[Pixels],
    shown: Shown,
    *,
    sheet: str | Path | None = None,
    longest: int = 960,
    tell: Callable[[int], None] | None = None,
) -> Overlay:
    """Write the clip with the skeleton on it as a film (MP4, H.264) with the clip's own times.

    Args:
        path: of the film.
        frames: (H, W, 3) red, green, blue: the clip's pictures in their order, read one by one; the film ends with
            them or with the result, whichever is shorter. They may be smaller than the camera's.
        shown: the result.
        sheet: where to write some moments of it, as :func:`overlay_picture` does; read in the same go.
        longest: longer side of the film at most [pixel].
        tell: called with the number of pictures that are done.

    Raises:
        InputError: no encoder is installed, no frame, a camera of pictures of another shape, or a path that cannot be
            written.
        ValueError: counts of the result that do not fit.
    """
    painter, pictures = _start(path, frames, shown, longest)
    time = np.asarray(shown.time, dtype=float)
    contact = None if sheet is None else _Sheet(painter, time)
    middle = int(_moments(painter.in_view, 1)[0])
    stills: dict[str, Pixels] = {}
    count = 0

    def drawn() -> Iterator[tuple[float, Pixels]]:
        nonlocal count
        for frame, picture in enumerate(pictures):
            image = painter.image(frame, picture, f"{time[frame]:.2f} s")
            if contact is not None:
                contact.add(frame, picture)
            if frame <= middle:
                stills["poster"] = image
            count = frame + 1
            yield float(time[frame]), image

    rate = (len(time) - 1) / (time[-1] - time[0]) if len(time) > 1 else 30.0
    written = write_pictures(path, drawn(), rate=float(rate), camera=True, tell=tell)
    if contact is not None and sheet is not None:
        write_png(sheet, contact.pixels())
    return Overlay(written, count, to_jpeg(stills["poster"]), painter.errors)


def overlay_picture(path: str | Path, frames: Iterable[Pixels], shown: Shown, *, moments: int = 6) -> Path:
    """Write some moments of the clip with the skeleton on it as one PNG, the person large.

    Args:
        path: of the PNG.
        frames: as for :func:`write_overlay`.
        shown: the result.
        moments: how many.

    Raises:
        InputError: no frame, a camera of pictures of another shape, or a path that cannot be written.
        ValueError: counts of the result that do not fit.
    """
    painter, pictures = _start(path, frames, shown, longest=960)
    contact = _Sheet(painter, np.asarray(shown.time, dtype=float), moments)
    for frame, picture in enumerate(pictures):
        contact.add(frame, picture)
        if contact.complete:
            break
    return write_png(path, contact.pixels())


def _start(
    path: str | Path, frames: Iterable[Pixels], shown: Shown, longest: int
) -> tuple[OverlayPainter, Iterator[Pixels]]:
    """The painter for frames of this size, and the frames."""
    source = iter(frames)
    first = next(source, None)
    if first is None:
        raise InputError(path, "the clip holds no frame to draw on")
    count = len(np.asarray(shown.time))
    if count != len(np.asarray(shown.coordinates)):
        raise ValueError(f"{count} times for {len(np.asarray(shown.coordinates))} frames")
    painter = OverlayPainter(
        shown.model,
        shown.coordinates,
        shown.camera,
        (first.shape[1], first.shape[0]),
        longest=longest,
        seen=shown.seen,
        points=shown.points,
        flags=shown.flags,
        geometry=shown.geometry,
    )
    return painter, islice(chain([first], source), count)


def _moments(seen: NDArray[np.bool_], count: int) -> NDArray[np.intp]:
    """So many frames at equal distances among those in which somebody is seen, or among all if nobody is."""
    among = np.flatnonzero(seen) if seen.any() else np.arange(len(seen))
    places = (np.arange(count) + 0.5) / count * len(among)
    return np.unique(among[np.minimum(places.astype(int), len(among) - 1)])


class _Sheet:
    """Gathers some moments of a clip, cut out around the person, in one picture."""

    def __init__(self, painter: OverlayPainter, time: NDArray[np.float64], count: int = 6) -> None:
        self._time, self._frames = time, set(_moments(painter.in_view, count).tolist())
        self._panels: list[Pixels] = []
        boxes = {frame: box for frame in self._frames if (box := painter.box(frame)) is not None}
        wide, tall = _cut(list(boxes.values()), painter.width, painter.height)
        # Drawn so that what is cut out has the height of a panel.
        finer = painter.in_size(round(max(painter.width, painter.height) * _PANEL / tall))
        scale = finer.height / painter.height
        self._painter = finer
        self._size = min(round(wide * scale), finer.width), min(round(tall * scale), finer.height)
        middle = 0.5 * painter.width, 0.5 * painter.height
        self._centres = {
            frame: tuple(scale * c for c in (_centre(boxes[frame]) if frame in boxes else middle))
            for frame in self._frames
        }

    @property
    def complete(self) -> bool:
        """Whether all moments are there."""
        return len(self._panels) == len(self._frames)

    def add(self, frame: int, picture: Pixels) -> None:
        """Take a frame of the clip if it is one of the moments."""
        if frame not in self._frames:
            return
        painter, (wide, tall) = self._painter, self._size
        x, y = self._centres[frame]
        left = min(max(round(x - 0.5 * wide), 0), painter.width - wide)
        top = min(max(round(y - 0.5 * tall), 0), painter.height - tall)
        cut = painter.drawn(frame, picture)[top : top + tall, left : left + wide]
        panel = np.array(resized(np.ascontiguousarray(cut), round(wide * _PANEL / tall), _PANEL))
        painter.say(panel, frame, f"{self._time[frame]:.2f} s")
        self._panels.append(panel)

    def pixels(self) -> Pixels:
        """Return the moments side by side: narrow ones in one row, others in rows of three."""
        if not self._panels:
            raise InputError("clip", "ends before the result begins", "give the clip that the result was found from")
        high, wide = self._panels[0].shape[:2]
        columns = min(len(self._panels), 6 if wide < 0.6 * high else 3)
        rows = -(-len(self._panels) // columns)
        whole = np.full((rows * (high + _GAP) - _GAP, columns * (wide + _GAP) - _GAP, 3), 255, dtype=np.uint8)
        for k, panel in enumerate(self._panels):
            y, x = (k // columns) * (high + _GAP), (k % columns) * (wide + _GAP)
            whole[y : y + high, x : x + wide] = panel
        return whole


def _cut(boxes: Sequence[tuple[int, int, int, int]], width: int, height: int) -> tuple[float, float]:
    """Width and height [pixel] of what is cut out: the person of every moment fits in."""
    if not boxes:
        return float(width), float(height)
    wide = max(right - left for left, _, right, _ in boxes) * (1.0 + 2.0 * _MARGIN)
    tall = max(bottom - top for _, top, _, bottom in boxes) * (1.0 + 2.0 * _MARGIN)
    wide, tall = max(wide, _NARROWEST * tall), max(tall, wide / _WIDEST)
    return min(wide, float(width)), min(tall, float(height))


def _centre(box: tuple[int, int, int, int]) -> tuple[float, float]:
    left, top, right, bottom = box
    return 0.5 * (left + right), 0.5 * (top + bottom)
