"""The pull to the frame solved before."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import biopose_sim as bp
from biopose_sim.ik.types import CoordinateTarget
from biopose_sim.io import Trial

RATE = 100.0


def spine_trial(test_data: Path, n_frames: int = 60) -> tuple[bp.OsimModel, Trial, np.ndarray]:
    """Slow motion of a body with a spine of many joints, 5 mm of noise."""
    model = bp.OsimModel.from_file(test_data / "models" / "d3ke_full_body_wo_hands.osim")
    rng = np.random.default_rng(0)
    low, high = np.clip(model.tree.ranges, -1.0, 1.0).T
    phase = 2.0 * np.pi * np.arange(n_frames)[:, None] / RATE + rng.uniform(0.0, 6.0, len(low))
    q = 0.5 * (low + high) + 0.2 * (high - low) * np.sin(phase)
    truth = model(torch.from_numpy(q)).coordinates.numpy()
    markers = model(torch.from_numpy(truth)).markers.numpy()
    markers = markers + rng.normal(0.0, 0.005, markers.shape)
    return model, Trial.checked("spine", np.arange(n_frames) / RATE, markers, model.marker_names), truth


def test_steadies_what_markers_hardly_determine(test_data: Path) -> None:
    model, trial, truth = spine_trial(test_data)
    alone = bp.solve_ik(model, trial, bp.IKConfig(continuity=0.0))
    usual = bp.solve_ik(model, trial)
    tied = bp.solve_ik(model, trial, bp.IKConfig(continuity=2e-5))

    def error(result: bp.KinematicsResult) -> float:
        return float(np.abs(result.coordinates - truth)[:, result.free].mean())

    assert tied.converged.all()
    assert usual.converged.all()
    assert error(usual) < 0.9 * error(alone)
    assert error(tied) < 0.75 * error(alone)
    assert tied.marker_rmse.mean() < 1.05 * alone.marker_rmse.mean()


def test_leaves_well_determined_motion_alone(test_data: Path) -> None:
    model, trial, _ = spine_trial(test_data, 20)
    alone = bp.solve_ik(model, trial, bp.IKConfig(continuity=0.0))
    tied = bp.solve_ik(model, trial, bp.IKConfig(continuity=1e-9))
    clear = alone.sensitivity < np.radians(0.2)
    assert clear.sum() > 5
    assert np.degrees(np.abs(alone.coordinates - tied.coordinates)[:, clear]).max() < 0.5


def test_joins_coordinate_targets(test_data: Path) -> None:
    model, trial, _ = spine_trial(test_data, 10)
    name = next(n for n, c in zip(model.coordinate_names, model.model.coordinates) if "knee" in n and not c.locked)
    wanted = float(model.tree.ranges[model.coordinate_names.index(name)].mean())
    target = CoordinateTarget(wanted, 1e3)
    config = bp.IKConfig(coordinate_targets={name: target})
    for wished in (config, replace(config, continuity=1e-4)):
        assert np.abs(bp.solve_ik(model, trial, wished).coordinate(name) - wanted).max() < 1e-3


def test_a_target_holds_where_no_marker_sees_the_coordinate(test_data: Path) -> None:
    folder = test_data / "opencap_lab_subject4"
    model = bp.OsimModel.from_file(folder / "Models" / "manually_scaled.osim")
    trial = bp.io.read_trc(folder / "MarkerData" / "walking1.trc").crop(0.0, 1e9)
    trial = replace(trial, time=trial.time[:5], markers=trial.markers[:5])
    feet = [n for n in trial.marker_names if "toe" in n.lower() or "5meta" in n.lower()]
    trial = trial.drop(feet)
    free = bp.solve_ik(model, trial)
    assert "mtp_angle_r" in " ".join(free.warnings)
    constant = bp.solve_ik(model, trial, bp.IKConfig(coordinate_targets={"mtp_angle_r": CoordinateTarget(0.3)}))
    np.testing.assert_allclose(constant.coordinate("mtp_angle_r"), 0.3)
    values = np.linspace(0.0, 0.4, 5)
    varying = bp.solve_ik(model, trial, bp.IKConfig(coordinate_targets={"mtp_angle_r": CoordinateTarget(values)}))
    np.testing.assert_allclose(varying.coordinate("mtp_angle_r"), values)
