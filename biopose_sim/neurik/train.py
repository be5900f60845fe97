"""Training on shards: seeded, resumable, on a CPU or a GPU, with a log that people and TensorBoard read."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from biopose_sim.errors import InputError
from biopose_sim.io import atomic_write
from biopose_sim.io.record import sha256
from biopose_sim.neurik.batches import Batch, Batches
from biopose_sim.neurik.checkpoint import ANEW, make_folder, read_checkpoint, write_checkpoint
from biopose_sim.neurik.config import TrainConfig, toml_of
from biopose_sim.neurik.descent import LossMeans, average_in, descend, make_optimiser
from biopose_sim.neurik.frame import moved
from biopose_sim.neurik.losses import losses
from biopose_sim.neurik.network import BaseNetwork, NeurIKNetwork, make_network
from biopose_sim.neurik.placement import fit_offsets
from biopose_sim.neurik.scalars import ScalarLog
from biopose_sim.neurik.skeleton import Pose, Skeleton
from biopose_sim.neurik.stopping import stop_requests
from biopose_sim.neurik.validate import ANGLE, LANDMARKS, Validation
from biopose_sim.neurik.weights import WEIGHTS, find_weights, load_state

CHECKPOINT, LOG, CONFIG = "checkpoint.pt", "log.jsonl", "config.toml"
_STATISTICS = 40  # batches from which means and spreads are taken
Tell = Callable[[str], None]


class Trainer:
    """Trains a network on shards.

    Attributes:
        step: of the optimiser, done so far.
        total: steps in all.
        seconds: that training took so far, with earlier runs.
        step_seconds: of a step, lately [s].
        metrics: of the last validation, by name; with its ``step``.
        begun: the weights that training began from, and how much they gave; empty without any.

    Args:
        shards: folder that ``biopose groundtruth`` wrote.
        output: folder for checkpoints and the log; a checkpoint there is gone on from.
        config: how.
        device: e.g. ``"cpu"`` or ``"cuda"``.
        start: folder or name of weights from which training begins, as far as layers are the same; None: from chance.

    Raises:
        InputError: no shards there; a checkpoint of another configuration or of other shards; weights to start from
            that are none, or of another model.
    """

    def __init__(
        self, shards: Path, output: Path, config: TrainConfig, device: str = "cpu", start: str | Path | None = None
    ) -> None:
        from ik_pipeline.shards import load_model

        self.config, self.output, self.shards, self.device = config, output, Path(shards), torch.device(device)
        torch.manual_seed(config.seed)
        self.skeleton = Skeleton(load_model(shards))
        window = config.network.window
        options: dict[str, Any] = {"size": config.batch, "seed": config.seed, "window": window, "device": self.device}
        self.train = Batches(shards, "train", self.skeleton, augment=config.augment, **options)
        self.validation = Validation(
            shards,
            self.skeleton,
            window=window,
            most=config.validation_windows,
            size=config.batch,
            device=self.device,
        )
        # Weights are drawn on the processor: the same for every device.
        self.network = make_network(self.skeleton, config.network).to(self.device)
        self.average = make_network(self.skeleton, config.network).to(self.device)
        self.optimiser = make_optimiser(
            self.network,
            config.optimiser,
            rate=config.rate,
            weight_decay=config.weight_decay,
            beta2=config.beta2,
            fused=self.device.type == "cuda",
        )
        mixed = config.precision == "bfloat16" or (config.precision == "auto" and self.device.type == "cuda")
        self._mixed = mixed
        self.total = config.steps or max(1, round(config.epochs * len(self.train)))
        self.step, self.seconds, self.step_seconds = 0, 0.0, math.nan
        self.metrics: dict[str, float] = {}
        self.begun = ""
        self._means = LossMeans()
        if (output / CHECKPOINT).is_file():
            self._resume(start)
        else:
            set_statistics(self.network, self.train)
            if start is not None:
                self.begun = begin_from(self.network, start)
            self.average.load_state_dict(self.network.state_dict())

    def run(
        self, progress: Tell = lambda text: None, tell: Tell = lambda text: None, every: float = 60.0
    ) -> NeurIKNetwork:
        """Train to the end and return the network that is to be used.

        Ctrl-C and SIGTERM take effect after the step under way, once a checkpoint is written.

        Args:
            progress: is told how far it is, often.
            tell: is told of validations.
            every: a checkpoint is written at the log's first entry after so many seconds.

        Raises:
            InputError: the folder cannot be written to, or losses are no numbers any more.
        """
        make_folder(self.output)
        atomic_write(self.output / CONFIG, toml_of(self.config))
        log = ScalarLog(self.output, LOG, after=self.step)
        clock = _Clock(self.seconds, self.step)
        with stop_requests() as asked:
            while self.step < self.total and not asked:
                for batch in self.train.epoch(*divmod(self.step, len(self.train))):
                    self._learn(batch)
                    due = self.step % self.config.validation_steps == 0 or self.step == self.total
                    last = self.step == self.total or bool(asked)
                    if due or last or self.step % self.config.log_steps == 0:
                        loss = self._means.look(log, self.step, self._rate(), self.output / CHECKPOINT)
                        self.seconds, self.step_seconds = clock.look(self.step)
                        if due:
                            self._validate(log)
                        (tell if due else progress)(self._line(loss))
                        if last or clock.since_saved > every:
                            self.save()
                            clock.saved()
                        clock.go_on()
                    if last:
                        break
        return self.best

    @property
    def best(self) -> NeurIKNetwork:
        """The network to be used: of averaged weights where there are some."""
        return (self.average if self.config.average > 0.0 else self.network).eval()

    def save(self) -> None:
        """Write a checkpoint from which training goes on as if it had not stopped."""
        content = {
            "config": json.dumps(asdict(self.config), sort_keys=True),
            "shards": self._card_hash(),
            "begun": self.begun,
            "step": self.step,
            "seconds": self.seconds,
            "metrics": self.metrics,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        write_checkpoint(self.output / CHECKPOINT, content)

    def _resume(self, start: str | Path | None) -> None:
        content = read_checkpoint(self.output / CHECKPOINT, asdict(self.config), self.device)
        if content.get("shards") != self._card_hash():
            raise InputError(self.output, f"holds a training on other shards than those in {self.shards}", ANEW)
        self.begun = str(content.get("begun", ""))
        if start is not None and _digest(start) not in self.begun:
            began = f"began from {self.begun.split(',')[0]}" if self.begun else "began from nothing"
            raise InputError(self.output, f"holds a training that {began}, not from {start}", ANEW)
        self.step, self.seconds = int(content["step"]), float(content["seconds"])
        self.metrics = dict(content["metrics"])
        self.network.load_state_dict(content["network"])
        self.average.load_state_dict(content["average"])
        self.optimiser.load_state_dict(content["optimiser"])

    def _card_hash(self) -> str:
        return sha256(self.shards / "card.json")

    def _learn(self, batch: Batch) -> None:
        """One step. Nothing here waits for a GPU: sums are looked at when the log is written."""
        config = self.config
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate()
        self.network.train()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._mixed):
            estimates = self.network(batch.framed)
        parts = losses(self.skeleton, estimates, batch.truth, config.losses)
        bad = descend(self.network, self.optimiser, parts["total"], config.clip)
        self.step += 1
        if config.average:
            average_in(self.average, self.network, config.average, self.step)
        self._means.add(parts, bad)

    def _validate(self, log: ScalarLog) -> None:
        found = self.validation(self.best)
        log.write(self.step, found)
        self.metrics = {"step": self.step, **found}

    def _line(self, loss: float) -> str:
        parts = [f"step {self.step} of {self.total}", f"loss {loss:.4f}"]
        if self.metrics:
            parts += [f"val MAE_angle {self.metrics[ANGLE]:.2f}°", f"MPBLPE {self.metrics[LANDMARKS]:.1f} mm"]
        left = self.step_seconds * (self.total - self.step)
        parts.append(f"{1e3 * self.step_seconds:.0f} ms/step")
        return ", ".join([*parts, f"{left / 60:.0f} min left" if left >= 90.0 else f"{left:.0f} s left"])

    def _rate(self) -> float:
        config = self.config
        done = self.step / self.total
        if config.fall == "cosine":
            falling = config.last_rate + 0.5 * (config.rate - config.last_rate) * (1.0 + math.cos(math.pi * done))
        else:
            falling = config.rate * math.exp(done * math.log(config.last_rate / config.rate))
        return falling * min(1.0, (self.step + 1) / max(config.warm_up, 1))


class _Clock:
    """Times of a run: in all, of a step without validation and checkpoints, since the last checkpoint [s]."""

    def __init__(self, before: float, step: int) -> None:
        self._start = time.monotonic() - before
        self._step = step
        self.saved()
        self.go_on()

    def look(self, step: int) -> tuple[float, float]:
        """Return the time in all and that of a step since the last look."""
        now = time.monotonic()
        each = (now - self._since) / max(step - self._step, 1)
        self._step = step
        return now - self._start, each

    def go_on(self) -> None:
        """Time steps from now."""
        self._since = time.monotonic()

    def saved(self) -> None:
        """Note that a checkpoint was written now."""
        self._saved = time.monotonic()

    @property
    def since_saved(self) -> float:
        """Since the last checkpoint [s]."""
        return time.monotonic() - self._saved


def set_statistics(network: NeurIKNetwork, batches: Batches) -> None:
    """Set the network's means and spreads from some batches, without disturbances other than a person's place."""
    augment = batches.augment
    if augment is not None:
        shares = ("noise_share", "missing_share", "mesh_share", "bend_share", "shape_share", "offset_share", "size")
        augment = replace(augment, **dict.fromkeys(shares, 0.0))
    plain = Batches(
        batches.data.folder,
        batches.data.split,
        batches.skeleton,
        size=batches.size,
        seed=batches.seed,
        augment=augment,
        shuffle=False,
        most=_STATISTICS * batches.size,
        window=batches.data.length,
        device=batches.device,
    )
    poses, markers, sizes = [], [], []
    for batch in plain.epoch(0):
        seen = network.seen(batch.framed)
        poses.append(moved(batch.truth.pose, batch.framed, seen))
        markers.append(seen.markers.mean(dim=(0, 1)))
        sizes.append(batch.truth.sizes)
    pose = Pose(
        torch.cat([p.root_rotation.flatten(0, 1) for p in poses]),
        torch.cat([p.root_position.flatten(0, 1) for p in poses]),
        torch.cat([p.joints.flatten(0, 1) for p in poses]),
    )
    network.set_statistics(pose, torch.cat(sizes))
    persons = {name: torch.tensor(batches.data.arrays[name]) for name in ("scales", "marker_offsets")}
    network.set_offsets(*fit_offsets(batches.skeleton.sizes(persons["scales"]), persons["marker_offsets"]))
    if isinstance(network, BaseNetwork):
        network.marker_mean.copy_(torch.stack(markers).mean(dim=0))


def begin_from(network: NeurIKNetwork, weights: str | Path) -> str:
    """Give a network the weights of another where name and shape agree, and return in words what it was given.

    What the other knows of the spread of poses and sizes comes along, so that its layers mean what they meant.
    """
    there = load_state(weights, network.skeleton.model)
    state = network.state_dict()
    same = {name: value for name, value in there.items() if name in state and state[name].shape == value.shape}
    network.load_state_dict({**state, **same})
    given, all_of = (sum(value.numel() for value in part.values()) for part in (same, state))
    return f"{Path(weights).name} (sha256 {_digest(weights)}), {given:,} of {all_of:,} numbers"


def _digest(weights: str | Path) -> str:
    return sha256(find_weights(weights) / WEIGHTS)[:12]
