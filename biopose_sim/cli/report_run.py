"""A person of a run over a data set (``biopose groundtruth``), as results to report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from biopose_sim.cli.inputs import load_model
from biopose_sim.cli.report_sources import Found
from biopose_sim.errors import InputError, near_matches
from biopose_sim.ik.types import KinematicsResult
from biopose_sim.io import Trial
from biopose_sim.kinematics.model import OsimModel
from ik_pipeline.runner.records import person_folder
from ik_pipeline.store import PERSONS, SCALING, read_stored_scaling, read_stored_trial

_MODEL = "model.osim"


def person_of_run(folder: Path, person: str | None) -> Path | None:
    """The folder of a person of a run; None where the folder is neither a run nor a person of one.

    Raises:
        InputError: a run of several persons without a name, or without that person.
    """
    if (folder / _MODEL).is_file() and (folder / f"{SCALING}.npz").is_file():
        return folder
    if not (folder / PERSONS).is_dir():
        return None
    names = sorted(path.name for path in (folder / PERSONS).iterdir() if (path / _MODEL).is_file())
    if person is None and len(names) == 1:
        return person_folder(folder, names[0])
    if person is None:
        few = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        remedy = f"name one with --person ({few}); summary.html shows them all"
        raise InputError(folder, f"holds {len(names)} persons", remedy)
    if person not in names:
        raise InputError(folder, f"holds no person '{person}' with a model{near_matches(person, names)}")
    return person_folder(folder, person)


def read_person(folder: Path) -> Found:
    """Read the person's model and the solved trials.

    Raises:
        InputError: a file that is missing or broken, or no trial.
    """
    model = load_model(folder / _MODEL)
    paths = sorted(path for path in folder.glob("*.npz") if path.stem != SCALING)
    if not paths:
        raise InputError(folder, "holds no solved trial", "the run has not solved any of this person")
    read = [_read(path, model) for path in paths]
    scaling = read_stored_scaling(folder / f"{SCALING}.npz")
    manifest = _of_manifest(folder)
    manifest["scaling"] = {"scales": dict(zip(scaling.body_names, scaling.scales))}
    results, trials = zip(*read)
    return Found(model, results, trials, (True,) * len(results), manifest=manifest)


def _read(path: Path, model: OsimModel) -> tuple[KinematicsResult, Trial]:
    stored = read_stored_trial(path)
    if stored.coordinate_names != model.coordinate_names:
        raise InputError(path, f"has other coordinates than {_MODEL}", "run again")
    markers = stored.markers.astype(float)
    result = KinematicsResult(
        name=path.stem,
        time=stored.time,
        coordinates=stored.coordinates.astype(float),
        coordinate_names=stored.coordinate_names,
        motion_types=model.motion_types,
        marker_names=stored.marker_names,
        marker_weights=stored.marker_weights,
        model_markers=stored.model_markers.astype(float),
        marker_errors=np.linalg.norm(markers - stored.model_markers, axis=2),
        converged=stored.converged,
        iterations=np.zeros(len(stored.time), dtype=np.int64),
        sensitivity=np.where(stored.determined, 0.0, np.inf),
        free=stored.free,
    )
    return result, Trial.checked(path.stem, stored.time, markers, stored.marker_names, source=path)


def _of_manifest(folder: Path) -> dict[str, Any]:
    """What the run's manifest says of the person; nothing where it is gone."""
    path = folder.parent.parent / "manifest.json"
    try:
        persons = json.loads(path.read_text(encoding="utf-8")).get("persons", ())
    except (OSError, ValueError):
        return {}
    person: dict[str, Any] = next((entry for entry in persons if entry.get("id") == folder.name), {})
    known = {key: person.get(key) for key in ("id", "dataset", "sex", "stature", "mass", "warnings")}
    return {"command": "groundtruth", "person": {key: value for key, value in known.items() if value is not None}}
