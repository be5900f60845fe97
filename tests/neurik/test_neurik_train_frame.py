"""The frame of a window: the heading kept; what training does to it; half precision."""

from __future__ import annotations

import math

import pytest
import torch
from neurik_cases import some_coordinates

from biopose_sim.neurik.augment import AugmentConfig, displace, disturb
from biopose_sim.neurik.constants import Constants
from biopose_sim.neurik.frame import Framer, in_window, moved
from biopose_sim.neurik.losses import LossWeights, losses, make_truth
from biopose_sim.neurik.network import make_network
from biopose_sim.neurik.network_config import NETWORKS, NetworkConfig
from biopose_sim.neurik.skeleton import turn

SMALL = {"window": 8, "hidden": 32, "width": 16, "heads": 2, "layers": 1, "marker_width": 4}


@pytest.fixture
def scene(skeleton):
    coordinates = some_coordinates(skeleton, (2, 8))
    framed = Framer(skeleton)(skeleton.model(coordinates).markers)
    return coordinates, framed, skeleton.encode(coordinates, framed.heading, framed.origin)


def test_poses_go_to_the_frame_of_a_window_and_back(skeleton, scene):
    coordinates, framed, pose = scene
    window = in_window(framed)
    there = moved(pose, framed, window)
    torch.testing.assert_close(skeleton.model(skeleton.decode(there)).markers, window.markers, atol=2e-5, rtol=0)
    back = moved(there, window, framed)
    torch.testing.assert_close(back.root_rotation, pose.root_rotation, atol=1e-5, rtol=0)
    torch.testing.assert_close(back.root_position, pose.root_position, atol=1e-5, rtol=0)
    q = skeleton.decode(there, window.heading, window.origin)
    torch.testing.assert_close(skeleton.model(q).coordinates, coordinates, atol=2e-5, rtol=0)


def test_the_heading_is_kept_and_the_place_is_not(skeleton, scene):
    coordinates, framed, _ = scene
    window = in_window(framed)
    level = skeleton.model(coordinates).markers - framed.origin[:, 4:5, None] * torch.tensor([1.0, 0.0, 1.0])
    torch.testing.assert_close(window.markers, level, atol=2e-5, rtol=0)
    moved_on = Framer(skeleton)(skeleton.model(coordinates).markers + torch.tensor([3.0, 0.0, -2.0]))
    torch.testing.assert_close(in_window(moved_on).markers, window.markers, atol=2e-5, rtol=0)


def test_a_turn_is_one_of_the_markers(skeleton, scene):
    coordinates, framed, _ = scene
    random = torch.Generator().manual_seed(3)
    turned = displace(framed, AugmentConfig(turn=math.pi), random)
    torch.testing.assert_close(turned.markers, framed.markers, rtol=0, atol=0)
    ground = turn(turned.heading, turned.markers) + turned.origin[..., None, :]
    angle = math.pi * (2.0 * torch.rand(2, generator=torch.Generator().manual_seed(3)) - 1.0)
    way = torch.stack([angle.cos(), angle.sin()], dim=-1)[:, None].expand(-1, 8, -1)
    torch.testing.assert_close(ground, turn(way, skeleton.model(coordinates).markers), atol=2e-5, rtol=0)
    apart = displace(framed, AugmentConfig(translation=0.5), torch.Generator().manual_seed(3))
    shift = in_window(framed).markers - in_window(apart).markers
    assert float(shift.abs().max()) > 0.1
    torch.testing.assert_close(shift, shift[:, :1, :1].expand_as(shift), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("output", ["all", "last"])
def test_a_network_that_keeps_the_heading_says_the_same_wherever_one_stands(skeleton, scene, kind, output):
    coordinates, framed, _ = scene
    torch.manual_seed(0)
    network = make_network(skeleton, NetworkConfig(kind=kind, output=output, frame="window", **SMALL)).eval()
    found = network(framed)[-1].pose
    assert found.joints.shape[1] == (8 if output == "all" else 1)
    markers = skeleton.model(coordinates).markers
    other = network(Framer(skeleton)(markers + torch.tensor([3.0, 0.0, -2.0])))[-1].pose
    torch.testing.assert_close(other.joints, found.joints, atol=1e-4, rtol=0)
    torch.testing.assert_close(other.root_position, found.root_position, atol=1e-4, rtol=0)
    way = torch.tensor([0.0, 1.0]).expand(2, 8, 2)
    turned = network(Framer(skeleton)(turn(way, markers)))[-1].pose
    assert not torch.allclose(turned.joints, found.joints, atol=1e-3)


@pytest.mark.parametrize("kind", NETWORKS)
def test_half_precision_learns(skeleton, scene, kind):
    _, framed, pose = scene
    offsets = torch.zeros(2, len(skeleton.model.marker_names), 3)
    valid = torch.ones(2, 8, dtype=torch.bool)
    truth = make_truth(skeleton, pose, torch.zeros(2, skeleton.n_sizes), offsets, valid, torch.ones(2, 1) > 0)
    torch.manual_seed(0)
    network = make_network(skeleton, NetworkConfig(kind=kind, **SMALL))
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    history = []
    for _ in range(15):
        with torch.autocast("cpu", torch.bfloat16):
            estimates = network(framed)
        assert all(v.dtype == torch.float32 for e in estimates for v in (e.sizes, e.pose.joints, e.pose.root_rotation))
        total = losses(skeleton, estimates, truth, LossWeights(angles=1.0))["total"]
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        history.append(float(total.detach()))
    assert all(math.isfinite(value) for value in history)
    assert history[-1] < 0.9 * history[0]


def test_disturbances_do_not_depend_on_how_they_are_held(skeleton):
    """A generator of its own for another device is seeded by the first alone; missing markers are NaN throughout."""
    markers = torch.ones(4, 8, 142, 3)
    config = AugmentConfig(missing_share=1.0, noise_share=0.0, mesh_share=0.0, missing=0.9)
    found = disturb(markers, torch.full((4,), 30.0), torch.zeros(142, 3), config, torch.Generator().manual_seed(0))
    gone = torch.isnan(found)
    assert 0.05 < float(gone.float().mean()) < 0.9
    assert (gone.all(dim=-1) == gone.any(dim=-1)).all()
    assert (found[~gone] == 1.0).all()
    assert (markers == 1.0).all()


def test_constants_are_kept():
    known = Constants(numbers=torch.tensor([0.5]), rows=torch.tensor([1]))
    double = torch.zeros(1, dtype=torch.float64)
    assert known.like("numbers", double).dtype == torch.float64
    assert known.like("numbers", double) is known.like("numbers", double)
    assert known.like("rows", double).dtype == torch.int64
    assert known.like("numbers", torch.zeros(1, dtype=torch.int64)).dtype == torch.float32
