"""The work of ``biopose model scale``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
import numpy as np

from biopose_sim.cli.console import Progress, warn_user
from biopose_sim.cli.folder import ResultFolder
from biopose_sim.cli.manifest import rms
from biopose_sim.errors import InputError
from biopose_sim.ik.scale_tool import ScaleToolResult, run_scale_setup
from biopose_sim.ik.setup_files import ScaleSetup, read_scale_setup
from biopose_sim.io import write_mot
from biopose_sim.osim.ranges import range_notices
from biopose_sim.osim.writer import export_osim

_SMALL_CHANGE = 1e-9


def scale_by_setup(path: Path, output: Path | None, model: Path | None, mass: float | None) -> None:
    """Scale, write the model and its static pose, and print the factors."""
    setup = read_scale_setup(path)
    if model is not None:
        setup = replace(setup, model_file=model)
    target = output or _output(setup)
    if target.suffix.lower() != ".osim":
        raise InputError(target, "is no name of a model file", "end it with .osim")
    with Progress() as progress, ResultFolder(target.parent) as folder:
        progress("scaling")
        scaled = run_scale_setup(setup)
        progress("writing")
        poses = [] if scaled.pose is None else [scaled.pose]
        export_osim(
            scaled.model,
            folder.file(target.name),
            mass=setup.mass if mass is None else mass,
            name=setup.name or None,
            motions=poses,
        )
        if scaled.pose is not None:
            write_mot(folder.file(f"{target.stem}_static.mot"), scaled.pose)
    warn_user([*scaled.warnings, *range_notices(scaled.model, poses)])
    _print_factors(scaled)
    for file in folder.files:
        click.echo(file)


def _output(setup: ScaleSetup) -> Path:
    """The model file that the setup's last step writes."""
    for part in (setup.placement, setup.scaling):
        if part is not None and part.apply and part.output_model_file is not None:
            return part.output_model_file
    raise InputError(setup.path, "names no <output_model_file>", "give a file with -o")


def _print_factors(scaled: ScaleToolResult) -> None:
    for name, factor in scaled.factors.items():
        click.echo(f"  {name}: {factor:.4f}")
    changed = np.any(np.abs(scaled.scales - 1.0) > _SMALL_CHANGE, axis=1)
    click.echo(f"  {int(np.sum(changed))} of {len(scaled.scales)} bodies scaled")
    if scaled.pose is not None:
        click.echo(f"  static pose: markers {1e3 * rms(scaled.pose.marker_errors):.1f} mm RMS before their placement")
