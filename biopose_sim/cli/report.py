"""``biopose report``: a page about results, for clinicians and to print."""

from __future__ import annotations

from typing import Any

import click

from biopose_sim.cli import options


@click.command("report", short_help="A page about results: gait, angles, forces, quality; to read and to print.")
@click.argument("folder", required=False, type=options.PATH, metavar="[OUT]")
@click.option("--model", type=options.PATH, metavar="OSIM", help="Scaled model, where there is no folder of results.")
@click.option("--motion", multiple=True, type=options.PATH, metavar="MOT", help="Its motion; may be given repeatedly.")
@click.option(
    "--markers", multiple=True, type=options.PATH, metavar="TRIAL", help="Measured markers of the motion of its name."
)
@click.option("--person", metavar="ID", help="Which person of a run over a data set.")
@click.option("--name", metavar="TEXT", help="Who this is, for the head of the page.")
@click.option("--grf", type=options.PATH, metavar="XML", help="Measured ground reaction (ExternalLoads), for gait.")
@click.option("-o", "--output", type=options.PATH, metavar="HTML", help="The page; OUT/report.html by default.")
def command(**wishes: Any) -> None:
    """Write a page about what fit, ik, predict, demo or groundtruth left in the folder OUT.

    Who the person is, gait (strides, spatiotemporal parameters, joint angles with the bands of healthy people), forces
    if 'biopose simulate' computed some, pictures, joint angles, marker errors, limits and feet: one file (.html) that
    needs no other, for a browser or for paper (A4).

    \b
    biopose report subject01
    biopose report --model subject01.osim --motion walk.mot --markers walk.trc -o walk.html
    """
    from biopose_sim.cli.report_writing import Wishes, report, tell_report

    tell_report(report(Wishes(**wishes)))
