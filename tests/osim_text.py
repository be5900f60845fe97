"""Small .osim files as text, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def numbers(values: Sequence[float]) -> str:
    return " ".join(f"{float(v)!r}" for v in values)


def constant(value: float) -> str:
    return f"<Constant><value>{value}</value></Constant>"


def linear(*coefficients: float) -> str:
    return f"<LinearFunction><coefficients>{numbers(coefficients)}</coefficients></LinearFunction>"


def polynomial(*coefficients: float) -> str:
    return f"<PolynomialFunction><coefficients>{numbers(coefficients)}</coefficients></PolynomialFunction>"


def points(kind: str, x: Sequence[float], y: Sequence[float], more: str = "") -> str:
    return f"<{kind}>{more}<x>{numbers(x)}</x><y>{numbers(y)}</y></{kind}>"


def gcv_spline(half_order: int, x: Sequence[float], y: Sequence[float], more: str = "") -> str:
    return points("GCVSpline", x, y, f"<half_order>{half_order}</half_order>{more}")


def multiplier(scale: float, function: str) -> str:
    return f"<MultiplierFunction><function>{function}</function><scale>{scale}</scale></MultiplierFunction>"


def sine(amplitude: float, omega: float, phase: float, offset: float) -> str:
    return (
        f"<Sine><amplitude>{amplitude}</amplitude><omega>{omega}</omega>"
        f"<phase>{phase}</phase><offset>{offset}</offset></Sine>"
    )


def step(start: float, end: float, start_value: float, end_value: float) -> str:
    return (
        f"<StepFunction><transition_start_time>{start}</transition_start_time><transition_end_time>{end}</transition_end_time>"
        f"<start_value>{start_value}</start_value><end_value>{end_value}</end_value></StepFunction>"
    )


def coordinate(name: str, low: float = -1.5, high: float = 1.5, more: str = "") -> str:
    return f'<Coordinate name="{name}"><range>{low} {high}</range>{more}</Coordinate>'


def offset_frame(
    name: str, parent: str, translation: Sequence[float] = (0, 0, 0), orientation: Sequence[float] = (0, 0, 0)
) -> str:
    return (
        f'<PhysicalOffsetFrame name="{name}"><socket_parent>{parent}</socket_parent>'
        f"<translation>{numbers(translation)}</translation>"
        f"<orientation>{numbers(orientation)}</orientation></PhysicalOffsetFrame>"
    )


def joint(
    kind: str,
    name: str,
    parent: str,
    child: str,
    coordinates: Sequence[str] = (),
    more: str = "",
    offsets: bool = True,
) -> str:
    """A joint between two bodies (absolute paths), with rotated offset frames unless ``offsets`` is false."""
    frames = ""
    if offsets:
        frames = (
            "<frames>"
            + offset_frame(f"{name}_in_parent", parent, (0.1, -0.2, 0.05), (0.2, -0.1, 0.4))
            + offset_frame(f"{name}_in_child", child, (-0.03, 0.15, 0.02), (-0.3, 0.25, 0.1))
            + "</frames>"
        )
        parent, child = f"{name}_in_parent", f"{name}_in_child"
    listed = "<coordinates>" + "".join(coordinates) + "</coordinates>" if coordinates else ""
    return (
        f'<{kind} name="{name}"><socket_parent_frame>{parent}</socket_parent_frame>'
        f"<socket_child_frame>{child}</socket_child_frame>{listed}{frames}{more}</{kind}>"
    )


def axis(label: str, direction: Sequence[float], names: str = "", function: str | None = None) -> str:
    body = f"<coordinates>{names}</coordinates><axis>{numbers(direction)}</axis>"
    body += f"<function>{function or constant(0.0)}</function>"
    return f'<TransformAxis name="{label}">{body}</TransformAxis>'


_DEFAULT_AXES = {
    "rotation1": (1, 0, 0),
    "rotation2": (0, 1, 0),
    "rotation3": (0, 0, 1),
    "translation1": (1, 0, 0),
    "translation2": (0, 1, 0),
    "translation3": (0, 0, 1),
}


def spatial(axes: dict[str, str]) -> str:
    """A SpatialTransform with the given axes; the others do not move."""
    listed = (axes.get(label) or axis(label, direction) for label, direction in _DEFAULT_AXES.items())
    return "<SpatialTransform>" + "".join(listed) + "</SpatialTransform>"


def one_function_joint(name: str, parent: str, child: str, function: str, low: float = -1.5, high: float = 1.5) -> str:
    """A CustomJoint whose function drives one rotation and one slanted translation by one coordinate."""
    axes = {
        "rotation2": axis("rotation2", (0.1, 0.9, -0.3), f"{name}_q", function),
        "translation1": axis("translation1", (0.8, 0.6, 0.0), f"{name}_q", function),
    }
    return joint("CustomJoint", name, parent, child, [coordinate(f"{name}_q", low, high)], spatial(axes))


def coupler(name: str, dependent: str, independents: str, function: str, scale: float = 1.0, more: str = "") -> str:
    return (
        f'<CoordinateCouplerConstraint name="{name}">{more}'
        f"<coupled_coordinates_function>{function}</coupled_coordinates_function>"
        f"<independent_coordinate_names>{independents}</independent_coordinate_names>"
        f"<dependent_coordinate_name>{dependent}</dependent_coordinate_name>"
        f"<scale_factor>{scale}</scale_factor></CoordinateCouplerConstraint>"
    )


def marker(name: str, frame: str, location: Sequence[float]) -> str:
    return (
        f'<Marker name="{name}"><socket_parent_frame>{frame}</socket_parent_frame>'
        f"<location>{numbers(location)}</location></Marker>"
    )


def body(name: str, more: str = "") -> str:
    return (
        f'<Body name="{name}"><mass>1</mass><mass_center>0 0 0</mass_center>'
        f"<inertia>0.1 0.1 0.1 0 0 0</inertia>{more}</Body>"
    )


def document(
    joints: Sequence[str],
    bodies: Sequence[str],
    markers: Sequence[str] = (),
    constraints: Sequence[str] = (),
    components: Sequence[str] = (),
    version: str = "40600",
) -> str:
    """An .osim document; bodies are names or <Body> elements; every body gets a marker of its own."""
    elements = [b if b.startswith("<") else body(b) for b in bodies]
    names = [b.split('"')[1] if b.startswith("<") else b for b in bodies]
    own = [marker(f"m_{n}", f"/bodyset/{n}", (0.11, -0.07 * (i + 1), 0.05)) for i, n in enumerate(names)]

    def listed(tag: str, items: Sequence[str]) -> str:
        return f'<{tag} name="{tag.lower()}"><objects>{"".join(items)}</objects></{tag}>'

    return (
        f'<?xml version="1.0" encoding="UTF-8" ?>\n<OpenSimDocument Version="{version}"><Model name="small">'
        '<Ground name="ground"></Ground>'
        + (f"<components>{''.join(components)}</components>" if components else "")
        + listed("BodySet", elements)
        + listed("JointSet", joints)
        + listed("ConstraintSet", constraints)
        + listed("MarkerSet", [*own, *markers])
        + "</Model></OpenSimDocument>"
    )


def write(folder: Path, text: str, name: str = "small.osim") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path
