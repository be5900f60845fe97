"""Opening a source, names, choosing persons and trials, the division into training and test."""

from __future__ import annotations

import subprocess
import sys

import pytest

from biopose_sim.errors import InputError
from ik_pipeline.sources import SOURCES, SourceOptions, open_source
from ik_pipeline.sources.common import finished, safe_name, scaling_pose, unique_name, words
from ik_pipeline.types import BadFile, PersonSpec, TrialSpec


def people(*names, trials=("walk", "run")):
    specs = tuple(TrialSpec(trial, ()) for trial in trials)
    return [PersonSpec(name, "markers", specs, group=name[0]) for name in names]


def _listed(source, work):
    source.prepare(work)
    return source.list()


def test_unknown_sources_and_folders_are_named(tmp_path):
    with pytest.raises(InputError, match=r"unknown 'bedlan' \(did you mean 'bedlam'"):
        open_source("bedlan", tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        open_source("cmu", tmp_path / "none")
    file = tmp_path / "walk.trc"
    file.touch()
    with pytest.raises(InputError, match="is a file; give the folder"):
        open_source("markers", file)


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("markers", {"fps": 30.0}, "cannot use the option fps; recorded markers"),
        ("opencap", {"seed": 1}, "cannot use the option seed"),
        ("amass", {"seed": 1}, "cannot use the option seed"),
        ("cmu", {"body_models": "x"}, "cannot use the option body_models; its bodies are Anny's"),
        ("cmu", {"gender": "neutral"}, "gender is 'neutral'; give female or male"),
        ("cmu", {"persons": 0}, "persons is 0"),
        ("cmu", {"seed": -1}, "seed is -1"),
        ("bedlam", {"fps": 0.0}, "fps is 0 Hz"),
    ],
)
def test_options_that_a_source_cannot_use_are_refused(tmp_path, name, options, told):
    with pytest.raises(InputError, match=told):
        open_source(name, tmp_path, SourceOptions(**options))


@pytest.mark.parametrize("name", SOURCES)
def test_an_empty_folder_says_what_it_should_look_like(tmp_path, name):
    with pytest.raises(InputError, match="expected"):
        _listed(open_source(name, tmp_path), tmp_path / "work")


def test_names_of_sources_are_known_without_heavy_imports():
    code = (
        "import sys\nfrom ik_pipeline.sources import SOURCES\n"
        "assert not {'numpy', 'torch', 'scipy', 'numba'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_names_are_fit_for_files():
    assert safe_name("Subject 1: walk/1") == "Subject_1_walk_1"
    assert safe_name("../..") == "unnamed"
    assert safe_name("scaling") == "scaling_"  # the name of a person's scaling on disk
    long = [safe_name("x" * 150 + end) for end in "ab"]
    assert len(long[0]) == 100
    assert long[0] != long[1]
    taken: set[str] = set()
    assert [unique_name(name, taken) for name in ("walk", "Walk", "walk")] == ["walk", "Walk_2", "walk_3"]


@pytest.mark.parametrize(
    ("name", "pose"),
    [
        ("static1", "static"), ("subject01_Static", "static"), ("Cal_02", "static"), ("neutral", "static"),
        ("AnatomicalCalibration", "static"), ("TPose", "T-pose"), ("t-pose_2", "T-pose"), ("Tpose", "T-pose"),
        ("a_pose", "A-pose"), ("PiG_Calibration-FlatFoot", "static"),
        ("calf_raise", None), ("walking1", None), ("statical", None), ("depose", None), ("squats", None),
    ],
)  # fmt: skip
def test_static_trials_are_known_by_name(name, pose):
    assert scaling_pose(name) == pose


def test_words_of_names():
    assert words("subject01_TPose-run2") == ["subject", "t", "pose", "run"]
    assert words("walkStatic1") == ["walk", "static"]


def test_persons_and_trials_are_chosen(tmp_path):
    found = people("a1", "a2", "b1")
    options = SourceOptions(include_persons=("a*", "b?"), include_trials=("r*",), persons=2)
    listing = finished(tmp_path, found, [], [], options, "")
    assert [person.id for person in listing.persons] == ["a1", "a2"]
    assert [trial.name for person in listing.persons for trial in person.trials] == ["run", "run"]
    assert [len(p.trials) for p in finished(tmp_path, found, [], [], SourceOptions(trials=1), "").persons] == [1, 1, 1]
    with pytest.raises(InputError, match="no person matches 'c'; it has 'a1'"):
        finished(tmp_path, found, [], [], SourceOptions(include_persons=("c",)), "")
    with pytest.raises(InputError, match="no trial matches 'jump'; a1 has 'walk', 'run'"):
        finished(tmp_path, found, [], [], SourceOptions(include_trials=("jump",)), "")


def test_groups_divide_persons(tmp_path):
    found = people("a1", "a2", "b1", "c1")
    assert {person.split for person in finished(tmp_path, found, [], [], SourceOptions(), "").persons} == {None}
    listing = finished(tmp_path, found, [], [], SourceOptions(test=("a", "x"), val=("b",)), "")
    assert [person.split for person in listing.persons] == ["test", "test", "val", "train"]
    assert listing.notices == ("Of the groups for test, 'x' match nobody here.",)


def test_a_bad_file_is_named_once_and_nobody_left_is_an_error(tmp_path):
    bad = [BadFile(tmp_path / "x.trc", "is empty"), BadFile(tmp_path / "x.trc", "is no TRC file")]
    listing = finished(tmp_path, people("a"), bad, ["told", "told"], SourceOptions(), "")
    assert listing.bad_files == (bad[0],)
    assert listing.notices == ("told",)
    with pytest.raises(
        InputError, match=r"no recordings that can be used; the first of 1 bad files: x.trc: is empty; expected"
    ):
        finished(tmp_path, people("a", trials=()), bad, [], SourceOptions(), "expected this")
