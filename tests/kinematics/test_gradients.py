"""Gradients of forward kinematics and the analytic Jacobian against central finite differences."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import osim_text
import pytest
import synthetic_models as synthetic
import torch
from opensim_reference import random_coordinates
from torch import Tensor

from biopose_sim.kinematics.jacobian import coordinate_jacobian, marker_jacobian
from biopose_sim.kinematics.model import OsimModel

TOLERANCE = 1e-6
MODELS = {
    **{f"joint_{name}": text for name, text in synthetic.JOINT_MODELS.items()},
    **{f"backwards_{name}": text for name, text in synthetic.BACKWARDS_MODELS.items()},
    **{f"function_{name}": text for name, text in synthetic.FUNCTION_MODELS.items()},
    **{f"other_{name}": text for name, text in synthetic.OTHER_MODELS.items()},
    "other_coupled_translation": synthetic.TRANSLATION_COUPLER,
}


@pytest.fixture(scope="session")
def load(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], OsimModel]:
    folder = tmp_path_factory.mktemp("models")

    @cache
    def loaded(name: str) -> OsimModel:
        return OsimModel.from_file(osim_text.write(folder, MODELS[name], f"{name}.osim"))

    return loaded


def point_inputs(model: OsimModel, seed: int, count: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    """Random coordinates (count, n_q), scales and offsets per frame."""
    rng = np.random.default_rng(seed)
    q = random_coordinates(model, rng, count, widen=0.2)
    scales = rng.uniform(0.8, 1.25, (count, len(model.body_names), 3))
    offsets = rng.normal(0.0, 0.02, (count, len(model.marker_names), 3))
    return torch.from_numpy(q), torch.from_numpy(scales), torch.from_numpy(offsets)


def positions(model: OsimModel, q: Tensor, scales: Tensor, offsets: Tensor) -> Tensor:
    out = model(q, scales=scales, marker_offsets=offsets)
    frames = out.transforms[..., :3, :]
    return torch.cat([out.markers, out.joint_centers, frames[..., 3], frames[..., 0]], dim=-2)


def central_difference(f: Callable[[Tensor], Tensor], x: Tensor, own: int = 1, step: float = 1e-4) -> Tensor:
    """Derivative of f by the last ``own`` dimensions of x, flattened and last; fourth order in the step."""
    flat = x.flatten(-own)
    moves = step * torch.eye(flat.shape[-1], dtype=x.dtype).view(-1, *[1] * (flat.dim() - 1), flat.shape[-1])

    def moved(factor: float) -> Tensor:
        return f((flat + factor * moves).unflatten(-1, x.shape[-own:]))

    return ((8 * (moved(1) - moved(-1)) - (moved(2) - moved(-2))) / (12 * step)).movedim(0, -1)


def relative(found: Tensor, expected: Tensor) -> float:
    if not found.numel():
        return 0.0
    return float((found - expected).abs().max() / expected.abs().max().clamp(min=1.0))


@pytest.mark.parametrize("name", MODELS)
def test_gradients(load: Callable[[str], OsimModel], name: str) -> None:
    """Gradients of randomly weighted positions by each input."""
    model = load(name)
    inputs = [x.requires_grad_() for x in point_inputs(model, 1)]
    out = positions(model, *inputs)
    weights = torch.from_numpy(np.random.default_rng(0).normal(size=out.shape))
    gradients = torch.autograd.grad((weights * out).sum(), inputs)
    for i, own in enumerate((1, 2, 2)):

        def by_input(x: Tensor, i: int = i) -> Tensor:
            values = [x if k == i else y.expand(len(x), *y.shape) for k, y in enumerate(inputs)]
            with torch.no_grad():
                return positions(model, *values)

        derivative = central_difference(by_input, inputs[i].detach(), own)
        expected = (derivative * weights.unsqueeze(-1)).sum((-3, -2))
        assert relative(gradients[i].flatten(-own), expected) <= TOLERANCE, i


def vector_products(f: Callable[[Tensor], Tensor], q: Tensor, jacobian: Tensor) -> float:
    """Difference between v @ jacobian and autograd's, for random v (batch, rows, 3)."""
    q = q.clone().requires_grad_()
    weights = torch.from_numpy(np.random.default_rng(1).normal(size=jacobian.shape[:-1]))
    (by_autograd,) = torch.autograd.grad((f(q) * weights).sum(), q)
    return relative((jacobian * weights.unsqueeze(-1)).sum((-3, -2)), by_autograd)


@pytest.mark.parametrize("name", MODELS)
def test_marker_jacobian(load: Callable[[str], OsimModel], name: str) -> None:
    model = load(name)
    q, scales, offsets = point_inputs(model, 2)
    markers, jacobian = marker_jacobian(model, q, scales, offsets)
    assert torch.equal(markers, model(q, scales=scales, marker_offsets=offsets).markers)

    def f(x: Tensor) -> Tensor:
        every = (y.expand(*x.shape[:-1], *y.shape[1:]) for y in (scales, offsets))
        return model(x, *every).markers

    assert vector_products(f, q, jacobian) <= 1e-12
    assert relative(jacobian, central_difference(f, q)) <= TOLERANCE


@pytest.mark.parametrize("name", ["other_couplers", "other_coupled_translation", "other_locked", "joint_FreeJoint"])
def test_coordinate_jacobian(load: Callable[[str], OsimModel], name: str) -> None:
    model = load(name)
    q, scales, _ = point_inputs(model, 3)
    by_autograd = torch.autograd.functional.jacobian(lambda x: model(x, scales=scales).coordinates.sum(0), q)
    assert relative(coordinate_jacobian(model, q, scales), by_autograd.movedim(-2, 0)) <= 1e-12


@pytest.mark.parametrize("name", ["Rajagopal2016", "d3ke_full_body_wo_hands", "LaiUhlrich2022", "arm26"])
def test_marker_jacobian_of_real_models(test_data: Path, name: str) -> None:
    model = OsimModel.from_file(test_data / "models" / f"{name}.osim")
    q, scales, offsets = point_inputs(model, 4)
    _, jacobian = marker_jacobian(model, q, scales, offsets)
    assert vector_products(lambda x: model(x, scales, offsets).markers, q, jacobian) <= 1e-12
    assert bool((jacobian[..., model.tree.locked | model.tree.dependent] == 0.0).all())


def test_gradients_of_gradients(load: Callable[[str], OsimModel]) -> None:
    model = load("joint_EllipsoidJoint")
    q, scales, offsets = (x.requires_grad_() for x in point_inputs(model, 5, 1))
    weights = torch.randn(len(model.marker_names), 3, dtype=torch.float64)

    def f(x: Tensor) -> Tensor:
        return (model(x, scales, offsets).markers * weights).sum()

    assert torch.autograd.gradgradcheck(f, (q,), atol=1e-6)
