"""Trained networks on disk: ``weights.safetensors`` and cards that say what they are, for programs and people."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from biopose_sim.errors import InputError, near_matches
from biopose_sim.io import atomic_write
from biopose_sim.io.record import plain, sha256
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.neurik.model_card import card_text
from biopose_sim.neurik.network import NeurIKNetwork, make_network
from biopose_sim.neurik.network_config import NetworkConfig
from biopose_sim.neurik.skeleton import Skeleton
from biopose_sim.osim.markerset import keep_markers
from biopose_sim.paths import default_model_path, models_dir

WEIGHTS, CARD, README = "weights.safetensors", "card.json", "README.md"
FORMAT = 1


def save_network(folder: Path, network: NeurIKNetwork, about: Mapping[str, Any]) -> Path:
    """Write weights and their cards; the one for programs comes last.

    Args:
        folder: made if it is not there.
        network: trained.
        about: what people should know: data, licence, metrics, training.
    """
    card = {"format": FORMAT, "network": asdict(network.config), **about}
    return write_weights(folder, network, network.skeleton, card, card_text)


def write_weights(
    folder: Path,
    network: nn.Module,
    skeleton: Skeleton,
    card: Mapping[str, Any],
    text: Callable[[Mapping[str, Any]], str],
    *,
    half: bool = False,
) -> Path:
    """Write the weights of a network of a skeleton and its cards; the one for programs comes last.

    Args:
        folder: made if it is not there.
        network: trained.
        skeleton: whose coordinates, bodies and markers the card names.
        card: what else it says.
        text: makes of it the card for people.
        half: whether numbers are stored in half precision.
    """
    from safetensors.torch import save

    folder.mkdir(parents=True, exist_ok=True)
    state = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    weights = atomic_write(folder / WEIGHTS, save({k: v.half() for k, v in state.items()} if half else state))
    model = skeleton.model
    content = plain({
        **card,
        "model": {"coordinates": list(model.coordinate_names), "bodies": list(model.body_names)},
        "markers": list(model.marker_names),
        "sha256": sha256(weights),
        "parameters": sum(p.numel() for p in network.parameters()),
    })  # fmt: skip
    atomic_write(folder / README, text(content))
    atomic_write(folder / CARD, json.dumps(content, indent=2) + "\n")
    return folder


def load_network(folder: str | Path, model: OsimModel | None = None) -> NeurIKNetwork:
    """Read a trained network.

    Args:
        folder: holds its weights and card, or the name of one that is shipped.
        model: that it was trained for; the default model with the virtual markers if none is given.

    Raises:
        InputError: no such weights, files that do not belong together, or a model of other coordinates.
    """
    place = find_weights(folder)
    card = read_card(place)
    generic = _default_model(card["markers"]) if model is None else keep_markers(model, card["markers"])
    state = load_state(place, generic)
    network = make_network(Skeleton(generic), NetworkConfig(**card["network"]))
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise InputError(place / WEIGHTS, f"does not fit its card ({error})", "get both anew") from error
    return network.eval()


def load_state(folder: str | Path, model: OsimModel) -> dict[str, Tensor]:
    """Read the numbers of a trained network by name.

    Args:
        folder: holds its weights and card, or the name of one that is shipped.
        model: that they are wanted for.

    Raises:
        InputError: no such weights, files that do not belong together, or a model of other coordinates.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    place = find_weights(folder)
    card = read_card(place)
    weights = place / WEIGHTS
    if not weights.is_file() or sha256(weights) != card["sha256"]:
        raise InputError(weights, "is missing or not the file that its card describes", "get both anew")
    for what, names in (("coordinates", model.coordinate_names), ("bodies", model.body_names)):
        if list(names) != card["model"][what]:
            problem = f"was trained for a model of other {what}"
            raise InputError(place, problem, f"give the model of {', '.join(card['model'][what][:6])}, ...")
    try:
        return dict(load_file(weights))
    except SafetensorError as error:
        raise InputError(weights, f"cannot be read ({error})", "get it anew") from error


def find_weights(name: str | Path) -> Path:
    """Return the folder of weights: a path, or the name of one that is shipped, as ``"neurik-base"``.

    Raises:
        InputError: there is neither.
    """
    path = Path(name)
    if (path / CARD).is_file():
        return path
    shipped = models_dir() / "weights"
    names = sorted(folder.name for folder in shipped.glob("*") if (folder / CARD).is_file())
    if str(name) in names:
        return shipped / str(name)
    raise InputError(
        path, f"holds no weights{near_matches(str(name), names)}", f"shipped are {', '.join(names) or 'none'}"
    )


def read_card(folder: Path) -> dict[str, Any]:
    """Read a card.

    Raises:
        InputError: none there, or one of another format.
    """
    path = folder / CARD
    try:
        card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(path, f"cannot be read ({error})", "get the weights anew") from error
    known = {field.name for field in dataclasses.fields(NetworkConfig)}
    if card.get("format") != FORMAT or not set(card.get("network", {})) <= known:
        raise InputError(path, "is a card of another version", "get weights of this version")
    return card


def _default_model(markers: list[str]) -> OsimModel:
    from ik_pipeline.virtual_fit import virtual_model

    return keep_markers(virtual_model(default_model_path()), markers)
