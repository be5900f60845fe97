"""What a model holds, and what forward kinematics will and will not do with it (``biopose info``)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from biopose_sim.osim import schema
from biopose_sim.osim.force_counts import count_forces
from biopose_sim.osim.ranges import floating_rotations

if TYPE_CHECKING:
    from biopose_sim.kinematics.model import OsimModel

UNITS: dict[str, str] = {"rotational": "deg", "translational": "m", "coupled": "raw"}
_CLAMP_TOLERANCE = 1.5e-8  # OpenSim's SqrtEps


def describe(model: OsimModel) -> str:
    """Return the summary of a model as text for people."""
    facts = summary(model)
    free = facts["free_coordinates"]
    lines = [
        f"{facts['name']} ({facts['file']}, version {facts['version']})",
        f"{_count(facts['bodies'], 'body', 'bodies')}, {_count(facts['coordinates'], 'coordinate')} "
        f"({len(free)} free), {_count(facts['couplers'], 'coupler')}, {facts['n_markers']} markers"
        + "".join(f", {count} {kind[:-1] if count == 1 else kind}" for kind, count in facts["forces"].items() if count),
        "",
        "Bodies",
        *_table(
            (b["name"], f"on {b['parent']}", f"by {b['joint']} ({b['joint_type']})", _markers_of(b))
            for b in facts["bodies"]
        ),
        "",
        "Coordinates (deg for rotations, m for translations, raw where one is neither; clamped: stays in its range)",
        *_table(
            (
                c["name"],
                f"{c['range'][0]:g} .. {c['range'][1]:g} {c['unit']}",
                f"default {c['default']:g}",
                c["state"],
            )
            for c in facts["coordinates"]
        ),
    ]
    sections: tuple[tuple[str, Sequence[str]], ...] = (
        ("Couplers", [c["formula"] for c in facts["couplers"]]),
        ("Markers on ground", facts["markers_on_ground"]),
        ("Forward kinematics", facts["kinematics"]),
        ("Warnings", facts["warnings"]),
    )
    for title, items in sections:
        if items:
            lines += ["", title, *(f"  {item}" for item in items)]
    return "\n".join(lines) + "\n"


def summary(model: OsimModel) -> dict[str, Any]:
    """Return the same as plain data for JSON: degrees for rotational coordinates, else m or raw units."""
    file = model.model
    dependent = {c.dependent for c in file.couplers}
    markers = _markers_by_body(file)
    return {
        "name": file.name,
        "file": str(file.path or ""),
        "version": file.version,
        "bodies": [_body(body, file, markers) for body in file.bodies],
        "coordinates": [_coordinate(c, dependent) for c in file.coordinates],
        "free_coordinates": [c.name for c in file.coordinates if not c.locked and c.name not in dependent],
        "couplers": [_coupler(c) for c in file.couplers],
        "n_markers": len(file.markers),
        "forces": count_forces(file.path),
        "markers_on_ground": markers.get(schema.GROUND, []),
        "loop_constraints": [list(c) for c in file.loop_constraints],
        "disabled_constraints": [list(c) for c in file.off_constraints],
        "kinematics": _kinematics(file, dependent),
        "warnings": _warnings(file, dependent),
    }


def _markers_by_body(file: schema.Model) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for marker in file.markers:
        found.setdefault(marker.frame.body, []).append(marker.name)
    return found


def _body(body: schema.Body, file: schema.Model, markers: dict[str, list[str]]) -> dict[str, Any]:
    joint = next((j for j in file.joints if j.child.body == body.name), None)
    joint = joint or next(j for j in file.joints if j.parent.body == body.name)
    other = joint.parent.body if joint.child.body == body.name else joint.child.body
    return {
        "name": body.name,
        "mass": body.mass,
        "parent": other,
        "joint": joint.name,
        "joint_type": joint.type,
        "markers": markers.get(body.name, []),
    }


def _coordinate(coordinate: schema.Coordinate, dependent: set[str]) -> dict[str, Any]:
    factor = 180.0 / math.pi if coordinate.motion_type == "rotational" else 1.0
    flags = {
        "clamped": coordinate.clamped,
        "locked": coordinate.locked,
        "dependent": coordinate.name in dependent,
        "prescribed": coordinate.prescribed,
    }
    return {
        "name": coordinate.name,
        "joint": coordinate.joint,
        "motion_type": coordinate.motion_type,
        "unit": UNITS[coordinate.motion_type],
        "range": [round(v * factor, 9) for v in coordinate.range],
        "default": round(coordinate.default * factor, 9),
        **flags,
        "state": ", ".join(name for name, on in flags.items() if on) or "free",
    }


def _coupler(coupler: schema.CoordinateCoupler) -> dict[str, Any]:
    function = function_text(coupler.function, coupler.independents)
    scale = "" if coupler.scale == 1.0 else f"{coupler.scale:g} * "
    return {
        "name": coupler.name,
        "dependent": coupler.dependent,
        "independents": list(coupler.independents),
        "scale": coupler.scale,
        "function": type(coupler.function).__name__,
        "formula": f"{coupler.dependent} = {scale}{function}",
    }


def function_text(function: schema.Function, names: Sequence[str]) -> str:
    """One line of what a function of the named coordinates computes."""
    match function:
        case schema.Constant(value):
            return f"{value:g}"
        case schema.LinearFunction(coefficients):
            *slopes, intercept = coefficients
            terms = [name if slope == 1.0 else f"{slope:g} * {name}" for slope, name in zip(slopes, names)]
            terms += [f"{intercept:g}"] if intercept else []
            added = " + ".join(terms).replace("+ -", "- ")
            return added if len(terms) == 1 else f"({added})"
        case schema.MultiplierFunction(scale, inner):
            return f"{scale:g} * {function_text(inner, names)}"
        case schema.SimmSpline(x=x) | schema.PiecewiseLinearFunction(x=x) | schema.GCVSpline(x=x):
            return f"{type(function).__name__} of {len(x)} points ({', '.join(names)})"
    return f"{type(function).__name__}({', '.join(names)})"


def _kinematics(file: schema.Model, dependent: set[str]) -> list[str]:
    """What forward kinematics does with the model, and what it leaves out."""
    said = []
    if dependent:
        said.append(f"computes {_listed(sorted(dependent))} from couplers")
    locked = [c.name for c in file.coordinates if c.locked and c.name not in dependent]
    if locked:
        said.append(f"holds {_listed(locked)} at the default, because locked")
    if file.loop_constraints:
        names = [f"{name} ({kind})" for kind, name in file.loop_constraints]
        said.append(f"ignores the {_constraints(names)}: the joints alone make a tree")
    if file.off_constraints:
        names = [f"{name} ({kind})" for kind, name in file.off_constraints]
        said.append(f"ignores the {_constraints(names)}, switched off in the file")
    if file.station_frames:
        frames = [f"{path} (on {body})" for path, body in file.station_frames]
        said.append(
            f"takes the frames {_listed(frames)} from their stations, and keeps their orientation where a body is "
            "scaled by factors that differ between its axes, which OpenSim does not"
        )
    prescribed = [c.name for c in file.coordinates if c.prescribed]
    if prescribed:
        said.append(f"ignores the prescribed motion of {_listed(prescribed)}: they are coordinates like others")
    return said


def _warnings(file: schema.Model, dependent: set[str]) -> list[str]:
    said = list(file.notes)
    for c in file.coordinates:
        low, high = c.range[0] - _CLAMP_TOLERANCE, c.range[1] + _CLAMP_TOLERANCE
        if c.clamped and not low < c.default < high:
            said.append(
                f"the default of {c.name} ({c.default:g}) lies outside of its clamped range "
                f"({c.range[0]:g} .. {c.range[1]:g}): OpenSim refuses to open the model"
            )
        elif not c.range[0] <= c.default <= c.range[1]:
            span = f"{c.range[0]:g} .. {c.range[1]:g}"
            said.append(f"the default of {c.name} ({c.default:g}) lies outside of its range ({span})")
        if c.locked and c.name in dependent:
            said.append(f"{c.name} is locked and computed by a coupler: the coupler is what counts here")
    on_ground = sum(marker.frame.body == schema.GROUND for marker in file.markers)
    if on_ground:
        said.append(f"markers fixed to ground: {on_ground}; they do not move with the person")
    if not file.markers:
        said.append("the model has no markers, which inverse kinematics needs: give a marker set (--markers)")
    return said + _limits(file)


def _limits(file: schema.Model) -> list[str]:
    """What OpenSim will not do with the model, where that surprises."""
    by_name, said = {c.name: c for c in file.coordinates}, []
    moved = [c.dependent for c in file.couplers if by_name[c.dependent].motion_type == "translational"]
    if moved:
        said.append(
            f"couplers move {_listed(moved)}: OpenSim scales such a model only with one factor for all axes of a body"
        )
    narrow = [c for c in floating_rotations(file) if c.clamped and c.range[1] - c.range[0] < 2.0 * math.pi]
    if narrow:
        said.append(
            f"{_listed([c.name for c in narrow])}: clamped to less than a turn; who turns further is solved all the "
            "same, and biopose fit then writes a model with wider ranges"
        )
    return said


def _listed(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _constraints(names: Sequence[str]) -> str:
    return f"constraint{'' if len(names) == 1 else 's'} {_listed(names)}"


def _count(items: Sequence[Any], one: str, many: str = "") -> str:
    return f"{len(items)} {one if len(items) == 1 else many or one + 's'}"


def _markers_of(body: dict[str, Any]) -> str:
    return _count(body["markers"], "marker") if body["markers"] else ""


def _table(rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of aligned cells."""
    listed = list(rows)
    widths = [max(len(row[i]) for row in listed) for i in range(len(listed[0]))] if listed else []
    return ["  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in listed]
