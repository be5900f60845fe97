"""From an .osim file to :class:`biopose_sim.osim.schema.Model`. Needs no OpenSim for current files."""

from __future__ import annotations

from pathlib import Path

from biopose_sim.errors import InputError, near_matches
from biopose_sim.osim import schema
from biopose_sim.osim.defaults import apply_defaults
from biopose_sim.osim.frames import FrameTable
from biopose_sim.osim.function_parser import check_arguments, held_function, parse_function
from biopose_sim.osim.joint_parser import free_joints, parse_joints
from biopose_sim.osim.xml import (
    Element,
    flag,
    number,
    numbers,
    objects,
    parse_kinematics,
    read_bytes,
    text,
    vector,
)

FIRST_READABLE_VERSION = 40000
_COUPLER = "CoordinateCouplerConstraint"


def read_osim(path: str | Path) -> schema.Model:
    """Read an OpenSim model file of any version.

    Files older than OpenSim 4 are upgraded by OpenSim itself in a process of its own, when it is installed.

    Raises:
        InputError: missing, cut off or foreign file; unknown joint or function type (named with its joint).
    """
    path = Path(path)
    data = read_bytes(path)
    root = parse_kinematics(data, path)
    version = _version(root, path)
    if version < FIRST_READABLE_VERSION:
        from biopose_sim.osim.upgrade import upgraded_document

        root = parse_kinematics(upgraded_document(path, version), path)
    return parse_model(root, path, version)


def parse_model(root: Element, source: Path, version: int) -> schema.Model:
    """Build the model from a parsed document of version 4 or later.

    Raises:
        InputError: as :func:`read_osim`.
    """
    model = root.find("Model")
    if model is None:
        raise InputError(source, "holds no <Model>", "an .osim model file is needed")
    apply_defaults(model)
    components = list(model.find("components") or ())
    bodies = tuple(_body(e, source) for _, e in _members(model, components, "BodySet", "Body"))
    _refuse_duplicates([b.name for b in bodies], "body", source)
    frames = FrameTable(model, [b.name for b in bodies], source)
    joints, coordinates = parse_joints(_members(model, components, "JointSet", "Joint"), frames, source)
    free, free_coordinates = free_joints(bodies, joints)
    joints, coordinates = (*joints, *free), (*coordinates, *free_coordinates)
    _refuse_duplicates([j.name for j in joints], "joint", source)
    _refuse_duplicates([c.name for c in coordinates], "coordinate", source)
    couplers, loops, off = _constraints(model, components, {c.name for c in coordinates}, source)
    markers = tuple(_marker(e, path, frames, source) for path, e in _members(model, components, "MarkerSet", "Marker"))
    _refuse_duplicates([m.name for m in markers], "marker", source)
    return schema.Model(
        model.get("name", source.stem),
        source,
        version,
        bodies,
        joints,
        coordinates,
        couplers,
        markers,
        loops,
        off,
        tuple(frames.station_frames.items()),
        tuple(_notes_on(free)),
    )


def _notes_on(free: tuple[schema.Joint, ...]) -> list[str]:
    return [
        f"no joint holds the body {joint.child.body}: it gets the FreeJoint {joint.name}, as in OpenSim, whose tools "
        "may refuse such a file (a model that biopose writes has the joint)"
        for joint in free
    ]


def _members(model: Element, components: list[Element], set_tag: str, ending: str) -> list[tuple[str, Element]]:
    """Absolute paths and elements of a set and of the model's loose components of the same kind."""
    folder = f"/{set_tag.lower()}/"
    found = [(folder + e.get("name", ""), e) for e in objects(model, set_tag)]
    loose = [(f"/{e.get('name', '')}", e) for e in components]
    return [(path, e) for path, e in found if set_tag == "JointSet" or e.tag == ending] + [
        (path, e) for path, e in loose if e.tag.endswith(ending)
    ]


def _version(root: Element, source: Path) -> int:
    value = root.get("Version", "")
    if not value.isdigit():
        raise InputError(source, f"Version={value!r} is not an OpenSim document version")
    return int(value)


def _refuse_duplicates(names: list[str], kind: str, source: Path) -> None:
    seen: set[str] = set()
    for name in names:
        if not name:
            raise InputError(source, f"a {kind} has no name", "every one needs a name")
        if name in seen:
            raise InputError(source, f"the {kind} {name!r} occurs twice", "names must be unique")
        seen.add(name)


def _body(element: Element, source: Path) -> schema.Body:
    inertia = numbers(element, "inertia", source, (0.0,) * 6)
    if len(inertia) != 6:
        raise InputError(source, f"<inertia> of {element.get('name')!r} has {len(inertia)} numbers", "six are needed")
    return schema.Body(
        element.get("name", ""),
        number(element, "mass", source, 0.0),
        vector(element, "mass_center", source),
        inertia,
    )


def _marker(element: Element, path: str, frames: FrameTable, source: Path) -> schema.Marker:
    name = element.get("name", "")
    frame = frames.resolve(text(element, "socket_parent_frame"), f"marker {name!r}", path)
    return schema.Marker(name, frame, vector(element, "location", source), flag(element, "fixed"))


def _constraints(
    model: Element, components: list[Element], coordinates: set[str], source: Path
) -> tuple[tuple[schema.CoordinateCoupler, ...], tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    couplers, loops, off = [], [], []
    found = [*objects(model, "ConstraintSet"), *(c for c in components if c.tag.endswith("Constraint"))]
    for element in found:
        name = element.get("name", "")
        if not flag(element, "isEnforced", True):
            off.append((element.tag, name))
        elif element.tag == _COUPLER:
            couplers.append(_coupler(element, coordinates, source))
        else:
            loops.append((element.tag, name))
    return tuple(couplers), tuple(loops), tuple(off)


def _coupler(element: Element, coordinates: set[str], source: Path) -> schema.CoordinateCoupler:
    name = element.get("name", "")
    independents = tuple(text(element, "independent_coordinate_names").split())
    dependent = text(element, "dependent_coordinate_name")
    for coordinate in (*independents, dependent):
        if coordinate not in coordinates:
            raise InputError(
                source,
                f"coupler {name!r} names the coordinate {coordinate!r}, which no joint has"
                + near_matches(coordinate, coordinates),
            )
    node = held_function(element, "coupled_coordinates_function")
    if node is None:
        raise InputError(source, f"coupler {name!r} has no function", "give it a coupled_coordinates_function")
    function = parse_function(node, f"coupler {name!r}", source)
    check_arguments(function, len(independents), f"coupler {name!r}", source)
    return schema.CoordinateCoupler(
        name, dependent, independents, function, number(element, "scale_factor", source, 1.0)
    )
