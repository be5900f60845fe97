"""Results of video tools: people, frames that are missing or predicted, the camera's and the world's axes."""

import numpy as np
import pytest
import tiny_files as tiny
from scipy.spatial.transform import Rotation
from test_readers_datasets import vectors

import biopose_sim.bodies as bodies
from biopose_sim.errors import InputError

joblib = pytest.importorskip("joblib")


@pytest.fixture
def wham(tmp_path):
    path = tmp_path / "wham_output.pkl"
    people = {0: tiny.wham_person(np.array([3, 4, 6])), 1: tiny.wham_person(np.arange(5), seed=7, mesh=False)}
    joblib.dump(people, path)
    return path, people


def test_wham_in_the_world(wham):
    path, people = wham
    sequence = bodies.load(path, track=0, fps=30)
    assert (sequence.body, sequence.gender, sequence.topology) == ("smpl", "neutral", "smpl")
    np.testing.assert_allclose(sequence.time, np.array([3, 4, 5, 6]) / 30)
    np.testing.assert_array_equal(sequence.seen, [True, True, False, True])
    np.testing.assert_allclose(vectors(sequence.rotations[sequence.seen]), people[0]["pose_world"], atol=1e-6)
    np.testing.assert_array_equal(sequence.translation[sequence.seen], people[0]["trans_world"])
    np.testing.assert_array_equal(sequence.shape[sequence.seen], people[0]["betas"])
    np.testing.assert_array_equal(sequence.to_ground, np.eye(3))
    assert any("not seen in 1 of 4" in note for note in sequence.assumptions)


def test_wham_in_the_camera(wham):
    path, people = wham
    sequence = bodies.load(path, track="0", fps=25, frame="camera")
    np.testing.assert_allclose(vectors(sequence.rotations[sequence.seen]), people[0]["pose"], atol=1e-6)
    np.testing.assert_array_equal(sequence.vertices[sequence.seen], people[0]["verts"])
    np.testing.assert_allclose(sequence.to_ground @ [0, 1, 0], [0, -1, 0], atol=1e-12)


def test_wham_mesh_is_turned_into_the_world_about_the_pelvis(tmp_path):
    """A body made by v = R (x - j) + j + t in both axes: its world mesh is found from its camera mesh."""
    n, joint = 4, np.array([0.0, -0.23, 0.03])
    person = tiny.wham_person(np.arange(n))
    rest = tiny.rng(1).normal(scale=0.3, size=(6890, 3))
    rest[[1799, 5262, 3097, 6521]] = joint + np.array([[0.1, 0, 0], [-0.1, 0, 0], [0, 0.1, 0], [0, -0.1, 0]])
    for side, key in (("pose", "verts"), ("pose_world", "world")):
        turn = Rotation.from_rotvec(person[side][:, :3]).as_matrix()
        shift = person["trans" if key == "verts" else "trans_world"]
        person[key] = (rest - joint) @ np.swapaxes(turn, 1, 2) + (joint + shift)[:, None]
    expected = person.pop("world")
    joblib.dump({0: person}, tmp_path / "wham_output.pkl")
    sequence = bodies.load(tmp_path / "wham_output.pkl", fps=30)
    np.testing.assert_allclose(sequence.vertices, expected, atol=1e-5)


def test_several_people_are_listed(wham):
    path, _ = wham
    with pytest.raises(InputError, match=r"2 people: '0' \(3 frames\), '1' \(5 frames\); name one.*track='0'"):
        bodies.load(path, fps=30)
    with pytest.raises(InputError, match=r"has no track '5'; it holds '0' \(3 frames\)"):
        bodies.load(path, fps=30, track=5)
    with pytest.raises(InputError, match=r"WHAM's result holds no frame rate; give that of the video, e.g. fps=30"):
        bodies.load(path, track=1)
    assert [len(s.time) for s in bodies.load_all(path, fps=30)] == [4, 5]


def test_wham_without_slam_has_the_camera_only(tmp_path):
    person = {k: v for k, v in tiny.wham_person(np.arange(3)).items() if not k.endswith("_world")}
    joblib.dump({0: person}, tmp_path / "w.pkl")
    assert any("level" in note for note in bodies.load(tmp_path / "w.pkl", fps=30).assumptions)
    with pytest.raises(InputError, match="has no world frame; use frame='camera'"):
        bodies.load(tmp_path / "w.pkl", fps=30, frame="world")


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 3), ("lzma", 3), ("xz", 3)])
def test_phalp(tmp_path, compress):
    frames = tiny.phalp_frames()
    joblib.dump(frames, tmp_path / "demo_clip.pkl", compress=compress)
    assert [(t.key, t.n_frames) for t in bodies.tracks(tmp_path / "demo_clip.pkl")] == [("1", 4), ("2", 2)]
    sequence = bodies.load(tmp_path / "demo_clip.pkl", track=1, fps=30)
    np.testing.assert_array_equal(sequence.seen, [True, True, False, True, True])
    np.testing.assert_allclose(sequence.time, np.arange(5) / 30)
    first = next(iter(frames.values()))["smpl"][0]
    np.testing.assert_allclose(sequence.rotations[0, 1:], first["body_pose"], atol=1e-6)
    np.testing.assert_allclose(sequence.rotations[0, :1], first["global_orient"], atol=1e-6)
    np.testing.assert_allclose(sequence.translation[4], [0.1, 0.2, 24.0], rtol=1e-6)
    later = bodies.load(tmp_path / "demo_clip.pkl", track=2, fps=30)
    np.testing.assert_allclose(later.time, [3 / 30, 4 / 30])
    assert (later.shape == 2).all()


def test_phalp_with_vectors_in_place_of_matrices(tmp_path):
    frames = tiny.phalp_frames()
    next(iter(frames.values()))["smpl"][0]["body_pose"] = np.zeros((23, 3))
    joblib.dump(frames, tmp_path / "demo.pkl")
    with pytest.raises(InputError, match=r"body_pose has shape \(23, 3\); expected \(23, 3, 3\), rotation matrices"):
        bodies.load(tmp_path / "demo.pkl", track=1, fps=30)


def test_gvhmr(tmp_path):
    pytest.importorskip("torch")
    results = tiny.gvhmr(tmp_path / "hmr4d_results.pt")
    sequence = bodies.load(tmp_path / "hmr4d_results.pt")
    assert (sequence.body, sequence.rotations.shape) == ("smplx", (tiny.T, 22, 3, 3))
    world = results["smpl_params_global"]
    np.testing.assert_allclose(vectors(sequence.rotations)[:, 3:], world["body_pose"], atol=1e-6)
    np.testing.assert_allclose(sequence.translation, world["transl"])
    np.testing.assert_allclose(sequence.time, np.arange(tiny.T) / 30)
    np.testing.assert_array_equal(sequence.to_ground, np.eye(3))
    assert any("30 Hz" in note for note in sequence.assumptions)
    camera = bodies.load(tmp_path / "hmr4d_results.pt", frame="camera", fps=24)
    np.testing.assert_allclose(camera.translation, results["smpl_params_incam"]["transl"])
    assert camera.time[1] == pytest.approx(1 / 24)
    assert not any("30 Hz" in note for note in camera.assumptions)


def test_smplestx(tmp_path):
    arrays = tiny.smplestx(tmp_path / "clip_poses.npz")
    assert [(t.key, t.n_frames) for t in bodies.tracks(tmp_path / "clip_poses.npz")] == [("0", 6), ("1", 4)]
    sequence = bodies.load(tmp_path / "clip_poses.npz", track=1, fps=30)
    np.testing.assert_allclose(sequence.time, np.arange(1, 6) / 30)
    np.testing.assert_array_equal(sequence.seen, [True, True, False, True, True])
    np.testing.assert_array_equal(sequence.translation[sequence.seen], arrays["transl"][1, [1, 2, 4, 5]])
    np.testing.assert_array_equal(sequence.shape, arrays["betas"][1])
    assert np.isfinite(sequence.rotations).all()
