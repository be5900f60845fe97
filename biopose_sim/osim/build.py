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

# The oldest document version with 4.x joints and frames: every OpenSim 4 opens it.
DOCUMENT_VERSION = "40000"
MODEL_NAME = "biopose_fullbody"
CREDITS = (
    "The biopose-sim developers. Lower limb, knee and ankle kinematics after Rajagopal et al. 2016; trunk, "
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
            ``splines.csv``, ``couplers.csv`` and ``geometry.csv``.
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
    return _document(_model(tables))


def _document(model: ET.Element) -> str:
    root = ET.Element("OpenSimDocument", Version=DOCUMENT_VERSION)
    root.append(model)
    ET.indent(root, "\t")
    return '<?xml version="1.0" encoding="UTF-8" ?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _model(tables: Tables) -> ET.Element:
    model = ET.Element("Model", name=MODEL_NAME)
    ET.SubElement(model, "Ground", name="ground")
    _text(model, "gravity", "0 -9.80665 0")
    _text(model, "credits", CREDITS)
    _text(model, "publications", PUBLICATIONS)
    _text(model, "length_units", "meters")
    _text(model, "force_units", "N")
    meshes = {body: list(rows) for body, rows in groupby(tables.meshes, key=lambda row: row.body)}
    _set(model, "BodySet", (_body(row, meshes.get(row.name, [])) for row in tables.segments))
    _set(model, "JointSet", (_joint(row, tables) for row in tables.joints))
    _set(model, "ConstraintSet", (_coupler(row) for row in tables.couplers))
    _set(model, "MarkerSet", (_marker(row) for row in tables.markers))
    return model


def _set(model: ET.Element, name: str, items: Iterable[ET.Element]) -> None:
    objects = ET.SubElement(ET.SubElement(model, name, name=name.lower()), "objects")
    objects.extend(items)


def _text(parent: ET.Element, tag: str, text: str) -> None:
    ET.SubElement(parent, tag).text = text


def _number(value: float) -> str:
    if value == int(value):
        return str(int(value))
    return repr(value)


def _numbers(values: Iterable[float]) -> str:
    return " ".join(_number(value) for value in values)


def _body(row: Segment, meshes: list[MeshRow]) -> ET.Element:
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
    _text(body, "mass", _number(row.mass))
    _text(body, "mass_center", _numbers(row.com))
    _text(body, "inertia", _numbers(row.inertia))
    return body


def _meshes(rows: list[MeshRow]) -> ET.Element:
    attached = ET.Element("attached_geometry")
    for row in rows:
        mesh = ET.SubElement(attached, "Mesh", name=Path(row.mesh).stem)
        _text(mesh, "socket_frame", "..")
        _text(mesh, "scale_factors", _numbers(row.scale))
        _text(mesh, "mesh_file", row.mesh)
    return attached


def _frame(name: str, parent: str, place: Vec3, turn: Vec3) -> ET.Element:
    frame = ET.Element("PhysicalOffsetFrame", name=name)
    _text(frame, "socket_parent", parent)
    _text(frame, "translation", _numbers(place))
    _text(frame, "orientation", _numbers(turn))
    return frame


def _body_path(name: str) -> str:
    return "/ground" if name == "ground" else f"/bodyset/{name}"


def _joint(row: JointRow, tables: Tables) -> ET.Element:
    joint = ET.Element(row.type, name=row.name)
    _text(joint, "socket_parent_frame", f"{row.parent}_offset")
    _text(joint, "socket_child_frame", f"{row.child}_offset")
    own = [_coordinate(coordinate) for coordinate in tables.coordinates if coordinate.joint == row.name]
    if own:
        ET.SubElement(joint, "coordinates").extend(own)
    frames = ET.SubElement(joint, "frames")
    frames.append(_frame(f"{row.parent}_offset", _body_path(row.parent), row.parent_place, row.parent_turn))
    frames.append(_frame(f"{row.child}_offset", _body_path(row.child), row.child_place, row.child_turn))
    if row.type == "CustomJoint":
        axes = [_axis(axis, tables) for axis in tables.axes if axis.joint == row.name]
        ET.SubElement(joint, "SpatialTransform").extend(axes)
    return joint


def _coordinate(row: CoordinateRow) -> ET.Element:
    coordinate = ET.Element("Coordinate", name=row.name)
    _text(coordinate, "default_value", _number(row.default))
    _text(coordinate, "range", _numbers((row.low, row.high)))
    _text(coordinate, "clamped", str(row.clamped).lower())
    _text(coordinate, "locked", str(row.locked).lower())
    return coordinate


def _axis(row: AxisRow, tables: Tables) -> ET.Element:
    axis = ET.Element("TransformAxis", name=row.axis)
    _text(axis, "coordinates", row.coordinate)
    _text(axis, "axis", _numbers(row.direction))
    if row.function == "linear":
        function = ET.SubElement(axis, "LinearFunction", name="function")
        _text(function, "coefficients", f"{_number(float(row.argument))} 0")
    elif row.function == "spline":
        function = ET.SubElement(axis, "SimmSpline", name="function")
        knots = tables.splines[row.argument]
        _text(function, "x", _numbers(x for x, _ in knots))
        _text(function, "y", _numbers(y for _, y in knots))
    else:
        function = ET.SubElement(axis, "Constant", name="function")
        _text(function, "value", _number(float(row.argument)))
    return axis


def _coupler(row: CouplerRow) -> ET.Element:
    coupler = ET.Element("CoordinateCouplerConstraint", name=row.name)
    _text(coupler, "isEnforced", "true")
    line = ET.SubElement(ET.SubElement(coupler, "coupled_coordinates_function"), "LinearFunction")
    _text(line, "coefficients", "1 0")
    _text(coupler, "independent_coordinate_names", row.independent)
    _text(coupler, "dependent_coordinate_name", row.dependent)
    _text(coupler, "scale_factor", _number(row.scale))
    return coupler


def _marker(row: MarkerRow) -> ET.Element:
    marker = ET.Element("Marker", name=row.name)
    _text(marker, "socket_parent_frame", _body_path(row.body))
    _text(marker, "location", _numbers(row.location))
    _text(marker, "fixed", "false")
    return marker
