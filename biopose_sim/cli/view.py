"""``biopose view``: results in 3D, in the browser, as a picture or as a film."""

from __future__ import annotations

from typing import Any

import click

from biopose_sim.cli import options

_PARTS = ("bones", "model_markers", "measured_markers", "skin", "forces", "labels")


def _size(_context: click.Context, _option: click.Parameter, text: str) -> tuple[int, int]:
    try:
        width, height = (int(word) for word in text.lower().split("x"))
    except ValueError:
        raise click.BadParameter(f"'{text}' is no size; give WIDTHxHEIGHT, e.g. 1280x720") from None
    if not (64 <= width <= 7680 and 64 <= height <= 7680):
        raise click.BadParameter("width and height go from 64 to 7680")
    return width, height


@click.command("view", short_help="Results in 3D: in the browser, as PNG or MP4.")
@click.argument("folders", nargs=-1, type=options.PATH, metavar="[FOLDER]...")
@click.option("--trial", metavar="NAME", help="Trial of the FOLDERs; the longest by default.")
@click.option("--model", type=options.PATH, metavar="OSIM", help="Show this model (with --motion).")
@click.option("--motion", type=options.PATH, metavar="MOT", help="Its motion (.mot, .sto).")
@click.option("--trc", type=options.PATH, metavar="TRIAL", help="Measured markers (.trc, .c3d).")
@click.option("--grf", type=options.PATH, metavar="XML", help="Ground reactions: an ExternalLoads file.")
@click.option(
    "--geometry",
    multiple=True,
    type=options.PATH,
    metavar="FOLDER",
    help="Where the bones' files lie; by default beside the model and where OpenSim is installed (OPENSIM_HOME).",
)
@click.option("--overlay", is_flag=True, help="Several results over each other instead of side by side.")
@click.option("--png", type=options.PATH, metavar="FILE", help="Draw a picture instead; needs no display.")
@click.option("--frame", type=int, metavar="N", help="Frame of the picture, from 0; the middle by default.")
@click.option("--time", "moment", type=float, metavar="S", help="Moment of the picture.")
@click.option("--mp4", type=options.PATH, metavar="FILE", help="Draw a film instead; needs no display.")
@click.option("--span", nargs=2, type=float, metavar="S S", help="First and last moment of the film.")
@click.option("--fps", "rate", type=click.FloatRange(1.0, 240.0), default=30.0, show_default=True, help="Of the film.")
@click.option("--speed", type=click.FloatRange(0.01, 100.0), default=1.0, show_default=True, help="Of the film.")
@click.option("--size", default="1280x720", callback=_size, show_default=True, help="Of picture and film.")
@click.option(
    "--view",
    type=click.Choice(["oblique", "side", "front", "back", "top"]),
    default="oblique",
    show_default=True,
    help="Where the camera stands.",
)
@click.option("--hide", multiple=True, type=click.Choice(_PARTS), help="Leave out a part; may be repeated.")
@click.option("--port", type=click.IntRange(1, 65535), help="For the browser; the first free one from 8080 on.")
@click.option("--no-browser", "browser", flag_value=False, default=True, help="Serve, but open no browser.")
def command(**wishes: Any) -> None:
    """Show results in 3D: bones, markers measured and of the model, body mesh and forces.

    FOLDERs are what fit, predict, ik, demo or simulate wrote; several stand side by side. The view opens in a
    browser on this machine (pip install "biopose-sim[viewer]"); --png and --mp4 draw without one.

    \b
    biopose view subject01
    biopose view before after --overlay
    biopose view subject01 --trial walk --png walk.png --time 1.2 --view side
    biopose view --model M.osim --motion walk.mot --trc walk.trc --grf loads.xml --mp4 walk.mp4
    """
    from biopose_sim.cli.viewing import Wishes, show

    show(Wishes(**wishes))
