"""OsimModel: batches, precision, scaling and errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import osim_text
import pytest
import synthetic_models as synthetic
import torch
from opensim_reference import random_coordinates

from biopose_sim.errors import InputError
from biopose_sim.kinematics.jacobian import marker_jacobian
from biopose_sim.kinematics.model import OsimModel

Make = Callable[[str], OsimModel]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def made(text: str) -> OsimModel:
        return OsimModel.from_file(osim_text.write(tmp_path, text))

    return made


@pytest.fixture
def model(make: Make) -> OsimModel:
    return make(synthetic.OTHER_MODELS["couplers"])


def inputs(model: OsimModel, *batch: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    q = random_coordinates(model, rng, int(np.prod(batch)))
    scales = rng.uniform(0.8, 1.25, (*batch, len(model.body_names), 3))
    offsets = rng.normal(0, 0.01, (*batch, len(model.marker_names), 3))
    return torch.from_numpy(q).view(*batch, q.shape[-1]), torch.from_numpy(scales), torch.from_numpy(offsets)


@pytest.mark.parametrize("batch", [(), (1,), (5,), (2, 3), (2, 1, 3), (0,), (2, 0)], ids=str)
@pytest.mark.parametrize("kind", ["frames", "couplers", "locked", "disordered"])
def test_batches(make: Make, kind: str, batch: tuple[int, ...]) -> None:
    model = make(synthetic.OTHER_MODELS[kind])
    q, scales, offsets = inputs(model, *batch)
    out = model(q, scales=scales, marker_offsets=offsets)
    assert out.transforms.shape == (*batch, len(model.body_names), 4, 4)
    assert out.markers.shape == (*batch, len(model.marker_names), 3)
    assert out.joint_centers.shape == (*batch, len(model.joint_names), 3)
    assert out.coordinates.shape == q.shape
    markers, jacobian = marker_jacobian(model, q, scales, offsets)
    assert jacobian.shape == (*batch, len(model.marker_names), 3, q.shape[-1])
    for index in np.ndindex(*batch):
        single = model(q[index], scales=scales[index], marker_offsets=offsets[index])
        torch.testing.assert_close(single.transforms, out.transforms[index], rtol=0, atol=1e-14)
        torch.testing.assert_close(single.markers, markers[index], rtol=0, atol=1e-14)
        _, own = marker_jacobian(model, q[index], scales[index], offsets[index])
        torch.testing.assert_close(own, jacobian[index], rtol=0, atol=1e-14)


def test_one_set_of_scales_for_all_frames(model: OsimModel) -> None:
    q, scales, offsets = inputs(model, 4)
    out = model(q, scales=scales[0], marker_offsets=offsets[0])
    every = model(q, scales=scales[:1].expand(4, -1, -1), marker_offsets=offsets[:1].expand(4, -1, -1))
    torch.testing.assert_close(out.markers, every.markers, rtol=0, atol=1e-14)
    rows = model(q.view(2, 2, -1), scales=scales[:2, None], marker_offsets=offsets[:2])
    torch.testing.assert_close(rows.markers[1, 0], model(q[2], scales[1], offsets[0]).markers, rtol=0, atol=1e-14)


@pytest.mark.parametrize("kind", [*synthetic.JOINT_MODELS, *synthetic.OTHER_MODELS])
def test_scaled_model_equals_scales_as_input(make: Make, kind: str) -> None:
    model = make({**synthetic.JOINT_MODELS, **synthetic.OTHER_MODELS}[kind])
    q, scales, offsets = inputs(model, 5)
    direct = model(q, scales=scales[0], marker_offsets=offsets[0])
    scaled = model.scale(scales[0], offsets[0])(q)
    torch.testing.assert_close(scaled.transforms, direct.transforms, rtol=0, atol=1e-14)
    torch.testing.assert_close(scaled.markers, direct.markers, rtol=0, atol=1e-14)
    torch.testing.assert_close(scaled.joint_centers, direct.joint_centers, rtol=0, atol=1e-14)
    if kind == "CustomJoint":
        return  # OpenSim: along a slanted axis two scalings in turn are not their product
    twice = model.scale(scales[0]).scale(scales[1])(q)
    torch.testing.assert_close(twice.markers, model(q, scales=scales[0] * scales[1]).markers, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", ["Rajagopal2016", "d3ke_full_body_wo_hands"])
def test_single_precision(test_data: Path, name: str) -> None:
    model = OsimModel.from_file(test_data / "models" / f"{name}.osim")
    q, scales, offsets = inputs(model, 50)
    exact = model(q, scales=scales, marker_offsets=offsets)
    single = model(q.float(), scales=scales.float(), marker_offsets=offsets.float())
    assert single.transforms.dtype == single.markers.dtype == torch.float32
    assert float((single.transforms - exact.transforms).abs().max()) < 2e-5
    assert float((single.markers - exact.markers).abs().max()) < 2e-5
    _, jacobian = marker_jacobian(model, q.float(), scales.float(), offsets.float())
    _, expected = marker_jacobian(model, q, scales, offsets)
    assert float((jacobian - expected).abs().max()) < 1e-4


def test_locked_and_dependent_are_not_read(make: Make) -> None:
    model = make(synthetic.OTHER_MODELS["locked"])
    q = torch.full((3,), 9.0, dtype=torch.float64)
    found = model(q).coordinates
    names = model.coordinate_names
    assert float(found[names.index("u1")]) == 0.4
    assert float(found[names.index("base_q")]) == pytest.approx(0.5 * 0.4 + 0.1, abs=1e-15)
    assert float(found[names.index("u2")]) == 9.0


def test_welds_only(make: Make) -> None:
    model = make(osim_text.document([osim_text.joint("WeldJoint", "w", "/ground", synthetic.A)], ["a"]))
    q = torch.zeros(4, 0, dtype=torch.float64)
    assert model(q).transforms.shape == (4, 1, 4, 4)
    _, jacobian = marker_jacobian(model, q)
    assert jacobian.shape == (4, 1, 3, 0)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"q": torch.zeros(4)}, r"q has shape \(4,\); its last dimensions must be \(5,\)"),
        ({"scales": torch.ones(2, 3)}, r"scales has shape \(2, 3\); its last dimensions must be \(4, 3\)"),
        ({"marker_offsets": torch.ones(3)}, r"marker_offsets has shape \(3,\); its last dimensions"),
    ],
)
def test_wrong_shapes(model: OsimModel, arguments: dict[str, torch.Tensor], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        model(**{"q": torch.zeros(5), **arguments})


def test_scale_factors_must_be_positive(model: OsimModel) -> None:
    with pytest.raises(InputError, match="scale factors must be positive numbers"):
        model.scale(np.zeros((4, 3)))
