"""Virtual markers: the points of a marker set and the joints of a body-model motion, in the ground frame."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, near_matches
from ..io.trial import Trial
from ..paths import markerset_path
from .body import TOPOLOGIES, TOPOLOGY_OF, Body, body_for, sequence_tensors
from .types import BodySequence

if TYPE_CHECKING:
    import torch

# Frames whose parameters are turned into tensors at once.
_BLOCK = 8192


@dataclass(frozen=True)
class BodyMarkers:
    """Where the markers of a set lie on a mesh.

    Attributes:
        topology: whose vertex numbering it is.
        names: M names.
        vertices: the vertex of each marker, or the corners of its triangle.
        weights: as many weights of each marker, summing to 1.
        source: the file.
    """

    topology: str
    names: tuple[str, ...]
    vertices: tuple[tuple[int, ...], ...]
    weights: tuple[tuple[float, ...], ...]
    source: Path | None = None

    def select(self, names: Sequence[str]) -> BodyMarkers:
        """Return these markers, in this order.

        Raises:
            InputError: there is no marker of a name.
        """
        for name in names:
            if name not in self.names:
                raise InputError(self.source or "marker set", f"no marker '{name}'{near_matches(name, self.names)}")
        rows = [self.names.index(name) for name in names]
        picked = tuple(self.vertices[r] for r in rows), tuple(self.weights[r] for r in rows)
        return BodyMarkers(self.topology, tuple(names), *picked, self.source)


def read_body_markers(topology: str, path: str | Path | None = None) -> BodyMarkers:
    """Read where the markers lie on a mesh.

    Args:
        topology: ``"smpl"``, ``"smplx"`` or ``"anny"``.
        path: a table with the columns ``name``, ``vertices`` (one index, or several with spaces between) and
            ``barycentric`` (as many weights; empty for a single vertex); ``models/markersets/<topology>.csv`` if none
            is given.

    Raises:
        InputError: unknown topology, no such file, or a row that makes no sense.
    """
    if topology not in TOPOLOGIES:
        raise InputError("marker set", f"unknown topology '{topology}'", f"there are {', '.join(TOPOLOGIES)}")
    file = Path(path) if path is not None else markerset_path(topology)
    if not file.is_file():
        raise InputError(file, "no such file")
    with file.open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream)
        if missing := {"name", "vertices"} - set(reader.fieldnames or ()):
            raise InputError(file, f"has no column {', '.join(sorted(missing))}")
        rows = [_marker_row(file, reader.line_num, row, TOPOLOGIES[topology]) for row in reader]
    names = tuple(row[0] for row in rows)
    if not names or len(set(names)) != len(names):
        raise InputError(file, "names a marker more than once" if names else "names no marker")
    return BodyMarkers(topology, names, tuple(row[1] for row in rows), tuple(row[2] for row in rows), file)


def _marker_row(
    file: Path, line: int, row: dict[str, str], n_vertices: int
) -> tuple[str, tuple[int, ...], tuple[float, ...]]:
    name = (row["name"] or "").strip()
    try:
        vertices = tuple(int(text) for text in row["vertices"].split())
        weights = tuple(float(text) for text in (row.get("barycentric") or "").split())
    except (ValueError, AttributeError) as error:
        raise InputError(file, f"line {line}: marker '{name}': {error}") from error
    weights = weights or ((1.0,) if len(vertices) == 1 else ())
    if not vertices or len(weights) != len(vertices) or abs(sum(weights) - 1) > 1e-3:
        remedy = "give one vertex, or several with as many barycentric weights that sum to 1"
        raise InputError(file, f"line {line}: marker '{name}' has {len(vertices)} vertices, weights {weights}", remedy)
    if beyond := [vertex for vertex in vertices if not 0 <= vertex < n_vertices]:
        raise InputError(file, f"line {line}: marker '{name}': no vertex {beyond[0]}", f"0 to {n_vertices - 1}")
    total = sum(weights)
    return name, vertices, tuple(weight / total for weight in weights)


def virtual_markers(
    sequence: BodySequence,
    markers: BodyMarkers | None = None,
    *,
    model_folder: str | Path | None = None,
    body: Body | None = None,
    dtype: torch.dtype | None = None,
) -> Trial:
    """Return the markers of a set on a moving body, in the ground frame.

    Args:
        sequence: the motion; of a ``"mesh"``, the vertices themselves are read.
        markers: where they lie; the project's set of the sequence's topology if none are given.
        model_folder: where the files of the SMPL family lie; see `smpl.find_model_file`.
        body: the body model, if it is at hand; else that of the sequence is loaded.
        dtype: type to compute in; float32 if none is given (1 micrometre at arm's length).

    Returns:
        A trial; frames in which the person was not seen are NaN.

    Raises:
        InputError: the marker set is for another mesh, the body model is missing, or parameters that do not fit it.
    """
    where = _where(sequence)
    if sequence.body == "mesh":
        positions, points = _of_mesh(sequence, markers)
    else:
        points = markers or read_body_markers(TOPOLOGY_OF.get(sequence.body, sequence.body))
        model = body or body_for(sequence, model_folder)
        if points.topology != model.topology:
            raise InputError(where, f"its mesh is '{model.topology}', the marker set is for '{points.topology}'")
        positions = body_points(sequence, model, points.vertices, points.weights, dtype=dtype)[0]
    grounded = _to_ground(sequence, positions)
    return Trial.checked(sequence.name, sequence.time, grounded, points.names, source=sequence.source)


def joints(
    sequence: BodySequence, *, model_folder: str | Path | None = None, body: Body | None = None
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Return the joints of a moving body, (T, J, 3) [m] in the ground frame, and their names.

    Frames in which the person was not seen are NaN.

    Raises:
        InputError: the sequence is a mesh, the body model is missing, or parameters that do not fit it.
    """
    model = body or body_for(sequence, model_folder)
    return _to_ground(sequence, body_points(sequence, model, [[0]])[1]), model.joint_names


def body_points(
    sequence: BodySequence,
    body: Body,
    points: Sequence[Sequence[int]],
    weights: Sequence[Sequence[float]] | None = None,
    *,
    dtype: torch.dtype | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return chosen points (T, P, 3) and all joints (T, J, 3) [m], in the axes of the sequence.

    Args:
        sequence: the motion.
        body: its body model.
        points: vertex indices of each point, one or several that are mixed.
        weights: as many weights of each point; may be left out where each point is one vertex.
        dtype: type to compute in; float32 if none is given.

    Raises:
        InputError: parameters that do not fit the body model.
    """
    import torch

    from .skin import evaluate

    kind = dtype or torch.float32
    table = body.table(points, weights, dtype=kind)
    found: list[NDArray[np.float64]] = []
    places: list[NDArray[np.float64]] = []
    with torch.no_grad():
        for start in range(0, len(sequence.time), _BLOCK):
            rotations, translation, shape = sequence_tensors(sequence, body, slice(start, start + _BLOCK), kind)
            try:
                block = evaluate(table, rotations, translation, body.coefficients(shape))
            except InputError as error:
                raise InputError(_where(sequence), error.problem, error.remedy) from error
            found.append(block[0].double().numpy())
            places.append(block[1].double().numpy())
    return np.concatenate(found), np.concatenate(places)


def _of_mesh(sequence: BodySequence, markers: BodyMarkers | None) -> tuple[NDArray[np.float64], BodyMarkers]:
    where = _where(sequence)
    if sequence.vertices is None or sequence.topology not in TOPOLOGIES:
        problem = f"has no mesh that markers are known for (topology '{sequence.topology}')"
        raise InputError(where, problem, f"there are markers on {', '.join(TOPOLOGIES)}")
    points = markers or read_body_markers(sequence.topology)
    if points.topology != sequence.topology:
        raise InputError(where, f"its mesh is '{sequence.topology}', the marker set is for '{points.topology}'")
    if sequence.vertices.shape[1] != TOPOLOGIES[sequence.topology]:
        expected = f"'{sequence.topology}' has {TOPOLOGIES[sequence.topology]}"
        raise InputError(where, f"its mesh has {sequence.vertices.shape[1]} vertices", expected)
    positions = np.empty((len(sequence.time), len(points.names), 3))
    for column, (corners, shares) in enumerate(zip(points.vertices, points.weights)):
        positions[:, column] = np.einsum("tkc,k->tc", sequence.vertices[:, list(corners)], shares)
    return positions, points


def _to_ground(sequence: BodySequence, positions: NDArray[np.floating]) -> NDArray[np.float64]:
    grounded = np.asarray(positions, dtype=np.float64) @ sequence.to_ground.T
    if sequence.seen is not None:
        grounded[~sequence.seen] = np.nan
    return grounded


def _where(sequence: BodySequence) -> str:
    return str(sequence.source) if sequence.source is not None else f"sequence '{sequence.name}'"
