"""Joint moments of the default model beside those of a laboratory's model, from the same markers and forces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.moments import JUDGED, Compared, measure
from bench.moments_walks import Walk, subject4_walks


@pytest.fixture(scope="module")
def walk(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Walk, Path]:
    work = tmp_path_factory.mktemp("moments")
    (found,) = subject4_walks(test_data, work, ["walking1"])
    return found, work


def test_plates_go_to_the_foot_that_stands_on_them(walk):
    """The shipped setups give both plates to the right talus; the left foot stands from 0.53 to 1.2 s."""
    reaction = walk[0].reaction
    left = reaction.foot("l").force[:, 1] > 20.0
    assert reaction.time[left][[0, -1]] == pytest.approx([0.54, 1.20], abs=0.011)
    assert walk[0].unmeasured["r"] == ()
    ((start, end),) = walk[0].unmeasured["l"]  # it leaves the floor before it comes onto its plate
    assert start == 0.0
    assert 0.05 < end < 0.2


def test_moments_reach_the_targets(walk):
    compared, residuals = measure(*walk)
    judged = [c for c in compared if c.coordinate[:-2] in JUDGED]
    assert len(judged) == 6
    assert not [c for c in judged if not c.reached]
    weight = 9.81 * walk[0].mass
    assert residuals["default"]["force rms"] < max(0.06 * weight, 1.2 * residuals["laboratory"]["force rms"])


def test_a_peak_is_compared_in_parts_of_the_largest_moment():
    found = Compared("walk", "knee_angle_r", 0.99, (20.0, -50.0, 26.0, -51.0), 1.0)
    assert found.peak_errors == (pytest.approx(12.0), pytest.approx(-2.0))
    assert found.reached
    assert not Compared("walk", "knee_angle_r", 0.94, (20.0, -50.0, 20.0, -50.0), 1.0).reached
    assert not Compared("walk", "knee_angle_r", 0.99, (20.0, -50.0, 20.0, -42.0), 1.0).reached
    assert np.isclose(found.scale, 50.0)
