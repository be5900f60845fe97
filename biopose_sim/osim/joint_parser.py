"""Joint elements to schema joints: every type becomes rotation and translation axes with functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from biopose_sim.errors import InputError, near_matches
from biopose_sim.osim import schema
from biopose_sim.osim.frames import FrameTable
from biopose_sim.osim.function_parser import check_arguments, held_function, parse_function
from biopose_sim.osim.xml import Element, flag, number, numbers, text, vector

X, Y, Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
IDENTITY = schema.LinearFunction((1.0, 0.0))
_NOTHING = schema.Constant(0.0)
_DEFAULT_RANGE = (-10.0, 10.0)
_LEAST_CROSS = 1e-5  # CustomJoint.cpp: the least norm of the cross product of two axes
_AXES = {f"{kind}{i}": axis for kind in ("rotation", "translation") for i, axis in ((1, X), (2, Y), (3, Z))}

# Per simple joint type: the axes of its rotations and of its translations, one coordinate each, in order.
_SIMPLE: dict[str, tuple[tuple[schema.Vec3, ...], tuple[schema.Vec3, ...]]] = {
    "WeldJoint": ((), ()),
    "PinJoint": ((Z,), ()),
    "SliderJoint": ((), (X,)),
    "UniversalJoint": ((X, Y), ()),
    "PlanarJoint": ((Z,), (X, Y)),
    "GimbalJoint": ((X, Y, Z), ()),
    "BallJoint": ((X, Y, Z), ()),
    "FreeJoint": ((X, Y, Z), (X, Y, Z)),
    "EllipsoidJoint": ((X, Y, Z), ()),
    "ScapulothoracicJoint": ((X, Y, Z, Y), ()),
}
SUPPORTED = ", ".join(["CustomJoint", *_SIMPLE])


def parse_joints(
    elements: list[tuple[str, Element]], frames: FrameTable, source: Path
) -> tuple[tuple[schema.Joint, ...], tuple[schema.Coordinate, ...]]:
    """Parse all joints with their coordinates, in the file's order.

    Args:
        elements: absolute path and element of each joint.
        frames: the frames that joints are attached to.
        source: the file, named in errors.

    Raises:
        InputError: a joint type, coordinate or function that is not supported, named with its joint.
    """
    joints: list[schema.Joint] = []
    coordinates: list[schema.Coordinate] = []
    for path, element in elements:
        joint = _joint(element, path, frames, source)
        joints.append(joint)
        items = {item.get("name", ""): item for item in element.iterfind("coordinates/Coordinate")}
        for name in joint.coordinates:
            item = items.get(name)
            coordinates.append(_coordinate(_ABSENT if item is None else item, name, joint, source))
    return tuple(joints), tuple(coordinates)


_ABSENT = Element("Coordinate")


def free_joints(
    bodies: Sequence[schema.Body], joints: Sequence[schema.Joint]
) -> tuple[tuple[schema.Joint, ...], tuple[schema.Coordinate, ...]]:
    """Joints with their coordinates for bodies that appear in none, as OpenSim adds and names them.

    A massless body gets none: OpenSim refuses it.
    """
    held = {frame.body for joint in joints for frame in (joint.parent, joint.child)}
    ground = schema.Frame(schema.GROUND)
    found, coordinates = [], []
    for body in bodies:
        if body.name not in held and body.mass > 0.0:
            name = f"free_{body.name}"
            axes = _simple_axes("FreeJoint", [f"{name}_coord_{i}" for i in range(6)])
            names = tuple(axis.coordinates[0] for axis in axes)
            frame = schema.Frame(body.name)
            joint = schema.Joint(name, "FreeJoint", ground, frame, names, tuple(axes[:3]), tuple(axes[3:]))
            found.append(joint)
            coordinates += [_coordinate(_ABSENT, n, joint, Path()) for n in names]
    return tuple(found), tuple(coordinates)


def _joint(element: Element, path: str, frames: FrameTable, source: Path) -> schema.Joint:
    kind, name = element.tag, element.get("name", "")
    if kind != "CustomJoint" and kind not in _SIMPLE:
        raise InputError(source, f"joint {name!r} is of type {kind}", f"supported are {SUPPORTED}")
    owner = f"joint {name!r}"
    parent = frames.resolve(text(element, "socket_parent_frame"), owner, path)
    child = frames.resolve(text(element, "socket_child_frame"), owner, path)
    if parent.body == child.body:
        raise InputError(source, f"{owner} connects {parent.body!r} to itself", "two bodies are needed")
    coordinates = tuple(c.get("name", "") for c in element.iterfind("coordinates/Coordinate"))
    build: Callable[..., dict[str, Any]] = _custom if kind == "CustomJoint" else _simple
    parts = build(element, name, coordinates, source)
    return schema.Joint(name, kind, parent, child, **parts)


def _in_axis_order(
    names: tuple[str, ...], axes: tuple[schema.TransformAxis, ...], joint: str, source: Path
) -> tuple[str, ...]:
    """OpenSim orders a CustomJoint's coordinates by their first axis (issue 3191) and adds absent ones."""
    ordered = tuple(dict.fromkeys(c for axis in axes for c in axis.coordinates))
    unused = [name for name in names if name not in ordered]
    if unused:
        problem = f"joint {joint!r} has the coordinate {unused[0]!r}, which moves none of its axes"
        raise InputError(source, problem + near_matches(unused[0], ordered))
    if not ordered:
        raise InputError(source, f"the CustomJoint {joint!r} has no coordinates", "use a WeldJoint")
    return ordered


def _simple(element: Element, name: str, coordinates: tuple[str, ...], source: Path) -> dict[str, Any]:
    rotation_axes, translation_axes = _SIMPLE[element.tag]
    needed = len(rotation_axes) + len(translation_axes)
    if not coordinates:
        coordinates = tuple(f"_coord_{i}" for i in range(needed))  # as OpenSim names them
    if len(coordinates) != needed:
        problem = f"the {element.tag} {name!r} has {len(coordinates)} coordinates"
        raise InputError(source, problem, f"{needed} are needed")
    axes = _simple_axes(element.tag, coordinates)
    n = len(rotation_axes)
    extra: dict[str, Any] = {"coordinates": coordinates}
    if element.tag == "EllipsoidJoint":
        extra["radii"] = _radii(element, "radii_x_y_z", name, source)
    if element.tag == "ScapulothoracicJoint":
        extra["radii"] = _radii(element, "thoracic_ellipsoid_radii_x_y_z", name, source)
        origin = numbers(element, "scapula_winging_axis_origin", source, (0.0, 0.0))
        if len(origin) != 2:
            raise InputError(
                source,
                f"<scapula_winging_axis_origin> of {name!r} has {len(origin)} numbers",
                "two are needed",
            )
        extra["winging"] = (*origin, number(element, "scapula_winging_axis_direction", source, 0.0))
    return {"rotations": tuple(axes[:n]), "translations": tuple(axes[n:]), **extra}


def _simple_axes(kind: str, coordinates: Sequence[str]) -> list[schema.TransformAxis]:
    rotation_axes, translation_axes = _SIMPLE[kind]
    return [
        schema.TransformAxis(axis, (coordinate,), IDENTITY, scales=False)
        for axis, coordinate in zip((*rotation_axes, *translation_axes), coordinates)
    ]


def _radii(element: Element, tag: str, name: str, source: Path) -> schema.Vec3:
    if not text(element, tag):
        raise InputError(source, f"the {element.tag} {name!r} has no <{tag}>", "three radii are needed")
    return vector(element, tag, source)


def _custom(element: Element, name: str, coordinates: tuple[str, ...], source: Path) -> dict[str, Any]:
    spatial = element.find("SpatialTransform")
    found = {} if spatial is None else {axis.get("name", ""): axis for axis in spatial.iterfind("TransformAxis")}
    axes = tuple(
        _transform_axis(found[label], f"axis {label} of joint {name!r}", source)
        if label in found
        else schema.TransformAxis(default, (), _NOTHING)
        for label, default in _AXES.items()
    )
    for group in (axes[:3], axes[3:]):
        _refuse_collinear(group, name, source)
    ordered = _in_axis_order(coordinates, axes, name, source)
    return {"coordinates": ordered, "rotations": axes[:3], "translations": axes[3:]}


def _refuse_collinear(axes: tuple[schema.TransformAxis, ...], joint: str, source: Path) -> None:
    """OpenSim refuses such joints, also when an axis does not move."""
    for i, j in ((0, 1), (0, 2), (1, 2)):
        (a, b, c), (d, e, f) = axes[i].axis, axes[j].axis
        if math.hypot(b * f - c * e, c * d - a * f, a * e - b * d) < _LEAST_CROSS:
            raise InputError(
                source, f"the CustomJoint {joint!r} has collinear axes", "its axes must differ in direction"
            )


def _transform_axis(element: Element, owner: str, source: Path) -> schema.TransformAxis:
    names = tuple(text(element, "coordinates").split())
    axis = vector(element, "axis", source, X)
    function = _axis_function(element, names, owner, source)
    # A free translation (slope 1, no intercept) is a degree of freedom and does not grow with the body.
    free = isinstance(function, schema.LinearFunction) and function.coefficients[:2] == (1.0, 0.0)
    return schema.TransformAxis(axis, names, function, scales=not free)


def _axis_function(element: Element, names: tuple[str, ...], owner: str, source: Path) -> schema.Function:
    """An absent function is OpenSim's default, Constant 0; an empty one means the coordinate itself."""
    node = held_function(element)
    if node is not None:
        function = parse_function(node, owner, source)
        check_arguments(function, len(names), owner, source)
        return function
    if element.find("function") is None or not names:
        return _NOTHING
    if len(names) > 1:
        raise InputError(source, f"{owner} names several coordinates but no function", "give it a function of them")
    return IDENTITY


def _coordinate(element: Element, name: str, joint: schema.Joint, source: Path) -> schema.Coordinate:
    kind = _motion_type(joint, name)
    low_high = numbers(element, "range", source, _DEFAULT_RANGE, unbounded=True)
    if len(low_high) != 2 or not low_high[0] <= low_high[1]:
        raise InputError(source, f"the range of coordinate {name!r} is {low_high}", "lowest and highest are needed")
    prescribed_function = element.find("prescribed_function")
    return schema.Coordinate(
        name=name,
        joint=joint.name,
        motion_type=kind,
        default=number(element, "default_value", source, 0.0),
        range=(low_high[0], low_high[1]),
        clamped=flag(element, "clamped", False),
        locked=flag(element, "locked", False),
        prescribed=flag(element, "prescribed", False)
        and prescribed_function is not None
        and len(prescribed_function) > 0,
    )


def _motion_type(joint: schema.Joint, name: str) -> schema.MotionType:
    """OpenSim's rule: pure along the last axis whose linear slope is +-1; else a coordinate is coupled."""
    kind: schema.MotionType = "coupled"
    groups: tuple[tuple[schema.MotionType, tuple[schema.TransformAxis, ...]], ...] = (
        ("rotational", joint.rotations),
        ("translational", joint.translations),
    )
    for pure, axes in groups:
        for axis in axes:
            # OpenSim looks at the first slope only, also for a function of several coordinates.
            f = axis.function
            if name in axis.coordinates and isinstance(f, schema.LinearFunction) and abs(f.coefficients[0]) == 1.0:
                kind = pure
    return kind
