"""Normal equations of fitting a person against derivatives of forward kinematics."""

from pathlib import Path

import numpy as np
import pytest
import torch

from biopose_sim.ik.fit_kernel import normal_equations
from biopose_sim.ik.fit_tables import FitLayout
from biopose_sim.ik.groups import make_groups
from biopose_sim.kinematics.model import OsimModel

MODELS = ["Rajagopal2016.osim", "d3ke_full_body_wo_hands.osim", "leg6dof9musc.osim", "arm26.osim"]
PULL = 1e-3  # [m^2 / rad^2]


@pytest.mark.parametrize("file", MODELS)
def test_equal_those_of_dense_derivatives(file: str, test_data: Path) -> None:
    model = OsimModel.from_file(test_data / "models" / file)
    rng = np.random.default_rng(1)
    low, high = np.clip(model.tree.ranges, -1.0, 1.0).T
    q = model(torch.from_numpy(rng.uniform(low, high, (2, len(low))))).coordinates.numpy()
    groups = make_groups(model.body_names)
    sizes = rng.uniform(-0.2, 0.2, 3 * len(groups.names))
    markers = rng.choice(len(model.marker_names), min(20, len(model.marker_names)), replace=False)
    offsets = rng.normal(0.0, 0.01, (len(markers), 3))
    weights = rng.uniform(0.5, 2.0, (2, len(markers))) * (rng.random((2, len(markers))) < 0.8)
    targets = rng.normal(0.0, 0.02, (2, len(markers), 3))
    layout = FitLayout(model.tree, markers, np.flatnonzero(~model.tree.dependent & ~model.tree.locked), groups.group)
    # Coordinates that move no marker have no place in the normal equations.
    seen = sorted(set(layout.tables.columns.tolist()))
    free = layout.free[seen]
    layout = FitLayout(model.tree, markers, free, groups.group)

    def points(x: torch.Tensor, size: torch.Tensor, offset: torch.Tensor, f: int) -> torch.Tensor:
        full = torch.from_numpy(q[f]).index_copy(0, torch.from_numpy(free), x)
        scales = torch.exp(size.reshape(-1, 3))[torch.from_numpy(groups.group)]
        everywhere = torch.zeros(len(model.marker_names), 3, dtype=torch.float64)
        everywhere = everywhere.index_copy(0, torch.from_numpy(markers), offset.reshape(-1, 3))
        return model(full, scales=scales, marker_offsets=everywhere).markers[torch.from_numpy(markers)]

    n_size, n = len(sizes), len(sizes) + offsets.size
    held = np.zeros((2, len(free)), dtype=bool)
    held[1, 0] = True
    gradient, hessian = np.zeros(n), np.zeros((n, n))
    for f in range(2):
        at = [torch.from_numpy(v) for v in (q[f, free], sizes, offsets.ravel())]
        jacobians = torch.autograd.functional.jacobian(lambda x, s, o, f=f: points(x, s, o, f), tuple(at))
        by_pose, by_size, by_offset = (j.numpy().reshape(offsets.size, -1) for j in jacobians)
        by_pose = by_pose * ~held[f]
        w = np.repeat(weights[f], 3)
        residual = (points(*at, f).numpy() - targets[f]).ravel()
        other = np.hstack([by_size, by_offset])
        inner = by_pose.T @ (w[:, None] * by_pose) + PULL * weights[f].sum() * np.eye(len(free))
        inner += np.eye(len(free)) * (1e-9 * inner.diagonal().max() + 1e-12)
        cross = by_pose.T @ (w[:, None] * other)
        away = np.linalg.solve(inner, np.hstack([cross, (by_pose.T @ (w * residual))[:, None]]))
        gradient += other.T @ (w * residual) - cross.T @ away[:, -1]
        hessian += other.T @ (w[:, None] * other) - cross.T @ away[:, :-1]

    values, slopes = layout.motion(q)
    half = np.empty((2, len(free), n + 1), dtype=np.float32)
    found, lower, mixed = np.zeros(n), np.zeros((n_size, n_size)), np.zeros((n_size, offsets.size))
    normal_equations(
        layout.tables, values, slopes, groups.scales(sizes), offsets, targets, weights, held, PULL, 0, 2,
        half, found, lower, mixed,
    )  # fmt: skip
    rows = half.reshape(-1, n + 1).astype(np.float64)
    removed = rows.T @ rows
    matrix = np.zeros((n, n))
    matrix[:n_size, :n_size] = lower + np.tril(lower, -1).T
    matrix[:n_size, n_size:] = mixed
    matrix[n_size:, :n_size] = mixed.T
    matrix[range(n_size, n), range(n_size, n)] = np.repeat(weights.sum(axis=0), 3)
    scale = np.abs(hessian).max()
    np.testing.assert_allclose(matrix - removed[:-1, :-1], hessian, atol=2e-6 * scale)
    np.testing.assert_allclose(found - removed[:-1, -1], gradient, atol=2e-6 * np.abs(gradient).max())
