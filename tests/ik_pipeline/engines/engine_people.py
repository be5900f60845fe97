"""A person with the virtual markers in a motion that is known: small enough for tests."""

from __future__ import annotations

import numpy as np
import torch

from biopose_sim.io import Trial
from biopose_sim.kinematics.model import OsimModel
from ik_pipeline.types import ModelChoice, PersonSpec, TrialSpec

RATE = 60.0


def trial_of(model: OsimModel, q: np.ndarray, name: str, noise: float = 0.001) -> Trial:
    markers = model(torch.from_numpy(q)).markers.numpy()
    markers = markers + np.random.default_rng(len(name)).normal(0.0, noise, markers.shape)
    return Trial.checked(name, np.arange(len(q)) / RATE, markers, model.marker_names)


def motion(model: OsimModel, frames: int, reach: float = 0.3) -> np.ndarray:
    """Coordinates (T, n_q) that swing about the defaults, within the ranges."""
    rng = np.random.default_rng(7)
    phase = 2.0 * np.pi * (np.arange(frames)[:, None] / RATE * rng.uniform(0.3, 1.0, 1) + rng.uniform(0, 1, (1, 1)))
    phase = phase + rng.uniform(0.0, 2.0 * np.pi, len(model.tree.defaults))
    low, high = model.tree.ranges.T
    room = np.minimum(reach, 0.4 * (high - low))
    middle = np.clip(model.tree.defaults, low + room, high - room)
    return model(torch.from_numpy(middle + room * np.sin(phase))).coordinates.numpy()


def person_of(choice: ModelChoice, scales: np.ndarray) -> tuple[PersonSpec, list[tuple[TrialSpec, Trial]]]:
    """A person with these factors: a static trial that starts with a step, and a motion."""
    model = choice.model.scale(scales)
    moving = motion(model, 40)
    still = np.repeat(model.tree.defaults[None], 30, axis=0)
    trials = [
        (TrialSpec("static", (), scaling="static"), trial_of(model, np.concatenate([moving[:20], still]), "static")),
        (TrialSpec("motion", (), action="swing"), trial_of(model, moving, "motion")),
    ]
    return PersonSpec("one", "made", tuple(spec for spec, _ in trials), "one", mass=61.5), trials
