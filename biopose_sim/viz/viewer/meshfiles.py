"""Reading meshes of bones: .vtp as OpenSim's installations have them, .obj and .stl."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biopose_sim.errors import InputError
from biopose_sim.viz.viewer.shapes import Mesh

SUFFIXES = (".vtp", ".obj", ".stl")


def read_mesh(path: str | Path) -> Mesh:
    """Read the triangles of a mesh file, in the file's own unit (OpenSim: metres).

    Raises:
        InputError: not there, of another kind, a .vtp that is not ASCII, or broken.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(path, f"meshes of kind '{suffix}' are not read", f"there are {', '.join(SUFFIXES)}")
    try:
        mesh = _read_vtp(path) if suffix == ".vtp" else _read_by_trimesh(path)
    except FileNotFoundError:
        raise InputError(path, "file not found") from None
    except (OSError, ValueError, ET.ParseError, IndexError, TypeError) as error:
        raise InputError(path, f"cannot be read as a mesh ({error})") from error
    if not len(mesh.faces):
        raise InputError(path, "holds no triangles")
    if mesh.faces.min() < 0 or mesh.faces.max() >= len(mesh.vertices):
        raise InputError(path, "names corners that it does not hold", "the file is broken")
    return mesh


def _read_by_trimesh(path: Path) -> Mesh:
    try:
        import trimesh
    except ImportError:
        raise InputError(path, "needs trimesh", 'install the viewer: pip install "biopose-sim[viewer]"') from None
    loaded: Any = trimesh.load(path, force="mesh", process=False)
    return Mesh(np.asarray(loaded.vertices, dtype=float), np.asarray(loaded.faces, dtype=np.int32))


def _read_vtp(path: Path) -> Mesh:
    """VTK's XML poly data, ASCII: the polygons and strips of all pieces."""
    data = path.read_bytes()
    if b"<AppendedData" in data or b'format="binary"' in data:
        raise InputError(path, "holds binary data", "save it as ASCII .vtp (ParaView: Data Mode 'Ascii'), .obj or .stl")
    root = ET.fromstring(data)
    vertices, faces, start = [], [], 0
    for piece in root.iter("Piece"):
        points = _numbers(piece.find("Points/DataArray")).reshape(-1, 3)
        vertices.append(points)
        found = [_fans(*_cells(piece.find("Polys"))), _strips(*_cells(piece.find("Strips")))]
        faces += [triangles + start for triangles in found]
        start += len(points)
    if not vertices:
        raise InputError(path, "holds no <Piece> of a surface")
    return Mesh(np.concatenate(vertices), np.concatenate(faces).astype(np.int32).reshape(-1, 3))


def _numbers(element: ET.Element | None) -> NDArray[np.float64]:
    return np.array((element.text or "").split() if element is not None else [], dtype=float)


def _cells(element: ET.Element | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Corners of all cells one after the other, and where each cell ends."""
    if element is None:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    arrays = {array.get("Name", ""): _numbers(array).astype(np.int64) for array in element.findall("DataArray")}
    none = np.zeros(0, dtype=np.int64)
    return arrays.get("connectivity", none), arrays.get("offsets", none)


def _fans(corners: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Polygons as triangles that share their first corner."""
    faces = []
    for cell in np.split(corners, ends[:-1]):
        faces += [(cell[0], cell[k], cell[k + 1]) for k in range(1, len(cell) - 1)]
    return np.array(faces, dtype=np.int64).reshape(-1, 3)


def _strips(corners: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Strips as triangles, every second one turned round."""
    faces = []
    for cell in np.split(corners, ends[:-1]):
        faces += [(cell[k], cell[k + 1 + k % 2], cell[k + 2 - k % 2]) for k in range(len(cell) - 2)]
    return np.array(faces, dtype=np.int64).reshape(-1, 3)
