"""Other frame rates: exact on frames, accurate between them, honest at gaps, turns and jumps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shard_runs as runs
import torch

from ik_pipeline.shards import ShardConfig, ShardData, write_shards
from ik_pipeline.shards.resample import interpolate, interpolate_angles, resampling_grid
from ik_pipeline.store import read_stored_scaling, read_stored_trial, write_stored


@pytest.mark.parametrize(("own", "rate"), [(120.0, 30.0), (120.0, 60.0), (100.0, 50.0), (60.0, 60.0)])
def test_a_divisor_of_the_rate_takes_frames_as_they_are(own, rate):
    time = 3.0 + np.arange(121) / own
    grid = resampling_grid(time, rate)
    assert grid.is_whole
    assert grid.rate == rate
    np.testing.assert_array_equal(grid.before, np.arange(0, 121, round(own / rate)))
    values = np.random.default_rng(1).normal(size=(121, 2, 3))
    np.testing.assert_array_equal(interpolate(values, grid), values[grid.before])


def test_a_recorder_that_is_a_little_off_keeps_its_frames():
    time = np.arange(5000) / 120.00004577636719
    assert len(resampling_grid(time, 120.0)) == 5000
    grid = resampling_grid(time, None)
    assert grid.rate == pytest.approx(120.00004577636719, rel=1e-9)


def test_motion_between_frames_is_that_of_the_body():
    time = np.arange(200) / 100

    def motion(t):
        return np.stack([np.sin(9 * t), 0.3 * np.cos(4 * t), t**2], axis=-1)[:, None]

    grid = resampling_grid(time, 30.0)
    instants = np.arange(len(grid)) / 30.0
    assert instants[-1] <= time[-1] < instants[-1] + 1 / 30
    inner = slice(1, -1)
    np.testing.assert_allclose(interpolate(motion(time), grid)[inner], motion(instants)[inner], atol=5e-5)
    up = resampling_grid(time, 240.0)
    np.testing.assert_allclose(interpolate(motion(time), up), motion(np.arange(len(up)) / 240), atol=1.1e-3)


def test_a_gap_stays_a_gap():
    values = np.arange(20.0)[:, None] * np.ones(3)
    values[8:11] = np.nan
    grid = resampling_grid(np.arange(20) / 10, 25.0)
    found = interpolate(values, grid)
    place = np.arange(len(grid)) * 0.4
    lost = (place > 7.001) & (place < 10.999)
    np.testing.assert_array_equal(np.isnan(found[:, 0]), lost)
    np.testing.assert_allclose(found[~lost, 0], place[~lost], atol=1e-12)  # linear beside the gap


def test_a_full_turn_is_none_and_a_jump_is_told():
    time = np.arange(40) / 10
    angle = np.linspace(2.5, 4.5, 40)
    turned = (angle + np.pi) % (2 * np.pi) - np.pi  # leaps from pi to -pi
    jump = np.where(np.arange(40) < 20, 0.0, 2.0)
    metres = np.where(np.arange(40) < 20, 0.0, 5.0)
    grid = resampling_grid(time, 15.0)
    q, steady = interpolate_angles(np.stack([turned, jump, metres], axis=1), np.array([True, True, False]), grid)
    place = grid.before + grid.fraction
    expected = np.interp(place, np.arange(40), angle)
    # The value itself, of the same turn as the frame before the instant.
    same_turn = expected + 2 * np.pi * np.round((turned - angle) / (2 * np.pi))[grid.before]
    np.testing.assert_allclose(q[:, 0], same_turn, atol=1e-9)
    assert np.flatnonzero(~steady).tolist() == np.flatnonzero((place > 19) & (place < 20)).tolist() != []
    assert 0.0 <= q[:, 2].min() <= q[:, 2].max() <= 5.0


def test_targets_at_another_rate_are_those_of_the_model(tmp_path):
    runs.write_run(tmp_path, groups=("08",), lengths=(230,), rate=100.0, splits=["train"])
    folder = tmp_path / "persons" / "08_0"
    stored, person = read_stored_trial(folder / "take0.npz"), read_stored_scaling(folder / "scaling.npz")
    model = runs.MODEL.scale(person.scales, person.marker_offsets)
    # Inverse kinematics leaps to another solution between frames 103 and 104; it failed in frame 4.
    q = np.array(stored.coordinates)
    q[104:, runs.MODEL.coordinate_names.index("arm_rot_r")] += 1.7
    markers = model(torch.from_numpy(q)).markers.numpy().astype(np.float32)
    converged = np.arange(230) != 4
    stored = replace(stored, coordinates=q, model_markers=markers, converged=converged)
    write_stored(folder / "take0.npz", stored)
    card = write_shards(tmp_path, config=ShardConfig(rate=30.0))
    data = ShardData(card.folder, "train")
    assert data.trials[0]["frames"] == 69
    assert data.trials[0]["recorded_rate"] == pytest.approx(100.0)
    assert card.counts("train")["rates"] == [30.0]
    found = data.trial(0)
    _, exact = runs.motion(1, 100.0, 0)
    np.testing.assert_allclose(found["coordinates"][0], exact[0], atol=1e-6)
    pose = model(torch.from_numpy(np.array(found["coordinates"], dtype=float)))
    np.testing.assert_allclose(found["model_markers"], pose.markers.numpy(), atol=2e-6)
    np.testing.assert_allclose(found["joint_centers"], pose.joint_centers.numpy(), atol=2e-6)
    np.testing.assert_allclose(found["coordinates"], pose.coordinates.numpy(), atol=1e-6)  # couplers hold
    low, high = stored.coordinates.min(axis=0), stored.coordinates.max(axis=0)
    assert (found["coordinates"] >= low - 1e-6).all()
    assert (found["coordinates"] <= high + 1e-6).all()
    # Instant 1 lies between frames 3 and 4, instant 31 between 103 and 104.
    assert np.flatnonzero(~found["converged"]).tolist() == [1, 31]
    # Frames 10-12 of marker 7 are a gap: instant 3 is frame 10, instant 4 lies behind 13.
    assert found["markers_seen"][:, 7].tolist() == [k not in (3,) for k in range(69)]


def test_trials_of_different_rates_are_told_or_made_alike(tmp_path):
    runs.write_run(tmp_path, groups=("08",), lengths=(130, 130), rate=60.0, splits=["train"])
    file = tmp_path / "persons" / "08_0" / "take1.npz"
    stored = read_stored_trial(file)
    write_stored(file, type(stored)(**vars(stored) | {"time": stored.time / 2}))
    card = write_shards(tmp_path)
    assert card.counts("train")["rates"] == [60.0, 120.0]
    assert any("different rates (60, 120 Hz)" in notice for notice in card.content["notices"])
    assert sorted(ShardData(card.folder, "train").batch([0, 5, 6, 12])["rate"].round(6).tolist())[-1] == 120.0
    assert write_shards(tmp_path, config=ShardConfig(rate=30.0, window=30)).counts("train")["rates"] == [30.0]
