"""Maps of several scales."""

from itertools import combinations

import pytest
import torch

from biopose_sim.errors import InputError
from biopose_sim.video.mqhmr.pyramid import SCALES, FeaturePyramid, PyramidConfig

SUBSETS = [subset for count in range(1, 6) for subset in combinations(SCALES, count)]


@pytest.mark.parametrize("scales", SUBSETS, ids=str)
def test_every_choice_of_scales_runs_both_ways(scales):
    pyramid = FeaturePyramid(PyramidConfig(channels=32, width=8, scales=scales))
    features = torch.randn(2, 32, 4, 3, requires_grad=True)
    maps = pyramid(features)
    assert [tuple(m.shape) for m in maps] == [(2, 8, 4 * s, 3 * s) for s in scales]
    sum(m.square().mean() for m in maps).backward()
    # Nothing is built that is not used.
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in pyramid.parameters() if p.ndim > 1)
    assert features.grad.abs().max() > 0


def test_sizes_of_the_paper():
    with torch.device("meta"):
        pyramid = FeaturePyramid(PyramidConfig())
    assert [tuple(p.weight.shape[:2]) for p in pyramid.projections.values()] == [
        (256, 1280),
        (256, 320),
        (256, 160),
        (256, 80),
    ]
    assert [tuple(d[0].weight.shape) for d in pyramid.doublings] == [(1280 >> k, 640 >> k, 4, 4) for k in range(4)]


def test_maps_are_not_shifted():
    """With kernels that equal their mirror image, the maps of a mirrored map are the mirrored maps."""
    torch.manual_seed(0)
    pyramid = FeaturePyramid(PyramidConfig(channels=16, width=4, scales=(1, 2, 8)))
    for doubling in pyramid.doublings:
        doubling[0].weight.data += doubling[0].weight.data.flip(-1, -2)
    features = torch.randn(1, 16, 4, 3)
    for map_, mirrored in zip(pyramid(features), pyramid(features.flip(-1, -2))):
        assert torch.allclose(map_.flip(-1, -2), mirrored, atol=1e-5)


def test_an_image_does_not_depend_on_its_batch():
    pyramid = FeaturePyramid(PyramidConfig(channels=16, width=4, scales=(2, 4)))
    features = torch.randn(3, 16, 4, 3)
    for together, alone in zip(pyramid(features), pyramid(features[1:2])):
        assert torch.allclose(together[1:2], alone, atol=1e-6)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"scales": ()}, "one or more of 1, 2, 4, 8, 16"),
        ({"scales": (4, 1)}, "rising order"),
        ({"scales": (1, 3)}, "one or more of"),
        ({"scales": (4, 4)}, "rising order"),
        ({"channels": 24}, "multiple of 16"),
        ({"width": 0}, "1 or more"),
    ],
)
def test_wrong_configurations_are_refused(wrong, text):
    with pytest.raises(InputError, match=text):
        PyramidConfig(**wrong)


def test_a_wrong_map_is_refused():
    with pytest.raises(InputError, match=r"give \(B, 32, H, W\)"):
        FeaturePyramid(PyramidConfig(channels=32, width=8, scales=(1,)))(torch.zeros(1, 16, 4, 3))
