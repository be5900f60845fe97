"""Storage files (.mot, .sto): header, column names and rows, read tolerantly and checked alone.

Rules are those of OpenSim's ``Storage`` (version 1 and none) and ``DelimFileAdapter`` (later versions).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from biopose_sim.check.codes import Severity
from biopose_sim.check.finding import Finding, few, finding
from biopose_sim.check.rawrows import Rows, blank_names, check_time, read_rows, separator_of, twice
from biopose_sim.check.textfile import read_text

_ROW_KEYS, _COLUMN_KEYS = ("nRows", "nr", "datarows"), ("nColumns", "nc", "datacolumns")
_NO_COLUMN_NEEDS_COUNT = 2  # from this version on OpenSim counts rows itself


@dataclass
class StorageFile:
    """A .mot or .sto file.

    Attributes:
        path: of the file.
        name: its first line.
        header: keys and values, as written.
        header_lines: the lines before ``endheader``.
        labels: column names, ``time`` among them.
        rows: what is below.
        findings: what is wrong with it alone.
    """

    path: Path
    name: str = ""
    header: dict[str, str] = field(default_factory=dict)
    header_lines: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    rows: Rows | None = None
    findings: list[Finding] = field(default_factory=list)

    @property
    def readable(self) -> bool:
        """Whether there are numbers to look at."""
        return self.rows is not None and len(self.rows.values) > 0 and bool(self.labels)

    @property
    def time(self) -> np.ndarray:
        """(R,) [s] the first column."""
        assert self.rows is not None
        return self.rows.values[:, 0]

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """The columns by name, (R,) each, without time; of columns of one name the first."""
        assert self.rows is not None
        found: dict[str, np.ndarray] = {}
        for i, label in enumerate(self.labels[1:], 1):
            found.setdefault(label, self.rows.values[:, i])
        return found

    @property
    def version(self) -> int:
        """Of the header; 0 where it says none."""
        word = self.header.get("version", "0").strip()
        return int(word) if word.isdigit() else 0

    @property
    def in_degrees(self) -> bool:
        """Whether OpenSim takes the angles for degrees."""
        if self.version < 1 and self.path.suffix.lower() == ".mot":
            return True
        return self.header.get("inDegrees", "").strip().lower() in ("yes", "y")


def read_storage(path: Path) -> StorageFile:
    """Read and check a .mot or .sto file.

    Raises:
        InputError: it is not there or cannot be read.
    """
    text = read_text(path)
    file = StorageFile(path, findings=text.findings)
    if not text.text:
        return file
    lines = text.text.split("\n")
    labels_at = _read_header(file, lines)
    if labels_at is None:
        return file
    separator = separator_of(lines[labels_at])
    file.labels = _labels(lines[labels_at], separator)
    if separator in (",", ";"):
        file.findings.append(finding("D07", path, f"columns are separated by {separator!r}", f"line {labels_at + 1}"))
    numbered = [(i + 1, line) for i, line in enumerate(lines[labels_at + 1 :], labels_at + 1) if line.strip()]
    file.rows = read_rows(path, numbered, separator, len(file.labels), file.findings)
    _check_labels(file, labels_at + 1)
    _check_counts(file, len(numbered))
    if file.readable:
        file.findings += check_time(path, file.time, file.rows.lines)
        _check_gaps(file)
    return file


def _read_header(file: StorageFile, lines: list[str]) -> int | None:
    """Read the header; the index of the line with the column names, or None."""
    stripped = [line.strip() for line in lines]
    end = next((i for i, line in enumerate(stripped) if line.lower() == "endheader"), None)
    if end is None:
        end = next((i for i, line in enumerate(stripped) if line.lower().startswith("time")), None)
        file.findings.append(finding("M18", file.path, "the header has no end", fixable=end is not None))
        if end is None:
            return None
        start = end
    else:
        start = end + 1
    file.header_lines = lines[:end]
    for i, line in enumerate(stripped[:end]):
        key, equals, value = line.partition("=")
        if not equals:
            key, _, value = line.partition(" ") if " " in line else line.partition("\t")
        if equals or key in (*_ROW_KEYS, *_COLUMN_KEYS, "version", "inDegrees", "name", "range"):
            file.header[key.strip()] = value.strip()
        if i == 0:
            file.name = file.header.get("name", line)
    found = next((i for i in range(start, len(lines)) if stripped[i]), None)
    if found is None:
        file.findings.append(finding("D10", file.path, "there is nothing below the header"))
    return found


def _labels(line: str, separator: str) -> list[str]:
    if separator == " ":
        return line.split()
    return [cell.strip() for cell in line.strip().rstrip(separator).split(separator)]


def _check_labels(file: StorageFile, line: int) -> None:
    where = f"line {line}"
    if file.labels[0] not in ("time", "range"):
        sure = file.labels[0].lower() in ("time", "t", "time[s]", "time (s)")
        message = f"the first column is {file.labels[0][:40]!r}"
        file.findings.append(finding("M19", file.path, message, where, fixable=sure))
    if again := twice(file.labels):
        severity: Severity | None = "note" if file.version < 1 else None  # old motions of SIMM have such columns
        file.findings.append(finding("M13", file.path, few(again), where, severity=severity))
    file.findings += blank_names(file.path, file.labels[1:], "columns")


def _check_counts(file: StorageFile, rows: int) -> None:
    for code, keys, count in (("M14", _ROW_KEYS, rows), ("M15", _COLUMN_KEYS, len(file.labels))):
        stated = next((file.header[key] for key in reversed(keys) if key in file.header), None)
        if stated is None:
            if file.version < _NO_COLUMN_NEEDS_COUNT:
                message = f"the header does not say {keys[0]}"
                file.findings.append(finding("M16", file.path, message, f"{keys[0]}={count}"))
        elif stated.split()[:1] != [str(count)]:
            lazy = file.version >= _NO_COLUMN_NEEDS_COUNT or "datarows" in file.header
            message = f"the header says {keys[0]}={stated}, but there are {count}"
            more = code == "M14" and stated.isdigit() and int(stated) > count
            message += ": is the file cut short?" if more and not lazy else ""
            # OpenSim stops at the end of the file, but it never reads beyond nRows.
            severity: Severity | None = "note" if lazy else "warning" if more else None
            file.findings.append(finding(code, file.path, message, keys[0], severity=severity))


def _check_gaps(file: StorageFile) -> None:
    assert file.rows is not None
    gaps = ~np.isfinite(file.rows.values[:, 1:])
    if not gaps.any() or any(f.code in ("D05", "D08") for f in file.findings):
        return
    names = [file.labels[1 + i] for i in np.flatnonzero(gaps.any(axis=0))]
    first = int(np.flatnonzero(gaps.any(axis=1))[0])
    message = f"{int(gaps.sum())} cells hold no number: {few(names)}"
    file.findings.append(finding("M12", file.path, message, f"line {file.rows.lines[first]}"))
