"""What the linter finds: one finding per fault, with its code, place and remedy."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from biopose_sim.check.codes import CODES, Severity

ORDER = {"error": 0, "warning": 1, "note": 2}


@dataclass(frozen=True)
class Finding:
    """One fault of a file.

    Attributes:
        code: stable, e.g. ``"M05"``; see :data:`biopose_sim.check.codes.CODES`.
        severity: "error" (OpenSim fails or computes nonsense), "warning" (probably not meant), "note" (good to know).
        file: the file at fault.
        where: line, column, marker, body, ... within it; may be empty.
        message: what is wrong.
        remedy: what to do.
        fixable: whether ``--fix`` mends it.
        change: old and new text of a mended name in an XML file; None elsewhere.
    """

    code: str
    severity: Severity
    file: Path
    where: str
    message: str
    remedy: str
    fixable: bool = False
    change: tuple[str, str] | None = field(default=None, repr=False)

    @property
    def rank(self) -> tuple[int, str, str]:
        """For sorting: errors first, then by code."""
        return ORDER[self.severity], self.code, self.where

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        names = ("code", "severity", "where", "message", "remedy", "fixable")
        return {"file": str(self.file), **{name: getattr(self, name) for name in names}}


def finding(
    code: str,
    file: Path,
    message: str,
    where: str = "",
    *,
    severity: Severity | None = None,
    remedy: str | None = None,
    fixable: bool | None = None,
    change: tuple[str, str] | None = None,
) -> Finding:
    """A finding with what the table of codes says of it, where nothing else is given."""
    known = CODES[code]
    return Finding(
        code,
        severity or known.severity,
        file,
        where,
        message,
        known.remedy if remedy is None else remedy,
        known.fixable if fixable is None else fixable,
        change,
    )


def few(names: list[str], most: int = 4) -> str:
    """The first names of a list, and how many more there are."""
    text = ", ".join(str(name) for name in names[:most])
    return text + (f" and {len(names) - most} more" if len(names) > most else "")
