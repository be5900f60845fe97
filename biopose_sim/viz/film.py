"""Films (MP4, H.264) from pictures, as browsers play them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

from biopose_sim.errors import InputError
from biopose_sim.io import atomic_path
from biopose_sim.viz.pixels import Pixels

EXTRA = 'install the viewer: pip install "biopose-sim[viewer]"'
# Each with its options, for drawings and for pictures of a camera; the first that the installed encoder library has is
# taken.
_CODECS: tuple[tuple[str, dict[str, str], dict[str, str]], ...] = (
    ("libx264", {"crf": "18", "preset": "medium"}, {"crf": "22", "preset": "veryfast"}),
    ("libopenh264", {}, {}),
    ("mpeg4", {"qscale": "3"}, {"qscale": "4"}),
)
_CLOCK = 90_000  # [1/s]: the usual rates (24, 25, 29.97, 30, 50, 60, 100, 120) are whole numbers of its ticks


def write_pictures(
    path: str | Path,
    pictures: Iterable[tuple[float, Pixels]],
    *,
    rate: float,
    camera: bool = False,
    tell: Callable[[int], None] | None = None,
) -> Path:
    """Write pictures into an MP4 file that starts to play before all of it is there, in one step.

    Args:
        path: of the film.
        pictures: moment [s] and pixels (H, W, 3) of each, moments rising, at whatever distances: the film keeps them,
            and begins with the first. All of one size, even both ways.
        rate: pictures a second, about.
        camera: whether they show a camera's pictures, which need more of the encoder's time than drawings: it is told
            to hurry.
        tell: called with the number of pictures that are done.

    Raises:
        InputError: no encoder is installed, no picture, sizes that are odd, or a path that cannot be written.
    """
    try:
        import av
    except ImportError:
        raise InputError(path, "films need the package 'av'", EXTRA) from None
    source = iter(pictures)
    first = next(source, None)
    if first is None:
        raise InputError(path, "there is no picture for a film")
    start, (height, width) = first[0], first[1].shape[:2]
    if width % 2 or height % 2:
        raise InputError(path, f"a film of {width}x{height} pixels", "both must be even")
    with atomic_path(path) as temporary:
        try:
            with av.open(str(temporary.absolute()), "w", format="mp4", options={"movflags": "faststart"}) as container:
                stream = _stream(container, rate, width, height, camera)
                for done, (moment, pixels) in enumerate(chain([first], source), start=1):
                    frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                    frame.pts, frame.time_base = round(_CLOCK * (moment - start)), Fraction(1, _CLOCK)
                    container.mux(stream.encode(frame))
                    if tell is not None:
                        tell(done)
                container.mux(stream.encode(None))
        except (av.FFmpegError, OSError) as error:
            raise InputError(path, f"cannot be written ({error})", "choose another place") from error
    return Path(path)


def _stream(container: Any, rate: float, width: int, height: int, camera: bool) -> Any:
    import av

    codec = next((row for row in _CODECS if row[0] in av.codecs_available), None)
    if codec is None:
        raise InputError("films", "the package 'av' has no encoder for MP4 (H.264 or MPEG-4)", EXTRA)
    name, drawn, seen = codec
    options = dict(seen if camera else drawn)
    stream = container.add_stream(name, rate=Fraction(rate).limit_denominator(1001), options=options)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.codec_context.time_base = Fraction(1, _CLOCK)
    return stream
