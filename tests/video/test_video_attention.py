"""Deformable attention against a reference written in loops, in float64."""

import math

import pytest
import torch

from biopose_sim.errors import InputError
from biopose_sim.video.mqhmr.attention import Cells, DeformableAttention, gathered


def bilinear(values, x, y):
    """Value (D,) of a map (D, H, W) at a fraction (x, y) of it: cell centres at (i + 0.5) / n, zero outside."""
    height, width = values.shape[1:]
    column, row = x * width - 0.5, y * height - 0.5
    left, top = math.floor(column.item()), math.floor(row.item())
    total = torch.zeros(values.shape[0], dtype=values.dtype)
    for i, row_weight in ((top, top + 1 - row), (top + 1, row - top)):
        for j, column_weight in ((left, left + 1 - column), (left + 1, column - left)):
            if 0 <= i < height and 0 <= j < width:
                total = total + row_weight * column_weight * values[:, i, j]
    return total


def looped(layer, queries, references, maps):
    """As the paper writes it: every cell is projected, then looked at; one query, head, level and point at a time."""
    heads, levels, points = layer.heads, layer.levels, layer.points
    batches = []
    for b in range(len(queries)):
        projected = [torch.einsum("cyx,hce->heyx", one[b], layer.values) for one in maps]
        rows = []
        for n in range(queries.shape[1]):
            offsets = layer.offsets(queries[b, n]).reshape(heads, levels, points, 2)
            weights = layer.weights(queries[b, n]).reshape(heads, levels * points).softmax(-1)
            parts = []
            for h in range(heads):
                part = torch.zeros(layer.values.shape[2], dtype=queries.dtype)
                for level in range(levels):
                    height, width = maps[level].shape[-2:]
                    for p in range(points):
                        x = references[b, n, 0] + offsets[h, level, p, 0] / width
                        y = references[b, n, 1] + offsets[h, level, p, 1] / height
                        part = part + weights[h, level * points + p] * bilinear(projected[level][h], x, y)
                parts.append(part)
            rows.append(layer.output(torch.cat(parts)))
        batches.append(torch.stack(rows))
    return torch.stack(batches)


@pytest.fixture
def case():
    """A layer with every number random and two maps; some of the places lie outside."""
    torch.manual_seed(3)
    layer = DeformableAttention(width=6, heads=3, levels=2, points=3).double()
    for parameter in layer.parameters():
        parameter.data.normal_(0.0, 0.7)
    queries = torch.randn(2, 4, 6, dtype=torch.float64)
    references = torch.rand(2, 4, 2, dtype=torch.float64) * 1.6 - 0.3
    maps = [torch.randn(2, 6, 5, 3, dtype=torch.float64), torch.randn(2, 6, 7, 9, dtype=torch.float64)]
    return layer, [x.requires_grad_() for x in (queries, references, *maps)]


def test_values_and_gradients_are_those_of_the_loops(case):
    layer, (queries, references, *maps) = case
    inputs = [queries, references, *maps, *layer.parameters()]
    ours, theirs = layer(queries, references, Cells.of(maps)), looped(layer, queries, references, maps)
    assert (ours - theirs).abs().max() <= 1e-12
    mask = torch.randn_like(ours)
    pairs = zip(torch.autograd.grad((ours * mask).sum(), inputs), torch.autograd.grad((theirs * mask).sum(), inputs))
    for found, expected in pairs:
        assert expected.abs().max() > 1e-3
        assert (found - expected).abs().max() <= 1e-11


def test_the_same_as_grid_sample():
    torch.manual_seed(1)
    maps = [torch.randn(3, 5, 16 * s, 12 * s, dtype=torch.float64, requires_grad=True) for s in (1, 2, 4)]
    places = (1.6 * torch.rand(3, 7, 2, 3, 4, 2, dtype=torch.float64) - 0.3).requires_grad_()
    weights = torch.randn(3, 7, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    expected = torch.zeros(3, 7, 2, 5, dtype=torch.float64)
    for level, values in enumerate(maps):
        grid = (2 * places[:, :, :, level] - 1).flatten(1, 2)
        seen = torch.nn.functional.grid_sample(values, grid, padding_mode="zeros", align_corners=False)
        expected = expected + torch.einsum("bdnhp,bnhp->bnhd", seen.unflatten(2, (7, 2)), weights[:, :, :, level])
    found = gathered(Cells.of(maps), places, weights)
    assert (found - expected).abs().max() < 1e-12
    inputs = [places, weights, *maps]
    ours, theirs = (torch.autograd.grad(values.sin().sum(), inputs) for values in (found, expected))
    assert max((one - other).abs().max() for one, other in zip(ours, theirs)) < 1e-11


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30])
def test_a_place_that_is_no_number_reads_no_wrong_cell(value):
    places = torch.full((1, 2, 1, 1, 1, 2), 0.5)
    places[0, 0, 0, 0, 0, 0] = value
    found = gathered(Cells.of([torch.ones(1, 3, 4, 3)]), places, torch.ones(1, 2, 1, 1, 1))
    assert torch.isnan(found[0, 0]).all() or not found[0, 0].any()
    assert torch.equal(found[0, 1], torch.ones(1, 3))


def test_beyond_the_map_there_is_nothing():
    layer = DeformableAttention(width=8, heads=8, levels=1, points=4)
    maps = [torch.ones(1, 8, 16, 12)]
    far = torch.tensor([[[5.0, 0.5], [0.5, -4.0], [0.5, 0.5]]])
    found = layer(torch.randn(1, 3, 8), far, Cells.of(maps))
    assert found[0, :2].abs().max() == 0.0
    assert found[0, 2].abs().max() > 1e-3


def test_a_place_is_the_same_spot_at_all_scales():
    """A ramp over the image reads its own value at each scale: the conventions of x, y, edges and centres."""
    layer = DeformableAttention(width=2, heads=1, levels=3, points=1).double()
    for level in range(3):
        layer.weights.weight.data.zero_()
        layer.weights.bias.data.copy_(torch.where(torch.arange(3) == level, 50.0, -50.0))
        layer.offsets.bias.data.zero_()
        layer.values.data.copy_(torch.eye(2)[None])
        layer.output.weight.data.copy_(torch.eye(2))
        maps = []
        for scale in (1, 4, 8):
            y, x = ((torch.arange(n * scale, dtype=torch.float64) + 0.5) / (n * scale) for n in (16, 12))
            maps.append(torch.stack(torch.meshgrid(x, y, indexing="xy"))[None])
        places = torch.tensor([[[0.3, 0.8], [0.5, 0.1], [0.91, 0.44]]], dtype=torch.float64)
        found = layer(torch.zeros(1, 3, 2, dtype=torch.float64), places, Cells.of(maps))
        assert torch.allclose(found, places, atol=1e-12)


def test_heads_start_in_eight_directions():
    layer = DeformableAttention(width=16, heads=8, levels=2, points=4)
    offsets = layer.offsets.bias.detach().reshape(8, 2, 4, 2)
    neighbours = {(round(x), round(y)) for x, y in offsets[:, 0, 0].tolist()}
    assert neighbours == {(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1)} - {(0, 0)}
    assert torch.allclose(offsets[:, 1, 3], 4 * offsets[:, 0, 0])
    assert layer.offsets.weight.abs().max() == 0.0


def test_wrong_sizes_are_refused():
    with pytest.raises(InputError, match="multiple of heads"):
        DeformableAttention(width=10, heads=3)
    with pytest.raises(InputError, match="1 maps; give 4"):
        DeformableAttention(width=8)(torch.zeros(1, 1, 8), torch.zeros(1, 1, 2), Cells.of([torch.zeros(1, 8, 4, 3)]))
