"""Compiled reader of a block of numbers in text; imported only when a file is read (numba is heavy).

A decimal of up to 2**53 with a power of ten up to 22 is exact in one multiplication or division, so that
almost every cell of a recording is read here, correctly rounded. What is left over (long mantissas, words)
is listed for the caller, who asks Python's ``float``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

TAB, LINE_FEED, RETURN, SPACE = 9, 10, 13, 32
PLUS, MINUS, POINT, ZERO, NINE, LETTER_E, LETTER_A, LETTER_N = 43, 45, 46, 48, 57, 101, 97, 110
LOWER = 32  # the bit that turns an ASCII capital into a small letter
MAX_EXACT = 2**53
MAX_DIGITS = 18  # that 64 bits hold
POWERS = 10.0 ** np.arange(23)


def _compiled(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile and keep on disk; where no folder for the cache is writable, compile for this process only."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        try:
            return numba.njit(cache=True, nogil=True, **options)(function)
        except RuntimeError:
            return numba.njit(nogil=True, **options)(function)

    return decorate


@_compiled(inline="always")
def _skip_blanks(text, i, tabs):
    """Return the first index from ``i`` that is no blank; a tab is one unless it separates cells."""
    while i < text.size and (text[i] == SPACE or text[i] == RETURN or (not tabs and text[i] == TAB)):
        i += 1
    return i


@_compiled()
def _scan_exponent(text, i):
    """Return the index after the exponent whose E is at ``i``, and the exponent; ``(i, 0)`` if none."""
    j = i + 1
    down = j < text.size and text[j] == MINUS
    if down or (j < text.size and text[j] == PLUS):
        j += 1
    exponent, first = 0, j
    while j < text.size and ZERO <= text[j] <= NINE:
        exponent = min(exponent * 10 + (text[j] - ZERO), 1000)
        j += 1
    return (j, -exponent if down else exponent) if j > first else (i, 0)


@_compiled(inline="always")
def _scan_digits(text, i, mantissa):
    """Return the index after the digits at ``i``, and ``mantissa`` with them appended."""
    while i < text.size:
        digit = np.int64(text[i]) - ZERO
        if digit < 0 or digit > 9:
            break
        mantissa = mantissa * 10 + digit
        i += 1
    return i, mantissa


@_compiled(inline="always")
def _scan_number(text, i):
    """Return the index after the number at ``i``, its value, and whether the value is exact."""
    negative = i < text.size and text[i] == MINUS
    if negative or (i < text.size and text[i] == PLUS):
        i += 1
    first = i
    i, mantissa = _scan_digits(text, i, 0)
    digits, decimals = i - first, 0
    if i < text.size and text[i] == POINT:
        first = i + 1
        i, mantissa = _scan_digits(text, first, mantissa)
        decimals = i - first
    digits += decimals
    power = -decimals
    if digits > 0 and i < text.size and text[i] | LOWER == LETTER_E:
        i, exponent = _scan_exponent(text, i)
        power += exponent
    exact = 0 < digits <= MAX_DIGITS and mantissa <= MAX_EXACT and abs(power) < POWERS.size
    value = 0.0
    if exact:
        value = mantissa * POWERS[power] if power >= 0 else mantissa / POWERS[-power]
    return i, -value if negative else value, exact


@_compiled(inline="always")
def _ends_cell(text, i, tabs):
    """Say whether a cell ends before index ``i``."""
    if i >= text.size or text[i] == LINE_FEED or text[i] == TAB:
        return True
    return not tabs and (text[i] == SPACE or text[i] == RETURN)


@_compiled(inline="always")
def _is_nan(text, start, end):
    return (
        end - start == 3
        and text[start] | LOWER == LETTER_N
        and text[start + 1] | LOWER == LETTER_A
        and text[start + 2] | LOWER == LETTER_N
    )


@_compiled()
def read_cells(text, tabs, table, rows, leftover):
    """Read lines of numbers into a table.

    Args:
        text: (n,) uint8, the block of text.
        tabs: True if every tab starts a new cell (empty cells count), False if any run of blanks separates
            cells.
        table: (R, W) float64 of NaN, filled with the numbers; empty cells and ``nan`` stay NaN.
        rows: (R, 3) int64, filled with: line index in the block, number of cells, 1 if a cell beyond W holds
            something.
        leftover: (R * W, 3) int64, filled with: flat index in ``table``, start and end of cells to be read
            elsewhere.

    Returns:
        The numbers of rows (lines that hold nothing are passed over) and of leftover cells.
    """
    width = table.shape[1]
    i = row = line = left = 0
    while i < text.size:
        column = filled = beyond = 0
        while True:
            start = _skip_blanks(text, i, tabs)
            i, value, exact = _scan_number(text, start)
            i = _skip_blanks(text, i, True) if tabs else i
            if not _ends_cell(text, i, tabs):
                exact = False
                while not _ends_cell(text, i, tabs):
                    i += 1
            if i > start:
                filled += 1
                if column >= width:
                    beyond = 1
                elif exact:
                    table[row, column] = value
                elif not _is_nan(text, start, i):
                    leftover[left, 0] = row * width + column
                    leftover[left, 1] = start
                    leftover[left, 2] = i
                    left += 1
            column += tabs or i > start
            i = i if tabs else _skip_blanks(text, i, False)
            if i >= text.size or text[i] == LINE_FEED:
                break
            i += tabs
        i += 1
        if filled > 0:
            rows[row, 0] = line
            rows[row, 1] = column
            rows[row, 2] = beyond
            row += 1
        line += 1
    return row, left
