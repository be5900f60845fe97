"""``biopose ik``: joint angles of trials on a scaled model."""

from __future__ import annotations

from typing import Any

import click

from biopose_sim.cli import options


@click.command("ik", short_help="Joint angles (.mot) of trials on a scaled model.")
@options.trials
@click.option("--model", type=options.PATH, metavar="OSIM", help="The scaled model.")
@click.option("-o", "--output", type=options.PATH, metavar="FOLDER", help="Folder for the results.")
@options.setup
@options.weights
@options.markers
@click.option(
    "--engine",
    type=click.Choice(["fit", "opensim"]),
    default="fit",
    show_default=True,
    help="Our solver, or OpenSim's own InverseKinematicsTool.",
)
@click.option("--time", "span", nargs=2, type=float, metavar="START END", help="Frames to solve [s].")
@options.smoothness
@options.prior
@options.continuity
@options.free
@options.threads
@options.model_markers
@options.report
def command(**wishes: Any) -> None:
    """Solve the joint angles of each TRIAL (.trc, .c3d) on a scaled model.

    Writes a motion (.mot) per trial, report.html and manifest.json into FOLDER. A lab's setup file works as
    it is: without TRIAL, --model or --output, those of the setup are taken.

    \b
    biopose ik walk.trc run.trc --model subject01_scaled.osim -o results
    biopose ik --setup ik_setup.xml
    """
    from biopose_sim.cli.solving import Wishes, solve_trials

    solve_trials(Wishes(**wishes))
