"""``biopose model``: build the default model, scale a model by a setup file."""

from __future__ import annotations

from pathlib import Path

import click

from biopose_sim.cli import options


@click.group("model", short_help="Build the default model, or scale one by a setup file.")
def command() -> None:
    """Make models."""


@command.command("build")
@click.option("-o", "--output", type=options.PATH, metavar="OSIM", help="File to write; the project's own by default.")
@click.option("--tables", type=options.PATH, metavar="FOLDER", help="Tables to build from; the project's by default.")
@click.option("--markers", type=options.PATH, metavar="CSV", help="Marker set to build in; 'anatomical' by default.")
def build(output: Path | None, tables: Path | None, markers: Path | None) -> None:
    """Build the default full-body model from its tables."""
    from biopose_sim.io.atomic import atomic_write
    from biopose_sim.osim.build import MODEL_NAME, build_fullbody
    from biopose_sim.paths import tables_dir

    folder = tables or tables_dir()
    text = build_fullbody(folder, markers)
    path = atomic_write(output or folder / f"{MODEL_NAME}.osim", text)
    counts = {"bodies": "<Body ", "markers": "<Marker ", "muscles": "Muscle name=", "actuators": "Actuator name="}
    click.echo(f"{path}: " + ", ".join(f"{text.count(mark)} {what}" for what, mark in counts.items()))


@command.command("scale")
@click.argument("setup", type=options.PATH, metavar="SETUP.xml")
@click.option("-o", "--output", type=options.PATH, metavar="OSIM", help="File to write; the setup's own by default.")
@click.option("--model", type=options.PATH, metavar="OSIM", help="Generic model instead of the setup's.")
@click.option("--mass", type=click.FloatRange(min=0.0, min_open=True), metavar="KG", help="Instead of the setup's.")
def scale(setup: Path, output: Path | None, model: Path | None, mass: float | None) -> None:
    """Scale a model and place its markers as an OpenSim Scale setup says.

    Measurements, manual factors and marker placement are done here; OpenSim scales masses and muscles.
    Writes the scaled model and, with a marker placement, the static pose (.mot) beside it.
    """
    from biopose_sim.cli.scaling import scale_by_setup

    scale_by_setup(setup, output, model, mass)
