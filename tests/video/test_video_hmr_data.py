"""Readers of HMR2.0's and EMDB's files: numbers come out as they are in the file, code in it is refused."""

from __future__ import annotations

import pickle
from pathlib import Path

import hmr_files
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from biopose_sim.errors import InputError
from biopose_sim.video.mqhmr.data import Cleaning, Mixture, read_image
from biopose_sim.video.mqhmr.data_npz import NpzPictures
from biopose_sim.video.mqhmr.data_tar import TarPictures
from biopose_sim.video.mqhmr.evaluation_files import read_emdb, read_test_set
from biopose_sim.video.mqhmr.layouts import POINTS, mirrored

# The lists in 4D-Humans' image_dataset.py.
HMR_MIRROR = [0, 1, 5, 6, 7, 2, 3, 4, 8, 12, 13, 14, 9, 10, 11, 16, 15, 18, 17, 22, 23, 24, 19, 20, 21]
HMR_MIRROR += [25 + k for k in (5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 12, 13, 14, 15, 16, 17, 18)]


class Bomb:
    """A class that no reader may make."""


def test_left_and_right_are_exchanged_as_in_hmr2():
    assert mirrored(POINTS).tolist() == HMR_MIRROR


def test_npz_gives_what_is_in_it(tmp_path):
    given = hmr_files.person(1)
    found = NpzPictures(hmr_files.write_npz(tmp_path), tmp_path)[1]
    labels = found.labels
    assert found.name == "images/1.png"
    assert found.image.shape == (hmr_files.HEIGHT, hmr_files.WIDTH, 3)
    # OpenCV's index coordinates become ours, where the middle of the first pixel is 0.5.
    assert np.allclose(labels.points_2d[:, :2], given["keypoints_2d"][:, :2] + 0.5)
    assert np.allclose(labels.centre, given["center"] + 0.5)
    assert np.allclose(labels.points_3d[:, :3], given["keypoints_3d"][:, :3])
    # OpenPose's body joints in space are not trusted; the nose (0) and the others are.
    assert labels.points_3d[:25, 3].tolist() == [1.0] + 14 * [0.0] + 10 * [1.0]
    assert np.allclose(labels.rotations, Rotation.from_rotvec(given["body_pose"].reshape(24, 3)).as_matrix())
    assert np.allclose(labels.shape, given["betas"])
    assert labels.rotations_known
    assert labels.shape_known
    # Width and height become the square whose middle 192 of 256 columns hold the width.
    width, height = given["scale"]
    assert labels.size == pytest.approx(max(height, width * 256 / 192))


def test_one_scale_in_an_npz_is_width_and_height(tmp_path):
    """HMR2.0 takes it for both of them, and the width decides; in its tar shards one number is the side itself."""
    path = hmr_files.write_npz(tmp_path, scale=np.full((3, 1), 150.0))
    assert NpzPictures(path, tmp_path).labels(0).size == pytest.approx(200.0)
    person = hmr_files.tar_person(0, scale=np.array([0.75]))
    (found,) = TarPictures([hmr_files.write_tar(tmp_path / "0.tar", {"one": [person]})])
    assert found.labels.size == pytest.approx(150.0)


def test_scale_of_tars_is_in_units_of_200_pixels(tmp_path):
    tar = hmr_files.write_tar(tmp_path / "0.tar", {"a/b": [hmr_files.tar_person(1)]})
    npz = NpzPictures(hmr_files.write_npz(tmp_path), tmp_path).labels(1)
    (found,) = TarPictures([tar])
    assert found.name == "a/b"
    assert found.labels.size == pytest.approx(npz.size)
    assert np.allclose(found.labels.points_2d, npz.points_2d)


def test_npz_without_labels_knows_nothing(tmp_path):
    absent = dict.fromkeys(["body_pose", "has_body_pose", "betas", "has_betas", "body_keypoints_3d"])
    labels = NpzPictures(hmr_files.write_npz(tmp_path, **absent), tmp_path).labels(0)
    assert not labels.rotations_known
    assert not labels.shape_known
    # A mask alone knows nothing either.
    labels = NpzPictures(hmr_files.write_npz(tmp_path, **dict.fromkeys(["body_pose", "betas"])), tmp_path).labels(0)
    assert not labels.rotations_known
    assert not labels.shape_known
    labels = NpzPictures(hmr_files.write_npz(tmp_path, body_keypoints_3d=None), tmp_path).labels(0)
    assert not labels.points_3d[:25].any()
    assert labels.points_3d[25:, 3].all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"center": None}, r"set\.npz: has no 'center'"),
        ({"betas": np.zeros((3, 12))}, r"'betas' has shape \(3, 12\); give \(3, 10\)"),
        ({"scale": np.zeros(3)}, "'scale' has shape"),
        ({"imgname": np.array([Bomb()] * 3, dtype=object)}, "asks for '.*Bomb', which is not data"),
    ],
)
def test_wrong_npz_is_refused(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        NpzPictures(hmr_files.write_npz(tmp_path, **changes), tmp_path)


def test_names_as_python_objects_are_read(tmp_path):
    names = np.array(["images/0.png", "images/1.png", "images/2.png"], dtype=object)
    assert NpzPictures(hmr_files.write_npz(tmp_path, imgname=names), tmp_path)[2].name == "images/2.png"


def test_tar_with_a_foreign_class_is_refused_by_name(tmp_path):
    tar = hmr_files.write_tar(tmp_path / "0.tar", {"one": [hmr_files.tar_person(0, extra_info=Bomb())]})
    with pytest.raises(InputError, match=r"0\.tar \(one\.data\.pyd\): asks for '.*Bomb'"):
        list(TarPictures([tar]))


def test_tar_cut_off_is_refused(tmp_path):
    tar = hmr_files.write_tar(tmp_path / "0.tar", {"one": [hmr_files.tar_person(0)]})
    (tmp_path / "half.tar").write_bytes(tar.read_bytes()[:700])
    with pytest.raises(InputError, match=r"half\.tar"):
        list(TarPictures([tmp_path / "half.tar"]))


def test_cleaning_is_hmr2s(tmp_path):
    doubtful = hmr_files.person(3)["keypoints_2d"].copy()
    doubtful[:39, 2] = 0.2
    few = doubtful.copy()
    few[:, 2] = 0.1
    few[:4, 2] = 0.9
    far = {"fitting_loss": np.array({"reprojection_loss": 40000.0}, dtype=object)}
    people = [
        hmr_files.tar_person(0),
        hmr_files.tar_person(1, keypoints_2d=few),
        hmr_files.tar_person(2, extra_info=far),
        hmr_files.tar_person(3, keypoints_2d=doubtful, betas=np.full(10, 3.5)),
        hmr_files.tar_person(4, has_body_pose=np.array(0.0)),
    ]
    tar = hmr_files.write_tar(tmp_path / "0.tar", {"crowd": people})
    kept = [picture.labels for picture in TarPictures([tar], Cleaning())]
    assert len(kept) == 3
    assert kept[0].rotations_known
    assert kept[0].shape.any()
    # Betas beyond 3 are unknown, and pose with them; the mean shape stands in.
    assert (kept[1].points_2d[:, 2] > 0).sum() == 5
    assert not kept[1].rotations_known
    assert kept[1].shape_known
    assert not kept[1].shape.any()
    assert not kept[2].rotations_known
    assert not kept[2].shape.any()


def test_mixture_draws_in_shares_and_again_the_same(tmp_path):
    npz = NpzPictures(hmr_files.write_npz(tmp_path), tmp_path)
    tar = TarPictures([hmr_files.write_tar(tmp_path / "0.tar", {"one": [hmr_files.tar_person(7)]})])
    mixture = Mixture([(npz, 3.0), (tar, 1.0)])
    names = [mixture.draw(np.random.default_rng((0, n))).name for n in range(60)]
    assert names == [mixture.draw(np.random.default_rng((0, n))).name for n in range(60)]
    assert {"images/0.png", "images/1.png", "images/2.png", "one"} == set(names)
    assert 5 <= names.count("one") <= 25
    with pytest.raises(InputError, match="shares"):
        Mixture([(npz, 0.0)])


def test_a_missing_picture_is_named(tmp_path):
    npz = NpzPictures(hmr_files.write_npz(tmp_path), tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"elsewhere.images.0\.png: no such picture"):
        npz[0]
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(InputError, match="is no picture"):
        read_image(tmp_path / "text.png")


def test_test_sets_of_3dpw_and_h36m(tmp_path):
    found = read_test_set("3dpw", hmr_files.write_npz(tmp_path), tmp_path)
    assert len(list(found)) == 3
    with pytest.raises(InputError, match=r"did you mean '3dpw'"):
        read_test_set("3dpv", tmp_path / "set.npz", tmp_path)
    with pytest.raises(InputError, match="no 3D points"):
        read_test_set("h36m", hmr_files.write_npz(tmp_path, extra_keypoints_3d=None), tmp_path)


def write_emdb(folder: Path, content: object) -> Path:
    (folder / "images").mkdir()
    hmr_files.picture(0).save(folder / "images" / "00001.jpg")
    (folder / "P0_00_test_data.pkl").write_bytes(pickle.dumps(content))
    return folder


def test_emdb_gives_what_is_in_it(tmp_path):
    content = hmr_files.emdb()
    found = read_emdb(write_emdb(tmp_path, content))
    assert found.frames.tolist() == [0, 1, 2]
    assert (found.gender, found.parts) == ("female", (1,))
    picture = found[1]
    assert picture.image.shape == (hmr_files.HEIGHT, hmr_files.WIDTH, 3)
    assert picture.labels.size == pytest.approx(1.2 * 140.0)
    assert picture.labels.focal == hmr_files.FOCAL
    root = Rotation.from_rotvec(content["smpl"]["poses_root"][1]).as_matrix()
    assert np.allclose(picture.labels.rotations[0], np.diag([1.0, -1.0, -1.0]) @ root)


def test_emdb_truth_is_seen_by_its_camera(tmp_path):
    class Stick:
        """A body whose only vertices are its root's place and a point a metre along its root's x."""

        class arrays:
            joint_regressor = np.tile([0.5, 0.5], (24, 1))

        def vertices(self, rotations, translation, shape):
            return torch.stack([translation, translation + rotations[:, 0, :, 0]], dim=1), translation

    found = read_emdb(write_emdb(tmp_path, hmr_files.emdb()))
    joints, vertices = found.truth(Stick(), found.frames)
    start = found.translation[:3] * [1.0, -1.0, -1.0] + [0.1, 0.2, 3.0]
    along = np.stack([found.labels(k).rotations[0][:, 0] for k in range(3)])
    assert np.allclose(vertices, np.stack([start, start + along], axis=1), atol=1e-6)
    assert np.allclose(joints[:, 7], start + 0.5 * along, atol=1e-6)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "is no dictionary"),
        ({"name": "x"}, "has no 'gender', 'n_frames'"),
        (hmr_files.emdb() | {"smpl": {"poses_root": np.zeros((2, 3))}}, r"'smpl.poses_root' has shape \(2, 3\)"),
        (hmr_files.emdb() | {"name": Bomb()}, "asks for '.*Bomb'"),
    ],
)
def test_wrong_emdb_is_refused(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        read_emdb(write_emdb(tmp_path, content))
