"""Tables of marker pairs by which the ScaleTool scales bodies along axes."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from biopose_sim.errors import InputError
from biopose_sim.ik.scale_setup import Measurement, read_scale_setup
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.paths import markerset_path

COLUMNS = ("measurement", "pairs", "bodies", "axes")


def read_measurements(path: str | Path | None = None) -> tuple[Measurement, ...]:
    """Read measurements from a table or from a setup of OpenSim's ScaleTool.

    Args:
        path: a table with the columns of ``models/markersets/virtual_measurements.csv`` (pairs ``A B;C D``, bodies and
            axes divided by spaces), or a scale setup (``.xml``); that table if none is given.

    Raises:
        InputError: no such file, columns that are missing, or a row that makes no sense.
    """
    file = Path(path) if path is not None else markerset_path("virtual_measurements")
    if file.suffix.lower() == ".xml":
        scaling = read_scale_setup(file).scaling
        return () if scaling is None else tuple(m for m in scaling.measurements if m.apply and m.pairs)
    if not file.is_file():
        raise InputError(file, "no such file")
    with file.open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream)
        if missing := [column for column in COLUMNS if column not in (reader.fieldnames or ())]:
            raise InputError(file, f"has no column {', '.join(missing)}", f"its columns are {', '.join(COLUMNS)}")
        return tuple(_measurement(file, reader.line_num, row) for row in reader)


def _measurement(file: Path, line: int, row: dict[str, str]) -> Measurement:
    where = f"line {line}: measurement '{row['measurement']}'"
    pairs = []
    for pair in (row["pairs"] or "").split(";"):
        names = pair.split()
        if len(names) != 2:
            raise InputError(file, f"{where} has the pair '{pair.strip()}'", "give two markers each, as 'A B;C D'")
        pairs.append((names[0], names[1]))
    axes = (row["axes"] or "").upper().split()
    if not axes or any(axis not in ("X", "Y", "Z") for axis in axes):
        raise InputError(file, f"{where} scales the axes '{row['axes']}'", "give X, Y, Z")
    bodies = (row["bodies"] or "").split()
    if not bodies:
        raise InputError(file, f"{where} scales no body", "name one or more")
    numbers = tuple("XYZ".index(axis) for axis in axes)
    return Measurement(row["measurement"], tuple(pairs), tuple((body, numbers) for body in bodies))


def fitting_measurements(
    measurements: Sequence[Measurement], model: OsimModel
) -> tuple[tuple[Measurement, ...], list[str]]:
    """Return the measurements without bodies and markers that the model lacks, and sentences that say so."""
    kept, lost_markers, lost_bodies = [], set[str](), set[str]()
    for m in measurements:
        pairs = tuple(p for p in m.pairs if p[0] in model.marker_names and p[1] in model.marker_names)
        bodies = tuple(b for b in m.bodies if b[0] in model.body_names)
        lost_markers |= {name for p in m.pairs for name in p} - set(model.marker_names)
        lost_bodies |= {b[0] for b in m.bodies} - set(model.body_names)
        if pairs and bodies:
            kept.append(Measurement(m.name, pairs, bodies))
    notices = []
    if lost_markers:
        notices.append(f"measurements leave out markers that the model lacks: {', '.join(sorted(lost_markers))}")
    if lost_bodies:
        notices.append(f"measurements leave out bodies that the model lacks: {', '.join(sorted(lost_bodies))}")
    return tuple(kept), notices


def unmeasured(measurements: Sequence[Measurement], model: OsimModel) -> tuple[str, ...]:
    """Return the bodies with an axis that no measurement scales."""
    covered = {(body, axis) for m in measurements for body, axes in m.bodies for axis in axes}
    return tuple(b for b in model.body_names if any((b, axis) not in covered for axis in range(3)))
