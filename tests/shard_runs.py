"""A small run as the pipeline leaves it: two synthetic persons of each of some groups, moving smoothly."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import torch

from biopose_sim import __version__
from biopose_sim.bodies.virtual import read_virtual_markers
from biopose_sim.paths import default_model_path
from ik_pipeline.store import StoredScaling, StoredTrial, write_stored
from ik_pipeline.virtual_fit import virtual_model

LANDMARKS = [m.name for m in read_virtual_markers() if m.kind == "landmark"]
MODEL = virtual_model()


def motion(frames: int, rate: float, seed: int):
    """Smooth coordinates within their ranges, (T, n_q), and the time."""
    random = np.random.default_rng(seed)
    time = 0.5 + np.arange(frames) / rate
    tree = MODEL.tree
    low, high = tree.ranges.T
    phase, speed = random.uniform(0, 6, len(low)), random.uniform(1, 4, len(low))
    part = 0.5 + 0.4 * np.sin(speed * time[:, None] + phase)
    q = np.clip(low, -1, 1) * (1 - part) + np.clip(high, -1, 1) * part
    q[:, tree.locked] = tree.defaults[tree.locked]
    return time, MODEL(torch.from_numpy(q)).coordinates.numpy().copy()


def trial(scaling: StoredScaling, frames: int, rate: float, seed: int, gap: bool = True) -> StoredTrial:
    """A solved trial: markers 5 mm from the model's, a landmark beyond 2 cm in frames 3-5, a gap in frames 10-12."""
    time, q = motion(frames, rate, seed)
    found = MODEL.scale(scaling.scales, scaling.marker_offsets)(torch.from_numpy(q)).markers.numpy()
    random = np.random.default_rng(seed + 1000)
    away = random.normal(size=found.shape[1:])
    markers = found + 0.005 * away / np.linalg.norm(away, axis=-1, keepdims=True)
    landmark = MODEL.marker_names.index(LANDMARKS[0])
    markers[3:6, landmark] += [0.0, 0.026, 0.0]
    markers[7, landmark] += [0.0, 0.014, 0.0]
    if gap:
        markers[10:13, 7] = np.nan
    converged = np.ones(frames, dtype=bool)
    converged[1] = False
    free = ~(MODEL.tree.locked | MODEL.tree.dependent)
    determined = free.copy()
    determined[np.flatnonzero(free)[-1]] = False
    return StoredTrial(
        time, q, MODEL.coordinate_names, markers.astype(np.float32), found.astype(np.float32),
        MODEL.marker_names, np.ones(len(MODEL.marker_names)), converged, free, determined,
    )  # fmt: skip


def scaling(seed: int) -> StoredScaling:
    """A person within 10 % of the generic model."""
    random = np.random.default_rng(seed)
    scales = random.uniform(0.9, 1.1, (len(MODEL.body_names), 3))
    offsets = random.normal(0, 0.01, (len(MODEL.marker_names), 3))
    return StoredScaling(scales, MODEL.body_names, offsets, MODEL.marker_names)


def write_run(folder: Path, groups=("08", "35", "07"), lengths=(150, 90), rate=60.0, splits=None) -> Path:
    """Write a run; persons of the n-th group are in the n-th of ``splits``."""
    persons = []
    for k, group in enumerate(groups):
        for twin in range(2):
            name = f"{group}_{twin}"
            person = scaling(10 * k + twin)
            write_stored(made(folder / "persons" / name) / "scaling.npz", person)
            trials = []
            for j, frames in enumerate(lengths):
                write_stored(folder / "persons" / name / f"take{j}.npz", trial(person, frames, rate, 100 * k + j))
                trials.append(
                    {
                        "name": f"take{j}", "action": ("walk", "run")[j % 2], "frames": frames, "status": "ok",
                        "quality": {"marker_rms": 5.0, "worst_markers": [["RASI", 5.0]]}, "outputs": {},
                    }
                )  # fmt: skip
            trials.append({"name": "lost", "action": None, "frames": 0, "status": "failed", "quality": None})
            persons.append(
                {
                    "id": name, "dataset": "cmu", "group": group, "sex": ("female", "male")[twin], "stature": 1.7,
                    "mass": 70.0, "split": splits[k] if splits else None, "status": "ok", "trials": trials,
                }
            )  # fmt: skip
    model = default_model_path()
    manifest = {
        "biopose_sim": __version__,
        "source": {"name": "cmu", "folder": "somewhere", "configuration": {}},
        "engine": {"name": "fit"},
        "model": {
            "path": str(model), "sha256": hashlib.sha256(model.read_bytes()).hexdigest(), "markers": None,
            "landmarks": LANDMARKS,
        },
        "persons": persons,
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def edit_manifest(run: Path, change) -> None:
    """Apply a change to the manifest."""
    file = run / "manifest.json"
    manifest = json.loads(file.read_text())
    change(manifest)
    file.write_text(json.dumps(manifest))
