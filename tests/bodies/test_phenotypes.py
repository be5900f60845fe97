"""Random adults: statures and masses as published, the same seed the same people."""

from __future__ import annotations

import numpy as np
import pytest

from biopose_sim.bodies.anny_table import PHENOTYPES
from biopose_sim.bodies.phenotypes import (
    BODY_MASS_INDEX,
    STATURE,
    body_mass_index,
    mass,
    sample_adults,
    stature,
)
from biopose_sim.errors import InputError


@pytest.mark.parametrize(("sex", "gender", "kilograms"), [("male", 0, 85.5), ("female", 1, 67.8)])
def test_stature_and_mass_are_those_of_the_survey(sex, gender, kilograms):
    people = sample_adults(45, 1, sex)
    assert (people[:, PHENOTYPES.index("gender")] == gender).all()
    assert (people >= 0).all()
    assert (people <= 1).all()
    tall, heavy = stature(people), mass(people)
    mean, deviation = STATURE[sex]
    # Three standard errors of 45 people, and the spread within a third.
    assert tall.mean() == pytest.approx(mean, abs=3 * deviation / 45**0.5)
    assert tall.std() == pytest.approx(deviation, rel=0.3)
    assert heavy.mean() == pytest.approx(kilograms, abs=6)
    assert body_mass_index(people).std() == pytest.approx(BODY_MASS_INDEX[sex][1], rel=0.35)
    assert np.corrcoef(tall, heavy)[0, 1] > 0.2


def test_seed_and_both_sexes():
    people = sample_adults(5, 7)
    np.testing.assert_array_equal(people, sample_adults(5, 7))
    assert not np.array_equal(people, sample_adults(5, 8))
    assert people[:, PHENOTYPES.index("gender")].tolist() == [1, 0, 1, 0, 1]


def test_shapes_follow_the_values():
    one = np.array([0, 0.8, 0.5, 0.5, 0.4, 0.5])
    assert stature(one).shape == ()
    assert stature(one) == pytest.approx(1.787, abs=0.005)
    assert mass(one, density=980) == pytest.approx(71.56, abs=0.2)
    assert mass(np.stack([[one, one]])).shape == (1, 2)
    taller = one + np.array([0, 0, 0, 0, 0.1, 0])
    assert stature(taller) > stature(one) + 0.03


def test_bad_arguments():
    with pytest.raises(InputError, match="at least one person"):
        sample_adults(0, 1)
    with pytest.raises(InputError, match="'male', 'female' or None"):
        sample_adults(1, 1, "man")
    with pytest.raises(InputError, match="gender, age, muscle"):
        stature(np.zeros(5))
