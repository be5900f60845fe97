"""Bones that an .osim names: the files of its ``attached_geometry``, found where OpenSim's users have them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from biopose_sim.errors import InputError
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.osim.frames import FrameTable
from biopose_sim.osim.schema import GROUND, Frame
from biopose_sim.osim.xml import Element, number, parse_document, read_bytes, text, vector, without_forces
from biopose_sim.viz.viewer.meshfiles import SUFFIXES, read_mesh
from biopose_sim.viz.viewer.shapes import Mesh, box, ellipsoid, tube

ENVIRONMENT = "OPENSIM_HOME"
# Where OpenSim's installers put the folder, by pattern below a root.
_INSTALLED = (
    ("C:/", "OpenSim*/Geometry"),
    ("C:/Program Files", "OpenSim*/Geometry"),
    ("/Applications", "OpenSim*/*.app/Contents/Resources/OpenSim/Geometry"),
    ("/Applications", "OpenSim*/Geometry"),
    ("/opt", "[oO]pen[sS]im*/**/Geometry"),
    ("/usr/local", "share/[oO]pen[sS]im*/Geometry"),
    ("~", "[oO]pen[sS]im*/**/Geometry"),
    ("~/Documents/OpenSim", "*/Geometry"),
)
_INSIDE = ("Geometry", "share/OpenSim/Geometry", "Resources/OpenSim/Geometry", "opensim/Geometry", ".")
_IVORY = (0.93, 0.89, 0.80)


@dataclass(frozen=True, eq=False)
class Attached:
    """A solid fixed to a body: in the body's axes [m]; ``body`` is None for the ground."""

    body: str | None
    name: str
    mesh: Mesh
    colour: tuple[float, float, float] = _IVORY


@dataclass
class Geometry:
    """What was found of a model's bones.

    Attributes:
        solids: with their bodies.
        missing: names of files that were not found, by body.
        notes: files that are there and could not be read, a sentence each.
    """

    solids: list[Attached] = field(default_factory=list)
    missing: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def geometry_folders(model: Path, given: Sequence[Path] = ()) -> list[Path]:
    """Return the folders to look for bones in, in this order.

    Those given; ``Geometry`` beside the model and the model's own folder; below the environment variable
    ``OPENSIM_HOME``; where OpenSim's installers put it (newest version first).

    Raises:
        InputError: a given folder is not there.
    """
    for folder in given:
        if not folder.is_dir():
            raise InputError(folder, "is no folder of bones", "give the Geometry folder of an OpenSim installation")
    found = [*given, *[folder / "Geometry" for folder in given], model.parent / "Geometry", model.parent]
    if home := os.environ.get(ENVIRONMENT):
        found += [Path(home, inside) for inside in _INSIDE]
    for root, pattern in _INSTALLED:
        start = Path(root).expanduser()
        if start.is_dir():
            found += sorted(start.glob(pattern), reverse=True)
    return list(dict.fromkeys(folder for folder in found if folder.is_dir()))


def read_geometry(model: OsimModel, folders: Sequence[Path]) -> Geometry:
    """Read the solids that a model's file names, scaled and placed as OpenSim shows them.

    Args:
        model: read from a file; as its file says, without scaling since.
        folders: where mesh files may lie; see :func:`geometry_folders`.

    Raises:
        InputError: the model's file cannot be read.
    """
    geometry = Geometry()
    source = model.path
    if source is None:
        return geometry
    root = parse_document(without_forces(read_bytes(source)), source)
    element = root.find("Model")
    if element is None or int(root.get("Version", "0")) < 40000:
        return geometry
    frames = FrameTable(element, list(model.body_names), source)
    cache: dict[Path, Mesh] = {}
    for path, solid in _attached(element):
        try:
            frame = frames.resolve(text(solid, "socket_frame", ".."), "geometry", f"{path}/{solid.get('name')}")
            mesh = _shape(solid, folders, cache, source)
        except InputError as error:
            geometry.notes.append(str(error))
            continue
        except FileNotFoundError as error:
            geometry.missing.setdefault(_body_of(path), []).append(str(error))
            continue
        if mesh is None:
            continue
        factors = np.array(vector(solid, "scale_factors", source, (1.0, 1.0, 1.0)))
        placed = Mesh(mesh.vertices * factors, _right_handed(mesh.faces, factors))
        body = None if frame.body == GROUND else frame.body
        geometry.solids.append(Attached(body, solid.get("name", ""), _placed(placed, frame), _colour(solid, source)))
    return geometry


def _attached(element: Element, path: str = "") -> Iterator[tuple[str, Element]]:
    """Absolute path of the owner of each solid, and the solid."""
    for child in element:
        if child.tag == "attached_geometry":
            yield from ((path, solid) for solid in child if solid.tag in _SHAPES and _visible(solid))
        elif child.tag in ("BodySet", "JointSet", "components"):
            name = f"/{child.get('name', child.tag.lower())}" if child.tag != "components" else ""
            yield from _attached(child, path + name)
        elif child.tag in ("objects", "frames"):
            yield from _attached(child, path)
        elif child.get("name") is not None or child.tag == "Ground":
            yield from _attached(child, f"{path}/{child.get('name', GROUND)}")


def _visible(solid: Element) -> bool:
    return text(solid.find("Appearance"), "visible", "true").lower() != "false"


def _body_of(path: str) -> str:
    parts = path.strip("/").split("/")
    return parts[1] if parts[0] == "bodyset" and len(parts) > 1 else parts[0]


def _colour(solid: Element, source: Path) -> tuple[float, float, float]:
    """The file's colour; white, which every bone has, becomes ivory."""
    appearance = solid.find("Appearance")
    if appearance is None:
        return _IVORY
    red, green, blue = vector(appearance, "color", source, (1.0, 1.0, 1.0))
    return _IVORY if min(red, green, blue) > 0.99 else (red, green, blue)


def _shape(solid: Element, folders: Sequence[Path], cache: dict[Path, Mesh], source: Path) -> Mesh | None:
    return _SHAPES[solid.tag](solid, folders, cache, source)


def _mesh(solid: Element, folders: Sequence[Path], cache: dict[Path, Mesh], _source: Path) -> Mesh | None:
    named = text(solid, "mesh_file")
    if not named:
        return None
    path = _found(named, folders)
    if path not in cache:
        cache[path] = read_mesh(path)
    return cache[path]


def _found(named: str, folders: Sequence[Path]) -> Path:
    """The file of this name; another format of it or other capitals do as well."""
    wanted = Path(named.replace("\\", "/"))
    if wanted.is_absolute() and wanted.is_file():
        return wanted
    for folder in folders:
        for candidate in (folder / wanted, folder / wanted.name, *[folder / (wanted.stem + s) for s in SUFFIXES]):
            if candidate.is_file():
                return candidate
    raise FileNotFoundError(named)


def _sphere(solid: Element, _folders: Sequence[Path], _cache: dict[Path, Mesh], source: Path) -> Mesh:
    radius = number(solid, "radius", source, 1.0)
    return ellipsoid(np.zeros(3), np.eye(3), (radius,) * 3)


def _ellipsoid(solid: Element, _folders: Sequence[Path], _cache: dict[Path, Mesh], source: Path) -> Mesh:
    return ellipsoid(np.zeros(3), np.eye(3), vector(solid, "radii", source, (1.0, 1.0, 1.0)))


def _brick(solid: Element, _folders: Sequence[Path], _cache: dict[Path, Mesh], source: Path) -> Mesh:
    return box(2.0 * np.array(vector(solid, "half_lengths", source, (0.5, 0.5, 0.5))))


def _cylinder(solid: Element, _folders: Sequence[Path], _cache: dict[Path, Mesh], source: Path) -> Mesh:
    """Along Y, as OpenSim has it."""
    radius, half = number(solid, "radius", source, 1.0), number(solid, "half_height", source, 1.0)
    return tube(np.array([[0.0, -half, 0.0], [0.0, half, 0.0]]), np.array([radius, radius]), 24)


_SHAPES = {"Mesh": _mesh, "Sphere": _sphere, "Ellipsoid": _ellipsoid, "Brick": _brick, "Cylinder": _cylinder}


def _right_handed(faces: NDArray[np.int32], factors: NDArray[np.float64]) -> NDArray[np.int32]:
    """Triangles that still face outwards where a mirror image was made."""
    return faces[:, ::-1] if np.prod(factors) < 0.0 else faces


def _placed(mesh: Mesh, frame: Frame) -> Mesh:
    """The mesh of a frame in the axes of its body."""
    for translation, (x, y, z) in reversed(frame.offsets):
        mesh = mesh.moved(_turn(0, x) @ _turn(1, y) @ _turn(2, z), translation)
    return mesh


def _turn(axis: int, angle: float) -> NDArray[np.float64]:
    matrix = np.eye(3)
    first, second = (axis + 1) % 3, (axis + 2) % 3
    matrix[first, first] = matrix[second, second] = np.cos(angle)
    matrix[second, first] = np.sin(angle)
    matrix[first, second] = -matrix[second, first]
    return matrix
