"""Body models under the head: Anny's 24 joints against its 104 bones, SMPL against its own skinning."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from synthetic_smpl import write_npz

from biopose_sim.bodies.anny import AnnyBody
from biopose_sim.bodies.body import mesh
from biopose_sim.bodies.markers import joints, virtual_markers
from biopose_sim.bodies.phenotypes import sample_adults
from biopose_sim.bodies.retarget import retarget
from biopose_sim.bodies.smpl import SmplBody
from biopose_sim.bodies.smpl_file import read_model_file
from biopose_sim.errors import InputError
from biopose_sim.io.camera import Camera
from biopose_sim.video.mqhmr.anny import AnnyHeadBody, free_shape, phenotypes
from biopose_sim.video.mqhmr.body import Clip, head_body, seen_by
from biopose_sim.video.mqhmr.smpl import SmplHeadBody
from biopose_sim.video.points.body_points import body_points


@pytest.fixture(scope="module")
def anny() -> AnnyHeadBody:
    return AnnyHeadBody()


@pytest.fixture(scope="module")
def walk(cmu_walk):
    return retarget(cmu_walk, sample_adults(1, 3)[0], fps=5)


def smpl_head(folder: Path) -> SmplHeadBody:
    return SmplHeadBody(SmplBody(read_model_file(write_npz(folder / "smpl" / "SMPL_NEUTRAL.npz", "smpl"), "smpl")))


def random_pose(seed: int, frames: int, size: float = 0.4) -> torch.Tensor:
    vectors = np.random.default_rng(seed).normal(0, size, (frames * 24, 3))
    return torch.from_numpy(Rotation.from_rotvec(vectors).as_matrix()).reshape(frames, 24, 3, 3)


def test_a_retargeted_recording_survives_the_24_joints(anny, walk):
    camera = Camera.look_at([3.0, 1.0, 0.5], [0.0, 0.8, 0.0], 640, 480)
    rotations, shape, pelvis = seen_by(camera, anny, walk)
    out = anny.forward(rotations, shape)
    truth = virtual_markers(walk)
    apart = np.linalg.norm(camera.to_world((out.markers + pelvis[:, None]).double().numpy()) - truth.markers, axis=-1)
    assert truth.marker_names == anny.marker_names
    assert apart.mean() < 1e-3
    assert apart.max() < 8e-3
    key_points = body_points().matrix(anny.marker_names) @ out.markers.double().numpy()
    np.testing.assert_allclose(out.key_points.numpy(), key_points, atol=1e-5)


def test_anny_comes_back_from_a_sequence_of_its_own(anny):
    """What the head can say survives: pose and shape to a sequence, its markers and joints, and back."""
    rotations, shape = random_pose(1, 6, 0.3), torch.randn(6, 6, generator=torch.Generator().manual_seed(2))
    pelvis = torch.tensor([[0.1, 0.2, 4.0]]).expand(6, 3)
    made = anny.to_sequence(Clip("pose", np.arange(6) / 30), rotations, shape, pelvis)
    out = anny.forward(rotations, shape.double(), vertices=True)
    turn = np.diag([1.0, -1.0, -1.0])
    markers = virtual_markers(made).markers
    np.testing.assert_allclose((out.markers + pelvis[:, None]).numpy() @ turn, markers, atol=2e-5)
    np.testing.assert_allclose(out.vertices[2].numpy() + pelvis[2].numpy(), mesh(AnnyBody(), made)[2], atol=2e-5)
    assert joints(made)[0].shape == (6, 104, 3)
    again, values = anny.from_sequence(made)
    torch.testing.assert_close(again, rotations.float(), atol=1e-5, rtol=0)
    torch.testing.assert_close(values, shape.clamp(-2.6, 2.6), atol=1e-4, rtol=0)


def test_phenotypes_stay_in_their_range():
    values = phenotypes(torch.linspace(-40, 40, 9)[:, None].expand(9, 6))
    assert values.min() >= 0
    assert values[:, 1].min() >= 1 / 3 - 1e-6
    assert values.max() <= 1
    given = torch.tensor([0.0, 0.7, 0.3, 0.9, 0.36, 1.0])
    assert (phenotypes(free_shape(given)) - given).abs().max() <= 0.0051


def test_the_mean_pose_stands_before_the_camera(anny, tmp_path):
    for body in (anny, smpl_head(tmp_path)):
        assert torch.allclose(body.mean_rotations @ body.mean_rotations.mT, torch.eye(3), atol=1e-5)
    out = anny.forward(anny.mean_rotations[None], anny.mean_shape[None])
    names = anny.joint_names
    head, foot, left = (out.joints[0, names.index(n)] for n in ("head", "left_ankle", "left_hip"))
    nose, ear = out.key_points[0, 0], out.key_points[0, 3]
    assert head[1] < -0.4, "the head above: y down"
    assert foot[1] > 0.6
    assert left[0] > 0.05, "the left on the right of the picture"
    assert nose[2] < ear[2], "the face nearer than the ears"


@pytest.mark.parametrize("name", ["anny", "smpl"])
def test_gradients_agree_with_differences(name, anny, tmp_path):
    body = anny if name == "anny" else smpl_head(tmp_path)
    torch.manual_seed(5)
    rotations, shape = random_pose(3, 1), torch.randn(1, body.n_shape, dtype=torch.float64) * 0.3
    weights = torch.randn(142, 3, dtype=torch.float64)
    inputs = (rotations.requires_grad_(), shape.requires_grad_())

    def value(turns, numbers):
        out = body.forward(turns, numbers)
        return (out.markers[0] * weights).sum() + out.joints.square().sum() + out.key_points.square().sum()

    gradients = torch.autograd.grad(value(*inputs), inputs)
    for k, (given, gradient) in enumerate(zip(inputs, gradients)):
        direction = torch.randn_like(given)
        ends = [value(*[one.detach() + (s * 1e-6 * direction if k == n else 0) for n, one in enumerate(inputs)])
                for s in (1, -1)]  # fmt: skip
        assert float((ends[0] - ends[1]) / 2e-6) == pytest.approx(float((gradient * direction).sum()), rel=1e-5)


def test_smpl_agrees_with_its_own_markers(tmp_path):
    body = smpl_head(tmp_path)
    rotations, shape = random_pose(7, 5), torch.randn(5, 10, generator=torch.Generator().manual_seed(3)).double()
    pelvis = torch.tensor([0.2, 0.1, 3.0]).expand(5, 3)
    made = body.to_sequence(Clip("pose", np.arange(5.0)), rotations, shape, pelvis)
    out = body.forward(rotations, shape, vertices=True)
    turn = np.diag([1.0, -1.0, -1.0])
    markers = virtual_markers(made, body=body.body).markers
    np.testing.assert_allclose((out.markers + pelvis[:, None]).numpy() @ turn, markers, atol=2e-5)
    np.testing.assert_allclose(
        (out.joints + pelvis[:, None]).numpy() @ turn, joints(made, body=body.body)[0], atol=2e-5
    )
    assert out.vertices.shape == (5, 6890, 3)
    torch.testing.assert_close(body.pelvis(made), pelvis, atol=1e-5, rtol=0)
    again, betas = body.from_sequence(replace(made, rotations=made.rotations[:, :22], shape=made.shape[0, :4]))
    assert again.shape == (5, 24, 3, 3)
    torch.testing.assert_close(again[:, 22:], torch.eye(3).expand(5, 2, 3, 3))
    torch.testing.assert_close(betas[3], torch.cat([shape[0, :4].float(), torch.zeros(6)]))


def test_bodies_that_are_none(anny, walk, tmp_path):
    with pytest.raises(InputError, match="there are anny, smpl"):
        head_body("smplx")
    with pytest.raises(InputError, match="is a motion of the body 'anny'; give one of 'smpl'"):
        smpl_head(tmp_path).from_sequence(walk)
    assert head_body("anny").name == "anny"
    assert head_body("smpl", tmp_path).n_shape == 10
