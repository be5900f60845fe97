"""From a folder of results back to results: model, motions, the markers they were found from, what else lies there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from biopose_sim.cli.inputs import load_model
from biopose_sim.cli.view_sources import Source, source_of
from biopose_sim.errors import InputError
from biopose_sim.forces.types import SIMULATION, read_simulation
from biopose_sim.gait.feet import complete_coordinates
from biopose_sim.ik.types import KinematicsResult
from biopose_sim.io import Motion, Trial, read_mot, read_trial
from biopose_sim.io.record import sha256
from biopose_sim.kinematics.model import OsimModel

_MANIFEST = "manifest.json"
_BLOCK = 4096


@dataclass(frozen=True)
class Found:
    """Results that were read from files.

    Attributes:
        model: scaled to the person.
        results: one per trial, in the order of the manifest.
        trials: the markers of each, at the times of the result; those of the model where none were found.
        measured: per trial, whether its markers were found.
        simulations: folders of simulations by trial.
        pictures: of body mesh and skeleton, by trial.
        manifest: what the command wrote down; empty without one.
        notes: what could not be found or fits badly.
    """

    model: OsimModel
    results: tuple[KinematicsResult, ...]
    trials: tuple[Trial, ...]
    measured: tuple[bool, ...]
    simulations: Mapping[str, Path] = field(default_factory=dict)
    pictures: Mapping[str, Path] = field(default_factory=dict)
    manifest: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_results(folder: Path) -> Found:
    """Read what fit, ik, predict or demo left in a folder.

    Raises:
        InputError: no such folder, no model or no motion in it, files that cannot be read.
    """
    if folder.is_dir() and not any(folder.glob("*.mot")) and (simulated := _simulated(folder)):
        return read_sources(simulated, {})
    names = trial_names(folder)
    found = read_sources({name: source_of(folder, name) for name in names}, _manifest(folder))
    pictures = {name: path for name in names if (path := folder / f"{name}_body.png").is_file()}
    return replace(found, pictures=pictures)


def _simulated(folder: Path) -> dict[str, Source]:
    """Model and motion of the simulations in a folder that holds nothing else."""
    sources = {}
    for path in sorted(folder.glob(f"simulation/*/{SIMULATION}")):
        simulation, where = read_simulation(path.parent), path.parent
        model, motion = where / simulation.model, where / simulation.motion
        if model.is_file() and motion.is_file():
            sources[simulation.trial] = Source(simulation.trial, model, motion, simulation=(simulation, where))
    return sources


def trial_names(folder: Path) -> list[str]:
    """Trials with a motion in the folder: in the order of the manifest, else by name.

    Raises:
        InputError: no such folder, or no motion in it.
    """
    if not folder.is_dir():
        raise InputError(folder, "is no folder of results", "give the output folder of fit, predict, ik or demo")
    names = [row["name"] for row in _manifest(folder).get("trials", ()) if isinstance(row, dict)]
    names = [name for name in names if (folder / f"{name}.mot").is_file()]
    names = names or [path.stem for path in sorted(folder.glob("*.mot"))]
    if not names:
        raise InputError(folder, "holds no motion (.mot)", "give the output folder of fit, predict, ik or demo")
    return names


def read_sources(sources: Mapping[str, Source], manifest: Mapping[str, Any]) -> Found:
    """Read model, motions and markers of trials of one person, by the names of the trials."""
    model = load_model(next(iter(sources.values())).model)
    rows = {row["name"]: row for row in manifest.get("trials", ()) if isinstance(row, dict)}
    results, trials, measured, notes = [], [], [], []
    for name, source in sources.items():
        motion = read_mot(source.motion, dict(zip(model.coordinate_names, model.motion_types)))
        motion = replace(motion, name=name)
        trial, note = _markers_of(source, motion, manifest)
        result = _result(model, motion, trial, rows.get(motion.name, {}), _weights(manifest, motion.name))
        notes += [f"{motion.name}: {note}"] if note else []
        results.append(result)
        measured.append(trial is not None)
        trials.append(trial or Trial.checked(motion.name, motion.time, result.model_markers, result.marker_names))
    simulations = {name: s.simulation[1] for name, s in sources.items() if s.simulation is not None}
    return Found(
        model, tuple(results), tuple(trials), tuple(measured), simulations, manifest=manifest, notes=tuple(notes)
    )


def _manifest(folder: Path) -> dict[str, Any]:
    path = next((p for p in [folder / _MANIFEST, *sorted(folder.glob(f"*_{_MANIFEST}"))] if p.is_file()), None)
    if path is None:
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(path, f"cannot be read ({error})", "run the command that made the folder again") from error
    return content if isinstance(content, dict) else {}


def _markers_of(source: Source, motion: Motion, manifest: Mapping[str, Any]) -> tuple[Trial | None, str]:
    """The measured markers at the times of the motion, and what is to be said of them."""
    if source.markers is None:
        return None, "the measured markers were not found (neither in the folder nor where they were read from)"
    recorded = read_trial(source.markers)
    renamed = {a: b for a, b in dict(manifest.get("marker_names", {})).items() if a in recorded.marker_names}
    recorded = recorded.rename(renamed)
    trial = nearest_frames(replace(recorded, name=motion.name), motion.time)
    if trial is None:
        return None, f"{source.markers.name} has no frames at the times of the motion, so that markers are not compared"
    kept = [str(entry.get("sha256")) for entry in manifest.get("inputs", ())]
    kept += [str(value) for value in dict(manifest.get("outputs", {})).values()]
    changed = bool(kept) and sha256(source.markers) not in kept
    return trial, f"{source.markers.name} has changed since the result was made" if changed else ""


def nearest_frames(trial: Trial, time: np.ndarray) -> Trial | None:
    """The frames of a recording at the times of a result; None where it has none at one of them."""
    after = np.clip(np.searchsorted(trial.time, time), 0, trial.n_frames - 1)
    before = np.maximum(after - 1, 0)
    rows = np.where(np.abs(trial.time[before] - time) < np.abs(trial.time[after] - time), before, after)
    step = float(np.median(np.diff(trial.time))) if trial.n_frames > 1 else 1.0
    if np.abs(trial.time[rows] - time).max() > 0.25 * step or len(np.unique(rows)) != len(rows):
        return None
    return Trial.checked(trial.name, time, trial.markers[rows], trial.marker_names, source=trial.source)


def _weights(manifest: Mapping[str, Any], trial: str) -> tuple[Mapping[str, float], float]:
    """Weights of the markers as they were given, and that of those without one."""
    ik = dict(manifest.get("configuration", {})).get("ik", {})
    ik = ik.get(trial, ik) if isinstance(ik, dict) else {}
    return ik.get("weights") or {}, float(ik.get("default_weight", 1.0))


def _result(
    model: OsimModel,
    motion: Motion,
    trial: Trial | None,
    row: Mapping[str, Any],
    weights: tuple[Mapping[str, float], float],
) -> KinematicsResult:
    """The motion as a result: markers by forward kinematics, what the solver said from the manifest's row."""
    given, otherwise = weights
    known = set(model.marker_names) if trial is None else set(trial.marker_names) & set(model.marker_names)
    names = tuple(n for n in model.marker_names if n in known and given.get(n, otherwise) > 0.0)
    columns = [model.marker_names.index(name) for name in names]
    coordinates, markers = _forward(model, motion, columns)
    errors = np.full(markers.shape[:2], np.nan)
    if trial is not None:
        measured = trial.markers[:, [trial.marker_names.index(name) for name in names]]
        errors = np.linalg.norm(measured - markers, axis=2)
    free = ~(model.tree.locked | model.tree.dependent)
    open_ones = set(row.get("undetermined", ()))
    failed = round(len(motion.time) * (1.0 - float(row.get("converged", 1.0))))
    return KinematicsResult(
        name=motion.name,
        time=motion.time,
        coordinates=coordinates,
        coordinate_names=model.coordinate_names,
        motion_types=model.motion_types,
        marker_names=names,
        marker_weights=np.array([given.get(name, otherwise) for name in names]),
        model_markers=markers,
        marker_errors=errors,
        converged=np.arange(len(motion.time)) >= failed,
        iterations=np.zeros(len(motion.time), dtype=np.int64),
        sensitivity=np.array([np.inf if n in open_ones else 0.0 for n in model.coordinate_names]),
        free=free,
        warnings=tuple(str(text) for text in row.get("warnings", ())),
    )


def _forward(model: OsimModel, motion: Motion, columns: list[int]) -> tuple[np.ndarray, np.ndarray]:
    q = complete_coordinates(model, motion)
    whole, markers = [], []
    for start in range(0, len(q), _BLOCK):
        with torch.no_grad():
            pose = model(torch.from_numpy(np.ascontiguousarray(q[start : start + _BLOCK])))
            whole.append(pose.coordinates.numpy())
            markers.append(pose.markers.numpy()[:, columns])
    return np.concatenate(whole), np.concatenate(markers)
