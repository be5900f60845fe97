"""``biopose train``: a NeurIK network on training shards."""

from __future__ import annotations

from typing import Any

import click

from biopose_sim.cli import options

device = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where to compute; auto takes a GPU if there is one.",
)
settings = click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change a value: --set network.window=32"
)


@click.command("train", short_help="Train NeurIK, the lifter of key points or MQ-HMR.")
@click.argument("config", metavar="CONFIG")
@click.argument("data", type=options.PATH, metavar="DATA")
@click.option("-o", "--output", type=options.PATH, required=True, metavar="OUT", help="Folder for the training.")
@settings
@click.option("--start", metavar="WEIGHTS", help="Begin from these weights: a folder, or the name of shipped ones.")
@click.option("--steps", type=click.IntRange(min=1), metavar="N", help="Steps in all; else as the configuration says.")
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="Of weights, order and disturbances.")
@click.option("--encoder", type=options.PATH, metavar="FILE", help="mqhmr: HMR2.0, TokenHMR or ViTPose to begin from.")
@click.option("--body-models", type=options.PATH, metavar="FOLDER", help="mqhmr: where your SMPL files lie.")
@click.option("--regressor", type=options.PATH, metavar="FILE", help="mqhmr on pictures: HMR2.0's SMPL_to_J19.pkl.")
@device
@options.threads
def command(**wishes: Any) -> None:
    """Train a network by CONFIG on DATA.

    CONFIG: of NeurIK base or paper; lifter; mqhmr_scratch, mqhmr_cpu, mqhmr_paper or mqhmr_ci; or a TOML file of yours.
    DATA: shards of 'biopose groundtruth' for NeurIK and the lifter; for MQ-HMR the BVH takes of CMU, of which pictures
    of synthetic people are made, or a folder of HMR2.0's picture shards (.tar), the last of which is held out.

    Writes into OUT: weights/ with card.json and README.md at the end; checkpoint.pt, log.jsonl, config.toml and a
    TensorBoard event file on the way. Stop it with Ctrl-C or kill it anywhere: the same command goes on from there and
    ends with the same weights. Validations are printed, with the time of a step.

    \b
    biopose train base cmu/shards -o runs/base
    biopose train base cmu/shards -o runs/short --set network.window=32 --steps 2000 --threads 2
    biopose train base my/shards -o runs/mine --start neurik-base --steps 1000
    biopose train paper cmu/shards -o runs/paper --device cuda
    biopose train lifter cmu/shards -o runs/lifter
    biopose train mqhmr_scratch cmu_bvh -o runs/mqhmr
    """
    from biopose_sim.cli.training import Wishes, train_network

    train_network(Wishes(**wishes))
