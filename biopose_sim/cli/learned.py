"""A person as a trained network sees them, for the commands that write one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biopose_sim.cli.person import Person
from biopose_sim.io import Trial

AUTO, LEARNED, FITTED = "auto", "neurik", "fit"


@dataclass(frozen=True)
class Network:
    """Which network it was.

    Attributes:
        folder: of its weights.
        card: what is known of it.
    """

    folder: Path
    card: dict[str, Any]

    @property
    def files(self) -> list[Path]:
        """Weights and card."""
        from biopose_sim.neurik.weights import CARD, WEIGHTS

        return [self.folder / WEIGHTS, self.folder / CARD]

    def lines(self, refined: bool) -> tuple[str, ...]:
        """What is to be said of it to people."""
        name, sha = self.folder.name, str(self.card["sha256"])[:12]
        markers = (
            "the engine then polished the motion, and fitted size and markers of a body unlike those it knows"
            if refined
            else "the model's markers lie where those of people of that size do"
        )
        return (f"Size and motion are the estimate of the network '{name}' (SHA-256 {sha}...); {markers}.",)


def learned_person(
    trials: Sequence[Trial], weights: Path | None, refine: bool, mass: float | None, threads: int = 0
) -> tuple[Person, Network]:
    """Predict a person from all trials together.

    Args:
        trials: of one person, with the virtual markers' names.
        weights: name or folder of the network's; those that are shipped if None.
        refine: polish with the engine.
        mass: of the person [kg].
        threads: of the network; all if 0.
    """
    import torch

    from biopose_sim.neurik.api import DEFAULT, NeurIK

    if threads:
        torch.set_num_threads(threads)
    net = NeurIK.from_pretrained(weights or DEFAULT)
    found = net.predict_person(trials, refine)
    how = {
        "way": LEARNED,
        "refined": refine,
        "weights": {"name": net.folder.name, "sha256": net.card["sha256"]},
        "scales": dict(zip(found.model.body_names, found.scales)),
        "marker_offsets_m": dict(zip(found.model.marker_names, found.marker_offsets)),
    }
    return Person(found.model, found.scales, found.results, (), mass, how), Network(net.folder, net.card)
