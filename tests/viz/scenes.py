"""Results to draw, made by forward kinematics: a standing and a walking person with known truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from biopose_sim import synthetic
from biopose_sim.ik.types import KinematicsResult
from biopose_sim.io import Trial
from biopose_sim.kinematics.model import OsimModel


@dataclass(frozen=True)
class Scene:
    """A model, its trial, the true coordinates and a result near them."""

    model: OsimModel
    trial: Trial
    truth: np.ndarray
    result: KinematicsResult


def make_result(model: OsimModel, trial: Trial, truth: np.ndarray, seed: int = 0) -> KinematicsResult:
    """Return the truth with half a degree of noise as a result."""
    rng = np.random.default_rng(seed)
    free = ~(model.tree.locked | model.tree.dependent)
    rotational = np.array(model.motion_types) == "rotational"
    noise = rng.normal(size=truth.shape) * np.radians(0.5) * (free & rotational)
    with torch.no_grad():
        forward = model(torch.from_numpy(truth + noise))
    markers = forward.markers.numpy()
    sensitivity = np.where(free, np.radians(0.3), np.inf)
    wrists = np.char.startswith(np.array(model.coordinate_names), "wrist")
    return KinematicsResult(
        name=trial.name,
        time=trial.time,
        coordinates=forward.coordinates.numpy(),
        coordinate_names=model.coordinate_names,
        motion_types=model.motion_types,
        marker_names=model.marker_names,
        marker_weights=np.ones(len(model.marker_names)),
        model_markers=markers,
        marker_errors=np.linalg.norm(markers - trial.markers, axis=2),
        converged=np.ones(len(truth), dtype=bool),
        iterations=rng.integers(3, 9, len(truth)),
        sensitivity=np.where(wrists, np.inf, sensitivity),
        free=free,
    )


def make_scene(model: OsimModel, truth: np.ndarray, name: str) -> Scene:
    """Return a scene of these coordinates at 50 Hz."""
    trial = synthetic.markers_from_coordinates(model, truth, np.arange(len(truth)) / 50.0, name=name)
    return Scene(model, trial, truth, make_result(model, trial, truth))
