"""Marker sets of laboratories on Anny: where optical markers lie, and which of a recording's names mean them."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..io.notice import listed
from ..io.trial import Trial
from ..paths import markerset_path, models_dir
from .anny_table import load_anny_data
from .markers import BodyMarkers, read_body_markers
from .virtual import KINDS

Array = NDArray[np.float64]

# Shipped sets are named so; which one a recording means is told by its names.
_SHIPPED = "optical*.csv"
_COLUMNS = ("segment", "kind", "weight")
# From the skin to the middle of a marker, along the outward normal, where a set does not say it [m].
RADIUS = 0.010
FEWEST = 8


@dataclass(frozen=True, eq=False)
class OpticalSet:
    """Where the markers of a laboratory lie on Anny.

    Attributes:
        points: vertex or triangle of each of M markers.
        segments: the body segment that carries it, as the default OpenSim model names them.
        landmark: (M,) on a bony point that can be felt; the others' places vary from person to person.
        weights: (M,) how much a marker counts.
        shifts: (M, 3) from the skin to the middle of the marker, in the axes of Anny's rest pose [m]; NaN: `RADIUS`
            along the outward normal.
        aliases: further names of each marker.
        source: the file.
    """

    points: BodyMarkers
    segments: tuple[str, ...]
    landmark: NDArray[np.bool_]
    weights: Array
    shifts: Array
    aliases: tuple[tuple[str, ...], ...]
    source: Path

    @property
    def names(self) -> tuple[str, ...]:
        """M names."""
        return self.points.names

    def select(self, names: Sequence[str]) -> OpticalSet:
        """Return these markers, in this order."""
        rows = [self.names.index(name) for name in names]
        return OpticalSet(
            self.points.select(names),
            tuple(self.segments[r] for r in rows),
            self.landmark[rows],
            self.weights[rows],
            self.shifts[rows],
            tuple(self.aliases[r] for r in rows),
            self.source,
        )

    def skinning(self) -> Array:
        """Return the skinning weights of the markers, (104, M)."""
        data = load_anny_data()
        columns = [
            data.weights(corners) @ np.asarray(shares)
            for corners, shares in zip(self.points.vertices, self.points.weights)
        ]
        return np.stack(columns, axis=1)

    def meant(self, names: Sequence[str]) -> dict[str, str]:
        """Return which of a recording's names mean which marker: its name, else an alias; case and dots aside."""
        own = {_bare(name): name for name in names}
        exact = set(names)
        found: dict[str, str] = {}
        for name, others in zip(self.names, self.aliases):
            for candidate in (name, *others):
                match = candidate if candidate in exact else own.get(_bare(candidate))
                if match is not None and match not in found:
                    found[match] = name
                    break
        return found


def read_optical_set(path: str | Path) -> OpticalSet:
    """Read a marker set.

    Args:
        path: a table, or the name of a shipped set. Its columns: ``name``, ``vertices``, ``barycentric`` (as
            `markers.read_body_markers` has them), ``segment``, ``kind`` (landmark or tracking), ``weight``, and
            optionally ``shift`` (x y z [mm] from the skin to the marker, in Anny's axes at rest; empty: 10 mm along
            the outward normal) and ``aliases`` (further names).

    Raises:
        InputError: no such file or set, columns that are missing, or a row that makes no sense.
    """
    file = Path(path)
    if not file.is_file() and file.suffix != ".csv":
        file = markerset_path(str(path))
    points = read_body_markers("anny", file)
    with file.open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream)
        if missing := [column for column in _COLUMNS if column not in (reader.fieldnames or ())]:
            remedy = "a set of optical markers says segment, kind and weight of each marker"
            raise InputError(file, f"has no column {', '.join(missing)}", remedy)
        rows = [(reader.line_num, row) for row in reader]
    weights, shifts = zip(*(_numbers(file, line, row) for line, row in rows))
    return OpticalSet(
        points,
        tuple((row["segment"] or "").strip() for _, row in rows),
        np.array([row["kind"] == "landmark" for _, row in rows]),
        np.array(weights),
        np.array(shifts),
        tuple(tuple((row.get("aliases") or "").split()) for _, row in rows),
        file,
    )


def _numbers(file: Path, line: int, row: dict[str, str]) -> tuple[float, tuple[float, ...]]:
    where = f"line {line}: marker '{row['name']}'"
    if row["kind"] not in KINDS:
        raise InputError(file, f"{where} is of kind '{row['kind']}'", f"give {' or '.join(KINDS)}")
    try:
        weight = float(row["weight"])
        shift = tuple(1e-3 * float(text) for text in (row.get("shift") or "").split()) or (np.nan,) * 3
    except (TypeError, ValueError) as error:
        raise InputError(file, f"{where}: {error}", "weight and shift are numbers") from error
    if not weight > 0 or len(shift) != 3:
        raise InputError(
            file, f"{where} has weight {weight:g} and {len(shift)} values of shift", "give one above 0, and three"
        )
    return weight, shift


def choose_set(trials: Sequence[Trial], path: str | Path | None = None) -> OpticalSet:
    """Return the marker set of recordings: the one that is named, else the shipped one that knows most of their names.

    Raises:
        InputError: a set that knows fewer than eight of the names.
    """
    names = list(dict.fromkeys(name for trial in trials for name in trial.marker_names))
    files: list[str | Path] = [path] if path is not None else sorted((models_dir() / "markersets").glob(_SHIPPED))
    sets = [read_optical_set(file) for file in files]
    best = max(sets, key=lambda one: len(one.meant(names)))
    if (known := len(best.meant(names))) < FEWEST:
        where = trials[0].source or trials[0].name
        problem = f"has {known} markers that the set {best.source.name} knows; its own are {listed(names)}"
        raise InputError(where, problem, "name a marker set with --markers, or rename the markers")
    return best


def _bare(name: str) -> str:
    """The name as people mean it: a prefix of the subject, case, dots and underscores aside."""
    return re.sub(r"[^a-z0-9]", "", name.rsplit(":", 1)[-1].lower())
