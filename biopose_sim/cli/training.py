"""The work of ``biopose train``: read the configuration, train, write the weights, tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from biopose_sim.cli.console import Progress
from biopose_sim.cli.training_video import MQHMR, NEURIK, kind_of, train_video
from biopose_sim.errors import InputError
from biopose_sim.neurik.config import TrainConfig, load_config

WEIGHTS = "weights"


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """The command line of ``biopose train``; see its help."""

    config: str
    data: Path
    output: Path
    settings: Sequence[str] = ()
    start: str | None = None
    steps: int | None = None
    seed: int | None = None
    device: str = "auto"
    threads: int = 0
    encoder: Path | None = None
    body_models: Path | None = None
    regressor: Path | None = None

    @property
    def configuration(self) -> TrainConfig:
        """The configuration with its changes."""
        return wanted(load_config(self.config, self.settings), self.steps, self.seed)


def wanted(config: TrainConfig, steps: int | None, seed: int | None) -> TrainConfig:
    """Return a configuration with other steps or seed where some are given."""
    if steps is not None:
        config = replace(config, steps=steps)
    return config if seed is None else replace(config, seed=seed)


def train_network(wishes: Wishes) -> Path:
    """Do what ``biopose train`` does and return the folder of the weights."""
    kind = kind_of(wishes.config)
    if kind != MQHMR and (wishes.encoder or wishes.body_models or wishes.regressor):
        raise click.UsageError("--encoder, --body-models and --regressor are of MQ-HMR")
    if kind != NEURIK:
        return train_video(wishes, kind, prepare(wishes.device, wishes.threads))
    config = wishes.configuration
    device = prepare(wishes.device, wishes.threads)
    from biopose_sim.neurik.model_card import training_card
    from biopose_sim.neurik.train import Trainer
    from biopose_sim.neurik.weights import save_network

    with Progress() as progress:
        progress("reading the shards")
        trainer = Trainer(wishes.data, wishes.output, config, device, wishes.start)
        if trainer.begun and not trainer.step:
            progress.tell(f"{wishes.output}: begins from {trainer.begun}")
        if trainer.step:
            progress.tell(f"{wishes.output}: goes on from step {trainer.step} of {trainer.total}")
        try:
            network = trainer.run(progress, progress.tell)
        except KeyboardInterrupt:
            progress.tell(f"{wishes.output}: stopped at step {trainer.step}; the same command goes on from there")
            raise
        progress("writing")
        name = Path(wishes.config).stem
        folder = save_network(wishes.output / WEIGHTS, network, training_card(trainer, name))
    click.echo(f"{folder}: {trainer.step} steps in {trainer.seconds / 60:.1f} min; see README.md there")
    return folder


def prepare(device: str, threads: int) -> str:
    """Set the threads of a processor, all if 0, and return the device.

    Raises:
        InputError: a GPU is wanted and there is none.
    """
    import torch

    if threads:
        torch.set_num_threads(threads)
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda", "torch finds no GPU here", "give cpu, or install torch for CUDA")
    return device
