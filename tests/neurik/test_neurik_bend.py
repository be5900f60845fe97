"""Windows of training in other poses: labels stay exact."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from neurik_cases import some_coordinates

from biopose_sim.neurik.augment import AugmentConfig
from biopose_sim.neurik.bend import Bent, bent

BATCH, FRAMES = 6, 10


@pytest.fixture
def scene(skeleton):
    """Windows whose markers lie off the model by what does not change in the axes of their segments."""
    rng = np.random.default_rng(1)
    model = skeleton.model
    q = some_coordinates(skeleton, (BATCH, FRAMES))
    scales = torch.from_numpy(np.exp(0.05 * rng.normal(size=(BATCH, len(model.body_names), 3)))).float()
    offsets = torch.from_numpy(rng.normal(0.0, 0.01, (BATCH, len(model.marker_names), 3))).float()
    off = torch.from_numpy(rng.normal(0.0, 0.02, (BATCH, len(model.marker_names), 3))).float()
    markers = placed(skeleton, q, scales, offsets + off)
    markers[0, 3, 5] = torch.nan
    return Bent(markers, q, scales, offsets), off


def placed(skeleton, q, scales, offsets):
    frames = q.shape[1]
    both = (x[:, None].expand(-1, frames, -1, -1) for x in (scales, offsets))
    return skeleton.model(q, *both).markers.clone()


def bend(skeleton, scene, free=None, **settings):
    windows, _ = scene
    free = torch.ones(BATCH, len(skeleton.joint_names), dtype=torch.bool) if free is None else free
    random = torch.Generator().manual_seed(0)
    return bent(skeleton, windows, torch.full((BATCH,), 30.0), free, AugmentConfig(**settings), random)


def test_bent_windows_are_what_the_model_says(skeleton, scene):
    windows, off = scene
    found = bend(skeleton, scene, bend_share=1.0)
    assert float((found.coordinates - windows.coordinates).abs().amax(dim=(1, 2)).median()) > 0.3
    expected = placed(skeleton, found.coordinates, windows.scales, windows.offsets + off)
    missing = torch.isnan(windows.markers)
    assert torch.equal(torch.isnan(found.markers), missing)
    torch.testing.assert_close(found.markers[~missing], expected[~missing], atol=2e-5, rtol=0)
    assert torch.equal(found.offsets, windows.offsets)
    joints = skeleton.encode(found.coordinates, torch.tensor([1.0, 0.0]), torch.zeros(3)).joints
    assert float(joints.abs().max()) <= 1.0 + 1e-5
    root = list(skeleton.root_coordinates)
    assert torch.equal(found.coordinates[..., root], windows.coordinates[..., root])


def test_paths_are_smooth(skeleton, scene):
    windows, off = scene
    q = windows.coordinates[:, :1].expand(-1, FRAMES, -1).contiguous()
    still = Bent(windows.markers, q, windows.scales, windows.offsets)
    found = bend(skeleton, (still, off), bend_share=1.0, bend_rate=0.8)
    joints = skeleton.encode(found.coordinates, torch.tensor([1.0, 0.0]), torch.zeros(3)).joints
    step = joints.diff(dim=1).abs().max()
    # The steepest sine of 0.8 Hz at 30 frames per second, of half ranges.
    assert 0.01 < float(step) < 2.0 * np.pi * 0.8 / 30.0


def test_moved_markers_are_told(skeleton, scene):
    windows, off = scene
    found = bend(skeleton, scene, bend_share=0.0, offset_share=1.0, offset=0.02)
    apart = found.offsets - windows.offsets
    assert 1e-3 < float(apart.std()) < 0.02
    torch.testing.assert_close(found.coordinates, windows.coordinates, atol=1e-6, rtol=0)
    seen = ~torch.isnan(windows.markers)
    expected = placed(skeleton, windows.coordinates, windows.scales, found.offsets + off)
    torch.testing.assert_close(found.markers[seen], expected[seen], atol=2e-5, rtol=0)


def test_other_proportions_are_told(skeleton, scene):
    windows, off = scene
    found = bend(skeleton, scene, shape_share=1.0, shape=0.1)
    change = (found.scales / windows.scales).log()
    assert 0.02 < float(change.std()) < 0.1
    # Both sides and all bodies of a group are changed alike.
    torch.testing.assert_close(skeleton.scales(skeleton.sizes(found.scales / windows.scales)).log(), change)
    seen = ~torch.isnan(windows.markers)
    expected = placed(skeleton, windows.coordinates, found.scales, windows.offsets + off)
    torch.testing.assert_close(found.markers[seen], expected[seen], atol=2e-5, rtol=0)


def test_what_was_not_solved_for_is_not_bent(skeleton, scene):
    windows, _ = scene
    free = torch.zeros(BATCH, len(skeleton.joint_names), dtype=torch.bool)
    free[:, 3] = True
    found = bend(skeleton, scene, free, bend_share=1.0)
    changed = skeleton.of_joints((found.coordinates - windows.coordinates).abs().amax(dim=(0, 1)) > 1e-5)
    assert set(torch.nonzero(changed).flatten().tolist()) <= {3}


def test_a_share_is_bent_and_chance_is_seeded(skeleton, scene):
    windows, _ = scene
    found = bend(skeleton, scene, bend_share=0.5)
    same = [torch.equal(a, b) for a, b in zip(found.coordinates, windows.coordinates)]
    assert 0 < sum(same) < BATCH
    torch.testing.assert_close(bend(skeleton, scene, bend_share=0.5).markers, found.markers, equal_nan=True)
    assert bend(skeleton, scene, bend_share=0.0) is windows
