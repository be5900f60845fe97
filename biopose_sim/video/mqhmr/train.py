"""Training of MQ-HMR: seeded, resumable to the bit on one machine, with a log; on a CPU or a GPU."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ... import __version__
from ...errors import InputError
from ...io import atomic_write
from ...io.record import versions
from ...neurik.checkpoint import ANEW, make_folder, read_checkpoint, write_checkpoint
from ...neurik.descent import LossMeans, average_in, descend, make_optimiser
from ...neurik.scalars import ScalarLog
from ...neurik.stopping import stop_requests
from ...neurik.weights import README
from .body import HeadBody
from .card import card_readme
from .config import HmrTraining
from .dense import DensePoints
from .evaluate import evaluate_network, predicted
from .files import save_mqhmr
from .losses import hmr_losses
from .network import MqHmr, build, parameter_counts
from .streams import TrainingData
from .truth import Truth

CHECKPOINT, LOG, CONFIG, WEIGHTS = "checkpoint.pt", "log.jsonl", "config.json", "weights"
# Part of the cosine that dense steps go through: an encoder that is to learn on need not come to rest.
_DENSE_WAVE = 0.7
Tell = Callable[[str], None]


def train_mqhmr(
    config: HmrTraining,
    data: TrainingData,
    output: Path,
    *,
    resume: bool = True,
    encoder: Path | None = None,
    body: HeadBody | None = None,
    progress: Tell = lambda text: None,
    tell: Tell = lambda text: None,
    device: str = "cpu",
) -> MqHmr:
    """Train a network.

    Ctrl-C and SIGTERM take effect after the step under way, once a checkpoint is written.

    Args:
        config: how.
        data: what on.
        output: folder for the checkpoint, the log (lines of JSON, and for TensorBoard), the configuration and, at the
            end, ``weights``, which `mqhmr.files.load_mqhmr` reads.
        resume: go on from a checkpoint there, if there is one.
        encoder: a checkpoint of HMR2.0, TokenHMR or ViTPose whose encoder training begins from.
        body: the body under the head, where it needs the user's files; else by the name in the configuration.
        progress: is told how far it is, often.
        tell: is told of validations.
        device: e.g. ``"cpu"`` or ``"cuda"``.

    Returns:
        The network to be used: of averaged weights where there are some.

    Raises:
        InputError: a recipe for pre-trained encoders without one; data of another body; a folder that cannot be
            written to; a checkpoint of another configuration or data; losses that are no numbers any more.
    """
    trainer = HmrTrainer(config, data, Path(output), encoder=encoder, body=body, device=device)
    if resume and (trainer.output / CHECKPOINT).is_file():
        trainer.resume()
    else:
        trainer.begin()
    return trainer.run(progress, tell)


class HmrTrainer:
    """See `train_mqhmr`.

    Attributes:
        step: of the optimiser, done so far.
        seconds: that training took so far, with earlier runs.
        metrics: of the last validation, by name, with its ``step``.
    """

    def __init__(
        self,
        config: HmrTraining,
        data: TrainingData,
        output: Path,
        *,
        encoder: Path | None = None,
        body: HeadBody | None = None,
        device: str = "cpu",
    ) -> None:
        if data.points.layout.name != config.network.body:
            problem = f"the data know the body '{data.points.layout.name}', the network has '{config.network.body}'"
            raise InputError("training", problem, "set network.body")
        self.config, self.data, self.output, self.device = config, data, output, torch.device(device)
        self._encoder = encoder
        # Weights are drawn on the processor: the same for every device.
        torch.manual_seed(config.seed)
        self.network = build(config.network, body=body).to(self.device)
        self.average = build(config.network, body=self.network.body).to(self.device).requires_grad_(False)
        points = len(data.points.layout.points)
        self.dense = DensePoints(config.network.encoder.width, points).to(self.device) if config.dense else None
        self._learning = nn.ModuleList([self.network, *([self.dense] if self.dense else [])])
        self.optimiser = make_optimiser(
            self._learning,
            config.optimiser,
            rate=config.rate,
            weight_decay=config.weight_decay,
            beta2=config.beta2,
            fused=self.device.type == "cuda",
        )
        self._mixed = config.precision == "bfloat16" or (config.precision == "auto" and self.device.type == "cuda")
        self.step, self.seconds = 0, 0.0
        self.metrics: dict[str, float] = {}
        self._means = LossMeans()

    @property
    def best(self) -> MqHmr:
        """The network to be used."""
        return (self.average if self.config.average > 0.0 else self.network).eval()

    def begin(self) -> None:
        """Begin anew, from the encoder that was given.

        Raises:
            InputError: none was given and the recipe needs one, or it is of another size.
        """
        if self._encoder is not None:
            self.network.take_encoder(self._encoder)
        elif self.config.pretrained:
            remedy = "give a checkpoint of HMR2.0, TokenHMR or ViTPose, or take the recipe 'scratch'"
            raise InputError("training", "this recipe begins from a pre-trained encoder, and none is given", remedy)
        self.average.load_state_dict(self.network.state_dict())

    def run(self, progress: Tell = lambda text: None, tell: Tell = lambda text: None) -> MqHmr:
        """Train to the end."""
        make_folder(self.output)
        atomic_write(self.output / CONFIG, json.dumps(self.config.record(), indent=2) + "\n")
        log = ScalarLog(self.output, LOG, after=self.step)
        batches = self.data.batches(self.config.batch, self.step * self.config.batch)
        started, saved = time.monotonic() - self.seconds, time.monotonic()
        with stop_requests() as asked:
            while self.step < self.config.steps and not asked:
                self._learn(next(batches).to(self.device))
                due = self.step % self.config.validation_steps == 0 or self.step == self.config.steps
                last = self.step == self.config.steps or bool(asked)
                if due or last or self.step % self.config.log_steps == 0:
                    loss = self._means.look(log, self.step, self._rate(), self.output / CHECKPOINT)
                    if due:
                        self._validate(log)
                    self.seconds = time.monotonic() - started
                    (tell if due else progress)(self._line(loss))
                    if last or time.monotonic() - saved > self.config.checkpoint_seconds:
                        self.save()
                        saved = time.monotonic()
        if self.step == self.config.steps:
            about = self.about()
            folder = save_mqhmr(self.output / WEIGHTS, self.best, about)
            atomic_write(folder / README, card_readme(about, parameter_counts(self.best)["total"]))
        return self.best

    def about(self) -> dict[str, Any]:
        """Return what a card says of the training."""
        return {
            "biopose_sim": __version__,
            "versions": versions(),
            "data": self.data.name,
            "training": {
                "configuration": self.config.record(),
                "encoder": self._encoder.name if self._encoder else "random",
                "steps": self.step,
                "images": self.step * self.config.batch,
                "seconds": round(self.seconds, 1),
                "device": torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "processor",
                "threads": torch.get_num_threads(),
            },
            "metrics": self.metrics,
        }

    def save(self) -> None:
        """Write a checkpoint from which training goes on as if it had not stopped."""
        content = {
            "config": json.dumps(self.config.record(), sort_keys=True),
            "data": self.data.name,
            "step": self.step,
            "seconds": self.seconds,
            "metrics": self.metrics,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            **({"dense": self.dense.state_dict()} if self.dense else {}),
        }
        write_checkpoint(self.output / CHECKPOINT, content)

    def resume(self) -> None:
        """Go on from the checkpoint in the output folder.

        Raises:
            InputError: it cannot be read, or is of another configuration or other data.
        """
        content = read_checkpoint(self.output / CHECKPOINT, self.config.record(), self.device)
        data = content.get("data")
        if data != self.data.name:
            raise InputError(self.output, f"holds a training on other data: {data}, not {self.data.name}", ANEW)
        self.step, self.seconds = int(content["step"]), float(content["seconds"])
        self.metrics = dict(content["metrics"])
        for name in ("network", "average", "optimiser", *(["dense"] if self.dense else [])):
            getattr(self, name).load_state_dict(content[name])

    def _learn(self, truth: Truth) -> None:
        """One step. Nothing here waits for a GPU: sums are looked at when the log is written."""
        config = self.config
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate()
        self.network.train()
        parts = self._losses(truth)
        bad = descend(self._learning, self.optimiser, parts["total"], config.clip)
        self.step += 1
        if config.average:
            average_in(self.average, self.network, config.average, self.step)
        self._means.add(parts, bad)

    def _half(self) -> torch.autocast:
        """Products in half precision, where they are wanted."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self._mixed)

    def _losses(self, truth: Truth) -> dict[str, Tensor]:
        config, network, points = self.config, self.network, self.data.points
        pelvis = points.layout.pelvis
        with self._half():
            features = network.features(truth.images)
        dense = {} if self.dense is None else {"dense": self.dense.loss(features.float(), truth, pelvis)}
        if self.step < config.dense_steps:
            return {"total": config.dense * dense["dense"], **dense}
        with self._half():
            tokens = network.decoder(network.cells_of(features))
            output = network.said(tokens, truth.crop, vertices=points.whole_mesh)
        parts = hmr_losses(predicted(output, points), truth, pelvis, config.losses)
        total = parts.pop("total")
        return {"total": total + config.dense * dense["dense"] if dense else total, **parts, **dense}

    def _validate(self, log: ScalarLog) -> None:
        layout, size = self.data.points.layout, self.config.batch
        held_out = self.data.validation(self.config.validation_images, size)
        scores = evaluate_network(self.best, held_out, layout.protocol, self.data.points, device=self.device)
        found = {name: scores.means[name] for name in ("mpjpe", "pa_mpjpe")}
        self.metrics = {"step": float(self.step), **found, "failed": float(scores.failed.sum())}
        log.write(self.step, found)

    def _line(self, loss: float) -> str:
        parts = [f"step {self.step} of {self.config.steps}", f"loss {loss:.4f}"]
        if self.metrics:
            parts.append(f"val MPJPE {self.metrics['mpjpe']:.1f}, PA {self.metrics['pa_mpjpe']:.1f} mm")
        each = self.seconds / max(self.step, 1)
        parts += [f"{self.config.batch / max(each, 1e-9):.0f} images/s"]
        return ", ".join([*parts, f"{each * (self.config.steps - self.step) / 60:.0f} min left"])

    def _rate(self) -> float:
        """Of the step to come: it rises anew once the decoder joins, whose weights are as random as at the start."""
        config = self.config
        dense = self.step < config.dense_steps
        first, steps = (0, config.dense_steps / _DENSE_WAVE) if dense else (config.dense_steps, config.steps)
        falling = config.rate
        if config.fall == "cosine":
            wave = 0.5 * (1.0 + math.cos(math.pi * min((self.step - first) / max(steps - first, 1), 1.0)))
            falling = config.last_rate + (config.rate - config.last_rate) * wave
        return falling * min(1.0, (self.step - first + 1) / max(config.warm_up, 1))
