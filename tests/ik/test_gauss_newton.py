"""Gauss-Newton steps for frames of several persons, against the Jacobian."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from biopose_sim.ik.gauss_newton import GaussNewton
from biopose_sim.kinematics.jacobian import marker_jacobian
from biopose_sim.kinematics.model import OsimModel

MODELS = ["default", "models/d3ke_full_body.osim", "opencap_lab_subject4/Models/unscaled_generic.osim"]
DAMPING, FRAMES, PERSONS = (3e-4, 0.1), 12, 3


def load(name: str, test_data: Path) -> OsimModel:
    if name == "default":
        from ik_pipeline.virtual_fit import virtual_model

        return virtual_model()
    return OsimModel.from_file(test_data / name)


def dense_steps(model, engine, q, scales, offsets, targets, weights, expected, damping):
    """The same by the dense Jacobian."""
    x, jacobian = marker_jacobian(model, q, scales, offsets)
    jacobian = jacobian[..., engine.free]
    start = q[:, engine.free]
    right = torch.einsum("fmij,fm,fmi->fj", jacobian, weights, targets - x) + damping * (expected - start)
    matrix = torch.einsum("fmij,fm,fmik->fjk", jacobian, weights, jacobian)
    low, high = torch.from_numpy(model.tree.ranges[engine.free]).T
    bounded = torch.from_numpy(model.tree.clamped[engine.free])
    held = bounded & (((start <= low) & (right < 0)) | ((start >= high) & (right > 0)))
    free = (~held).double()
    matrix = (matrix + damping * torch.eye(len(engine.free))) * free[:, :, None] * free[:, None]
    steps = torch.linalg.solve(matrix + torch.diag_embed(1.0 - free), right * free)
    inside = torch.maximum(torch.minimum(start + steps, torch.maximum(high, start)), torch.minimum(low, start)) - start
    return torch.where(bounded, inside, steps), int(held.sum())


@pytest.mark.parametrize("name", MODELS)
def test_a_step_is_that_of_the_jacobian(name, test_data):
    model = load(name, test_data)
    engine = GaussNewton(model)
    rng = np.random.default_rng(0)
    low, high = np.clip(model.tree.ranges, -1.0, 1.0).T
    q = torch.from_numpy(rng.uniform(low, high, (FRAMES, len(low))))
    q[0] = torch.from_numpy(high)  # at its bounds
    q = model(q).coordinates
    person = np.repeat(np.arange(PERSONS), FRAMES // PERSONS)
    shape = (PERSONS, len(model.body_names), 3)
    # Single precision on both sides, for the engine takes it.
    scales = np.exp(0.1 * rng.normal(size=shape)).astype(np.float32)
    offsets = rng.normal(0.0, 0.01, (PERSONS, len(model.marker_names), 3)).astype(np.float32)
    targets = model(q + 0.05 * torch.from_numpy(rng.normal(size=q.shape))).markers.numpy().astype(np.float32)
    weights = (rng.random(targets.shape[:2]) > 0.2).astype(np.float32)
    n = len(engine.free)
    expected = q[:, engine.free] + 0.05 * torch.from_numpy(rng.normal(size=(FRAMES, n)))
    damping, most = np.repeat(np.array(DAMPING)[:, None], n, axis=1), np.full(n, np.inf)
    found = engine.steps(q.numpy().copy(), scales, offsets, person, targets, weights, expected.numpy(), damping, most)
    own = [torch.from_numpy(a[person]).double() for a in (scales, offsets)]
    given = torch.from_numpy(targets).double(), torch.from_numpy(weights).double()
    for steps, weight in zip(found.steps, DAMPING):
        dense, n_held = dense_steps(model, engine, q, *own, *given, expected, weight)
        assert n_held > 0
        assert np.abs(steps).max() > 0.1
        np.testing.assert_allclose(steps, dense.numpy(), atol=1e-8)
    poses = model(q, *own)
    turned = poses.transforms[:, model.tree.marker_body, :3, :3]
    apart = torch.einsum("fmji,fmj->fmi", turned, given[0] - poses.markers).numpy()
    seen = weights > 0
    np.testing.assert_allclose(found.apart[seen], apart[seen], atol=1e-6)


def test_steps_end_where_they_are_told():
    model = load("default", Path())
    engine = GaussNewton(model)
    q = model(model.default_coordinates[None]).coordinates.numpy().copy()
    targets = model(torch.from_numpy(q)).markers.numpy().astype(np.float32) + np.float32([0.3, 0.0, 0.0])
    ones = np.ones((1, len(model.body_names), 3), dtype=np.float32)
    n = len(engine.free)
    steps, _ = engine.steps(
        q, ones, np.zeros_like(targets), np.zeros(1, dtype=np.int64), targets,
        np.ones(targets.shape[:2], dtype=np.float32), q[:, engine.free], np.full((1, n), 1e-6), np.full(n, 0.05),
    )  # fmt: skip
    (steps,) = steps
    assert np.abs(steps).max() == pytest.approx(0.05)
    column = list(engine.free).index(model.coordinate_names.index("pelvis_tx"))
    assert steps[0, column] == pytest.approx(0.05)
