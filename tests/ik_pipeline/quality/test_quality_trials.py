"""Good recordings are accepted, broken ones are rejected for what is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace

import numpy as np
import pytest

from biopose_sim.errors import InputError
from biopose_sim.ik.fit import fit
from biopose_sim.ik.solver import solve_ik
from biopose_sim.io import Trial
from ik_pipeline.quality import Rules, TrialQuality, judge_trial, measure_trial, trial_severity
from ik_pipeline.virtual_fit import mirrored_trial, virtual_fit_config, virtual_model

RULES = Rules()
Points = np.ndarray


@pytest.mark.parametrize("name", ["DJ1", "DJAsym1", "STSweakLegs1", "squatsAsym1", "static1", "walkingTO2"])
def test_a_laboratorys_trials_are_accepted(lab, name):
    trial = lab.trial(name)
    quality = measure_trial(lab.model, lab.solved(trial), trial, lab.landmarks)
    assert judge_trial(quality, RULES) == ()
    assert trial_severity(quality, RULES) <= 1.0
    assert (quality.floor_from, quality.floor, quality.feet) == ("ground", 0.0, "soles")
    assert quality.upside_down == quality.lying == 0.0


def test_figures_of_a_walk_are_those_of_its_errors(lab, walk):
    trial, result = walk
    quality = measure_trial(lab.model, result, trial, lab.landmarks)
    errors = 1e3 * result.marker_errors
    on_bone = np.array([name in lab.landmarks for name in result.marker_names])
    assert quality.marker_rms == pytest.approx(np.sqrt(np.nanmean(errors**2)))
    assert quality.landmark_rms == pytest.approx(np.sqrt(np.nanmean(errors[:, on_bone] ** 2)))
    assert quality.tracking_rms == pytest.approx(np.sqrt(np.nanmean(errors[:, ~on_bone] ** 2)))
    assert quality.largest_error == pytest.approx(np.nanmax(errors))
    assert np.nanmax(errors[:, result.marker_names.index(quality.largest_marker)]) == quality.largest_error
    assert quality.missing == pytest.approx(np.isnan(errors).mean())
    assert quality.worst_frame == np.nanargmax(result.marker_rmse)
    assert quality.masked_landmarks == pytest.approx(
        (errors[:, on_bone] > 20).sum() / np.isfinite(errors[:, on_bone]).sum()
    )
    assert {"pelvis", "calcn_r", "torso"} <= {name for name, _ in quality.segments}
    assert quality.seconds == pytest.approx(quality.frames / 100.0)


def test_a_virtual_person_is_accepted(virtual):
    for trial, result in zip(virtual.trials, virtual.fitted.results):
        quality = measure_trial(virtual.fitted.model, result, trial, virtual.landmarks)
        assert judge_trial(quality, RULES) == ()
        assert quality.marker_rms < 8.0
        assert quality.jerk_ratio == pytest.approx(1.0, abs=0.1)


def test_json_holds_all_and_gives_it_back(lab, walk):
    trial, result = walk
    gone = replace(result, marker_errors=np.full_like(result.marker_errors, np.nan))
    for solved in (result, gone):
        quality = measure_trial(lab.model, solved, trial, lab.landmarks)
        text = json.dumps(asdict(quality), allow_nan=False)
        assert TrialQuality.from_json(json.loads(text) | {"unknown": 1}) == quality
    assert quality.marker_rms is None
    assert quality.largest_marker is None


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("frames", [1, 2, 3, 15])
def test_the_shortest_trials_are_measured(lab, walk, frames):
    trial = replace(walk[0], time=walk[0].time[:frames], markers=walk[0].markers[:frames].copy())
    trial.markers[0, :3] = np.nan
    quality = measure_trial(lab.model, lab.solved(trial), trial, lab.landmarks)
    assert (quality.frames, quality.jumps) == (frames, 0)
    assert (quality.jerk is None) == (frames < 12)
    json.dumps(asdict(quality), allow_nan=False)


def _jumping(points: Points) -> Points:
    points[::8, 7] += 0.3
    return points


def _swapped(points: Points) -> Points:
    half = len(points) // 2
    points[half:, [3, 20]] = points[half:, [20, 3]]
    return points


def _frozen(points: Points) -> Points:
    points[len(points) // 2 :] = points[len(points) // 2]
    return points


def _held(points: Points) -> Points:
    points[5:, ::10] = points[5, ::10]
    return points


def _noisy(points: Points) -> Points:
    return points + np.random.default_rng(0).normal(0.0, 0.02, points.shape)


BROKEN: dict[str, tuple[Callable[[Points], Points], str]] = {
    "a marker jumps": (_jumping, "jumps in"),
    "two markers are swapped": (_swapped, "is off by"),
    "all markers are frozen": (_frozen, "repeat the frame before"),
    "some markers are frozen": (_held, "markers are off by"),
    "noise of 2 cm": (_noisy, "coordinates jump"),
    "upside down": (lambda points: points * [1, -1, -1] + [0, 1.8, 0], "head is below the feet"),
    "Z is up": (lambda points: points[..., [0, 2, 1]] * [1, -1, 1], "person lies"),
}


@pytest.mark.parametrize(
    ("source", "what"),
    [("virtual", what) for what in BROKEN]
    + [
        ("laboratory", what)
        for what in ("a marker jumps", "all markers are frozen", "noise of 2 cm", "upside down", "Z is up")
    ],
)
def test_broken_markers_are_rejected(lab, walk, virtual, source, what):
    breaks, reason = BROKEN[what]
    if source == "laboratory":
        model, good, config, landmarks = lab.model, walk[0], lab.config(walk[0]), lab.landmarks
    else:
        model, good, config, landmarks = (
            virtual.fitted.model,
            virtual.trials[0],
            virtual_fit_config().ik,
            virtual.landmarks,
        )
    trial = replace(good, markers=breaks(good.markers.copy()))
    reasons = judge_trial(measure_trial(model, solve_ik(model, trial, config), trial, landmarks), RULES)
    assert any(reason in given for given in reasons), reasons
    assert all("(limit" in given for given in reasons)


def _renamed(trial: Trial) -> Trial:
    """Left and right markers are swapped: the mirrored trial mirrored back, names left as they are."""
    mirrored = mirrored_trial(trial)
    return replace(mirrored, markers=trial.markers)


@pytest.mark.parametrize(
    "breaks",
    [
        _renamed,
        lambda trial: replace(trial, markers=1e3 * trial.markers),
        lambda t: replace(t, markers=1e-3 * t.markers),
    ],
    ids=["swapped sides", "mm as m", "m as mm"],
)
def test_wrong_sides_and_units_are_refused_on_a_scaled_model(virtual, breaks):
    with pytest.raises(InputError, match=r"mirrored|times as far apart"):
        solve_ik(virtual.fitted.model, breaks(virtual.trials[0]), virtual_fit_config().ik)


def test_a_fit_to_swapped_sides_is_rejected(virtual):
    trial = _renamed(virtual.trials[0])
    fitted = fit(virtual_model(), [trial], virtual_fit_config())
    quality = measure_trial(fitted.model, fitted.results[0], trial, virtual.landmarks)
    assert any("bony landmarks" in reason for reason in judge_trial(quality, RULES))


def test_lengths_in_another_unit_are_rejected_whoever_solved_them(virtual):
    trial, result = virtual.trials[0], virtual.fitted.results[0]
    apart = np.linalg.norm(1e3 * trial.markers - result.model_markers, axis=2)
    wrong = replace(trial, markers=1e3 * trial.markers)
    quality = measure_trial(virtual.fitted.model, replace(result, marker_errors=apart), wrong, virtual.landmarks)
    assert any("markers are off by" in reason for reason in judge_trial(quality, RULES))
