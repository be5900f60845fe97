"""Films of a scene (MP4) without a display."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from biopose_sim.errors import InputError
from biopose_sim.viz.film import write_pictures
from biopose_sim.viz.viewer.picture import Painter


def film_moments(
    painter: Painter, *, rate: float, speed: float, span: tuple[float, float] | None = None
) -> list[float]:
    """Return the moments of the scene's clock that a film shows [s].

    Args:
        painter: whose scene it is.
        rate: pictures a second.
        speed: 1 for real time, 0.25 for slow motion.
        span: first and last moment [s]; the whole recording if none.

    Raises:
        InputError: a span without a moment of the recording, or a rate or speed that is not positive.
    """
    if not (rate > 0.0 and speed > 0.0):
        raise InputError("view", f"{rate:g} pictures a second at speed {speed:g} make no film", "both must be positive")
    clock = painter.scene.time
    first, last = (float(clock[0]), float(clock[-1])) if span is None else span
    first, last = max(first, float(clock[0])), min(last, float(clock[-1]))
    if last < first:
        raise InputError(
            "view", "the span holds no moment", f"the recording lasts from {clock[0]:g} to {clock[-1]:g} s"
        )
    step = speed / rate
    return [first + step * k for k in range(int((last - first) / step + 1e-6) + 1)]


def write_film(
    path: str | Path,
    painter: Painter,
    moments: list[float],
    *,
    rate: float = 30.0,
    threads: int = 1,
    tell: Callable[[int], None] | None = None,
) -> Path:
    """Draw moments one after the other into an MP4 file (H.264), in one step.

    Args:
        path: of the film.
        painter: draws them.
        moments: see :func:`film_moments`.
        rate: pictures a second.
        threads: that draw.
        tell: called with the number of pictures that are done.

    Raises:
        InputError: no encoder is installed, sizes that are odd, or a path that cannot be written.
    """
    drawn = ((k / rate, pixels) for k, pixels in enumerate(_drawn(painter, moments, threads)))
    return write_pictures(path, drawn, rate=rate, tell=tell)


def _drawn(painter: Painter, moments: list[float], threads: int) -> Iterator[NDArray[np.uint8]]:
    """Pictures in their order, drawn a few ahead."""
    if threads <= 1:
        yield from (painter.image(moment) for moment in moments)
        return
    waiting: deque[Future[NDArray[np.uint8]]] = deque()
    with ThreadPoolExecutor(max_workers=threads) as pool:
        for moment in moments:
            waiting.append(pool.submit(painter.image, moment))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
