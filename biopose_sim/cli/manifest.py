"""The manifest of a result folder: what went in, how it was done, what came out."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from biopose_sim import __version__
from biopose_sim.cli.folder import ResultFolder
from biopose_sim.ik.types import KinematicsResult
from biopose_sim.io import atomic_write
from biopose_sim.io.record import file_entry, plain, sha256, versions


def write_manifest(
    folder: ResultFolder,
    name: str = "manifest.json",
    *,
    command: str,
    inputs: Sequence[Path],
    model: Path | None,
    configuration: Mapping[str, Any],
    results: Sequence[KinematicsResult],
    seconds: float,
    **more: Any,
) -> Path:
    """Write the manifest as JSON, after all other files of the folder.

    Args:
        folder: the results; their hashes are written down.
        name: of the file.
        command: name of the command, e.g. "fit".
        inputs: the files that were read, the model aside.
        model: the model's file.
        configuration: everything that decides the result.
        results: their metrics are written down.
        seconds: how long it took.
        more: further entries.
    """
    content = {
        "biopose_sim": __version__,
        "command": command,
        "arguments": sys.argv[1:],
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": seconds,
        "model": None if model is None else file_entry(model),
        "inputs": [file_entry(file) for file in inputs],
        "outputs": {file.name: sha256(file) for file in folder.staged},
        "configuration": dict(configuration),
        "trials": [trial_metrics(result) for result in results],
        "versions": versions(),
        **more,
    }
    return atomic_write(folder.file(name), json.dumps(plain(content), indent=2, allow_nan=False) + "\n")


def trial_metrics(result: KinematicsResult) -> dict[str, Any]:
    """How well the coordinates explain the markers; lengths in mm."""
    errors = 1e3 * result.marker_errors
    seen = np.isfinite(errors)
    worst, worst_rms = worst_marker(result)
    undetermined = [
        n for n, free, ok in zip(result.coordinate_names, result.free, result.determined) if free and not ok
    ]
    return {
        "name": result.name,
        "frames": len(result.time),
        "start_s": float(result.time[0]),
        "end_s": float(result.time[-1]),
        "markers": len(result.marker_names),
        "missing": float(1.0 - seen.mean()) if seen.size else None,
        "marker_rms_mm": rms(errors),
        "largest_error_mm": float(errors[seen].max()) if seen.any() else None,
        "worst_marker": worst,
        "worst_marker_rms_mm": worst_rms,
        "converged": float(np.mean(result.converged)),
        "iterations": float(np.mean(result.iterations)),
        "undetermined": undetermined,
        "warnings": list(result.warnings),
    }


def rms(values: np.ndarray) -> float:
    """Root mean square of what is a number; NaN where nothing is."""
    finite = values[np.isfinite(values)]
    return float(np.sqrt(np.mean(finite**2))) if finite.size else float("nan")


def worst_marker(result: KinematicsResult) -> tuple[str, float]:
    """Name and RMS error [mm] of the marker that fits worst."""
    by_marker = [rms(1e3 * column) for column in result.marker_errors.T]
    finite = [(value, name) for value, name in zip(by_marker, result.marker_names) if math.isfinite(value)]
    value, name = max(finite, default=(float("nan"), ""))
    return name, value
