"""The camera: projection, distortion and back, against hand-made numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from biopose_sim.io.camera import Camera

CAMERA = Camera(
    rotation=np.diag([1.0, -1.0, -1.0]),
    position=np.array([0.1, 1.0, 4.0]),
    focal=(1000.0, 900.0),
    centre=(300.0, 500.0),
    width=600,
    height=1000,
)


def test_a_point_is_seen_where_hand_made_numbers_say():
    # Half a metre to the right of the axis and a quarter above it, four metres away.
    across, down, forward = CAMERA.project([0.6, 1.25, 0.0])
    assert (across, down, forward) == (300.0 + 1000.0 * 0.125, 500.0 - 900.0 * 0.0625, 4.0)


def test_distortion_is_that_of_opencv():
    # x = 0.2, y = 0.1, r2 = 0.05 by OpenCV's formula.
    bent = replace(CAMERA, distortion=(0.1, -0.05, 0.01, -0.02, 0.3))
    x, y, r2 = 0.2, 0.1, 0.05
    radial = 1.0 + 0.1 * r2 - 0.05 * r2**2 + 0.3 * r2**3
    wanted = (
        300.0 + 1000.0 * (x * radial + 2 * 0.01 * x * y - 0.02 * (r2 + 2 * x * x)),
        500.0 + 900.0 * (y * radial + 0.01 * (r2 + 2 * y * y) + 2 * -0.02 * x * y),
    )
    np.testing.assert_allclose(bent.project(bent.to_world([0.2, 0.1, 1.0]))[:2], wanted, rtol=1e-12)


def test_rays_lead_back_through_the_lens():
    bent = replace(CAMERA, distortion=(0.1, -0.05, 0.001, -0.002, 0.02))
    points = np.random.default_rng(0).uniform([-1, 0, -1], [1, 2, 1], (50, 3))
    pixels = bent.project(points)
    np.testing.assert_allclose(bent.to_world(bent.rays(pixels[:, :2]) * pixels[:, 2:]), points, atol=1e-8)
    np.testing.assert_allclose(bent.undistorted(pixels[:, :2]), bent.ideal.project(points)[:, :2], atol=1e-5)
