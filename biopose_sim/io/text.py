"""Text files with a header and a block of numbers: opening, cutting into lines, reading the numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError

_MISSING = {
    "",
    "nan",
    "+nan",
    "-nan",
    "na",
    "n/a",
    "-nan(ind)",
    "nan(ind)",
    "1.#qnan",
    "-1.#ind",
    "null",
    "none",
}


@dataclass(frozen=True)
class NumberBlock:
    """Numbers of the lines of a file.

    Attributes:
        values: (R, W) one row per line that holds something; NaN where a cell is empty.
        lines: (R,) line number in the file, from 1.
        cells: (R,) how many cells the line has.
        beyond: whether some line holds something in a cell beyond W.
    """

    values: np.ndarray
    lines: np.ndarray
    cells: np.ndarray
    beyond: bool


def read_text_bytes(path: str | Path) -> bytes:
    """Return the content of a text file with line ends LF or CRLF and without byte-order mark.

    Raises:
        InputError: missing, a folder, not readable, empty, or not a text file.
    """
    data = read_bytes(path)
    if b"\0" in data:
        raise InputError(path, "is not a text file (it holds binary data)", "export it as plain text")
    if b"\r" in data and b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    return data.removeprefix(b"\xef\xbb\xbf")


def read_bytes(path: str | Path) -> bytes:
    """Return the content of a file.

    Raises:
        InputError: missing, a folder, not readable or empty.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(path, "file not found") from error
    except IsADirectoryError as error:
        raise InputError(path, "is a folder", "give the path of a file") from error
    except (OSError, ValueError) as error:
        raise InputError(path, f"cannot be read ({error})") from error
    if not data:
        raise InputError(path, "is empty")
    return data


def decode(line: bytes) -> str:
    """Return a header line as text: UTF-8, else Latin-1 (file names with accents in old exports)."""
    try:
        return line.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        return line.decode("latin-1").rstrip("\r\n")


def line_starts(data: bytes, count: int) -> list[int]:
    """Return where lines 0 to ``count`` begin (fewer if the data end before)."""
    starts = [0]
    while len(starts) <= count and (end := data.find(b"\n", starts[-1])) >= 0:
        starts.append(end + 1)
    return starts


def read_numbers(path: str | Path, data: bytes, start: int, width: int, *, tabs: bool) -> NumberBlock:
    """Read the numbers of ``data[start:]``; exact to the last bit.

    Args:
        path: named in errors.
        data: the whole file.
        start: where the first line of numbers begins.
        width: how many cells of each line are wanted.
        tabs: True if every tab starts a cell (TRC), False if any run of blanks separates cells (.sto, .mot).

    Raises:
        InputError: a cell is not a number; names its line and column.
    """
    from ._cells import read_cells

    block = np.frombuffer(data, dtype=np.uint8)[start:]
    count = data.count(b"\n", start) + 1
    table = np.full((count, width), np.nan)
    rows = np.empty((count, 3), dtype=np.int64)
    leftover = np.empty((count * width, 3), dtype=np.int64)
    n_rows, n_left = read_cells(block, tabs, table, rows, leftover)
    rows = rows[:n_rows]
    lines = rows[:, 0] + data.count(b"\n", 0, start) + 1
    flat = table.reshape(-1)
    for index, first, last in leftover[:n_left].tolist():
        row, column = divmod(index, width)
        flat[index] = _number(path, data[start + first : start + last], int(lines[row]), column)
    return NumberBlock(table[:n_rows], lines, rows[:, 1], bool(rows[:, 2].any()))


def _number(path: str | Path, cell: bytes, line: int, column: int) -> float:
    """Return one cell that the compiled reader left over."""
    word = decode(cell).strip()
    if word.lower() in _MISSING:
        return float("nan")
    try:
        if "_" not in word:
            return float(word)
    except ValueError:
        pass
    comma = word.replace(",", ".", 1).replace(".", "", 1).lstrip("+-").isdigit()
    remedy = "write decimals with a point, not a comma" if comma and "," in word else "write a number or leave a gap"
    raise InputError(path, f"line {line}, column {column + 1}: {word[:40]!r} is not a number", remedy)
