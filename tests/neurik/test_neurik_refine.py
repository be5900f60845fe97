"""Refinement: closer to the truth than network and engine, ranges, disturbances told apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from walking import walk

from biopose_sim.ik.fit import fit
from biopose_sim.neurik.predict import Prediction, given_result
from biopose_sim.neurik.refine import Disturbance, disturbance, refined
from ik_pipeline.virtual_fit import virtual_fit_config


def off_by(result, truth, skeleton):
    columns = [skeleton.model.coordinate_names.index(name) for name in skeleton.joint_names]
    return float(np.degrees(np.abs(result.coordinates - truth)[:, columns]).mean())


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_refined_is_better_than_network_and_engine(skeleton, noise):
    """A made-up network that errs by 2 degrees, differently for each joint, on markers with and without noise."""
    truth, trial = walk(skeleton, 1.0)
    rng = np.random.default_rng(0)
    moved = trial.markers + noise * rng.normal(size=trial.markers.shape)
    # The person's markers lie elsewhere than the model's.
    trial = replace(trial, markers=moved + 0.01 * rng.normal(size=trial.markers.shape[1:]) * (noise > 0.0))
    wrong = truth + np.radians(2.5) * rng.normal(size=truth.shape[1])
    model = skeleton.model.scale(np.ones((len(skeleton.model.body_names), 3)))
    guess = Prediction(model, np.ones((len(model.body_names), 3)), (given_result(model, trial, wrong),))
    found = refined(skeleton, [trial], guess)
    ours = off_by(found.results[0], truth, skeleton)
    assert found.refined
    assert ours < off_by(guess.results[0], truth, skeleton)
    if noise:
        engine = fit(skeleton.model, [trial], virtual_fit_config())
        assert ours < off_by(engine.results[0], truth, skeleton)
    limited = model.tree.clamped | model.tree.dependent
    q, (low, high) = found.results[0].coordinates[:, limited], model.tree.ranges[limited].T
    assert (q >= low).all()
    assert (q <= high).all()
    with torch.no_grad():
        markers = found.model(torch.from_numpy(found.results[0].coordinates)).markers.numpy()
    np.testing.assert_allclose(markers, found.results[0].model_markers, atol=1e-9)


def test_disturbances_are_told_apart():
    rng = np.random.default_rng(0)
    constant = 0.05 * rng.normal(size=(1, 50, 3))
    noise = constant + 0.02 * rng.normal(size=(200, 50, 3))
    slow = constant + 0.02 * np.sin(np.arange(200) / 10.0)[:, None, None] * rng.normal(size=(1, 50, 3))
    noise[:, :10] = np.nan
    assert disturbance([noise]).noise == pytest.approx(4e-4, rel=0.05)
    assert disturbance([noise]).lasting < 2e-5
    assert disturbance([slow]).lasting > 10.0 * disturbance([slow]).noise
    still = disturbance([np.broadcast_to(constant, (200, 50, 3))])
    assert still.lasting == still.noise == 0.0
    assert still.constant == pytest.approx(0.05**2, rel=0.2)
    assert still.unlike > 0.04
    assert disturbance([0.05 * constant]).unlike == 0.0
    # What moves much may be a wrong mesh.
    assert disturbance([slow]).unlike < still.unlike


def test_unlike_bodies_and_noise_loosen_the_pull_and_lasting_errors_tighten_it():
    clean, noisy, lasting = Disturbance(0.0, 0.0, 0.0), Disturbance(0.0, 1e-4, 0.0), Disturbance(1e-4, 0.0, 0.0)
    assert clean.pull(0.01) < 0.1 * clean.pull(0.0)
    assert noisy.pull(0.0) < 0.5 * clean.pull(0.0)
    assert lasting.pull(0.0) > 2.0 * clean.pull(0.0)
    assert (clean.smoothness, lasting.smoothness) == (0.0, 0.0)
    assert noisy.smoothness > 0.0
