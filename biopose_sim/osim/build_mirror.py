"""The left side of the model from the right one: a reflection in the sagittal plane (z → −z).

A place (x, y, z) becomes (x, y, −z) and an orientation (rx, ry, rz) becomes (−rx, −ry, rz). A turn about an
axis n becomes the opposite turn about the mirrored axis, which is the same turn about (−nx, −ny, nz): so
every coordinate, spline and range of the left side is that of the right side, and equal values on both sides
mirror the pose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import groupby
from typing import TypeVar

from biopose_sim.osim.build_rows import (
    AxisRow,
    CoordinateRow,
    CouplerRow,
    JointRow,
    MeshRow,
    Segment,
    Tables,
    Vec3,
)

T = TypeVar("T")


def left_name(name: str) -> str:
    """Return the left counterpart of a name with ``_r`` at its end or inside; other names stay."""
    return (name + "_").replace("_r_", "_l_")[:-1]


def left_mesh(mesh: str) -> str:
    """Return the file name of the left bone: ``r_femur`` → ``l_femur``, ``ulna_rv`` → ``ulna_lv``."""
    stem, dot, ending = mesh.partition(".")
    if stem.startswith("r_"):
        stem = "l_" + stem[2:]
    for right, left in (("_rvs", "_lvs"), ("_rv", "_lv"), ("_r", "_l")):
        if stem.endswith(right):
            stem = stem[: -len(right)] + left
            break
    return stem + dot + ending


def mirror_place(place: Vec3) -> Vec3:
    """Mirror a point or a translation axis in the sagittal plane; shape (3,)."""
    return (place[0], place[1], _minus(place[2]))


def mirror_turn(turn: Vec3) -> Vec3:
    """Mirror X-Y-Z Euler angles [rad] or a rotation axis in the sagittal plane; shape (3,)."""
    return (_minus(turn[0]), _minus(turn[1]), turn[2])


def mirror_tables(tables: Tables) -> Tables:
    """Add the left side: after each run of rows of the right side comes the same run, mirrored."""
    return replace(
        tables,
        segments=both_sides(tables.segments, lambda row: row.name, _segment),
        joints=both_sides(tables.joints, lambda row: row.name, _joint),
        coordinates=both_sides(tables.coordinates, lambda row: row.joint, _coordinate),
        axes=both_sides(tables.axes, lambda row: row.joint, _axis),
        couplers=both_sides(tables.couplers, lambda row: row.dependent, _coupler),
        meshes=both_sides(tables.meshes, lambda row: row.body, _mesh),
    )


def _minus(value: float) -> float:
    return -value if value else 0.0


def both_sides(rows: Iterable[T], name: Callable[[T], str], mirror: Callable[[T], T]) -> tuple[T, ...]:
    """Rows and, after each run of those of which ``name`` has a left counterpart, the same run mirrored."""
    result: list[T] = []
    for is_right, run in groupby(rows, key=lambda row: left_name(name(row)) != name(row)):
        right = list(run)
        result += right + ([mirror(row) for row in right] if is_right else [])
    return tuple(result)


def _segment(row: Segment) -> Segment:
    xx, yy, zz, xy, xz, yz = row.inertia
    inertia = (xx, yy, zz, xy, _minus(xz), _minus(yz))
    return replace(row, name=left_name(row.name), com=mirror_place(row.com), inertia=inertia)


def _joint(row: JointRow) -> JointRow:
    return JointRow(
        left_name(row.name),
        row.type,
        left_name(row.parent),
        left_name(row.child),
        mirror_place(row.parent_place),
        mirror_turn(row.parent_turn),
        mirror_place(row.child_place),
        mirror_turn(row.child_turn),
    )


def _coordinate(row: CoordinateRow) -> CoordinateRow:
    return replace(row, name=left_name(row.name), joint=left_name(row.joint))


def _axis(row: AxisRow) -> AxisRow:
    mirror = mirror_turn if row.axis.startswith("rotation") else mirror_place
    return replace(
        row,
        joint=left_name(row.joint),
        direction=mirror(row.direction),
        coordinate=left_name(row.coordinate),
    )


def _coupler(row: CouplerRow) -> CouplerRow:
    return CouplerRow(left_name(row.name), left_name(row.independent), left_name(row.dependent), row.scale)


def _mesh(row: MeshRow) -> MeshRow:
    return MeshRow(left_name(row.body), left_mesh(row.mesh), mirror_place(row.place), mirror_turn(row.turn), row.scale)
