"""Lifters on disk: weights in half precision and cards that say what they are, for programs and for people."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ... import __version__
from ...errors import InputError
from ...io import atomic_write
from ...io.record import plain, sha256, versions
from ...neurik.skeleton import Skeleton
from ...neurik.weights import CARD, README, WEIGHTS, find_weights, write_weights
from ...osim.markerset import keep_markers
from ...paths import default_model_path
from .network import LifterConfig, LifterNetwork

FORMAT, KIND = 1, "lifter"
_RIDGE = 1e-3
_LIMITS = (
    "Not a medical device: no figure here was checked against a clinical measurement.",
    "Persons are adults with Anny's bodies in motions of the CMU collection; children, crutches, wheelchairs and "
    "motions that differ much from these may be followed less well.",
    "The shipped weights saw 71 takes (13 minutes) of 6 CMU subjects, on 204 bodies: people whose motion is of another "
    "kind are followed clearly less well, which is the difference between validation and test.",
    "One view does not show how large a person is: without a stature the scale is a guess from proportions.",
    "Cameras were drawn 2 to 8 m from the person, looking 20 degrees up to 35 degrees down, rolled 8 degrees at most.",
    "The errors of real detectors were imitated, not recorded.",
)


def save_lifter(folder: Path, network: LifterNetwork, about: Mapping[str, Any]) -> Path:
    """Write weights in half precision and their cards; the one for programs comes last.

    Args:
        folder: made if it is not there.
        network: trained.
        about: what people should know: data, licence, metrics, training.
    """
    card = {"format": FORMAT, "kind": KIND, "network": asdict(network.config), **about}
    return write_weights(folder, network, network.skeleton, card, card_text, half=True)


def add_metrics(folder: Path, split: str, metrics: Mapping[str, Any]) -> None:
    """Write into the cards of weights what they reach on a split, by disturbance and name (`evaluate.measure`).

    Raises:
        InputError: no card there, or one that cannot be read or written.
    """
    path = folder / CARD
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        card.setdefault("metrics", {})[split] = plain(metrics)
        atomic_write(folder / README, card_text(card))
        atomic_write(path, json.dumps(card, indent=2) + "\n")
    except (OSError, ValueError) as error:
        raise InputError(path, f"cannot be read or written ({error})", "give the folder of trained weights") from error


def load_lifter(name: str | Path) -> LifterNetwork:
    """Read a trained lifter: a folder, or the name of one that is shipped, as ``"lifter-base"``.

    Raises:
        InputError: no such weights, weights of something else, or files that do not belong together.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from ik_pipeline.virtual_fit import virtual_model

    place = find_weights(name)
    try:
        card = json.loads((place / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(place / CARD, f"cannot be read ({error})", "get the weights anew") from error
    if card.get("kind") != KIND or card.get("format") != FORMAT:
        raise InputError(place, "holds no weights of a lifter of this version", "give others, as lifter-base")
    weights = place / WEIGHTS
    if not weights.is_file() or sha256(weights) != card["sha256"]:
        raise InputError(weights, "is missing or not the file that its card describes", "get both anew")
    model = keep_markers(virtual_model(default_model_path()), card["markers"])
    if list(model.coordinate_names) != card["model"]["coordinates"]:
        raise InputError(place, "was trained for a model of other coordinates", "get weights of this version")
    network = LifterNetwork(Skeleton(model), LifterConfig(**card["network"]))
    try:
        network.load_state_dict({key: value.float() for key, value in load_file(weights).items()})
    except (RuntimeError, SafetensorError) as error:
        raise InputError(weights, f"does not fit its card ({error})", "get both anew") from error
    return network.eval()


def stature_of(name: str | Path) -> tuple[float, NDArray[np.float64]] | None:
    """Return constant and slope (n_sizes,) with which logarithmic factors of size say that of the stature [m].

    None where the card of the weights does not know.
    """
    known = json.loads((find_weights(name) / CARD).read_text(encoding="utf-8")).get("stature")
    return None if known is None else (float(known["constant"]), np.array(known["slope"]))


def fit_stature(shards: Path) -> dict[str, Any]:
    """Fit how the statures of the training persons follow from their factors of size.

    The slope sums to 1, so that a person twice as large in everything is twice as tall; ridge regression, as sizes go
    together.
    """
    from ik_pipeline.shards import ShardData, load_model

    data = ShardData(shards, "train")
    skeleton = Skeleton(load_model(shards))
    sizes = skeleton.sizes(torch.tensor(np.array(data.arrays["scales"])).double()).numpy()
    stature = np.log([person["stature"] for person in data.persons])
    middle = sizes.mean(1, keepdims=True)
    x, y = sizes - middle, stature - middle[:, 0]
    mean = x.mean(0)
    slope = np.linalg.solve((x - mean).T @ (x - mean) + _RIDGE * np.eye(x.shape[1]), (x - mean).T @ (y - y.mean()))
    off = y - (y.mean() + (x - mean) @ slope)
    count = sizes.shape[1]
    return {
        "constant": float(y.mean() - mean @ slope),
        "slope": (slope - slope.mean() + 1.0 / count).tolist(),
        "error [%]": float(100.0 * np.sqrt((off**2).mean())),
    }


def training_card(
    shards: Path,
    configuration: Mapping[str, Any],
    steps: int,
    seconds: float,
    metrics: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what a card says of a training: data, their licence, how and how long, what came out.

    Args:
        shards: that it was trained on.
        configuration: of the training.
        steps: of the optimiser.
        seconds: that it took.
        metrics: of the last validation.
    """
    from ik_pipeline.shards import Card

    card = Card.read(shards)
    content = card.content
    counts = ("persons", "trials", "frames", "windows")
    return {
        "name": "lifter-base",
        "biopose_sim": __version__,
        "versions": versions(),
        "data": {
            **content["source"],
            "card_sha256": sha256(card.folder / "card.json"),
            "splits": {s: {k: v[k] for k in counts if k in v} for s, v in content["splits"].items()},
        },
        "licence": content["licence"],
        "stature": fit_stature(shards),
        "training": {
            "configuration": dict(configuration),
            "steps": steps,
            "windows_seen": steps * int(configuration["batch"]),
            "seconds": round(seconds, 1),
            "machine": {"cores": os.cpu_count(), "threads": torch.get_num_threads()},
        },
        "metrics": {"validation": dict(metrics)},
    }


def card_text(card: Mapping[str, Any]) -> str:
    """Return a card for people to read, as Markdown."""
    training, licence = card.get("training", {}), card.get("licence", {})
    splits = card.get("data", {}).get("splits", {})
    lines = [
        f"# {card.get('name', 'lifter')}",
        "",
        f"Weights of the temporal lifter (windows of {card['network']['window']} frames at 30 Hz): "
        f"{card['parameters']:,} numbers in half precision; all that is known of them is in `card.json`.",
        "",
        "## Intended use",
        "",
        "Motion and proportions of the OpenSim model from 2D key points of one person in one view, as a start for the "
        "refinement. For research, sport and animation.",
        "",
        "## Data",
        "",
        "Anny bodies in CMU motion, key points projected through chance cameras and disturbed; no picture was used.",
        "",
        *(
            f"- {name}: {v.get('persons', 0):,} persons, {v.get('trials', 0):,} trials, {v.get('frames', 0):,} frames"
            for name, v in splits.items()
        ),
        "",
        "## Licence",
        "",
        *(f"- {name}: {note}" for name, note in licence.get("data", {}).items()),
        "- The model is the project's default one (Apache-2.0).",
        "",
        "## Training",
        "",
        f"- {training.get('steps', 0):,} steps, {training.get('windows_seen', 0):,} windows seen, "
        f"{training.get('seconds', 0.0) / 60:.0f} minutes on one core of a processor",
        *([f"- {training['note']}"] if "note" in training else []),
        "",
        "## Metrics",
        "",
        "PA and MPJPE of 13 joints; legs and all: mean absolute error of the joint coordinates; root: of the pelvis "
        "before the camera. Single windows of 64 frames, cameras by chance, lenses known, no refinement.",
        "",
    ]
    for split, by_noise in card.get("metrics", {}).items():
        for noise, values in by_noise.items():
            lines.append(f"- {split}, {noise}: " + ", ".join(f"{key} {value:.1f}" for key, value in values.items()))
    return "\n".join([*lines, "", "## Limits", "", *(f"- {text}" for text in _LIMITS), ""])
