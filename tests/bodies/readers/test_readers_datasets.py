"""AMASS, BEDLAM and BML-MoVi files: the values that were written come back, with time, gender and the vertical."""

import numpy as np
import pytest
import tiny_files as tiny
from scipy.spatial.transform import Rotation

import biopose_sim.bodies as bodies
from biopose_sim.errors import InputError


def vectors(rotations):
    return Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_rotvec().reshape(len(rotations), -1)


def test_amass_smplh(tmp_path):
    sequence = bodies.load(tiny.amass(tmp_path / "Subject_1_F_1_poses.npz"))
    assert (sequence.body, sequence.gender, sequence.name) == ("smplh", "female", "Subject_1_F_1_poses")
    np.testing.assert_allclose(vectors(sequence.rotations), tiny.poses(52), atol=1e-12)
    np.testing.assert_array_equal(sequence.translation, tiny.rng(1).normal(size=(tiny.T, 3)))
    np.testing.assert_array_equal(sequence.shape, tiny.rng(2).normal(size=16))
    np.testing.assert_allclose(sequence.time, np.arange(tiny.T) / 120)
    assert sequence.seen.all()
    np.testing.assert_allclose(sequence.to_ground @ [0, 0, 1], [0, 1, 0])
    assert np.linalg.det(sequence.to_ground) == pytest.approx(1)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (np.array(b"female"), "female"),
        (np.array("male"), "male"),
        (np.array("Neutral"), "neutral"),
        (np.array("f"), "female"),
        (np.array(["male"]), "male"),
        (np.array("female", dtype=object), "female"),
        (np.array(b"male", dtype=object), "male"),
    ],
)
def test_gender_is_text_bytes_or_an_object(tmp_path, written, read):
    assert bodies.load(tiny.amass(tmp_path / "a_poses.npz", gender=written)).gender == read


def test_frame_rate_has_two_keys_and_odd_digits(tmp_path):
    odd = bodies.load(tiny.amass(tmp_path / "a_poses.npz", mocap_framerate=np.array(120.00004577636719)))
    np.testing.assert_array_equal(odd.time, np.arange(tiny.T) / 120)
    ntsc = bodies.load(tiny.amass(tmp_path / "b_poses.npz", mocap_framerate=None, mocap_frame_rate=np.array(59.94)))
    assert ntsc.time[1] == pytest.approx(1 / 59.94)
    given = bodies.load(tmp_path / "b_poses.npz", fps=60)
    assert given.time[1] == pytest.approx(1 / 60)
    assert any("59.94" in note for note in given.assumptions)


def test_amass_stageii(tmp_path):
    sequence = bodies.load(tiny.stageii(tmp_path / "walk_stageii.npz"))
    assert (sequence.body, sequence.gender) == ("smplx", "neutral")
    np.testing.assert_allclose(vectors(sequence.rotations), tiny.poses(55), atol=1e-12)
    np.testing.assert_allclose(sequence.to_ground @ [0, 0, 1], [0, 1, 0])
    parts_only = bodies.load(tiny.stageii(tmp_path / "parts_stageii.npz", poses=None))
    np.testing.assert_array_equal(parts_only.rotations, sequence.rotations)


def test_bedlam_motion_is_y_up(tmp_path):
    sequence = bodies.load(tiny.bedlam_motion(tmp_path / "rp_a" / "0012" / "motion_seq.npz"))
    assert (sequence.body, sequence.name) == ("smplx", "rp_a_0012_motion_seq")
    np.testing.assert_array_equal(sequence.to_ground, np.eye(3))
    np.testing.assert_allclose(sequence.time, np.arange(tiny.T) / 30)
    assert sequence.shape.shape == (11,)


@pytest.mark.parametrize(("axis", "up"), [(0, "y"), (90, "z")])
def test_smplx_of_unknown_origin_goes_by_the_body(tmp_path, axis, up):
    poses = tiny.poses(55) * 0.1
    poses[:, 0] += np.radians(axis)
    path = tmp_path / "other.npz"
    np.savez(path, poses=poses, trans=np.zeros((tiny.T, 3)), betas=np.zeros(10), gender="male", mocap_frame_rate=30)
    sequence = bodies.load(path)
    assert (sequence.to_ground @ {"y": [0, 1, 0], "z": [0, 0, 1]}[up])[1] == 1
    assert any(f"{up} axis" in note for note in sequence.assumptions)


def test_bedlam_training_has_people_per_folder(tmp_path):
    path = tiny.bedlam_training(tmp_path / "scene.npz")
    assert [(t.key, t.n_frames) for t in bodies.tracks(path)] == [
        ("seq_000000/rp_a", 3), ("seq_000000/rp_b", 2), ("seq_000001/rp_a", 1),
    ]  # fmt: skip
    sequence = bodies.load(path, track="seq_000000/rp_a")
    np.testing.assert_allclose(sequence.time, [0, 5 / 30, 10 / 30, 15 / 30])
    np.testing.assert_array_equal(sequence.seen, [True, True, False, True])
    np.testing.assert_allclose(vectors(sequence.rotations[sequence.seen]), tiny.poses(55, 6, 4)[:3], atol=1e-12)
    np.testing.assert_array_equal(sequence.translation[sequence.seen], tiny.rng(6).normal(size=(6, 3))[:3])
    np.testing.assert_allclose(sequence.to_ground @ [0, 1, 0], [0, -1, 0])
    assert sequence.gender == "neutral"
    assert any("female" in note for note in sequence.assumptions)
    assert sequence.shape.shape == (11,)


def test_bedlam_training_in_the_camera(tmp_path):
    path = tiny.bedlam_training(tmp_path / "scene.npz", betas=10)
    sequence = bodies.load(path, track="seq_000000/rp_b", frame="camera")
    assert sequence.gender == "male"
    np.testing.assert_allclose(vectors(sequence.rotations), tiny.poses(55, 6, 3)[3:5], atol=1e-12)
    np.testing.assert_allclose(sequence.translation, tiny.rng(5).normal(size=(6, 3))[3:5] + np.array([0, 0, 4]))
    assert any("level" in note for note in sequence.assumptions)
    assert len(bodies.load_all(path)) == 3


def test_movi_bodies(tmp_path):
    path = tiny.movi_amass(tmp_path / "F_amass_Subject_3.mat")
    assert [(t.action, t.n_frames) for t in bodies.tracks(path)] == [("walking", tiny.T), ("kicking", tiny.T + 1)]
    sequence = bodies.load(path, action="kicking")
    assert (sequence.body, sequence.gender) == ("smplh", "female")
    np.testing.assert_allclose(vectors(sequence.rotations), tiny.poses(52, tiny.T + 1, 1), atol=1e-12)
    np.testing.assert_allclose(sequence.translation, tiny.rng(1).normal(size=(tiny.T + 1, 3)))
    np.testing.assert_allclose(sequence.shape, tiny.rng(2).normal(size=16))
    np.testing.assert_allclose(np.diff(sequence.time), 1 / 120)
    assert [s.name for s in bodies.load_all(path)] == ["F_amass_Subject_3_1_walking", "F_amass_Subject_3_2_kicking"]
    with pytest.raises(InputError, match=r"holds 2 actions: '1' \(6 frames, action 'walking'\).*action='walking'"):
        bodies.load(path)
    with pytest.raises(InputError, match=r"has no action 'walkin' .did you mean 'walking'"):
        bodies.load(path, action="walkin")


def test_movi_markers_are_cut_with_both_ends(tmp_path):
    path = tiny.movi_markers(tmp_path / "F_v3d_Subject_3.mat")
    walking, kicking = bodies.actions(path)
    assert (walking.name, walking.mocap, walking.video) == ("walking", (2, 5), (0, 1))
    assert kicking.mocap == (7, 9)
    trial = bodies.read_movi_markers(path, action="walking")
    points = tiny.rng(0).normal(loc=1000.0, size=(12, 4, 3))
    assert trial.marker_names == ("LASI", "RASI", "C7", "T10")
    np.testing.assert_allclose(trial.time, np.arange(2, 6) / 120)
    x, y, z = np.moveaxis(points[2:6, 0] / 1000, -1, 0)
    np.testing.assert_allclose(trial.markers[:, 0], np.stack([x, z, -y], axis=1))
    np.testing.assert_array_equal(np.argwhere(trial.missing), [[2, 1]])
    joints = bodies.read_movi_markers(path, virtual=True)
    assert joints.marker_names == ("hipL", "hipR")
    assert joints.n_frames == 12


def test_movi_files_that_hold_something_else(tmp_path):
    with pytest.raises(InputError, match="markers and joint centres, no body"):
        bodies.load(tiny.movi_markers(tmp_path / "F_v3d_Subject_3.mat"))
    with pytest.raises(InputError, match="holds bodies, no markers"):
        bodies.read_movi_markers(tiny.movi_amass(tmp_path / "F_amass_Subject_3.mat"))
    for key in ("Subject_3_S1", "Subject_3_I1", "Subject_3_S"):
        with pytest.raises(InputError, match=r"seems to be of MoVi's round [SI]1?;.*only round F"):
            bodies.load(tiny.movi_markers(tmp_path / "x.mat", key=key))
    with pytest.raises(InputError, match="not a MoVi file of round F"):
        bodies.load(tiny.movi_markers(tmp_path / "x.mat", key="cameraParams"))
    with pytest.raises(InputError, match="action 'kicking' is cut from frame 8 to 13 of 12"):
        bodies.actions(tiny.movi_markers(tmp_path / "y.mat", flags=((3, 6), (8, 13))))
