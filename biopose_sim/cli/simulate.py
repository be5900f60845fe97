"""``biopose simulate``: from motions to joint moments, muscle forces and joint loads."""

from __future__ import annotations

from typing import Any

import click

from biopose_sim.cli import options


@click.command("simulate", short_help="Joint moments, muscle forces and joint loads by OpenSim's tools.")
@click.argument("folder", required=False, type=options.PATH, metavar="[OUT]")
@click.option("--model", type=options.PATH, metavar="OSIM", help="A scaled model; with --motion, instead of OUT.")
@click.option("--motion", type=options.PATH, metavar="MOT", help="Its motion (.mot, .sto).")
@click.option("--setup", type=options.PATH, metavar="XML", help="An OpenSim setup: its model, motion, loads, filter.")
@click.option("-o", "--output", type=options.PATH, metavar="FOLDER", help="Where 'simulation' goes; OUT by default.")
@click.option("--trial", "trials", multiple=True, metavar="NAME", help="Trial of OUT; all by default.")
@click.option(
    "--grf",
    metavar="FILE|estimate|none",
    help="Ground reaction: external loads (.xml), forces (.mot), a recording with force plates (.c3d); {trial} in the "
    "name stands for the trial. By default plates of the recording, else an estimate from the motion.",
)
@click.option("--filter", "filter_hz", type=click.FloatRange(min=0.0), default=6.0, show_default=True, metavar="HZ",
              help="Cut-off of the coordinates' zero-lag Butterworth filter; 0 for none.")  # fmt: skip
@click.option("--grf-filter", "grf_filter_hz", type=click.FloatRange(min=0.0), metavar="HZ",
              help="Cut-off of the same filter of the ground's forces; none by default.")  # fmt: skip
@click.option("--tools", default="id,so,ma,jr", show_default=True, metavar="LIST",
              help="Inverse dynamics, static optimization, muscle analysis, joint reaction.")  # fmt: skip
@click.option("--joints", metavar="LIST", help="Joints of the reactions; hips, knees and ankles by default.")
@click.option("--frames", default="ground,child,parent", show_default=True, metavar="LIST",
              help="Axes in which joint reactions are told.")  # fmt: skip
@click.option("--arms", metavar="LIST", help="Coordinates of the moment arms; those of the legs by default.")
@click.option("--engine", type=click.Choice(["auto", "fast", "opensim"]), default="auto", show_default=True,
              help="Static optimization by our solver on OpenSim's equations, or by OpenSim's tool.")  # fmt: skip
@click.option("--step", type=click.IntRange(min=1), default=1, show_default=True, metavar="N",
              help="Muscles and joint loads at every Nth frame.")  # fmt: skip
@click.option("--from", "start", type=float, metavar="S", help="First time [s].")
@click.option("--to", "end", type=float, metavar="S", help="Last time [s].")
@click.option("--actuators", multiple=True, type=options.PATH, metavar="XML", help="Force set that joins the model.")
@click.option("--workers", type=click.IntRange(min=0), default=0, show_default=True, help="Processes; 0: all cores.")
@click.option("--pictures/--no-pictures", default=True, show_default=True, help="Draw the curves.")
@click.option("--resume", is_flag=True, help="Keep what is there already of the same inputs and options.")
def command(**wishes: Any) -> None:
    """Simulate the trials of a result folder OUT (of fit, predict, ik or demo).

    Writes into OUT/simulation/TRIAL: the filtered motion, the model with reserve actuators, inverse dynamics,
    activations and forces, joint reactions, a summary (.csv), plots, and setup files that the OpenSim GUI runs again.

    \b
    biopose simulate subject01 --grf 'forces/{trial}_grf.xml'
    biopose simulate --model scaled.osim --motion walk.mot --grf walk_grf.xml -o results
    """
    from biopose_sim.cli.simulating import Wishes, simulate_trials

    simulate_trials(Wishes(**wishes))
