"""``biopose video``: a clip of a person, or several of calibrated cameras, to a scaled model and a motion."""

from __future__ import annotations

from typing import Any

import click

from biopose_sim.cli import options


@click.command("video", short_help="A video clip to a scaled .osim and .mot, from one camera or several.")
@click.argument("clips", nargs=-1, type=options.PATH, metavar="[CLIP]...")
@click.option("-o", "--output", type=options.PATH, required=True, metavar="FOLDER", help="Folder for the results.")
@click.option(
    "--engine",
    type=click.Choice(["auto", "keypoints", "mqhmr", "hmr-file"]),
    default="auto",
    show_default=True,
    help="What the motion starts from: 2D key points, a mesh network (with --checkpoint), or a file of its results "
    "(with --hmr); auto: by what is given.",
)
@click.option(
    "--key-points",
    multiple=True,
    type=options.PATH,
    metavar="FILE",
    help="2D key points of each clip (OpenPose, COCO, AlphaPose, MediaPipe), instead of detecting them.",
)
@click.option("--hmr", type=options.PATH, metavar="FILE", help="Result of WHAM, PHALP, GVHMR, ... to refine.")
@click.option("--track", metavar="KEY", help="Whom to take of --hmr where it holds several people.")
@click.option("--checkpoint", type=options.PATH, metavar="FILE", help="mqhmr: weights of MQ-HMR or HMR2.0.")
@click.option("--body-models", type=options.PATH, metavar="FOLDER", help="Where your SMPL, SMPL-H, SMPL-X files lie.")
@click.option("--calibration", type=options.PATH, metavar="FILE", help="Cameras: Qualisys, Pose2Sim, OpenCV or ours.")
@click.option(
    "--sync",
    metavar="HOW",
    help="Several clips: when each starts after the first, in seconds (0,0.2,-0.1), or auto: as the motion shows.",
)
@click.option(
    "--focal",
    metavar="LENGTH",
    help="Focal length: pixels, or as of 35 mm film ('26mm'); else the file's, else a phone's is assumed and refined.",
)
@click.option(
    "--stature", type=click.FloatRange(1.0, 2.5), metavar="M", help="Height of the person, which sets the scale."
)
@click.option("--mass", type=click.FloatRange(min=0.0, min_open=True), metavar="KG", help="Of the person.")
@click.option(
    "--up",
    metavar="WAY",
    help="Gravity: auto (seen from the person), level, or PITCH,ROLL of the camera in degrees; with --calibration the "
    "axis of its world that points up: x, y, z, -x, -y, -z. Auto if not given.",
)
@click.option(
    "--person",
    metavar="WHO",
    help="Whom to follow where there are several: a number of the picture, largest, left, right, or X,Y in pixels.",
)
@click.option("--from", "start", type=click.FloatRange(min=0.0), metavar="S", help="First second of the clip.")
@click.option("--to", "stop", type=click.FloatRange(min=0.0), metavar="S", help="Last second of the clip.")
@click.option("--fps", type=click.FloatRange(min=0.0, min_open=True), metavar="HZ", help="Frame rate, if not known.")
@click.option("--size", nargs=2, type=click.IntRange(min=1), metavar="W H", help="Of the picture, if there is no clip.")
@click.option("--layout", metavar="NAME", help="Of --key-points, where their number does not tell (smpl24, anny23).")
@click.option(
    "--refine",
    type=click.Choice(["joint", "paper", "none"]),
    default="joint",
    show_default=True,
    help="By the 2D key points: all frames together on the OpenSim model, as BioPose published it, or not at all.",
)
@click.option("--weights", type=options.PATH, metavar="WHICH", help="keypoints: other weights of the lifter.")
@click.option("--overlay/--no-overlay", default=True, show_default=True, help="Write the film with the skeleton.")
@options.threads
@options.report
def command(**wishes: Any) -> None:
    """Bring the OpenSim model to the person in a CLIP: a phone's video, a folder of pictures, or key points alone.

    Several CLIPs are of cameras that --calibration knows, of the same time: they are triangulated. Writes the scaled
    model (.osim), the motion (.mot), markers (.trc), the key points and the cameras, overlay.mp4 with the skeleton on
    the clip, report.html and manifest.json into FOLDER.

    \b
    biopose video walk.mp4 --stature 1.75 -o walk
    biopose video cam1.mp4 cam2.mp4 cam3.mp4 --calibration Calib.toml -o squat
    biopose video walk.mp4 --key-points walk_openpose/ --focal 26mm -o walk
    biopose video walk.mp4 --hmr wham_output.pkl --body-models ~/body_models -o walk
    """
    from biopose_sim.cli.videoing import Wishes, tell_video, video_person

    tell_video(video_person(Wishes(**wishes)))
