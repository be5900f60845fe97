"""Marker sets: reading them from files of their own, and models with other markers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from biopose_sim.errors import InputError, near_matches
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.kinematics.tree_builder import build_tree
from biopose_sim.osim.frames import FrameTable
from biopose_sim.osim.schema import GROUND, Frame, Marker
from biopose_sim.osim.xml import Element, flag, parse_document, read_bytes, text, vector, without_forces

_OLD_CONNECTEE = "connectors/Connector_PhysicalFrame_/connectee_name"


def read_marker_set(path: str | Path, model: OsimModel) -> tuple[Marker, ...]:
    """Read the markers of a MarkerSet file, old (``<body>``) or new (``<socket_parent_frame>``).

    Args:
        path: an OpenSim document with a MarkerSet, or a model file, of which the markers are taken.
        model: the model that the markers are meant for; their frames must be its.

    Returns:
        Markers in the file's order; locations are in their frames [m].

    Raises:
        InputError: no MarkerSet, markers that occur twice or hold no location, frames that the model lacks.
    """
    path = Path(path)
    root = parse_document(without_forces(read_bytes(path)), path)
    found = next((e for e in root.iter("MarkerSet") if e.find("objects") is not None), None)
    if found is None:
        raise InputError(path, "holds no <MarkerSet>", "a marker set file is needed")
    markers = []
    names: set[str] = set()
    for element in found.iterfind("objects/Marker"):
        name = element.get("name", "")
        if name in names:
            raise InputError(path, f"the marker {name!r} occurs twice", "names must be unique")
        if element.find("location") is None:
            raise InputError(path, f"the marker {name!r} has no <location>")
        names.add(name)
        frame = _frame(element, model, path)
        markers.append(Marker(name, frame, vector(element, "location", path), flag(element, "fixed")))
    return tuple(markers)


def _frame(element: Element, model: OsimModel, source: Path) -> Frame:
    socket = text(element, "socket_parent_frame") or text(element, "body") or text(element, _OLD_CONNECTEE)
    name = socket.rsplit("/", 1)[-1]
    if name == GROUND or name in model.body_names:
        return Frame(name)
    if model.path is not None and "/" in socket:
        root = parse_document(without_forces(read_bytes(model.path)), model.path).find("Model")
        if root is not None:
            table = FrameTable(root, list(model.body_names), source)
            return table.resolve(socket, f"marker {element.get('name')!r}")
    raise InputError(
        source,
        f"the marker {element.get('name')!r} is on {socket!r}, which is no body of the model {model.name!r}"
        + near_matches(name, model.body_names),
    )


def with_markers(model: OsimModel, markers: Iterable[Marker], replace_existing: bool = True) -> OsimModel:
    """Return the model with these markers besides its own.

    A marker of a name that the model has takes that one's place in the order; new ones follow at the end.

    Args:
        model: scaled or not.
        markers: located in their frames [m] as the model is now, scaled or not.
        replace_existing: False keeps the model's own where names are alike.

    Raises:
        InputError: a marker on a body that the model lacks, or names that repeat.
    """
    given: dict[str, Marker] = {}
    for marker in markers:
        if marker.name in given:
            raise InputError(model.name, f"the marker {marker.name!r} is given twice", "names must be unique")
        _check_body(model, marker)
        given[marker.name] = marker
    own = model.model.markers
    if not replace_existing:
        given = {name: m for name, m in given.items() if name not in model.marker_names}
    offsets = dict(zip(model.marker_names, model.marker_offsets))
    combined = [_as_in_file(model, given[m.name]) if m.name in given else m for m in own]
    combined += [_as_in_file(model, m) for name, m in given.items() if name not in model.marker_names]
    moved = [np.zeros(3) if m.name in given else offsets[m.name] for m in combined]
    return _rebuilt(model, tuple(combined), np.array(moved).reshape(-1, 3))


def keep_markers(model: OsimModel, names: Iterable[str]) -> OsimModel:
    """Return the model with only those of its markers that are named, in its own order.

    Raises:
        InputError: a name that the model lacks.
    """
    wanted = set(names)
    for name in sorted(wanted - set(model.marker_names)):
        near = near_matches(name, model.marker_names)
        raise InputError(model.path or model.name, f"has no marker {name!r}{near}")
    rows = [i for i, name in enumerate(model.marker_names) if name in wanted]
    return _rebuilt(model, tuple(model.model.markers[i] for i in rows), model.marker_offsets[rows])


def _check_body(model: OsimModel, marker: Marker) -> None:
    body = marker.frame.body
    if body != GROUND and body not in model.body_names:
        near = near_matches(body, model.body_names)
        problem = f"has no body {body!r} for the marker {marker.name!r}{near}"
        raise InputError(model.path or model.name, problem)


def _as_in_file(model: OsimModel, marker: Marker) -> Marker:
    """The marker as it would stand in the model's unscaled file."""
    body = marker.frame.body
    factors = np.ones(3) if body == GROUND else model.scales[model.body_names.index(body)]
    x, y, z = (float(v) for v in np.asarray(marker.location) / factors)
    return replace(marker, location=(x, y, z))


def _rebuilt(model: OsimModel, markers: tuple[Marker, ...], offsets: np.ndarray) -> OsimModel:
    schema = replace(model.model, markers=markers)
    scaled = build_tree(schema).scaled(model.scales, offsets)
    tree = replace(model.tree, model=schema, marker_body=scaled.marker_body, marker_matrix=scaled.marker_matrix)
    return OsimModel(tree, model.scales, offsets)
