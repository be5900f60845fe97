"""Corrections of a network by steps of the engine."""

from __future__ import annotations

import pytest
import torch
from neurik_cases import some_coordinates

from biopose_sim.neurik.engine_step import EngineStep, smoothed
from biopose_sim.neurik.frame import Framed, Framer
from biopose_sim.neurik.losses import LossWeights, losses, make_truth
from biopose_sim.neurik.network import make_network
from biopose_sim.neurik.network_config import NetworkConfig

SMALL = {"window": 8, "hidden": 32, "width": 16, "heads": 2, "layers": 1, "refinements": 2}


@pytest.fixture
def scene(skeleton):
    """A smooth motion, its markers as a network sees them, and its poses."""
    ends = 0.5 * some_coordinates(skeleton, (2, 2))
    q = torch.lerp(ends[:, :1], ends[:, 1:], 0.2 * torch.linspace(0.0, 1.0, 8)[None, :, None])
    q = skeleton.model(q).coordinates
    framed = Framer(skeleton)(skeleton.model(q).markers)
    return framed, skeleton.encode(q, framed.heading, framed.origin)


def test_a_step_comes_near_the_markers(skeleton, scene):
    framed, pose = scene
    truth = skeleton.decode(pose)
    ones = torch.ones(2, len(skeleton.model.body_names), 3)
    nothing = torch.zeros(2, framed.markers.shape[2], 3)
    start = truth + 0.03 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(0))
    engine = EngineStep(skeleton)
    joints = skeleton.of_joints
    found, apart = zip(*(engine(framed, start, ones, nothing, count) for count in (1, 2)))
    trusting = [exact for exact, _ in found]
    before = float((joints(start) - joints(truth)).abs().mean())
    once, twice = (float((joints(skeleton.decode(f)) - joints(truth)).abs().mean()) for f in trusting)
    assert once < 0.3 * before
    assert twice < 0.1 * once
    assert float(apart[0].norm(dim=-1).mean()) > 0.02
    assert torch.equal(*apart)
    # What trusts the coordinates as well ends between them and the markers.
    doubting = float((joints(skeleton.decode(found[0][1])) - joints(truth)).abs().mean())
    assert once < doubting < before
    _, rest = engine(framed, truth, ones, nothing)
    assert float(rest.abs().max()) < 1e-4


def test_unseen_markers_do_not_pull(skeleton, scene):
    framed, pose = scene
    ones = torch.ones(2, len(skeleton.model.body_names), 3)
    nothing = torch.zeros(2, framed.markers.shape[2], 3)
    unseen = Framed(torch.zeros_like(framed.markers), torch.zeros_like(framed.seen), framed.heading, framed.origin)
    found, _ = EngineStep(skeleton)(unseen, skeleton.decode(pose), ones, nothing)
    torch.testing.assert_close(found[0].joints, pose.joints.clamp(-1.0, 1.0), atol=1e-5, rtol=0)


def test_smoothing_keeps_what_is_constant_and_calms_noise():
    values = torch.ones(2, 20, 3)
    torch.testing.assert_close(smoothed(values, 1.5), values)
    noise = torch.randn(4, 200, 3, generator=torch.Generator().manual_seed(0))
    calm = smoothed(noise, 1.5)
    # Of white noise a Gaussian kernel leaves 1 / (2 sqrt(pi) deviation) of the variance.
    assert float(calm[:, 10:-10].var()) == pytest.approx(1.0 / (2.0 * torch.pi**0.5 * 1.5), rel=0.15)
    assert smoothed(noise[:, :3], 4.0).shape == (4, 3, 3)


def test_numbers_are_what_an_estimate_is_made_of(skeleton, scene):
    _, pose = scene
    network = make_network(skeleton, NetworkConfig(**SMALL))
    network.pose_mean.normal_()
    network.pose_sd.uniform_(0.5, 2.0)
    again = network.estimate(network.numbers(pose), torch.zeros(2, skeleton.n_sizes)).pose
    for name in ("root_rotation", "root_position", "joints"):
        torch.testing.assert_close(getattr(again, name), getattr(pose, name), atol=1e-5, rtol=0)


def test_an_untrained_network_already_corrects_by_the_engine(skeleton, scene):
    torch.manual_seed(0)
    framed, pose = scene
    config = NetworkConfig(correction="gauss-newton", **SMALL)
    network = make_network(skeleton, config).eval()
    zero, none = torch.zeros(2, skeleton.n_sizes), torch.zeros(2, framed.markers.shape[2], 3)
    valid = torch.ones(2, 8, dtype=torch.bool)
    truth = make_truth(skeleton, pose, zero, none, valid, torch.ones(2, pose.joints.shape[-1]))
    with torch.no_grad():
        estimates = network(framed)
        errors = [float(losses(skeleton, [e], truth, LossWeights())["markers"]) for e in estimates]
    assert len(errors) == 3
    assert errors[2] < errors[1] < errors[0]
    assert errors[2] < 0.5 * errors[0]
    learned = make_network(skeleton, NetworkConfig(**SMALL)).eval()
    with torch.no_grad():
        first, *_, last = learned(framed)
    torch.testing.assert_close(first.pose.joints, last.pose.joints)
