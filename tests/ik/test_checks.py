"""Wrong units, mirrored recordings and swapped left and right markers are found and named."""

from dataclasses import replace

import numpy as np
import pytest
from ik_cases import load_model, smooth_motion, trial_of

from biopose_sim.errors import InputError
from biopose_sim.ik.checks import side_pairs
from biopose_sim.ik.solver import solve_ik


@pytest.fixture(scope="module")
def case(test_data):
    model = load_model(test_data, "Rajagopal2016")
    return model, trial_of(model, smooth_motion(model, 30), noise=0.005)


def _exchanged(trial, pairs):
    markers = trial.markers.copy()
    for a, b in pairs:
        i, j = trial.index(a), trial.index(b)
        markers[:, [i, j]] = markers[:, [j, i]]
    return replace(trial, markers=markers)


def test_a_good_trial_has_no_complaint(case):
    assert not any("swapped" in w or "mirrored" in w for w in solve_ik(*case).warnings)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_mirrored(case, axis):
    model, trial = case
    flip = np.ones(3)
    flip[axis] = -1.0
    with pytest.raises(InputError, match="mirrored"):
        solve_ik(model, replace(trial, markers=trial.markers * flip))


@pytest.mark.parametrize(
    "pair", [("RKNE", "LKNE"), ("RASI", "LASI"), ("RLFC", "LLFC"), ("RACR", "LACR"), ("RTOE", "LTOE")]
)
def test_one_swapped_pair_is_named(case, pair):
    model, trial = case
    if pair[0] not in trial.marker_names:
        pytest.skip("the model has no such marker")
    with pytest.raises(InputError, match=f"{pair[0]} and {pair[1]}"):
        solve_ik(model, _exchanged(trial, [pair]))


def test_all_sides_swapped(case):
    model, trial = case
    pairs = [(trial.marker_names[a], trial.marker_names[b]) for a, b in side_pairs(trial.marker_names)]
    assert len(pairs) > 20
    with pytest.raises(InputError, match="swapped"):
        solve_ik(model, _exchanged(trial, pairs))


@pytest.mark.parametrize(
    ("factor", "what"), [(1000.0, "millimetres read as metres"), (0.001, "metres read as millimetres")]
)
def test_units(case, factor, what):
    model, trial = case
    with pytest.raises(InputError, match=what):
        solve_ik(model, replace(trial, markers=trial.markers * factor))


def test_side_pairs_by_name():
    names = ("RASI", "LASI", "r_knee_study", "L_knee_study", "Knee.R", "Knee.L", "foot_r_tip", "foot_l_tip", "C7")
    assert side_pairs(names) == [(0, 1), (2, 3), (4, 5), (6, 7)]
