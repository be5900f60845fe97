"""From key points of several cameras to a scaled model and its motion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_video_triangulate import changed, views_of
from walking_clips import exchange

from biopose_sim.errors import InputError
from biopose_sim.synthetic.gait import gait_coordinates
from biopose_sim.video.points.body_points import body_points
from biopose_sim.video.points.keypoints import COMMON
from biopose_sim.video.triangulation.rest_pose import at_rest, rest_pose
from biopose_sim.video.triangulation.triangulate import triangulate
from biopose_sim.video.triangulation.triangulated import (
    fit_points,
    key_point_model,
    model_stature,
    triangulated_estimate,
)

LEGS = ("hip_flexion", "hip_adduction", "knee_angle", "ankle_angle")
SIZE = 1.06


@pytest.fixture(scope="module")
def walker():
    """A larger person than the model's, walking: coordinates and key points."""
    from ik_pipeline.virtual_fit import virtual_model

    model = virtual_model()
    model = model.scale(np.full((len(model.body_names), 3), SIZE))
    q = gait_coordinates(model, 1.2, 30.0)
    with torch.no_grad():
        markers = model(torch.from_numpy(q)).markers.numpy()
    return model, q, body_points().matrix(model.marker_names) @ markers


@pytest.fixture(scope="module")
def estimate(walker):
    _, _, points = walker
    views = views_of(points, noise=2.0)
    views[1] = changed(views[1], exchange(views[1].key_points.points, slice(8, 16)))
    hidden = views[2].key_points.points.copy()
    hidden[18:26] = np.nan
    views[2] = changed(views[2], hidden)
    return triangulated_estimate(views)


def test_motion_and_size_are_found(walker, estimate):
    model, q, _ = walker
    names = model.coordinate_names
    legs = [k for k, name in enumerate(names) if name.startswith(LEGS) and not name.endswith("beta")]
    with torch.no_grad():
        true = model(torch.from_numpy(q)).coordinates.numpy()
    off = np.degrees(np.abs(estimate.coordinates - true)[:, legs])
    assert off.mean() < 5.0  # what key points leave open (pelvis tilt) is in it
    assert model_stature(estimate.model) == pytest.approx(SIZE * model_stature(key_point_model()), rel=0.03)
    assert estimate.size_known
    assert estimate.source == "triangulation"
    assert estimate.seen.all()
    assert estimate.coordinates.shape == q.shape
    assert len(estimate.model.marker_names) == 142
    assert not set(estimate.model.marker_names) & set(COMMON)
    assert any("exchanged in 8 frames" in note for note in estimate.notes)


def test_the_model_is_where_the_cameras_see_the_person(walker, estimate):
    _, _, points = walker
    with torch.no_grad():
        markers = estimate.model(torch.from_numpy(estimate.coordinates)).markers.numpy()
    off = np.linalg.norm(body_points().matrix(estimate.model.marker_names) @ markers - points, axis=-1)
    assert float(off.mean()) < 0.02


def test_a_stature_sets_the_scale(walker):
    _, _, points = walker
    found = triangulate(views_of(points, noise=1.0))
    twice = fit_points(replace(found, points=0.5 * found.points), stature=1.8)
    assert model_stature(twice.model) == pytest.approx(1.8, rel=0.02)
    assert any(
        "Lengths of the calibration were multiplied by" in note and "That is much" in note for note in twice.notes
    )
    np.testing.assert_allclose(
        np.diff(twice.coordinates[:, 3:6], axis=0).sum(0),
        np.diff(fit_points(found).coordinates[:, 3:6], axis=0).sum(0) * 1.8 / (SIZE * model_stature(key_point_model())),
        atol=0.05,
    )


def test_too_little_is_seen(walker):
    _, _, points = walker
    found = triangulate(views_of(points))
    nothing = replace(found, points=np.full_like(found.points, np.nan))
    with pytest.raises(InputError, match="only 0 frames show 8 key points to two cameras"):
        fit_points(nothing)


def test_usual_pose():
    model = key_point_model()
    usual = rest_pose(model.coordinate_names)
    names = model.coordinate_names
    assert np.isnan(usual.usual[names.index("pelvis_tx")])
    assert np.degrees(usual.usual[names.index("pro_sup_r")]) == pytest.approx(114, abs=5)
    assert usual.usual[names.index("knee_angle_r")] == usual.usual[names.index("knee_angle_l")]
    resting = at_rest(model)
    assert resting.default_coordinates[names.index("pro_sup_r")] > 1.5
    assert model.default_coordinates[names.index("pro_sup_r")] == 0.0
    q = torch.zeros(len(names), dtype=torch.float64)
    torch.testing.assert_close(resting(q).markers, model(q).markers)
