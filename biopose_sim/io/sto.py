"""OpenSim storage files (.sto, .mot): a header, then a table over time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import InputError, near_matches
from .atomic import atomic_write
from .notice import listed, warn
from .text import NumberBlock, decode, line_starts, read_numbers, read_text_bytes
from .trial import first_time_fault, repeated

MAX_HEADER_LINES = 500
_OLD_KEYS = {"datacolumns": "nColumns", "datarows": "nRows", "name": "name"}  # of SIMM motion files


@dataclass(frozen=True, eq=False)
class Table:
    """A table over time: forces, activations, joint moments, marker locations, ...

    Attributes:
        name: first header line, e.g. ``"Inverse Dynamics Generalized Forces"``.
        time: (T,) strictly increasing [s].
        names: n column names, without ``time``.
        data: (T, n), in the units of the file.
        in_degrees: what ``inDegrees`` of the header says; None if it is missing (OpenSim then reads radians).
        header: the ``key=value`` lines of the header.
        source: the file it came from, if any.
    """

    name: str
    time: np.ndarray
    names: tuple[str, ...]
    data: np.ndarray
    in_degrees: bool | None = None
    header: Mapping[str, str] = field(default_factory=dict)
    source: Path | None = None

    def index(self, name: str) -> int:
        """Return the index of a column.

        Raises:
            InputError: there is no such column; lists near names.
        """
        if name not in self.names:
            near = near_matches(name, self.names) or f"; it has {listed(self.names)}"
            raise InputError(self.source or f"table '{self.name}'", f"has no column '{name}'{near}")
        return self.names.index(name)

    def column(self, name: str) -> np.ndarray:
        """Return one column, (T,)."""
        return self.data[:, self.index(name)]

    def columns(self, names: Iterable[str]) -> np.ndarray:
        """Return several columns, (T, len(names))."""
        return self.data[:, [self.index(name) for name in names]]


def read_sto(path: str | Path, *, unique: bool = True) -> Table:
    """Read a .sto or .mot table as it stands: no unit is converted.

    Columns may be separated by tabs or spaces; the older header with ``datacolumns`` and ``datarows`` is
    read too.

    Args:
        path: the file.
        unique: False lets column names repeat, as old results of OpenSim have it.

    Raises:
        InputError: the file is missing or has no ``endheader``; a line has too few or too many cells or
            holds a word; ``nRows`` or ``nColumns`` is not what the file holds; columns repeat; time does not
            increase.
    """
    path = Path(path)
    data = read_text_bytes(path)
    name, header, labels_line = _read_header(path, data)
    starts = line_starts(data, labels_line + 1)
    labels = decode(data[starts[labels_line] : starts[-1] if len(starts) > labels_line + 1 else len(data)])
    names = _read_labels(path, labels, labels_line + 1, unique)
    if len(starts) <= labels_line + 1:
        raise InputError(path, "has no rows", "there must be lines of numbers after the column names")
    block = read_numbers(path, data, starts[labels_line + 1], len(names), tabs=False)
    _check_rows(path, block, len(names), header)
    time = block.values[:, 0].copy()
    _check_time(path, block, time)
    degrees = {"yes": True, "no": False}.get(header.get("inDegrees", "").strip().lower())
    return Table(name, time, names[1:], np.ascontiguousarray(block.values[:, 1:]), degrees, header, path)


def write_sto(path: str | Path, table: Table) -> Path:
    """Write a table in one step, with 12 significant digits; ``in_degrees`` None is written as ``no``.

    Other entries of ``table.header`` are not carried over.

    Raises:
        InputError: shapes that do not fit, repeated or blank names, time that does not increase, a path that
            cannot be written.
    """
    check_table(path, table.time, table.data, table.names)
    form = "%.8f" + "\t%.12g" * len(table.names)
    body = "\n".join([form % tuple(row) for row in np.column_stack([table.time, table.data]).tolist()]) + "\n"
    return write_storage(path, table.name, len(table.time), table.names, body, bool(table.in_degrees))


def write_storage(
    path: str | Path, name: str, n_rows: int, names: tuple[str, ...], body: str, in_degrees: bool
) -> Path:
    """Write lines of numbers below the header that OpenSim expects."""
    lines = [
        name.replace("\n", " ") or "table",
        "version=1",
        f"nRows={n_rows}",
        f"nColumns={len(names) + 1}",
        f"inDegrees={'yes' if in_degrees else 'no'}",
        "",
        "Units are S.I. units (second, meters, Newtons, ...)",
        "If the header above contains a line with 'inDegrees', this indicates whether rotational values "
        "are in degrees (yes) or radians (no).",
        "",
        "endheader",
        "\t".join(("time", *names)),
    ]
    return atomic_write(path, "\n".join(lines) + "\n" + body)


def check_table(where: str | Path, time: np.ndarray, data: np.ndarray, names: tuple[str, ...]) -> None:
    """Raise InputError unless time (T,), data (T, n) and n names make a table that OpenSim can read."""
    if time.ndim != 1 or not time.size or data.shape != (len(time), len(names)):
        text = f"time of shape {time.shape}, data of shape {data.shape} and {len(names)} names do not fit"
        raise InputError(where, text, "give (T,), (T, n) and n names")
    if twice := repeated(names):
        raise InputError(where, f"column {listed(twice)} occurs more than once")
    if bad := [n for n in names if not n or re.search(r"\s", n)]:
        raise InputError(where, f"column name {bad[0]!r} is blank or holds white space")
    fault = first_time_fault(time)
    if fault is not None:
        raise InputError(where, f"time does not increase at row {fault + 1} ({time[fault]:g} s)")


def _read_header(path: Path, data: bytes) -> tuple[str, dict[str, str], int]:
    """Return the name of the table, the header and the index of the line with the column names."""
    header: dict[str, str] = {}
    name = ""
    for index, raw in enumerate(data.split(b"\n", MAX_HEADER_LINES)[:MAX_HEADER_LINES]):
        line = decode(raw).strip()
        if line.lower() == "endheader":
            return name, header, _first_filled_line(path, data, index + 1)
        key, equals, value = line.partition("=")
        words = line.split()
        if equals:
            header[key.strip()] = value.strip()
        elif len(words) >= 2 and words[0].lower() in _OLD_KEYS:
            header.setdefault(_OLD_KEYS[words[0].lower()], " ".join(words[1:]))
            header.setdefault("SIMM", "yes")
        if index == 0:
            name = header.get("name", "" if equals else line)
    raise InputError(path, "has no line 'endheader'", "a .mot or .sto file has a header that ends with it")


def _first_filled_line(path: Path, data: bytes, index: int) -> int:
    for offset, raw in enumerate(data.split(b"\n")[index : index + 20]):
        if raw.strip():
            return index + offset
    raise InputError(path, "has no column names after 'endheader'")


def _read_labels(path: Path, line: str, number: int, unique: bool) -> tuple[str, ...]:
    if "\t" in line.strip():
        names = tuple(cell.strip() for cell in line.strip().split("\t"))
    else:
        names = tuple(line.split())
    if names[0].lower() != "time":
        raise InputError(path, f"line {number}: the first column is {names[0][:40]!r}", "it must be 'time'")
    if "" in names:
        raise InputError(path, f"line {number}: column {names.index('') + 1} has no name")
    if unique and (twice := repeated(names)):
        raise InputError(path, f"line {number}: column {listed(twice)} occurs more than once")
    return names


def _check_rows(path: Path, block: NumberBlock, width: int, header: Mapping[str, str]) -> None:
    if not len(block.values):
        raise InputError(path, "has no rows", "there must be lines of numbers after the column names")
    wrong = np.flatnonzero(block.cells != width)
    if wrong.size:
        line, cells = block.lines[wrong[0]], block.cells[wrong[0]]
        raise InputError(path, f"line {line} has {cells} cells, not {width} as the column names")
    for key, count in (("nRows", len(block.values)), ("nColumns", width)):
        stated = next((v for k, v in header.items() if k.lower() == key.lower()), None)
        text = f"the header says {key}={stated} but the file has {count}"
        if stated is None:
            warn(path, f"the header does not state {key}")
        elif stated != str(count) and "SIMM" in header:  # OpenSim's own examples have such files
            warn(path, text)
        elif stated != str(count):
            raise InputError(path, text, "was it cut short?")


def _check_time(path: Path, block: NumberBlock, time: np.ndarray) -> None:
    fault = first_time_fault(time)
    if fault is None:
        return
    line = int(block.lines[fault])
    if not np.isfinite(time[fault]):
        raise InputError(path, f"line {line}: the row has no time")
    steps = f"{time[fault]:g} s after {time[fault - 1]:g} s"
    raise InputError(path, f"time does not increase at row {fault + 1} (line {line}): {steps}")
