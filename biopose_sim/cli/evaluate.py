"""``biopose evaluate``: how far a network, and what it is compared with, is from the truth of a data set."""

from __future__ import annotations

from typing import Any

import click

from biopose_sim.cli import options

_positive = click.IntRange(min=1)


@click.command("evaluate", short_help="Errors of a network and of baselines on a data set in shards.")
@click.argument("weights", metavar="WEIGHTS")
@click.argument("data", type=options.PATH, metavar="DATA")
@click.option("-o", "--output", type=options.PATH, required=True, metavar="FOLDER", help="Folder for the results.")
@click.option(
    "--split", type=click.Choice(["train", "val", "test"]), default="test", show_default=True, help="Whom to judge on."
)
@click.option("--persons", type=_positive, metavar="N", help="How many persons, spread over the split; all if not.")
@click.option("--trials", type=_positive, metavar="N", help="How many trials of each person; all if not.")
@click.option(
    "--baseline",
    "baselines",
    multiple=True,
    metavar="NAME",
    help="Beside the network: fit, opensim, mean, or mot:NAME=FOLDER, motions of another system "
    "(<person>/<trial>.mot); may be given several times.",
)
@click.option("--refine", is_flag=True, help="Also judge the network with the engine's polish.")
@click.option(
    "--opensim-frames",
    type=_positive,
    default=50,
    show_default=True,
    help="OpenSim solves so many frames of a trial: it takes 0.3 s for each.",
)
@click.option(
    "--robustness", is_flag=True, help="Curves of error against noise, missing markers and mesh errors (slow)."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of disturbances.")
@click.option("--threads", type=_positive, default=1, show_default=True, help="Of the engine fit; 2 at most.")
@click.option("--report/--no-report", default=True, show_default=True, help="Write evaluation.html.")
def command(**wishes: Any) -> None:
    """Measure a trained network on persons it has not seen, beside baselines that see the same markers.

    WEIGHTS: a folder that 'biopose train' wrote, or the name of weights that are shipped. DATA: a folder of shards.
    Prints a table and writes evaluation.json, evaluation.csv (methods, persons, trials), coordinates.csv,
    robustness.csv and .png, and evaluation.html into FOLDER.

    \b
    biopose evaluate neurik-base cmu/shards -o evaluation
    biopose evaluate neurik-base cmu/shards -o short --persons 10 --trials 2 --baseline fit --baseline mean --refine
    biopose evaluate mine/ cmu/shards -o others --baseline mot:D3KE=d3ke_motions --robustness
    """
    from biopose_sim.cli.evaluating import Wishes, evaluate_network

    evaluate_network(Wishes(**wishes))
