"""A picture of a clip in which several people are seen, with the names by which one of them is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from biopose_sim.viz.pixels import Pixels, font, resized, write_png

# Okabe & Ito 2008, "Color Universal Design"; with white letters.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#B0568A", "#8A6100", "#6A3D9A")
_LONGEST = 1280  # [pixel] of a side
_DARKER = 0.55  # brightness of what lies outside of all boxes


def people_picture(frame: Pixels, boxes: ArrayLike, keys: Sequence[str | int], path: str | Path) -> Path:
    """Write a frame of a clip with a box around each person and the name to choose them by.

    Args:
        frame: (H, W, 3) red, green, blue.
        boxes: (N, 4) x and y of the upper left corner, width and height [pixel of the frame]; parts outside of the
            frame are cut off, boxes with values that are no numbers are left out.
        keys: N names, as `--person` takes them.
        path: of the PNG.

    Raises:
        ValueError: counts that do not fit.
        InputError: the folder is missing or cannot be written to.
    """
    height, width = frame.shape[:2]
    places = np.asarray(boxes, dtype=float).reshape(-1, 4)
    if len(places) != len(keys):
        raise ValueError(f"{len(places)} boxes but {len(keys)} names")
    scale = min(1.0, _LONGEST / max(height, width))
    small = resized(frame, max(1, round(width * scale)), max(1, round(height * scale)))
    return write_png(path, _drawn(small, scale * places, [str(key) for key in keys]))


def _drawn(frame: Pixels, boxes: NDArray[np.float64], keys: Sequence[str]) -> Pixels:
    from PIL import Image, ImageDraw

    height, width = frame.shape[:2]
    shown = [k for k in range(len(keys)) if np.isfinite(boxes[k]).all()]
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    corners = np.clip(np.nan_to_num(corners), 0, [width - 1, height - 1] * 2).round().astype(int)
    bright = np.zeros((height, width, 1), dtype=bool)
    for left, top, right, bottom in corners[shown]:
        bright[top : bottom + 1, left : right + 1] = True
    picture = Image.fromarray(np.where(bright, frame, (_DARKER * frame).astype(np.uint8)))
    draw = ImageDraw.Draw(picture)
    size = max(14, round(max(height, width) / 36))
    letters = font(size, bold=True)
    badges: list[tuple[float, float, float, float]] = []
    for k in shown:
        colour, (left, top, right, bottom) = COLOURS[k % len(COLOURS)], corners[k].tolist()
        draw.rectangle((left, top, right, bottom), outline=colour, width=max(2, size // 7))
        _badge(draw, (left, top), keys[k], colour, letters, (width, height), badges)
    return np.asarray(picture)


def _badge(
    draw: Any,
    corner: tuple[int, int],
    key: str,
    colour: str,
    letters: Any,
    limits: tuple[int, int],
    taken: list[tuple[float, float, float, float]],
) -> None:
    """Write the name in the upper left corner of a box, inside of the picture and not over another name."""
    wide, tall = letters.getlength(key) + 0.8 * letters.size, 1.35 * letters.size
    x, y = (max(0.0, min(c, limit - side)) for c, limit, side in zip(corner, limits, (wide, tall)))
    while any(x < r and e < x + wide and y < b and t < y + tall for e, t, r, b in taken) and y + 2 * tall < limits[1]:
        y += tall
    taken.append((x, y, x + wide, y + tall))
    draw.rectangle((x, y, x + wide, y + tall), fill=colour)
    draw.text((x + 0.5 * wide, y + 0.5 * tall), key, fill="white", font=letters, anchor="mm")
