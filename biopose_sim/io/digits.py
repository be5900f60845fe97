"""Tables of numbers as fixed-point text, all cells at once: much faster than formatting cell by cell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_EXACT = 2.0**53
_ZERO, _POINT, _MINUS, _TAB, _LINE_FEED = (ord(c) for c in "0.-\t\n")


def fixed_point_text(groups: Sequence[tuple[np.ndarray, int]], nan: str = "nan") -> str:
    """Return a table as lines of tab-separated numbers, with a line feed after each line.

    Args:
        groups: blocks of columns side by side, each (T, W) with its number of decimals; 0 decimals write no
            point.
        nan: what NaN is written as: ``"nan"`` or ``""``.
    """
    if not all(_fits(values, decimals) for values, decimals in groups):
        return _by_cell(groups, nan)
    blocks = [_characters(values, decimals, nan) for values, decimals in groups]
    text = np.hstack([characters for characters, _ in blocks])
    keep = np.hstack([kept for _, kept in blocks])
    text[:, 0] = _LINE_FEED  # a separator leads each cell: the first of a line ends the line before
    return text[keep].tobytes().decode("ascii")[1:] + "\n"


def _fits(values: np.ndarray, decimals: int) -> bool:
    """Say whether every number is exact as an integer of its last decimal."""
    return not values.size or float(np.nanmax(np.abs(values), initial=0.0)) * 10.0**decimals < _EXACT


def _characters(values: np.ndarray, decimals: int, nan: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the characters of cells of fixed width, and which of them to keep; both (T, W * width).

    The field is: separator, sign, digits before the point, point, decimals.
    """
    missing = np.isnan(values)
    scaled = np.rint(np.abs(np.where(missing, 0.0, values)) * 10.0**decimals).astype(np.int64)
    n_digits = max(len(str(scaled.max(initial=0))), decimals + 1, 2)  # 2: room for "nan"
    point = 2 + n_digits - decimals
    width = 2 + n_digits + (decimals > 0)
    text = np.empty((*values.shape, width), dtype=np.uint8)
    keep = np.ones(text.shape, dtype=bool)
    text[..., 0], text[..., 1] = _TAB, _MINUS
    keep[..., 1] = (values < 0) & (scaled > 0)
    rest = scaled
    for place in range(n_digits):
        position = width - 1 - place - (decimals > 0 and place >= decimals)
        if place > decimals:
            keep[..., position] = rest > 0
        tenth = rest // 10
        text[..., position] = rest - 10 * tenth + _ZERO
        rest = tenth
    if decimals:
        text[..., point] = _POINT
    if missing.any():
        keep[missing, 1:] = False
        for offset, letter in enumerate(nan):
            text[missing, 1 + offset] = ord(letter)
            keep[missing, 1 + offset] = True
    return text.reshape(len(values), -1), keep.reshape(len(values), -1)


def _by_cell(groups: Sequence[tuple[np.ndarray, int]], nan: str) -> str:
    """Format with Python: for numbers too large for the fast way, and infinity."""
    forms = [f"%.{decimals}f" for values, decimals in groups for _ in range(values.shape[1])]
    form = "\t".join(forms)
    rows = np.hstack([values for values, _ in groups]).tolist()
    text = "\n".join([form % tuple(row) for row in rows]) + "\n"
    return text if nan == "nan" else text.replace("nan", nan)
