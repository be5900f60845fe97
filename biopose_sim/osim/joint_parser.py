"""Joint elements to schema joints: every type becomes rotation and translation axes with functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from biopose_sim.errors import InputError, near_matches
from biopose_sim.osim import schema
from biopose_sim.osim.frames import FrameTable
from biopose_sim.osim.function_parser import parse_function
from biopose_sim.osim.xml import Element, flag, number, numbers, text, vector

X, Y, Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
IDENTITY = schema.LinearFunction((1.0, 0.0))
_DEFAULT_RANGE = (-10.0, 10.0)

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
    elements: list[Element], frames: FrameTable, source: Path
) -> tuple[tuple[schema.Joint, ...], tuple[schema.Coordinate, ...]]:
    """Parse all joints with their coordinates, in the file's order.

    Raises:
        InputError: a joint type, coordinate or function that is not supported, named with its joint.
    """
    joints: list[schema.Joint] = []
    coordinates: list[schema.Coordinate] = []
    for element in elements:
        joint = _joint(element, frames, source)
        joints.append(joint)
        items = {item.get("name", ""): item for item in element.findall("coordinates/Coordinate")}
        coordinates.extend(_coordinate(items[name], joint, source) for name in joint.coordinates)
    return tuple(joints), tuple(coordinates)


def _joint(element: Element, frames: FrameTable, source: Path) -> schema.Joint:
    kind, name = element.tag, element.get("name", "")
    if kind != "CustomJoint" and kind not in _SIMPLE:
        raise InputError(source, f"joint {name!r} is of type {kind}", f"supported are {SUPPORTED}")
    path = f"/jointset/{name}"
    parent = _socket(element, "socket_parent_frame", frames, name, path)
    child = _socket(element, "socket_child_frame", frames, name, path)
    coordinates = tuple(c.get("name", "") for c in element.findall("coordinates/Coordinate"))
    build: Callable[..., dict] = _custom if kind == "CustomJoint" else _simple
    parts = build(element, name, coordinates, source)
    if kind == "CustomJoint":
        coordinates = _in_axis_order(coordinates, (*parts["rotations"], *parts["translations"]), name, source)
    return schema.Joint(name, kind, parent, child, coordinates, **parts)


def _in_axis_order(
    names: tuple[str, ...], axes: tuple[schema.TransformAxis, ...], joint: str, source: Path
) -> tuple[str, ...]:
    """OpenSim orders the coordinates of a CustomJoint by their first axis (its issue 3191)."""
    ordered = tuple(dict.fromkeys(c for axis in axes for c in axis.coordinates))
    unused = [name for name in names if name not in ordered]
    if unused:
        raise InputError(source, f"joint {joint!r} has the coordinate {unused[0]!r}, which moves none of its axes")
    return ordered


def _socket(element: Element, tag: str, frames: FrameTable, name: str, path: str) -> schema.Frame:
    socket = text(element, tag)
    own = {f.get("name") for f in element.findall("frames/PhysicalOffsetFrame")}
    if socket in own:
        socket = f"{path}/{socket}"
    return frames.resolve(socket, f"joint {name!r}", path)


def _simple(element: Element, name: str, coordinates: tuple[str, ...], source: Path) -> dict:
    rotation_axes, translation_axes = _SIMPLE[element.tag]
    needed = len(rotation_axes) + len(translation_axes)
    if len(coordinates) != needed:
        raise InputError(
            source, f"the {element.tag} {name!r} has {len(coordinates)} coordinates", f"{needed} are needed"
        )
    axes = [
        schema.TransformAxis(axis, (coordinate,), IDENTITY, scales=False)
        for axis, coordinate in zip((*rotation_axes, *translation_axes), coordinates)
    ]
    n = len(rotation_axes)
    extra: dict = {}
    if element.tag == "EllipsoidJoint":
        extra["radii"] = vector(element, "radii_x_y_z", source)
    if element.tag == "ScapulothoracicJoint":
        extra["radii"] = vector(element, "thoracic_ellipsoid_radii_x_y_z", source)
        origin = numbers(element, "scapula_winging_axis_origin", source, (0.0, 0.0))
        extra["winging"] = (origin[0], origin[1], number(element, "scapula_winging_axis_direction", source, 0.0))
    return {"rotations": tuple(axes[:n]), "translations": tuple(axes[n:]), **extra}


def _custom(element: Element, name: str, coordinates: tuple[str, ...], source: Path) -> dict:
    spatial = element.find("SpatialTransform")
    found = {} if spatial is None else {axis.get("name", ""): axis for axis in spatial.findall("TransformAxis")}
    expected = [f"{kind}{i}" for kind in ("rotation", "translation") for i in (1, 2, 3)]
    if not set(expected) <= set(found):
        raise InputError(source, f"the CustomJoint {name!r} lacks axes of its SpatialTransform", "six are needed")
    axes = [_transform_axis(found[label], label, name, coordinates, source) for label in expected]
    for group in (axes[:3], axes[3:]):
        if any(math.hypot(*axis.axis) < 1e-12 for axis in group):
            raise InputError(source, f"the CustomJoint {name!r} has an axis of length zero")
    return {"rotations": tuple(axes[:3]), "translations": tuple(axes[3:])}


def _transform_axis(
    element: Element, label: str, joint: str, coordinates: tuple[str, ...], source: Path
) -> schema.TransformAxis:
    owner = f"axis {label} of joint {joint!r}"
    names = tuple(text(element, "coordinates").split())
    for name in names:
        if name not in coordinates:
            raise InputError(
                source, f"{owner} names the coordinate {name!r}, which the joint lacks" + near_matches(name, coordinates)
            )
    axis = vector(element, "axis", source, X)
    function = _axis_function(element, names, owner, source)
    # A free translation (slope 1, no intercept) is a degree of freedom and does not grow with the body.
    free = isinstance(function, schema.LinearFunction) and function.coefficients[:2] == (1.0, 0.0)
    return schema.TransformAxis(axis, names, function, scales=not free)


def _axis_function(element: Element, names: tuple[str, ...], owner: str, source: Path) -> schema.Function:
    holder = element.find("function")
    node = holder[0] if holder is not None and len(holder) else None
    if node is None:
        node = next((child for child in element if child.get("name") == "function"), None)
    if node is None:
        if len(names) > 1:
            raise InputError(source, f"{owner} names several coordinates but no function")
        return IDENTITY if names else schema.Constant(0.0)
    function = parse_function(node, owner, source)
    _check_arguments(function, len(names), owner, source)
    return function


def _check_arguments(function: schema.Function, count: int, owner: str, source: Path) -> None:
    while isinstance(function, schema.MultiplierFunction):
        function = function.function
    if isinstance(function, schema.Constant):
        return
    expected = len(function.coefficients) - 1 if isinstance(function, schema.LinearFunction) else 1
    if count != expected:
        raise InputError(
            source,
            f"{owner} gives {count} coordinates to a {type(function).__name__} of {expected} arguments",
        )


def _coordinate(element: Element, joint: schema.Joint, source: Path) -> schema.Coordinate:
    name = element.get("name", "")
    kind = _motion_type(joint, name)
    low_high = numbers(element, "range", source, _DEFAULT_RANGE)
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
            if name in axis.coordinates and isinstance(axis.function, schema.LinearFunction):
                # OpenSim looks at the first slope only, also for a function of several coordinates.
                if abs(axis.function.coefficients[0]) == 1.0:
                    kind = pure
    return kind
