"""``biopose fit``: markers of one person to a scaled model and motions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from biopose_sim.cli import options


@click.command("fit", short_help="Markers of a person to a scaled .osim and .mot files.")
@options.required_trials
@click.option("--model", type=options.PATH, metavar="OSIM", help="Generic model; the project's own by default.")
@click.option("-o", "--output", type=options.PATH, required=True, metavar="FOLDER", help="Folder for the results.")
@click.option("--static", type=options.PATH, metavar="TRIAL", help="Static trial, if not among the trials.")
@options.setup
@click.option(
    "--scale-setup",
    type=options.PATH,
    metavar="XML",
    help="OpenSim Scale setup: scale by its measurements instead.",
)
@options.weights
@options.markers
@click.option("--mass", type=click.FloatRange(min=0.0, min_open=True), metavar="KG", help="Mass of the person.")
@click.option("--symmetric/--no-symmetric", default=True, show_default=True, help="Both sides share their size.")
@options.smoothness
@options.prior
@options.continuity
@options.free
@options.threads
@options.model_markers
@options.report
def command(**wishes: Any) -> None:
    """Fit a person's size, marker places and motion to all TRIALs (.trc, .c3d) together.

    Writes the scaled model (.osim), a motion (.mot) per trial, report.html and manifest.json into FOLDER.
    A static trial helps but is not needed; name it like any other.

    \b
    biopose fit static.trc walk.trc run.trc -o subject01
    biopose fit static.trc walk.trc --model Rajagopal2016.osim --setup ik_setup.xml -o subject01
    """
    from biopose_sim.cli.person import Wishes, fit_person, tell

    static: Path | None = wishes.pop("static")
    trials: tuple[Path, ...] = wishes.pop("trials")
    if static is not None and static not in trials:
        trials = (static, *trials)
    tell(fit_person(Wishes(trials=trials, **wishes)))
