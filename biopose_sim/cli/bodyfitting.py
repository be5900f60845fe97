"""The work of ``biopose body fit``: read, fit, write, tell."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from biopose_sim.bodies.anny_table import PHENOTYPES
from biopose_sim.bodies.markers import virtual_markers
from biopose_sim.bodies.optical import BodyFit, BodyFitConfig, fit_body
from biopose_sim.bodies.phenotypes import mass, stature
from biopose_sim.bodies.readers import save_sequence
from biopose_sim.cli.console import Progress, print_table, warn_user
from biopose_sim.cli.folder import ResultFolder
from biopose_sim.cli.inputs import load_trials
from biopose_sim.cli.manifest import rms, write_manifest
from biopose_sim.cli.outcome import print_files
from biopose_sim.errors import InputError
from biopose_sim.io import Trial, atomic_write, write_trc

# Names of the files that all trials share.
_SHARED = ("residuals", "body", "manifest")
_MOMENTS = 4


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """The command line of ``biopose body fit``; see its help."""

    trials: Sequence[Path]
    output: Path
    markers: str | None = None
    sex: str | None = None
    mass: float | None = None
    stature: float | None = None
    rate: float = 60.0
    pictures: bool = True

    @property
    def config(self) -> BodyFitConfig:
        """How to fit."""
        return BodyFitConfig(sex=self.sex, mass=self.mass, stature=self.stature, rate=self.rate)


@dataclass(frozen=True)
class Fitted:
    """What a run found, and where it is."""

    fit: BodyFit
    files: Sequence[Path]
    seconds: float


def fit_bodies(wishes: Wishes) -> Fitted:
    """Do what ``biopose body fit`` does, without a word."""
    start = time.perf_counter()
    with Progress() as progress, ResultFolder(wishes.output) as folder:
        progress("reading")
        trials = load_trials(wishes.trials)
        for trial in trials:
            if trial.name in _SHARED:
                raise InputError(trial.source or trial.name, "has the name of a file of results", "rename it")
        found = fit_body(trials, wishes.markers, wishes.config, progress)
        progress("writing")
        for sequence in found.sequences:
            save_sequence(sequence, folder.file(f"{sequence.name}.npz"))
            write_trc(folder.file(f"{sequence.name}.trc"), virtual_markers(sequence))
        atomic_write(folder.file("residuals.csv"), residual_table(found))
        atomic_write(folder.file("body.csv"), body_table(found))
        if wishes.pictures:
            for trial in trials:
                progress(f"drawing {trial.name}")
                _draw(folder, found, trial)
        seconds = time.perf_counter() - start
        write_manifest(
            folder,
            command="body fit",
            inputs=[*wishes.trials, found.places.source],
            model=None,
            configuration={"fit": wishes.config, "markers": str(found.places.source)},
            results=(),
            seconds=seconds,
            body=_summary(found),
        )
    return Fitted(found, folder.files, time.perf_counter() - start)


def tell_bodies(done: Fitted) -> None:
    """Print warnings, a line per trial, the person and where the files are."""
    fit = done.fit
    warn_user(fit.warnings)
    rows = []
    for sequence, residual, rate in zip(fit.sequences, fit.residuals, fit.solved_rate):
        worst = max(((rms(1e3 * column), name) for column, name in zip(residual.T, fit.marker_names)), key=_known)
        row = (str(len(sequence.time)), f"{rate:.0f}", f"{rms(1e3 * residual):.1f}", f"{worst[1]} {worst[0]:.0f}")
        rows.append((sequence.name, *row))
    print_table(("trial", "frames", "solved [Hz]", "RMS [mm]", "worst marker [mm]"), rows)
    values = ", ".join(f"{name} {value:.2f}" for name, value in zip(PHENOTYPES, fit.phenotype))
    tall, heavy = float(stature(fit.phenotype)), float(mass(fit.phenotype))
    click.echo(f"\nThe body: {values}: {tall:.2f} m, {heavy:.0f} kg; {len(fit.marker_names)} markers")
    print_files(done.files, done.seconds)


def residual_table(fit: BodyFit) -> str:
    """CSV of each marker's distance from its place on the body, RMS and largest, per trial [mm]."""
    rows: list[list[str]] = []
    for sequence, residual in zip(fit.sequences, fit.residuals):
        for name, segment, column in zip(fit.marker_names, fit.places.segments, residual.T):
            seen = column[np.isfinite(column)]
            largest = f"{1e3 * seen.max():.1f}" if seen.size else ""
            root = f"{1e3 * rms(seen):.1f}" if seen.size else ""
            rows.append([sequence.name, name, segment, root, largest, str(seen.size)])
    return _csv(["trial", "marker", "segment", "rms_mm", "largest_mm", "frames"], rows)


def body_table(fit: BodyFit) -> str:
    """CSV of the body's shape and of each marker's offset from its place [mm], in Anny's axes at rest."""
    rows = [["phenotype", name, f"{value:.4f}", "", ""] for name, value in zip(PHENOTYPES, fit.phenotype)]
    rows += [
        ["offset", name, *(f"{1e3 * value:.1f}" for value in offset)]
        for name, offset in zip(fit.marker_names, fit.offsets)
    ]
    return _csv(["what", "name", "value_or_x_mm", "y_mm", "z_mm"], rows)


def _csv(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([head, *rows])
    return text.getvalue()


def _known(entry: tuple[float, str]) -> float:
    return float(np.nan_to_num(entry[0]))


def _summary(fit: BodyFit) -> dict[str, object]:
    return {
        "phenotype": dict(zip(PHENOTYPES, fit.phenotype.tolist())),
        "stature_m": float(stature(fit.phenotype)),
        "mass_kg": float(mass(fit.phenotype)),
        "markers": len(fit.marker_names),
        "left_out": fit.left_out,
        "solved_rate_hz": fit.solved_rate,
        "warnings": fit.warnings,
        "rms_mm": {s.name: rms(1e3 * r) for s, r in zip(fit.sequences, fit.residuals)},
    }


def _draw(folder: ResultFolder, fit: BodyFit, trial: Trial) -> None:
    """The mesh with the optical markers in some moments, from side and front."""
    from biopose_sim.cli.bodypicture import plot_fit
    from biopose_sim.viz.body import choose_frames
    from biopose_sim.viz.style import to_png

    sequence = next(s for s in fit.sequences if s.name == trial.name)
    seen = np.ones(trial.n_frames, dtype=bool) if sequence.seen is None else sequence.seen
    used = [name for name in fit.marker_names if name in trial.marker_names]
    figure = plot_fit(sequence, trial.select(used), choose_frames(seen, _MOMENTS))
    atomic_write(folder.file(f"{trial.name}_body.png"), to_png(figure, 130, colours=256))
