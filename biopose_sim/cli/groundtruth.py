"""``biopose groundtruth``: OpenSim models and motions over whole data sets."""

from __future__ import annotations

from typing import Any

import click

from biopose_sim.cli import options

# Those of ik_pipeline.sources, which takes too long to import for a help page.
SOURCES = ("bml-movi", "bedlam", "amass", "opencap", "markers", "cmu")
ENGINES = ("fit", "opensim")

_positive = click.IntRange(min=1)


@click.command("groundtruth", short_help="OpenSim models and motions over whole data sets.")
@click.argument("source", type=click.Choice(SOURCES), metavar="|".join(SOURCES))
@click.argument("folder", type=options.PATH, metavar="SRC")
@click.option("-o", "--output", type=options.PATH, required=True, metavar="OUT", help="Folder for the results.")
@click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default="fit",
    show_default=True,
    help="fit: ours. opensim: OpenSim's ScaleTool and InverseKinematicsTool.",
)
@click.option("--compare", is_flag=True, help="Run both engines and write their differences (compare.csv).")
@click.option("--resume", is_flag=True, help="Go on with the run in OUT: only what is missing, changed or failed.")
@click.option("--overwrite", is_flag=True, help="Remove the run in OUT and do it anew.")
@click.option("--workers", type=_positive, metavar="N", help="Worker processes on this machine; all processors if not.")
@click.option("--scheduler", metavar="ADDRESS", help="Scheduler of a dask.distributed cluster that sees SRC and OUT.")
@click.option("--persons", type=_positive, metavar="N", help="How many persons: to make (cmu), to take (others).")
@click.option("--trials", type=_positive, metavar="N", help="How many trials of each person.")
@click.option("--include", "include_persons", multiple=True, metavar="PATTERN", help="Persons to take: 'Subject_1*'.")
@click.option("--include-trials", multiple=True, metavar="PATTERN", help="Trials to take, by name.")
@click.option("--test", multiple=True, metavar="PATTERN", help="Groups of persons for testing.")
@click.option("--val", multiple=True, metavar="PATTERN", help="Groups of persons for validation.")
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="Of random bodies (cmu).")
@click.option("--fps", type=click.FloatRange(min=0.0, min_open=True), metavar="HZ", help="Bring body motions to HZ.")
@click.option("--gender", type=click.Choice(["female", "male", "neutral"]), help="Body model, or sex of all (cmu).")
@click.option("--body-models", type=options.PATH, metavar="FOLDER", help="Where your SMPL, SMPL-H, SMPL-X files lie.")
@click.option("--model", type=options.PATH, metavar="OSIM", help="Model to scale; else that of the setup or our own.")
@options.markers
@options.setup
@click.option("--scale-setup", type=options.PATH, metavar="FILE", help="ScaleTool setup, or a table of marker pairs.")
@click.option("--after-scaling", type=options.PATH, metavar="TOML", help="What is locked or changed once scaled.")
@click.option(
    "--place-fixed/--keep-fixed",
    default=False,
    show_default=True,
    help="Whether OpenSim's marker placement moves markers that the model calls fixed, too.",
)
@options.weights
@options.smoothness
@options.prior
@options.continuity
@options.free
@click.option("--mot/--no-mot", default=None, help="Write motions (.mot); by default all but cmu do.")
@click.option("--osim/--no-osim", default=True, show_default=True, help="Write scaled models (.osim).")
@click.option("--trc/--no-trc", default=False, show_default=True, help="Write the markers (.trc).")
@click.option("--rules", type=options.PATH, metavar="TOML", help="Limits beyond which results are rejected.")
@click.option("--shards/--no-shards", default=None, help="Write training shards; by default only cmu does.")
@click.option("--window", type=_positive, default=64, show_default=True, help="Frames of a shard's window.")
@click.option("--stride", type=_positive, default=16, show_default=True, help="Frames between windows.")
@click.option("--shard-rate", type=click.FloatRange(min=0.0, min_open=True), metavar="HZ", help="Resample shards.")
@click.option("--report/--no-report", default=True, show_default=True, help="Write summary.html.")
def command(**wishes: Any) -> int:
    """Make ground truth of the data set in SRC: scale a model to each person, solve each trial, check both.

    Writes into OUT: persons/<person>/ with numbers (.npz), .osim and .mot; manifest.json; summary.html; shards/.
    Kill it anywhere and run it again with --resume: the files will be the same. A trial that fails costs that trial.
    Exit code 0: all done; 1: a person or trial failed (see manifest.json); 2: bad input or a full disk.

    \b
    biopose groundtruth cmu ../shared/data/cmu_bvh -o cmu --persons 200 --seed 1
    biopose groundtruth markers lab/ -o lab_ik --engine opensim --model M.osim --markers set.xml
    biopose groundtruth bml-movi BMLmovi/ -o movi --body-models ~/body_models --scheduler tcp://node1:8786
    """
    from biopose_sim.cli.groundtruth_run import Wishes, make_ground_truth

    return make_ground_truth(Wishes(**wishes))
