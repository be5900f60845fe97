"""Temporal smoothness: less noise, no gaps, the same meaning at any rate, bounds kept, windows without seams."""

from dataclasses import replace

import numpy as np
import pytest
from ik_cases import load_model, smooth_motion, trial_of

from biopose_sim.ik import smoothing
from biopose_sim.ik.solver import solve_ik
from biopose_sim.ik.types import IKConfig


@pytest.fixture(scope="module")
def case(test_data):
    model = load_model(test_data, "Rajagopal2016")
    q = smooth_motion(model, 240, cutoff=2.0)
    return model, q, trial_of(model, q, noise=0.005)


def _error(result, q):
    return np.abs(result.coordinates - q)[:, result.determined].mean()


def test_noise_is_reduced(case):
    model, q, trial = case
    plain, smooth = solve_ik(model, trial), solve_ik(model, trial, IKConfig(smoothness=3e-3))
    assert smooth.converged.all()
    assert _error(smooth, q) < 0.6 * _error(plain, q)
    assert smooth.marker_rmse.mean() >= plain.marker_rmse.mean()


def test_weak_smoothness_changes_hardly_anything(case):
    model, _, trial = case
    plain, smooth = solve_ik(model, trial), solve_ik(model, trial, IKConfig(smoothness=1e-12))
    assert np.abs(plain.coordinates - smooth.coordinates)[:, plain.determined].max() < 1e-3


def test_windows_have_no_seams(case, monkeypatch):
    model, _, trial = case
    whole = solve_ik(model, trial, IKConfig(smoothness=1e-3))
    monkeypatch.setattr(smoothing, "_WINDOW", 60)
    parts = solve_ik(model, trial, IKConfig(smoothness=1e-3))
    assert np.abs(whole.coordinates - parts.coordinates)[:, whole.determined].max() < 1e-3


def test_gaps_are_bridged(case):
    model, q, trial = case
    markers = trial.markers.copy()
    markers[100:110] = np.nan
    markers[:5] = np.nan
    result = solve_ik(model, replace(trial, markers=markers), IKConfig(smoothness=3e-3))
    sure = result.determined
    assert np.abs(result.coordinates - q)[100:110][:, sure].max() < 0.1
    assert np.abs(np.diff(result.coordinates, axis=0))[:, sure].max() < 0.2
    np.testing.assert_allclose(result.coordinates[:5], np.tile(result.coordinates[5], (5, 1)))


def test_bounds_are_kept(case):
    model, q, _ = case
    knee = model.coordinate_names.index("knee_angle_r")
    beyond = q.copy()
    beyond[:, knee] = model.tree.ranges[knee, 1] + 0.1
    result = solve_ik(model, trial_of(model, beyond), IKConfig(smoothness=1e-3))
    assert result.coordinate("knee_angle_r").max() <= model.tree.ranges[knee, 1]


def test_prior_draws_the_frames_to_the_smooth_motion(case):
    model, q, trial = case
    plain = solve_ik(model, trial)
    smooth = solve_ik(model, trial, IKConfig(smoothness=3e-3))
    drawn = solve_ik(model, trial, IKConfig(smoothness=3e-3, prior=1e-4))
    assert plain.marker_rmse.mean() <= drawn.marker_rmse.mean() <= smooth.marker_rmse.mean()
    assert _error(smooth, q) <= _error(drawn, q) <= _error(plain, q)


def test_prior_alone_draws_to_rest(case):
    model, _, trial = case
    stiff = solve_ik(model, trial, IKConfig(prior=1e3))
    hip = model.coordinate_names.index("hip_flexion_r")
    np.testing.assert_allclose(stiff.coordinates[:, hip], model.tree.defaults[hip], atol=1e-3)
