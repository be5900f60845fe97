"""Pictures as arrays of bytes (H, W, 3): letters for them, smaller ones, and their files."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
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
    """Return a picture in another size; each pixel of a smaller one is a mean over the area that it covers."""
    if pixels.shape[:2] == (height, width):
        return pixels
    from PIL import Image

    method = Image.Resampling.BOX if width < pixels.shape[1] else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(pixels).resize((width, height), method))


def to_png(pixels: Pixels) -> bytes:
    """Return a picture as a PNG."""
    from PIL import Image

    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, format="png", optimize=True)
    return buffer.getvalue()


def write_png(path: str | Path, pixels: Pixels) -> Path:
    """Write a picture in one step.

    Raises:
        InputError: the folder is missing or cannot be written to.
    """
    return atomic_write(path, to_png(pixels))
