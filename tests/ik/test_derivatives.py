"""The compiled cost, gradient and Newton matrix against torch's automatic derivatives; sparse Cholesky."""

import numpy as np
import pytest
import torch
from ik_cases import MODELS, load_model, random_poses, trial_of
from numba import njit

from biopose_sim.ik import cholesky, kernel
from biopose_sim.ik.kernel import GAUSS_NEWTON, NEWTON, workspace
from biopose_sim.ik.newton import step_space
from biopose_sim.ik.solver import problem_of
from biopose_sim.ik.types import CoordinateTarget, IKConfig


# The package's kernels are called by compiled code only, without the wrappers that Python needs.
@njit
def cost_of(p, q, target, weights, goal, goal_weight, w):
    return kernel.cost_of(p, q, target, weights, goal, goal_weight, w)


@njit
def derive(p, q, target, weights, goal, goal_weight, curved, w):
    kernel.derive(p, q, target, weights, goal, goal_weight, curved, w)


@njit
def factor(p, matrix, active, damping, lower, front):
    return cholesky.factor(p, matrix, active, damping, lower, front)


@njit
def solve_factored(p, lower, front, right):
    cholesky.solve_factored(p, lower, front, right)


@njit
def inverse_diagonal(p, matrix, damping, lower, front):
    return cholesky.inverse_diagonal(p, matrix, damping, lower, front)


def _problem(model):
    free = ~(model.tree.locked | model.tree.dependent)
    targets = {n: CoordinateTarget(0.1, 1e-3) for n, f in zip(model.coordinate_names, free) if f}
    return problem_of(
        model, trial_of(model, random_poses(model, 1, seed=1), noise=0.02), IKConfig(coordinate_targets=targets)
    )


def _torch_cost(problem, x):
    rows = torch.as_tensor(problem.reduced.free)
    q = torch.as_tensor(problem.reduced.held).clone().index_copy(0, rows, x)
    markers = problem.model(q).markers[torch.as_tensor(problem.reduced.markers)]
    weights = torch.as_tensor(problem.weights)
    off = x - torch.as_tensor(problem.goals[0])
    goal = torch.as_tensor(problem.goal_weight * problem.weights.sum()) * off**2
    return 0.5 * (weights[:, None] * (markers - torch.as_tensor(problem.targets[0])) ** 2).sum() + 0.5 * goal.sum()


def _check(model):
    problem = _problem(model)
    program = problem.reduced.program
    rng = np.random.default_rng(0)
    x = random_poses(model, 1, seed=2)[0][problem.reduced.free] + rng.normal(0.0, 0.05, program.n_free)
    tensor = torch.tensor(x, requires_grad=True)
    cost = _torch_cost(problem, tensor)
    (gradient,) = torch.autograd.grad(cost, tensor)
    hessian = torch.autograd.functional.hessian(lambda v: _torch_cost(problem, v), tensor.detach()).numpy()
    w = workspace(program)
    frame = (problem.targets[0], problem.weights, problem.goals[0], problem.goal_weight * problem.weights.sum())
    assert cost_of(program, x, *frame, w) == pytest.approx(cost.item(), rel=1e-12)
    derive(program, x, *frame, NEWTON, w)
    upper = np.triu(w.matrix)
    np.testing.assert_allclose(w.gradient, gradient.numpy(), atol=1e-12 * np.abs(gradient.numpy()).max() + 1e-13)
    np.testing.assert_allclose(upper, np.triu(hessian), atol=1e-12 * np.abs(hessian).max())


@pytest.mark.parametrize("name", MODELS)
def test_gradient_and_newton_matrix(test_data, name):
    _check(load_model(test_data, name))


@pytest.mark.parametrize("name", ["Rajagopal2016", "d3ke_full_body_wo_hands"])
def test_newton_matrix_of_a_scaled_model(test_data, name):
    model = load_model(test_data, name)
    scales = np.random.default_rng(3).uniform(0.8, 1.25, (len(model.body_names), 3))
    _check(model.scale(scales))


@pytest.mark.parametrize("name", MODELS)
def test_sparse_cholesky_equals_dense(test_data, name):
    problem = _problem(load_model(test_data, name))
    program = problem.reduced.program
    n, w = program.n_free, workspace(program)
    x = problem.start
    frame = (problem.targets[0], problem.weights, problem.goals[0], problem.goal_weight)
    cost_of(program, x, *frame, w)
    derive(program, x, *frame, GAUSS_NEWTON, w)
    full = np.triu(w.matrix) + np.triu(w.matrix, 1).T
    damping = 1e-4 * np.diag(full) + 1e-6
    rng = np.random.default_rng(0)
    active = rng.random(n) < 0.8
    scratch = step_space(program)
    factors = scratch.lower, scratch.front
    assert factor(program, w.matrix, active, damping, *factors)
    right = np.where(active, rng.normal(size=n), 0.0)
    solution = right.copy()
    solve_factored(program, *factors, solution)
    dense = np.where(active[:, None] & active, full + np.diag(damping), np.eye(n))
    np.testing.assert_allclose(solution, np.linalg.solve(dense, right), rtol=1e-6, atol=1e-9 * np.abs(solution).max())
    expected = np.diag(np.linalg.inv(full + np.diag(damping)))
    np.testing.assert_allclose(inverse_diagonal(program, w.matrix, damping, *factors), expected, rtol=1e-6)


def test_cholesky_refuses_an_indefinite_matrix(test_data):
    problem = _problem(load_model(test_data, "arm26"))
    program = problem.reduced.program
    scratch = step_space(program)
    matrix, everything, nothing = np.array([[1.0, 2.0], [0.0, 1.0]]), np.ones(2, dtype=bool), np.zeros(2)
    assert not factor(program, matrix, everything, nothing, scratch.lower, scratch.front)
    assert np.isinf(inverse_diagonal(program, matrix, nothing, scratch.lower, scratch.front)).all()
