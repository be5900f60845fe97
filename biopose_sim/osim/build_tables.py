"""Read the tables of the full-body model from CSV and check each cell.

Each table holds the right side and the middle of the body; names that end in ``_r`` are mirrored by
``biopose_sim.osim.build_mirror``. Only the marker set lists both sides: other tools read it too. Angles
of ``coordinates.csv`` are degrees in the file, all other angles radians.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from biopose_sim.errors import InputError, near_matches
from biopose_sim.osim.build_rows import (
    AXIS_NAMES,
    JOINT_TYPES,
    AxisRow,
    CoordinateRow,
    CouplerRow,
    JointRow,
    MarkerRow,
    MeshRow,
    Segment,
    Tables,
    Vec3,
)

T = TypeVar("T")


class Row:
    """One line of a CSV file that answers with typed values and blames file and line when it cannot."""

    def __init__(self, path: Path, line: int, cells: dict[str, str]) -> None:
        self.place = f"{path}, line {line}"
        self._cells = cells

    def text(self, column: str) -> str:
        """Return a cell without surrounding blanks."""
        return self._cells[column].strip()

    def number(self, column: str) -> float:
        """Return a cell as a finite number."""
        try:
            value = float(self.text(column))
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise InputError(self.place, f"column {column!r} holds {self.text(column)!r}", "a number is needed")
        return value

    def positive(self, column: str) -> float:
        """Return a cell as a finite number above zero."""
        value = self.number(column)
        if value <= 0.0:
            raise InputError(self.place, f"column {column!r} holds {self.text(column)!r}", "it must be above zero")
        return value

    def vector(self, *columns: str) -> Vec3:
        """Return three cells as numbers."""
        x, y, z = (self.number(column) for column in columns)
        return (x, y, z)

    def flag(self, column: str) -> bool:
        """Return a cell that holds ``true`` or ``false``."""
        return self.choice(column, ("true", "false")) == "true"

    def choice(self, column: str, valid: Iterable[str]) -> str:
        """Return a cell that must be one of ``valid``."""
        value, valid = self.text(column), tuple(valid)
        if value not in valid:
            hint = near_matches(value, valid)
            raise InputError(self.place, f"column {column!r} holds {value!r}{hint}", "one of " + ", ".join(valid))
        return value


def read_rows(path: Path, columns: str) -> list[Row]:
    """Read a CSV table that must have ``columns`` (blank-separated names) and a ``source`` on every line."""
    needed = [*columns.split(), "source"]
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream)
            missing = [name for name in needed if name not in (reader.fieldnames or ())]
            if missing:
                raise InputError(path, "no column " + ", ".join(missing), "columns needed: " + ", ".join(needed))
            lines = [(reader.line_num, cells) for cells in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(path, f"cannot be read ({error})", "a table in CSV is needed") from error
    rows = []
    for number, cells in lines:
        if any(cells[name] is None for name in needed) or None in cells:
            raise InputError(f"{path}, line {number}", "wrong number of cells", f"{len(needed)} are needed")
        if not cells["source"].strip():
            raise InputError(f"{path}, line {number}", "the source is empty", "cite where the figures come from")
        rows.append(Row(path, number, cells))
    return rows


def unique_rows(rows: list[Row], column: str = "name") -> list[Row]:
    """Return the rows when each has a name of its own in ``column``."""
    seen: set[str] = set()
    for row in rows:
        name = row.text(column)
        if not name or name in seen:
            raise InputError(row.place, f"duplicate name {name!r}" if name else "empty name", "give each its own")
        seen.add(name)
    return rows


def _segment(row: Row) -> Segment:
    inertia = tuple(row.number(name) for name in ("ixx", "iyy", "izz", "ixy", "ixz", "iyz"))
    return Segment(row.text("name"), row.number("mass"), row.vector("com_x", "com_y", "com_z"), inertia)


def _joint(row: Row) -> JointRow:
    kind = row.choice("type", JOINT_TYPES)
    parts = [
        row.vector(*(f"{side}_{axis}" for axis in axes))
        for side in ("parent", "child")
        for axes in (("x", "y", "z"), ("rx", "ry", "rz"))
    ]
    return JointRow(row.text("name"), kind, row.text("parent"), row.text("child"), *parts)


def _coordinate(row: Row) -> CoordinateRow:
    degrees = row.choice("unit", ("deg", "m")) == "deg"
    values = [row.number(name) for name in ("default", "range_min", "range_max")]
    if not values[1] <= values[0] <= values[2]:
        raise InputError(row.place, f"default {values[0]:g} is outside {values[1]:g} to {values[2]:g}")
    default, low, high = (math.radians(value) if degrees else value for value in values)
    return CoordinateRow(
        row.text("name"), row.text("joint"), default, low, high, row.flag("clamped"), row.flag("locked")
    )


def _axis(row: Row) -> AxisRow:
    function = row.choice("function", ("linear", "constant", "spline"))
    if function != "spline":
        row.number("argument")
    if bool(row.text("coordinate")) == (function == "constant"):
        raise InputError(row.place, f"a {function} axis {'with' if row.text('coordinate') else 'without'} coordinate")
    axis = row.choice("axis", AXIS_NAMES)
    return AxisRow(
        row.text("joint"),
        axis,
        row.vector("x", "y", "z"),
        row.text("coordinate"),
        function,
        row.text("argument"),
    )


def _coupler(row: Row) -> CouplerRow:
    return CouplerRow(row.text("name"), row.text("independent"), row.text("dependent"), row.number("scale"))


def _mesh(row: Row) -> MeshRow:
    scale = row.vector("scale_x", "scale_y", "scale_z")
    return MeshRow(row.text("body"), row.text("mesh"), row.vector("x", "y", "z"), row.vector("rx", "ry", "rz"), scale)


def _marker(row: Row) -> MarkerRow:
    kind = row.choice("kind", ("landmark", "tracking"))
    return MarkerRow(row.text("name"), row.text("body"), row.vector("x", "y", "z"), kind, row.number("weight"))


def _splines(path: Path) -> dict[str, tuple[tuple[float, float], ...]]:
    knots: dict[str, tuple[tuple[float, float], ...]] = {}
    for row in read_rows(path, "name x y"):
        name, point = row.text("name"), (row.number("x"), row.number("y"))
        if name in knots and point[0] <= knots[name][-1][0]:
            raise InputError(row.place, f"x of spline {name!r} does not increase")
        knots[name] = (*knots.get(name, ()), point)
    return knots


def read_markers(path: Path) -> tuple[MarkerRow, ...]:
    """Read a marker set: ``name,body,x,y,z,kind,weight,description,source``, both sides listed."""
    rows = read_rows(path, "name body x y z kind weight description")
    return tuple(_marker(row) for row in unique_rows(rows))


def read_tables(folder: Path, markers: Path) -> Tables:
    """Read all tables of a model; only the right side and the middle, except for the markers."""

    def read(name: str, columns: str, make: Callable[[Row], T], unique: bool = True) -> tuple[T, ...]:
        rows = read_rows(folder / f"{name}.csv", columns)
        return tuple(make(row) for row in (unique_rows(rows) if unique else rows))

    places = " ".join(f"{side}_{axis}" for side in ("parent", "child") for axis in ("x", "y", "z", "rx", "ry", "rz"))
    return Tables(
        segments=read("segments", "name mass com_x com_y com_z ixx iyy izz ixy ixz iyz", _segment),
        joints=read("joints", f"name type parent child {places}", _joint),
        coordinates=read("coordinates", "name joint unit default range_min range_max clamped locked", _coordinate),
        axes=read("transforms", "joint axis x y z coordinate function argument", _axis, unique=False),
        couplers=read("couplers", "name independent dependent scale", _coupler),
        meshes=read("geometry", "body mesh x y z rx ry rz scale_x scale_y scale_z", _mesh, unique=False),
        markers=read_markers(markers),
        splines=_splines(folder / "splines.csv"),
    )
