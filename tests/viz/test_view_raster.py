"""Triangles to pixels: coverage, depth and camera against exact geometry."""

from __future__ import annotations

import numpy as np
import pytest

from biopose_sim.bodies.raster import rasterize, vertex_normals
from biopose_sim.io.camera import Camera
from biopose_sim.viz.viewer.shapes import box, ellipsoid, rounded, sphere, tube

WIDTH, HEIGHT = 200, 150
CAMERA = Camera.look_at([0.4, 1.1, 3.0], [0.0, 1.0, 0.0], WIDTH, HEIGHT, view_angle=30.0)


def pixel_rays() -> np.ndarray:
    """(H, W, 3) unit directions of the pixels' centres."""
    x, y = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    rays = CAMERA.rays(np.stack([x, y], axis=-1)) @ CAMERA.rotation
    return rays / np.linalg.norm(rays, axis=-1, keepdims=True)


def test_camera_puts_what_it_looks_at_in_the_middle():
    middle, right, above = CAMERA.project([[0.0, 1.0, 0.0], [0.1, 1.0, 0.0], [0.0, 1.1, 0.0]])
    np.testing.assert_allclose(middle[:2], [WIDTH / 2, HEIGHT / 2], atol=1e-9)
    assert right[0] > middle[0]
    assert above[1] < middle[1]
    np.testing.assert_allclose(CAMERA.rotation @ CAMERA.rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(CAMERA.rotation) == pytest.approx(1.0)


def test_a_ball_covers_the_pixels_whose_rays_meet_it():
    centre, radius = np.array([0.05, 1.02, 0.1]), 0.35
    ball = sphere(centre, radius, 5)
    found = rasterize(ball.vertices, ball.faces, CAMERA)
    rays = pixel_rays()
    along = (centre - CAMERA.position) @ rays.reshape(-1, 3).T
    squared = radius**2 - (np.sum((centre - CAMERA.position) ** 2) - along**2)
    exact = (squared >= 0.0).reshape(HEIGHT, WIDTH)
    assert (found.covered & exact).sum() / (found.covered | exact).sum() >= 0.99
    both = found.covered & exact
    reach = (along - np.sqrt(np.maximum(squared, 0.0))).reshape(HEIGHT, WIDTH) * (rays @ CAMERA.rotation[2])
    np.testing.assert_allclose(1.0 / found.nearness[both], reach[both], atol=0.02)


def test_the_nearer_triangle_is_seen_whatever_their_order():
    corners = np.array([[-1, 0, 0], [1, 0, 0], [0, 2, 0]], dtype=float)
    points = np.concatenate([corners, corners + np.array([0.0, 0.0, 0.5])])
    for faces, near in (([[0, 1, 2], [3, 4, 5]], 1), ([[3, 4, 5], [0, 1, 2]], 0)):
        found = rasterize(points, faces, CAMERA)
        assert set(np.unique(found.face[found.covered])) == {near}


def test_weights_lead_back_to_the_point_seen():
    corners = np.array([[-0.5, 0.6, 0.6], [0.6, 0.8, -1.0], [0.0, 1.5, 0.2]])
    found = rasterize(corners, [[0, 1, 2]], CAMERA)
    y, x = np.nonzero(found.covered)
    shares = found.weights[y, x].astype(float)
    points = np.concatenate([shares, 1.0 - shares.sum(axis=1, keepdims=True)], axis=1) @ corners
    np.testing.assert_allclose(CAMERA.project(points)[:, :2], np.stack([x, y], axis=1) + 0.5, atol=0.01)


def test_neighbours_leave_no_crack_and_what_is_behind_or_no_number_is_left_out():
    grid = np.stack(np.meshgrid(np.linspace(-2, 2, 18), np.linspace(-1, 3, 18)), axis=-1).reshape(-1, 2)
    points = np.column_stack([grid, 0.05 * np.sin(9.0 * grid[:, 0])])
    index = np.arange(18 * 18).reshape(18, 18)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    assert rasterize(points, faces, CAMERA).covered.all()
    assert not rasterize(points + np.array([0.0, 0.0, 9.0]), faces, CAMERA).covered.any()
    assert not rasterize(np.full_like(points, np.nan), faces, CAMERA).covered.any()


@pytest.mark.parametrize(
    "mesh",
    [
        sphere([0.1, 0.2, 0.3], 0.5, 2),
        ellipsoid([0, 0, 0], np.eye(3), (0.1, 0.2, 0.3)),
        box((0.2, 0.4, 0.6)),
        rounded([0, 0, 0], [0.1, 0.5, 0.0], [0.05, 0.02, 0.06]),
        tube([[0, 0, 0], [0, 0.3, 0.05], [0.1, 0.6, 0.0]], [0.05, 0.03, 0.04]),
    ],
    ids=["sphere", "ellipsoid", "box", "rounded", "tube"],
)
def test_solids_face_outwards(mesh):
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    assert np.einsum("fi,fi->", np.cross(a, b), c) / 6.0 > 0.0  # the volume that they enclose
    out = mesh.vertices - mesh.vertices.mean(axis=0)
    assert np.mean(np.sum(vertex_normals(mesh.vertices, mesh.faces) * out, axis=1) > 0.0) > 0.9
