"""The batched torch engine finds what the compiled one finds."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from ik_cases import load_model, random_poses, smooth_motion, trial_of

from biopose_sim.ik.solver import problem_of, solve_ik
from biopose_sim.ik.terms import goal_term, marker_cost, marker_term
from biopose_sim.ik.types import CoordinateTarget, IKConfig


@pytest.mark.parametrize("name", ["Rajagopal2016", "FullBodyModel_Hamner2010_v2_0", "biopose_fullbody", "leg6dof9musc"])
def test_same_solutions(test_data, name):
    model = load_model(test_data, name)
    trial = trial_of(model, smooth_motion(model, 150, seed=3), noise=0.004)
    markers = trial.markers.copy()
    markers[np.random.default_rng(1).random(markers.shape[:2]) < 0.03] = np.nan
    trial = replace(trial, markers=markers)
    kernel = solve_ik(model, trial)
    batched = solve_ik(model, trial, IKConfig(engine="torch"))
    assert batched.converged.all()
    sure = kernel.determined
    assert np.abs(kernel.coordinates - batched.coordinates)[:, sure].max() < 1e-6
    assert np.abs(kernel.weighted_marker_rmse - batched.weighted_marker_rmse).max() < 1e-9


def test_targets_and_bounds(test_data):
    model = load_model(test_data, "Rajagopal2016")
    q = smooth_motion(model, 40)
    q[:, model.coordinate_names.index("knee_angle_r")] = (
        model.tree.ranges[model.coordinate_names.index("knee_angle_r"), 1] + 0.1
    )
    trial = trial_of(model, q, noise=0.003)
    wanted = {"hip_flexion_l": CoordinateTarget(np.linspace(0.0, 0.3, 40), 0.01)}
    kernel = solve_ik(model, trial, IKConfig(coordinate_targets=wanted))
    batched = solve_ik(model, trial, IKConfig(coordinate_targets=wanted, engine="torch"))
    assert np.abs(kernel.coordinates - batched.coordinates)[:, kernel.determined].max() < 1e-6


def test_terms_against_autograd(test_data):
    model = load_model(test_data, "biopose_fullbody")
    problem = problem_of(model, trial_of(model, random_poses(model, 4), noise=0.02))
    q = torch.as_tensor(random_poses(model, 4, seed=8)).requires_grad_()
    rows, columns = torch.as_tensor(problem.reduced.markers), torch.as_tensor(problem.reduced.free)
    targets, weights = torch.as_tensor(problem.targets), torch.rand(problem.targets.shape[:2], dtype=torch.float64)
    cost = marker_cost(model, q, rows, targets, weights)
    (gradient,) = torch.autograd.grad(cost.sum(), q)
    term = marker_term(model, q.detach(), rows, columns, targets, weights)
    torch.testing.assert_close(term.cost, cost.detach())
    torch.testing.assert_close(term.gradient, gradient.index_select(1, columns))
    x = torch.rand(4, 3, dtype=torch.float64)
    both = goal_term(x, torch.zeros_like(x), torch.ones_like(x)) + goal_term(x, x, torch.ones_like(x))
    torch.testing.assert_close(both.gradient, x)
