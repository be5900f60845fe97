"""What decides the results of an engine, as JSON has it: it enters the content hashes of a run."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ik_pipeline.types import ModelChoice


def choice_content(choice: ModelChoice) -> dict[str, Any]:
    """Return the content of a model choice: hashes of files, weights, limits, measurements, locks."""
    fit = dataclasses.asdict(choice.fit)
    # Neither decides a number: how many threads work, and which names the weights hold besides the model's.
    fit["ik"].pop("threads")
    names = set(choice.model.marker_names)
    fit["ik"]["weights"] = {name: weight for name, weight in choice.ik.weights.items() if name in names}
    return {
        "model": _hash(choice.path),
        "markers": None if choice.markers is None else _hash(choice.markers),
        "marker_names": list(choice.model.marker_names),
        "fit": as_json(fit),
        "landmarks": sorted(choice.landmarks),
        "measurements": as_json([dataclasses.asdict(m) for m in choice.measurements]),
        "locked": list(choice.locked),
        "unlocked": list(choice.unlocked),
        "couplers_off": list(choice.couplers_off),
        "marker_bodies": [list(pair) for pair in choice.marker_bodies],
    }


def as_json(value: Any) -> Any:
    """Return the value with only what JSON knows; sets are sorted."""
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value.item() if isinstance(value, np.generic) else value


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
