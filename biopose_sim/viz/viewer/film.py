"""Films of a scene (MP4) without a display."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biopose_sim.errors import InputError
from biopose_sim.io import atomic_path
from biopose_sim.viz.viewer.picture import Painter

EXTRA = 'install the viewer: pip install "biopose-sim[viewer]"'
# Each with its options; the first that the installed encoder library has is taken.
_CODECS: tuple[tuple[str, dict[str, str]], ...] = (
    ("libx264", {"crf": "18", "preset": "medium"}),
    ("libopenh264", {}),
    ("mpeg4", {"qscale": "3"}),
)


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
    try:
        import av
    except ImportError:
        raise InputError(path, "films need the package 'av'", EXTRA) from None
    if painter.width % 2 or painter.height % 2:
        raise InputError(path, f"a film of {painter.width}x{painter.height} pixels", "both must be even")
    with atomic_path(path) as temporary:
        try:
            with av.open(str(temporary), "w", format="mp4", options={"movflags": "faststart"}) as container:
                stream = _stream(container, rate, painter)
                for done, pixels in enumerate(_drawn(painter, moments, threads), start=1):
                    container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
                    if tell is not None:
                        tell(done)
                container.mux(stream.encode(None))
        except (av.FFmpegError, OSError) as error:
            raise InputError(path, f"cannot be written ({error})", "choose another place") from error
    return Path(path)


def _stream(container: Any, rate: float, painter: Painter) -> Any:
    from fractions import Fraction

    import av

    name, options = next((name, options) for name, options in _CODECS if name in av.codecs_available)
    stream = container.add_stream(name, rate=Fraction(rate).limit_denominator(1001), options=dict(options))
    stream.width, stream.height, stream.pix_fmt = painter.width, painter.height, "yuv420p"
    return stream


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
