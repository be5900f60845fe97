"""Smooth lines and dots on pictures of bytes: compiled, a few microseconds each."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from biopose_sim.viz.pixels import Pixels


def draw_strokes(
    picture: Pixels, starts: ArrayLike, ends: ArrayLike, radius: float, colours: ArrayLike, opacity: float = 1.0
) -> None:
    """Draw lines with round ends into a picture; a line without length is a dot.

    Args:
        picture: (H, W, 3), changed.
        starts: (N, 2) across and down, the middle of the first pixel at (0.5, 0.5); lines with an end that is not
            finite are left out, parts outside of the picture are cut off.
        ends: (N, 2).
        radius: half the width of the lines [pixel].
        colours: (N, 3) or (3,) red, green, blue from 0 to 255.
        opacity: 0 to 1.
    """
    begin, end = (np.asarray(points, dtype=np.float64).reshape(-1, 2) for points in (starts, ends))
    paint = np.ascontiguousarray(np.broadcast_to(np.asarray(colours, dtype=np.float64), (len(begin), 3)))
    _draw(picture, np.ascontiguousarray(begin), np.ascontiguousarray(end), float(radius), paint, float(opacity))


def draw_dots(picture: Pixels, places: ArrayLike, radius: float, colours: ArrayLike, opacity: float = 1.0) -> None:
    """Draw dots at (N, 2) into a picture; see :func:`draw_strokes`."""
    draw_strokes(picture, places, places, radius, colours, opacity)


@njit(cache=True, nogil=True, error_model="numpy")
def _draw(picture, starts, ends, radius, colours, opacity):
    height, width = picture.shape[0], picture.shape[1]
    far = 4.0 * (height + width)
    for n in range(starts.shape[0]):
        x0, y0, x1, y1 = starts[n, 0], starts[n, 1], ends[n, 0], ends[n, 1]
        if not (abs(x0) < far and abs(y0) < far and abs(x1) < far and abs(y1) < far):
            continue
        reach = radius + 1.0
        left, right = max(0, int(min(x0, x1) - reach)), min(width - 1, int(max(x0, x1) + reach))
        top, bottom = max(0, int(min(y0, y1) - reach)), min(height - 1, int(max(y0, y1) + reach))
        dx, dy = x1 - x0, y1 - y0
        length = dx * dx + dy * dy
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                px, py = x + 0.5 - x0, y + 0.5 - y0
                along = min(1.0, max(0.0, (px * dx + py * dy) / length)) if length > 0.0 else 0.0
                away = np.sqrt((px - along * dx) ** 2 + (py - along * dy) ** 2)
                share = opacity * min(1.0, max(0.0, radius + 0.5 - away))
                if share > 0.0:
                    for k in range(3):
                        mixed = (1.0 - share) * picture[y, x, k] + share * colours[n, k]
                        picture[y, x, k] = np.uint8(mixed + 0.5)
