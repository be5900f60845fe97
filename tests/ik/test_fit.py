"""Fitting a person: recovery of a known truth, and lower errors than scaling by hand on real trials."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import biopose_sim as bp
from biopose_sim.ik.fit import FitConfig
from biopose_sim.ik.fit_frames import choose_frames
from biopose_sim.ik.setup_files import read_ik_setup
from biopose_sim.ik.types import IKConfig
from biopose_sim.io import read_trc
from biopose_sim.paths import default_model_path
from biopose_sim.synthetic import gait_coordinates, markers_from_coordinates, random_anthropometry, static_pose

RATE = 100.0
LONGEST_AXIS = {"femur_r": 1, "tibia_r": 1, "calcn_r": 0, "humerus_r": 1, "ulna_r": 1, "thorax": 1, "pelvis": 2}


@pytest.fixture(scope="module")
def generic() -> bp.OsimModel:
    return bp.OsimModel.from_file(default_model_path())


@pytest.fixture(scope="module")
def person(generic: bp.OsimModel) -> dict:
    """A known person with two noisy trials and the fit of them."""
    scales = random_anthropometry(generic, np.random.default_rng(3))
    truth = generic.scale(scales)
    walk = gait_coordinates(truth, 1.2, RATE)
    still = np.repeat(static_pose(truth)[None], 20, axis=0)
    trials = [
        markers_from_coordinates(truth, still, np.arange(20) / RATE, name="static", seed=1),
        markers_from_coordinates(truth, walk, np.arange(len(walk)) / RATE, name="walk", seed=2),
    ]
    return {"scales": scales, "model": truth, "walk": walk, "trials": trials, "fit": bp.fit(generic, trials)}


def test_recovers_segment_lengths_and_angles(generic: bp.OsimModel, person: dict) -> None:
    fitted = person["fit"]
    assert fitted.converged
    errors = [
        abs(
            fitted.scales[generic.body_names.index(body), axis] / person["scales"][generic.body_names.index(body), axis]
            - 1
        )
        for body, axis in LONGEST_AXIS.items()
    ]
    assert np.median(errors) <= 0.01
    assert max(errors) <= 0.025
    clean = markers_from_coordinates(
        person["model"], person["walk"], np.arange(len(person["walk"])) / RATE, noise=0.0, gap_fraction=0.0
    )
    result = bp.solve_ik(fitted.model, clean)
    truth = person["model"](torch.from_numpy(person["walk"])).coordinates.numpy()
    rotational = np.array([t == "rotational" for t in generic.motion_types])
    assert np.degrees(np.abs(result.coordinates - truth)[:, rotational]).mean() <= 0.5


def test_result_holds_together(person: dict) -> None:
    fitted = person["fit"]
    np.testing.assert_allclose(fitted.model.scales, fitted.scales)
    np.testing.assert_allclose(fitted.model.marker_offsets, fitted.marker_offsets)
    assert [r.name for r in fitted.results] == ["static", "walk"]
    names = fitted.model.body_names
    np.testing.assert_array_equal(fitted.scales[names.index("femur_r")], fitted.scales[names.index("femur_l")])
    assert np.all(fitted.scale_sd > 0.0)
    assert fitted.scale_sd[names.index("femur_r"), 1] < 0.03


def test_same_input_gives_the_same_fit(generic: bp.OsimModel, person: dict) -> None:
    again = bp.fit(generic, person["trials"])
    np.testing.assert_allclose(again.scales, person["fit"].scales, atol=1e-6)


def test_moved_tracking_markers_are_found(generic: bp.OsimModel, person: dict) -> None:
    moved = np.zeros((len(generic.marker_names), 3))
    row = generic.marker_names.index("RTH1")
    moved[row] = (0.03, 0.02, 0.0)
    trial = markers_from_coordinates(
        person["model"],
        person["walk"],
        np.arange(len(person["walk"])) / RATE,
        noise=0.001,
        marker_offsets=moved,
        gap_fraction=0.0,
    )
    fitted = bp.fit(generic, [trial])
    np.testing.assert_allclose(fitted.marker_offsets[row], moved[row], atol=0.008)


def test_frames_are_spread_over_trials(generic: bp.OsimModel, person: dict) -> None:
    frames = choose_frames(generic, person["trials"], IKConfig(), 30)
    assert frames.trial.n_frames == 30
    assert [p.stop - p.start for p in frames.parts] == [15, 15]
    every = choose_frames(generic, person["trials"], IKConfig(), 1000)
    assert every.trial.n_frames == sum(t.n_frames for t in person["trials"])


def test_trials_are_needed(generic: bp.OsimModel) -> None:
    with pytest.raises(bp.InputError, match="no trials were given"):
        bp.fit(generic, [])


def test_a_trial_without_common_markers_is_named(generic: bp.OsimModel, person: dict) -> None:
    other = replace(person["trials"][0], name="other", marker_names=tuple(f"X{i}" for i in range(118)))
    with pytest.raises(bp.InputError, match="other: shares no marker name"):
        bp.fit(generic, [person["trials"][1], other])


def test_lower_errors_than_hand_scaling_on_real_trials(test_data: Path) -> None:
    folder = test_data / "opencap_lab_subject4"
    generic = bp.OsimModel.from_file(folder / "Models" / "unscaled_generic.osim")
    by_hand = bp.OsimModel.from_file(folder / "Models" / "manually_scaled.osim")
    names = ["walking1", "squats1"]
    trials = {n: read_trc(folder / "MarkerData" / f"{n}.trc") for n in ["static1", *names]}
    setup = read_ik_setup(folder / "IK" / "walking1_ik_on_manually_scaled_setup.xml")
    config = setup.config(by_hand, trials["walking1"])
    fitted = bp.fit(generic, list(trials.values()), FitConfig(ik=config))
    for name in names:
        before = bp.solve_ik(by_hand, trials[name], config).weighted_marker_rmse.mean()
        after = bp.solve_ik(fitted.model, trials[name], config).weighted_marker_rmse.mean()
        assert after < before, name
    departure = np.log(fitted.scales) - np.log(fitted.scales).mean()
    assert np.abs(departure).max() < 0.16
