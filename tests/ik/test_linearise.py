"""Derivatives of markers in coordinates, scales and offsets against finite differences of forward kinematics."""

from pathlib import Path

import numpy as np
import pytest
import torch

from biopose_sim.ik.linearise import linearise
from biopose_sim.kinematics.model import OsimModel

MODELS = ["Rajagopal2016.osim", "d3ke_full_body_wo_hands.osim", "leg6dof9musc.osim", "arm26.osim"]


def random_state(model: OsimModel, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    low, high = np.clip(model.tree.ranges, -1.0, 1.0).T
    q = model(torch.from_numpy(rng.uniform(low, high, (3, len(low))))).coordinates.numpy()
    scales = rng.uniform(0.8, 1.2, (len(model.body_names), 3))
    return q, scales, rng.normal(0.0, 0.01, (len(model.marker_names), 3))


@pytest.mark.parametrize("file", MODELS)
def test_matches_forward_kinematics_and_its_differences(file: str, test_data: Path) -> None:
    model = OsimModel.from_file(test_data / "models" / file)
    rng = np.random.default_rng(1)
    q, scales, offsets = random_state(model, rng)
    markers = np.arange(len(model.marker_names))
    free = np.flatnonzero(~model.tree.locked & ~model.tree.dependent)
    lin = linearise(model.tree, q, scales, offsets, markers, free)

    def points(q: np.ndarray, scales: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        out = model(torch.from_numpy(q), scales=torch.from_numpy(scales), marker_offsets=torch.from_numpy(offsets))
        return out.markers.numpy()

    np.testing.assert_allclose(lin.markers, points(q, scales, offsets), atol=1e-12)
    h = 1e-6
    for column in rng.choice(len(free), min(6, len(free)), replace=False):
        step = np.zeros_like(q)
        step[:, free[column]] = h
        numeric = (points(q + step, scales, offsets) - points(q - step, scales, offsets)) / (2 * h)
        np.testing.assert_allclose(lin.by_coordinate[..., column], numeric, atol=1e-8)
    for column in rng.choice(scales.size, 8, replace=False):
        step = np.zeros(scales.size)
        step[column] = h
        change = step.reshape(scales.shape)
        numeric = (points(q, scales + change, offsets) - points(q, scales - change, offsets)) / (2 * h)
        np.testing.assert_allclose(lin.by_scale[..., column], numeric, atol=1e-8)
    axis = np.zeros((len(markers), 3))
    axis[:, 1] = h
    numeric = (points(q, scales, offsets + axis) - points(q, scales, offsets - axis)) / (2 * h)
    np.testing.assert_allclose(lin.rotations[..., 1], numeric, atol=1e-8)
