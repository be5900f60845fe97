"""Small videos for tests, written with PyAV."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

# Rows of the display matrix of MP4 for pictures that must be turned clockwise by so many degrees.
TURNS = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}


def write_clip(
    path: Path,
    pictures: Iterable[np.ndarray],
    *,
    fps: int = 30,
    codec: str = "libx264",
    times: Sequence[int] | None = None,
    metadata: dict[str, str] | None = None,
    options: dict[str, str] | None = None,
    pixel_aspect: Fraction | None = None,
) -> Path:
    """Encode pictures (H, W, 3); ``times`` are in units of 1 / (100 fps) s."""
    tick = 1 if times is None else 100
    # faststart: the index comes first, as phones and web sites have it.
    container_options = {"movflags": "faststart+use_metadata_tags"} if path.suffix in {".mp4", ".mov"} else {}
    with av.open(str(path), "w", options=container_options) as container:
        container.metadata.update(metadata or {})
        stream = None
        for number, picture in enumerate(pictures):
            if stream is None:
                stream = container.add_stream(codec, rate=fps, options={"g": "12", "crf": "12", **(options or {})})
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.codec_context.time_base = Fraction(1, tick * fps)
                if pixel_aspect:
                    stream.codec_context.sample_aspect_ratio = pixel_aspect
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts = number if times is None else times[number]
            frame.time_base = Fraction(1, tick * fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def counting(count: int, height: int = 64, width: int = 96) -> list[np.ndarray]:
    """Grey pictures, each brighter than the last by 4; `number_of` tells which one it is."""
    return [np.full((height, width, 3), 20 + 4 * number, dtype=np.uint8) for number in range(count)]


def number_of(picture: np.ndarray) -> int:
    """Which of the pictures of `counting` it is."""
    return round((float(picture.mean()) - 20.0) / 4.0)


def set_display_matrix(path: Path, turn: Sequence[int]) -> Path:
    """Write a, b, c, d of the display matrix into the track header of an MP4 file, as phones do."""
    data = bytearray(path.read_bytes())
    a, b, c, d = (65536 * value for value in turn)
    start = data.index(b"tkhd") + 44
    data[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path
