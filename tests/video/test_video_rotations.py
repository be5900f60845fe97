"""Rotations of the networks against scipy and the retargeting's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from biopose_sim.bodies import retarget_rig
from biopose_sim.video.mqhmr.body import PARENTS
from biopose_sim.video.mqhmr.rotations import (
    about,
    matrix_from_six,
    part_way,
    relative_rotations,
    six_from_matrix,
    twist_angle,
    world_rotations,
)

AXIS = np.array([0.3, -0.8, 0.52])
AXIS /= np.linalg.norm(AXIS)


def drawn(seed: int, count: int = 200) -> tuple[np.ndarray, torch.Tensor]:
    found = Rotation.random(count, rng=np.random.default_rng(seed)).as_matrix()
    return found, torch.from_numpy(found)


def test_six_numbers_are_the_first_two_columns():
    _, r = drawn(1)
    six = six_from_matrix(r)
    torch.testing.assert_close(six[0], torch.cat([r[0, :, 0], r[0, :, 1]]))
    torch.testing.assert_close(matrix_from_six(six), r)
    wild = torch.randn(50, 24, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    made = matrix_from_six(wild)
    torch.testing.assert_close(made.mT @ made, torch.eye(3, dtype=torch.float64).expand(50, 24, 3, 3))
    torch.testing.assert_close(torch.linalg.det(made), torch.ones(50, 24, dtype=torch.float64))


def test_parts_of_turns_are_the_retargetings():
    (a, ta), (b, tb) = drawn(2), drawn(3)
    for fraction in (0.0, 0.35, 0.5, 1.0):
        np.testing.assert_allclose(part_way(ta, tb, fraction).numpy(), retarget_rig.share(a, b, fraction), atol=1e-6)
    twist = twist_angle(ta, torch.from_numpy(AXIS)).numpy()
    np.testing.assert_allclose(twist, retarget_rig.twist_angle(a, AXIS), atol=1e-8)
    turned = about(torch.from_numpy(AXIS), torch.from_numpy(twist)).numpy()
    np.testing.assert_allclose(turned, Rotation.from_rotvec(twist[:, None] * AXIS).as_matrix(), atol=1e-10)


def test_down_the_tree_and_back():
    _, r = drawn(4, 3 * 24)
    relative = r.reshape(3, 24, 3, 3)
    world = world_rotations(relative, PARENTS)
    torch.testing.assert_close(world[:, 4], relative[:, 0] @ relative[:, 1] @ relative[:, 4])
    torch.testing.assert_close(relative_rotations(world, PARENTS), relative)


@pytest.mark.parametrize("angle", [0.0, 1e-9, np.pi])
def test_gradients_stay_finite(angle):
    start = torch.eye(3, dtype=torch.float64, requires_grad=True)
    end = torch.from_numpy(Rotation.from_rotvec(angle * AXIS).as_matrix()).requires_grad_()
    found = part_way(start, end, 0.35).sum() + twist_angle(end, torch.from_numpy(AXIS)).sum()
    for gradient in torch.autograd.grad(found, (start, end)):
        assert gradient.isfinite().all()
