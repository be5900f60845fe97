"""Training of the lifter on shards: seeded, resumable, with a log; averaged weights are at hand at any time."""

from __future__ import annotations

import json
import math
import time
import tomllib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...errors import InputError
from ...io.record import sha256
from ...neurik.checkpoint import ANEW, make_folder, read_checkpoint, write_checkpoint
from ...neurik.config import check_values, read
from ...neurik.descent import average_in, make_optimiser
from ...neurik.placement import fit_offsets
from ...neurik.scalars import ScalarLog
from ...neurik.skeleton import Skeleton
from ...neurik.stopping import stop_requests
from ...paths import models_dir
from .data import DataConfig, LifterBatch, LifterData, exact
from .evaluate import NOISES, measure
from .losses import LifterLosses, losses
from .network import LifterConfig, LifterNetwork
from .weights import save_lifter, training_card

CHECKPOINT, LOG = "checkpoint.pt", "log.jsonl"
_STATISTICS = 6  # batches of 64 from which means and spreads are taken
_VALIDATED = ("clean", "noise 2 %", "realistic")
Tell = Callable[[str], None]


@dataclass(frozen=True)
class LifterTraining:
    """How a lifter is trained.

    Attributes:
        network: its sizes.
        losses: their weights.
        data: how windows are made.
        seed: of weights, order and chance.
        batch: whole windows of a step; of pieces as many more as make as many frames.
        pieces: frames of the pieces of windows that training begins with. A short piece teaches the look of poses as
            well as a long one, and there are more of them to the minute.
        short: share of the training with these pieces; after it, an equal share has pieces of four times the length.
        steps: of the optimiser.
        minutes: after so many the training ends, the rate falling by the clock: for a machine that others use; 0 goes
            by the steps. What comes out then depends on the machine's speed.
        rate: largest learning rate.
        last_rate: at the end of the cosine.
        warm_up: steps over which the rate rises.
        weight_decay: decoupled (AdamW).
        beta2: share of the optimiser's mean square that stays in each step.
        clip: largest norm of a gradient.
        average: share of the moving average of the weights that stays in each step.
        log_steps: between entries of the log.
        validation_minutes: between validations and checkpoints.
        validation_windows: that a validation looks at.
    """

    network: LifterConfig = field(default_factory=LifterConfig)
    losses: LifterLosses = field(default_factory=LifterLosses)
    data: DataConfig = field(default_factory=DataConfig)
    seed: int = 0
    batch: int = 16
    pieces: int = 4
    short: float = 0.4
    middle: float = 0.25
    steps: int = 12000
    minutes: float = 0.0
    rate: float = 1e-3
    last_rate: float = 1e-5
    warm_up: int = 300
    weight_decay: float = 0.01
    beta2: float = 0.99
    clip: float = 1.0
    average: float = 0.998
    log_steps: int = 50
    validation_minutes: float = 5.0
    validation_windows: int = 192

    def __post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises:
            InputError: a number out of its range, or a window that is no whole number of tokens.
        """
        check_values(
            self,
            counts=("batch", "steps", "log_steps", "validation_windows"),
            positive=("rate", "last_rate", "clip"),
            shares=("average", "beta2"),
            amounts=("seed", "minutes", "warm_up", "weight_decay", "validation_minutes"),
        )
        tokens = self.network.joined
        if self.pieces % tokens or not 0 < 4 * self.pieces <= self.network.window:
            remedy = f"give a multiple of {tokens}, at most a quarter of the window"
            raise InputError("pieces", f"is {self.pieces}", remedy)
        if self.network.window % self.network.joined:
            raise InputError("network.window", f"is {self.network.window}", f"a multiple of {self.network.joined}")


def load_training(name: str | Path = "lifter") -> LifterTraining:
    """Read a configuration: ``"lifter"``, which is shipped, or a TOML file; what it leaves out is as here.

    Raises:
        InputError: no such file, no TOML, an unknown key or a value of another type.
    """
    path = Path(name) if Path(name).suffix == ".toml" else models_dir() / "training" / f"{name}.toml"
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(path, f"cannot be read as TOML ({error})") from error
    return read(LifterTraining, content, path)


def train_lifter(
    shards: Path,
    output: Path,
    config: LifterTraining,
    progress: Tell = lambda text: None,
    tell: Tell = lambda text: None,
    resume: bool = True,
) -> LifterNetwork:
    """Train and write weights, a checkpoint and the log.

    Ctrl-C and SIGTERM take effect after the step under way, once a checkpoint is written.

    Args:
        shards: folder that ``biopose groundtruth`` wrote.
        output: folder; ``weights`` inside holds what `lifter.Lifter` loads, from the first validation on.
        config: how.
        progress: is told how far it is, often.
        tell: is told of validations.
        resume: go on from a checkpoint in the folder if there is one.

    Returns:
        The averaged network.

    Raises:
        InputError: no shards there, a folder that cannot be written to, a checkpoint of another configuration or of
            other shards, or losses that are no numbers any more.
    """
    trainer = LifterTrainer(shards, output, config)
    if resume and (output / CHECKPOINT).is_file():
        trainer.resume()
    return trainer.run(progress, tell)


class LifterTrainer:
    """See `train_lifter`.

    Attributes:
        step: of the optimiser, done so far.
        seconds: that training took so far.
        metrics: of the last validation, by disturbance and name.
        average: the network of averaged weights.
    """

    def __init__(self, shards: Path, output: Path, config: LifterTraining) -> None:
        from ik_pipeline.shards import load_model

        self.config, self.output, self.shards = config, Path(output), Path(shards)
        torch.manual_seed(config.seed)
        skeleton = Skeleton(load_model(shards))
        window = config.network.window
        self.data = LifterData(self.shards, "train", skeleton, window, config.data)
        self.network = LifterNetwork(skeleton, config.network)
        self.average = LifterNetwork(skeleton, config.network).eval().requires_grad_(False)
        set_statistics(self.network, self.data, config.seed)
        self.average.load_state_dict(self.network.state_dict())
        self.optimiser = make_optimiser(
            self.network,
            "adamw",
            rate=config.rate,
            weight_decay=config.weight_decay,
            beta2=config.beta2,
            fused=True,
        )
        self.step, self.seconds = 0, 0.0
        self.metrics: dict[str, dict[str, float]] = {}

    def run(self, progress: Tell = lambda text: None, tell: Tell = lambda text: None) -> LifterNetwork:
        """Train to the end."""
        make_folder(self.output)
        log = ScalarLog(self.output, LOG, after=self.step)
        began, validated = time.monotonic() - self.seconds, time.monotonic()
        sums: dict[str, float] = {}
        with stop_requests() as asked:
            while self._done() < 1.0 and not asked:
                length = self._length()
                size = self.config.batch * self.config.network.window // length
                for batch in self.data.batches(size, self.config.seed + length, self.step, length):
                    parts = self._learn(batch)
                    self.seconds = time.monotonic() - began
                    sums = {name: sums.get(name, 0.0) + float(value.detach()) for name, value in parts.items()}
                    last = self._done() >= 1.0 or bool(asked)
                    if self.step % self.config.log_steps == 0:
                        self._write(log, sums, progress)
                        sums = {}
                    if last or time.monotonic() - validated > 60.0 * self.config.validation_minutes:
                        self._validate(log, tell)
                        self.save()
                        validated = time.monotonic()
                    if last or self._length() != length:
                        break
        return self.average

    def save(self) -> None:
        """Write a checkpoint, and the averaged weights as they are used."""
        content = {
            "config": json.dumps(asdict(self.config), sort_keys=True),
            "shards": sha256(self.shards / "card.json"),
            "step": self.step,
            "seconds": self.seconds,
            "metrics": self.metrics,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        write_checkpoint(self.output / CHECKPOINT, content)
        about = training_card(self.shards, asdict(self.config), self.step, self.seconds, self.metrics)
        save_lifter(self.output / "weights", self.average, about)

    def resume(self) -> None:
        """Go on from the checkpoint in the output folder.

        Raises:
            InputError: it cannot be read, or is of another configuration or of other shards.
        """
        content = read_checkpoint(self.output / CHECKPOINT, asdict(self.config))
        if content.get("shards") != sha256(self.shards / "card.json"):
            raise InputError(self.output, f"holds a training on other shards than those in {self.shards}", ANEW)
        self.step, self.seconds = int(content["step"]), float(content["seconds"])
        self.metrics = content["metrics"]
        for name in ("network", "average", "optimiser"):
            getattr(self, name).load_state_dict(content[name])

    def _learn(self, batch: LifterBatch) -> dict[str, Any]:
        config = self.config
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate()
        self.network.train()
        parts = losses(self.network, self.network(batch.features), batch, config.losses)
        self.optimiser.zero_grad(set_to_none=True)
        parts["total"].backward()
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), config.clip)
        if not bool(torch.isfinite(norm)):
            kept = "the last checkpoint is kept" if (self.output / CHECKPOINT).is_file() else "nothing was kept"
            problem = f"at step {self.step} the loss or its gradient is no number; {kept}"
            raise InputError(self.output, problem, "try a smaller rate")
        self.optimiser.step()
        self.step += 1
        average_in(self.average, self.network, config.average, self.step)
        return parts

    def _done(self) -> float:
        """Share of the training that is over."""
        done = self.step / self.config.steps
        return max(done, self.seconds / (60.0 * self.config.minutes)) if self.config.minutes else done

    def _length(self) -> int:
        """Frames of the pieces of windows at this stage."""
        config, done = self.config, self._done()
        if done < config.short:
            return config.pieces
        return 4 * config.pieces if done < config.short + config.middle else config.network.window

    def _rate(self) -> float:
        config = self.config
        wave = 0.5 * (1.0 + math.cos(math.pi * min(self._done(), 1.0)))
        falling = config.last_rate + (config.rate - config.last_rate) * wave
        return falling * min(1.0, (self.step + 1) / max(config.warm_up, 1))

    def _write(self, log: ScalarLog, sums: dict[str, float], progress: Tell) -> None:
        means = {name: value / self.config.log_steps for name, value in sums.items()}
        log.write(self.step, {"rate": self._rate(), "seconds": self.seconds, **means})
        done = self._done()
        left = self.seconds * (1.0 - done) / max(done, 1e-6) / 60.0
        progress(f"step {self.step}, {100.0 * done:.0f} %, loss {means['total']:.4f}, {left:.0f} min left")

    def _validate(self, log: ScalarLog, tell: Tell) -> None:
        for name in _VALIDATED:
            config = exact(self.config.data, NOISES[name])
            data = self._validation().disturbed_as(config)
            self.metrics[name] = measure(self.average, data, self.config.validation_windows, seed=0)
            log.write(self.step, {f"{name} {key}": value for key, value in self.metrics[name].items()})
            figures = ", ".join(f"{key} {value:.2f}" for key, value in self.metrics[name].items())
            tell(f"step {self.step}, {self.seconds / 60:.0f} min, {name}: {figures}")

    def _validation(self) -> LifterData:
        if not hasattr(self, "_held_out"):
            window = self.config.network.window
            self._held_out = LifterData(
                self.shards, "val", self.network.skeleton, window, self.config.data, stride=window
            )
        return self._held_out


def set_statistics(network: LifterNetwork, data: LifterData, seed: int) -> None:
    """Set the network's means and spreads from chance windows, and where persons' markers lie."""
    batches = []
    for k in range(_STATISTICS):
        random = np.random.default_rng((seed, k))
        rows = np.sort(random.choice(len(data), min(64, len(data)), replace=False))
        batches.append(data.batch(rows, random))

    def frames(name: str) -> torch.Tensor:
        return torch.cat([getattr(batch, name).flatten(0, 1) for batch in batches])

    arrays = data.shards.arrays
    sizes = network.skeleton.sizes(torch.tensor(np.array(arrays["scales"])))
    network.set_statistics(
        frames("features"), frames("rotation"), frames("place"), frames("up"), frames("joints"), sizes
    )
    base, slope = fit_offsets(sizes, torch.tensor(np.array(arrays["marker_offsets"])))
    network.offset_base.copy_(base)
    network.offset_slope.copy_(slope)
