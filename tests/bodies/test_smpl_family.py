"""Every format that carries parameters of the SMPL family: markers and joints as the ``smplx`` package has them.

A tiny file of each layout is read and evaluated by our adapter; the same raw parameters go through the class of the
``smplx`` package with the settings of the format's authors, and are turned to the ground frame by hand. The model files
have the published layout and random numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import synthetic_smpl
from readers import tiny_files as tiny
from scipy.spatial.transform import Rotation

from biopose_sim import bodies
from biopose_sim.bodies.body import body_for, mesh
from biopose_sim.bodies.markers import joints, read_body_markers, virtual_markers
from biopose_sim.bodies.smpl import SmplBody, read_model_file
from biopose_sim.errors import InputError

joblib = pytest.importorskip("joblib")
smplx = pytest.importorskip("smplx")
torch = pytest.importorskip("torch")

T = tiny.T
# Places of the model files as each model is downloaded; each of its own random numbers.
PLACES = {
    ("smpl", "neutral"): "smpl/SMPL_NEUTRAL.npz",
    ("smplh", "female"): "smplh/female/model.npz",
    ("smplh", "male"): "smplh/male/model.npz",
    ("smplx", "neutral"): "smplx/SMPLX_NEUTRAL.npz",
    ("smplx", "female"): "smplx/SMPLX_FEMALE.npz",
    ("smplx", "male"): "smplx/SMPLX_MALE.npz",
}
# (x, y, z) of each file as the ground has them, written out: z up; y down and z forward; y up.
Z_UP, CAMERA, Y_UP = ((0, 2, 1), (1, 1, -1)), ((0, 1, 2), (1, -1, -1)), ((0, 1, 2), (1, 1, 1))


@dataclass(frozen=True)
class Case:
    """A file as its tool writes it, and what is in it.

    ``make`` writes the file and returns per seen frame: axis-angle poses of all joints that it holds, translation,
    betas (S,) or (T, S). ``seen`` are the frames of the recording in which the person was seen.
    """

    body: str
    gender: str
    axes: tuple[tuple[int, ...], tuple[int, ...]]
    make: Callable[[Path], tuple[Path, np.ndarray, np.ndarray, np.ndarray]]
    options: dict = field(default_factory=dict)
    seen: tuple[int, ...] = tuple(range(T))
    flat_hands: bool = True

    def ground(self, points: np.ndarray) -> np.ndarray:
        order, signs = self.axes
        return points[..., order] * signs


def amass(folder):
    path = tiny.amass(folder / "walk_poses.npz", gender=np.array(b"female"))
    return path, tiny.poses(52), tiny.rng(1).normal(size=(T, 3)), tiny.rng(2).normal(size=16)


def amass_with_gaps(folder):
    poses, translation = tiny.poses(52), tiny.rng(1).normal(size=(T, 3))
    gaps = poses.copy()
    gaps[[1, 4], 40] = np.nan
    path = tiny.amass(folder / "gaps_poses.npz", poses=gaps, gender=np.array("male"))
    kept = [0, 2, 3, 5]
    return path, poses[kept], translation[kept], tiny.rng(2).normal(size=16)


def stageii(folder):
    path = tiny.stageii(folder / "walk_stageii.npz")
    return path, tiny.poses(55), tiny.rng(1).normal(size=(T, 3)), tiny.rng(2).normal(size=16)


def bedlam_motion(n_betas, gender):
    def make(folder):
        betas = tiny.rng(2).normal(size=n_betas)
        path = tiny.bedlam_motion(folder / "it" / "motion_seq.npz", betas=betas, gender=np.array(gender))
        return path, tiny.poses(55), tiny.rng(1).normal(size=(T, 3)), betas

    return make


def bedlam_training(side, n_betas):
    def make(folder):
        path = tiny.bedlam_training(folder / "scene.npz", n_betas)
        stored = np.load(path)
        # The camera's axes: the authors add the place of the camera after the body model.
        place = stored["cam_ext"][:3, :3, 3] if side == "cam" else 0.0
        return path, stored[f"pose_{side}"][:3], stored[f"trans_{side}"][:3] + place, stored["shape"][0]

    return make


def movi(folder):
    path = tiny.movi_amass(folder / "F_amass_Subject_3.mat")
    return path, tiny.poses(52, T + 1, 1), tiny.rng(1).normal(size=(T + 1, 3)), tiny.rng(2).normal(size=(1, 16))[0]


def wham(side):
    def make(folder):
        person = tiny.wham_person(np.array([3, 4, 6]), mesh=False)
        joblib.dump({0: person, 1: tiny.wham_person(np.arange(5), 7, mesh=False)}, folder / "wham_output.pkl")
        return folder / "wham_output.pkl", person[f"pose{side}"], person[f"trans{side}"], person["betas"]

    return make


def phalp(folder):
    frames = tiny.phalp_frames()
    joblib.dump(frames, folder / "demo_clip.pkl")
    rows = [list(frames.values())[t] for t in (0, 1, 3, 4)]
    matrices = np.stack([np.concatenate([r["smpl"][0]["global_orient"], r["smpl"][0]["body_pose"]]) for r in rows])
    vectors = Rotation.from_matrix(matrices.reshape(-1, 3, 3)).as_rotvec().reshape(4, 72)
    return folder / "demo_clip.pkl", vectors, np.stack([r["camera"][0] for r in rows]), np.ones((4, 10))


def gvhmr(side):
    def make(folder):
        data = {key: v.numpy() for key, v in tiny.gvhmr(folder / "hmr4d_results.pt")[f"smpl_params_{side}"].items()}
        poses = np.concatenate([data["global_orient"], data["body_pose"]], axis=1)
        return folder / "hmr4d_results.pt", poses, data["transl"], data["betas"]

    return make


def smplestx(folder):
    data = tiny.smplestx(folder / "clip_poses.npz")
    kept = [1, 2, 4, 5]
    poses = np.concatenate([data["global_orient"][1], data["body_poses"][1]], axis=1)
    return folder / "clip_poses.npz", poses[kept], data["transl"][1][kept], data["betas"][1]


VIDEO = {"fps": 30}
CASES = {
    "AMASS SMPL-H": Case("smplh", "female", Z_UP, amass),
    "AMASS SMPL-H with NaN": Case("smplh", "male", Z_UP, amass_with_gaps, seen=(0, 2, 3, 5)),
    "AMASS SMPL-X": Case("smplx", "neutral", Z_UP, stageii),
    "BEDLAM motion, 10 betas": Case("smplx", "male", Y_UP, bedlam_motion(10, "male")),
    "BEDLAM motion, 11 betas": Case("smplx", "neutral", Y_UP, bedlam_motion(11, "neutral")),
    "BEDLAM training, world": Case(
        "smplx", "female", CAMERA, bedlam_training("world", 10), {"track": "seq_000000/rp_a"}, (0, 1, 3)
    ),
    "BEDLAM training, camera": Case(
        "smplx",
        "neutral",
        CAMERA,
        bedlam_training("cam", 11),
        {"track": "seq_000000/rp_a", "frame": "camera"},
        (0, 1, 3),
    ),
    "BML-MoVi": Case("smplh", "female", Z_UP, movi, {"action": "kicking"}, tuple(range(T + 1))),
    "WHAM, world": Case("smpl", "neutral", Y_UP, wham("_world"), {**VIDEO, "track": 0}, (0, 1, 3)),
    "WHAM, camera": Case("smpl", "neutral", CAMERA, wham(""), {**VIDEO, "track": 0, "frame": "camera"}, (0, 1, 3)),
    "PHALP": Case("smpl", "neutral", CAMERA, phalp, {**VIDEO, "track": 1}, (0, 1, 3, 4)),
    "GVHMR, global": Case("smplx", "neutral", Y_UP, gvhmr("global"), flat_hands=False),
    "GVHMR, incam": Case("smplx", "neutral", CAMERA, gvhmr("incam"), {"frame": "camera"}, flat_hands=False),
    "SMPLest-X": Case("smplx", "neutral", CAMERA, smplestx, {**VIDEO, "track": 1}, (0, 1, 3, 4), flat_hands=False),
}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with a file per body and gender; only the neutral SMPL-X has more than 10 directions of shape."""
    root = tmp_path_factory.mktemp("body_models")
    for seed, ((body, gender), place) in enumerate(PLACES.items()):
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        arrays = synthetic_smpl.model_arrays(body, 10 if body == "smplx" and gender != "neutral" else 16, seed)
        np.savez(root / place, **arrays, **synthetic_smpl.extras(body))
    return root


def of_smplx(folder: Path, case: Case, poses: np.ndarray, translation: np.ndarray, betas: np.ndarray):
    """Vertices and joints by the class of the ``smplx`` package, in the axes of the file."""
    n, place = len(poses), folder / PLACES[case.body, case.gender]
    number = {"dtype": torch.float64}
    options = {"num_betas": betas.shape[-1], "batch_size": n, "gender": case.gender, **number}
    hands = {"use_pca": False, "flat_hand_mean": case.flat_hands}
    if case.body == "smplx":
        model = smplx.SMPLX(str(place), **options, **hands)
    else:
        data = dict(np.load(place))
        # With fewer than 300 directions the package's class takes 10 betas only; AMASS uses all 16 of its files.
        data["shapedirs"] = np.pad(data["shapedirs"], ((0, 0), (0, 0), (0, 300 - data["shapedirs"].shape[2])))
        struct = smplx.utils.Struct(**data)
        if case.body == "smpl":
            model = smplx.SMPL("", data_struct=struct, **options)
        else:
            model = smplx.SMPLH("", data_struct=struct, **options, **hands)
    flat = torch.tensor(poses, **number)
    parts = {"global_orient": flat[:, :3], "body_pose": flat[:, 3 : 72 if case.body == "smpl" else 66]}
    if flat.shape[1] == 165:
        parts |= {"jaw_pose": flat[:, 66:69], "leye_pose": flat[:, 69:72], "reye_pose": flat[:, 72:75]}
    if flat.shape[1] > 72:
        parts |= {"left_hand_pose": flat[:, -90:-45], "right_hand_pose": flat[:, -45:]}
    every = torch.tensor(np.broadcast_to(betas, (n, betas.shape[-1])).copy(), **number)
    with torch.no_grad():
        out = model(betas=every, transl=torch.tensor(translation, **number), **parts)
    return out.vertices.numpy(), out.joints.numpy()


@pytest.mark.parametrize("name", CASES)
def test_markers_and_joints_as_the_smplx_package_has_them(models, tmp_path, name):
    case = CASES[name]
    path, poses, translation, betas = case.make(tmp_path)
    sequence = bodies.load(path, **case.options)
    assert (sequence.body, sequence.gender) == (case.body, case.gender)
    body = body_for(sequence, models)
    assert body.arrays.source == models / PLACES[case.body, case.gender]
    trial = virtual_markers(sequence, body=body)
    places, names = joints(sequence, body=body)
    points = read_body_markers(body.topology)
    vertices, expected_joints = of_smplx(models, case, poses, translation, betas)
    expected = np.stack([np.einsum("tkc,k->tc", vertices[:, v], w) for v, w in zip(points.vertices, points.weights)], 1)
    seen = list(case.seen)
    assert trial.markers.shape == (max(len(sequence.time), max(seen) + 1), 142, 3)
    assert np.abs(trial.markers[seen] - case.ground(expected)).max() < 1e-5
    assert np.abs(places[seen] - case.ground(expected_joints[:, : len(names)])).max() < 1e-5
    unseen = np.setdiff1d(np.arange(len(sequence.time)), seen)
    assert np.isnan(trial.markers[unseen]).all()
    assert np.isnan(places[unseen]).all()
    whole = mesh(body, sequence, np.array(seen[:1]))[0] @ sequence.to_ground.T
    assert np.abs(whole - case.ground(vertices[0])).max() < 1e-5


def test_hands_that_a_tool_leaves_out_are_relaxed_and_stay_so_when_saved(models, tmp_path):
    path, *_ = gvhmr("global")(tmp_path)
    sequence = bodies.load(path)
    assert any("fingers" in note for note in sequence.assumptions)
    again = bodies.load(bodies.save_sequence(sequence, tmp_path / "own.npz"))
    assert again.relaxed_hands
    body = body_for(sequence, models)
    assert np.array_equal(joints(again, body=body)[0], joints(sequence, body=body)[0])
    flat = bodies.load(amass(tmp_path)[0])
    assert not flat.relaxed_hands


def test_a_model_file_without_a_mean_hand_leaves_it_flat(models):
    body = SmplBody.find("smplx", "neutral", models)
    bare = SmplBody(replace(body.arrays, hands=None))
    rotations = torch.eye(3).expand(2, 22, 3, 3)
    assert bare.with_relaxed_hands(rotations) is rotations
    assert body.with_relaxed_hands(rotations).shape == (2, 55, 3, 3)
    assert torch.equal(body.with_relaxed_hands(rotations)[:, :25], torch.eye(3).expand(2, 25, 3, 3))
    whole = torch.eye(3).expand(2, 55, 3, 3)
    assert body.with_relaxed_hands(whole) is whole


def test_a_mean_hand_of_another_size_is_refused(models, tmp_path):
    stored = dict(np.load(models / PLACES["smpl", "neutral"])) | {
        "hands_meanl": np.zeros(6),
        "hands_meanr": np.zeros(45),
    }
    np.savez(tmp_path / "SMPL_NEUTRAL.npz", **stored)
    with pytest.raises(InputError, match=r"hands_meanl and hands_meanr hold 6 and 45 numbers"):
        read_model_file(tmp_path / "SMPL_NEUTRAL.npz", "smpl")


def test_one_shape_is_the_median_of_the_seen_frames(tmp_path):
    betas = np.zeros((4, 10), np.float32)
    betas[:, 0] = [1.0, 2.0, 9.0, 3.0]
    person = {**tiny.wham_person(np.array([0, 1, 3, 4]), mesh=False), "betas": betas}
    person["pose_world"][2] = np.nan
    joblib.dump({0: person}, tmp_path / "wham_output.pkl")
    varying = bodies.load(tmp_path / "wham_output.pkl", fps=30)
    assert varying.shape.shape == (5, 10)
    fixed = bodies.one_shape(varying)
    assert fixed.shape.shape == (10,)
    assert fixed.shape[0] == 2.0
    assert fixed.assumptions[:-1] == varying.assumptions
    assert "the median; its values vary by up to 2." in fixed.assumptions[-1]
    assert bodies.one_shape(fixed) is fixed


def test_one_gender_cannot_stand_for_another(models, tmp_path):
    """The file of the gender that the motion names is taken, and there is no other in its place."""
    path = tiny.stageii(tmp_path / "a_stageii.npz", gender=np.array("male"), betas=np.zeros(10))
    assert body_for(bodies.load(path), models).arrays.source.name == "SMPLX_MALE.npz"
    neutral = tiny.amass(tmp_path / "a_poses.npz", gender=np.array("neutral"))
    with pytest.raises(InputError, match=r"SMPL\+H body model \(neutral\)"):
        body_for(bodies.load(neutral), models)


def test_more_betas_than_the_file_has(tmp_path):
    """Old SMPL-X files have 10 directions of shape: 16 betas of AMASS ask for the newer file."""
    synthetic_smpl.write_npz(tmp_path / "models" / PLACES["smplx", "neutral"], "smplx", 10)
    sequence = bodies.load(tiny.stageii(tmp_path / "a_stageii.npz"))
    with pytest.raises(InputError, match=r"a_stageii\.npz: has 16 betas, its body model has 10 .*SMPLX_NEUTRAL\.npz"):
        virtual_markers(sequence, model_folder=tmp_path / "models")
