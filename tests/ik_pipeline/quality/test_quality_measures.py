"""Each measure on motions made for it: masks, jumps, turns, jerk, limits, floor and sliding feet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ik_pipeline.quality import feet, landmark_mask, markers, motion
from ik_pipeline.quality.feet import measure_feet


def test_mask_keeps_what_was_seen_and_landmarks_within_the_limit():
    errors = np.array([[0.019, 0.5, np.nan], [0.021, 0.001, 0.003]])
    trusted = landmark_mask(errors, ("bone", "skin", "other"), {"bone", "other"})
    np.testing.assert_array_equal(trusted, [[True, True, False], [False, True, True]])
    assert landmark_mask(errors, ("bone", "skin", "other"), {"bone"}, limit=0.03)[1, 0]


def _turning(result, rate, seconds=2.0, degrees=90.0):
    """The result with a joint that swings at 2 Hz, all else at rest, at another rate."""
    time = np.arange(int(seconds * rate)) / rate
    coordinates = np.repeat(result.coordinates[:1], len(time), axis=0)
    knee = result.coordinate_names.index("knee_angle_r")
    coordinates[:, knee] = np.radians(degrees) * (1.0 - np.cos(4.0 * np.pi * time)) / 2.0
    return replace(result, time=time, coordinates=coordinates), knee


@pytest.mark.parametrize("rate", [25.0, 30.0, 60.0, 120.0, 250.0])
def test_fast_motion_is_no_jump_and_a_spike_is(walk, rate):
    result, knee = _turning(walk[1], rate, degrees=120.0)
    assert motion.find_jumps(result).by_coordinate.sum() == 0
    spiked = replace(result, coordinates=result.coordinates.copy())
    spiked.coordinates[30, knee] += np.radians(70.0)
    found = motion.find_jumps(spiked)
    assert found.by_coordinate[knee] == 2
    assert found.by_coordinate.sum() == 2
    assert found.frames == pytest.approx(2 / (len(result.time) - 1))
    stepped = replace(result, coordinates=result.coordinates.copy())
    stepped.coordinates[30:, knee] += np.radians(70.0)
    assert motion.find_jumps(stepped).by_coordinate[knee] == 1


def test_a_whole_turn_is_no_jump(walk):
    result, knee = _turning(walk[1], 100.0)
    result.coordinates[80:, knee] += 2.0 * np.pi
    found = motion.find_jumps(result)
    assert (found.by_coordinate.sum(), found.wraps) == (0, 1)


def test_limits_are_counted_where_the_range_is_clamped(lab, walk):
    result, knee = _turning(walk[1], 100.0)
    low, high = np.degrees(lab.model.tree.ranges[knee])
    assert lab.model.model.coordinates[knee].clamped
    result.coordinates[:, knee] = np.radians((low + high) / 2.0)
    result.coordinates[:40, knee] = np.radians(high - 0.2)
    found = motion.time_at_limits(lab.model, result)
    assert found.by_coordinate[knee] == pytest.approx(0.2)
    tilt = result.coordinate_names.index("pelvis_tilt")
    free = replace(result, free=np.zeros_like(result.free))
    assert motion.time_at_limits(lab.model, free).samples == 0.0
    assert found.by_coordinate[tilt] <= 1.0


def test_jerk_hardly_depends_on_the_rate():
    def swing(rate):
        time = np.arange(int(10 * rate)) / rate
        return np.stack([0.3 * np.sin(2 * np.pi * 1.5 * time), 0 * time, 0 * time], axis=1)[:, None]

    truth = 0.3 * (2 * np.pi * 1.5) ** 3 / np.sqrt(2)
    found = {rate: np.sqrt(motion.squared_jerk(swing(rate), rate).mean()) for rate in (30.0, 60.0, 100.0, 120.0, 250.0)}
    for rate, value in found.items():
        assert value == pytest.approx(truth, rel=0.06), rate
    noise = np.random.default_rng(1).normal(0, 0.001, (3000, 4, 3))
    assert motion.squared_jerk(noise[:90], 30.0).mean() > motion.squared_jerk(noise, 300.0).mean()
    assert motion.squared_jerk(noise[:3], 30.0) is None


def test_a_marker_jumps_against_the_body_only():
    time = np.arange(100) / 100.0
    residuals = np.zeros((100, 3, 3))
    residuals[40, 1] = 0.2
    residuals[60:, 2] = [0.0, 0.09, 0.0]
    residuals[70:75, 2] = np.nan
    np.testing.assert_array_equal(markers.count_jumps(residuals, time), [0, 2, 1])
    np.testing.assert_array_equal(markers.count_jumps(residuals, 10.0 * time), [0, 0, 0])


def test_frozen_samples_are_those_that_repeat():
    points = np.random.default_rng(2).normal(size=(11, 4, 3))
    assert markers.frozen_share(points) == 0.0
    points[:, 2] = points[0, 2]
    assert markers.frozen_share(points) == pytest.approx(0.25)
    points[:, 3] = np.nan
    assert markers.frozen_share(points) == pytest.approx(1 / 3)


def _shifted(result, **shifts):
    """The result with its pelvis elsewhere, by name of the axis: a number or one per frame [m]."""
    moved = replace(result, coordinates=result.coordinates.copy())
    for name, shift in shifts.items():
        moved.coordinates[:, moved.coordinate_names.index(f"pelvis_{name}")] += shift
    return moved


def test_floor_is_the_ground_or_where_feet_stand(lab, walk):
    result = walk[1]
    at_ground = measure_feet(lab.model, result)
    assert (at_ground.floor, at_ground.floor_from) == (0.0, "ground")
    assert at_ground.standing > 0.9
    assert at_ground.skate < 80.0
    raised = measure_feet(lab.model, _shifted(result, ty=0.2))
    assert raised.floor_from == "feet"
    assert raised.floor == pytest.approx(200.0, abs=30.0)
    assert raised.penetration < 40.0
    assert raised.standing > 0.9


def test_feet_that_sink_and_slide_are_seen(lab, walk):
    result = walk[1]
    good = measure_feet(lab.model, result)
    sink = np.where(np.arange(len(result.time)) % 40 < 4, -0.08, 0.0)
    assert measure_feet(lab.model, _shifted(result, ty=sink)).penetration > good.penetration + 60.0
    slid = measure_feet(lab.model, _shifted(result, tx=0.2 * result.time, tz=0.1 * result.time))
    assert slid.skate > good.skate + 100.0
    assert slid.slip > good.slip + 30.0


def test_a_treadmill_does_not_move_the_floor(lab, walk):
    """On a belt no foot stands still in the laboratory; its floor stays where it is."""
    belt = measure_feet(lab.model, _shifted(walk[1], tx=-1.6 * walk[1].time))
    assert belt.floor == 0.0
    assert belt.standing < 0.5


def test_markers_stand_for_feet_of_an_unusual_model(lab, walk, monkeypatch):
    monkeypatch.setattr(feet, "has_soles", lambda model, side: False)
    found = measure_feet(lab.model, walk[1])
    assert (found.feet, found.floor_from) == ("markers", "feet")
    assert 0.0 < found.floor < 80.0
    assert found.standing > 0.9
    monkeypatch.setattr(feet, "_foot_markers", lambda model, names: [])
    assert measure_feet(lab.model, walk[1]) is None
