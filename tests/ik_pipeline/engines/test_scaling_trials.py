"""Which trials and frames a model is scaled from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from biopose_sim.errors import InputError
from ik_pipeline.scaling_trials import choose_scaling_trials, choose_static_frames
from ik_pipeline.types import PersonSpec, TrialSpec


def person_with(*trials: TrialSpec) -> PersonSpec:
    return PersonSpec("p", "x", trials, "p")


def test_static_trials_come_first_with_motions_of_different_actions():
    motions = [TrialSpec(f"{action}{k}", (), action=action) for action in "abcdefgh" for k in range(3)]
    chosen, why = choose_scaling_trials(person_with(*motions, TrialSpec("stand", (), scaling="T-pose")))
    assert next(t.name for t in chosen) == "stand"
    assert len(chosen) == 5
    assert len({t.action for t in chosen[1:]}) == 4
    assert "stand (T-pose)" in why
    assert chosen[-1].name in why


def test_without_static_trial_motions_are_chosen_and_it_is_said():
    chosen, why = choose_scaling_trials(person_with(*(TrialSpec(f"m{k:02d}", ()) for k in range(40))))
    assert len(chosen) == 6
    assert why.startswith("no static trial")
    assert chosen[0].name == "m00"
    assert chosen[-1].name == "m39"


def test_a_person_without_trials_is_refused():
    with pytest.raises(InputError, match="has no trials"):
        choose_scaling_trials(person_with())


def test_frames_that_stand_still_are_found(choice, person):
    _, trials = person
    static, why = choose_static_frames(choice, trials)
    assert static.time[0] >= 20 / 60.0 - 1e-9
    assert static.n_frames >= 25
    assert "the static trial" in why


def test_a_motion_gives_its_most_upright_frame(choice, person):
    _, trials = person
    spec = replace(trials[0][0], scaling=None)
    static, why = choose_static_frames(choice, [trials[1], (spec, trials[0][1])])
    assert static.name == "static"
    assert static.time[0] >= 20 / 60.0 - 1e-9
    assert "no static trial" in why


def test_frames_without_the_markers_that_are_measured_are_passed_over(choice, person):
    spec, trial = person[1][0]
    markers = trial.markers.copy()
    column = trial.marker_names.index("RASI")
    markers[: trial.n_frames - 5, column] = np.nan
    static, _ = choose_static_frames(choice, [(spec, replace(trial, markers=markers))])
    assert static.n_frames == 5
    assert np.isfinite(static.markers[:, column]).all()
