"""Trial: validation, selection, cutting."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from biopose_sim.errors import InputError
from biopose_sim.io import Analog, ForcePlate, Trial


@pytest.fixture
def trial() -> Trial:
    markers = np.arange(11 * 3 * 3, dtype=float).reshape(11, 3, 3)
    return Trial.checked("walk", np.arange(11) / 10 + 1.0, markers, ["A", "B", "C"], nominal_rate=10)


def test_figures(trial):
    assert (trial.n_frames, trial.n_markers) == (11, 3)
    assert trial.rate == pytest.approx(10)
    assert trial.duration == pytest.approx(1)
    assert repr(trial) == "Trial('walk': 11 frames at 10 Hz, 3 markers)"


def test_rate_of_one_frame_is_the_stated_one(trial):
    single = trial.crop(1.2, 1.2)
    assert (single.n_frames, single.rate) == (1, 10)
    assert np.isnan(dataclasses.replace(single, nominal_rate=None).rate)


def test_is_frozen(trial):
    with pytest.raises(dataclasses.FrozenInstanceError):
        trial.name = "run"


def test_a_marker_without_one_coordinate_is_missing():
    trial = Trial.checked("t", [0.0], [[[1, np.nan, 3], [4, 5, 6]]], ["A", "B"])
    assert trial.missing.tolist() == [[True, False]]
    assert np.isnan(trial.markers[0, 0]).all()


def test_select_drop_rename(trial):
    chosen = trial.select(["C", "A"])
    assert chosen.marker_names == ("C", "A")
    np.testing.assert_array_equal(chosen.marker("A"), trial.markers[:, 0])
    assert trial.drop(["B"]).marker_names == ("A", "C")
    assert trial.rename({"A": "LASI"}).marker_names == ("LASI", "B", "C")


def test_drop_empty(trial):
    markers = trial.markers.copy()
    markers[:, 1] = np.nan
    gappy = dataclasses.replace(trial, markers=markers)
    assert gappy.drop_empty().marker_names == ("A", "C")
    assert trial.drop_empty() is trial
    with pytest.raises(InputError, match="every marker is empty"):
        dataclasses.replace(trial, markers=markers * np.nan).drop_empty()


def test_crop_keeps_both_ends(trial):
    assert trial.crop(1.2, 1.5).time == pytest.approx([1.2, 1.3, 1.4, 1.5])
    assert trial.crop(end=1.1).n_frames == 2
    with pytest.raises(InputError, match="has no frame between 5 and 6 s; it runs from 1 to 2 s"):
        trial.crop(5, 6)


def test_crop_cuts_analog_and_plates(trial):
    samples = np.arange(101.0)[:, None] * np.ones(3)
    analog = Analog(("a", "b", "c"), ("V",) * 3, 100, 1.0, samples)
    corners = np.array([[0.5, 0, 0.5], [-0.5, 0, 0.5], [-0.5, 0, -0.5], [0.5, 0, -0.5]])
    plate = ForcePlate(2, corners, np.zeros(3), 100, 1.0, samples, samples)
    cut = dataclasses.replace(trial, analog=analog, force_plates=(plate,)).crop(1.2, 1.5)
    assert cut.analog.time[[0, -1]] == pytest.approx([1.2, 1.5])
    assert cut.force_plates[0].time[[0, -1]] == pytest.approx([1.2, 1.5])
    np.testing.assert_array_equal(cut.force_plates[0].forces, samples[20:51])


def test_center_of_pressure_and_free_moment():
    corners = np.array([[1.5, 0.1, 0.5], [0.5, 0.1, 0.5], [0.5, 0.1, -0.5], [1.5, 0.1, -0.5]])
    force, lever, twist = np.array([10.0, 500.0, -20.0]), np.array([0.2, 0, -0.1]), np.array([0, 3.0, 0])
    moment = np.cross(lever, force) + twist
    plate = ForcePlate(2, corners, np.zeros(3), 100, 0, np.stack([force, 0 * force]), np.stack([moment, 0 * moment]))
    np.testing.assert_allclose(plate.normal, [0, 1, 0])
    np.testing.assert_allclose(plate.center_of_pressure()[0], [1.2, 0.1, -0.1])
    assert np.isnan(plate.center_of_pressure()[1]).all()
    np.testing.assert_allclose(plate.free_moment(), [[0, 3, 0], [0, 0, 0]], atol=1e-12)


@pytest.mark.parametrize(
    ("time", "shape", "names", "message"),
    [
        ([], (0, 1, 3), ["A"], "at least one frame"),
        ([0, 1], (2, 1), ["A"], r"give \(frames, markers, 3\)"),
        ([0, 1], (3, 1, 3), ["A"], "has 3 frames of markers but 2 times"),
        ([0, 1], (2, 2, 3), ["A"], "has 2 markers but 1 marker names"),
        ([0, 1], (2, 0, 3), [], "has no marker"),
        ([0, 1], (2, 2, 3), ["A", " "], "a marker without a name"),
        ([0, 1], (2, 2, 3), ["A", "A"], "names the marker 'A' more than once"),
        ([0, 2, 1], (3, 1, 3), ["A"], r"does not increase at frame 3 \(1 s after 2 s\)"),
        ([0, 0], (2, 1, 3), ["A"], "does not increase at frame 2"),
        ([0, np.nan], (2, 1, 3), ["A"], "time is not a number at frame 2"),
        (["x"], (1, 1, 3), ["A"], "time cannot be read as numbers"),
    ],
)
def test_bad_arrays(time, shape, names, message):
    with pytest.raises(InputError, match=message):
        Trial.checked("walk", time, np.zeros(shape), names)


def test_infinite_marker():
    with pytest.raises(InputError, match="marker 'A' is infinite at frame 1; use NaN for a gap"):
        Trial.checked("walk", [0], [[[np.inf, 0, 0]]], ["A"])


def test_unknown_marker_lists_near_names(trial):
    named = trial.rename({"A": "R.ASIS"})
    with pytest.raises(InputError, match=r"trial 'walk': has no marker 'RASIS' \(did you mean 'R.ASIS'\?\)"):
        named.select(["RASIS"])
