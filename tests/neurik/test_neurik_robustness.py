"""Disturbances: as large as they say, the same each time, and mesh errors of the two kinds that video makes."""

from __future__ import annotations

import numpy as np
import pytest
import shard_runs as runs
import torch

from biopose_sim.neurik import robustness
from biopose_sim.neurik.evaluate import Answer
from biopose_sim.neurik.robustness import CLEAN, Condition, Disturbance, curves, dropped
from ik_pipeline.shards import write_shards


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    run = runs.write_run(tmp_path_factory.mktemp("run"), groups=("03",), lengths=(120,), rate=30.0, splits=["test"])
    return write_shards(run).folder


@pytest.fixture
def markers(data):
    return np.array(data.trial(0)["markers"], dtype=np.float32)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_as_many_markers_miss_as_asked_for(share):
    gone = dropped(share, 200, 142, torch.Generator().manual_seed(1)).numpy()
    assert gone.mean() == pytest.approx(share, abs=0.01)
    throughout = gone.all(axis=0)
    assert 0.2 < throughout.mean() / share < 0.8
    # Others miss for one stretch.
    assert np.abs(np.diff(gone[:, ~throughout].astype(int), axis=0)).sum(axis=0).max() <= 2


def test_noise_is_white_and_stated_per_axis(data, model, markers):
    disturb = Disturbance(data, model, Condition("noise", 20.0, noise=20.0))
    off = 1e3 * (disturb(markers, 30.0, 0) - markers)
    assert np.nanstd(off, axis=(0, 1)) == pytest.approx([20.0] * 3, rel=0.03)
    assert disturb.moved == pytest.approx(20.0 * np.sqrt(8.0 / np.pi), rel=0.02)
    np.testing.assert_array_equal(np.isnan(off), np.isnan(markers))
    following = (off[1:] * off[:-1])[np.isfinite(off[1:] * off[:-1])]
    assert abs(following.mean()) < 0.03 * 20.0**2


def test_a_disturbance_is_the_same_each_time_and_another_for_each_trial(data, model, markers):
    condition = Condition("named", 0.0, noise=20.0, missing=0.2, mesh=10.0)
    first = Disturbance(data, model, condition)(markers, 30.0, 0)
    np.testing.assert_array_equal(first, Disturbance(data, model, condition)(markers, 30.0, 0))
    assert np.nanmax(np.abs(first - Disturbance(data, model, condition, seed=1)(markers, 30.0, 0))) > 0.01
    assert np.nanmax(np.abs(first - Disturbance(data, model, condition)(markers, 30.0, 1))) > 0.01
    assert condition.text == "20 mm noise per axis, 20 % missing, 10 mm mesh error"
    assert CLEAN.text == "undisturbed"


def test_a_mesh_error_is_as_long_as_it_says_and_smooth(data, model, markers):
    disturb = Disturbance(data, model, Condition("mesh", 40.0, mesh=40.0))
    off = disturb(markers, 30.0, 0) - markers
    assert disturb.moved == pytest.approx(40.0, rel=1e-3)
    step = np.nanmean(np.linalg.norm(np.diff(off, axis=0), axis=2))
    assert 0.0 < 1e3 * step < 15.0


def test_a_wrong_shape_goes_along_with_the_segments(data, model, markers, monkeypatch):
    monkeypatch.setattr(robustness, "_CONSTANT", 1.0)
    off = Disturbance(data, model, Condition("mesh", 40.0, mesh=40.0))(markers, 30.0, 0) - markers
    lengths = np.linalg.norm(off, axis=2)
    assert np.nanmax(np.abs(lengths - lengths[0])) < 1e-6
    trial = data.trial(0)
    q = torch.from_numpy(np.array(trial["coordinates"], dtype=float))
    with torch.no_grad():
        turned = model.scale(np.array(trial["scales"], dtype=float))(q).transforms[:, :, :3, :3].numpy()
    local = np.einsum("tmji,tmj->tmi", turned[:, np.array(model.tree.marker_body)], off)
    seen = np.isfinite(local).all(axis=(0, 2))
    np.testing.assert_allclose((local - local[0])[:, seen], 0.0, atol=1e-6)


def test_all_methods_see_the_same_markers(data, model):
    seen: dict[str, list] = {"a": [], "b": []}

    def method(name):
        def solve(markers, rates):
            seen[name] += [m.copy() for m in markers]
            defaults = model.default_coordinates.numpy()
            return Answer([np.tile(defaults, (len(m), 1)) for m in markers], np.ones((len(model.body_names), 3)))

        return solve

    conditions = (CLEAN, Condition("missing", 20.0, missing=0.2))
    points = curves(data, model, {name: method(name) for name in seen}, conditions=conditions, most_persons=1)
    assert [(p.method, p.condition) for p in points] == [(n, c) for c in conditions for n in seen]
    for a, b in zip(seen["a"], seen["b"]):
        np.testing.assert_array_equal(a, b)
    assert points[0].moved == 0.0
    assert points[2].missed == pytest.approx(0.2, abs=0.01)
