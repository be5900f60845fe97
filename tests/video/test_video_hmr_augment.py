"""The truth follows the image: points in space seen by the changed camera are the changed points in the image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from biopose_sim.errors import InputError
from biopose_sim.video.mqhmr.augment import NONE, Change, HmrAugment, cut, draw_change, stacked, warped
from biopose_sim.video.mqhmr.data import Labels, Picture
from biopose_sim.video.mqhmr.layouts import AnnyPoints
from biopose_sim.video.mqhmr.streams import PictureData, truth_of_pictures
from biopose_sim.video.mqhmr.truth import SIDE, Truth, moved

LAYOUT = AnnyPoints().layout
COUNT = len(LAYOUT.points)
FOCAL, PRINCIPAL = 400.0, np.array([150.0, 110.0])


def scene(seed: int) -> tuple[np.ndarray, Labels]:
    """A picture with a spot of light where each of five points is, and the points' truth."""
    chance = np.random.default_rng(seed)
    space = chance.uniform([-0.35, -0.3, 2.5], [0.35, 0.3, 3.5], (COUNT, 3))
    pixels = FOCAL * space[:, :2] / space[:, 2:] + PRINCIPAL
    down, across = np.mgrid[0:220, 0:300] + 0.5
    light = np.zeros((220, 300))
    spot = pixels[0]
    light += np.exp(-((across - spot[0]) ** 2 + (down - spot[1]) ** 2) / (2 * 4.0**2))
    image = np.repeat((250 * light).astype(np.uint8)[..., None], 3, axis=2)
    labels = Labels(
        centre=np.array([150.0, 110.0]),
        size=150.0,
        points_2d=np.column_stack([pixels, np.ones(COUNT)]),
        points_3d=np.column_stack([space, np.ones(COUNT)]),
        rotations=np.linalg.qr(chance.normal(size=(24, 3, 3)))[0],
        rotations_known=True,
        shape=np.zeros(6),
        shape_known=True,
        focal=FOCAL,
        principal=PRINCIPAL,
    )
    return image, labels


def place_of_light(image: np.ndarray) -> np.ndarray:
    """Middle of the light (3, H, W) [pixel]."""
    light = image.astype(float).sum(axis=0)
    down, across = np.mgrid[0 : light.shape[0], 0 : light.shape[1]] + 0.5
    return np.array([(light * across).sum(), (light * down).sum()]) / light.sum()


def projected(truth: Truth) -> torch.Tensor:
    """Points in space as the camera of the image sees them."""
    space = truth.points_3d[..., :3]
    return truth.focal[:, None, None] * space[..., :2] / space[..., 2:] + truth.centre[:, None]


def test_points_in_space_are_where_the_image_shows_them():
    strong = HmrAugment(crop_share=0.0, flip_share=0.5, turn_share=1.0, shift=0.05)
    seen = 0
    for seed in range(12):
        image, labels = scene(seed)
        chance = np.random.default_rng((9, seed))
        truth = truth_of_pictures([(Picture("", image, labels), chance)], AnnyPoints(), strong)
        assert torch.allclose(projected(truth), truth.points_2d[..., :2], atol=0.01)
        own = [0, 1, 2]  # the nose is in the middle of the body; eyes change sides
        spots = truth.points_2d[0, own, :2].numpy()
        if ((spots[0] > 40) & (spots[0] < SIDE - 40)).all():
            seen += 1
            assert np.abs(place_of_light(truth.images[0].numpy()) - spots[0]).max() < 0.3
    assert seen >= 6


def test_a_mirrored_image_has_left_where_right_was():
    image, labels = scene(3)
    change = Change(labels.centre, SIDE / labels.size, 0.0, True, np.ones(3))
    plain = replace(change, flip=False)
    results = []
    for one in (plain, change):
        whole = truth_of_pictures([(Picture("", image, labels), np.random.default_rng(0))], AnnyPoints(), NONE)
        base = replace(
            whole,
            points_2d=torch.tensor(labels.points_2d, dtype=torch.float32)[None],
            focal=torch.tensor([FOCAL]),
            centre=torch.tensor(PRINCIPAL, dtype=torch.float32)[None],
        )
        results.append(moved(base, stacked([one]), LAYOUT))
    straight, mirrored = results
    left, right = (LAYOUT.points.index(f"{side}_wrist") for side in ("left", "right"))
    assert float(mirrored.points_2d[0, left, 0]) == pytest.approx(
        SIDE - float(straight.points_2d[0, right, 0]), abs=1e-3
    )
    assert float(mirrored.points_3d[0, left, 0]) == pytest.approx(-float(straight.points_3d[0, right, 0]))
    elbow = [LAYOUT.joints.index(f"{side}_elbow") for side in ("left", "right")]
    side = torch.diag(torch.tensor([-1.0, 1.0, 1.0]))
    assert torch.allclose(mirrored.rotations[0, elbow[0]], side @ straight.rotations[0, elbow[1]] @ side)
    again = moved(mirrored, stacked([Change(np.full(2, SIDE / 2), 1.0, 0.0, True, np.ones(3))]), LAYOUT)
    for name in ("points_2d", "points_3d", "rotations", "focal", "centre"):
        assert torch.allclose(getattr(again, name), getattr(straight, name), atol=1e-4), name


def test_the_bodies_of_mirrored_truth_are_mirrored():
    """Rotations and points agree after a change: the head's body with the changed rotations has the changed points."""
    from biopose_sim.video.mqhmr.anny import AnnyHeadBody

    body, points = AnnyHeadBody(), AnnyPoints()
    generator = torch.Generator().manual_seed(0)
    turns = torch.linalg.matrix_exp(_skew(0.2 * torch.randn(4, 24, 3, generator=generator)))
    rotations = body.mean_rotations @ turns
    shape = body.mean_shape.expand(4, -1) + 0.3 * torch.randn(4, 6, generator=generator)

    def truth_of(turned: torch.Tensor) -> torch.Tensor:
        return points(body.forward(turned, shape))

    known = torch.ones(4, COUNT, 1)
    before = Truth(
        images=torch.zeros(4, 3, SIDE, SIDE, dtype=torch.uint8),
        points_2d=torch.zeros(4, COUNT, 3),
        points_3d=torch.cat([truth_of(rotations), known], dim=-1),
        rotations=rotations,
        rotations_known=torch.ones(4),
        shape=shape,
        shape_known=torch.ones(4),
        focal=torch.ones(4),
        centre=torch.zeros(4, 2),
    )
    changes = stacked([Change(np.zeros(2), 1.0, angle, flip, np.ones(3)) for angle, flip in
                       ((0.0, True), (0.5, False), (-0.4, True), (0.0, False))])  # fmt: skip
    after = moved(before, changes, points.layout)
    apart = (truth_of(after.rotations) - after.points_3d[..., :3]).norm(dim=-1).max(dim=1).values
    # Anny's mesh is symmetric to a few tenths of a millimetre; the markers' places to about two.
    assert float(apart[[1, 3]].max()) < 1e-5
    assert float(apart[[0, 2]].max()) < 0.006


def _skew(vectors: torch.Tensor) -> torch.Tensor:
    x, y, z = vectors.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))


def test_both_ways_to_change_an_image_agree():
    image = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
    down, across = np.mgrid[0:SIDE, 0:SIDE]
    image[..., 0] = 127 + 100 * np.sin(across / 17) * np.cos(down / 23)
    image[..., 1], image[..., 2] = across, down
    for angle, flip, zoom in ((0.0, False, 1.0), (0.4, True, 1.4), (-0.7, False, 0.8)):
        change = Change(np.array([120.0, 140.0]), zoom, angle, flip, np.array([1.1, 0.9, 1.0]))
        one = cut(image, change).astype(float)
        other = warped(torch.from_numpy(image.transpose(2, 0, 1).copy())[None], stacked([change]))
        difference = np.abs(other[0].permute(1, 2, 0).numpy() - one)
        assert np.median(difference) <= 1.0
        assert (difference > 4).mean() < 0.02  # the black border


def test_changes_are_seeded_and_as_much_as_asked_for():
    _, labels = scene(0)

    def changes(config: HmrAugment) -> list[Change]:
        return [
            draw_change(config, np.random.default_rng((1, n)), labels.centre, 150.0, labels.points_2d, LAYOUT.points)
            for n in range(400)
        ]

    found, again = changes(HmrAugment()), changes(HmrAugment())
    assert all((a.zoom, a.angle, a.flip) == (b.zoom, b.angle, b.flip) for a, b in zip(found, again))
    assert 0.4 < np.mean([one.flip for one in found]) < 0.6
    assert 0.5 < np.mean([one.angle != 0 for one in found]) < 0.7
    sizes = np.array([SIDE / one.zoom for one in changes(HmrAugment(crop_share=0.0))])
    assert sizes.min() == pytest.approx(150 * 0.7)
    assert sizes.max() == pytest.approx(150 * 1.3)
    assert all((one.zoom, one.angle, one.flip) == (SIDE / 150, 0.0, False) for one in changes(NONE))


def test_crops_show_a_part_of_the_body():
    names = LAYOUT.points
    points = np.zeros((COUNT, 3))
    heights = {"ear": 0, "eye": 0, "nose": 0, "shoulder": 20, "elbow": 50, "wrist": 75, "hip": 70, "knee": 120}
    heights |= {"ankle": 165, "toe": 170, "heel": 170}
    for k, name in enumerate(names[:23]):
        height = next(value for part, value in heights.items() if part in name)
        points[k] = [100 + (10 if "left" in name else -10), 30 + height, 1.0]
    boxes = set()
    for n in range(200):
        config = replace(NONE, crop_share=1.0)
        change = draw_change(config, np.random.default_rng(n), np.array([100.0, 115.0]), 200.0, points, names)
        boxes.add((round(float(change.box[1])), round(SIDE / change.zoom)))
    # Eight of the nine parts have points of Anny's; all are smaller than the whole.
    assert len(boxes) >= 6
    assert all(size < 200 for _, size in boxes)
    assert min(middle for middle, _ in boxes) < 45 < 140 < max(middle for middle, _ in boxes)


def test_streams_of_pictures_go_on_where_they_stopped():
    class One:
        def draw(self, chance):
            image, labels = scene(int(chance.integers(5)))
            return Picture("", image, labels)

    data = PictureData(One(), [Picture("", *scene(1))], AnnyPoints(), threads=2, seed=4)
    stream = data.batches(2, 0)
    batches = [next(stream) for _ in range(3)]
    stream.close()
    later = next(data.batches(2, 4))
    for name in ("images", "points_2d", "rotations", "centre"):
        assert torch.equal(getattr(batches[2], name), getattr(later, name)), name
    assert not torch.equal(batches[0].images, batches[1].images)
    (held_out,) = data.validation(5, 2)
    assert float(held_out.focal[0]) == pytest.approx(FOCAL * SIDE / 150.0)


@pytest.mark.parametrize("wrong", [{"flip_share": 1.5}, {"turn": -1.0}, {"scale": 1.0}])
def test_senseless_amounts_are_refused(wrong):
    with pytest.raises(InputError, match=f"augment.{next(iter(wrong))}"):
        HmrAugment(**wrong)
