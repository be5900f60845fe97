"""What decides the results of an engine, as JSON has it: it enters the content hashes of a run."""

from __future__ import annotations

from typing import Any

from biopose_sim.io.record import plain, sha256
from ik_pipeline.types import ModelChoice


def choice_content(choice: ModelChoice) -> dict[str, Any]:
    """Return the content of a model choice: hashes of files, weights, limits, measurements, locks."""
    fit: dict[str, Any] = plain(choice.fit)
    # Neither decides a number: how many threads work, and what weights name besides the model's markers.
    fit["ik"].pop("threads")
    names = set(choice.model.marker_names)
    fit["ik"]["weights"] = {name: weight for name, weight in choice.ik.weights.items() if name in names}
    return {
        "model": sha256(choice.path),
        "markers": None if choice.markers is None else sha256(choice.markers),
        "marker_names": list(choice.model.marker_names),
        "fixed_markers": [marker.name for marker in choice.model.model.markers if marker.fixed],
        "fit": fit,
        "landmarks": sorted(choice.landmarks),
        "measurements": plain(choice.measurements),
        "placement": plain(choice.placement),
        "locked": list(choice.locked),
        "unlocked": list(choice.unlocked),
        "couplers_off": list(choice.couplers_off),
        "marker_bodies": plain(choice.marker_bodies),
    }
