"""``biopose info``: what a model holds and what our kinematics does with it."""

from __future__ import annotations

from pathlib import Path

import click

from biopose_sim.cli import options


@click.command("info", short_help="What a model holds, and what is done with it.")
@click.argument("model", type=options.PATH, metavar="MODEL.osim")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(model: Path, as_json: bool) -> None:
    """Print bodies, coordinates, couplers and markers of a model, and what is not part of its kinematics."""
    import json

    from biopose_sim.cli.inputs import load_model
    from biopose_sim.osim.info import describe, summary

    loaded = load_model(model)
    click.echo(json.dumps(summary(loaded), indent=2) if as_json else describe(loaded))
