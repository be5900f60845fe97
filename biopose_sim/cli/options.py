"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

PATH = click.Path(path_type=Path)

trials = click.argument("trials", nargs=-1, type=PATH, metavar="[TRIAL]...")
required_trials = click.argument("trials", nargs=-1, type=PATH, required=True, metavar="TRIAL...")
setup = click.option("--setup", type=PATH, metavar="XML", help="OpenSim IK setup: weights, wanted values.")
weights = click.option(
    "--weights",
    type=PATH,
    metavar="FILE",
    help="Marker weights: lines 'marker,weight', or an IKTaskSet (.xml).",
)
markers = click.option("--markers", type=PATH, metavar="XML", help="Marker set that joins the model's markers.")
smoothness = click.option(
    "--smoothness",
    type=click.FloatRange(min=0.0),
    default=0.0,
    show_default=True,
    help="Weight of smooth motion; 0.003 suits walking with noisy markers, 0 solves each frame for itself.",
)
prior = click.option(
    "--prior",
    type=click.FloatRange(min=0.0),
    default=0.0,
    show_default=True,
    help="Pull on what markers hardly determine, towards the smooth motion or the default pose; 1e-5 is gentle.",
)
continuity = click.option(
    "--continuity",
    type=click.FloatRange(min=0.0),
    help="Pull of all joints to the frame before; 2e-5 suits spine models. By default only joints that the markers "
    "do not determine are steadied; 0: none.",
)
free = click.option("--free", multiple=True, metavar="NAME", help="Coordinate to move though the model locks it.")
threads = click.option(
    "--threads",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Processor threads; 0 takes all.",
)
model_markers = click.option("--model-markers", is_flag=True, help="Also write the model's markers (.trc).")
report = click.option("--report/--no-report", default=True, show_default=True, help="Write report.html.")
