"""What fit, ik and demo have in common: results into files, and a few lines about them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from biopose_sim.cli.console import print_table
from biopose_sim.cli.folder import ResultFolder
from biopose_sim.cli.manifest import rms, worst_marker
from biopose_sim.ik.types import KinematicsResult
from biopose_sim.io import Trial, write_mot, write_trc


def write_motions(folder: ResultFolder, results: Sequence[KinematicsResult], *, with_markers: bool = False) -> None:
    """Write the .mot of each trial, and the model's markers as .trc if wanted."""
    for result in results:
        write_mot(folder.file(f"{result.name}.mot"), result)
        if with_markers:
            name = f"{result.name}_model_markers"
            markers = Trial.checked(name, result.time, result.model_markers, result.marker_names)
            write_trc(folder.file(f"{name}.trc"), markers)


def print_summary(results: Sequence[KinematicsResult], *, solver_tells: bool = True) -> None:
    """Print a line per trial: frames, marker error, worst marker, convergence."""
    rows = []
    for result in results:
        name, value = worst_marker(result)
        share = f"{100.0 * float(result.converged.mean()):.4g} %" if solver_tells else "not told"
        row = (str(len(result.time)), f"{rms(1e3 * result.marker_errors):.2f}", f"{name} {value:.1f}", share)
        rows.append((result.name, *row))
    print_table(("trial", "frames", "RMS [mm]", "worst marker [mm]", "converged"), rows)


def print_files(files: Sequence[Path], seconds: float) -> None:
    """Print where the results are, what a person would open first."""
    click.echo(f"\n{len(files)} files in {seconds:.1f} s:")
    for path in files:
        click.echo(f"  {path}")


def result_warnings(results: Sequence[KinematicsResult]) -> list[str]:
    """The results' warnings, each with its trial; what all trials share is said once."""
    shared = set.intersection(*(set(result.warnings) for result in results)) if len(results) > 1 else set()
    lines = [text for text in results[0].warnings if text in shared] if shared else []
    for result in results:
        lines += [f"{result.name}: {text}" for text in result.warnings if text not in shared]
    return lines


def title(trials: Sequence[Trial], most: int = 3) -> str:
    """Heading of a report: the names of the trials."""
    return ", ".join(trial.name for trial in trials[:most]) + (" …" if len(trials) > most else "")
