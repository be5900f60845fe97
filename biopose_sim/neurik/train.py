"""Training on shards: seeded, resumable, on a CPU or a GPU, with a log that people and TensorBoard read."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from biopose_sim.errors import InputError
from biopose_sim.io import atomic_path, atomic_write
from biopose_sim.neurik.augment import AugmentConfig
from biopose_sim.neurik.batches import Batch, Batches
from biopose_sim.neurik.losses import LossWeights, losses
from biopose_sim.neurik.network import BaseNetwork, NetworkConfig, NeurIKNetwork, make_network
from biopose_sim.neurik.scalars import ScalarLog
from biopose_sim.neurik.skeleton import Pose, Skeleton

CHECKPOINT, LOG = "checkpoint.pt", "log.jsonl"
_STATISTICS = 40  # batches from which means and spreads are taken


@dataclass(frozen=True)
class TrainConfig:
    """How a network is trained.

    Attributes:
        network: its sizes.
        losses: their weights.
        augment: how markers are disturbed.
        seed: of weights, order and disturbances.
        batch: windows of a batch.
        epochs: how often all windows are seen.
        steps: of the optimiser, instead of epochs; None: as epochs say.
        rate: first learning rate.
        last_rate: last one; between them it falls exponentially.
        warm_up: steps over which the rate rises at first.
        weight_decay: of the optimiser.
        clip: largest norm of a gradient.
        average: share of the moving average of the weights that stays in each step; 0 takes the last weights.
    """

    network: NetworkConfig = field(default_factory=NetworkConfig)
    losses: LossWeights = field(default_factory=LossWeights)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    seed: int = 0
    batch: int = 128
    epochs: float = 25.0
    steps: int | None = None
    rate: float = 1e-3
    last_rate: float = 5e-6
    warm_up: int = 200
    weight_decay: float = 1e-3
    clip: float = 1.0
    average: float = 0.0


PAPER = TrainConfig(network=NetworkConfig(kind="paper"))
BASE = TrainConfig(
    losses=LossWeights(joints=1.0, markers=2.0, scales=0.3, angles=1.0), batch=64, last_rate=1e-5, average=0.999
)


class Trainer:
    """Trains a network on shards.

    Args:
        shards: folder that ``biopose groundtruth`` wrote.
        output: folder for checkpoints and the log; a checkpoint there is gone on from.
        config: how.
        device: e.g. ``"cpu"`` or ``"cuda"``.

    Raises:
        InputError: no shards there; a checkpoint of another configuration.
    """

    def __init__(self, shards: Path, output: Path, config: TrainConfig, device: str = "cpu") -> None:
        from ik_pipeline.shards import load_model

        self.config, self.output, self.device = config, output, device
        torch.manual_seed(config.seed)
        self.skeleton = Skeleton(load_model(shards))
        window = config.network.window
        options: dict[str, Any] = {"size": config.batch, "seed": config.seed, "window": window}
        self.train = Batches(shards, "train", self.skeleton, augment=config.augment, **options)
        self.val = Batches(shards, "val", self.skeleton, shuffle=False, most=2048, **options)
        self.network = make_network(self.skeleton, config.network).to(device)
        self.average = make_network(self.skeleton, config.network).to(device)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=config.rate, weight_decay=config.weight_decay, betas=(0.9, 0.99)
        )
        self.total = config.steps or max(1, round(config.epochs * len(self.train)))
        self.step = 0
        if (output / CHECKPOINT).is_file():
            self._resume()
        else:
            set_statistics(self.network, self.train)
            self.average.load_state_dict(self.network.state_dict())

    def run(self, progress: Callable[[str], None] = lambda text: None, every: float = 60.0) -> NeurIKNetwork:
        """Train to the end and return the network that is to be used; a checkpoint is written every so many seconds."""
        self.output.mkdir(parents=True, exist_ok=True)
        log = ScalarLog(self.output, LOG)
        written = told = time.monotonic()
        sums: dict[str, float] = {}
        count = 0
        while self.step < self.total:
            epoch, done = divmod(self.step, len(self.train))
            for number, batch in enumerate(self.train.epoch(epoch)):
                # What a resumed run has seen of this epoch is read again, so that chance goes on as it would have.
                if number < done:
                    continue
                for name, value in self._learn(batch).items():
                    sums[name] = sums.get(name, 0.0) + value
                count += 1
                if time.monotonic() - told > 10.0 or self.step == self.total:
                    means = {name: value / count for name, value in sums.items()}
                    log.write(self.step, {"rate": self._rate(), **means})
                    progress(f"step {self.step} of {self.total}, loss {means['total']:.4f}")
                    sums, count, told = {}, 0, time.monotonic()
                if time.monotonic() - written > every:
                    self.save()
                    written = time.monotonic()
                if self.step >= self.total:
                    break
        self.save()
        return self.best

    @property
    def best(self) -> NeurIKNetwork:
        """The network to be used: of averaged weights where there are some."""
        return (self.average if self.config.average > 0.0 else self.network).eval()

    def save(self) -> None:
        """Write a checkpoint from which training goes on as if it had not stopped."""
        content = {
            "config": json.dumps(asdict(self.config), sort_keys=True),
            "step": self.step,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        with atomic_path(self.output / CHECKPOINT) as path:
            torch.save(content, path)
        atomic_write(self.output / "config.json", json.dumps(asdict(self.config), indent=2) + "\n")

    def _resume(self) -> None:
        path = self.output / CHECKPOINT
        try:
            content = torch.load(path, map_location=self.device, weights_only=True)
        except (RuntimeError, EOFError, OSError, ValueError) as error:
            raise InputError(path, f"cannot be read ({error})", "delete it to begin anew") from error
        if content["config"] != json.dumps(asdict(self.config), sort_keys=True):
            raise InputError(path, "is of another configuration", "give another output folder, or delete it")
        self.step = int(content["step"])
        self.network.load_state_dict(content["network"])
        self.average.load_state_dict(content["average"])
        self.optimiser.load_state_dict(content["optimiser"])

    def _learn(self, batch: Batch) -> dict[str, float]:
        config = self.config
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate()
        self.network.train()
        parts = losses(self.skeleton, self.network(batch.framed), batch.truth, config.losses)
        self.optimiser.zero_grad(set_to_none=True)
        parts["total"].backward()
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), config.clip)
        if bool(torch.isfinite(norm)):
            self.optimiser.step()
        self.step += 1
        self._move_average()
        return {name: float(value.detach()) for name, value in parts.items()}

    @torch.no_grad()
    def _move_average(self) -> None:
        # Young averages forget their random beginning sooner.
        kept = min(self.config.average, (1.0 + self.step) / (10.0 + self.step)) if self.config.average else 0.0
        for mean, value in zip(self.average.state_dict().values(), self.network.state_dict().values()):
            mean.lerp_(value, 1.0 - kept)

    def _rate(self) -> float:
        config = self.config
        done = self.step / self.total
        falling = config.rate * math.exp(done * math.log(config.last_rate / config.rate))
        return falling * min(1.0, (self.step + 1) / max(config.warm_up, 1))


def set_statistics(network: NeurIKNetwork, batches: Batches) -> None:
    """Set the network's means and spreads from some batches without disturbances."""
    plain = Batches(
        batches.data.folder,
        batches.data.split,
        batches.skeleton,
        size=batches.size,
        shuffle=False,
        most=_STATISTICS * batches.size,
        window=batches.data.length,
    )
    found = list(plain.epoch(0))
    poses = [b.truth.pose for b in found]
    pose = Pose(
        torch.cat([p.root_rotation.flatten(0, 1) for p in poses]),
        torch.cat([p.root_position.flatten(0, 1) for p in poses]),
        torch.cat([p.joints.flatten(0, 1) for p in poses]),
    )
    network.set_statistics(pose, torch.cat([b.truth.sizes for b in found]))
    if isinstance(network, BaseNetwork):
        markers = torch.cat([b.framed.markers.flatten(0, 1) for b in found])
        network.marker_mean.copy_(markers.mean(dim=0))
