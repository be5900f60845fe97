"""TRC files: header, marker names and rows, read tolerantly and checked alone.

Rules are those of OpenSim's ``TRCFileAdapter`` (inverse kinematics) and ``MarkerData`` (scaling).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from biopose_sim.check.finding import Finding, few, finding
from biopose_sim.check.rawrows import Rows, blank_names, check_time, read_rows, separator_of, twice
from biopose_sim.check.textfile import read_text
from biopose_sim.io.trc import HEADER_KEYS, METRES_PER_UNIT

_RATE_SLACK = 0.1


@dataclass
class TrcFile:
    """A .trc file.

    Attributes:
        path: of the file.
        values: of the header's keys, as written.
        names: of the markers.
        rows: the lines of numbers, frame and time among them.
        always_zero: markers that are (0, 0, 0) in every frame.
        findings: what is wrong with it alone.
    """

    path: Path
    first_line: str = ""
    values: dict[str, str] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    rows: Rows | None = None
    always_zero: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def readable(self) -> bool:
        """Whether there are markers to look at."""
        return self.rows is not None and len(self.rows.values) > 0 and bool(self.names)

    @property
    def time(self) -> np.ndarray:
        """(T,) [s]."""
        assert self.rows is not None
        return self.rows.values[:, 1]

    @property
    def metres_per_unit(self) -> float | None:
        """What the header says; None where the unit is unknown."""
        return METRES_PER_UNIT.get(self.values.get("Units", "").lower())

    @property
    def raw_markers(self) -> np.ndarray:
        """(T, M, 3) in the unit of the file; NaN and exact zeros are gaps."""
        assert self.rows is not None
        count = len(self.names)
        points = self.rows.values[:, 2 : 2 + 3 * count].reshape(len(self.rows.values), count, 3).copy()
        points[~np.isfinite(points).all(axis=2) | ~np.nan_to_num(points, nan=1.0).any(axis=2)] = np.nan
        return points


def read_trc_file(path: Path) -> TrcFile:
    """Read and check a TRC file.

    Raises:
        InputError: it is not there or cannot be read.
    """
    text = read_text(path)
    file = TrcFile(path, findings=text.findings)
    lines = text.text.split("\n") if text.text else []
    if not lines:
        return file
    file.first_line = lines[0]
    if not lines[0].strip().startswith("PathFileType"):
        file.findings.append(finding("T01", path, f"the first line is {lines[0][:40]!r}", "line 1"))
    keys_at = next((i for i, line in enumerate(lines[:6]) if "datarate" in line.lower().split("orig")[0]), None)
    names_at = next((i for i, line in enumerate(lines[:10]) if line.strip().lower().startswith("frame#")), None)
    if keys_at is None or names_at is None or keys_at + 1 >= names_at:
        missing = "the line of keys (DataRate ...)" if keys_at is None else "the line 'Frame#, Time, markers'"
        file.findings.append(finding("T02", path, f"{missing} is not found", fixable=False))
        return file
    _read_keys(file, lines[keys_at], lines[keys_at + 1], keys_at + 1)
    _read_names(file, lines[names_at], names_at + 1)
    axes_at = _check_axes(file, lines, names_at + 1)
    numbered = [(i + 1, line) for i, line in enumerate(lines[axes_at:], axes_at) if line.strip()]
    separator = separator_of(lines[names_at])
    if separator != "\t":
        file.findings.append(finding("D07", path, f"columns are separated by {separator!r}", f"line {names_at + 1}"))
    width = 2 + 3 * len(file.names)
    file.rows = read_rows(path, [(n, _filled(line, width)) for n, line in numbered], separator, width, file.findings)
    if file.readable:
        file.findings += check_time(path, file.time, file.rows.lines)
        _check_counts(file)
        _check_gaps(file)
    return file


def _filled(line: str, width: int) -> str:
    """The line with its empty last cells: exporters and editors drop tabs at the end of a line."""
    missing = width - 1 - line.count("\t")
    return line + "\t" * missing if 0 < missing <= 3 and line.endswith("\t") else line


def _read_keys(file: TrcFile, keys_line: str, values_line: str, line: int) -> None:
    keys, values = keys_line.split(), values_line.split()
    if ";" in keys_line or "," in keys_line:
        keys, values = re.split(r"[;,\s]+", keys_line.strip()), re.split(r"[;,\s]+", values_line.strip())
    known = {key.lower(): key for key in HEADER_KEYS}
    file.values = {known.get(key.lower(), key): value for key, value in zip(keys, values)}
    where = f"line {line}"
    if tuple(keys) != HEADER_KEYS:
        absent = [key for key in HEADER_KEYS if key not in keys]
        message = f"keys are missing or misspelt: {few(absent)}" if absent else "the keys are not in their order"
        file.findings.append(finding("T02", file.path, message, where))
    elif len(values) < len(keys):
        file.findings.append(finding("T02", file.path, f"{len(values)} values for {len(keys)} keys", where))
    units = file.values.get("Units", "")
    if units.lower() not in METRES_PER_UNIT and "Units" in file.values:
        file.findings.append(finding("T06", file.path, f"Units is {units!r}", where))


def _read_names(file: TrcFile, line: str, number: int) -> None:
    separator = separator_of(line)
    cells = [cell.strip() for cell in (line.split(separator) if separator != " " else line.split())][2:]
    file.names = [cell for cell in cells if cell]
    if again := twice(file.names):
        file.findings.append(finding("T09", file.path, few(again), f"line {number}"))
    file.findings += blank_names(file.path, file.names, "markers")
    if not file.names:
        file.findings.append(finding("T04", file.path, "no marker is named", f"line {number}", fixable=False))


def _check_axes(file: TrcFile, lines: list[str], index: int) -> int:
    """Check the line X1 Y1 Z1 ...; the index of the line after it."""
    cells = re.split(r"[;,\s]+", lines[index].strip()) if index < len(lines) else []
    wanted = [f"{axis}{i + 1}" for i in range(len(file.names)) for axis in "XYZ"]
    if cells[: len(wanted)] != wanted:
        wrong = next((w for w, c in zip(wanted, [*cells, *[""] * len(wanted)]) if w != c), "")
        message = f"{wrong} is missing" if cells != [""] else "the line of axes is missing"
        file.findings.append(finding("T05", file.path, message, f"line {index + 1}"))
    return index + 1 if (cells and cells[0][:1].upper() == "X") or cells == [""] else index


def _check_counts(file: TrcFile) -> None:
    assert file.rows is not None
    counts = (("T03", "NumFrames", len(file.rows.values)), ("T04", "NumMarkers", len(file.names)))
    for code, key, count in counts:
        stated = _float(file.values.get(key, ""))
        if stated != count and key in file.values:
            message = f"the header says {key} {file.values[key]}, but there are {count}"
            few_rows = code == "T03" and stated is not None and stated > count
            file.findings.append(finding(code, file.path, message, key, severity="note" if few_rows else None))
    rate, time = _float(file.values.get("DataRate", "")), file.time
    if len(time) > 2 and np.isfinite(time).all() and time[-1] > time[0]:
        true = (len(time) - 1) / (time[-1] - time[0])
        if rate is None or abs(true - rate) > _RATE_SLACK * true:
            message = f"DataRate says {file.values.get('DataRate', 'nothing')}, the times say {true:.4g} Hz"
            file.findings.append(finding("T08", file.path, message, "DataRate"))


def _float(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


def _check_gaps(file: TrcFile) -> None:
    assert file.rows is not None
    shape = (len(file.rows.values), len(file.names), 3)
    points = file.rows.values[:, 2:].reshape(shape)
    zeros = (points == 0.0).all(axis=2)
    file.always_zero = [file.names[i] for i in np.flatnonzero(zeros.all(axis=0))]
    zeros &= ~zeros.all(axis=0)
    if zeros.any():
        names = [file.names[i] for i in np.flatnonzero(zeros.any(axis=0))]
        file.findings.append(finding("T11", file.path, f"{int(zeros.sum())} times, of {few(names)}"))
    missing = ~np.isfinite(points).all(axis=2)
    never = [file.names[i] for i in np.flatnonzero(missing.all(axis=0))]
    gone = missing | (points == 0.0).all(axis=2)
    if never or file.always_zero:
        file.findings.append(finding("T10", file.path, few(never + file.always_zero), severity="note"))
    partly = gone.any(axis=0) & ~gone.all(axis=0)
    if partly.any():
        shares = gone.mean(axis=0)
        names = [f"{file.names[i]} ({100 * shares[i]:.0f} %)" for i in np.argsort(-shares) if partly[i]]
        file.findings.append(finding("T15", file.path, few(names)))
