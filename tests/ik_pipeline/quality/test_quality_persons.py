"""Scales, statures, offsets of persons; rules read from a file."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, fields

import numpy as np
import pytest

from biopose_sim.bodies.phenotypes import sample_adults, stature
from biopose_sim.errors import InputError
from biopose_sim.ik.fit import FitConfig
from biopose_sim.paths import default_model_path
from ik_pipeline.quality import PersonQuality, Rules, judge_person, measure_person, measure_trial
from ik_pipeline.types import ModelChoice, ScaledPerson
from ik_pipeline.virtual_fit import virtual_fit_config, virtual_model


@pytest.fixture(scope="module")
def choice():
    config = virtual_fit_config()
    return ModelChoice(default_model_path(), None, virtual_model(), config, config.landmarks)


def _person(choice, scales, offsets=None):
    moved = np.zeros((len(choice.model.marker_names), 3)) if offsets is None else offsets
    return ScaledPerson(choice.model.scale(scales, moved), scales, moved)


def test_a_fitted_person_is_accepted_with_its_stature(virtual, choice):
    known = float(stature(sample_adults(1, 11)[0]))
    fitted = virtual.fitted
    trials = {
        trial.name: measure_trial(fitted.model, result, trial, virtual.landmarks)
        for trial, result in zip(virtual.trials, fitted.results)
    }
    quality = measure_person(ScaledPerson(fitted.model, fitted.scales, fitted.marker_offsets), choice, trials, known)
    assert judge_person(quality, Rules()) == ()
    assert quality.model_stature == pytest.approx(known, rel=0.03)
    assert quality.frames == sum(q.frames for q in trials.values())
    low, high = sorted(q.marker_rms for q in trials.values())
    assert low <= quality.marker_rms <= high
    assert quality.landmark_offset <= quality.offsets[0][1]
    assert PersonQuality.from_json(json.loads(json.dumps(asdict(quality), allow_nan=False))) == quality
    wrong = measure_person(
        ScaledPerson(fitted.model, fitted.scales, fitted.marker_offsets), choice, trials, 1.2 * known
    )
    assert any("stature" in reason for reason in judge_person(wrong, Rules()))


def test_improbable_parts_and_sides_are_named(choice):
    model = choice.model
    scales = np.full((len(model.body_names), 3), 1.1)
    even = measure_person(_person(choice, scales), choice, {})
    assert (even.departures, even.asymmetry, even.asymmetric, even.marker_rms) == ((), 0.0, None, None)
    assert even.size == pytest.approx(1.1)
    for side in "rl":
        scales[model.body_names.index(f"femur_{side}"), 1] *= 1.3
    scales[model.body_names.index("hand_l"), 2] *= 1.25
    quality = measure_person(_person(choice, scales), choice, {})
    assert quality.departures[0][0] == quality.furthest == "thigh y"
    assert quality.departure == pytest.approx(math.log(1.3), abs=0.03)
    assert quality.asymmetric == "hand z"
    assert quality.asymmetry == pytest.approx(math.log(1.25))
    reasons = judge_person(quality, Rules(departure=0.2))
    assert [reason.split()[0] for reason in reasons] == ["thigh", "hand"]
    assert "25 %" in reasons[1]


def test_giants_and_missing_people_are_told(choice):
    giant = measure_person(_person(choice, np.full((len(choice.model.body_names), 3), 2.0)), choice, {})
    assert any("2.00 times larger" in reason for reason in judge_person(giant, Rules()))
    dwarf = measure_person(_person(choice, np.full((len(choice.model.body_names), 3), 0.5)), choice, {})
    assert any("2.00 times smaller" in reason for reason in judge_person(dwarf, Rules()))
    assert choice.fit.prior != FitConfig().prior


def test_rules_come_from_a_table(tmp_path):
    file = tmp_path / "limits.toml"
    file.write_text("[rules]\nmarker_rms = 12\nskate = inf\n[other]\nx = 1\n")
    rules = Rules.from_toml(file)
    assert (rules.marker_rms, rules.skate) == (12.0, math.inf)
    assert rules.landmark_rms == Rules().landmark_rms


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[rules]\nmarker_rsm = 12\n",
            r"limits\.toml: \[rules\] has no limit 'marker_rsm' \(did you mean 'marker_rms'",
        ),
        ("[rules]\nzzz = 12\n", "there are marker_rms, "),
        ("[rules]\nmarker_rms = 'low'\n", "a number of 0 or above is needed"),
        ("[rules]\nmarker_rms = -1\n", "a number of 0 or above is needed"),
        ("[rules]\nmarker_rms = nan\n", "a number of 0 or above is needed"),
        ("marker_rms = 12\n", r"has no table \[rules\]"),
        ("[rules\n", "cannot be read as TOML"),
    ],
)
def test_bad_rules_are_refused_in_one_line(tmp_path, text, message):
    file = tmp_path / "limits.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=message):
        Rules.from_toml(file)


def test_every_limit_is_documented_and_missing_file_is_named(tmp_path):
    for field in fields(Rules):
        assert f"        {field.name}: " in (Rules.__doc__ or ""), field.name
    with pytest.raises(InputError, match="no such file"):
        Rules.from_toml(tmp_path / "none.toml")
