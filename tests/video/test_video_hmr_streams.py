"""Synthetic people as truth to learn from; HMR2.0's 44 points of SMPL; EMDB's joints and meshes."""

from __future__ import annotations

import pickle
from types import SimpleNamespace

import hmr_files
import numpy as np
import pytest
import torch
from synthetic_smpl import write_npz

from biopose_sim.bodies.phenotypes import sample_adults
from biopose_sim.bodies.smpl import SmplBody
from biopose_sim.bodies.smpl_file import read_model_file
from biopose_sim.errors import InputError
from biopose_sim.video.mqhmr import streams
from biopose_sim.video.mqhmr.anny import AnnyHeadBody
from biopose_sim.video.mqhmr.augment import HmrAugment
from biopose_sim.video.mqhmr.evaluate import evaluate_emdb, evaluate_network
from biopose_sim.video.mqhmr.evaluation_files import read_emdb
from biopose_sim.video.mqhmr.files import load_mqhmr, warning_of
from biopose_sim.video.mqhmr.layouts import POINTS, AnnyPoints, SmplPoints, read_regressor
from biopose_sim.video.mqhmr.network import build, placed
from biopose_sim.video.mqhmr.smpl import SmplHeadBody
from biopose_sim.video.mqhmr.streams import PeopleData
from biopose_sim.video.points.keypoints import COMMON
from biopose_sim.video.synthetic.motion import MotionTable, take_poses
from biopose_sim.video.synthetic.stream import SyntheticPeople

EXTRA = 19


@pytest.fixture(scope="module")
def people(cmu_walk) -> SyntheticPeople:
    adults = sample_adults(4, 3)
    quaternions, clearance = take_poses(cmu_walk, adults[0])
    table = MotionTable(quaternions, clearance, np.zeros(len(clearance), np.int32), ("02_01",), adults, "train")
    return SyntheticPeople(table)


@pytest.fixture(scope="module")
def smpl(tmp_path_factory) -> SmplBody:
    path = write_npz(tmp_path_factory.mktemp("smpl") / "smpl" / "SMPL_NEUTRAL.npz", "smpl")
    return SmplBody(read_model_file(path, "smpl"))


def test_the_heads_body_in_the_true_pose_has_the_true_points(people):
    """Before and after augmentation: rotations, shape, points in space and in the image are of one body."""
    points = AnnyPoints()
    strong = HmrAugment(turn_share=1.0, flip_share=0.5, crop_share=0.0)
    for augment in (None, strong):
        data = PeopleData(people, people, augment, markers=0.3, seed=2)
        stream = data.batches(4, 8)
        truth = next(stream)
        stream.close()
        own = points(AnnyHeadBody().forward(truth.rotations, truth.shape))
        pelvis = truth.points_3d[:, points.layout.pelvis, None, :3]
        apart = (own + pelvis - truth.points_3d[..., :3]).norm(dim=-1)
        assert float(apart.mean()) < 2.5e-3
        assert float(apart.max()) < 0.02
        pixels = truth.crop.project(truth.points_3d[..., :3])
        assert torch.allclose(pixels, truth.points_2d[..., :2], atol=0.02)
        assert truth.points_2d[0, [0, len(COMMON), -1], 2].tolist() == pytest.approx([1.0, 1.0, 0.3])


def test_the_shipped_demonstration_knows_more_than_the_mean_pose(people):
    """A walk before chance cameras: `mqhmr-demo` sees at least which way people face."""
    network = load_mqhmr("mqhmr-demo")
    data = PeopleData(people, people)
    found, mean = (
        evaluate_network(one, data.validation(24, 24), "synthetic", data.points).means["mpjpe"]
        for one in (network, build(network.config))
    )
    assert found < 0.75 * mean
    assert "saw synthetic people only" in warning_of("mqhmr-demo")


def test_people_are_shown_again_in_another_order_and_changed(people, monkeypatch):
    monkeypatch.setattr(streams, "_BLOCK", 2)
    data = PeopleData(people, people, HmrAugment(flip_share=0.0), reuse=2, seed=1)
    stream = data.batches(2, 0)
    shown = [next(stream) for _ in range(6)]
    stream.close()
    # Turns in the image change the root alone.
    rows = [torch.cat([b.rotations[:, 1:].sum((1, 2, 3)) for b in shown[k : k + 2]]).sort().values for k in (0, 2, 4)]
    assert torch.equal(rows[0], rows[1])  # the same people
    assert not torch.equal(rows[0], rows[2])  # the next ones
    again = torch.cat([batch.images for batch in shown[2:4]])
    assert not any(torch.equal(one, other) for one in shown[0].images for other in again)
    stream = data.batches(2, 6)
    assert torch.equal(next(stream).images, shown[3].images)
    stream.close()
    with pytest.raises(ValueError, match="item 3 is not the first of a batch of 2"):
        next(data.batches(2, 3))


def test_people_go_on_where_they_stopped(people):
    data = PeopleData(people, people, HmrAugment(), seed=1)
    stream = data.batches(2, 0)
    first, second = next(stream), next(stream)
    stream.close()
    stream = data.batches(2, 2)
    again = next(stream)
    stream.close()
    for name in ("images", "points_2d", "rotations", "centre"):
        assert torch.equal(getattr(again, name), getattr(second, name)), name
        assert not torch.equal(getattr(first, name), getattr(second, name)), name
    sizes = [len(batch) for batch in data.validation(5, 2)]
    assert sizes == [2, 2, 1]


def test_hmr2s_points_of_smpl(smpl, tmp_path):
    body = SmplHeadBody(smpl)
    regressor = np.zeros((EXTRA, 6890))
    regressor[14, [3, 5]] = 0.5
    path = tmp_path / "SMPL_to_J19.pkl"
    path.write_bytes(pickle.dumps(regressor, protocol=2))
    points = SmplPoints(read_regressor(path))
    out = body.forward(body.mean_rotations[None].repeat(2, 1, 1, 1), torch.zeros(2, body.n_shape), vertices=True)
    found = points(out)
    assert found.shape == (2, 44, 3)
    # OpenPose's right wrist is SMPL's joint 21, its left big toe vertex 3216; the pelvis of the 19 is its row 14.
    for name, place in (("right_wrist", out.joints[:, 21]), ("mid_hip", out.joints[:, 0])):
        assert torch.equal(found[:, POINTS.index(name)], place)
    assert torch.equal(found[:, POINTS.index("left_big_toe")], out.vertices[:, 3216])
    assert torch.allclose(found[:, points.layout.pelvis], out.vertices[:, [3, 5]].mean(dim=1), atol=1e-5)
    with pytest.raises(InputError, match=r"has shape \(3, 6890\)"):
        SmplPoints(np.zeros((3, 6890)))
    path.write_bytes(pickle.dumps(["no array"]))
    with pytest.raises(InputError, match="is no joint regressor"):
        read_regressor(path)


def test_emdb_counts_the_truth_as_faultless(smpl, tmp_path):
    """A network that says the pose of the file: no error in joints and meshes; a body of another size has one."""
    content = hmr_files.emdb() | {"gender": "neutral"}
    (tmp_path / "images").mkdir()
    for frame in range(3):
        hmr_files.picture(frame).save(tmp_path / "images" / f"{frame:05d}.jpg")
    (tmp_path / "P0_00_test_data.pkl").write_bytes(pickle.dumps(content))
    sequence = read_emdb(tmp_path)
    body = SmplHeadBody(smpl)

    class Oracle(torch.nn.Module):
        def forward(self, images, crop, *, vertices=False):
            labels = [sequence.labels(int(frame)) for frame in sequence.frames[: len(images)]]
            rotations = torch.tensor(np.stack([one.rotations for one in labels])).float()
            shape = torch.tensor(np.stack([one.shape for one in labels])).float()
            weak = torch.tensor([[0.9, 0.0, 0.0]]).repeat(len(images), 1)
            return placed(body, rotations, shape, weak, crop, vertices=vertices)

    points = SimpleNamespace(layout=SmplPoints.layout, whole_mesh=True)
    scores = evaluate_emdb(Oracle(), [sequence], {"neutral": smpl}, points)
    assert len(scores.mpjpe) == 3
    assert all(value < 0.01 for value in scores.means.values())
    with pytest.raises(InputError, match="needs the model of gender 'neutral'"):
        evaluate_emdb(Oracle(), [sequence], {"male": smpl}, points)
