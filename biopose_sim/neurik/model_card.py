"""What is said of trained weights: for programs, ``card.json``, and for people, ``README.md``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch

from biopose_sim import __version__
from biopose_sim.io.record import sha256, versions
from biopose_sim.neurik.predict import RATE
from biopose_sim.neurik.validate import ANGLE, LANDMARKS
from ik_pipeline.shards import Card
from ik_pipeline.shards.types import CARD

if TYPE_CHECKING:
    from biopose_sim.neurik.train import Trainer

_COUNTS = ("persons", "trials", "frames", "windows")
_USE = (
    "Joint angles and segment sizes of an OpenSim model from markers on a body: virtual markers of a body mesh, or "
    "optical markers of the same names. For research, sport and animation."
)
_LIMITS = (
    "Not a medical device: no figure here was checked against a clinical measurement.",
    "Persons are adults with the bodies of the training data; children, prostheses and gear are not among them.",
    "Angles are those of the model named in the card: other models name and count them otherwise.",
    "What markers hardly determine, as the turn of a limb with few of them, is what the training data make likely.",
    "Motions that differ much from the training data may be followed less well; `--refine` polishes with the engine.",
)


def training_card(trainer: Trainer, name: str) -> dict[str, Any]:
    """Return what a card says of a training: data, their licence, how, where and how long, what came out.

    Args:
        trainer: at its end.
        name: of the configuration.
    """
    shards = Card.read(trainer.shards)
    content = shards.content
    return {
        "name": f"neurik-{name}",
        "biopose_sim": __version__,
        "versions": versions(),
        "data": {
            **content["source"],
            "card_sha256": sha256(shards.folder / CARD),
            "splits": {
                split: {key: counts[key] for key in _COUNTS if key in counts}
                for split, counts in content["splits"].items()
            },
        },
        "rate": rate_of(shards),
        "licence": content["licence"],
        "training": {
            "configuration": asdict(trainer.config),
            **({"begun": trainer.begun} if trainer.begun else {}),
            "steps": trainer.step,
            "windows_seen": trainer.step * min(trainer.config.batch, trainer.train.count),
            "seconds": round(trainer.seconds, 1),
            "machine": machine(trainer.device),
        },
        "metrics": {"validation": _validation(trainer.metrics)},
    }


def _validation(metrics: Mapping[str, float]) -> dict[str, Any]:
    """Figures of the last validation as the tables call them."""
    names = {ANGLE: "MAE_angle [deg]", LANDMARKS: "MPBLPE [mm]"}
    found: dict[str, Any] = {title: metrics[name] for name, title in names.items() if name in metrics}
    return {**found, "of": "single windows of the validation split, markers undisturbed"}


def rate_of(shards: Card) -> float:
    """Return the rate of the shards' motions [Hz]; where trials differ, what networks take for granted."""
    rates = shards.counts("train")["rates"]
    return float(rates[0]) if len(rates) == 1 else RATE


def machine(device: torch.device) -> dict[str, Any]:
    """Return what a device is: the name of a GPU, the number of cores and threads."""
    found: dict[str, Any] = {"cores": os.cpu_count(), "threads": torch.get_num_threads()}
    if device.type == "cuda":
        found["gpu"] = torch.cuda.get_device_name(device)
    return found


def card_text(card: Mapping[str, Any]) -> str:
    """Return a card for people to read, as Markdown; what it does not hold is left out."""
    network = card["network"]
    lines = [
        f"# {card.get('name', 'NeurIK')}",
        "",
        f"Weights of NeurIK ({network['kind']}, windows of {network['window']} frames): {card['parameters']:,} numbers "
        "in `weights.safetensors`; all that is known of them is in `card.json`.",
        "",
        "## Intended use",
        "",
        _USE,
        "",
        f"Model: {len(card['model']['coordinates'])} coordinates, {len(card['model']['bodies'])} bodies; "
        f"{len(card['markers'])} markers go in.",
        "",
    ]
    for title, part in (("Data", _data), ("Licence", _licence), ("Training", _training), ("Metrics", _metrics)):
        if isinstance(value := card.get(title.lower()), Mapping):
            lines += [f"## {title}", "", *part(value), ""]
        elif value:
            lines += [f"## {title}", "", str(value), ""]
    return "\n".join([*lines, "## Limits", "", *(f"- {text}" for text in _LIMITS), ""])


def _data(data: Mapping[str, Any]) -> list[str]:
    lines = [f"Training shards '{data.get('name')}', solved by the engine `{data.get('engine')}`."]
    if splits := data.get("splits"):
        columns = [key for key in _COUNTS if any(key in counts for counts in splits.values())]
        lines += ["", f"| split | {' | '.join(columns)} |", "|---|" + "---:|" * len(columns)]
        lines += [
            f"| {name} | {' | '.join(f'{counts.get(c, 0):,}' for c in columns)} |" for name, counts in splits.items()
        ]
    return lines


def _licence(licence: Mapping[str, Any]) -> list[str]:
    lines = [f"- {name}: {note}" for name, note in licence.get("data", {}).items()]
    lines += [f"- {licence['model']}"] if "model" in licence else []
    if "redistributable" in licence:
        may = "may be passed on" if licence["redistributable"] else "may not be passed on"
        lines.append(f"- By these terms the data {may}.")
    return lines


def _training(training: Mapping[str, Any]) -> list[str]:
    lines = []
    if "begun" in training:
        lines.append(f"- begun from {training['begun']}")
    if "steps" in training:
        lines.append(f"- {training['steps']:,} steps, {training.get('windows_seen', 0):,} windows seen")
    if "seconds" in training:
        lines.append(f"- {training['seconds'] / 60:.1f} minutes")
    if found := training.get("machine"):
        lines.append(f"- on {found.get('gpu') or 'a processor'}, {found.get('threads')} threads")
    if "note" in training:
        lines.append(f"- {training['note']}")
    return lines


def _metrics(metrics: Mapping[str, Any]) -> list[str]:
    lines = []
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            text = ", ".join(f"{key} {_figure(v)}" for key, v in value.items() if not isinstance(v, (Mapping, list)))
        else:
            text = _figure(value)
        lines.append(f"- {name}: {text}")
    return lines


def _figure(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
