"""SMPL-family adapters against the smplx package, on model files of the right layout made of random numbers."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import synthetic_smpl
import torch
from scipy.spatial.transform import Rotation

from biopose_sim.bodies.skin import evaluate
from biopose_sim.bodies.smpl import JOINT_NAMES, SmplBody, find_model_file, read_model_file
from biopose_sim.errors import InputError

BODIES = ("smpl", "smplh", "smplx")
PLACES = {"smpl": "smpl/SMPL_NEUTRAL.npz", "smplh": "smplh/neutral/model.npz", "smplx": "smplx/SMPLX_NEUTRAL.npz"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("body_models")
    for body, place in PLACES.items():
        synthetic_smpl.write_npz(root / place, body)
    return root


@pytest.fixture(scope="module")
def bodies(folder):
    return {body: SmplBody.find(body, "neutral", folder) for body in BODIES}


def pose(n_frames, n_joints, dtype=torch.float64, seed=0):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(0, 0.4, (n_frames, n_joints, 3))
    matrices = Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix().reshape(n_frames, n_joints, 3, 3)
    numbers = vectors, matrices, rng.normal(0, 1, (n_frames, 3)), rng.normal(0, 1, (n_frames, 10))
    return [torch.tensor(array, dtype=dtype) for array in numbers]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
def test_points_equal_the_vertices_of_smplx(bodies, body, dtype, tolerance):
    model = bodies[body]
    _, rotations, translation, betas = pose(3, len(model.parents), dtype)
    vertices, joints = model.vertices(rotations, translation, betas)
    chosen = [[v] for v in range(0, model.n_vertices, 97)]
    points, same_joints = evaluate(model.table(chosen, dtype=dtype), rotations, translation, betas)
    assert points.dtype == dtype
    torch.testing.assert_close(points, vertices[:, ::97], atol=tolerance, rtol=0)
    torch.testing.assert_close(same_joints, joints, atol=tolerance, rtol=0)


@pytest.mark.parametrize("body", BODIES)
def test_whole_mesh_equals_the_model_classes_of_smplx(folder, bodies, body):
    import smplx

    data = np.load(folder / PLACES[body])
    options = {"use_pca": False, "flat_hand_mean": True, "num_betas": 10, "batch_size": 2, "dtype": torch.float64}
    if body == "smplx":
        reference = smplx.SMPLX(str(folder / PLACES[body]), **options)
    else:
        kind = {"smpl": smplx.SMPL, "smplh": smplx.SMPLH}[body]
        reference = kind("", data_struct=smplx.utils.Struct(**data), **options)
    vectors, rotations, translation, betas = pose(2, len(bodies[body].parents))
    flat = vectors.flatten(1)
    parts = {"global_orient": flat[:, :3], "body_pose": flat[:, 3:] if body == "smpl" else flat[:, 3:66]}
    if body == "smplx":
        parts |= {"jaw_pose": flat[:, 66:69], "leye_pose": flat[:, 69:72], "reye_pose": flat[:, 72:75]}
        parts["expression"] = torch.zeros(2, 10, dtype=torch.float64)
    if body != "smpl":
        parts |= {"left_hand_pose": flat[:, -90:-45], "right_hand_pose": flat[:, -45:]}
    expected = reference(betas=betas, transl=translation, **parts)
    vertices, joints = bodies[body].vertices(rotations, translation, betas)
    # smplx adds 1e-8 to each rotation vector.
    torch.testing.assert_close(vertices, expected.vertices, atol=1e-6, rtol=0)
    torch.testing.assert_close(joints, expected.joints[:, : joints.shape[1]], atol=1e-6, rtol=0)


def test_joints_that_are_left_out_are_at_rest(bodies):
    model = bodies["smplh"]
    _, rotations, translation, betas = pose(2, 22)
    rest = torch.eye(3, dtype=torch.float64).expand(2, 30, 3, 3)
    table = model.table([[5], [4000]], dtype=torch.float64)
    short = evaluate(table, rotations, translation, betas[0])
    whole = evaluate(table, torch.cat([rotations, rest], dim=1), translation, betas[0])
    torch.testing.assert_close(short, whole, atol=1e-12, rtol=0)
    torch.testing.assert_close(model.vertices(rotations, translation, betas[0])[0][:, [5, 4000]], short[0])


def test_points_inside_triangles_are_exact(bodies):
    model = bodies["smplx"]
    _, rotations, translation, betas = pose(2, 55)
    corners, shares = [[1, 2, 3], [500], [7, 9000]], [[0.2, 0.3, 0.5], [1.0], [0.6, 0.4]]
    points, _ = evaluate(model.table(corners, shares, dtype=torch.float64), rotations, translation, betas)
    vertices, _ = model.vertices(rotations, translation, betas)
    expected = [sum(w * vertices[:, v] for v, w in zip(c, s)) for c, s in zip(corners, shares)]
    torch.testing.assert_close(points, torch.stack(expected, dim=1), atol=1e-9, rtol=0)


def test_pickles_with_chumpy_arrays_are_read_without_chumpy(tmp_path):
    file = synthetic_smpl.write_pickle(tmp_path / "SMPL_MALE.pkl", "smpl")
    assert find_model_file("smpl", "male", tmp_path) == file
    found, stored = read_model_file(file, "smpl"), synthetic_smpl.model_arrays("smpl", 10)
    np.testing.assert_array_equal(found.template, stored["v_template"])
    np.testing.assert_array_equal(found.shape_directions, stored["shapedirs"])
    np.testing.assert_array_equal(found.joint_regressor, stored["J_regressor"])
    assert found.parents[:4] == (-1, 0, 0, 0)


def test_names_fit_the_trees():
    for body in BODIES:
        assert len(JOINT_NAMES[body]) == len(synthetic_smpl.parents(body)) == synthetic_smpl.SIZES[body][1]


def test_folders_are_searched_in_order(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("BIOPOSE_BODY_MODELS", str(tmp_path / "mine"))
    home, mine = tmp_path / ".biopose" / "body_models" / "smplx", tmp_path / "mine" / "smplx"
    with pytest.raises(InputError, match=r"smplx/SMPLX_FEMALE\.npz .* in .*mine and .*smpl-x\.is\.tue\.mpg\.de"):
        find_model_file("smplx", "female")
    for folder in (home, mine):
        folder.mkdir(parents=True)
        (folder / "SMPLX_FEMALE.npz").touch()
        assert find_model_file("smplx", "female").parent == folder


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda f: find_model_file("smplx", "unknown", f), "unknown gender 'unknown'"),
        (lambda f: find_model_file("mano", "male", f), "unknown body 'mano'"),
        (lambda f: find_model_file("smplh", "male", f), r"mano\.is\.tue\.mpg\.de"),
        (lambda f: read_model_file(f / PLACES["smplh"], "smplx"), r"v_template is \(6890, 3\), SMPL-X has 10475 x 3"),
    ],
)
def test_wrong_models_are_refused(folder, call, text):
    with pytest.raises(InputError, match=text):
        call(folder)


def test_a_file_that_is_no_model_is_refused(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK nonsense")
    with pytest.raises(InputError, match="is not a whole npz file"):
        read_model_file(tmp_path / "a.npz", "smpl")
    np.savez(tmp_path / "b.npz", v_template=np.zeros((6890, 3)))
    with pytest.raises(InputError, match="lacks shapedirs, posedirs"):
        read_model_file(tmp_path / "b.npz", "smpl")


def test_wrong_parameters_are_refused(bodies):
    model = bodies["smplh"]
    _, rotations, translation, _ = pose(1, 55)
    with pytest.raises(InputError, match="17 betas are given; the file has 1 to 16"):
        model.vertices(rotations[:, :52], translation, torch.zeros(17, dtype=torch.float64))
    with pytest.raises(InputError, match="rotations of 55 joints are given, the model has 52"):
        evaluate(model.table([[0]], dtype=torch.float64), rotations, translation, torch.zeros(3, dtype=torch.float64))
    with pytest.raises(InputError, match="no vertex 6890"):
        model.table([[6890]])


def test_without_smplx_points_work_and_meshes_say_what_to_install(bodies, monkeypatch):
    monkeypatch.setitem(sys.modules, "smplx", None)
    monkeypatch.setitem(sys.modules, "smplx.lbs", None)
    model = bodies["smpl"]
    _, rotations, translation, betas = pose(1, 24, torch.float32)
    assert evaluate(model.table([[0]]), rotations, translation, betas)[0].shape == (1, 1, 3)
    with pytest.raises(InputError, match=r"biopose-sim\[smpl\]"):
        model.vertices(rotations, translation, betas)
