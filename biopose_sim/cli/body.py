"""``biopose body``: body meshes from recordings of optical markers."""

from __future__ import annotations

from typing import Any

import click

from biopose_sim.cli import options


@click.group("body", short_help="Fit a body mesh to recordings of optical markers.")
def command() -> None:
    """Body meshes."""


@command.command("fit")
@click.argument("trials", nargs=-1, type=options.PATH, required=True, metavar="TRIAL...")
@click.option("-o", "--output", type=options.PATH, required=True, metavar="FOLDER", help="Folder for the results.")
@click.option(
    "--markers",
    type=click.STRING,
    metavar="SET",
    help="Where the markers lie on the body: a .csv file, or the name of a shipped set; else the one that fits.",
)
@click.option("--sex", type=click.Choice(["female", "male"]), help="Of the person; found if not given.")
@click.option("--mass", type=click.FloatRange(min=20.0, max=300.0), metavar="KG", help="Of the person, if known.")
@click.option("--stature", type=click.FloatRange(min=1.2, max=2.4), metavar="M", help="Of the person, if known.")
@click.option(
    "--rate",
    type=click.FloatRange(min=5.0),
    default=60.0,
    show_default=True,
    metavar="HZ",
    help="Solve at most so many frames a second; between, motions are interpolated.",
)
@click.option("--pictures/--no-pictures", default=True, show_default=True, help="Draw mesh and markers of each TRIAL.")
def fit(**wishes: Any) -> None:
    """Fit Anny's shape and motion to one person's recordings (.trc, .c3d), over all TRIALs together.

    Writes per TRIAL the moving body (.npz, read by 'biopose predict'), its virtual markers (.trc) and a picture;
    residuals.csv, body.csv (shape, offsets of the markers) and manifest.json.

    \b
    biopose body fit static.trc walk.trc -o body01 --sex female --mass 61
    biopose predict body01/walk.npz -o subject01
    """
    from biopose_sim.cli.bodyfitting import Wishes, fit_bodies, tell_bodies

    tell_bodies(fit_bodies(Wishes(**wishes)))
