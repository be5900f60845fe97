"""Body motions brought to a lower rate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from biopose_sim.bodies.types import BodySequence
from ik_pipeline.sources.resample import at_rate, whole_stride


def spinning(rate=120.0, seconds=1.0):
    """One joint that turns at 2 rad/s about a tilted axis and moves at 3 m/s along x."""
    time = 5.0 + np.arange(round(rate * seconds) + 1) / rate
    turns = Rotation.from_rotvec(2 * (time - 5.0)[:, None] * np.array([0.6, 0.0, 0.8])).as_matrix()[:, None]
    places = np.stack([3 * (time - 5.0), 0 * time, 0 * time], axis=1)
    return BodySequence("spin", "smplh", time, turns, places, np.zeros(10), seen=np.ones(len(time), dtype=bool))


def test_whole_multiples_keep_frames_as_they_are():
    motion = spinning()
    slow = at_rate(motion, 30.0)
    np.testing.assert_array_equal(slow.rotations, motion.rotations[::4])
    np.testing.assert_array_equal(slow.time, motion.time[::4])
    assert len(slow.seen) == 31


def test_other_rates_go_between_frames():
    slow = at_rate(spinning(), 50.0)
    np.testing.assert_allclose(np.diff(slow.time), 1 / 50)
    assert slow.time[0] == 5.0
    expected = Rotation.from_rotvec(2 * (slow.time - 5.0)[:, None] * np.array([0.6, 0.0, 0.8])).as_matrix()
    np.testing.assert_allclose(slow.rotations[:, 0], expected, atol=1e-9)
    np.testing.assert_allclose(slow.translation[:, 0], 3 * (slow.time - 5.0), atol=1e-9)


def test_between_a_seen_and_an_unseen_frame_nobody_is_seen():
    motion = spinning()
    seen = np.ones(len(motion.time), dtype=bool)
    seen[60] = False
    slow = at_rate(replace(motion, seen=seen), 50.0)
    near = np.abs((slow.time - 5.0) * 120 - 60) < 1 - 1e-6
    assert near.any()
    np.testing.assert_array_equal(slow.seen, ~near)


@pytest.mark.parametrize("fps", [None, 120.0, 240.0])
def test_slower_motions_stay(fps):
    motion = spinning()
    assert at_rate(motion, fps) is motion


def test_strides():
    assert [whole_stride(120.0, fps) for fps in (120, 60, 30, 50, 200)] == [1, 2, 4, None, 1]
    assert whole_stride(59.94, 29.97) == 2
