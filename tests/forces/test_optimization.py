"""The solver of all frames at once, against known answers and a solver of one problem."""

from __future__ import annotations

import numpy as np
import pytest

from biopose_sim.forces.optimization import least_effort


def problems(seed, frames=6, equations=5, n=12):
    rng = np.random.default_rng(seed)
    matrix = np.concatenate(
        [100.0 * rng.normal(size=(frames, equations, n)), np.tile(np.eye(equations), (frames, 1, 1))], 2
    )
    least = np.r_[np.full(n, 0.01), np.full(equations, -np.inf)]
    most = np.r_[np.ones(n), np.full(equations, np.inf)]
    return matrix, 60.0 * rng.normal(size=(frames, equations)), least, most


@pytest.mark.parametrize("exponent", [2.0, 3.0])
def test_it_is_the_optimum(exponent):
    """Slopes balance: those of the cost are a combination of the equations' rows wherever no bound holds."""
    from scipy.optimize import minimize

    matrix, demand, least, most = problems(0)
    solution = least_effort(matrix, demand, least, most, exponent)
    assert solution.solved.all()
    assert np.abs(solution.unmet).max() < 1e-6
    assert (solution.values >= least - 1e-9).all()
    assert (solution.values <= most + 1e-9).all()
    for a, b, x in zip(matrix[:2], demand[:2], solution.values[:2]):
        other = minimize(
            lambda y: np.sum(np.abs(y) ** exponent),
            np.clip(x + 0.01, least, most),
            jac=lambda y: exponent * np.sign(y) * np.abs(y) ** (exponent - 1.0),
            bounds=list(zip(least, most)),
            constraints={"type": "eq", "fun": lambda y, a=a, b=b: (a @ y - b) / 100.0, "jac": lambda y, a=a: a / 100.0},
            method="SLSQP",
            options={"ftol": 1e-14, "maxiter": 500},
        )
        assert np.sum(np.abs(x) ** exponent) <= other.fun * (1.0 + 1e-6)


def test_what_cannot_be_met_is_not_called_solved():
    matrix, demand, least, most = problems(1)
    weak = matrix[:, :, :12]
    demand[2] = 1e5
    solution = least_effort(weak, demand, least[:12], most[:12])
    assert not solution.solved[2]
    assert np.isfinite(solution.values).all()


def test_reserves_carry_what_muscles_cannot():
    matrix, demand, least, most = problems(2)
    demand[0] = 1e4
    solution = least_effort(matrix, demand, least, most)
    assert solution.solved.all()
    assert np.abs(solution.values[0, 12:]).max() > 1.0
