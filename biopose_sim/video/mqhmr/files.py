"""Trained MQ-HMR networks on disk: ``weights.safetensors`` and ``card.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import InputError
from ...io import atomic_path, atomic_write
from ...io.record import plain, sha256
from ...neurik.weights import CARD, WEIGHTS, find_weights
from .body import HeadBody
from .checkpoints import compare_tensors, read_checkpoint
from .hmr2 import Hmr2
from .network import MqHmr, MqHmrConfig, build, parameter_counts
from .streams import SYNTHETIC

FORMAT = 1
KIND = "MQ-HMR"
# What no other network has.
_OWN = "decoder.positions"


def save_mqhmr(
    folder: str | Path, network: MqHmr, about: Mapping[str, Any] | None = None, *, half: bool = False
) -> Path:
    """Write weights and their card.

    Args:
        folder: made if it is not there.
        network: trained.
        about: what people should know: data, licence, metrics, training.
        half: whether the numbers are stored in half precision, at half the size.

    Raises:
        InputError: the folder cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    state = {name: _stored(value, half) for name, value in network.state_dict().items()}
    weights = place / WEIGHTS
    with atomic_path(weights) as temporary:
        try:
            save_file(state, temporary, {"format": "pt", "encoder_heads": str(network.config.encoder.heads)})
        except (OSError, SafetensorError) as error:
            raise InputError(weights, f"cannot be written ({error})") from error
    content = {
        **(about or {}),
        "format": FORMAT,
        "kind": KIND,
        "network": network.config.record(),
        "parameters": parameter_counts(network),
        "sha256": sha256(weights),
    }
    atomic_write(place / CARD, json.dumps(plain(content), indent=2) + "\n")
    return place


def load_mqhmr(folder: str | Path, body: HeadBody | None = None, smpl: str | Path | None = None) -> MqHmr:
    """Read a trained network.

    Args:
        folder: holds its weights and card, or the name of one that is shipped.
        body: its body model, where it is at hand.
        smpl: else, for a network of the body ``"smpl"``, the user's model file or folder.

    Returns:
        The network in evaluation mode, float32 on the CPU.

    Raises:
        InputError: no such weights, files that do not belong together, or weights of another network.
    """
    place = find_weights(folder)
    card = read_mqhmr_card(place)
    weights = place / WEIGHTS
    if not weights.is_file() or sha256(weights) != card["sha256"]:
        raise InputError(weights, "is missing or not the file that its card describes", "get both anew")
    network = build(MqHmrConfig.from_record(card["network"], place / CARD), "meta", body=body, smpl=smpl)
    take_weights(network, weights)
    return network.eval()


def open_network(path: str | Path, smpl: str | Path | None = None) -> MqHmr | Hmr2:
    """Read whatever mesh network a user names, for `mqhmr.predict.predict_clip`.

    Args:
        path: the folder of a trained MQ-HMR (or its weights in there, or the name of one that is shipped), or a whole
            checkpoint of HMR2.0.
        smpl: the user's SMPL file or folder, for networks of SMPL.

    Raises:
        InputError: neither, see `load_mqhmr` and `hmr2.Hmr2.from_checkpoint`.
    """
    place = Path(path)
    if place.name == WEIGHTS and (place.parent / CARD).is_file():
        place = place.parent
    if place.is_file():
        if _OWN in read_checkpoint(place).tensors:
            raise InputError(place, f"is a MQ-HMR without its {CARD}", "give the folder that training wrote them to")
        return Hmr2.from_checkpoint(place, smpl)[0]
    return load_mqhmr(place, smpl=smpl)


def warning_of(path: str | Path) -> str:
    """Return what a user must know of the weights that `open_network` takes from there: "" or a sentence.

    Raises:
        InputError: see `load_mqhmr`.
    """
    place = Path(path)
    if place.is_file() and place.name != WEIGHTS:
        return ""  # HMR2.0's
    card = read_mqhmr_card(place.parent if place.is_file() else find_weights(place))
    if not str(card.get("data", "")).startswith(SYNTHETIC):
        return ""
    found = card.get("metrics", {}).get("mpjpe")
    error = f", whose joints it misses by {found:.0f} mm on average where it never saw them" if found else ""
    return (
        f"These weights of MQ-HMR saw synthetic people only{error}: they show the method; for results take the key "
        "points (without --checkpoint)."
    )


def take_weights(network: MqHmr, path: str | Path) -> None:
    """Give a network the weights of a file, in place.

    Args:
        network: also on ``"meta"``.
        path: any checkpoint that `checkpoints.read_checkpoint` reads.

    Raises:
        InputError: the file cannot be read, or is of another architecture: says what differs.
    """
    found = read_checkpoint(path)
    size = network.config
    title = f"MQ-HMR with encoder {size.encoder.name}, {size.tokens} tokens, {size.layers} layers, scales {size.scales}"
    compare_tensors(found.path, found.tensors, network.state_dict(), title)
    network.load_state_dict({name: value.float().contiguous() for name, value in found.tensors.items()}, assign=True)


def read_mqhmr_card(folder: Path) -> dict[str, Any]:
    """Read a card.

    Raises:
        InputError: none there, or not one of MQ-HMR.
    """
    path = folder / CARD
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(path, f"cannot be read ({error})", "get the weights anew") from error
    if not isinstance(card, dict) or card.get("kind") != KIND:
        raise InputError(path, "is no card of MQ-HMR", "give the folder of such a network")
    if card.get("format") != FORMAT or not {"network", "sha256"} <= set(card):
        raise InputError(path, "is a card of another version", "get weights of this version")
    return card


def _stored(value: Tensor, half: bool) -> Tensor:
    kept = value.detach().cpu()
    return (kept.half() if half and kept.dtype == torch.float32 else kept).contiguous().clone()
