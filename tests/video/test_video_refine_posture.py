"""What refinement knows of motions without a picture: postures measured, mirrored, used where key points say little."""

from __future__ import annotations

import numpy as np
import pytest

from biopose_sim.errors import InputError
from biopose_sim.io.camera import Camera
from biopose_sim.video.points.keypoints import KeyPoints
from biopose_sim.video.refine import posture as posture_module
from biopose_sim.video.refine.banded import Bordered
from biopose_sim.video.refine.body import PointBody
from biopose_sim.video.refine.joint import JointConfig, refine_joint
from biopose_sim.video.refine.motion import posture_process
from biopose_sim.video.refine.posture import fit_posture, usual_posture
from biopose_sim.video.types import Estimate, View
from ik_pipeline.virtual_fit import virtual_model

FRAMES, RATE = 20, 30.0


def test_the_table_is_of_the_models_joints_and_alike_on_both_sides():
    body, posture = PointBody(virtual_model()), usual_posture()
    joints = [n for n, r, t in zip(body.coordinate_names, body.root, body.translational, strict=True) if not (r or t)]
    assert posture.of(body.coordinate_names).names == tuple(joints)
    mirrored = posture.mirrored()
    for name in ("usual", "held", "moved"):
        assert np.allclose(getattr(mirrored, name), getattr(posture, name), atol=2e-7)
    # Two joints that bend together: each leg's hip and knee.
    hip, knee = (posture.names.index(n) for n in ("hip_flexion_r", "knee_angle_r"))
    assert posture.moved[hip, knee] > 0.0
    for covariance in (posture.held, posture.moved):
        assert np.linalg.eigvalsh(covariance).min() > 0.0


def test_measured_from_made_up_recordings(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    names = ("knee_r", "knee_l", "lumbar_bending")
    held = rng.normal(0.0, 0.3, (40, 60, 1, 1)) * np.array([1.0, 1.0, 0.0])
    recordings = list(held + rng.normal([0.5, 0.7, 0.2], 0.1, (40, 60, 20, 3)))
    found = fit_posture(names, recordings)
    assert np.allclose(found.usual, [0.6, 0.6, 0.0], atol=0.03)
    assert np.sqrt(found.held[0, 0]) == pytest.approx(0.3, rel=0.1)
    assert found.held[0, 1] == pytest.approx(0.09, rel=0.15)
    assert np.allclose(np.diag(found.moved), 0.01 * 19 / 20, rtol=0.05)
    folder = tmp_path / "motions"
    folder.mkdir()
    found.write(folder / "joint_posture.csv")
    monkeypatch.setattr(posture_module, "models_dir", lambda: tmp_path)
    read = usual_posture.__wrapped__()
    assert read.names == names
    assert np.allclose(read.held, found.held, atol=1e-6)
    (folder / "joint_posture.csv").write_text("what,coordinate,knee_r\nusual,,1.0\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"joint_posture\.csv"):
        usual_posture.__wrapped__()


def test_process_is_the_inverse_covariance_of_its_frames():
    """Its normal equations, the constant taken out, against the covariance it stands for."""
    rng = np.random.default_rng(1)
    frames, k, time = 5, 2, 0.4
    step = np.array([0.1, 0.2, 0.1, 0.3])
    held, moved = np.array([[0.5, 0.2], [0.2, 0.3]]), np.array([[0.2, -0.1], [-0.1, 0.4]])
    process = posture_process(np.arange(k), np.zeros(k), held, moved, step, time)
    system = Bordered.zeros(frames, k, k)
    q, constant = rng.normal(size=(frames, k)), rng.normal(size=k)
    process.add(system, q, constant, slice(0, k))
    at = np.r_[0.0, np.cumsum(step)]
    alike = np.exp(-np.abs(at[:, None] - at) / time)
    covariance = np.kron(np.ones((frames, frames)), held) + np.kron(alike, moved)
    # Where the picture says nothing, the most likely answer is the usual posture.
    x, y = system.solve(0.0)
    assert np.allclose(q + x, 0.0, atol=1e-9)
    assert np.allclose(constant + y, 0.0, atol=1e-9)
    best = held @ np.kron(np.ones((1, frames)), np.eye(k)) @ np.linalg.solve(covariance, q.ravel())
    assert process.cost(q, best) == pytest.approx(q.ravel() @ np.linalg.solve(covariance, q.ravel()))


def test_joints_that_key_points_leave_open_go_to_the_usual_posture():
    body, posture = PointBody(virtual_model()), usual_posture()
    rng = np.random.default_rng(2)
    names = list(body.coordinate_names)
    q = np.zeros((FRAMES, len(body.model.coordinate_names)))
    q[:] = body.model.default_coordinates.numpy()
    columns = body.free[[names.index(n) for n in posture.names]]
    q[:, columns] = posture.usual
    true = body.place(q, np.zeros(body.n_size), np.zeros(body.n_offsets)).points[:, :23]
    middle = true.mean((0, 1))
    camera = Camera.look_at(middle + np.array([2.0, 0.3, 3.5]), middle, 1280, 720, view_angle=40.0)
    pixels = camera.project(true)[..., :2]
    pixels += rng.normal(0.0, 0.02 * np.ptp(pixels[0, :, 1]), pixels.shape)
    start = q.copy()
    start[:, columns] += rng.normal(0.0, 0.13, len(columns))
    time = np.arange(FRAMES) / RATE
    found = KeyPoints("still", time, pixels, np.ones(pixels.shape[:2]), "anny23", (1280, 720), RATE)
    seen = np.ones(FRAMES, dtype=bool)
    estimate = Estimate("still", time, body.model, start, (View(camera, found),), seen, True, "test")

    def errors(config: JointConfig | None) -> np.ndarray:
        refined = estimate if config is None else refine_joint(estimate, config).estimate
        return np.degrees(np.abs(refined.coordinates - q)[:, columns].mean(0))

    wrists = [i for i, name in enumerate(posture.names) if name.startswith("wrist")]
    before, without, with_ = errors(None), errors(JointConfig(posture_factor=0.0)), errors(JointConfig())
    assert with_.mean() < 0.85 * without.mean()
    assert with_[wrists].mean() < 0.85 * before[wrists].mean()
    assert without[wrists].mean() == pytest.approx(before[wrists].mean(), rel=0.1)
