"""Pictures as arrays of bytes (H, W, 3): letters for them, smaller ones, and their files."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from biopose_sim.io import atomic_write

Pixels = NDArray[np.uint8]


@lru_cache(maxsize=8)
def font(size: int, *, bold: bool = False) -> Any:
    """Return the font that comes with matplotlib: the same letters everywhere.

    Args:
        size: [pixel].
        bold: thick letters.
    """
    import matplotlib
    from PIL import ImageFont

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts", "ttf", name)), size)


def resized(pixels: Pixels, width: int, height: int) -> Pixels:
    """Return a picture in another size; each pixel of a smaller one is the mean over the area that it covers."""
    if pixels.shape[:2] == (height, width):
        return pixels
    if width <= pixels.shape[1] and height <= pixels.shape[0]:
        return np.asarray(_shrunk(np.ascontiguousarray(pixels), width, height))
    from PIL import Image

    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC))


@njit(cache=True, nogil=True, error_model="numpy")
def _shrunk(pixels, width, height):
    rows, columns = pixels.shape[0], pixels.shape[1]
    down, across = rows / height, columns / width
    line = np.empty((columns, 3), dtype=np.float32)
    out = np.empty((height, width, 3), dtype=np.uint8)
    for y in range(height):
        line[:] = 0.0
        for j in range(int(y * down), min(rows, int(np.ceil((y + 1) * down)))):
            share = np.float32((min(j + 1.0, (y + 1) * down) - max(float(j), y * down)) / down)
            for i in range(columns):
                for k in range(3):
                    line[i, k] += share * pixels[j, i, k]
        for x in range(width):
            red, green, blue = np.float32(0.5), np.float32(0.5), np.float32(0.5)
            for i in range(int(x * across), min(columns, int(np.ceil((x + 1) * across)))):
                share = np.float32((min(i + 1.0, (x + 1) * across) - max(float(i), x * across)) / across)
                red += share * line[i, 0]
                green += share * line[i, 1]
                blue += share * line[i, 2]
            out[y, x, 0], out[y, x, 1], out[y, x, 2] = np.uint8(red), np.uint8(green), np.uint8(blue)
    return out


def to_png(pixels: Pixels) -> bytes:
    """Return a picture as a PNG."""
    from PIL import Image

    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, format="png")
    return buffer.getvalue()


def to_jpeg(pixels: Pixels) -> bytes:
    """Return a picture as a JPEG: of a photograph an eighth of a PNG."""
    from PIL import Image

    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, format="jpeg", quality=85)
    return buffer.getvalue()


def smaller_file(data: bytes, longest: int) -> bytes:
    """Return a picture's file (PNG or JPEG) as a JPEG of at most ``longest`` pixels each way."""
    from PIL import Image

    with Image.open(BytesIO(data)) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    scale = min(1.0, longest / max(pixels.shape[:2]))
    return to_jpeg(resized(pixels, round(pixels.shape[1] * scale), round(pixels.shape[0] * scale)))


def write_png(path: str | Path, pixels: Pixels) -> Path:
    """Write a picture in one step.

    Raises:
        InputError: the folder is missing or cannot be written to.
    """
    return atomic_write(path, to_png(pixels))
