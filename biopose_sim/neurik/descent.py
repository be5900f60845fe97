"""What all trainings have in common: a step that a bad batch cannot spoil, averaged weights, means of the losses."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from biopose_sim.errors import InputError
from biopose_sim.neurik.scalars import ScalarLog


def make_optimiser(
    network: nn.Module, kind: str, *, rate: float, weight_decay: float, beta2: float, fused: bool
) -> torch.optim.Optimizer:
    """Return the optimiser of a network's parameters.

    Args:
        network: that is trained.
        kind: ``"adam"``, its weight decay part of the gradient, or ``"adamw"``, decoupled.
        rate: of learning, at first.
        weight_decay: see ``kind``.
        beta2: share of the mean square that stays in each step.
        fused: whether all parameters are changed at once.
    """
    make = torch.optim.Adam if kind == "adam" else torch.optim.AdamW
    return make(network.parameters(), lr=rate, weight_decay=weight_decay, betas=(0.9, beta2), fused=fused)


def descend(network: nn.Module, optimiser: torch.optim.Optimizer, loss: Tensor, clip: float) -> Tensor:
    """Make a step of the optimiser and say whether the gradient was no number: it then counts as zero.

    Args:
        network: whose parameters are changed.
        optimiser: of them.
        loss: of a batch.
        clip: largest norm of the gradient; 0: any.
    """
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(network.parameters(), clip or math.inf)
    bad = ~torch.isfinite(norm)
    for parameter in network.parameters():
        if parameter.grad is not None:
            parameter.grad.masked_fill_(bad, 0.0)
    optimiser.step()
    return bad


def average_in(average: nn.Module, network: nn.Module, share: float, step: int) -> None:
    """Take weights into their moving average (Polyak & Juditsky 1992).

    Args:
        average: network of the averaged weights, changed in place.
        network: as it is after the step.
        share: of the average that stays in each step.
        step: of the optimiser, done so far.
    """
    # Young averages forget their random beginning sooner.
    kept = min(share, (1.0 + step) / (10.0 + step))
    get_ema_multi_avg_fn(kept)(list(average.parameters()), list(network.parameters()), step)


class LossMeans:
    """Sums of losses between two entries of the log; they stay on the device until then."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._count = 0

    def add(self, parts: Mapping[str, Tensor], bad: Tensor) -> None:
        """Take the losses of a step, and whether it was skipped (`descend`)."""
        self._count += 1
        for name, value in {**parts, "skipped": bad.float()}.items():
            self._sums[name] = self._sums[name] + value.detach() if name in self._sums else value.detach()

    def look(self, log: ScalarLog, step: int, rate: float, checkpoint: Path) -> float:
        """Write the means since the last look into the log, begin anew and return the loss.

        Args:
            log: of the training.
            step: of the optimiser.
            rate: of learning.
            checkpoint: of the training, whether it is there or not.

        Raises:
            InputError: a loss is no number.
        """
        values = (torch.stack(list(self._sums.values())) / self._count).tolist()
        means = dict(zip(self._sums, values))
        self._sums, self._count = {}, 0
        if not math.isfinite(means["total"]) or means["skipped"] == 1.0:
            kept = "the checkpoint from before is kept" if checkpoint.is_file() else "nothing was kept"
            problem = f"by step {step} the loss or its gradient is no number any more; {kept}"
            raise InputError(checkpoint.parent, problem, "try a smaller rate, or precision = 'float32'")
        log.write(step, {"rate": rate, **means})
        return float(means["total"])
