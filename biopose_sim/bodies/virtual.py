"""The virtual markers on the OpenSim model: one list of names for all bodies, ``models/markersets/virtual.csv``."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..paths import markerset_path

COLUMNS = ("name", "segment", "x", "y", "z", "kind", "weight", "description")
KINDS = ("landmark", "tracking")


@dataclass(frozen=True)
class VirtualMarker:
    """A marker on a segment of the default model.

    Attributes:
        name: R or L first where there are two of it.
        segment: body of the OpenSim model that carries it.
        position: in that body's frame [m], of the unscaled model.
        kind: ``"landmark"`` (on a bony point that can be felt) or ``"tracking"`` (on a stretch of skin).
        weight: for inverse kinematics.
        description: where it lies.
    """

    name: str
    segment: str
    position: tuple[float, float, float]
    kind: str
    weight: float
    description: str


def read_virtual_markers(path: str | Path | None = None) -> tuple[VirtualMarker, ...]:
    """Read the virtual markers, in the order of the table.

    Args:
        path: a table with the columns of ``virtual.csv``; that one if none is given.

    Raises:
        InputError: no such file, columns that are missing, or a row that makes no sense.
    """
    file = Path(path) if path is not None else markerset_path("virtual")
    if not file.is_file():
        raise InputError(file, "no such file")
    with file.open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream)
        if missing := [column for column in COLUMNS if column not in (reader.fieldnames or ())]:
            raise InputError(file, f"has no column {', '.join(missing)}", f"its columns are {', '.join(COLUMNS)}")
        markers = tuple(_marker(file, reader.line_num, row) for row in reader)
    names = [marker.name for marker in markers]
    if len(set(names)) != len(names):
        raise InputError(file, f"names '{next(n for n in names if names.count(n) > 1)}' more than once")
    return markers


def _marker(file: Path, line: int, row: dict[str, str]) -> VirtualMarker:
    where = f"line {line}: marker '{row['name']}'"
    try:
        x, y, z, weight = (float(row[column]) for column in ("x", "y", "z", "weight"))
    except (TypeError, ValueError) as error:
        raise InputError(file, f"{where}: {error}", "x, y, z and weight are numbers") from error
    if row["kind"] not in KINDS:
        raise InputError(file, f"{where} is of kind '{row['kind']}'", f"give {' or '.join(KINDS)}")
    return VirtualMarker(row["name"], row["segment"], (x, y, z), row["kind"], weight, row["description"] or "")
