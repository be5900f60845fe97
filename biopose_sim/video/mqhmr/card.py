"""What people should read beside trained weights of MQ-HMR: ``README.md`` in their folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_USE = (
    "Pose, shape and camera of one person in a picture that is cut out around the person. For research, sport and "
    "animation; not a medical device."
)
_LIMITS = (
    "Figures are of the data named here. A network that saw synthetic people only is a demonstration of the method: "
    "nothing is promised for photographs.",
    "Persons are adults; children, prostheses and gear are not among them.",
    "One picture does not tell how large a person is: the size is what the training data make likely.",
)


def card_readme(about: Mapping[str, Any], parameters: int) -> str:
    """Return the text.

    Args:
        about: what `mqhmr.train.HmrTrainer.about` says of a training.
        parameters: numbers of the network.
    """
    training, metrics = about["training"], about["metrics"]
    network = training["configuration"]["network"]
    encoder = network["encoder"]
    lines = [
        "# MQ-HMR",
        "",
        f"{parameters:,} numbers in `weights.safetensors`: encoder {encoder['name']} ({encoder['width']}/"
        f"{encoder['depth']}/{encoder['heads']}), scales {', '.join(map(str, network['scales']))}, {network['tokens']} "
        f"queries, {network['layers']} layers, body '{network['body']}'. All that is known is in `card.json`.",
        "",
        "## Intended use",
        "",
        _USE,
        "",
        "## Training",
        "",
        f"- data: {about['data']}",
        f"- encoder at the start: {training['encoder']}",
        f"- {training['steps']:,} steps, {training['images']:,} images, {training['seconds'] / 60:.1f} minutes",
        f"- on {training['device']}, {training['threads']} threads",
        "",
        "## Validation, on items that were held out",
        "",
        *(f"- {name}: {value:.4g}" for name, value in metrics.items()),
        "",
        "## Limits",
        "",
        *(f"- {text}" for text in _LIMITS),
    ]
    return "\n".join(lines) + "\n"
