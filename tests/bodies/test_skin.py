"""Skinning of chosen points: against a plain loop, gradients, batches, frames that are not numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from biopose_sim.bodies import skin
from biopose_sim.bodies.skin import PointTable, combination, evaluate
from biopose_sim.errors import InputError

PARENTS = (-1, 0, 1, 0, 3)


def table(convention="parent", n_vertices=7, n_shape=3, *, posed=True, combine=True):
    rng = np.random.default_rng(1)
    joints = len(PARENTS)

    def random(*shape):
        return torch.tensor(rng.normal(0, 1, shape))

    weights = torch.tensor(rng.dirichlet(np.ones(3), n_vertices).T)
    return PointTable(
        convention=convention,
        rest=random(3, n_vertices),
        shape_directions=random(3, n_vertices, n_shape),
        pose_directions=random(3, n_vertices, 9 * (joints - 1)) if posed else None,
        weights=weights,
        skin_joints=torch.tensor([1, 2, 4]),
        combine=torch.tensor(rng.dirichlet(np.ones(n_vertices), 4).T) if combine else None,
        rest_joints=random(3, joints),
        joint_directions=random(3, joints, n_shape),
        parents=PARENTS,
        joint_names=tuple("abcde"),
    )


def inputs(n_frames=4, n_joints=5, n_shape=3):
    rng = np.random.default_rng(2)
    turns = Rotation.from_rotvec(rng.normal(0, 1, (n_frames * n_joints, 3))).as_matrix()
    rotations = torch.tensor(turns.reshape(n_frames, n_joints, 3, 3))
    return rotations, torch.tensor(rng.normal(0, 1, (n_frames, 3))), torch.tensor(rng.normal(0, 1, (n_frames, n_shape)))


def one_frame(t, rotations, translation, shape):
    """The definition, joint by joint and vertex by vertex."""
    vertices = (t.rest + t.shape_directions @ shape).T
    rest = (t.rest_joints + t.joint_directions @ shape).T
    if t.pose_directions is not None:
        vertices = vertices + (t.pose_directions @ (rotations[1:] - torch.eye(3)).flatten()).T
    world, joints = [], []
    for joint, parent in enumerate(t.parents):
        if parent < 0:
            world.append(rotations[joint])
            joints.append(translation if t.convention == "world" else rest[0] + translation)
        else:
            world.append(rotations[joint] if t.convention == "world" else world[parent] @ rotations[joint])
            joints.append(joints[parent] + world[parent] @ (rest[joint] - rest[parent]))
    points = torch.zeros_like(vertices)
    for row, joint in enumerate(t.skin_joints.tolist()):
        turned = (vertices - rest[joint]) @ world[joint].T + joints[joint]
        points += t.weights[row][:, None] * turned
    return (points if t.combine is None else t.combine.T @ points), torch.stack(joints)


@pytest.mark.parametrize("convention", ["parent", "world"])
@pytest.mark.parametrize("posed", [True, False])
@pytest.mark.parametrize("combine", [True, False])
@pytest.mark.parametrize("one_shape", [True, False])
def test_evaluate_follows_the_definition(convention, posed, combine, one_shape, monkeypatch):
    monkeypatch.setattr(skin, "CHUNK", 3)
    t = table(convention, posed=posed, combine=combine)
    rotations, translation, shape = inputs(8)
    shape = shape[0] if one_shape else shape
    points, joints = evaluate(t, rotations, translation, shape)
    for frame in range(8):
        expected = one_frame(t, rotations[frame], translation[frame], shape if one_shape else shape[frame])
        torch.testing.assert_close(points[frame], expected[0])
        torch.testing.assert_close(joints[frame], expected[1])
    few, _ = evaluate(t, rotations[:2], translation[:2], shape if one_shape else shape[:2])
    torch.testing.assert_close(few, points[:2])


@pytest.mark.parametrize(("convention", "posed"), [("parent", True), ("world", False)])
def test_gradients_equal_finite_differences(convention, posed):
    t = table(convention, posed=posed)
    rotations, translation, shape = (x.requires_grad_() for x in inputs(2))
    assert torch.autograd.gradcheck(lambda *x: evaluate(t, *x), (rotations, translation, shape))
    assert torch.autograd.gradcheck(
        lambda s: evaluate(t, rotations, translation, s), shape[0].detach().requires_grad_()
    )


def test_leading_dimensions_are_kept_and_broadcast():
    t = table()
    rotations, translation, shape = inputs(6)
    flat, _ = evaluate(t, rotations, translation, shape)
    batched, joints = evaluate(
        t, rotations.reshape(2, 3, 5, 3, 3), translation.reshape(2, 3, 3), shape.reshape(2, 3, 3)
    )
    torch.testing.assert_close(batched.reshape(flat.shape), flat)
    assert joints.shape == (2, 3, 5, 3)
    single, _ = evaluate(t, rotations[0], translation, shape)
    torch.testing.assert_close(single[0], flat[0])
    people, _ = evaluate(t, rotations[:3], translation[:3], shape.reshape(2, 3, 3)[:, :1])
    torch.testing.assert_close(people[1, 0], evaluate(t, rotations[0], translation[0], shape[3])[0])
    assert evaluate(t, rotations[:0], translation[:0], shape[0])[0].shape == (0, 4, 3)


def test_fewer_shape_coefficients_leave_the_others_zero():
    t = table()
    rotations, translation, shape = inputs()
    shape[:, 2] = 0
    expected, _ = evaluate(t, rotations, translation, shape)
    torch.testing.assert_close(evaluate(t, rotations, translation, shape[:, :2])[0], expected)


@pytest.mark.parametrize("posed", [True, False])
def test_a_frame_that_is_not_a_number_spoils_no_other(posed):
    t = table(posed=posed)
    rotations, translation, shape = inputs(8)
    expected, _ = evaluate(t, rotations, translation, shape[0])
    rotations[1] = torch.nan
    points, _ = evaluate(t, rotations, translation, shape[0])
    assert points[1].isnan().all()
    torch.testing.assert_close(points[[0, *range(2, 8)]], expected[[0, *range(2, 8)]])


def test_float32_stays_float32():
    t = table().to(torch.float32)
    points, joints = evaluate(t, *(x.float() for x in inputs()))
    assert points.dtype == joints.dtype == torch.float32
    torch.testing.assert_close(points.double(), evaluate(table(), *inputs())[0], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"rotations": torch.zeros(4, 6, 3, 3)}, "rotations of 6 joints are given, the model has 5"),
        ({"rotations": torch.zeros(4, 5, 3)}, r"rotations have shape \(4, 5, 3\)"),
        ({"translation": torch.zeros(4, 2)}, r"translation has shape \(4, 2\)"),
        ({"shape": torch.zeros(4)}, r"1 to 3"),
        ({"shape": torch.zeros(3, 3)}, r"of \(4,\) and \(4,\) and \(3,\) frames do not go together"),
    ],
)
def test_wrong_shapes_are_refused(change, text):
    given = dict(zip(("rotations", "translation", "shape"), inputs())) | change
    with pytest.raises(InputError, match=text):
        evaluate(table(), **given)
    with pytest.raises(InputError, match="rotations of 4 joints"):
        evaluate(replace(table(), convention="world"), inputs()[0][:, :4], *inputs()[1:])


def test_combination_of_vertices():
    assert combination([[4], [2]], None, 5, "mesh") == ([4, 2], None)
    vertices, matrix = combination([[4], [2, 4]], [[1.0], [0.25, 0.75]], 5, "mesh")
    assert vertices == [2, 4]
    np.testing.assert_array_equal(matrix, [[0, 0.25], [1, 0.75]])
    with pytest.raises(InputError, match="has no vertex 5"):
        combination([[5]], None, 5, "mesh")
    with pytest.raises(InputError, match="do not sum to 1"):
        combination([[1, 2]], [[0.5, 0.4]], 5, "mesh")
    with pytest.raises(InputError, match="as many weights"):
        combination([[1, 2]], None, 5, "mesh")
