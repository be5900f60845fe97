"""Markers of laboratories: the recordings at hand as they lie, OpenCap's layout made of them, folders of persons."""

from __future__ import annotations

import pickle
import shutil

import numpy as np
import pytest

from biopose_sim.errors import InputError
from biopose_sim.io import Trial, read_trc, write_trc
from ik_pipeline.sources import SourceOptions, open_source
from ik_pipeline.sources.markers import is_still


def recording(path, moving=True, seconds=1.0):
    """Three markers at 100 Hz."""
    time = np.arange(round(seconds * 100) + 1) / 100
    places = np.array([[0.0, 1.0, 0.0], [0.1, 1.0, 0.0], [0.0, 0.5, 0.1]])
    shift = np.stack([1.3 * time if moving else 1e-4 * np.sin(40 * time), 0 * time, 0 * time], axis=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_trc(path, Trial.checked(path.stem, time, places + shift[:, None], ("A", "B", "C")))
    return path


def names(person):
    return {trial.name: trial.scaling for trial in person.trials}


def test_opencap_laboratory_as_it_lies(test_data):
    folder = test_data / "opencap_lab_subject4"
    source = open_source("markers", folder)
    listing = source.list()
    (person,) = listing.persons
    assert (person.id, person.group, person.split) == ("opencap_lab_subject4", "opencap_lab_subject4", None)
    assert len(person.trials) == 24
    assert [name for name, scaling in names(person).items() if scaling] == ["static1"]
    assert listing.bad_files == ()
    assert len(person.details["ik_setups"]) == 23
    assert "Models/manually_scaled.osim" in person.details["models"]
    jump = next(trial for trial in person.trials if trial.name == "DJ1")
    assert jump.details == {
        "ik_setup": "IK/DJ1_ik_on_manually_scaled_setup.xml",
        "model": "Models/manually_scaled.osim",
        "kinematics": ["IK/DJ1_ik.mot", "IK/DJ1_manual_scaling_ik.mot"],
    }
    read = source.read(person, jump)
    direct = read_trc(folder / "MarkerData" / "DJ1.trc")
    np.testing.assert_array_equal(read.markers, direct.markers)
    assert not source.virtual
    assert pickle.loads(pickle.dumps(source)).list().persons == listing.persons


def test_pipeline_of_rajagopal_is_one_person(test_data):
    (person,) = open_source("markers", test_data / "pipelines" / "Rajagopal").list().persons
    assert names(person) == {
        "motion_capture_run": None,
        "motion_capture_walk": None,
        "static_run": "static",
        "static_walk_1": "static",
        "static_walk_2": "static",
    }
    assert len(person.details["scale_setups"]) == 3
    # Two people, one who walked and one who ran, are in the folder: their masses differ and nothing is believed.
    assert person.mass is None
    assert person.trials[0].details == {"ik_setup": "IK/ik_setup_run.xml"}


def test_each_pipeline_is_a_person_of_a_size(test_data):
    persons = {person.id: person for person in open_source("markers", test_data / "pipelines").list().persons}
    assert len(persons) == 5
    walker = persons["Gait2354_Simbody"]
    assert walker.mass == pytest.approx(72.6)
    assert walker.stature == pytest.approx(1.8034)
    (walk,) = [trial for trial in walker.trials if trial.scaling is None]
    assert walk.details["ik_setup"] == "Gait2354_Simbody/subject01_Setup_IK.xml"
    assert walk.details["model"].endswith("subject01_simbody.osim")


def test_c3d_files_of_one_folder(test_data):
    source = open_source("markers", test_data / "c3d", SourceOptions(include_trials=("PiG*",)))
    (person,) = source.list().persons
    assert names(person) == {"PiG_Calibration-FlatFoot-Full": "static", "PiG_Motion-FlatFoot-Full": None}
    assert source.read(person, person.trials[1]).n_frames > 100


def test_a_folder_per_person(tmp_path):
    for person in ("P02", "P10"):
        for trial in ("static", "walk"):
            recording(tmp_path / person / "MarkerData" / f"{trial}.trc")
    recording(tmp_path / "P02" / "later" / "walk.trc")
    shutil.copy(tmp_path / "P10" / "MarkerData" / "walk.trc", tmp_path / "P10" / "MarkerData" / "walk.c3d")
    (tmp_path / "P10" / "MarkerData" / "cut.trc").touch()
    listing = open_source("markers", tmp_path).list()
    assert [person.id for person in listing.persons] == ["P02", "P10"]
    assert list(names(listing.persons[0])) == ["static", "walk", "walk_2"]
    assert list(names(listing.persons[1])) == ["static", "walk"]
    assert [(bad.path.name, bad.reason) for bad in listing.bad_files] == [("cut.trc", "is empty")]
    assert any("P10: TRC files are taken in place of C3D" in notice for notice in listing.notices)


def test_one_person_among_setups_is_the_folder(tmp_path):
    recording(tmp_path / "P02" / "walk.trc")
    assert open_source("markers", tmp_path).list().persons[0].id == "P02"
    (tmp_path / "Models").mkdir()
    (tmp_path / "Models" / "model.osim").write_text("<OpenSimDocument/>")
    assert open_source("markers", tmp_path).list().persons[0].id == tmp_path.name


def test_stillness_is_the_second_sign(tmp_path):
    recording(tmp_path / "trial1.trc", moving=False)
    recording(tmp_path / "trial2.trc")
    (tmp_path / "trial3.trc").write_text("not a TRC file")
    (person,) = open_source("markers", tmp_path).list().persons
    assert names(person) == {"trial1": "static", "trial2": None, "trial3": None}
    assert not is_still(read_trc(recording(tmp_path / "short.trc", moving=False, seconds=0.2)))
    with pytest.raises(InputError, match=r"trial3\.trc"):
        open_source("markers", tmp_path).read(person, person.trials[2])


def test_a_damaged_setup_costs_nothing_else(tmp_path):
    recording(tmp_path / "walk.trc")
    (tmp_path / "ik.xml").write_text('<OpenSimDocument Version="40000"><InverseKinematicsTool name="x"><mark')
    listing = open_source("markers", tmp_path).list()
    assert [bad.path.name for bad in listing.bad_files] == ["ik.xml"]
    assert len(listing.persons) == 1


METADATA = "mass_kg: 74.5\nheight_m: 1.81\nsubjectID: subject4\ngender_mf: m\nopenSimModel: LaiUhlrich2022\n"


@pytest.fixture
def session(test_data, tmp_path):
    """A session as OpenCap lays it out, of the laboratory's recordings."""
    lab, made = test_data / "opencap_lab_subject4", tmp_path / "OpenCapData_1"
    for folder in ("MarkerData", "OpenSimData/Model", "OpenSimData/Kinematics"):
        (made / folder).mkdir(parents=True)
    for trial, source in (("neutral", "static1"), ("walking1", "walking1")):
        shutil.copy(lab / "MarkerData" / f"{source}.trc", made / "MarkerData" / f"{trial}.trc")
    shutil.copy(lab / "IK" / "walking1_ik.mot", made / "OpenSimData" / "Kinematics" / "walking1.mot")
    shutil.copy(lab / "Models" / "manually_scaled.osim", made / "OpenSimData" / "Model" / "LaiUhlrich2022_scaled.osim")
    (made / "sessionMetadata.yaml").write_text(METADATA)
    return made


@pytest.mark.parametrize("above", [False, True])
def test_opencap_session(session, above):
    source = open_source("opencap", session.parent if above else session)
    (person,) = source.list().persons
    inside = "OpenCapData_1/" if above else ""
    assert (person.id, person.group, person.sex) == ("OpenCapData_1", "subject4", "male")
    assert (person.mass, person.stature) == (74.5, 1.81)
    assert person.details["model"] == f"{inside}OpenSimData/Model/LaiUhlrich2022_scaled.osim"
    assert names(person) == {"neutral": "static", "walking1": None}
    assert person.trials[1].details == {"kinematics": [f"{inside}OpenSimData/Kinematics/walking1.mot"]}
    assert source.read(person, person.trials[1]).n_frames > 50
    assert not source.virtual


def test_several_sessions_and_broken_metadata(session):
    other = session.parent / "OpenCapData_2"
    shutil.copytree(session, other)
    (other / "sessionMetadata.yaml").write_text("mass_kg: [1\n")
    third = session.parent / "OpenCapData_3"
    shutil.copytree(session, third)
    (third / "sessionMetadata.yaml").write_text("subjectID: defaultSubject\nmass_kg: sixty\n")
    (other / "MarkerData" / "jump.trc").touch()
    listing = open_source("opencap", session.parent, SourceOptions(test=("subject4",))).list()
    assert [person.id for person in listing.persons] == ["OpenCapData_1", "OpenCapData_2", "OpenCapData_3"]
    assert [person.split for person in listing.persons] == ["test", "train", "train"]
    assert [person.mass for person in listing.persons] == [74.5, None, None]
    assert [bad.path.name for bad in listing.bad_files] == ["jump.trc", "sessionMetadata.yaml"]
