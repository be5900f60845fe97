"""Prediction: windows without seams, ranges, rates, frames without markers, several sequences at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from walking import taught, walk

import biopose_sim as bp
from biopose_sim.errors import InputError
from biopose_sim.io import Trial
from biopose_sim.neurik.network import make_network
from biopose_sim.neurik.network_config import NetworkConfig
from biopose_sim.neurik.predict import Predictor
from biopose_sim.neurik.sampling import between, bridged, resampled
from biopose_sim.neurik.weights import save_network
from biopose_sim.neurik.windows import window_frames


@pytest.fixture(scope="module")
def predictor(skeleton):
    return taught(skeleton)


def joints(predictor, coordinates):
    columns = [predictor.skeleton.model.coordinate_names.index(n) for n in predictor.skeleton.joint_names]
    return np.asarray(coordinates)[:, columns]


@pytest.mark.parametrize("rate", [30.0, 60.0])
def test_no_seam_where_windows_meet(predictor, skeleton, rate):
    """A frame jolts no more where windows begin or fade than where they do not; recordings begin later and later."""
    _, trial = walk(skeleton, 6.0, rate)
    markers, step = torch.from_numpy(trial.markers), round(rate / 30.0)
    length, overlap = predictor.network.config.window, predictor.overlap
    jolts = np.full((8, trial.n_frames), np.nan)
    border = np.zeros(jolts.shape, dtype=bool)
    for row, later in enumerate(range(0, 8 * 3 * step, 3 * step)):
        found, _ = predictor.coordinates(markers[later:], rate)
        jolts[row, later + 1 : -1] = np.abs(np.diff(joints(predictor, found), 2, axis=0)).mean(axis=1)
        for start in range(length - overlap, (len(found) - 1) // step - length, length - overlap):
            for place in (start, start + overlap):
                border[row, later + place * step - step : later + place * step + step] = True
    inner = slice(30 * step, -60 * step)
    jolts, border = jolts[:, inner], border[:, inner]
    usual = jolts.mean(axis=0)
    assert border.sum() > 20
    assert (jolts / usual)[border].mean() < 1.25


@pytest.mark.parametrize("rate", [120.0, 29.97, 240.0, 12.5])
def test_any_rate_gives_the_same_motion(predictor, skeleton, rate):
    _, slow = walk(skeleton, 3.0)
    _, trial = walk(skeleton, 3.0, rate)
    ours = joints(predictor, predictor.person([trial]).results[0].coordinates)
    theirs = joints(predictor, predictor.person([slow]).results[0].coordinates)
    assert len(ours) == trial.n_frames
    common = np.array([np.interp(trial.time, slow.time, column) for column in theirs.T]).T
    assert np.degrees(np.abs(ours - common).mean()) < (2.0 if rate < 20.0 else 0.5)


@pytest.mark.parametrize("frames", [1, 2, 5, 33])
def test_any_length(predictor, skeleton, frames):
    _, trial = walk(skeleton, 2.0)
    short = replace(trial, time=trial.time[:frames], markers=trial.markers[:frames], nominal_rate=30.0)
    result = predictor.person([short]).results[0]
    assert result.coordinates.shape == (frames, len(skeleton.model.coordinate_names))
    assert np.isfinite(result.coordinates).all()


@pytest.mark.parametrize("spread", [0.1, 3.0, 1e3])
def test_no_coordinate_leaves_its_range(skeleton, tmp_path, spread):
    """Random networks, random markers, any rate: in memory and as written in degrees."""
    model = skeleton.model
    for seed in range(4):
        torch.manual_seed(seed)
        network = make_network(skeleton, NetworkConfig(window=8, hidden=16, width=8, heads=2, layers=1))
        network.pose_sd.fill_(5.0)
        rng = np.random.default_rng(seed)
        markers = rng.normal(0.0, spread, (20, len(model.marker_names), 3))
        markers[rng.random(markers.shape[:2]) < 0.3] = np.nan
        trial = Trial.checked("t", np.arange(20) / rng.choice([30.0, 77.0]), markers, model.marker_names)
        result = Predictor(network).person([trial]).results[0]
        path = bp.io.write_mot(tmp_path / "t.mot", result)
        written = bp.io.read_mot(path, dict(zip(model.coordinate_names, model.motion_types)))
        limited = model.tree.clamped | model.tree.dependent
        low, high = model.tree.ranges[limited].T
        for values in (result.coordinates, written.coordinates):
            assert np.isfinite(values).all()
            assert (values[:, limited] >= low).all()
            assert (values[:, limited] <= high).all()
        at_limit = np.abs(result.coordinates[:, limited] - high) < 1e-6
        assert at_limit.any()


def test_missing_markers_and_frames(predictor, skeleton):
    _, trial = walk(skeleton, 3.0)
    markers = trial.markers.copy()
    markers[:, 5:15] = np.nan
    markers[40:46] = np.nan
    result = predictor.person([replace(trial, markers=markers)]).results[0]
    assert np.isfinite(result.coordinates).all()
    assert (~result.converged).sum() == 6
    assert "6 of 91 frames" in " ".join(result.warnings)
    j = joints(predictor, result.coordinates)
    # Straight on between the frames that are seen.
    np.testing.assert_allclose(np.diff(j[39:47], 2, axis=0), 0.0, atol=1e-6)


def test_what_is_refused(predictor, skeleton):
    _, trial = walk(skeleton, 1.0)
    with pytest.raises(InputError, match="has 9 of the 142 markers"):
        predictor.person([trial.select(trial.marker_names[:9])])
    with pytest.raises(InputError, match="no trials"):
        predictor.person([])
    uneven = trial.time.copy()
    uneven[15:] += 0.1
    with pytest.raises(InputError, match="not evenly spaced"):
        predictor.person([replace(trial, time=uneven)])
    with pytest.raises(InputError, match="no frame in which 10"):
        predictor.person([replace(trial, markers=np.full_like(trial.markers, np.nan))])


def test_many_are_as_one_by_one(predictor, skeleton):
    trials = [walk(skeleton, seconds)[1] for seconds in (1.0, 3.0, 2.0)]
    together = predictor.many([trials[:2], trials[2:]])
    for own, found in zip((trials[:2], trials[2:]), together):
        alone = predictor.person(own)
        np.testing.assert_allclose(found.scales, alone.scales, atol=1e-6)
        for a, b in zip(found.results, alone.results):
            np.testing.assert_allclose(a.coordinates, b.coordinates, atol=2e-5)


def test_by_name(predictor, skeleton, tmp_path):
    folder = save_network(tmp_path / "small", predictor.network, {"licence": "Apache-2.0"})
    net = bp.NeurIK.from_pretrained(folder, skeleton.model)
    _, trial = walk(skeleton, 1.0)
    result = net.predict(trial)
    np.testing.assert_array_equal(result.coordinates, predictor.person([trial]).results[0].coordinates)
    assert net.card["licence"] == "Apache-2.0"
    assert result.marker_names == skeleton.model.marker_names


def test_results_open_in_opensim(predictor, skeleton, tmp_path):
    from biopose_sim.cli.reopen import reopen

    _, trial = walk(skeleton, 1.0)
    prediction = predictor.person([trial])
    bp.export_osim(prediction.model, tmp_path / "person.osim", mass=70.0, motions=prediction.results)
    bp.io.write_mot(tmp_path / "walk.mot", prediction.results[0])
    assert reopen(tmp_path / "person.osim", tmp_path / "walk.mot").degrees < 1e-4


def test_a_network_of_the_last_frame_sees_each_frame_once(skeleton):
    network = make_network(skeleton, NetworkConfig(window=8, hidden=16, width=8, heads=2, layers=1, output="last"))
    seen, said, _ = window_frames(20, network, 2)
    assert seen.shape == (20, 8)
    assert said.flatten().tolist() == list(range(20))
    _, trial = walk(skeleton, 0.5)
    assert Predictor(network).person([trial]).results[0].coordinates.shape[0] == trial.n_frames


def test_resampling_follows_straight_lines_with_gaps():
    line = (torch.arange(60.0) / 100.0)[:, None, None].expand(-1, 1, 3).clone()
    line[20] = torch.nan
    line[40:50] = torch.nan
    slow = resampled(line, 100.0, 30.0)
    seen = torch.isfinite(slow[:, 0, 0])
    torch.testing.assert_close(slow[seen, 0, 0], (torch.arange(len(slow)) / 30.0)[seen], atol=1e-5, rtol=0)
    assert (~seen).sum() in (2, 3)


def test_curves_pass_through_their_rows():
    rows = torch.randn(9, 2, dtype=torch.float64)
    torch.testing.assert_close(between(rows, torch.arange(9.0, dtype=torch.float64)), rows)
    straight = torch.arange(5.0, dtype=torch.float64)[:, None]
    places = torch.linspace(0, 4.7, 20, dtype=torch.float64)
    torch.testing.assert_close(between(straight, places)[:, 0], places)
    seen = torch.tensor([False, True, False, False, True])
    torch.testing.assert_close(bridged(straight, seen)[:, 0], torch.tensor([1.0, 1, 2, 3, 4]).double())
