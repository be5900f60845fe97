"""Build the default full-body OpenSim model from its tables, without OpenSim.

The tables (``models/fullbody/*.csv``) hold figures with their published source; what is written here is the
form of an ``.osim`` document. The result depends on the tables alone: the committed model is rebuilt byte for
byte.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from biopose_sim.errors import InputError
from biopose_sim.osim.build_check import check_tables
from biopose_sim.osim.build_force_rows import Forces, WrapRow
from biopose_sim.osim.build_force_tables import check_forces, mirror_forces, read_forces
from biopose_sim.osim.build_forces import add_force_set, add_wraps
from biopose_sim.osim.build_mirror import mirror_tables
from biopose_sim.osim.build_rows import (
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
from biopose_sim.osim.build_tables import read_tables
from biopose_sim.osim.build_xml import add_set, add_text, body_path, flag_text, number_text, numbers_text

# The oldest document version with 4.x joints and frames: every OpenSim 4 opens it.
DOCUMENT_VERSION = "40000"
MODEL_NAME = "biopose_fullbody"
CREDITS = (
    "The biopose-sim developers. Lower limb, knee and ankle kinematics and muscles after Rajagopal et al. 2016; trunk, "
    "neck and shoulder girdle from published anatomy. Each figure with its source: the tables of the model."
)
PUBLICATIONS = (
    "Rajagopal A, Dembia CL, DeMers MS, Delp DD, Hicks JL, Delp SL (2016) Full-body musculoskeletal model "
    "for muscle-driven simulation of human gait. IEEE Trans Biomed Eng 63(10):2068-2079"
)


def build_fullbody(tables_dir: str | Path, markers: str | Path | None = None) -> str:
    """Return the full-body model as the text of an ``.osim`` document.

    Args:
        tables_dir: folder with ``segments.csv``, ``joints.csv``, ``coordinates.csv``, ``transforms.csv``,
            ``splines.csv``, ``couplers.csv`` and ``geometry.csv``, and those of muscles and actuators that
            `build_force_tables.read_forces` names.
        markers: marker set to build in; by default ``../markersets/anatomical.csv`` beside that folder.

    Raises:
        InputError: a table is missing or holds what cannot be a model.
    """
    folder = Path(tables_dir)
    if not folder.is_dir():
        raise InputError(folder, "no such folder", "name the folder that holds segments.csv")
    chosen = Path(markers) if markers else folder.parent / "markersets" / "anatomical.csv"
    tables = mirror_tables(read_tables(folder, chosen))
    check_tables(tables, folder)
    forces = mirror_forces(read_forces(folder))
    check_forces(forces, tables, folder)
    return _document(_model(tables, forces))


def _document(model: ET.Element) -> str:
    root = ET.Element("OpenSimDocument", Version=DOCUMENT_VERSION)
    root.append(model)
    ET.indent(root, "\t")
    return '<?xml version="1.0" encoding="UTF-8" ?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _model(tables: Tables, forces: Forces) -> ET.Element:
    model = ET.Element("Model", name=MODEL_NAME)
    ET.SubElement(model, "Ground", name="ground")
    add_text(model, "gravity", "0 -9.80665 0")
    add_text(model, "credits", CREDITS)
    add_text(model, "publications", PUBLICATIONS)
    add_text(model, "length_units", "meters")
    add_text(model, "force_units", "N")
    meshes = {body: list(rows) for body, rows in groupby(tables.meshes, key=lambda row: row.body)}
    add_set(model, "BodySet", (_body(row, meshes.get(row.name, []), forces.wraps) for row in tables.segments))
    add_set(model, "JointSet", (_joint(row, tables) for row in tables.joints))
    add_set(model, "ConstraintSet", (_coupler(row) for row in tables.couplers))
    add_force_set(model, forces)
    add_set(model, "MarkerSet", (_marker(row) for row in tables.markers))
    return model


def _body(row: Segment, meshes: list[MeshRow], wraps: Iterable[WrapRow]) -> ET.Element:
    body = ET.Element("Body", name=row.name)
    placed = [mesh for mesh in meshes if any(mesh.place) or any(mesh.turn)]
    if placed:
        components = ET.SubElement(body, "components")
        for (place, turn), group in groupby(placed, key=lambda mesh: (mesh.place, mesh.turn)):
            same = list(group)
            frame = _frame(f"{Path(same[0].mesh).stem}_frame", "..", place, turn)
            frame.insert(0, _meshes(same))
            components.append(frame)
    body.append(_meshes([mesh for mesh in meshes if mesh not in placed]))
    add_wraps(body, (wrap for wrap in wraps if wrap.body == row.name))
    add_text(body, "mass", number_text(row.mass))
    add_text(body, "mass_center", numbers_text(row.com))
    add_text(body, "inertia", numbers_text(row.inertia))
    return body


def _meshes(rows: list[MeshRow]) -> ET.Element:
    attached = ET.Element("attached_geometry")
    for row in rows:
        mesh = ET.SubElement(attached, "Mesh", name=Path(row.mesh).stem)
        add_text(mesh, "socket_frame", "..")
        add_text(mesh, "scale_factors", numbers_text(row.scale))
        add_text(mesh, "mesh_file", row.mesh)
    return attached


def _frame(name: str, parent: str, place: Vec3, turn: Vec3) -> ET.Element:
    frame = ET.Element("PhysicalOffsetFrame", name=name)
    add_text(frame, "socket_parent", parent)
    add_text(frame, "translation", numbers_text(place))
    add_text(frame, "orientation", numbers_text(turn))
    return frame


def _joint(row: JointRow, tables: Tables) -> ET.Element:
    joint = ET.Element(row.type, name=row.name)
    add_text(joint, "socket_parent_frame", f"{row.parent}_offset")
    add_text(joint, "socket_child_frame", f"{row.child}_offset")
    own = [_coordinate(coordinate) for coordinate in tables.coordinates if coordinate.joint == row.name]
    if own:
        ET.SubElement(joint, "coordinates").extend(own)
    frames = ET.SubElement(joint, "frames")
    frames.append(_frame(f"{row.parent}_offset", body_path(row.parent), row.parent_place, row.parent_turn))
    frames.append(_frame(f"{row.child}_offset", body_path(row.child), row.child_place, row.child_turn))
    if row.type == "CustomJoint":
        axes = [_axis(axis, tables) for axis in tables.axes if axis.joint == row.name]
        ET.SubElement(joint, "SpatialTransform").extend(axes)
    return joint


def _coordinate(row: CoordinateRow) -> ET.Element:
    coordinate = ET.Element("Coordinate", name=row.name)
    add_text(coordinate, "default_value", number_text(row.default))
    add_text(coordinate, "range", numbers_text((row.low, row.high)))
    add_text(coordinate, "clamped", flag_text(row.clamped))
    add_text(coordinate, "locked", flag_text(row.locked))
    return coordinate


def _axis(row: AxisRow, tables: Tables) -> ET.Element:
    axis = ET.Element("TransformAxis", name=row.axis)
    add_text(axis, "coordinates", row.coordinate)
    add_text(axis, "axis", numbers_text(row.direction))
    if row.function == "linear":
        function = ET.SubElement(axis, "LinearFunction", name="function")
        add_text(function, "coefficients", f"{number_text(float(row.argument))} 0")
    elif row.function == "spline":
        function = ET.SubElement(axis, "SimmSpline", name="function")
        knots = tables.splines[row.argument]
        add_text(function, "x", numbers_text(x for x, _ in knots))
        add_text(function, "y", numbers_text(y for _, y in knots))
    else:
        function = ET.SubElement(axis, "Constant", name="function")
        add_text(function, "value", number_text(float(row.argument)))
    return axis


def _coupler(row: CouplerRow) -> ET.Element:
    coupler = ET.Element("CoordinateCouplerConstraint", name=row.name)
    add_text(coupler, "isEnforced", "true")
    line = ET.SubElement(ET.SubElement(coupler, "coupled_coordinates_function"), "LinearFunction")
    add_text(line, "coefficients", "1 0")
    add_text(coupler, "independent_coordinate_names", row.independent)
    add_text(coupler, "dependent_coordinate_name", row.dependent)
    add_text(coupler, "scale_factor", number_text(row.scale))
    return coupler


def _marker(row: MarkerRow) -> ET.Element:
    marker = ET.Element("Marker", name=row.name)
    add_text(marker, "socket_parent_frame", body_path(row.body))
    add_text(marker, "location", numbers_text(row.location))
    add_text(marker, "fixed", "false")
    return marker
