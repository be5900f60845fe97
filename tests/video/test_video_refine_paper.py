"""The paper's refinement: objective never worse, the known answer found, too few points left alone."""

from __future__ import annotations

import pytest
import torch

from biopose_sim.errors import InputError
from biopose_sim.io.camera import Camera
from biopose_sim.video.refine.paper import METHODS, PaperConfig, Pinhole, refine_paper

B, K = 6, 12
LENS = Pinhole(torch.tensor([1000.0, 1000.0]), torch.tensor([320.0, 240.0]))


def skeleton(dtype=torch.float32):
    """A body whose points depend on 8 numbers in no linear way, 4 m ahead."""
    mixing = torch.randn(K, 3, 8, generator=torch.Generator().manual_seed(0)).to(dtype) * 0.25

    def decode(tokens):
        pose = tokens.flatten(1)
        points = torch.einsum("kcd,bd->bkc", mixing, torch.sin(pose)) + torch.tensor([0.0, 0.0, 4.0])
        return points, pose

    return decode


def case(seed: int = 1):
    generator = torch.Generator().manual_seed(seed)
    truth = torch.randn(B, 2, 4, generator=generator) * 0.4
    start = truth + torch.randn(B, 2, 4, generator=generator) * 0.15
    decode = skeleton()
    target = LENS.project(decode(truth)[0])
    return decode, truth, start, target, torch.ones(B, K)


@pytest.mark.parametrize("method", METHODS)
def test_fits_the_picture_and_never_gets_worse(method):
    decode, _, start, target, confidence = case()
    for step in (0.02, 50.0):
        config = PaperConfig(method=method, first_step=step, pose_weight=1e-4)
        done = refine_paper(decode, start, target, confidence, LENS, config)
        assert (done.objective <= done.objective_before).all()
        if step < 1.0:
            assert set(done.flags) == {"ok"}
            assert (done.after < 0.7 * done.before).all()


def test_more_steps_of_lbfgs_find_the_pose():
    _, truth, start, target, confidence = case()
    config, decode = PaperConfig(60, "lbfgs", pose_weight=0.0), skeleton(torch.float64)
    done = refine_paper(decode, start.double(), target.double(), confidence.double(), LENS, config)
    assert done.after.max() < 0.5
    assert (done.tokens - truth).abs().mean() < 0.2 * (start - truth).abs().mean()


def test_each_item_is_refined_by_itself():
    decode, _, start, target, confidence = case()
    together = refine_paper(decode, start, target, confidence, LENS)
    alone = refine_paper(decode, start[2:3], target[2:3], confidence[2:3], LENS)
    assert torch.allclose(together.tokens[2], alone.tokens[0], atol=1e-5)


def test_few_points_and_points_behind_are_left():
    decode, _, start, target, confidence = case()
    target[0, :7] = torch.nan
    confidence[1, :7] = 0.0
    target[2, :3] = torch.nan
    target[3] = torch.nan
    done = refine_paper(decode, start, target, confidence, LENS)
    assert done.flags == ("few_points", "few_points", "ok", "few_points", "ok", "ok")
    assert torch.equal(done.tokens[:2], start[:2])
    assert torch.equal(done.tokens[3], start[3])
    assert done.before[3].isnan()
    assert done.tokens.isfinite().all()

    def behind(tokens):
        points, pose = decode(tokens)
        return points - torch.tensor([0.0, 0.0, 4.0]), pose

    assert set(refine_paper(behind, start, target, confidence, LENS).flags[4:]) == {"behind"}


def test_confidence_decides_and_the_pose_weight_holds():
    decode, _, start, target, confidence = case()
    wrong = target.clone()
    wrong[:, 0] += 300.0
    confidence[:, 0] = 1e-4
    done = refine_paper(decode, start, wrong, confidence, LENS, PaperConfig(pose_weight=0.0))
    free = refine_paper(decode, start, target, confidence, LENS, PaperConfig(pose_weight=0.0))
    assert torch.allclose(done.tokens, free.tokens, atol=0.05)
    held = refine_paper(decode, start, target, confidence, LENS, PaperConfig(pose_weight=10.0))
    assert (held.tokens - start).abs().mean() < 0.5 * (free.tokens - start).abs().mean()


def test_takes_a_camera_and_refuses_what_does_not_fit():
    camera = Camera.level(640, 480, 1000.0)
    lens = Pinhole.of(camera, torch.zeros(1))
    ahead = torch.tensor([[[0.3, -0.2, 4.0]]])
    seen = camera.project(camera.to_world(ahead.numpy()))[0, 0, :2]
    assert torch.allclose(lens.project(ahead)[0, 0], torch.tensor(seen, dtype=torch.float32), atol=1e-3)
    decode, _, start, target, confidence = case()
    with pytest.raises(InputError, match="12"):
        refine_paper(decode, start, target[:, :5], confidence[:, :5], lens)
    with pytest.raises(InputError, match="gradient, adam, lbfgs"):
        refine_paper(decode, start, target, confidence, lens, PaperConfig(method="newton"))
