"""The work of ``biopose train`` for the networks of video: the lifter of key points, MQ-HMR."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from biopose_sim.cli.console import Progress
from biopose_sim.errors import InputError
from biopose_sim.paths import models_dir

if TYPE_CHECKING:
    from biopose_sim.cli.training import Wishes
    from biopose_sim.video.mqhmr.body import HeadBody
    from biopose_sim.video.mqhmr.config import HmrTraining
    from biopose_sim.video.mqhmr.streams import TrainingData

NEURIK, LIFTER, MQHMR = "neurik", "lifter", "mqhmr"
_OF_MQHMR = f"{MQHMR}_"
# Keys of the table [network] that only one kind of network has.
_KEYS = {"joined": LIFTER, "encoder": MQHMR}
_MOTIONS = "poses.npz"
_FEW = 4  # threads that draw side by side well


def kind_of(name: str) -> str:
    """Return which network a configuration is of, by its name, or of a TOML file by what it says of the network."""
    if Path(name).suffix != ".toml":
        return LIFTER if name == LIFTER else MQHMR if name.startswith(_OF_MQHMR) else NEURIK
    try:
        network = tomllib.loads(Path(name).read_text(encoding="utf-8")).get("network", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return NEURIK  # whose reader says what is wrong
    return next((kind for key, kind in _KEYS.items() if key in network), NEURIK)


def configuration_names() -> list[str]:
    """Names of the shipped configurations of these networks."""
    return sorted(p.stem for p in (models_dir() / "training").glob("*.toml") if kind_of(p.stem) != NEURIK)


def train_video(wishes: Wishes, kind: str, device: str) -> Path:
    """Train a lifter or MQ-HMR and return the folder of the weights.

    Args:
        wishes: the command line.
        kind: which.
        device: where to compute; a lifter is trained on the processor.
    """
    if wishes.settings or wishes.start:
        raise click.UsageError("--set and --start are of NeurIK; write a TOML file for other values")
    train = _lifter if kind == LIFTER else _mqhmr
    with Progress() as progress:
        try:
            train(wishes, device, progress)
        except KeyboardInterrupt:
            progress.tell(f"{wishes.output}: stopped; the same command goes on from there")
            raise
    folder = wishes.output / "weights"
    click.echo(f"{folder}: done; see README.md there")
    return folder


def _lifter(wishes: Wishes, _device: str, progress: Progress) -> None:
    from biopose_sim.video.lifter.train import load_training, train_lifter

    config = load_training(wishes.config)
    if wishes.steps is not None:
        config = replace(config, steps=wishes.steps, minutes=0.0)
    if wishes.seed is not None:
        config = replace(config, seed=wishes.seed)
    progress("reading the shards")
    train_lifter(wishes.data, wishes.output, config, progress, progress.tell)


def _mqhmr(wishes: Wishes, device: str, progress: Progress) -> None:
    from biopose_sim.video.mqhmr.config import load_hmr_training
    from biopose_sim.video.mqhmr.train import train_mqhmr

    config = load_hmr_training(wishes.config.removeprefix(_OF_MQHMR))
    if wishes.steps is not None:
        config = replace(config, steps=wishes.steps)
    if wishes.seed is not None:
        config = replace(config, seed=wishes.seed)
    body, data = _data(wishes, config, device, progress)
    train_mqhmr(
        config,
        data,
        wishes.output,
        encoder=wishes.encoder,
        body=body,
        progress=progress,
        tell=progress.tell,
        device=device,
    )


def _data(wishes: Wishes, config: HmrTraining, device: str, progress: Progress) -> tuple[HeadBody, TrainingData]:
    """The body that is predicted, and what it is learned from: synthetic people, or shards of pictures."""
    from biopose_sim.video.mqhmr.body import head_body

    body = head_body(config.network.body, wishes.body_models)
    shards = sorted(wishes.data.glob("*.tar")) if wishes.data.is_dir() else []
    return body, _pictures(wishes, config, shards) if shards else _people(wishes, config, device, progress)


def _people(wishes: Wishes, config: HmrTraining, device: str, progress: Progress) -> TrainingData:
    from biopose_sim.video.mqhmr.streams import PeopleData
    from biopose_sim.video.synthetic.motion import build_motion_table
    from biopose_sim.video.synthetic.stream import SyntheticPeople

    if config.network.body != "anny":
        problem = f"is of the body '{config.network.body}', and synthetic people are Anny's"
        raise InputError(wishes.config, problem, "give a folder of picture shards (.tar), or a recipe for anny")
    table = wishes.data if wishes.data.suffix == ".npz" else wishes.output / _MOTIONS
    if not table.is_file():
        progress("putting the takes on a body")
        wishes.output.mkdir(parents=True, exist_ok=True)
        build_motion_table(wishes.data, table, wishes.output / "takes")
    count = wishes.threads or 1
    # Threads share one interpreter, in which a few milliseconds of each image are spent.
    many = {"processes": count} if count > _FEW else {"threads": count}
    people = SyntheticPeople(table, "train", seed=config.seed, **many)
    held_out = SyntheticPeople(table, "val", seed=config.seed)
    return PeopleData(
        people,
        held_out,
        config.augment,
        markers=config.markers,
        reuse=config.reuse,
        seed=config.seed,
        device=device,
    )


def _pictures(wishes: Wishes, config: HmrTraining, shards: list[Path]) -> TrainingData:
    from biopose_sim.video.mqhmr.data import Cleaning
    from biopose_sim.video.mqhmr.data_tar import TarPictures
    from biopose_sim.video.mqhmr.layouts import SmplPoints, read_regressor
    from biopose_sim.video.mqhmr.streams import PictureData

    if len(shards) < 2:
        raise InputError(wishes.data, "holds one shard", "give two or more: the last is held out for validation")
    if wishes.regressor is None:
        raise click.UsageError("pictures need --regressor FILE: HMR2.0's SMPL_to_J19.pkl")
    points = SmplPoints(read_regressor(wishes.regressor))
    training, last = TarPictures(shards[:-1], Cleaning()), TarPictures(shards[-1:])
    chance = np.random.default_rng(config.seed)
    held_out = [last.draw(chance) for _ in range(config.validation_images)]
    threads = wishes.threads or 1
    return PictureData(
        training, held_out, points, config.augment, seed=config.seed, threads=threads, name=wishes.data.name
    )
