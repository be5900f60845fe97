"""The multi-query deformable decoder in all sizes of the paper's tables."""

from dataclasses import replace

import pytest
import torch

from biopose_sim.errors import InputError
from biopose_sim.video.mqhmr.decoder import DecoderConfig, MultiQueryDecoder
from biopose_sim.video.mqhmr.pyramid import FeaturePyramid, PyramidConfig

TINY = DecoderConfig(width=16, feed_forward=32)
ALL = (1, 2, 4, 8, 16)
ROWS = [
    *[(tokens, 4, (1, 4)) for tokens in (1, 24, 48, 96, 120)],
    *[(24, layers, (1, 4)) for layers in range(1, 7)],
    *[(24, 2, ALL[:count]) for count in range(1, 6)],
    *[(24, 2, scales) for scales in ((4,), (8,), (16,), (1, 4, 8), (4, 8, 16), (1, 4, 8, 16))],
]


@pytest.mark.parametrize(("tokens", "layers", "scales"), ROWS)
def test_every_row_of_the_tables_runs_both_ways(tokens, layers, scales):
    torch.manual_seed(0)
    pyramid = FeaturePyramid(PyramidConfig(channels=32, width=16, scales=scales))
    decoder = MultiQueryDecoder(replace(TINY, tokens=tokens, layers=layers, levels=len(scales)))
    for layer in decoder.layers:  # these start at zero, and let nothing back through them before they have learned
        layer.across.offsets.weight.data.normal_(0.0, 0.1)
        layer.across.weights.weight.data.normal_(0.0, 0.1)
    features = torch.randn(2, 32, 4, 3, requires_grad=True)
    found = decoder(pyramid(features))
    assert found.shape == (2, tokens, 16)
    assert not torch.allclose(found[0], found[1])
    (found * torch.randn_like(found)).sum().backward()
    assert torch.isfinite(features.grad).all()
    assert features.grad.abs().max() > 0
    # Zeros are embedded: the matrix of the embedding alone learns nothing. A lone token has nothing to attend to.
    idle = {"embedding.weight"}
    for name, parameter in decoder.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        lone = tokens == 1 and ".among.in_proj" in name
        assert name in idle or lone or parameter.grad.abs().max() > 0, name


def test_the_default_is_the_papers():
    decoder = MultiQueryDecoder(DecoderConfig())
    assert decoder.positions.shape == (96, 256)
    assert len(decoder.layers) == 4
    across = decoder.layers[0].across
    assert (across.heads, across.levels, across.points) == (8, 4, 4)
    assert decoder.layers[0].forwards[0].weight.shape == (1024, 256)


def test_references_are_spread_and_come_from_the_positions_alone():
    torch.manual_seed(0)
    decoder = MultiQueryDecoder(DecoderConfig())
    found = decoder.references()
    assert found.shape == (96, 2)
    assert torch.equal(found, torch.sigmoid(decoder.places(decoder.positions)))
    assert found.min() > 0
    assert found.max() < 1
    assert found.std(0).min() > 0.15


def test_given_queries_replace_the_learned_ones():
    torch.manual_seed(0)
    decoder = MultiQueryDecoder(replace(TINY, tokens=5, layers=2, levels=1))
    maps = [torch.randn(2, 16, 4, 3)]
    start = decoder.queries(2)
    assert torch.equal(start, (decoder.embedding.bias + decoder.positions).expand(2, -1, -1))
    assert torch.equal(decoder(maps, start), decoder(maps))
    assert torch.equal(decoder(decoder.cells(maps), start), decoder(maps))
    moved = (start + 0.3 * torch.randn_like(start)).detach().requires_grad_()
    found = decoder(maps, moved)
    assert not torch.allclose(found, decoder(maps))
    found[0, 0, 0].backward()
    assert moved.grad[0].abs().max() > 0
    assert moved.grad[1].abs().max() == 0


def test_half_precision_keeps_the_places():
    torch.manual_seed(0)
    decoder = MultiQueryDecoder(replace(TINY, tokens=6, layers=2, levels=2))
    maps = [torch.randn(2, 16, 4, 3), torch.randn(2, 16, 64, 48)]
    exact, places = decoder(maps), decoder.references()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = decoder([one.bfloat16() for one in maps])
        assert torch.equal(decoder.references(), places)
    rough.float().square().sum().backward()
    assert (rough - exact).abs().mean() < 0.05


def test_wrong_configurations_and_inputs_are_refused():
    with pytest.raises(InputError, match=r"decoder.tokens: is 0"):
        DecoderConfig(tokens=0)
    with pytest.raises(InputError, match="no multiple of heads"):
        DecoderConfig(width=12)
    decoder = MultiQueryDecoder(replace(TINY, tokens=3, levels=2))
    good = torch.zeros(1, 16, 4, 3)
    for maps in ([good], [good, good[0]], [good, torch.zeros(1, 8, 4, 3)], [good, torch.zeros(2, 16, 4, 3)]):
        with pytest.raises(InputError, match=r"give 2 maps \(B, 16, H, W\)"):
            decoder(maps)
    with pytest.raises(InputError, match=r"give \(1, 3, 16\)"):
        decoder([good, good], torch.zeros(1, 4, 16))
