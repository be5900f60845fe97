"""``biopose demo``: a walking body mesh, measured by noisy markers, and what comes back from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from biopose_sim.cli import options


@click.command("demo", short_help="Everything on a built-in walking person, compared with the truth.")
@click.option("-o", "--output", type=options.PATH, default=Path("demo_output"), show_default=True, metavar="FOLDER")
@click.option("--seed", type=int, default=3, show_default=True, help="Another number is another person.")
@click.option(
    "--noise",
    type=click.FloatRange(min=0.0),
    default=5.0,
    show_default=True,
    metavar="MM",
    help="Marker noise.",
)
@click.option(
    "--gaps",
    type=click.FloatRange(0.0, 50.0),
    default=2.0,
    show_default=True,
    metavar="%",
    help="Missing markers.",
)
@click.option(
    "--seconds", type=click.FloatRange(1.0, 600.0), default=4.0, show_default=True, help="Length of the walk."
)
@click.option(
    "--smoothness",
    type=click.FloatRange(min=0.0),
    default=0.003,
    show_default=True,
    help="Of the motion, as in 'biopose fit'; 0 solves each frame for itself.",
)
@click.option(
    "--engine",
    type=click.Choice(["neurik", "fit"]),
    default="neurik",
    show_default=True,
    help="How markers become angles; with neurik, the fit is compared beside it.",
)
@click.option("--weights", type=options.PATH, metavar="WHICH", help="Name or folder of the network's weights.")
@click.option("--check/--no-check", default=True, show_default=True, help="Open the results in OpenSim.")
def command(output: Path, **wishes: Any) -> None:
    """Make a random adult body that walks, record its virtual markers with noise and gaps, and bring a model to them.

    Writes the body's motion (.npz, for 'biopose predict'), the recordings (.trc) and all that 'biopose fit' writes,
    with pictures (.png), and prints how far the result is from the body and from the truth of a person of known angles.
    """
    from biopose_sim.cli.showing import DemoWishes, show

    show(output, DemoWishes(**wishes))
