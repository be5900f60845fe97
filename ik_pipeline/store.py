"""Results of persons and trials on disk: numbers in ``.npz`` files whose bytes depend on the numbers alone.

A run's folder::

    manifest.json            what went in, how it was done, what came out
    summary.html             quality over the whole run
    persons/<person>/scaling.npz, scaling.json, model.osim
    persons/<person>/<trial>.npz, <trial>.json, <trial>.mot
    shards/                  training shards

The ``.json`` beside each ``.npz`` is written last: it holds the content hash of what the result was made from, and
without it the result does not count.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biopose_sim.errors import InputError
from biopose_sim.ik.types import KinematicsResult
from biopose_sim.io import Trial, atomic_write

Array = NDArray[np.float64]
PERSONS = "persons"
SCALING = "scaling"


@dataclass(frozen=True)
class StoredTrial:
    """A solved trial.

    Attributes:
        time: (T,) [s].
        coordinates: (T, n_q) [rad | m], in the model's order.
        coordinate_names: n_q names.
        markers: (T, M, 3) measured markers [m], ground frame, NaN where not seen.
        model_markers: (T, M, 3) the model's markers [m].
        marker_names: M names.
        marker_weights: (M,).
        converged: (T,) bool.
        free: (n_q,) whether the coordinate was solved for.
        determined: (n_q,) whether the markers determine it.
    """

    time: Array
    coordinates: Array
    coordinate_names: tuple[str, ...]
    markers: NDArray[np.float32]
    model_markers: NDArray[np.float32]
    marker_names: tuple[str, ...]
    marker_weights: Array
    converged: NDArray[np.bool_]
    free: NDArray[np.bool_]
    determined: NDArray[np.bool_]


@dataclass(frozen=True)
class StoredScaling:
    """A scaled person.

    Attributes:
        scales: (n_bodies, 3).
        body_names: n_bodies names.
        marker_offsets: (n_markers, 3) [m], body axes.
        marker_names: n_markers names.
    """

    scales: Array
    body_names: tuple[str, ...]
    marker_offsets: Array
    marker_names: tuple[str, ...]


def stored_trial(result: KinematicsResult, trial: Trial) -> StoredTrial:
    """Return what is kept of a result and the markers it was solved from."""
    rows = [trial.marker_names.index(name) for name in result.marker_names]
    return StoredTrial(
        time=result.time,
        coordinates=result.coordinates,
        coordinate_names=result.coordinate_names,
        markers=trial.markers[:, rows].astype(np.float32),
        model_markers=result.model_markers.astype(np.float32),
        marker_names=result.marker_names,
        marker_weights=result.marker_weights,
        converged=result.converged,
        free=result.free,
        determined=result.determined,
    )


def write_stored(path: Path, stored: StoredTrial | StoredScaling) -> Path:
    """Write atomically; the same numbers give the same bytes."""
    arrays = {name: np.asarray(value) for name, value in vars(stored).items()}
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return atomic_write(path, buffer.getvalue())


def read_stored_trial(path: Path) -> StoredTrial:
    """Read a solved trial.

    Raises:
        InputError: no such file, or not one of ours.
    """
    return StoredTrial(**_read(path, [field.name for field in fields(StoredTrial)]))


def read_stored_scaling(path: Path) -> StoredScaling:
    """Read a scaled person.

    Raises:
        InputError: no such file, or not one of ours.
    """
    return StoredScaling(**_read(path, [field.name for field in fields(StoredScaling)]))


def _read(path: Path, names: list[str]) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as data:
            arrays = {name: data[name] for name in names}
    except FileNotFoundError:
        raise InputError(path, "no such file", "the run has not written it, or not in full: run it again") from None
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(path, f"is not a result of this pipeline ({error})", "delete it and run again") from error
    return {name: tuple(a.tolist()) if a.dtype.kind == "U" else a for name, a in arrays.items()}
