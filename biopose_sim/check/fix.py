"""Repairs that are safe: what a file surely means, written as OpenSim reads it; over the input only if asked to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from biopose_sim.check.finding import Finding
from biopose_sim.check.rawrows import Rows
from biopose_sim.check.storage import StorageFile, read_storage
from biopose_sim.check.textfile import read_text
from biopose_sim.check.together import Report
from biopose_sim.check.trcfile import TrcFile, read_trc_file
from biopose_sim.check.trcmarkers import true_unit
from biopose_sim.errors import InputError
from biopose_sim.io import atomic_write
from biopose_sim.io.trc import HEADER_KEYS, METRES_PER_UNIT

_COUNTS = {"nrows", "nr", "datarows", "ncolumns", "nc", "datacolumns", "version", "indegrees", "range"}
_DELIMITED = 2  # from this version on a storage file has a header of its own
_PLAIN = re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$")


@dataclass(frozen=True)
class Mended:
    """One file that was mended.

    Attributes:
        source: the file at fault.
        target: the mended one; the source itself where it was mended in place.
        backup: where the input is kept then; else None.
        codes: what was mended.
    """

    source: Path
    target: Path
    backup: Path | None
    codes: tuple[str, ...]


def fix_files(report: Report, folder: Path | None = None, *, in_place: bool = False) -> list[Mended]:
    """Mend the fixable findings of a report.

    Args:
        report: what a check found.
        folder: for the mended files, under their own names; None writes ``NAME.fixed.ext`` beside the input.
        in_place: write over the input, which is kept as ``NAME.ext.bak``.

    Raises:
        InputError: a file that cannot be written.
    """
    if in_place and folder is not None:
        raise InputError(folder, "files cannot be mended both in place and in a folder", "choose one of them")
    by_file: dict[Path, list[Finding]] = {}
    for f in report.findings:
        if f.fixable:
            by_file.setdefault(f.file, []).append(f)
    done = []
    for path, findings in by_file.items():
        content = mended_text(path, findings)
        if content is not None:
            target, backup = _target(path, folder, in_place)
            if backup is not None:
                atomic_write(backup, path.read_bytes())
            atomic_write(target, content)
            done.append(Mended(path, target, backup, tuple(sorted({f.code for f in findings}))))
    return done


def _target(path: Path, folder: Path | None, in_place: bool) -> tuple[Path, Path | None]:
    if in_place:
        backup = path.with_name(path.name + ".bak")
        number = 1
        while backup.exists():
            number += 1
            backup = path.with_name(f"{path.name}.bak{number}")
        return path, backup
    if folder is None:
        return path.with_name(f"{path.stem}.fixed{path.suffix}"), None
    target = folder / path.name
    if target.resolve() == path.resolve():
        raise InputError(target, "is the input itself", "choose another folder, or --in-place")
    folder.mkdir(parents=True, exist_ok=True)
    return target, None


def mended_text(path: Path, findings: Sequence[Finding]) -> str | None:
    """The text of a file without the fixable findings; None where that kind of file is not mended."""
    suffix = path.suffix.lower()
    if suffix in (".mot", ".sto"):
        file = read_storage(path)
        return _storage_text(file, findings) if file.rows is not None else None
    if suffix == ".trc":
        recording = read_trc_file(path)
        return _trc_text(recording, findings) if recording.rows is not None else None
    if suffix in (".xml", ".osim"):
        return _xml_text(read_text(path).text, findings)
    return None


def _table_cells(rows: Rows, time_column: int, codes: set[str]) -> tuple[list[list[str]], np.ndarray]:
    """The cells as OpenSim reads them, sorted, without repeated times; with their rows in the file."""
    order = np.arange(len(rows.cells))
    time = rows.values[:, time_column]
    if codes & {"D01", "D02"}:
        order = np.argsort(time, kind="stable")
        last = np.append(np.diff(time[order]) > 0.0, True)  # of repeated times OpenSim keeps the last row
        order = order[last]
    cells = [[_cell(cell) for cell in rows.cells[i]] for i in order]
    return cells, order


def _cell(cell: str) -> str:
    if _PLAIN.match(cell):
        return cell
    point = cell.replace(",", ".", 1)
    return point if _PLAIN.match(point) else cell


def _storage_text(file: StorageFile, findings: Sequence[Finding]) -> str:
    codes = {f.code for f in findings}
    assert file.rows is not None
    cells, _ = _table_cells(file.rows, 0, codes)
    labels = list(file.labels)
    if "M19" in codes:
        labels[0] = "time"
    if "M10" in codes:
        turned = {f.where.rpartition(" at ")[0] for f in findings if f.code == "M10"}
        _unwrap(cells, labels, turned, 360.0 if _degrees(file, codes) else 2.0 * np.pi)
    version = file.version or 1
    counts = [f"version={version}", f"nRows={len(cells)}", f"nColumns={len(labels)}"]
    if "inDegrees" in file.header or version < _DELIMITED:
        counts.append(f"inDegrees={'yes' if _degrees(file, codes) else 'no'}")
    name, others = _other_lines(file)
    lines = [name, *counts, *others, "endheader", "\t".join(labels)]
    return "\n".join([*lines, *("\t".join(row) for row in cells)]) + "\n"


def _degrees(file: StorageFile, codes: set[str]) -> bool:
    """What the values are."""
    return "M05" in codes if codes & {"M04", "M05"} else file.in_degrees


def _other_lines(file: StorageFile) -> tuple[str, list[str]]:
    """The name of the table, and the header's lines that are no counts."""
    lines = [line.strip() for line in file.header_lines]
    keys = [re.split(r"[=\s]", line, maxsplit=1)[0].lower() for line in lines]
    kept = [line for i, (line, key) in enumerate(zip(lines, keys)) if i and key not in {*_COUNTS, "name"} and line]
    first = lines[0] if lines else ""
    plain = keys[:1] and keys[0] not in {*_COUNTS, "name"} and "=" not in first
    return (first if plain else file.header.get("name") or file.path.stem), kept


def _unwrap(cells: list[list[str]], labels: list[str], names: Iterable[str], turn: float) -> None:
    for name in names:
        columns = [i for i, label in enumerate(labels) if label == name or label.split("/")[-2:-1] == [name]]
        for column in columns[:1]:
            smooth = np.unwrap([float(row[column]) for row in cells], period=turn)
            for row, value in zip(cells, smooth):
                row[column] = f"{value:.8f}"


def _trc_text(file: TrcFile, findings: Sequence[Finding]) -> str:
    codes = {f.code for f in findings}
    assert file.rows is not None
    cells, order = _table_cells(file.rows, 1, codes)
    if "T11" in codes:
        cells = [_without_zeros(row) for row in cells]
    time = file.time[order]
    values = {**file.values, "NumFrames": str(len(cells)), "NumMarkers": str(len(file.names))}
    rate = f"{(len(time) - 1) / (time[-1] - time[0]):.6g}" if len(time) > 1 and time[-1] > time[0] else "1"
    if "T08" in codes or "DataRate" not in values:
        values["DataRate"] = rate
    units = values.get("Units", "")
    if "T07" in codes or units.lower() not in METRES_PER_UNIT:
        values["Units"] = true_unit(file) or units or "mm"
    defaults = {"CameraRate": rate, "OrigDataRate": rate, "OrigDataStartFrame": "1", "OrigNumFrames": str(len(cells))}
    first = file.first_line if "T01" not in codes else f"PathFileType\t4\t(X/Y/Z)\t{file.path.name}"
    lines = [
        first.rstrip(),
        "\t".join(HEADER_KEYS),
        "\t".join(values.get(key) or defaults.get(key, "") for key in HEADER_KEYS),
        "Frame#\tTime\t" + "\t\t\t".join(file.names) + "\t\t",
        "\t\t" + "\t".join(f"{axis}{i + 1}" for i in range(len(file.names)) for axis in "XYZ"),
        "",
    ]
    # OpenSim drops an empty cell at the end of a line; a tab behind it keeps the cell.
    rows = ["\t".join(row) + ("\t" if not row[-1] else "") for row in cells]
    return "\n".join([*lines, *rows]) + "\n"


def _without_zeros(row: list[str]) -> list[str]:
    cells = list(row)
    for i in range(2, len(cells) - 2, 3):
        if all(_is_zero(cell) for cell in cells[i : i + 3]):
            cells[i : i + 3] = ["", "", ""]
    return cells


def _is_zero(cell: str) -> bool:
    return bool(_PLAIN.match(cell)) and float(cell) == 0.0


def _xml_text(text: str, findings: Sequence[Finding]) -> str:
    for f in findings:
        if f.change is not None:
            old, new = f.change
            text = re.sub(rf"(>[^<]*?){re.escape(old)}(?=[^<]*<)", lambda m, new=new: m[1] + new, text)  # type: ignore[misc]
            text = text.replace(f'file="{old}"', f'file="{new}"')
    return re.sub(r'(<\?xml[^>]*encoding=)(["\'])[^"\']*\2', r"\1\2UTF-8\2", text, count=1)
