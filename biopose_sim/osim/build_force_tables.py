"""Read the tables of muscles and torque actuators, mirror them to the left side and check them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from biopose_sim.errors import InputError, near_matches
from biopose_sim.osim.build_force_rows import (
    MUSCLE_PARTS,
    QUADRANTS,
    WRAP_METHODS,
    WRAP_TYPES,
    ActuatorRow,
    Forces,
    MuscleRow,
    MuscleWrapRow,
    PointRow,
    PropertyRow,
    WrapRow,
)
from biopose_sim.osim.build_mirror import both_sides, left_name, mirror_place, mirror_turn
from biopose_sim.osim.build_rows import Tables
from biopose_sim.osim.build_tables import Row, read_rows, unique_rows

T = TypeVar("T")
_END = -1  # OpenSim's number for "from the first" or "to the last point"


def read_forces(folder: Path) -> Forces:
    """Read ``muscles.csv``, ``muscle_points.csv``, ``wraps.csv``, ``muscle_wraps.csv``, ``muscle_properties.csv`` and
    ``actuators.csv``; only the right side and the middle.

    Raises:
        InputError: a table is missing or a cell does not hold what it should.
    """

    def read(name: str, columns: str, make: Callable[[Row], T], unique: str = "") -> tuple[T, ...]:
        rows = read_rows(folder / f"{name}.csv", columns)
        return tuple(make(row) for row in (unique_rows(rows, unique) if unique else rows))

    own = "max_isometric_force optimal_fiber_length tendon_slack_length pennation_angle max_contraction_velocity"
    return Forces(
        muscles=read("muscles", f"name {own} rigid_tendon groups", _muscle, "name"),
        points=read("muscle_points", "muscle body x y z", _point),
        wraps=read("wraps", "name body type x y z rx ry rz radius length quadrant", _wrap, "name"),
        muscle_wraps=read("muscle_wraps", "muscle wrap method first_point last_point", _muscle_wrap),
        properties=read("muscle_properties", "part property value", _property),
        actuators=read("actuators", "coordinate optimal_force", _actuator, "coordinate"),
    )


def mirror_forces(forces: Forces) -> Forces:
    """Add the left side: after the rows of the right side come the same rows, mirrored in the sagittal plane."""
    return replace(
        forces,
        muscles=both_sides(forces.muscles, lambda row: row.name, _left_muscle),
        points=both_sides(forces.points, lambda row: row.muscle, _left_point),
        wraps=both_sides(forces.wraps, lambda row: row.name, _left_wrap),
        muscle_wraps=both_sides(forces.muscle_wraps, lambda row: row.muscle, _left_muscle_wrap),
        actuators=both_sides(forces.actuators, lambda row: row.coordinate, _left_actuator),
    )


def check_forces(forces: Forces, tables: Tables, folder: Path) -> None:
    """Check complete (mirrored) tables of forces against those of the model, ``tables``, read from ``folder``.

    Raises:
        InputError: a name is unknown, a muscle has no path, a range of points does not exist, or a surface is not used.
    """
    bodies = [segment.name for segment in tables.segments]
    muscles = [muscle.name for muscle in forces.muscles]
    wraps = {wrap.name for wrap in forces.wraps}
    known = [
        ("muscle_points", "muscle", [row.muscle for row in forces.points], muscles),
        ("muscle_points", "body", [row.body for row in forces.points], bodies),
        ("wraps", "body", [row.body for row in forces.wraps], bodies),
        ("muscle_wraps", "muscle", [row.muscle for row in forces.muscle_wraps], muscles),
        ("muscle_wraps", "wrap", [row.wrap for row in forces.muscle_wraps], wraps),
        ("actuators", "coordinate", [r.coordinate for r in forces.actuators], [r.name for r in tables.coordinates]),
    ]
    for table, column, used, valid in known:
        _all_known(folder / f"{table}.csv", column, used, valid)
    points = {name: sum(row.muscle == name for row in forces.points) for name in muscles}
    for name, count in points.items():
        if count < 2:
            raise InputError(folder / "muscle_points.csv", f"muscle {name!r} has {count} points", "it needs two")
    for row in forces.muscle_wraps:
        if row.last > points[row.muscle]:
            problem = f"muscle {row.muscle!r} has no point {row.last}"
            raise InputError(folder / "muscle_wraps.csv", problem, f"it has {points[row.muscle]}")
    for name in sorted(wraps - {row.wrap for row in forces.muscle_wraps}):
        raise InputError(folder / "wraps.csv", f"no muscle uses {name!r}", "name it in muscle_wraps.csv")


def _all_known(source: Path, column: str, used: Iterable[str], valid: Iterable[str]) -> None:
    for name in used:
        if name not in valid:
            hint = near_matches(name, valid)
            raise InputError(source, f"unknown {column} {name!r}{hint}", "name one that the tables define")


def _muscle(row: Row) -> MuscleRow:
    pennation = row.number("pennation_angle")
    if not 0.0 <= pennation < 0.5 * math.pi:
        raise InputError(row.place, f"a pennation angle of {pennation:g} rad", "it lies from 0 to a right angle")
    return MuscleRow(
        row.text("name"),
        row.positive("max_isometric_force"),
        row.positive("optimal_fiber_length"),
        row.positive("tendon_slack_length"),
        pennation,
        row.positive("max_contraction_velocity"),
        row.flag("rigid_tendon"),
        tuple(row.text("groups").split()),
    )


def _point(row: Row) -> PointRow:
    return PointRow(row.text("muscle"), row.text("body"), row.vector("x", "y", "z"))


def _wrap(row: Row) -> WrapRow:
    return WrapRow(
        row.text("name"),
        row.text("body"),
        row.choice("type", WRAP_TYPES),
        row.vector("x", "y", "z"),
        row.vector("rx", "ry", "rz"),
        row.positive("radius"),
        row.positive("length"),
        row.choice("quadrant", QUADRANTS),
    )


def _muscle_wrap(row: Row) -> MuscleWrapRow:
    first, last = (int(row.positive(end)) if row.text(end) else _END for end in ("first_point", "last_point"))
    if last != _END and first >= last:
        raise InputError(row.place, f"wraps from point {first} to point {last}", "the first comes before the last")
    return MuscleWrapRow(row.text("muscle"), row.text("wrap"), row.choice("method", WRAP_METHODS), first, last)


def _property(row: Row) -> PropertyRow:
    return PropertyRow(row.choice("part", MUSCLE_PARTS), row.text("property"), row.number("value"))


def _actuator(row: Row) -> ActuatorRow:
    return ActuatorRow(row.text("coordinate"), row.positive("optimal_force"))


def _left_muscle(row: MuscleRow) -> MuscleRow:
    return replace(row, name=left_name(row.name))


def _left_point(row: PointRow) -> PointRow:
    return PointRow(left_name(row.muscle), left_name(row.body), mirror_place(row.place))


def _left_wrap(row: WrapRow) -> WrapRow:
    place, turn = mirror_place(row.place), mirror_turn(row.turn)
    return replace(row, name=left_name(row.name), body=left_name(row.body), place=place, turn=turn)


def _left_muscle_wrap(row: MuscleWrapRow) -> MuscleWrapRow:
    return replace(row, muscle=left_name(row.muscle), wrap=left_name(row.wrap))


def _left_actuator(row: ActuatorRow) -> ActuatorRow:
    return replace(row, coordinate=left_name(row.coordinate))
