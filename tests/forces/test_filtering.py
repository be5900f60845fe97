"""The low-pass filter: gain, lag, ends, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from biopose_sim.errors import InputError
from biopose_sim.forces.filtering import filter_motion, is_even, lowpass
from biopose_sim.io import Motion

RATE = 100.0


def motion_of(values: np.ndarray, time: np.ndarray | None = None) -> Motion:
    time = np.arange(len(values)) / RATE if time is None else time
    return Motion("walk", time, values[:, None], ("knee_angle_r",), ("rotational",))


@pytest.mark.parametrize("order", [2, 4, 8])
def test_half_of_the_power_passes_at_the_cutoff(order):
    time = np.arange(2000) / RATE
    wave = np.sin(2.0 * np.pi * 6.0 * time)
    passed = lowpass(wave, RATE, 6.0, order)[500:-500]
    gain = np.sqrt(2.0 * np.mean(passed**2))
    assert gain == pytest.approx(np.sqrt(0.5), abs=0.002)
    assert np.corrcoef(passed, wave[500:-500])[0, 1] > 0.99999  # no lag


def test_slow_movement_passes_and_noise_does_not():
    time = np.arange(500) / RATE
    slow = np.stack([np.sin(2.0 * np.pi * 0.8 * time), 3.0 * time], axis=1)
    noise = 0.01 * np.random.default_rng(0).normal(size=slow.shape)
    passed = lowpass(slow + noise, RATE, 6.0)
    assert np.abs(lowpass(slow, RATE, 6.0) - slow).max() < 0.003
    assert np.std(passed - slow) < 0.5 * np.std(noise)
    assert np.abs(passed - slow)[:5].max() < 0.02  # the ends too


@pytest.mark.parametrize(
    ("values", "cutoff", "word"),
    [
        (np.zeros(10), 6.0, "too few"),
        (np.array([0.0] * 50 + [np.nan] + [0.0] * 50), 6.0, "not a number"),
        (np.zeros(200), 50.0, "cut off"),
        (np.zeros(200), -1.0, "cut off"),
    ],
)
def test_what_cannot_be_filtered_is_refused(values, cutoff, word):
    with pytest.raises(InputError, match=word):
        lowpass(values, RATE, cutoff)


def test_a_turn_is_undone_before():
    angle = np.linspace(0.0, 8.0, 300)
    wrapped = motion_of((angle + np.pi) % (2.0 * np.pi) - np.pi)
    assert np.abs(filter_motion(wrapped).coordinates[:, 0] - angle).max() < 1e-3
    assert np.allclose(filter_motion(wrapped, 0.0).coordinates[:, 0], angle)


def test_uneven_steps_are_resampled():
    time = np.cumsum(np.random.default_rng(1).uniform(0.005, 0.015, 400))
    filtered = filter_motion(motion_of(np.sin(3.0 * time), time))
    assert not is_even(time)
    assert is_even(filtered.time)
    assert np.abs(filtered.coordinates[:, 0] - np.sin(3.0 * filtered.time)).max() < 0.005


def test_times_rounded_in_a_file_are_even():
    assert is_even(np.round(np.arange(500) / 60.0, 3))


def test_a_gap_is_named():
    motion = motion_of(np.zeros(100))
    broken = motion.coordinates.copy()
    broken[40] = np.nan
    with pytest.raises(InputError, match=r"knee_angle_r.*frame 41"):
        filter_motion(replace(motion, coordinates=broken))
