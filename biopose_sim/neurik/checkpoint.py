"""Checkpoints of trainings: written in one step, read without running anything, refused where they do not belong."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from biopose_sim.errors import InputError
from biopose_sim.io import atomic_path
from biopose_sim.neurik.config import differences

ANEW = "give another output folder, or delete this one to begin anew"
_DAMAGE = (RuntimeError, EOFError, OSError, ValueError, KeyError, TypeError, pickle.UnpicklingError)


def make_folder(folder: Path) -> None:
    """Make the folder of a training, if it is not there.

    Raises:
        InputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(folder, f"cannot be made ({error.strerror})", "choose another folder") from error


def write_checkpoint(path: Path, content: Mapping[str, Any]) -> None:
    """Write a checkpoint; its ``config`` is the training's configuration as JSON.

    Raises:
        InputError: it cannot be written.
    """
    with atomic_path(path) as temporary:
        try:
            torch.save(dict(content), temporary)
        except (OSError, RuntimeError) as error:  # torch says so of a full disk
            raise InputError(path, f"cannot be written ({error})", "make room") from error


def read_checkpoint(path: Path, config: Mapping[str, Any], device: torch.device | str | None = None) -> dict[str, Any]:
    """Read what `write_checkpoint` wrote.

    Args:
        path: the checkpoint.
        config: of the training that is to go on.
        device: where its tensors go; where they were by default.

    Raises:
        InputError: it cannot be read, or is of another configuration.
    """
    try:
        content: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        names = differences(json.loads(content["config"]), json.loads(json.dumps(config)))
    except _DAMAGE as error:
        raise InputError(path, f"cannot be read ({' '.join(str(error).split())[:80]})", ANEW) from error
    if names:
        raise InputError(path.parent, f"holds a training of another configuration: {', '.join(names[:4])}", ANEW)
    return content
