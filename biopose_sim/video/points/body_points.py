"""The common key points on the body: mixes of the virtual markers, ``models/markersets/keypoints.csv``.

A detector's point is no marker, but lies at the same mix of markers on a mesh, on the OpenSim model and in a recording;
so it is defined once for all. The mixes were fitted to Anny's own key points (its regression of COCO's and of feet,
Apache-2.0) over adults in CMU motion: 1 to 2 mm off at the head, 2 to 5 at toes and heels, 7 to 11 at ankles, wrists,
elbows, knees and shoulders, 17 at the hips (root mean square).
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError, near_matches
from ...paths import markerset_path
from .keypoints import COMMON, Array

if TYPE_CHECKING:
    from ...kinematics.model import OsimModel

COLUMNS = ("name", "segment", "mix", "offset_sd")


@dataclass(frozen=True, eq=False)
class BodyPoints:
    """Where the key points of `COMMON` lie.

    Attributes:
        names: those of `COMMON`, in its order.
        segments: the segment of the OpenSim model that each moves with.
        mixes: for each, (virtual marker, share) pairs; the shares sum to 1, some are negative.
        offset_sd: (23,) how far a detector's point may lie off it for good, per axis of the segment [m]; assumed, most
            at the hips, which people mark on the surface.
        source: the file.
    """

    names: tuple[str, ...]
    segments: tuple[str, ...]
    mixes: tuple[tuple[tuple[str, float], ...], ...]
    offset_sd: Array
    source: Path

    def matrix(self, marker_names: Sequence[str]) -> Array:
        """Return (23, M): key points = matrix @ markers.

        Args:
            marker_names: M names, all virtual markers of the mixes among them.

        Raises:
            InputError: a marker of a mix is not among them.
        """
        rows = {name: k for k, name in enumerate(marker_names)}
        matrix = np.zeros((len(self.names), len(rows)))
        for point, mix in enumerate(self.mixes):
            for marker, share in mix:
                if marker not in rows:
                    problem = f"'{self.names[point]}' needs the marker '{marker}'{near_matches(marker, rows)}"
                    raise InputError(self.source, problem, "take a model or mesh with the virtual markers")
                matrix[point, rows[marker]] = share
        return matrix


@lru_cache(maxsize=2)
def body_points(path: Path | None = None) -> BodyPoints:
    """Read where the key points lie.

    Args:
        path: a table with the columns of ``keypoints.csv``; that one if none is given.

    Raises:
        InputError: no such file, columns or key points that are missing, or a mix that makes no sense.
    """
    file = path or markerset_path("keypoints")
    if not file.is_file():
        raise InputError(file, "no such file")
    with file.open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream)
        if missing := [column for column in COLUMNS if column not in (reader.fieldnames or ())]:
            raise InputError(file, f"has no column {', '.join(missing)}", f"its columns are {', '.join(COLUMNS)}")
        rows = {row["name"]: (reader.line_num, row) for row in reader}
    if absent := [name for name in COMMON if name not in rows]:
        raise InputError(file, f"lacks {', '.join(absent)}", "give a row for each key point")
    mixes = tuple(_mix(file, *rows[name]) for name in COMMON)
    try:
        sd: NDArray[np.float64] = np.array([float(rows[name][1]["offset_sd"]) for name in COMMON])
    except ValueError as error:
        raise InputError(file, f"offset_sd: {error}", "give metres") from error
    return BodyPoints(COMMON, tuple(rows[name][1]["segment"] for name in COMMON), mixes, sd, file)


def with_key_points(model: OsimModel, offsets: Array | None = None) -> OsimModel:
    """Return a model with the key points as further markers, fixed in their segments.

    Args:
        model: with the virtual markers; each key point lies at its mix of them in the default pose.
        offsets: (23, 3) where a person's points lie off it, in the axes of their segments [m].

    Raises:
        InputError: the model lacks a marker of a mix, or a segment.
    """
    from ...osim.markerset import with_markers
    from ...osim.schema import Frame, Marker

    points = body_points()
    found = model(model.default_coordinates.detach())
    places = points.matrix(model.marker_names) @ found.markers.detach().numpy()
    transforms = found.transforms.detach().numpy()
    moved = np.zeros_like(places) if offsets is None else offsets
    markers = []
    for name, segment, place, offset in zip(points.names, points.segments, places, moved, strict=True):
        if segment not in model.body_names:
            raise InputError(model.name, f"has no segment '{segment}' for '{name}'", "take the default model")
        body = transforms[model.body_names.index(segment)]
        x, y, z = (float(v) for v in body[:3, :3].T @ (place - body[:3, 3]) + offset)
        markers.append(Marker(name, Frame(segment), (x, y, z), False))
    return with_markers(model, markers)


def _mix(file: Path, line: int, row: dict[str, str]) -> tuple[tuple[str, float], ...]:
    try:
        mix = tuple((name, float(share)) for name, share in (part.split(":") for part in row["mix"].split()))
    except ValueError as error:
        raise InputError(file, f"line {line}: mix '{row['mix']}'", "give MARKER:SHARE, separated by blanks") from error
    if abs(sum(share for _, share in mix) - 1.0) > 1e-6:
        raise InputError(file, f"line {line}: the shares of '{row['name']}' sum to {sum(s for _, s in mix):g}, not 1")
    return mix
