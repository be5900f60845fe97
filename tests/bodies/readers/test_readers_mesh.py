"""Meshes without a body model, and the project's own file of any sequence."""

import pickle
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import tiny_files as tiny
from scipy.spatial.transform import Rotation

import biopose_sim.bodies as bodies
from biopose_sim.bodies.types import ANNY_AXES, Z_UP, BodySequence
from biopose_sim.errors import InputError

joblib = pytest.importorskip("joblib")


def images(n=3):
    return [[tiny.sam_person(frame)] for frame in range(n)]


@pytest.mark.parametrize("way", ["pickle", "joblib", "npy", "by name", "folder of npz", "folder of npy"])
def test_sam_3d_body(tmp_path, way):
    path = tmp_path / "sam.pkl"
    if way == "pickle":
        path.write_bytes(pickle.dumps(images()))
    elif way == "joblib":
        joblib.dump(images(), path)
    elif way == "by name":
        joblib.dump({f"img/{i:05d}.jpg": people for i, people in enumerate(images())}, path)
    elif way == "npy":
        path = tmp_path / "sam.npy"
        array = np.empty(3, dtype=object)
        array[:] = images()
        np.save(path, array)
    else:
        path = tmp_path / "results"
        path.mkdir()
        for i, people in enumerate(images()):
            if way == "folder of npz":
                np.savez(path / f"frame_{i:04d}.npz", **people[0])
            else:
                np.save(path / f"frame_{i:04d}.npy", np.array(people, dtype=object))
    sequence = bodies.load(path, fps=30)
    assert (sequence.body, sequence.topology) == ("mesh", "mhr")
    np.testing.assert_allclose(sequence.time, np.arange(3) / 30)
    expected = tiny.sam_person(2)
    np.testing.assert_allclose(sequence.vertices[2], expected["pred_vertices"] + expected["pred_cam_t"], rtol=1e-6)
    assert sequence.rotations.shape == (3, 0, 3, 3)
    assert sequence.to_ground[1, 1] == -1


def test_sam_images_without_the_person_are_not_seen(tmp_path):
    frames = [*images(2), [], [tiny.sam_person(3), tiny.sam_person(3, 1)]]
    (tmp_path / "sam.pkl").write_bytes(pickle.dumps(frames))
    assert [(t.key, t.n_frames) for t in bodies.tracks(tmp_path / "sam.pkl")] == [("0", 3), ("1", 1)]
    sequence = bodies.load(tmp_path / "sam.pkl", fps=30, track=0)
    np.testing.assert_array_equal(sequence.seen, [True, True, False, True])
    assert any("does not track people" in note for note in sequence.assumptions)


def test_sam_with_another_mesh(tmp_path):
    person = {**tiny.sam_person(0), "pred_vertices": np.zeros((100, 3))}
    (tmp_path / "sam.pkl").write_bytes(pickle.dumps([[person]]))
    with pytest.raises(InputError, match=r"pred_vertices has shape \(100, 3\); expected \(18439, 3\)"):
        bodies.load(tmp_path / "sam.pkl", fps=30)


def mesh(n=5, vertices=6890):
    return tiny.rng(0).normal(scale=[0.1, 0.3, 0.1], size=(n, vertices, 3))


def test_plain_vertices(tmp_path):
    path = tmp_path / "mesh.npz"
    np.savez(path, vertices=mesh(), time=[1.0, 1.02, 1.04, 1.08, 1.1])
    sequence = bodies.load(path)
    assert sequence.topology == "smpl"
    np.testing.assert_allclose(sequence.time, [1.0, 1.02, 1.04, 1.06, 1.08, 1.1])
    np.testing.assert_array_equal(sequence.seen, [True, True, True, False, True, True])
    np.testing.assert_array_equal(sequence.vertices[sequence.seen], mesh())
    assert any("does not say" in note for note in sequence.assumptions)
    np.savez(path, vertices=mesh().astype(np.float32), fps=25.0, up="z")
    sequence = bodies.load(path)
    np.testing.assert_allclose(sequence.time, np.arange(5) / 25)
    np.testing.assert_array_equal(sequence.to_ground, Z_UP)
    assert bodies.load(path, frame="camera", fps=50).to_ground[1, 1] == -1


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"vertices": mesh()}, "holds no frame rate"),
        ({"vertices": mesh()[0], "fps": 30}, r"vertices has shape \(6890, 3\)"),
        ({"vertices": mesh(0), "fps": 30}, "holds no frame"),
        ({"vertices": mesh() * 1000, "fps": 30}, "measures .* m; vertices in metres are expected"),
        ({"vertices": mesh(), "time": [0, 1, 1, 2, 3]}, "time does not increase"),
        ({"vertices": mesh(), "time": [0, 1, 2, 3.5, 4]}, "time does not rise in even steps"),
        ({"vertices": mesh(), "fps": 30, "up": "x"}, "up is 'x'; y or z"),
        ({"vertices": mesh() * np.nan, "fps": 30}, "every frame has values that are not numbers"),
    ],
)
def test_bad_plain_vertices(tmp_path, arrays, says):
    np.savez(tmp_path / "mesh.npz", **arrays)
    with pytest.raises(InputError, match=says):
        bodies.load(tmp_path / "mesh.npz")


def sequence(body, **other):
    turns = Rotation.from_rotvec(tiny.rng(0).normal(size=(12, 3))).as_matrix().reshape(4, 3, 3, 3)
    parts = {
        "name": "walk",
        "body": body,
        "time": np.array([0.5, 0.6, 0.75, 0.8]),
        "rotations": turns if body != "mesh" else np.zeros((4, 0, 3, 3)),
        "translation": tiny.rng(1).normal(size=(4, 3)),
        "shape": np.full(6, 0.4) if body == "anny" else np.arange(10.0),
        "gender": "female",
        "to_ground": ANNY_AXES,
        "seen": np.array([True, False, True, True]),
        "source": Path("folder/take.npz"),
        "assumptions": ("one thing", "another: ü"),
    }
    return BodySequence(**{**parts, **other})


@pytest.mark.parametrize(
    "written",
    [
        sequence("anny"),
        sequence("anny", shape=tiny.rng(2).uniform(size=(4, 6)), seen=None, source=None, assumptions=()),
        sequence("smplx"),
        sequence("smpl", vertices=mesh(4).astype(np.float32), topology="smpl"),
        sequence("mesh", vertices=mesh(4, 50), topology="mine", shape=np.zeros(0)),
    ],
    ids=["anny", "anny per frame", "smplx", "smpl with mesh", "mesh"],
)
def test_every_sequence_comes_back(tmp_path, written):
    assert bodies.save_sequence(written, tmp_path / "own.npz") == tmp_path / "own.npz"
    assert [p.name for p in tmp_path.iterdir()] == ["own.npz"]
    with np.load(tmp_path / "own.npz", allow_pickle=False) as arrays:
        assert {"rotations", "translation"} <= set(arrays)
        assert ("phenotypes" in arrays) == (written.body == "anny")
    read = bodies.load(tmp_path / "own.npz")
    for field in fields(BodySequence):
        value, back = getattr(written, field.name), getattr(read, field.name)
        if field.name == "source" and value is None:
            assert back == tmp_path / "own.npz"
        elif isinstance(value, np.ndarray):
            np.testing.assert_array_equal(back, value, err_msg=field.name)
            assert back.dtype == value.dtype
        else:
            assert back == value, field.name


def test_an_anny_file_that_somebody_else_made(tmp_path):
    path = tmp_path / "mine.npz"
    parts = {
        "rotations": np.tile(np.eye(3), (5, 104, 1, 1)),
        "translation": np.zeros((5, 3)),
        "phenotypes": np.full(6, 0.5),
    }
    np.savez(path, **parts, fps=60)
    read = bodies.load(path)
    assert (read.body, read.gender, read.name) == ("anny", "neutral", "mine")
    np.testing.assert_allclose(read.time, np.arange(5) / 60)
    np.testing.assert_array_equal(read.to_ground, ANNY_AXES)
    for change, says in [
        ({"rotations": np.tile(-np.eye(3), (5, 104, 1, 1))}, "matrices that are not rotations"),
        ({"rotations": np.zeros((5, 104, 3))}, r"rotations has shape \(5, 104, 3\)"),
        ({"rotations": np.zeros((0, 104, 3, 3)), "translation": np.zeros((0, 3))}, "holds no frame"),
        ({"phenotypes": np.zeros((2, 6))}, r"phenotypes has shape \(2, 6\)"),
        ({"body": "robot"}, "body is 'robot'; known are smpl"),
        ({"body": "smpl"}, "is of the body 'smpl' but has no 'shape'"),
        ({"time": [0, 1, 2, 2, 3]}, "time does not increase"),
        ({"time": np.arange(5), "seen": np.zeros(5, bool)}, "seen in no frame"),
    ]:
        np.savez(path, **{**parts, "fps": 60, **change})
        with pytest.raises(InputError, match=says):
            bodies.load(path)
    np.savez(path, **parts)
    with pytest.raises(InputError, match="holds no frame rate"):
        bodies.load(path)


def test_a_sequence_is_saved_as_npz_or_not_at_all(tmp_path):
    with pytest.raises(InputError, match=r"does not end in \.npz"):
        bodies.save_sequence(sequence("anny"), tmp_path / "own.pkl")
    with pytest.raises(InputError, match="does not exist"):
        bodies.save_sequence(sequence("anny"), tmp_path / "absent" / "own.npz")
