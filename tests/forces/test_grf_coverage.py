"""Measured forces that do not carry the person throughout are named, with the times at which they do."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from biopose_sim import synthetic
from biopose_sim.forces.coverage import uncovered
from biopose_sim.forces.estimate import estimate_ground_reaction
from biopose_sim.io import Motion
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.paths import default_model_path


@pytest.fixture(scope="module")
def walk():
    model = OsimModel.from_file(default_model_path())
    q = synthetic.gait_coordinates(model, 2.0, 50.0)
    time = synthetic.frame_times(2.0, 50.0)
    motion = Motion("walk", time, q, tuple(model.coordinate_names), tuple(model.motion_types))
    return model, motion, replace(estimate_ground_reaction(model, motion), origin="measured")


def test_forces_that_carry_the_person_are_not_complained_of(walk):
    model, motion, reaction = walk
    assert uncovered(reaction, model, motion) == ()


def test_the_times_on_plates_are_named(walk):
    model, motion, reaction = walk
    inside = (reaction.time >= 0.6) & (reaction.time <= 1.4)
    feet = tuple(replace(foot, force=foot.force * inside[:, None]) for foot in reaction.feet)
    (text,) = uncovered(replace(reaction, feet=feet), model, motion)
    first, last = map(float, re.search(r"from ([\d.]+) to ([\d.]+) s", text).groups())
    np.testing.assert_allclose([first, last], [0.6, 1.4], atol=0.05)
    assert f"--from {first:.2f} --to {last:.2f}" in text


def test_forces_in_another_unit_carry_nobody(walk):
    model, motion, reaction = walk
    feet = tuple(replace(foot, force=foot.force / 700.0) for foot in reaction.feet)
    assert "at no time" in uncovered(replace(reaction, feet=feet), model, motion)[0]
