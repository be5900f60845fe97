"""The key points as mixes of virtual markers."""

from __future__ import annotations

import numpy as np
import pytest

from biopose_sim.errors import InputError
from biopose_sim.video.points.body_points import body_points, with_key_points
from biopose_sim.video.points.keypoints import COMMON
from ik_pipeline.virtual_fit import virtual_model


def test_points_lie_on_the_model_where_they_should():
    model = virtual_model()
    found = model(model.default_coordinates.detach())
    markers = found.markers.detach().numpy()
    points = dict(zip(COMMON, body_points().matrix(model.marker_names) @ markers))
    # Upright, X forward, Y up, Z right.
    assert points["nose"][1] > points["left_shoulder"][1] > points["left_hip"][1] > points["left_knee"][1]
    assert points["left_hip"][2] < 0.0 < points["right_hip"][2]
    assert points["right_big_toe"][0] > points["right_heel"][0] + 0.15
    for left in (name for name in COMMON if name.startswith("left")):
        mirrored = points[left] * [1.0, 1.0, -1.0]
        np.testing.assert_allclose(mirrored, points[left.replace("left", "right")], atol=0.002)
    middle = 0.5 * (points["left_knee"] + points["left_ankle"])
    assert 0.15 < points["left_knee"][1] - middle[1] < 0.25


def test_a_mix_needs_its_markers(tmp_path):
    with pytest.raises(InputError, match="'nose' needs the marker 'NASI'"):
        body_points().matrix(["LACR", "RACR"])
    table = body_points().source.read_text().replace("NASI:0.695", "NASI:0.5")
    (tmp_path / "wrong.csv").write_text(table)
    with pytest.raises(InputError, match=r"line 2: the shares of 'nose' sum to 0\.805"):
        body_points(tmp_path / "wrong.csv")


def test_a_model_of_any_size_carries_them():
    model = virtual_model()
    scales = np.ones((len(model.body_names), 3))
    scales[model.body_names.index("head")] = [1.2, 0.9, 1.1]
    scales[model.body_names.index("femur_l")] = [1.0, 1.1, 1.0]
    scaled = model.scale(scales)
    q = scaled.default_coordinates.detach()
    markers = with_key_points(scaled)(q).markers.detach().numpy()
    np.testing.assert_allclose(
        markers[-len(COMMON) :], body_points().matrix(model.marker_names) @ markers[:142], atol=1e-9
    )
