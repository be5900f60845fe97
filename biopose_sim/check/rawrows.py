"""Rows of numbers as they stand in a file, read on after every fault."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from biopose_sim.check.codes import Severity
from biopose_sim.check.finding import Finding, few, finding

_COMMA = re.compile(r"^\s*[-+]?\d+,\d+([eE][-+]?\d+)?\s*$")
_GAPS = {"": "nan", "na": "nan", "n/a": "nan", "null": "nan", "none": "nan", "-nan(ind)": "nan", "nan(ind)": "nan"}
_SAME = 1e-12  # [s]
MOST_UNEVEN = 0.5  # of a step; the times of OpenSim's own examples are rounded to ms


@dataclass
class Rows:
    """Lines of numbers.

    Attributes:
        cells: of each line that holds something.
        lines: its number in the file, from 1.
        values: (R, W) float; NaN where a cell is empty or no number; lines that are too short are filled with NaN.
        separator: of the cells: tab, comma, semicolon, or blank.
    """

    cells: list[list[str]]
    lines: list[int]
    values: np.ndarray
    separator: str


def separator_of(labels: str) -> str:
    """What separates the names of columns."""
    stripped = labels.strip()
    return next((mark for mark in ("\t", ";", ",") if mark in stripped), " ")


def split_row(line: str, separator: str, width: int) -> list[str]:
    """Cells of a line; blanks separate them too where that gives the wanted number."""
    if separator in (",", ";"):
        return [cell.strip() for cell in line.strip().rstrip(separator).split(separator)]
    cells = line.split()
    if len(cells) == width or "\t" not in line:
        return cells
    by_tabs = [cell.strip() for cell in line.split("\t")]
    while len(by_tabs) > width and not by_tabs[-1]:
        by_tabs.pop()
    return by_tabs


def read_rows(path: Path, numbered: list[tuple[int, str]], separator: str, width: int, found: list[Finding]) -> Rows:
    """Read numbered lines into cells and numbers, and note cells and rows that are faulty."""
    cells = [split_row(line, separator, width) for _, line in numbered]
    lines = [number for number, _ in numbered]
    if cells and len(cells[-1]) < width and len(cells) > 1 and len(cells[-2]) == width:
        message = f"the last row has {len(cells[-1])} of {width} cells"
        found.append(finding("D09", path, message, f"line {lines[-1]}"))
        cells.pop(), lines.pop()
    wrong = [i for i, row in enumerate(cells) if len(row) != width]
    if wrong:
        places = f"line {lines[wrong[0]]}" + (f" and {len(wrong) - 1} more" if len(wrong) > 1 else "")
        found.append(finding("D08", path, f"{len(cells[wrong[0]])} cells, not {width} as the column names", places))
        cells = [(row + [""] * width)[:width] for row in cells]
    return Rows(cells, lines, _numbers(path, cells, lines, width, found), separator)


def _numbers(path: Path, cells: list[list[str]], lines: list[int], width: int, found: list[Finding]) -> np.ndarray:
    if not cells:
        found.append(finding("D10", path, "there are no rows of numbers"))
        return np.empty((0, width))
    try:
        return np.array([[c or "nan" for c in row] for row in cells], dtype=np.float64)
    except ValueError:
        pass
    values = np.full((len(cells), width), np.nan)
    words: list[str] = []
    commas = 0
    for i, row in enumerate(cells):
        for j, cell in enumerate(row):
            value, kind = _number(cell)
            values[i, j] = value
            commas += kind == "comma"
            if kind == "word":
                words.append(f"line {lines[i]}, column {j + 1}: {cell[:30]!r}")
    if commas:
        found.append(finding("D06", path, f"{commas} numbers have a comma instead of a point"))
    if words:
        place, _, word = words[0].partition(": ")
        message = f"{word} is not a number" + (f"; so are {len(words) - 1} more cells" if len(words) > 1 else "")
        found.append(finding("D05", path, message, place))
    return values


def _number(cell: str) -> tuple[float, str]:
    word = _GAPS.get(cell.lower(), cell)
    try:
        return float(word), ""
    except ValueError:
        if _COMMA.match(word):
            return float(word.replace(",", ".")), "comma"
        return float("nan"), "word"


def twice(names: list[str]) -> list[str]:
    """Names that occur more than once."""
    return [name for name, count in Counter(names).items() if count > 1 and name]


def check_time(path: Path, time: np.ndarray, lines: list[int]) -> list[Finding]:
    """What is wrong with the times (R,) [s] of a table."""
    missing = np.flatnonzero(~np.isfinite(time))
    if missing.size:
        return [finding("D05", path, "a row without time", f"line {lines[missing[0]]}")]
    if len(time) < 2:
        return []
    steps = np.diff(time)
    same = np.flatnonzero(np.abs(steps) <= _SAME)
    back = np.flatnonzero(steps < -_SAME)
    result = []
    if back.size:
        k = int(back[0]) + 1
        text = f"{time[k]:g} s comes after {time[k - 1]:g} s"
        result.append(finding("D01", path, text + _more(back.size), f"line {lines[k]}"))
    if same.size:
        k = int(same[0]) + 1
        # Of a .mot OpenSim keeps the last of such rows, a .trc it refuses.
        severity: Severity = "error" if path.suffix.lower() == ".trc" else "warning"
        text = f"{time[k]:g} s occurs twice" + _more(same.size)
        result.append(finding("D02", path, text, f"line {lines[k]}", severity=severity))
    if back.size or same.size:
        return result
    return _check_steps(path, time, steps, lines)


def _check_steps(path: Path, time: np.ndarray, steps: np.ndarray, lines: list[int]) -> list[Finding]:
    usual = float(np.median(steps))
    if usual > 0.9 and len(time) > 3:
        whole = np.allclose(time, np.round(time))
        guess = "numbers of frames" if whole and abs(usual - 1.0) < 1e-6 else "milliseconds"
        return [finding("D04", path, f"the rows are {usual:g} s apart: are these {guess}?", "time")]
    uneven = np.flatnonzero(np.abs(steps - usual) > MOST_UNEVEN * usual)
    if not uneven.size:
        return []
    k = int(uneven[0])
    text = f"a step of {steps[k]:.4g} s where others are {usual:.4g} s" + _more(uneven.size)
    # Many uneven steps are an integrator's choice; few are frames that are lost.
    lost = uneven.size <= 0.05 * len(steps) + 1 and path.suffix.lower() != ".sto"
    severity: Severity = "warning" if lost else "note"
    return [finding("D03", path, text, f"line {lines[k + 1]}", severity=severity)]


def _more(count: int) -> str:
    return f" (and {count - 1} more)" if count > 1 else ""


def blank_names(path: Path, names: list[str], kind: str) -> list[Finding]:
    """A finding where names hold blanks."""
    blank = [name for name in names if any(c.isspace() for c in name)]
    return [finding("D11", path, f"{kind} {few([repr(n) for n in blank])}")] if blank else []
