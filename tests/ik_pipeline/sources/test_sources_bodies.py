"""AMASS, BEDLAM and BML-MoVi: small files with the real keys and types, model files of random numbers."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
import synthetic_smpl
import tiny_files as tiny

from biopose_sim import bodies
from biopose_sim.bodies.markers import virtual_markers
from biopose_sim.bodies.readers import content
from biopose_sim.errors import InputError
from ik_pipeline.sources import SourceOptions, open_source

T = 130


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for body, name in (("smplh", "smplh/female/model.npz"), ("smplx", "smplx/SMPLX_NEUTRAL.npz")):
        synthetic_smpl.write_npz(folder / name, body)
    return folder


def long_amass(path, frames=T, rate=120.0, **other):
    """An AMASS file of a slow motion."""
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(frames)[:, None] / rate
    poses = 0.3 * np.sin(2 * time + np.arange(156))
    return tiny.amass(path, poses=poses, trans=np.hstack([time, 0 * time, 0 * time]), dmpls=None,
                      mocap_framerate=np.array(rate), **other)  # fmt: skip


def stageii(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    return tiny.stageii(path)


def test_amass_tree(tmp_path, models):
    long_amass(tmp_path / "CMU" / "02" / "02_01_poses.npz")
    long_amass(tmp_path / "CMU" / "02" / "02_tpose_poses.npz")
    long_amass(tmp_path / "CMU" / "10" / "10_01_poses.npz")
    stageii(tmp_path / "CMU" / "02" / "02_01_stageii.npz")
    tiny.amass(tmp_path / "CMU" / "02" / "shape.npz", poses=None, trans=None)
    (tmp_path / "CMU" / "10" / "10_02_poses.npz").write_bytes(b"PK\x03\x04 not whole")
    cut = tmp_path / "CMU" / "10" / "10_03_poses.npz"
    cut.write_bytes(cut.with_name("10_01_poses.npz").read_bytes()[:20000])
    source = open_source("amass", tmp_path, SourceOptions(body_models=models, fps=30.0))
    listing = source.list()
    people = {person.id: person for person in listing.persons}
    assert list(people) == ["CMU_02_smplh", "CMU_02_smplx", "CMU_10"]
    assert {person.group for person in listing.persons} == {"CMU_02", "CMU_10"}
    assert {t.name: t.scaling for t in people["CMU_02_smplh"].trials} == {"02_01": None, "02_tpose": "T-pose"}
    assert people["CMU_02_smplh"].sex == "female"
    assert people["CMU_02_smplx"].sex is None
    assert [bad.path.name for bad in listing.bad_files] == ["10_02_poses.npz", "10_03_poses.npz"]
    assert all("\n" not in bad.reason for bad in listing.bad_files)
    trial = people["CMU_10"].trials[0]
    assert trial.files == (tmp_path / "CMU" / "10" / "10_01_poses.npz", models / "smplh" / "female" / "model.npz")
    assert trial.details["frames"] == T


def test_amass_markers_are_those_of_the_body(tmp_path, models):
    file = long_amass(tmp_path / "02_01_poses.npz")
    source = open_source("amass", tmp_path, SourceOptions(body_models=models, fps=30.0))
    (person,) = source.list().persons
    assert person.id == tmp_path.name
    read = pickle.loads(pickle.dumps(source)).read(person, person.trials[0])
    whole = virtual_markers(bodies.load(file), model_folder=models)
    np.testing.assert_array_equal(read.markers, whole.markers[::4])
    np.testing.assert_allclose(np.diff(read.time), 1 / 30)
    assert (read.name, read.n_markers) == ("02_01", 142)
    every = open_source("amass", tmp_path, SourceOptions(body_models=models))
    assert every.read(person, person.trials[0]).n_frames == T
    assert every.configuration() != source.configuration()


def test_frames_without_numbers_are_not_seen(tmp_path, models):
    file = long_amass(tmp_path / "a_poses.npz")
    with np.load(file) as stored:
        arrays = dict(stored)
    arrays["trans"][40:48] = np.nan
    np.savez(file, **arrays)
    source = open_source("amass", tmp_path, SourceOptions(body_models=models, fps=30.0))
    (person,) = source.list().persons
    read = source.read(person, person.trials[0])
    np.testing.assert_array_equal(np.flatnonzero(read.missing.all(axis=1)), [10, 11])
    assert read.missing.any(axis=1).sum() == 2


def test_missing_models_are_told_once_at_the_start(tmp_path, models):
    for k in range(3):
        long_amass(tmp_path / f"{k}_poses.npz", gender=np.array("male"))
    with pytest.raises(InputError, match=r"SMPL\+H body model \(male\): no .* for 3 trials; register at"):
        open_source("amass", tmp_path, SourceOptions(body_models=models)).list()
    forced = open_source("amass", tmp_path, SourceOptions(body_models=models, gender="female"))
    listing = forced.list()
    (person,) = listing.persons
    assert person.sex == "male"
    assert "All bodies are the female model's" in listing.notices[0]
    assert forced.read(person, person.trials[0]).n_frames == T


def test_a_file_that_has_changed_is_named(tmp_path, models):
    file = long_amass(tmp_path / "a_poses.npz")
    source = open_source("amass", tmp_path, SourceOptions(body_models=models))
    (person,) = source.list().persons
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(InputError, match=r"a_poses\.npz"):
        source.read(person, person.trials[0])


@pytest.fixture
def bedlam(tmp_path):
    folder = tmp_path / "bedlam"
    for name, number in (("rp_a", "0012"), ("rp_a", "0013"), ("rp_b", "0012")):
        tiny.bedlam_motion(folder / name / number / "motion_seq.npz")
    return folder


def test_bedlam_motions(bedlam, models):
    tiny.bedlam_motion(bedlam / "rp_b" / "0014" / "motion_seq.npz", betas=np.full(11, 0.5))
    tiny.bedlam_training(bedlam / "scene.npz")
    source = open_source("bedlam", bedlam, SourceOptions(body_models=models))
    listing = source.list()
    assert [(p.id, [t.name for t in p.trials]) for p in listing.persons] == [
        ("rp_a", ["0012", "0013"]), ("rp_b", ["0012"]), ("rp_b_2", ["0014"]),
    ]  # fmt: skip
    assert {person.sex for person in listing.persons} == {"male"}
    assert len({person.group for person in listing.persons}) == 3
    assert [(bad.path.name, "single images" in bad.reason) for bad in listing.bad_files] == [("scene.npz", True)]
    read = source.read(listing.persons[0], listing.persons[0].trials[1])
    direct = virtual_markers(bodies.load(bedlam / "rp_a" / "0013" / "motion_seq.npz"), model_folder=models)
    np.testing.assert_array_equal(read.markers, direct.markers)


def test_bedlam_animations_by_what_the_file_says(tmp_path, models):
    for k, sub in enumerate(("anna", "anna", "ben")):
        tiny.bedlam_motion(tmp_path / "npz" / f"animation_{k}.npz", sub=np.array(sub))
    persons = open_source("bedlam", tmp_path, SourceOptions(body_models=models)).list().persons
    assert [(p.id, len(p.trials)) for p in persons] == [("anna", 2), ("ben", 1)]


@pytest.fixture
def session(tmp_path):
    """Two AMASS fits of MoVi's subject 3, as long as the two actions of its session."""
    home = tmp_path / "BMLmovi" / "Subject_3_F_MoSh"
    for k, frames in ((1, 4), (2, 3)):
        long_amass(home / f"Subject_3_F_{k}_poses.npz", frames=frames)
    tiny.movi_markers(tmp_path / "F_v3d_Subject_3.mat")
    return tmp_path


def test_movi_of_amass_knows_its_actions(session, models):
    long_amass(session / "BMLmovi" / "Subject_12_F_MoSh" / "Subject_12_F_1_poses.npz", frames=40)
    source = open_source("bml-movi", session, SourceOptions(body_models=models))
    listing = source.list()
    assert [person.id for person in listing.persons] == ["Subject_3", "Subject_12"]
    third = listing.persons[0]
    assert [(t.name, t.action, t.scaling) for t in third.trials] == [
        ("Subject_3_F_1", "walking", None), ("Subject_3_F_2", "kicking", None),
    ]  # fmt: skip
    assert third.sex == "female"
    assert listing.persons[1].trials[0].action is None
    assert source.read(third, third.trials[1]).n_frames == 3


def test_movi_whole_session_is_cut(session, models):
    for path in session.rglob("*_poses.npz"):
        path.unlink()
    whole = long_amass(session / "BMLmovi" / "Subject_3_F_MoSh" / "Subject_3_F_poses.npz", frames=12)
    source = open_source("bml-movi", session, SourceOptions(body_models=models))
    (person,) = source.list().persons
    assert [(t.name, t.details["cut"]) for t in person.trials] == [("1_walking", [2, 6]), ("2_kicking", [7, 10])]
    read = source.read(person, person.trials[0])
    markers = virtual_markers(bodies.load(whole), model_folder=models).markers
    np.testing.assert_allclose(read.markers, markers[2:6], atol=1e-6)


def test_movi_lengths_that_do_not_fit_are_told(session, models):
    long_amass(session / "BMLmovi" / "Subject_3_F_MoSh" / "Subject_3_F_2_poses.npz", frames=9)
    listing = open_source("bml-movi", session, SourceOptions(body_models=models)).list()
    assert [trial.action for trial in listing.persons[0].trials] == ["walking", None]
    assert "1 of 2 recordings are as long as no action" in listing.notices[0]


def test_movi_of_matlab(tmp_path, models):
    tiny.movi_amass(tmp_path / "F_amass_Subject_3.mat")
    (tmp_path / "F_amass_Subject_4.mat").write_bytes(b"MATLAB 5.0 cut off")
    tiny.movi_amass(tmp_path / "F_v3d_Subject_3.mat")
    source = open_source("bml-movi", tmp_path, SourceOptions(body_models=models))
    listing = source.list()
    (person,) = listing.persons
    assert [(t.name, t.action) for t in person.trials] == [("1_walking", "walking"), ("2_kicking", "kicking")]
    assert person.sex == "female"
    assert {bad.path.name for bad in listing.bad_files} == {"F_v3d_Subject_3.mat", "F_amass_Subject_4.mat"}
    read = source.read(person, person.trials[1])
    sequence = bodies.load(tmp_path / "F_amass_Subject_3.mat", action="kicking")
    np.testing.assert_array_equal(read.markers, virtual_markers(sequence, model_folder=models).markers)
    lost = replace(person.trials[0], details={**person.trials[0].details, "track": "7"})
    with pytest.raises(InputError, match="has no recording 7 of 2"):
        source.read(person, lost)


def test_movi_files_are_read_once_while_listing(session, models, monkeypatch):
    tiny.movi_amass(session / "F_amass_Subject_4.mat")
    read = []
    inner = content._read_matlab
    monkeypatch.setattr(content, "_read_matlab", lambda path: read.append(path.name) or inner(path))
    open_source("bml-movi", session, SourceOptions(body_models=models)).list()
    assert sorted(read) == ["F_amass_Subject_4.mat", "F_v3d_Subject_3.mat"]


def test_movi_sex_of_the_session_chooses_the_body(tmp_path, models):
    from scipy.io import loadmat, savemat

    path = tiny.movi_amass(tmp_path / "F_amass_Subject_3.mat")
    stored = loadmat(path, simplify_cells=True)["Subject_3_F_amass"]
    savemat(path, {"Subject_3_F_amass": {"id": "Subject_3", "move": np.array(stored["move"], dtype=object)}})
    tiny.movi_markers(tmp_path / "F_v3d_Subject_3.mat")
    (person,) = open_source("bml-movi", tmp_path, SourceOptions(body_models=models)).list().persons
    assert {trial.details["gender"] for trial in person.trials} == {"female"}
