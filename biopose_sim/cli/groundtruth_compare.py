"""Two engines on the same persons: how far angles, factors and markers are apart."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from biopose_sim.cli.console import print_table
from biopose_sim.ik.types import KinematicsResult
from biopose_sim.io import atomic_write
from biopose_sim.kinematics.model import OsimModel
from ik_pipeline.compare import Difference, compare_results, compare_scales
from ik_pipeline.runner.records import person_folder
from ik_pipeline.store import SCALING, StoredTrial, read_stored_scaling, read_stored_trial
from ik_pipeline.types import ModelChoice, ScaledPerson

HEAD = ("person", "trial", "what", "name", "unit", "median", "percentile95", "largest")
ANGLES, LENGTHS, FACTORS, PLACES, MARKERS = "angle", "translation", "factor", "marker place", "model marker"


@dataclass(frozen=True)
class Row:
    """A line of the table; ``rms`` rows hold the first and the second engine's RMS instead of percentiles."""

    person: str
    trial: str
    what: str
    name: str
    unit: str
    median: float
    percentile95: float
    largest: float


def compare_runs(folders: tuple[Path, Path], manifests: Sequence[Mapping[str, Any]], choice: ModelChoice) -> list[Row]:
    """Compare what two runs have both solved.

    Args:
        folders: of the runs.
        manifests: of the runs, in the same order.
        choice: the generic model of both.
    """
    rows: list[Row] = []
    for person, trials in _both_solved(manifests):
        scaled = [_scaled(folder, person, choice) for folder in folders]
        scales = compare_scales(scaled[0], scaled[1])
        rows += [_row(person, "", FACTORS, d) for d in (scales.overall, *scales.bodies)]
        rows += [_row(person, "", PLACES, scales.markers)] if scales.markers is not None else []
        for trial in trials:
            rows += _trial_rows(person, trial, folders, choice.model)
    return rows


def _trial_rows(person: str, trial: str, folders: tuple[Path, Path], model: OsimModel) -> Iterator[Row]:
    a, b = (_result(read_stored_trial(person_folder(f, person) / f"{trial}.npz"), trial, model) for f in folders)
    found = compare_results(model, a, b)
    for what, whole in ((ANGLES, found.angles), (LENGTHS, found.translations)):
        if whole is not None:
            yield _row(person, trial, what, whole)
    for difference in found.coordinates:
        yield _row(person, trial, LENGTHS if difference.unit == "mm" else ANGLES, difference)
    for difference in found.markers:
        yield _row(person, trial, MARKERS, difference)
    for name, (first, second) in (("marker RMS", found.rms), ("weighted marker RMS", found.weighted_rms)):
        yield Row(person, trial, "rms", f"{name} of the first engine", "mm", first, first, first)
        yield Row(person, trial, "rms", f"{name} of the second engine", "mm", second, second, second)


def write_comparison(path: Path, rows: Sequence[Row]) -> Path:
    """Write all rows as a table (.csv)."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEAD)
    for row in rows:
        numbers = [f"{value:.6g}" for value in (row.median, row.percentile95, row.largest)]
        writer.writerow([row.person, row.trial, row.what, row.name, row.unit, *numbers])
    return atomic_write(path, text.getvalue())


def tell_comparison(rows: Sequence[Row], engines: tuple[str, str]) -> None:
    """Print the differences over all persons and trials: medians of medians, largest of the rest."""
    click.echo(f"\n{engines[0]} against {engines[1]}:")
    shown = []
    wholes = {ANGLES: "all angles", LENGTHS: "all translations", FACTORS: "all factors"}
    for what, name in (*wholes.items(), (PLACES, None), (MARKERS, None)):
        own = [row for row in rows if row.what == what and name in (None, row.name)]
        if own:
            values = (np.median([r.median for r in own]), max(r.percentile95 for r in own), max(r.largest for r in own))
            shown.append((f"{name or what} [{own[0].unit}]", *(f"{value:.4g}" for value in values)))
    if not shown:
        click.echo("  nothing was solved by both")
        return
    print_table(("difference", "median", "worst 95 %", "largest"), shown)
    for which, engine in zip(("first", "second"), engines):
        errors = [row.median for row in rows if row.name == f"marker RMS of the {which} engine"]
        click.echo(f"  marker RMS of {engine}: {np.sqrt(np.mean(np.square(errors))):.2f} mm (each trial counts alike)")


def _both_solved(manifests: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, list[str]]]:
    """Persons and the trials that both runs solved."""
    solved = [
        {p["id"]: [t["name"] for t in p["trials"] if t["outputs"]] for p in manifest["persons"]}
        for manifest in manifests
    ]
    for person, trials in solved[0].items():
        both = [trial for trial in trials if trial in solved[1].get(person, ())]
        if both:
            yield person, both


def _row(person: str, trial: str, what: str, found: Difference) -> Row:
    return Row(person, trial, what, found.name, found.unit, found.median, found.percentile95, found.largest)


def _scaled(folder: Path, person: str, choice: ModelChoice) -> ScaledPerson:
    """The person's size and markers as they are stored, on the generic model."""
    stored = read_stored_scaling(person_folder(folder, person) / f"{SCALING}.npz")
    offsets = dict(zip(stored.marker_names, stored.marker_offsets))
    rows = np.array([offsets.get(name, np.zeros(3)) for name in choice.model.marker_names])
    return ScaledPerson(choice.model.scale(stored.scales, rows), stored.scales, rows)


def _result(stored: StoredTrial, name: str, model: OsimModel) -> KinematicsResult:
    """The stored trial as a result; sensitivities are only known as determined or not."""
    kinds = dict(zip(model.coordinate_names, model.motion_types))
    points, measured = stored.model_markers.astype(float), stored.markers.astype(float)
    return KinematicsResult(
        name=name,
        time=stored.time,
        coordinates=stored.coordinates,
        coordinate_names=stored.coordinate_names,
        motion_types=tuple(kinds[coordinate] for coordinate in stored.coordinate_names),
        marker_names=stored.marker_names,
        marker_weights=stored.marker_weights,
        model_markers=points,
        marker_errors=np.linalg.norm(points - measured, axis=2),
        converged=stored.converged,
        iterations=np.zeros(len(stored.time), dtype=np.int64),
        sensitivity=np.where(stored.determined, 0.0, np.inf),
        free=stored.free,
    )
