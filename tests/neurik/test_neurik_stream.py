"""Streams: the delay they state, agreement with the whole sequence, gaps, other rates."""

from __future__ import annotations

import numpy as np
import pytest
from walking import taught, walk

from biopose_sim.errors import InputError
from biopose_sim.neurik.network import make_network
from biopose_sim.neurik.network_config import NetworkConfig
from biopose_sim.neurik.predict import Predictor
from biopose_sim.neurik.stream import Stream


@pytest.fixture(scope="module")
def predictor(skeleton):
    return taught(skeleton)


def streamed(stream, markers, step=1):
    """All coordinates, and the most frames that had come after the one that was given."""
    found, late, count = [], 0, 0
    for first in range(0, len(markers), step):
        poses = stream.push(markers[first : first + step])
        if len(poses):
            assert poses.first == count
            late = max(late, min(first + step, len(markers)) - 1 - poses.first)
            count += len(poses)
        found.append(poses.coordinates)
    found.append(stream.finish().coordinates)
    return np.concatenate(found), late


@pytest.mark.parametrize(("rate", "delay"), [(30.0, 0.5), (30.0, 0.1), (120.0, 0.4), (25.0, 0.5), (29.97, 0.3)])
def test_poses_come_within_the_delay_and_agree(predictor, skeleton, rate, delay):
    _, trial = walk(skeleton, 4.0, rate)
    stream = Stream(predictor, rate, delay)
    found, late = streamed(stream, trial.markers)
    assert len(found) == trial.n_frames
    assert late / rate <= stream.delay + 1e-9
    assert stream.delay <= delay
    whole = predictor.person([trial])
    inside = slice(int(rate), -int(rate))
    apart = np.abs(found - whole.results[0].coordinates)[inside, 6:]
    assert np.degrees(apart.mean()) < 1.0
    np.testing.assert_allclose(stream.scales, whole.scales, rtol=0.03)


def test_frames_at_once_or_one_by_one(predictor, skeleton):
    _, trial = walk(skeleton, 3.0)
    one, _ = streamed(Stream(predictor), trial.markers)
    many, _ = streamed(Stream(predictor), trial.markers, 40)
    np.testing.assert_allclose(one, many, atol=2e-5)


def test_no_seam(predictor, skeleton):
    _, trial = walk(skeleton, 6.0)
    stream = Stream(predictor, 30.0, 0.3)
    found, _ = streamed(stream, trial.markers)
    jolts = np.abs(np.diff(found[:, 6:], 2, axis=0)).mean(axis=1)[20:-20]
    by_phase = [jolts[k :: stream._hop].mean() for k in range(stream._hop)]
    assert max(by_phase) < 2.0 * np.mean(by_phase)


def test_dropped_frames_and_missing_markers(predictor, skeleton):
    _, trial = walk(skeleton, 3.0)
    stream = Stream(predictor)
    markers = trial.markers.copy()
    markers[:, 3:9] = np.nan
    count = 0
    for k, frame in enumerate(markers):
        if not 50 <= k < 55:
            count += len(stream.push(frame, time=k / 30.0))
    count += len(stream.finish())
    assert count == trial.n_frames


def test_markers_in_another_order(predictor, skeleton):
    _, trial = walk(skeleton, 2.0)
    names = trial.marker_names[::-1]
    stream = Stream(predictor, marker_names=[*names, "unknown"])
    markers = np.concatenate([trial.markers[:, ::-1], np.zeros((trial.n_frames, 1, 3))], axis=1)
    found, _ = streamed(stream, markers, 50)
    expected, _ = streamed(Stream(predictor), trial.markers, 50)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_what_is_refused(predictor, skeleton):
    for words, arguments in (
        ("give the frames per second", (predictor, 0.0)),
        ("give 0.03 s or more", (predictor, 30.0, 0.0)),
        ("2 of the markers", (predictor, 30.0, 0.5, skeleton.model.marker_names[:2])),
    ):
        with pytest.raises(InputError, match=words):
            Stream(*arguments)
    stream = Stream(predictor)
    with pytest.raises(InputError, match="shape"):
        stream.push(np.zeros((3, 3)))
    stream.push(np.zeros((142, 3)), time=1.0)
    with pytest.raises(InputError, match="in order"):
        stream.push(np.zeros((142, 3)), time=1.0)
    last = make_network(skeleton, NetworkConfig(window=8, hidden=16, width=8, heads=2, layers=1, output="last"))
    with pytest.raises(InputError, match="last frame"):
        Stream(Predictor(last))
