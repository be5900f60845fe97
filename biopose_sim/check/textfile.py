"""Opening a file that may be anything: text with what is wrong with it as text."""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field
from pathlib import Path

from biopose_sim.check.codes import Severity
from biopose_sim.check.finding import Finding, finding
from biopose_sim.errors import InputError

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_KINDS = (
    (b"\x80", "a pickle"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"ply\n", "a PLY mesh"),
    (b"\x89HDF", "an HDF5 file"),
)


@dataclass
class TextFile:
    """A file as text.

    Attributes:
        path: of the file.
        text: with LF line ends; empty where the file holds none.
        findings: what is wrong with it as text.
    """

    path: Path
    text: str
    findings: list[Finding] = field(default_factory=list)


def read_text(path: Path) -> TextFile:
    """Read a file as text and note what is wrong with it as such.

    Raises:
        InputError: it is not there or cannot be read.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(path, "file not found") from None
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror})") from None
    file = TextFile(path, "")
    if not data.strip():
        file.findings.append(finding("F01", path, "the file is empty"))
        return file
    if (text := _decoded(path, data, file.findings)) is None:
        return file
    if text.startswith("\ufeff"):
        text = text[1:]
        grave = path.suffix.lower() == ".trc"
        message = "the file begins with a byte-order mark" + (", which OpenSim takes for a part of it" if grave else "")
        file.findings.append(finding("F08", path, message, "line 1", severity="error" if grave else "note"))
    if "\r" in text and "\n" not in text:
        file.findings.append(finding("F07", path, "its lines end with CR only: OpenSim sees a single line"))
    file.text = text.replace("\r\n", "\n").replace("\r", "\n")
    return file


def _decoded(path: Path, data: bytes, findings: list[Finding]) -> str | None:
    """The text, or None where it is none."""
    if data.startswith(_UTF16):
        findings.append(finding("F03", path, "the file is UTF-16, which OpenSim cannot read"))
        return data.decode("utf-16", errors="replace").lstrip("\ufeff")
    kind = next((name for start, name in _KINDS if data.startswith(start)), None)
    if kind is not None or b"\0" in data:
        findings.append(finding("F02", path, f"the file is {kind or 'binary data'}, not text"))
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        xml = data.lstrip().startswith(b"<") and b"ISO-8859" not in data[:200].upper()
        message = "a letter that is not UTF-8" + (": XML readers refuse it" if xml else "")
        severity: Severity | None = "error" if xml else "note"
        findings.append(finding("F03", path, message, f"line {line}", severity=severity))
        return data.decode("latin-1")
