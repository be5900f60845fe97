"""Checks of a model's bodies, joints, coordinates, functions, frames and geometry, on its XML (version 4 or later)."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from pathlib import Path

from biopose_sim.check.document import UNASSIGNED, is_of_one_computer
from biopose_sim.check.finding import Finding, few, finding
from biopose_sim.check.rawrows import twice
from biopose_sim.errors import InputError, near_matches
from biopose_sim.osim.frames import FrameTable
from biopose_sim.osim.joint_parser import SUPPORTED
from biopose_sim.osim.xml import Element, objects, text

_JOINTS = frozenset([*SUPPORTED.split(", "), "BallJoint", "WeldJoint"])
_XY = ("SimmSpline", "NaturalCubicSpline", "PiecewiseLinearFunction", "PiecewiseConstantFunction", "GCVSpline")
_SHOWN = (".vtp", ".obj", ".stl")
_WIDEST = 20.0  # [rad]; a range beyond is in degrees
_HEAVIEST = 1000.0  # [kg]
_INERTIA_SLACK = 1e-2  # of the largest moment: OpenSim's own models are rounded
_INERTIA_AMISS = 0.01  # [kg m^2], what a shank has
_SETS = {"BodySet": "bodies", "JointSet": "joints", "MarkerSet": "markers", "ForceSet": "forces"}


def values(element: Element, tag: str) -> list[float] | None:
    """Numbers of a child element; empty where it is absent, None where it holds something else."""
    try:
        return [float(word) for word in text(element, tag).replace(",", " ").split()]
    except ValueError:
        return None


def check_names(root: Element, path: Path) -> list[Finding]:
    """Components of one set that share a name, coordinates of one name, names with blanks."""
    found = []
    for tag, kind in _SETS.items():
        names = [e.get("name", "") for e in objects(root, tag)]
        if again := twice(names):
            found.append(finding("O04", path, f"{kind} {few(again)}"))
        if "" in names:
            found.append(finding("O04", path, f"{names.count('')} {kind} have no name", remedy="name them"))
        if tag != "ForceSet" and (blank := [n for n in names if " " in n.strip()]):
            found.append(finding("D11", path, f"{kind} {few([repr(n) for n in blank])}"))
    if again := twice([e.get("name", "") for joint in objects(root, "JointSet") for e in joint.iter("Coordinate")]):
        found.append(finding("O04", path, f"coordinates {few(again)}"))
    return found


def check_bodies(root: Element, path: Path) -> list[Finding]:
    """Masses and inertias; what moves without mass."""
    found, masses = [], {}
    for body in objects(root, "BodySet"):
        name, where = body.get("name", ""), f"body {body.get('name')}"
        mass, inertia = values(body, "mass"), values(body, "inertia")
        masses[name] = mass[0] if mass else 0.0
        if mass is None or (mass and not (math.isfinite(mass[0]) and mass[0] >= 0.0)):
            found.append(finding("O17", path, f"its mass is {text(body, 'mass')}", where))
        elif mass and mass[0] > _HEAVIEST:
            found.append(finding("O18", path, f"its mass is {mass[0]:g} kg", where))
        if inertia is None or len(inertia) not in (0, 6):
            message = f"its inertia is {text(body, 'inertia')!r}"
            found.append(finding("O06", path, message, where, severity="error", remedy="six numbers are needed"))
        elif inertia and masses[name] > 0.0:
            found += _check_inertia(inertia, path, where)
    return found + _check_massless(root, path, masses)


def _check_inertia(inertia: list[float], path: Path, where: str) -> list[Finding]:
    import numpy as np

    xx, yy, zz, xy, xz, yz = inertia
    low, middle, high = np.linalg.eigvalsh([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]).tolist()
    if low < -1e-9 * max(high, 1.0):
        message = f"it has the negative principal moment {low:.4g} kg m^2"
        return [finding("O06", path, message, where, severity="error")]
    if high > (low + middle) * (1.0 + _INERTIA_SLACK) + 1e-12:
        # OpenSim's own models have feet and rods like that; what counts is what is missing.
        gross = high - low - middle > max(_INERTIA_AMISS, 0.2 * (low + middle))
        message = f"principal moments {low:.4g}, {middle:.4g} and {high:.4g} kg m^2"
        return [finding("O06", path, message, where, severity="warning" if gross else "note")]
    return []


def _check_massless(root: Element, path: Path, masses: dict[str, float]) -> list[Finding]:
    """Joints that move, beyond which there is no mass: Simbody cannot solve their acceleration."""
    try:
        frames = FrameTable(root, masses, path)
    except InputError:
        return []
    children: dict[str, list[tuple[str, bool, str]]] = {}
    for joint in objects(root, "JointSet"):
        place = f"/jointset/{joint.get('name')}"
        try:
            parent, child = (frames.resolve(text(joint, f"socket_{s}_frame"), "", place) for s in ("parent", "child"))
        except InputError:
            continue
        locked = all(text(c, "locked") == "true" for c in joint.iter("Coordinate"))
        moves = joint.tag != "WeldJoint" and not locked
        children.setdefault(parent.body, []).append((child.body, moves, joint.get("name", "")))

    def beyond(body: str, seen: frozenset[str]) -> float:
        if body in seen:
            return 1.0
        return masses.get(body, 0.0) + sum(beyond(c, seen | {body}) for c, _, _ in children.get(body, []))

    if not sum(masses.values()):
        return [finding("O05", path, "no body has a mass", severity="note")]
    constrained = any(True for _ in objects(root, "ConstraintSet"))  # a constraint may carry its motion
    return [
        finding("O05", path, f"the joint {joint} moves it", f"body {child}", severity="note" if constrained else None)
        for links in children.values()
        for child, moves, joint in links
        if moves and beyond(child, frozenset()) == 0.0
    ]


def check_joints(root: Element, path: Path) -> list[Finding]:
    """Types and axes of joints."""
    import numpy as np

    found = []
    for joint in objects(root, "JointSet"):
        where = f"joint {joint.get('name')}"
        if joint.tag not in _JOINTS:
            near = near_matches(joint.tag, _JOINTS)
            found.append(finding("O03", path, f"<{joint.tag}>{near}", where))
        axes = [values(axis, "axis") or [] for axis in joint.iterfind("SpatialTransform/TransformAxis")]
        for group in (axes[:3], axes[3:]):
            vectors = [np.array(a) for a in group if len(a) == 3]
            if any(np.linalg.norm(a) < 1e-9 for a in vectors):
                found.append(finding("O21", path, "an axis has no length", where))
            elif any(np.linalg.norm(np.cross(a, b)) < 1e-5 for i, a in enumerate(vectors) for b in vectors[:i]):
                found.append(finding("O21", path, "two axes are collinear", where))
    return found


def check_coordinates(root: Element, path: Path) -> list[Finding]:
    """Ranges and defaults."""
    found = []
    for joint in objects(root, "JointSet"):
        for coordinate in joint.iter("Coordinate"):
            where = f"coordinate {coordinate.get('name')}"
            limits, default = values(coordinate, "range"), values(coordinate, "default_value")
            if limits is None or default is None or len(limits) not in (0, 2):
                found.append(finding("O16", path, "its range or default is no number", where, remedy="write numbers"))
                continue
            if not limits or not default:
                continue
            low, high = limits
            if low > high:
                found.append(finding("O16", path, f"its range is {low:g} to {high:g}", where))
            elif not _translates(coordinate.get("name", "")) and any(_in_degrees(limit) for limit in limits):
                found.append(finding("O20", path, f"its range is {low:g} to {high:g}", where))
            elif not low - 1e-6 <= default[0] <= high + 1e-6:
                clamped = text(coordinate, "clamped") == "true"
                message = f"its default {default[0]:.4g} is outside of {low:.4g} to {high:.4g}"
                found.append(finding("O09", path, message, where, severity="warning" if clamped else "note"))
    return found


def _in_degrees(limit: float) -> bool:
    """Whether the limit of an angle is no radians; turns in radians are multiples of pi."""
    turns = limit / math.pi
    return _WIDEST < abs(limit) <= 720.0 and abs(turns - round(turns)) > 1e-3


def _translates(name: str) -> bool:
    return re.search(r"(_t[xyz]|_[xyz]|trans\w*)$", name, re.IGNORECASE) is not None


def check_functions(root: Element, path: Path) -> list[Finding]:
    """Functions with x and y: as many of each, two at least, in order."""
    found = []
    owners = {child: parent for parent in root.iter() for child in parent}
    for tag in _XY:
        for function in root.iter(tag):
            x, y = values(function, "x"), values(function, "y")
            owner = function
            while owner in owners and not (owner.get("name") and owner.tag.endswith(("Joint", "Constraint", "Force"))):
                owner = owners[owner]
            where = f"{tag} of {owner.get('name') or owner.tag}"
            if not text(function, "x") and not text(function, "y") and owner.tag in ("Model", root.tag):
                continue  # a place holder
            if x is None or y is None:
                found.append(finding("O10", path, "its points are no numbers", where))
            elif len(x) != len(y) or len(x) < 2:
                found.append(finding("O10", path, f"{len(x)} x and {len(y)} y values", where))
            elif any(b < a for a, b in pairwise(x)):
                found.append(finding("O10", path, "its x values do not increase", where, remedy="sort its points"))
    return found


def check_couplers(root: Element, path: Path) -> list[Finding]:
    """Coordinates that couplers name."""
    names = {e.get("name", "") for joint in objects(root, "JointSet") for e in joint.iter("Coordinate")}
    found = []
    for coupler in root.iter("CoordinateCouplerConstraint"):
        used = [*text(coupler, "independent_coordinate_names").split(), text(coupler, "dependent_coordinate_name")]
        for name in used:
            if name not in names:
                message = f"it names {name!r}{near_matches(name, names)}"
                found.append(finding("O14", path, message, f"coupler {coupler.get('name')}"))
    return found


def check_frames(root: Element, path: Path) -> list[Finding]:
    """Whether what joints, markers, offset frames and points of paths are attached to exists."""
    bodies = [e.get("name", "") for e in objects(root, "BodySet")]
    try:
        frames = FrameTable(root, bodies, path)
    except InputError as error:
        return [finding("O07", path, error.problem)]
    wanted: list[tuple[str, str, str]] = []
    for joint in objects(root, "JointSet"):
        name = joint.get("name", "")
        wanted += [(text(joint, f"socket_{s}_frame"), f"joint {name}", f"/jointset/{name}") for s in _ENDS]
    for marker in objects(root, "MarkerSet"):
        name = marker.get("name", "")
        wanted.append((text(marker, "socket_parent_frame"), f"marker {name}", f"/markerset/{name}"))
    for force in objects(root, "ForceSet"):
        name = force.get("name", "")
        for point in force.iter():
            if point.tag.endswith("PathPoint"):
                place = f"/forceset/{name}/path/{point.get('name')}"
                wanted.append((text(point, "socket_parent_frame"), f"{force.tag} {name}", place))
    missing: dict[str, str] = {}
    for socket, owner, place in wanted:
        if socket:
            try:
                frames.resolve(socket, owner, place)
            except InputError as error:
                missing.setdefault(owner, error.problem)
    return [finding("O07", path, problem, owner) for owner, problem in missing.items()]


_ENDS = ("parent", "child")


def check_geometry(root: Element, path: Path) -> list[Finding]:
    """Kinds and places of the bones' files."""
    files = [(mesh.findtext("mesh_file") or "").strip() for mesh in root.iter() if mesh.find("mesh_file") is not None]
    files = list(dict.fromkeys(name for name in files if name.lower() not in UNASSIGNED))
    found = []
    hidden = [name for name in files if Path(name.replace("\\", "/")).suffix.lower() not in _SHOWN]
    if hidden:
        found.append(finding("O11", path, few(hidden)))
    for name in [name for name in files if is_of_one_computer(name)]:
        bare = name.replace("\\", "/").rsplit("/", 1)[-1]
        found.append(finding("O13", path, name, change=(name, bare)))
    places = (path.parent, path.parent / "Geometry")
    lost = [name for name in files if not any((place / name.replace("\\", "/")).is_file() for place in places)]
    found += _check_ascii(path, [name for name in files if name not in lost and name.lower().endswith(".vtp")], places)
    if lost:
        own = len(lost) < len(files)  # the model brings its bones, but not these
        message = f"{len(lost)} of {len(files)} are not beside the model: {few(lost, 3)}"
        remedy = None if own else "OpenSim's installation has the usual ones; others belong into 'Geometry' beside it"
        found.append(finding("O12", path, message, severity="warning" if own else "note", remedy=remedy))
    return found


def _check_ascii(path: Path, names: list[str], places: tuple[Path, ...]) -> list[Finding]:
    """Binary .vtp files: OpenSim reads ASCII only."""
    binary = []
    for name in names:
        file = next(place / name.replace("\\", "/") for place in places if (place / name.replace("\\", "/")).is_file())
        head = file.read_bytes()[:200_000]
        if b"<AppendedData" in head or b'format="binary"' in head or b'format="appended"' in head:
            binary.append(name)
    return [finding("O22", path, few(binary))] if binary else []


def check_gravity(root: Element, path: Path) -> list[Finding]:
    """Whether gravity points along -Y."""
    gravity = values(root, "gravity")
    if not gravity or len(gravity) != 3:
        return []
    x, y, z = gravity
    if y < -1.0 and abs(x) < 0.1 * -y and abs(z) < 0.1 * -y:
        return []
    message = f"gravity is {x:g} {y:g} {z:g}"
    return [finding("O15", path, message, severity="note" if not any(gravity) else None)]
