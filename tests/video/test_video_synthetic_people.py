"""Images of synthetic people: what is said to be true of them is what is drawn."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from bench._balls import ball_mesh, ball_outline
from biopose_sim.bodies.anny import AnnyBody
from biopose_sim.bodies.markers import read_body_markers
from biopose_sim.bodies.phenotypes import sample_adults
from biopose_sim.errors import InputError
from biopose_sim.video.points.keypoints import COMMON
from biopose_sim.video.synthetic import workers as synthetic_workers
from biopose_sim.video.synthetic.background import expose
from biopose_sim.video.synthetic.looks import random_look
from biopose_sim.video.synthetic.motion import (
    MotionTable,
    build_motion_table,
    read_motion_table,
    subjects,
    take_poses,
)
from biopose_sim.video.synthetic.render import Studio
from biopose_sim.video.synthetic.stream import SyntheticPeople
from biopose_sim.video.synthetic.view import random_box


@pytest.fixture(scope="module")
def adults():
    return sample_adults(4, 3)


@pytest.fixture(scope="module")
def table(cmu_walk, adults):
    quaternions, clearance = take_poses(cmu_walk, adults[0])
    return MotionTable(quaternions, clearance, np.zeros(len(clearance), np.int32), ("02_01",), adults, "train")


@pytest.fixture(scope="module")
def batch(table):
    return SyntheticPeople(table, size=128).batch(0, 24)


def test_coverage_is_that_of_the_exact_shape():
    studio = Studio(96, 72, ball_mesh(64))
    middle, radius = np.array([0.1, -0.05, 4.0]), 0.7
    studio.points[:] = (middle + radius * studio.mesh.places[:, :3]).astype(np.float32)
    drawn = studio.coverage(200.0, (35.0, 47.3))
    exact = ball_outline(middle, radius, 200.0, (35.0, 47.3), 96, 72)
    assert np.minimum(drawn, exact).sum() / np.maximum(drawn, exact).sum() > 0.99


def test_the_body_of_the_labels_has_the_markers_and_covers_the_mask(batch):
    body, markers = AnnyBody(), read_body_markers("anny")
    rotations, translation, shape = (
        torch.from_numpy(array) for array in (batch.rotations, batch.translation, batch.phenotypes)
    )
    surface, _ = body.vertices(rotations, translation, shape)
    places = surface.numpy()
    own = np.stack(
        [np.einsum("bkc,k->bc", places[:, list(v)], w) for v, w in zip(markers.vertices, markers.weights)], axis=1
    )
    assert np.abs(own - batch.markers).max() < 5e-4
    inside = 0
    for k in range(len(batch)):
        pixels = np.floor(places[k, :, :2] / places[k, :, 2:] * batch.focal[k] + batch.centre[k]).astype(int)
        seen = pixels[((pixels >= 0) & (pixels < 128)).all(axis=1)]
        # Clothes and hair only add, occluders take away.
        inside += (batch.mask[k][seen[:, 1], seen[:, 0]] > 0).mean()
    assert inside / len(batch) > 0.9


def test_key_points_and_boxes_belong_to_the_camera(batch):
    points = batch.key_points_3d
    pixels = points[..., :2] / points[..., 2:] * batch.focal[:, None, None] + batch.centre[:, None]
    assert np.abs(pixels - batch.key_points).max() < 0.01
    # The axis meets the middle of the full picture, wherever the square was cut out.
    corner = batch.box[:, :2] - 0.5 * batch.box[:, 2:]
    middle = (0.5 * batch.picture - corner) * 128 / batch.box[:, 2:]
    assert np.abs(middle - batch.centre).max() < 0.01
    inside = ((batch.key_points >= 0) & (batch.key_points < 128)).all(axis=-1)
    assert not (batch.visible & ~inside).any()
    assert 0.3 < batch.visible.mean() < 0.95


def test_a_nose_is_visible_from_before_and_not_from_behind(batch):
    nose, ears = COMMON.index("nose"), [COMMON.index("left_ear"), COMMON.index("right_ear")]
    toward = batch.key_points_3d[:, ears, 2].mean(axis=1) - batch.key_points_3d[:, nose, 2]
    assert not batch.visible[toward < -0.06, nose].any()
    assert batch.visible[toward > 0.06, nose].mean() > 0.5


def test_an_image_depends_on_seed_and_number_alone(table, batch):
    people = SyntheticPeople(table, size=128, threads=2)
    streamed = list(islice(people.batches(6, first=6), 2))
    for one, first in zip(streamed, (6, 12)):
        assert (one.image == batch.image[first : first + 6]).all()
        assert (one.index == np.arange(first, first + 6)).all()
        np.testing.assert_allclose(one.markers, batch.markers[first : first + 6], atol=1e-5)
    other = SyntheticPeople(table, size=128, seed=1).batch(0, 2)
    assert (other.image != batch.image[:2]).mean() > 0.5


def test_a_worker_draws_the_same(table, batch):
    synthetic_workers._begin(table, 0, 128)
    both = synthetic_workers.joined([synthetic_workers._draw(3, 1), synthetic_workers._draw(4, 2)])
    assert (both.image == batch.image[3:6]).all()
    assert len(both) == 3


def test_a_mirrored_pose_is_the_mirrored_person(table, adults):
    body = AnnyBody()
    shape = torch.from_numpy(adults[:1])
    plain, mirrored = (torch.from_numpy(table.rotations(9, mirrored=turned))[None] for turned in (False, True))
    first, _ = body.vertices(plain, torch.zeros(1, 3, dtype=torch.float64), shape)
    second, _ = body.vertices(mirrored, torch.zeros(1, 3, dtype=torch.float64), shape)
    flipped = first[:, body.data.mirror_vertices] * torch.tensor([-1.0, 1.0, 1.0])
    assert (flipped - second).abs().max() < 2e-3


def test_looks_differ_and_loose_clothes_stand_off(table, adults):
    from biopose_sim.bodies.retarget_rig import rest_vertices, rig_of

    random = np.random.default_rng(0)
    looks = [random_look(random) for _ in range(20)]
    assert len({look.materials.tobytes() for look in looks}) == 20
    rest, heads = rest_vertices(adults[0]).T.astype(np.float32).copy(), rig_of(adults[0]).heads.astype(np.float32)
    studio, upright = Studio(32, 32), np.tile(np.eye(3, dtype=np.float32), (len(heads), 1, 1))
    none = replace(looks[0], loose=np.zeros_like(looks[0].loose))
    bare = studio.pose(rest, heads, upright, heads[0], none).copy()
    np.testing.assert_allclose(bare, rest.T, atol=2e-5)
    dressed = studio.pose(rest, heads, upright, heads[0], looks[0])
    gap = np.linalg.norm(dressed - bare, axis=1)
    assert 0 < gap.max() <= looks[0].loose[:3].max() * 1.001
    assert (gap[studio.mesh.places[:, 2] < -0.78] == 0).all()


def test_grain_has_its_size_and_no_drift():
    light, shown = np.full((64, 64, 3), 0.25, np.float32), np.empty((64, 64, 3), np.uint8)
    expose(light, np.ones(3, np.float32), np.float32(0.0), np.float32(6.0), 5, shown)
    assert abs(shown.mean() - 127.5) < 0.6
    assert abs(shown.std() - 6.0) < 0.3


def test_the_table_of_a_folder_and_its_splits(cmu_walk, tmp_path):
    path = build_motion_table(cmu_walk.source.parent, tmp_path / "table.npz", tmp_path / "work", people=1)
    test = read_motion_table(path, "test")
    assert test.names == ("02_01",)
    assert test.rotations(0).shape == (104, 3, 3)
    assert test.people.shape == (1, 6)
    with pytest.raises(InputError, match="no take of the split 'train'"):
        read_motion_table(path, "train")
    (tmp_path / "broken.npz").write_bytes(b"no table")
    with pytest.raises(InputError, match="no table of poses"):
        SyntheticPeople(tmp_path / "broken.npz")
    everyone = {f"{k:02d}" for k in range(1, 15)}
    parts = [subjects(split, everyone) for split in ("train", "val", "test")]
    assert set.union(*parts) == everyone
    assert sum(map(len, parts)) == len(everyone)


def test_boxes_hold_wide_people_in_the_columns_that_an_encoder_sees():
    random = np.random.default_rng(0)
    low, high = np.array([100.0, 50.0]), np.array([300.0, 150.0])
    boxes = np.array([random_box(random, low, high) for _ in range(200)])
    half = 0.5 * boxes[:, 2] * 192 / 256
    whole = (boxes[:, 0] - half < low[0] + 20) & (boxes[:, 0] + half > high[0] - 20)
    assert 0.8 < whole.mean() < 1.0  # now and then one is cut off
