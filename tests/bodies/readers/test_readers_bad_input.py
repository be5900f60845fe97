"""Motion files that cannot be: one line each, with the file, what is wrong and what would be right."""

import numpy as np
import pytest
import tiny_files as tiny

import biopose_sim.bodies as bodies
from biopose_sim.errors import InputError

joblib = pytest.importorskip("joblib")


N = tiny.T


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"gender": np.array("unknown")}, "gender is 'unknown'; female, male or neutral are known"),
        ({"gender": None}, "lacks 'gender'"),
        ({"mocap_framerate": None}, "holds no frame rate; give"),
        ({"mocap_framerate": np.array(0.0)}, "frame rate is 0 Hz"),
        ({"mocap_framerate": np.array(-30.0)}, "frame rate is -30 Hz"),
        ({"mocap_framerate": np.array(np.nan)}, "frame rate is nan Hz"),
        ({"mocap_framerate": np.array(1e5)}, "above 0 and at most 2000 Hz"),
        ({"mocap_framerate": np.array("fast")}, "frame rate is not a number"),
        ({"betas": np.zeros(3)}, "betas has 3 values"),
        ({"betas": np.zeros((2, 10))}, rf"betas has shape \(2, 10\); expected \(S,\) or \({N}, S\)"),
        ({"betas": np.array(1.0)}, r"betas has shape \(\)"),
        ({"betas": np.full(16, np.nan)}, "betas has values that are not numbers"),
        ({"poses": np.zeros((N, 150))}, r"poses has shape \(6, 150\); expected \(T, 72\) or \(T, 156\) or \(T, 165\)"),
        ({"poses": np.zeros((N - 1, 156))}, "differ in their number of frames .poses 5, trans 6."),
        ({"poses": np.zeros((0, 156)), "trans": np.zeros((0, 3))}, "holds no frame"),
        ({"poses": np.full((N, 156), np.nan)}, "every frame has values that are not numbers"),
        ({"trans": np.zeros((N, 2))}, r"trans has shape \(6, 2\); expected \(any, 3\)"),
    ],
)
def test_amass(tmp_path, change, says):
    with pytest.raises(InputError, match=f"a_poses.npz: .*{says}"):
        bodies.load(tiny.amass(tmp_path / "a_poses.npz", **change))


def test_frames_with_nan_are_not_seen(tmp_path):
    poses, translation = tiny.poses(52), np.zeros((N, 3))
    poses[0, 70], translation[3, 1] = np.nan, np.inf
    sequence = bodies.load(tiny.amass(tmp_path / "a_poses.npz", poses=poses, trans=translation))
    np.testing.assert_array_equal(sequence.seen, [False, True, True, False, True, True])
    assert len(sequence.time) == N
    assert np.isfinite(sequence.rotations).all()
    assert np.isfinite(sequence.translation).all()
    assert any("2 of 6 frames hold NaN" in note for note in sequence.assumptions)


def test_betas_of_every_frame_are_kept(tmp_path):
    betas = tiny.rng(9).normal(size=(N, 10))
    sequence = bodies.load(tiny.amass(tmp_path / "a_poses.npz", betas=betas))
    np.testing.assert_array_equal(sequence.shape, betas)
    assert "The shape of the body changes from frame to frame." in sequence.assumptions


def test_a_shape_file_holds_no_motion(tmp_path):
    np.savez(tmp_path / "shape.npz", gender="female", betas=np.zeros(16))
    with pytest.raises(InputError, match="holds the shape of a body and no motion"):
        bodies.load(tmp_path / "shape.npz")


def test_a_body_model_is_no_motion(tmp_path):
    np.savez(tmp_path / "SMPL_NEUTRAL.npz", v_template=np.zeros((6890, 3)), weights=np.zeros((6890, 24)))
    with pytest.raises(InputError, match="is a body model, not a motion"):
        bodies.load(tmp_path / "SMPL_NEUTRAL.npz")


@pytest.mark.parametrize("fps", [0, -1, 1e6, float("nan"), "fast"])
def test_an_absurd_fps(tmp_path, fps):
    with pytest.raises(InputError, match=r"fps is .*give fps"):
        bodies.load(tiny.amass(tmp_path / "a_poses.npz"), fps=fps)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"frame": "camera"}, "has no camera frame; use frame='world'"),
        ({"frame": "sky"}, "frame is 'sky'; auto, world or camera"),
        ({"upright": "body"}, "the vertical of an AMASS motion is known"),
        ({"track": 3}, "has no track '3'"),
        ({"action": "walking"}, "has no action 'walking'"),
    ],
)
def test_options_that_do_not_fit(tmp_path, asked, says):
    with pytest.raises(InputError, match=says):
        bodies.load(tiny.amass(tmp_path / "a_poses.npz"), **asked)


def test_paths_that_lead_nowhere(tmp_path):
    with pytest.raises(InputError, match="cannot be opened"):
        bodies.load(tmp_path / "absent.npz")
    (tmp_path / "empty.npz").touch()
    with pytest.raises(InputError, match="is empty"):
        bodies.load(tmp_path / "empty.npz")
    (tmp_path / "notes.txt").write_text("walk")
    with pytest.raises(InputError, match="not a body motion that is known"):
        bodies.load(tmp_path / "notes.txt")
    np.savez(tmp_path / "other.npz", colours=np.zeros(3))
    with pytest.raises(InputError, match="not a body motion of a known format; it holds 'colours'; known are"):
        bodies.load(tmp_path / "other.npz")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="folder without results"):
        bodies.load(tmp_path / "folder")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"frame_ids": np.array([0, 1, 1])}, "frame 1 occurs more than once"),
        ({"frame_ids": np.array([0, 1, 2**40])}, "they are no frame numbers"),
        ({"frame_ids": np.array([0, 1, 2.5])}, "not whole numbers"),
        ({"frame_ids": np.arange(4)}, "differ in their number of frames"),
        ({"pose_world": np.zeros((3, 75))}, r"pose_world has shape \(3, 75\); expected \(T, 72\)"),
        ({"verts": np.zeros((3, 100, 3))}, r"verts has shape \(3, 100, 3\); expected \(3, 6890, 3\)"),
        ({"betas": np.zeros((2, 10))}, "betas has shape"),
    ],
)
def test_wham(tmp_path, change, says):
    joblib.dump({0: {**tiny.wham_person(np.arange(3), mesh=False), **change}}, tmp_path / "w.pkl")
    with pytest.raises(InputError, match=says):
        bodies.load(tmp_path / "w.pkl", fps=30)


@pytest.mark.parametrize(
    "change", [{"frame_ids": None}, {"frame_ids": 5}, {"betas": {}}, {"trans": "far"}, {"pose": 1j}]
)
def test_values_of_another_kind(tmp_path, change):
    joblib.dump({0: {**tiny.wham_person(np.arange(3), mesh=False), **change}}, tmp_path / "w.pkl")
    with pytest.raises(InputError, match=r"w\.pkl"):
        bodies.load(tmp_path / "w.pkl", fps=30, frame="camera")


def test_frames_out_of_order_are_sorted(tmp_path):
    person = tiny.wham_person(np.array([2, 0, 1]), mesh=False)
    joblib.dump({0: person}, tmp_path / "w.pkl")
    sequence = bodies.load(tmp_path / "w.pkl", fps=30)
    np.testing.assert_array_equal(sequence.translation, person["trans_world"][[1, 2, 0]])


def test_nobody_is_seen(tmp_path):
    frames = {key: {**frame, "tracked_time": [1] * len(frame["tid"])} for key, frame in tiny.phalp_frames().items()}
    joblib.dump(frames, tmp_path / "p.pkl")
    with pytest.raises(InputError, match="no person is seen in any frame"):
        bodies.load(tmp_path / "p.pkl", fps=30)
