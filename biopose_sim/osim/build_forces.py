"""Muscles, wrapping surfaces and torque actuators of the full-body model as elements of an ``.osim`` document."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from itertools import groupby

from biopose_sim.osim.build_force_rows import (
    MUSCLE,
    ActuatorRow,
    Forces,
    MuscleRow,
    MuscleWrapRow,
    PointRow,
    PropertyRow,
    WrapRow,
)
from biopose_sim.osim.build_xml import add_set, add_text, body_path, flag_text, number_text, numbers_text

_MUSCLE_COLOR = "0.8 0.1 0.1"
_WRAP_COLOR = "0 1 1"
_SHADED = "3"


def add_force_set(model: ET.Element, forces: Forces) -> None:
    """Add the ForceSet: muscles, then torque actuators, and the muscles' groups."""
    items = [_muscle(row, forces) for row in forces.muscles] + [_actuator(row) for row in forces.actuators]
    found = add_set(model, "ForceSet", items)
    members: dict[str, list[str]] = {}
    for muscle in forces.muscles:
        for group in muscle.groups:
            members.setdefault(f"{group}_{muscle.name[-1]}", []).append(muscle.name)
    groups = ET.SubElement(found, "groups")
    for name, names in members.items():
        add_text(ET.SubElement(groups, "ObjectGroup", name=name), "members", " ".join(names))


def add_wraps(body: ET.Element, wraps: Iterable[WrapRow]) -> None:
    """Add a body's wrapping surfaces; they are not shown, as in the model they come from."""
    items = [_wrap(row) for row in wraps]
    if items:
        add_set(body, "WrapObjectSet", items)


def _wrap(row: WrapRow) -> ET.Element:
    wrap = ET.Element(row.type, name=row.name)
    add_text(wrap, "active", "true")
    add_text(wrap, "xyz_body_rotation", numbers_text(row.turn))
    add_text(wrap, "translation", numbers_text(row.place))
    add_text(wrap, "quadrant", row.quadrant)
    look = ET.SubElement(wrap, "Appearance")
    add_text(look, "visible", "false")
    add_text(look, "opacity", "0.5")
    add_text(look, "color", _WRAP_COLOR)
    add_text(ET.SubElement(look, "SurfaceProperties"), "representation", _SHADED)
    add_text(wrap, "radius", number_text(row.radius))
    add_text(wrap, "length", number_text(row.length))
    return wrap


def _muscle(row: MuscleRow, forces: Forces) -> ET.Element:
    muscle = ET.Element("Millard2012EquilibriumMuscle", name=row.name)
    parts = {part: list(rows) for part, rows in groupby(forces.properties, key=lambda shared: shared.part)}
    _properties(muscle, parts.pop(MUSCLE, []))
    muscle.append(_path(row.name, forces))
    for tag, value in (
        ("max_isometric_force", row.force),
        ("optimal_fiber_length", row.fiber),
        ("tendon_slack_length", row.tendon),
        ("pennation_angle_at_optimal", row.pennation),
        ("max_contraction_velocity", row.velocity),
    ):
        add_text(muscle, tag, number_text(value))
    add_text(muscle, "ignore_tendon_compliance", flag_text(row.rigid_tendon))
    for part, rows in parts.items():
        _properties(ET.SubElement(muscle, part, name=f"{row.name}_{part}"), rows)
    return muscle


def _properties(element: ET.Element, rows: Iterable[PropertyRow]) -> None:
    for row in rows:
        add_text(element, row.name, number_text(row.value))


def _path(muscle: str, forces: Forces) -> ET.Element:
    path = ET.Element("GeometryPath", name="geometrypath")
    points = [row for row in forces.points if row.muscle == muscle]
    add_set(path, "PathPointSet", (_point(row, f"{muscle}-P{i}") for i, row in enumerate(points, 1)))
    wraps = [row for row in forces.muscle_wraps if row.muscle == muscle]
    if wraps:
        add_set(path, "PathWrapSet", (_path_wrap(row) for row in wraps))
    add_text(ET.SubElement(path, "Appearance"), "color", _MUSCLE_COLOR)
    return path


def _point(row: PointRow, name: str) -> ET.Element:
    point = ET.Element("PathPoint", name=name)
    add_text(point, "socket_parent_frame", body_path(row.body))
    add_text(point, "location", numbers_text(row.place))
    return point


def _path_wrap(row: MuscleWrapRow) -> ET.Element:
    wrap = ET.Element("PathWrap", name=f"{row.wrap}_wrap")
    add_text(wrap, "wrap_object", row.wrap)
    add_text(wrap, "method", row.method)
    add_text(wrap, "range", numbers_text((row.first, row.last)))
    return wrap


def _actuator(row: ActuatorRow) -> ET.Element:
    actuator = ET.Element("CoordinateActuator", name=f"{row.coordinate}_torque")
    add_text(actuator, "min_control", "-Inf")
    add_text(actuator, "max_control", "Inf")
    add_text(actuator, "coordinate", row.coordinate)
    add_text(actuator, "optimal_force", number_text(row.optimal_force))
    return actuator
