"""OpenSim's own tools in worker processes, and our solvers beside them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from biopose_sim.errors import InputError
from biopose_sim.ik.scale_tool import run_scale_setup
from biopose_sim.ik.setup_files import read_ik_setup, read_scale_setup
from biopose_sim.ik.solver import solve_ik
from biopose_sim.ik.types import CoordinateTarget, IKConfig
from biopose_sim.io import Trial
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.osim.markerset import read_marker_set, with_markers
from biopose_sim.osim.process import OpenSimError
from ik_pipeline import opensim_tools
from ik_pipeline.opensim_tools import run_ik_setup, run_opensim_ik, run_opensim_scale

pytest.importorskip("opensim", reason="OpenSim is what is run here")
pytestmark = pytest.mark.filterwarnings("ignore::biopose_sim.io.BioposeWarning")
TIGHT = 1e-9


@pytest.fixture(scope="module")
def gait(test_data: Path) -> Path:
    return test_data / "pipelines" / "Gait10dof18musc"


@pytest.fixture(scope="module")
def model(gait: Path) -> OsimModel:
    return OsimModel.from_file(gait / "OutputReference" / "subject01.osim")


@pytest.fixture(scope="module")
def walk(gait: Path) -> Trial:
    setup = read_ik_setup(gait / "IK" / "walk_Setup_IK.xml")
    return replace(setup, time_range=(1.0, 1.2)).load_trial()


def folder_of(path: Path) -> set[str]:
    return {p.name for p in path.iterdir()}


def test_same_pose_as_ours(gait: Path, model: OsimModel, walk: Trial) -> None:
    config = read_ik_setup(gait / "IK" / "walk_Setup_IK.xml").config(model, walk)
    reference = run_opensim_ik(model, walk, config, accuracy=TIGHT)
    ours = solve_ik(model, walk, config)
    assert reference.seconds > 0.0
    assert reference.result.marker_names == ours.marker_names
    np.testing.assert_allclose(reference.result.coordinates, ours.coordinates, rtol=0, atol=1e-5)
    np.testing.assert_allclose(reference.result.marker_errors, ours.marker_errors, rtol=0, atol=1e-6)


def test_shipped_setup(gait: Path, model: OsimModel) -> None:
    before = folder_of(gait / "IK")
    setup = replace(read_ik_setup(gait / "IK" / "walk_Setup_IK.xml"))
    with pytest.raises(InputError, match=r"<model_file> .*subject01\.osim does not exist"):
        run_ik_setup(setup)
    run = run_ik_setup(setup, model=model)
    assert folder_of(gait / "IK") == before
    assert len(run.result.time) == setup.load_trial().n_frames
    assert run.result.marker_rmse.max() < 0.05


def test_targets_free_and_ranges(model: OsimModel, walk: Trial) -> None:
    locked = [n for n, is_locked in zip(model.coordinate_names, model.tree.locked) if is_locked]
    wanted = np.linspace(-0.2, 0.3, walk.n_frames)
    targets = {
        "lumbar_extension": CoordinateTarget(-0.3, 1e6),
        "hip_flexion_r": CoordinateTarget(wanted, 1e6),
    }
    config = IKConfig(coordinate_targets=targets, free=tuple(locked[:1]), respect_ranges=False)
    result = run_opensim_ik(model, walk, config, accuracy=1e-8).result
    np.testing.assert_allclose(result.coordinate("lumbar_extension"), -0.3, atol=1e-4)
    np.testing.assert_allclose(result.coordinate("hip_flexion_r"), wanted, atol=1e-4)


def test_scaled_in_memory(model: OsimModel, walk: Trial) -> None:
    scaled = model.scale(np.full((len(model.body_names), 3), 1.05))
    config = IKConfig()
    reference = run_opensim_ik(scaled, walk.crop(1.0, 1.05), config, accuracy=TIGHT).result
    ours = solve_ik(scaled, walk.crop(1.0, 1.05), config)
    np.testing.assert_allclose(reference.weighted_marker_rmse, ours.weighted_marker_rmse, atol=1e-6)


@pytest.mark.parametrize(
    ("setup", "model_name"),
    [
        ("Gait2354_Simbody/subject01_Setup_Scale.xml", None),
        ("Gait2392_Simbody/subject01_Setup_Scale.xml", "Gait2392_Simbody/gait2392_thelen2003muscle.osim"),
        ("Hamner/Setup_Scale.xml", "Hamner/FullBodyModel_Hamner2010_v2_0.osim"),
        ("Rajagopal/Scale/scale_setup_run.xml", None),
    ],
)
def test_scaling_as_opensims(test_data: Path, tmp_path: Path, setup: str, model_name: str | None) -> None:
    pipelines = test_data / "pipelines"
    lab = read_scale_setup(pipelines / setup)
    file = None if model_name is None else pipelines / model_name
    before = folder_of(lab.path.parent)
    theirs = run_opensim_scale(lab, model=file, accuracy=TIGHT)
    assert folder_of(lab.path.parent) == before
    generic = None
    if file is not None:
        generic = OsimModel.from_file(file)
        if lab.marker_set_file is not None:
            generic = with_markers(generic, read_marker_set(lab.marker_set_file, generic))
    ours = run_scale_setup(lab, generic)
    np.testing.assert_allclose(ours.scales, theirs.scales, rtol=0, atol=5e-6)  # OpenSim writes six digits
    q = torch.from_numpy(np.random.default_rng(0).uniform(-1.0, 1.0, (10, len(ours.model.coordinate_names))))
    np.testing.assert_allclose(ours.model(q).transforms, theirs.model(q).transforms, rtol=0, atol=1e-9)
    assert set(theirs.model.marker_names) == set(ours.model.marker_names)
    order = [theirs.model.marker_names.index(name) for name in ours.model.marker_names]
    there, here = (m.tree.marker_matrix.sum(axis=2) for m in (theirs.model, ours.model))
    distance = np.linalg.norm(there[order] - here, axis=1)
    assert distance.max() < 1e-5  # 0.01 mm


def test_scaling_as_the_tool_does_it(test_data: Path, tmp_path: Path) -> None:
    setup = test_data / "pipelines" / "Hamner" / "Setup_Scale.xml"
    generic = test_data / "pipelines" / "Hamner" / "FullBodyModel_Hamner2010_v2_0.osim"
    run = run_opensim_scale(setup, model=generic, output=tmp_path / "scaled.osim")
    assert run.model.path == tmp_path / "scaled.osim"
    assert folder_of(tmp_path) == {"scaled.osim"}
    assert run.pose["pelvis_ty"] == pytest.approx(1.0, abs=0.2)
    assert sum(b.mass for b in run.model.model.bodies) == pytest.approx(65.9)
    lab = read_scale_setup(setup)
    assert lab.placement is not None
    only = replace(lab, placement=replace(lab.placement, apply=False))
    scaled = run_opensim_scale(only, model=generic)
    assert scaled.pose == {}
    np.testing.assert_allclose(scaled.scales, run.scales)


def test_crash_and_timeout_name_the_trial(
    model: OsimModel, walk: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OpenSimError, match=r"subject01_walk\.trc: OpenSim failed .*did not end within 0\.01 s"):
        run_opensim_ik(model, walk, timeout=0.01)
    script = tmp_path / "dies.py"
    script.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    monkeypatch.setattr(opensim_tools, "_WORKER", script)
    with pytest.raises(OpenSimError, match=r"subject01_walk\.trc: .*its process ended with code"):
        run_opensim_ik(model, walk)


def test_bad_input_is_told_before_opensim_runs(model: OsimModel, walk: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opensim_tools, "run_script", None)
    strange = replace(walk, marker_names=tuple(f"m{i}" for i in range(walk.n_markers)))
    with pytest.raises(InputError, match="shares no marker name"):
        run_opensim_ik(model, strange)
    with pytest.raises(InputError, match="file not found"):
        run_opensim_ik("nothing.osim", walk)
    lumbar = {"lumbar_extension": CoordinateTarget(np.zeros(2), 1.0)}
    with pytest.raises(InputError, match="OpenSim needs 6"):
        run_opensim_ik(model, walk.crop(1.0, 1.02), IKConfig(coordinate_targets=lumbar))
