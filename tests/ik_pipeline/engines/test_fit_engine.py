"""The engine `fit`: it finds the person, and its numbers do not depend on the number of threads."""

from __future__ import annotations

import json

import numpy as np
import pytest

from biopose_sim.errors import InputError
from ik_pipeline.engines import ENGINES, make_engine


@pytest.fixture(scope="module")
def scaled(choice, person, tmp_path_factory):
    spec, trials = person
    folder = tmp_path_factory.mktemp("fit")
    found = make_engine("fit", choice).scale(spec, trials, folder)
    assert not list(folder.iterdir())
    return found


def test_it_finds_size_and_motion(choice, person, factors, scaled):
    trial = person[1][1][1]
    result = make_engine("fit", choice).solve(scaled, trial)
    assert 1e3 * np.sqrt(np.mean(result.marker_errors**2)) < 2.5  # 1 mm of noise on each axis
    assert np.median(np.abs(scaled.scales / factors - 1.0)) < 0.015
    assert scaled.how["trials"] == ["static", "motion"]
    assert scaled.how["converged"]
    json.dumps(scaled.how)


def test_numbers_do_not_depend_on_threads_or_on_the_run(choice, person, scaled, tmp_path):
    spec, trials = person
    for threads in (1, 2, 7):
        engine = make_engine("fit", choice, threads=threads)
        again = engine.scale(spec, trials, tmp_path)
        assert np.array_equal(again.scales, scaled.scales), threads
        assert np.array_equal(again.marker_offsets, scaled.marker_offsets), threads
    # A trial of hundreds of frames is what threads share.
    long = trials[1][1]
    markers = np.concatenate([long.markers, long.markers[::-1]] * 4)
    trial = type(long).checked("long", np.arange(len(markers)) / 60.0, markers, long.marker_names)
    one, two, seven = (make_engine("fit", choice, threads=n).solve(scaled, trial) for n in (1, 2, 7))
    assert np.array_equal(one.coordinates, two.coordinates)
    assert np.array_equal(one.coordinates, seven.coordinates)
    assert np.array_equal(one.model_markers, two.model_markers)


def test_the_configuration_holds_the_content_and_not_the_threads(choice):
    one, two = (make_engine("fit", choice, threads=n).configuration() for n in (1, 2))
    assert json.dumps(one) == json.dumps(two)
    assert len(one["model"]) == 64
    assert one["engine"] == "fit"
    assert json.dumps(make_engine("fit", choice, accuracy=1e-5).configuration()) != json.dumps(one)


def test_an_unknown_engine_is_refused(choice):
    with pytest.raises(InputError, match=f"use {', '.join(ENGINES)}"):
        make_engine("opensin", choice)
