"""Coordinates to what a network predicts and back; the frame of the markers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from neurik_cases import some_coordinates
from scipy.spatial.transform import Rotation

from biopose_sim.errors import InputError
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.neurik.frame import Framer
from biopose_sim.neurik.skeleton import Skeleton, euler_matrix, matrix_euler, turn, turn_back


@pytest.mark.parametrize(
    ("axes", "name"), [((2, 0, 1), "ZXY"), ((0, 1, 2), "XYZ"), ((1, 2, 0), "YZX"), ((2, 1, 0), "ZYX")]
)
def test_euler_angles_are_those_of_scipy(axes, name):
    angles = np.random.default_rng(0).uniform(-1.4, 1.4, (20, 3))
    matrices = euler_matrix(torch.from_numpy(angles), axes)
    np.testing.assert_allclose(matrices, Rotation.from_euler(name, angles).as_matrix(), atol=1e-12)
    np.testing.assert_allclose(matrix_euler(matrices, axes), angles, atol=1e-9)


def test_coordinates_come_back(skeleton):
    q = some_coordinates(skeleton)
    heading = torch.nn.functional.normalize(torch.randn(2, 5, 2), dim=-1)
    origin = torch.randn(2, 5, 3)
    pose = skeleton.encode(q, heading, origin)
    back = skeleton.model(skeleton.decode(pose, heading, origin)).coordinates
    torch.testing.assert_close(back, q, atol=2e-5, rtol=0)


def test_markers_of_a_pose_are_the_turned_ones(skeleton):
    q = some_coordinates(skeleton)
    heading = torch.nn.functional.normalize(torch.randn(2, 5, 2), dim=-1)
    origin = torch.randn(2, 5, 3)
    local = skeleton.model(skeleton.decode(skeleton.encode(q, heading, origin))).markers
    expected = turn_back(heading, skeleton.model(q).markers - origin[..., None, :])
    torch.testing.assert_close(local, expected, atol=5e-6, rtol=0)


def test_no_joint_leaves_its_range(skeleton):
    pose = skeleton.encode(some_coordinates(skeleton), torch.tensor([1.0, 0.0]).expand(2, 5, 2), torch.zeros(2, 5, 3))
    wild = type(pose)(pose.root_rotation, pose.root_position, 5.0 * pose.joints + 3.0)
    q = skeleton.decode(wild).double().numpy()
    tree = skeleton.model.tree
    rows = [skeleton.model.coordinate_names.index(name) for name in skeleton.joint_names]
    assert (q[..., rows] >= tree.ranges[rows, 0] - 1e-6).all()
    assert (q[..., rows] <= tree.ranges[rows, 1] + 1e-6).all()


def test_sizes_and_factors(skeleton):
    sizes = 0.1 * torch.randn(4, skeleton.n_sizes)
    torch.testing.assert_close(skeleton.sizes(skeleton.scales(sizes)), sizes, atol=1e-6, rtol=0)
    # Both sides grow alike.
    bodies = skeleton.model.body_names
    scales = skeleton.scales(sizes)
    torch.testing.assert_close(scales[:, bodies.index("femur_r")], scales[:, bodies.index("femur_l")])


def test_frame_takes_off_place_and_heading(skeleton):
    markers = skeleton.model(some_coordinates(skeleton)).markers
    framer = Framer(skeleton)
    plain = framer(markers)
    c, s = np.cos(2.1), np.sin(2.1)
    moved = turn(torch.tensor([c, s], dtype=torch.float32).expand(2, 5, 2), markers) + torch.tensor([3.0, 0.4, -7.0])
    other = framer(moved)
    torch.testing.assert_close(other.markers, plain.markers, atol=5e-5, rtol=0)
    back = turn(other.heading, other.markers) + other.origin[..., None, :]
    torch.testing.assert_close(back, moved, atol=2e-5, rtol=0)


def test_frame_of_missing_markers(skeleton):
    markers = skeleton.model(some_coordinates(skeleton)).markers.clone()
    pelvis = [k for k, b in enumerate(skeleton.model.tree.marker_body) if b == 0]
    markers[:, :, pelvis] = torch.nan
    markers[:, 3] = torch.nan
    framed = Framer(skeleton)(markers)
    assert torch.isfinite(framed.markers).all()
    assert not framed.seen[:, 3].any()
    assert (framed.markers[:, 3] == 0).all()
    torch.testing.assert_close(framed.heading.norm(dim=-1), torch.ones(2, 5))


def test_a_model_without_a_free_pelvis_is_refused(test_data):
    with pytest.raises(InputError, match="pelvis with six coordinates"):
        Skeleton(OsimModel.from_file(test_data / "models" / "arm26.osim"))
