"""Synthetic trials with a known truth for the tests of inverse kinematics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from biopose_sim.io import Trial
from biopose_sim.kinematics.model import OsimModel

DEFAULT_MODEL = Path(__file__).resolve().parents[2] / "models" / "fullbody" / "biopose_fullbody.osim"
MODELS = (
    "Rajagopal2016",
    "RajagopalLaiUhlrich2023",
    "FullBodyModel_Hamner2010_v2_0",
    "d3ke_full_body_wo_hands",
    "arm26",
    "leg6dof9musc",
    "biopose_fullbody",
)


def load_model(data: Path, name: str) -> OsimModel:
    """A model of the test data, or the default model."""
    return OsimModel.from_file(DEFAULT_MODEL if name == "biopose_fullbody" else data / "models" / f"{name}.osim")


def room(model: OsimModel, widest: float = 0.6) -> tuple[np.ndarray, np.ndarray]:
    """Middle and half width of a natural range of each coordinate, shape (n_q,) each [rad | m]."""
    tree = model.tree
    low, high = tree.ranges.T
    rest = np.clip(tree.defaults, low, high)
    middle = np.clip(0.5 * (rest + 0.5 * (low + high)), rest - widest, rest + widest)
    half = np.minimum(np.minimum(high - middle, middle - low) * 0.9, widest)
    return middle, np.where(tree.locked | tree.dependent, 0.0, half)


def smooth_motion(
    model: OsimModel, n_frames: int, *, rate: float = 100.0, cutoff: float = 2.5, seed: int = 0
) -> np.ndarray:
    """Band-limited random coordinates inside their ranges, shape (n_frames, n_q) [rad | m]."""
    rng = np.random.default_rng(seed)
    middle, half = room(model)
    time = np.arange(n_frames)[:, None] / rate
    shape = (6, len(middle))
    frequency, phase = rng.uniform(0.1, cutoff, shape), rng.uniform(0.0, 2.0 * np.pi, shape)
    amplitude = rng.dirichlet(np.ones(6), size=len(middle)).T
    wave = sum(a * np.sin(2.0 * np.pi * f * time + p) for a, f, p in zip(amplitude, frequency, phase))
    q = np.where(model.tree.locked, model.tree.defaults, middle + half * wave)
    return completed(model, q)


def random_poses(model: OsimModel, n: int, *, seed: int = 0, widest: float = 0.6) -> np.ndarray:
    """Independent poses inside natural ranges, shape (n, n_q) [rad | m]."""
    rng = np.random.default_rng(seed)
    middle, half = room(model, widest)
    q = middle + half * rng.uniform(-1.0, 1.0, (n, len(middle)))
    return completed(model, np.where(model.tree.locked, model.tree.defaults, q))


def completed(model: OsimModel, q: np.ndarray) -> np.ndarray:
    """Coordinates with dependent ones computed."""
    return model(torch.as_tensor(q)).coordinates.numpy().copy()


def markers_of(model: OsimModel, q: np.ndarray) -> np.ndarray:
    """The model's markers (T, M, 3) [m]."""
    return model(torch.as_tensor(q)).markers.numpy().copy()


def trial_of(model: OsimModel, q: np.ndarray, *, noise: float = 0.0, seed: int = 0, rate: float = 100.0) -> Trial:
    """A trial of all markers of the model, with normal noise [m] per axis."""
    markers = markers_of(model, q)
    markers += np.random.default_rng(seed).normal(0.0, 1.0, markers.shape) * noise
    return Trial.checked("made", np.arange(len(q)) / rate, markers, model.marker_names)
