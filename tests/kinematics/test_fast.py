"""The compiled kernels against plain torch: every model, every kind of input, every gradient."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import osim_text
import pytest
import synthetic_models as synthetic
import torch
from opensim_reference import random_coordinates
from torch import Tensor

from biopose_sim.errors import InputError
from biopose_sim.kinematics import fast, fast_threads
from biopose_sim.kinematics.model import OsimModel

REAL = (
    *("DynamicJumperModel", "FullBodyModel_Hamner2010_v2_0", "LaiUhlrich2022", "Model_Pose2Sim_simple"),
    *("Rajagopal2016", "RajagopalLaiUhlrich2023", "SoccerKickingModel", "Tug_of_War", "WalkerModel", "arm26"),
    *("bouncing_block", "d3ke_full_body", "d3ke_full_body_wo_hands", "double_pendulum", "gait10dof18musc"),
    *("gait2354_simbody", "gait2392_thelen2003muscle", "leg6dof9musc", "wrist"),
)
SOME = ("DynamicJumperModel", "Rajagopal2016", "arm26", "d3ke_full_body_wo_hands", "WalkerModel", "wrist")
SYNTHETIC = {
    **{f"joint_{name}": text for name, text in synthetic.JOINT_MODELS.items()},
    **{f"backwards_{name}": text for name, text in synthetic.BACKWARDS_MODELS.items()},
    **{f"function_{name}": text for name, text in synthetic.FUNCTION_MODELS.items()},
    **{f"other_{name}": text for name, text in synthetic.OTHER_MODELS.items()},
    "other_coupled_translation": synthetic.TRANSLATION_COUPLER,
}
PARTS: tuple[fast.What, ...] = ("transforms", "markers", "joint_centers")
FRAMES = 70  # one whole block of lanes and a part of one
Load = Callable[[str], OsimModel]
Inputs = list[Tensor | None]


@pytest.fixture(scope="module")
def load(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Load:
    folder = tmp_path_factory.mktemp("models")

    @cache
    def loaded(name: str) -> OsimModel:
        if name in SYNTHETIC:
            return OsimModel.from_file(osim_text.write(folder, SYNTHETIC[name], f"{name}.osim"))
        data: Path = request.getfixturevalue("test_data")
        return OsimModel.from_file(data / "models" / f"{name}.osim")

    return loaded


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Small batches; torch's threads wait for each other many times as long as they work on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make_inputs(model: OsimModel, varies: str, dtype: torch.dtype, count: int = FRAMES) -> Inputs:
    """Coordinates, scales and offsets: ``varies`` "nothing" (neither given), "subject" or "frame"."""
    rng = np.random.default_rng(3)
    lead = (count,) if varies == "frame" else ()
    arrays = [random_coordinates(model, rng, count, widen=0.2)]
    if varies != "nothing":
        arrays.append(rng.uniform(0.8, 1.25, (*lead, len(model.body_names), 3)))
        arrays.append(rng.normal(0.0, 0.02, (*lead, len(model.marker_names), 3)))
    tensors: Inputs = [torch.from_numpy(a).to(dtype).requires_grad_() for a in arrays]
    return [*tensors, None, None][:3]


def compute(model: OsimModel, mode: fast.Mode, part: str, inputs: Inputs) -> Tensor:
    q, scales, offsets = inputs
    assert q is not None
    model.fast = mode
    result: Tensor = getattr(model(q, scales, offsets), part)
    return result


def gradients(value: Tensor, inputs: Inputs, create_graph: bool = False) -> list[Tensor]:
    """Gradients of a randomly weighted sum; zeros where there is none."""
    generator = torch.Generator().manual_seed(5)
    weights = torch.randn(value.shape, generator=generator, dtype=torch.float64).to(value.dtype)
    given = [t for t in inputs if t is not None]
    if not value.requires_grad:
        return [torch.zeros_like(t) for t in given]
    found = torch.autograd.grad((value * weights).sum(), given, allow_unused=True, create_graph=create_graph)
    return [torch.zeros_like(t) if g is None else g for g, t in zip(found, given)]


def distance(found: Tensor, expected: Tensor) -> float:
    """Greatest difference, relative to the greatest entry if that is above one."""
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    if not found.numel():
        return 0.0
    difference = (found - expected).detach().abs().max()
    return float(difference / expected.detach().abs().max().clamp(min=1.0))


def assert_equal(model: OsimModel, inputs: Inputs, tolerance: float, gradient_tolerance: float) -> None:
    for part in PARTS:
        expected, found = (compute(model, mode, part, inputs) for mode in ("never", "always"))
        assert distance(found, expected) < tolerance, part
        for g, e in zip(gradients(found, inputs), gradients(expected, inputs)):
            assert distance(g, e) < gradient_tolerance, part


CASES = [
    *((name, "frame") for name in (*REAL, *SYNTHETIC)),
    *((name, "nothing") for name in (*SYNTHETIC, *SOME)),
    *((name, "subject") for name in SOME),
]


@pytest.mark.parametrize(("name", "varies"), CASES)
def test_equals_torch_in_float64(load: Load, name: str, varies: str) -> None:
    model = load(name)
    assert_equal(model, make_inputs(model, varies, torch.float64), 1e-12, 1e-10)


@pytest.mark.parametrize("name", SOME)
def test_equals_torch_in_float32(load: Load, name: str) -> None:
    model = load(name)
    assert_equal(model, make_inputs(model, "subject", torch.float32), 3e-6, 2e-5)


@pytest.mark.parametrize("varies", ["subject", "frame"])
@pytest.mark.parametrize("name", ["arm26", "Rajagopal2016", "LaiUhlrich2022"])
def test_gradcheck(load: Load, name: str, varies: str) -> None:
    model = load(name)
    inputs = make_inputs(model, varies, torch.float64, count=3)
    for part in ("transforms", "markers"):
        given = [t for t in inputs[: 3 if part == "markers" else 2] if t is not None and t.numel()]
        check = lambda *x, part=part: compute(model, "always", part, [*x, None][:3])  # noqa: E731
        assert torch.autograd.gradcheck(check, given, fast_mode=True)


def test_second_derivatives(load: Load) -> None:
    model = load("gait2354_simbody")
    inputs = make_inputs(model, "subject", torch.float64, count=4)
    for part in ("transforms", "markers"):
        found, expected = (
            gradients(gradients(compute(model, mode, part, inputs), inputs, True)[0], inputs)
            for mode in ("always", "never")
        )
        for f, e in zip(found, expected):
            assert distance(f, e) < 1e-10


@pytest.mark.parametrize("threads", [1, 2])
def test_many_chunks(load: Load, threads: int) -> None:
    model = load("arm26")
    torch.set_num_threads(threads)
    for varies in ("subject", "frame"):
        assert_equal(model, make_inputs(model, varies, torch.float64, 2 * fast_threads.CHUNK + 131), 1e-12, 1e-10)


@pytest.mark.parametrize("batch", [(), (1,), (2, 3), (256,), (2, 0)])
def test_batch_shapes(load: Load, batch: tuple[int, ...]) -> None:
    model = load("arm26")
    n = int(np.prod(batch))
    q, scales, offsets = (t.detach() for t in make_inputs(model, "frame", torch.float64, max(n, 1)) if t is not None)
    inputs: Inputs = [t[:n].view(*batch, *t.shape[1:]) for t in (q, scales, offsets)]
    for part in PARTS:
        expected, found = (compute(model, mode, part, inputs) for mode in ("never", "always"))
        assert distance(found, expected) < 1e-12


def test_layouts_of_memory(load: Load) -> None:
    """Strided, offset and expanded inputs and gradients."""
    model = load("gait2354_simbody")
    n_q, n_bodies = len(model.coordinate_names), len(model.body_names)
    base = torch.randn(2 * n_q + 3, FRAMES, dtype=torch.float64) * 0.3
    q = base[3::2].T.requires_grad_()
    scales = torch.rand(n_bodies, 1, dtype=torch.float64).add(0.5).expand(FRAMES, n_bodies, 3).requires_grad_()
    for part in PARTS:
        results = []
        for mode in ("never", "always"):
            value = compute(model, mode, part, [q, scales, None])  # type: ignore[arg-type]
            seeds = (torch.ones(1, dtype=value.dtype).expand(value.shape), torch.randn_like(value.contiguous()))
            seeds = (seeds[0], seeds[1] if not results else results[0][2])
            found = [torch.autograd.grad(value, (q, scales), s, retain_graph=True) for s in seeds]
            results.append((value, found, seeds[1]))
        assert distance(results[1][0], results[0][0]) < 1e-12
        for g, e in zip(results[1][1], results[0][1]):
            assert max(distance(a, b) for a, b in zip(g, e)) < 1e-10


def test_large_angles_and_nan(load: Load) -> None:
    model = load("arm26")
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 2e-5)):
        angles = torch.linspace(-3000.0, 3000.0, 999, dtype=dtype)
        q = angles[:, None].expand(-1, len(model.coordinate_names))
        expected, found = (compute(model, mode, "transforms", [q, None, None]) for mode in ("never", "always"))
        assert distance(found, expected) < tolerance
    for bad in (float("nan"), float("inf")):
        q = torch.zeros(70, len(model.coordinate_names))
        q[5] = bad
        bodies = compute(model, "always", "transforms", [q, None, None])[:, -1, :3]
        assert bodies[5].isnan().any()
        assert bodies[torch.arange(70) != 5].isfinite().all()


def test_modes(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    model = OsimModel(load("arm26").tree)
    assert model.fast == "auto"
    q = torch.zeros(fast.MIN_FRAMES, len(model.coordinate_names))
    assert fast.is_fast("auto", len(q), q)
    assert not fast.is_fast("auto", len(q) - 1, q[1:])
    assert fast.is_fast("always", 1, q[:1])
    assert not fast.is_fast("never", len(q), q)
    assert not fast.is_fast("always", len(q), q.half())
    assert not fast.is_fast("always", len(q), q.to("meta"))
    monkeypatch.setenv(fast.ENVIRONMENT, "never")
    assert OsimModel(model.tree).fast == "never"
    assert OsimModel(model.tree, fast="always").scale(np.ones((len(model.body_names), 3))).fast == "always"
    monkeypatch.setenv(fast.ENVIRONMENT, "sometimes")
    with pytest.raises(InputError, match="use auto, never or always"):
        OsimModel(model.tree)
    with pytest.raises(InputError, match="use auto, never or always"):
        model.fast = "yes"  # type: ignore[assignment]


def test_without_compiler(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    model = load("arm26")
    q = torch.zeros(fast.MIN_FRAMES, len(model.coordinate_names))
    assert not fast.is_fast("auto", len(q), q)


def test_function_transforms_use_torch(load: Load) -> None:
    model = load("arm26")
    q = 0.2 * torch.ones(2, len(model.coordinate_names), dtype=torch.float64)

    def markers(x: Tensor) -> Tensor:
        return compute(model, "always", "markers", [x, None, None])

    expected = torch.autograd.functional.jacobian(markers, q)
    assert distance(torch.func.jacrev(markers)(q), expected) < 1e-12
    assert distance(torch.func.jacfwd(markers)(q), expected) < 1e-12
    assert distance(torch.func.vmap(markers)(q), markers(q)) < 1e-12
