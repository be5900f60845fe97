"""``biopose predict``: body meshes of one person to a scaled model and motions."""

from __future__ import annotations

from typing import Any

import click

from biopose_sim.cli import options


@click.command("predict", short_help="Body meshes (AMASS, video tools, BVH, ...) to a scaled .osim and .mot files.")
@click.argument("sequences", nargs=-1, type=options.PATH, required=True, metavar="SEQ...")
@click.option("-o", "--output", type=options.PATH, required=True, metavar="FOLDER", help="Folder for the results.")
@click.option(
    "--engine",
    type=click.Choice(["auto", "neurik", "fit"]),
    default="auto",
    show_default=True,
    help="How markers become angles: by a trained network, or fitted; auto: by the network, but fitted where options "
    "of the fit alone are given, as --model.",
)
@click.option(
    "--weights",
    type=options.PATH,
    metavar="WHICH",
    help="neurik: name or folder of trained weights, by default those that are shipped. fit: marker weights, a file "
    "of lines 'marker,weight' or an IKTaskSet (.xml).",
)
@click.option("--refine", is_flag=True, help="neurik: fit markers and motion from what the network says.")
@click.option("--fps", type=click.FloatRange(min=0.0, min_open=True), metavar="HZ", help="Frame rate of the sequence.")
@click.option("--track", metavar="KEY", help="Whom to take where there are several people.")
@click.option("--action", metavar="NAME", help="Which action of a file that holds several (BML-MoVi).")
@click.option(
    "--frame",
    type=click.Choice(["auto", "world", "camera"]),
    default="auto",
    show_default=True,
    help="Axes of results from video; auto: the world's where there are some.",
)
@click.option(
    "--upright",
    metavar="WAY",
    help="Vertical of results in camera axes: level (by default), body, feet, or PITCH,ROLL of the camera in degrees.",
)
@click.option(
    "--gender",
    type=click.Choice(["female", "male", "neutral"]),
    help="Body model of the SMPL family to use; the file's by default.",
)
@click.option("--body-models", type=options.PATH, metavar="FOLDER", help="Where your SMPL, SMPL-H, SMPL-X files lie.")
@click.option(
    "--sex", type=click.Choice(["female", "male"]), help="Of the person, for a BVH file; middling if not given."
)
@click.option(
    "--stature",
    type=click.FloatRange(min=0.0, min_open=True),
    metavar="M",
    help="Of the person, for a BVH file; the mean of the sex if not given.",
)
@click.option(
    "--model", type=options.PATH, metavar="OSIM", help="Model with markers of the virtual markers' names; else our own."
)
@click.option(
    "--mass", type=click.FloatRange(min=0.0, min_open=True), metavar="KG", help="Of the person; else from the volume."
)
@click.option("--symmetric/--no-symmetric", default=True, show_default=True, help="Both sides share their size.")
@options.smoothness
@options.prior
@options.continuity
@options.free
@options.threads
@options.model_markers
@options.report
def command(**wishes: Any) -> None:
    """Bring the OpenSim model to the body mesh of a person, over all SEQs together.

    SEQ: AMASS, BEDLAM, BML-MoVi, WHAM, PHALP (4D-Humans), GVHMR, SMPLest-X, vertices or our own file (.npz),
    or a skeleton's motion (.bvh), of which 142 virtual markers on the mesh are taken; by the network also
    recordings of markers by their names (.trc, .c3d). Writes the scaled model (.osim), a
    motion (.mot) and the markers (.trc) per SEQ, pictures, report.html and manifest.json into FOLDER.

    \b
    biopose predict walk_stageii.npz --body-models ~/body_models -o subject01
    biopose predict wham_output.pkl --track 0 --fps 30 -o video01
    biopose predict walk.bvh --sex female --stature 1.68 -o person
    biopose predict walk.trc --engine neurik --refine -o person
    """
    from biopose_sim.cli.predicting import Wishes, predict_person, tell_prediction

    tell_prediction(predict_person(Wishes(**wishes)))
