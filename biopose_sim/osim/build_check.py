"""Checks of the tables of a model before it is written: names, the tree, functions and inertia."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from biopose_sim.errors import InputError, near_matches
from biopose_sim.osim.build_rows import AXIS_NAMES, JointRow, Segment, Tables

COORDINATES_OF = {"PinJoint": 1, "WeldJoint": 0}


def check_tables(tables: Tables, folder: Path) -> None:
    """Check the complete (mirrored) tables that were read from ``folder``.

    Raises:
        InputError: a name is unknown or used twice, the joints form no tree, or a segment cannot exist.
    """
    bodies = [segment.name for segment in tables.segments]
    joints = [joint.name for joint in tables.joints]
    coordinates = [coordinate.name for coordinate in tables.coordinates]
    for names, table in ((bodies, "segments"), (joints, "joints"), (coordinates, "coordinates")):
        _no_duplicates(names, folder / f"{table}.csv")
    known = [
        ("joints", "parent", [row.parent for row in tables.joints], ["ground", *bodies]),
        ("joints", "child", [row.child for row in tables.joints], bodies),
        ("coordinates", "joint", [row.joint for row in tables.coordinates], joints),
        ("transforms", "joint", [row.joint for row in tables.axes], joints),
        ("transforms", "coordinate", [row.coordinate for row in tables.axes if row.coordinate], coordinates),
        ("transforms", "spline", [r.argument for r in tables.axes if r.function == "spline"], tables.splines),
        ("couplers", "independent", [row.independent for row in tables.couplers], coordinates),
        ("couplers", "dependent", [row.dependent for row in tables.couplers], coordinates),
        ("geometry", "body", [row.body for row in tables.meshes], bodies),
        ("markers", "body", [row.body for row in tables.markers], bodies),
    ]
    for table, column, used, valid in known:
        _all_known(folder / f"{table}.csv", column, used, list(valid))
    for segment in tables.segments:
        _possible(segment, folder / "segments.csv")
    _one_tree(tables.joints, bodies, folder / "joints.csv")
    _complete_joints(tables, folder)


def _no_duplicates(names: list[str], source: Path) -> None:
    for name in names:
        if names.count(name) > 1:
            raise InputError(source, f"duplicate name {name!r}", "rows of the left side are made from the right")


def _all_known(source: Path, column: str, used: Iterable[str], valid: list[str]) -> None:
    for name in used:
        if name not in valid:
            hint = near_matches(name, valid)
            raise InputError(source, f"unknown {column} {name!r}{hint}", "name one that the tables define")


def _possible(segment: Segment, source: Path) -> None:
    xx, yy, zz, xy, xz, yz = segment.inertia
    minors = (xx, xx * yy - xy * xy, _determinant(xx, yy, zz, xy, xz, yz))
    longest = max(xx, yy, zz)
    if segment.mass <= 0 or min(minors) <= 0:
        raise InputError(source, f"mass and inertia of {segment.name!r} are not positive definite")
    if 2 * longest > (xx + yy + zz) * (1 + 1e-9):
        raise InputError(source, f"inertia of {segment.name!r} breaks the triangle inequality", "xx + yy >= zz")


def _determinant(xx: float, yy: float, zz: float, xy: float, xz: float, yz: float) -> float:
    return xx * (yy * zz - yz * yz) - xy * (xy * zz - yz * xz) + xz * (xy * yz - yy * xz)


def _one_tree(joints: tuple[JointRow, ...], bodies: list[str], source: Path) -> None:
    children = [joint.child for joint in joints]
    _no_duplicates(children, source)
    reached = {"ground"}
    for _ in joints:
        reached |= {joint.child for joint in joints if joint.parent in reached}
    for body in bodies:
        if body not in reached:
            raise InputError(source, f"segment {body!r} is not joined to the ground", "give it a joint")


def _complete_joints(tables: Tables, folder: Path) -> None:
    for joint in tables.joints:
        own = [row.name for row in tables.coordinates if row.joint == joint.name]
        axes = [row for row in tables.axes if row.joint == joint.name]
        if joint.type != "CustomJoint":
            if axes or len(own) != COORDINATES_OF[joint.type]:
                wanted = f"{COORDINATES_OF[joint.type]} coordinates and no axes"
                raise InputError(folder / "joints.csv", f"{joint.type} {joint.name!r} must have {wanted}")
            continue
        if tuple(row.axis for row in axes) != AXIS_NAMES:
            wanted = ", ".join(AXIS_NAMES)
            raise InputError(folder / "transforms.csv", f"joint {joint.name!r} needs the axes {wanted}, in order")
        if {row.coordinate for row in axes if row.coordinate} != set(own):
            problem = f"the axes of {joint.name!r} do not use its coordinates " + ", ".join(own)
            raise InputError(folder / "transforms.csv", problem, "each axis names a coordinate of its own joint")
