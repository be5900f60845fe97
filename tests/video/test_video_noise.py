"""Disturbed key points: how much, how often, how long, and what the confidence knows of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from biopose_sim.video.points.keypoints import COMMON, LAYOUTS
from biopose_sim.video.points.noise import CLEAN, REALISTIC, TRAINING, NoiseConfig, box_size, disturbed

MIRROR = LAYOUTS["anny23"].mirror
RATE = 30.0


@pytest.fixture(scope="module")
def points():
    """Still people of random shape whose box is 2 units wide and 4 high, (20, 400, 23, 2)."""
    random = np.random.default_rng(0)
    people = random.uniform(0.0, 1.0, (20, 1, len(COMMON), 2)) * [2.0, 4.0]
    people[:, :, 0], people[:, :, 1] = [0.0, 0.0], [2.0, 4.0]
    return np.repeat(people, 400, axis=1)


def test_nothing_is_done_to_clean_points(points):
    found, confidence = disturbed(points, RATE, CLEAN, np.random.default_rng(1))
    assert np.array_equal(found, points)
    assert (confidence == 1.0).all()


def test_the_box_is_measured_by_its_larger_side(points):
    assert np.allclose(box_size(points), 4.0)


def test_white_noise_is_a_share_of_the_box_and_independent(points):
    found, _ = disturbed(points, RATE, NoiseConfig(white=0.02), np.random.default_rng(1))
    error = found - points
    assert error.std() == pytest.approx(0.08, rel=0.02)
    assert abs((error[:, 1:] * error[:, :-1]).mean() / error.var()) < 0.02


def test_slow_noise_goes_on_for_its_time(points):
    found, _ = disturbed(points, RATE, NoiseConfig(slow=0.02, slow_time=0.4), np.random.default_rng(1))
    error = found - points
    assert error.std() == pytest.approx(0.08, rel=0.03)
    lag = 12  # frames, 0.4 s
    assert (error[:, lag:] * error[:, :-lag]).mean() / error.var() == pytest.approx(np.exp(-1.0), abs=0.04)


def test_outliers_are_as_frequent_as_said(points):
    found, _ = disturbed(points, RATE, NoiseConfig(outliers=0.05, outlier=0.1), np.random.default_rng(1))
    off = (found != points).any(-1)
    assert off.mean() == pytest.approx(0.05, rel=0.05)
    assert (found - points)[off].std() == pytest.approx(0.4, rel=0.05)


def test_points_are_missing_in_runs_more_so_on_the_far_side(points):
    depth = np.zeros(points.shape[:3])
    left = [k for k, name in enumerate(COMMON) if name.startswith("left")]
    depth[..., left] = 0.3
    config = NoiseConfig(missing=0.05, missing_time=0.3)
    found, confidence = disturbed(points, RATE, config, np.random.default_rng(1), depth=depth)
    missing = np.isnan(found).all(-1)
    assert (confidence[missing] == 0.0).all()
    assert (confidence[~missing] == 1.0).all()
    assert missing.mean() == pytest.approx(0.05, rel=0.35)
    wrists = [COMMON.index("left_wrist"), COMMON.index("right_wrist")]
    assert missing[..., wrists[0]].mean() == pytest.approx(3.0 * missing[..., wrists[1]].mean(), rel=0.3)
    begins = missing[:, 1:] & ~missing[:, :-1]
    assert missing.sum() / begins.sum() == pytest.approx(0.3 * RATE, rel=0.15)


@pytest.mark.parametrize("part", ["whole", "limbs"])
def test_left_and_right_are_exchanged(points, part):
    config = NoiseConfig(swaps=0.1) if part == "whole" else NoiseConfig(limb_swaps=0.1)
    found, _ = disturbed(points, RATE, config, np.random.default_rng(1))
    swapped = (found == points[:, :, MIRROR]).all(-1) & (points != points[:, :, MIRROR]).all(-1)
    assert ((found == points).all(-1) | (found == points[:, :, MIRROR]).all(-1)).all()
    eyes, knees, wrists = (COMMON.index(f"left_{name}") for name in ("eye", "knee", "wrist"))
    assert swapped[..., knees].mean() == pytest.approx(0.1, rel=0.25)
    if part == "whole":
        assert np.array_equal(swapped[..., eyes], swapped[..., knees])
    else:
        assert not swapped[..., eyes].any()
        assert (swapped[..., knees] != swapped[..., wrists]).any()


def test_confidence_tells_of_the_error(points):
    found, confidence = disturbed(points, RATE, replace(REALISTIC, missing=0.0), np.random.default_rng(1))
    error = np.linalg.norm(found - points, axis=-1).ravel()
    assert np.corrcoef(error, confidence.ravel())[0, 1] < -0.3
    assert confidence.min() >= 0.15
    assert confidence.max() <= 1.0


def test_clips_differ_where_they_should(points):
    found, confidence = disturbed(points, RATE, TRAINING, np.random.default_rng(1))
    spread = np.nanstd(np.diff(found, axis=1), axis=(1, 2, 3))
    assert spread.max() > 2.0 * spread.min()
    assert 0 < ((confidence == 1.0) | (confidence == 0.0)).all(axis=(1, 2)).sum() < len(points)
