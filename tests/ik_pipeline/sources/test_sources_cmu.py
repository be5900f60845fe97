"""CMU takes on random Anny adults, from the real archive; the takes of other files."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bvh_text import bvh_text

from biopose_sim.bodies.markers import virtual_markers
from biopose_sim.bodies.retarget import retarget
from biopose_sim.errors import InputError
from biopose_sim.io.bvh import read_bvh
from ik_pipeline.sources import SourceOptions, open_source
from ik_pipeline.sources.cmu import EXCLUDED, PERSONS, pace
from ik_pipeline.sources.cmu_takes import list_takes, prepare_takes, read_take
from ik_pipeline.sources.mirror import mirrored
from ik_pipeline.virtual_fit import mirrored_trial


@pytest.fixture(scope="module")
def first_take(test_data, tmp_path_factory):
    """The first file of the archive."""
    folder = tmp_path_factory.mktemp("bvh")
    with tarfile.open(test_data / "cmu_bvh" / "cmu_daz_bvh.tar.xz") as archive:
        member = archive.next()
        archive.extract(member, folder, filter="data")
    return folder / member.name


def trial_named(listing, name, **wanted):
    for person in listing.persons:
        for trial in person.trials:
            if trial.name == name and all(trial.details[key] == value for key, value in wanted.items()):
                return person, trial
    raise AssertionError(f"no trial {name} with {wanted}")


def other(trial, **details):
    return replace(trial, details={**trial.details, **details})


def test_persons_are_spread_over_subjects_sexes_mirrors_and_phases(cmu):
    source, listing = cmu
    persons = listing.persons
    assert Counter(person.group for person in persons).most_common()[0][1] == 3
    assert len({person.group for person in persons}) == 11
    assert Counter(person.sex for person in persons) == {"female": 16, "male": 16}
    assert Counter(person.details["mirrored"] for person in persons) == {True: 16, False: 16}
    assert Counter(person.trials[0].details["phase"] for person in persons) == {0: 8, 1: 8, 2: 8, 3: 8}
    splits = {person.group: person.split for person in persons}
    assert {group for group, split in splits.items() if split == "test"} == {"02", "08", "10"}
    assert {group for group, split in splits.items() if split == "val"} == {"03", "07"}
    assert all(1.45 < person.stature < 2.0 and 35 < person.mass < 140 for person in persons)
    assert source.virtual


def test_the_default_run_has_a_million_frames(cmu):
    listing = cmu[1]
    frames = {p.group: sum(t.details["frames"] for t in p.trials) for p in listing.persons}
    assert len(frames) == 11
    assert sum(frames.values()) * PERSONS / 11 > 1.0e6


def test_bad_takes_are_left_out_and_told(cmu):
    listing = cmu[1]
    names = {trial.name for person in listing.persons for trial in person.trials}
    assert len(names) == 127 - len(EXCLUDED)
    assert not names & set(EXCLUDED)
    told = " ".join(listing.notices)
    assert all(name in told for name in EXCLUDED)
    assert "Too short for a window of 64 frames, solved all the same: '02_03'" in told


def test_a_trial_is_the_take_on_the_body(cmu, first_take):
    """Straight from the file by the library alone: the compact form, without fingers, changes nothing."""
    source, listing = cmu
    person, trial = trial_named(listing, first_take.stem, mirrored=False)
    read = source.read(person, trial)
    bvh = read_bvh(first_take)
    cut = bvh.values[10 + trial.details["phase"] :: 4]
    direct = retarget(
        replace(bvh, values=cut, frame_time=1 / 30),
        np.array(person.details["phenotypes"]),
        limit=(0, len(cut)),
        heading=trial.details["heading"],
    )
    markers = virtual_markers(direct)
    np.testing.assert_allclose(read.markers, markers.markers, atol=1e-6)
    assert read.marker_names == markers.marker_names
    assert len(read.marker_names) == 142
    assert read.n_frames == trial.details["frames"]
    assert read.rate == pytest.approx(30)
    assert read.name == trial.name
    assert np.median(np.ptp(read.markers[:, :, 1], axis=1)) > 0.85 * person.stature  # Y up


def test_phases_are_other_frames_of_one_motion(cmu):
    source, listing = cmu
    person, trial = trial_named(listing, "08_02")
    still = other(trial, heading=0.0, mirrored=False)
    first, later = (source.read(person, other(still, phase=k, first=10 + k)).markers for k in (0, 2))
    between = (first[:-1] + first[1:]) / 2
    n = min(len(between), len(later))
    apart = np.linalg.norm(between[:n] - later[:n], axis=2)
    assert np.median(apart) < 0.01
    assert np.median(np.linalg.norm(first[:n] - later[:n], axis=2)) > 2 * np.median(apart)


def test_mirrored_takes_are_mirrored_markers(cmu):
    source, listing = cmu
    person, trial = trial_named(listing, "02_02")
    plain = source.read(person, other(trial, mirrored=False, heading=0.3))
    turned = source.read(person, other(trial, mirrored=True, heading=-0.3))
    seen = mirrored_trial(plain)
    seen = seen.select(turned.marker_names)
    np.testing.assert_allclose(turned.markers, seen.markers, atol=1e-3)
    # It is another motion, not the same again.
    assert np.abs(turned.markers - plain.markers).max() > 0.1


def test_mirroring_twice_gives_the_file_back(takes_work):
    bvh = read_take(sorted(takes_work.glob("cmu-*/02_01.npz"))[0])
    twice = mirrored(mirrored(bvh))
    np.testing.assert_allclose(twice.values, bvh.values)
    assert twice.joint_names == bvh.joint_names
    once = mirrored(bvh)
    places, other_places = bvh.world()[1], once.world()[1]
    names = [once.joint_names.index(name) for name in bvh.joint_names]
    swapped = [bvh.joint_names.index(once.joint_names[k]) for k in range(len(names))]
    np.testing.assert_allclose(other_places[:, names], (places * [-1, 1, 1])[:, swapped], atol=1e-9)
    lonely = replace(bvh, joint_names=tuple("lTail" if name == "lHand" else name for name in bvh.joint_names))
    with pytest.raises(InputError, match="joint 'rHand' has no twin on the left side"):
        mirrored(lonely)


def test_the_same_seed_gives_the_same_persons_whatever_their_number(cmu, test_data, takes_work):
    source, listing = cmu
    fewer = open_source("cmu", test_data / "cmu_bvh", SourceOptions(persons=5))
    fewer.prepare(takes_work)
    assert fewer.list().persons == listing.persons[:5]
    assert fewer.configuration() == source.configuration()
    others = open_source("cmu", test_data / "cmu_bvh", SourceOptions(persons=2, seed=1))
    others.prepare(takes_work)
    assert others.list().persons[0].details != listing.persons[0].details
    women = open_source("cmu", test_data / "cmu_bvh", SourceOptions(persons=4, gender="female"))
    women.prepare(takes_work)
    assert {person.sex for person in women.list().persons} == {"female"}
    json.dumps([trial.details for person in listing.persons for trial in person.trials])


def test_reading_does_not_depend_on_order_or_process(cmu):
    source, listing = cmu
    person = next(person for person in listing.persons if person.group == "08")
    alone = [source.read(person, trial).markers for trial in person.trials[:2]]
    travelled = pickle.loads(pickle.dumps(source))
    assert len(pickle.dumps(source)) < 2000
    reverse = [travelled.read(person, trial).markers for trial in person.trials[1::-1]][::-1]
    for first, second in zip(alone, reverse):
        np.testing.assert_array_equal(first, second)


def test_other_rates(cmu, test_data, takes_work):
    source = open_source("cmu", test_data / "cmu_bvh", SourceOptions(persons=9, fps=50.0, include_trials=("08_02",)))
    source.prepare(takes_work)
    persons = source.list().persons
    for person in persons:
        read = source.read(person, person.trials[0])
        assert read.rate == pytest.approx(50)
        assert read.n_frames == person.trials[0].details["frames"]
    assert pace(120.0, 30.0).phases == 4
    assert pace(120.0, 50.0).phases == 2
    assert pace(25.0, 30.0).count(100, 0) == 100


def test_unpacking_that_was_interrupted_is_done_again(first_take, tmp_path):
    made = prepare_takes(first_take.parent, tmp_path)
    (take,), bad = list_takes(made)
    assert (take.name, take.rate, take.first, bad) == (first_take.stem, 120.0, 10, [])
    before = take.file.read_bytes()
    (made / "takes.json").unlink()
    take.file.write_bytes(before[:100])
    with pytest.raises(InputError, match="holds no prepared takes"):
        list_takes(made)
    assert prepare_takes(first_take.parent, tmp_path) == made
    assert take.file.read_bytes() == before
    changed = take.file.stat().st_mtime_ns
    prepare_takes(first_take.parent, tmp_path)
    assert take.file.stat().st_mtime_ns == changed
    assert not list(made.glob(".*"))


def test_bad_takes_cost_only_themselves(first_take, tmp_path):
    folder = tmp_path / "takes"
    folder.mkdir()
    good = read_bvh(first_take)
    text = bvh_text(replace(good, values=good.values[:80]))
    for name in ("01_01", "02_05", "03_05"):
        (folder / f"{name}.bvh").write_text(text)
    (folder / "02_06.bvh").write_text(text[: len(text) // 2])
    (folder / "02_07.bvh").write_text("no BVH")
    source = open_source("cmu", folder, SourceOptions(persons=2))
    source.prepare(tmp_path / "work")
    listing = source.list()
    assert [bad.path.name for bad in listing.bad_files] == ["02_06.bvh", "02_07.bvh"]
    assert "begins with" in listing.bad_files[1].reason
    assert [person.group for person in listing.persons] == ["02", "03"]  # the only take of 01 is known to be bad


def test_a_lost_take_is_named(cmu, tmp_path):
    source, listing = cmu
    person = listing.persons[0]
    gone = replace(person.trials[0], files=(tmp_path / "02_01.npz",))
    with pytest.raises(InputError, match=r"02_01\.npz: is not a prepared take"):
        source.read(person, gone)


def test_archives_are_unpacked_safely(first_take, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    content = first_take.read_bytes()
    with tarfile.open(folder / "takes.tar.gz", "w:gz") as archive:
        for name in ("sub/02_01.bvh", "../escaped.bvh", "other/02_01.bvh"):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    takes, bad = list_takes(prepare_takes(folder, tmp_path / "work"))
    assert [take.name for take in takes] == ["02_01"]
    assert {item.path.name: item.reason.split(":")[0] for item in bad} == {
        "escaped.bvh": "is not unpacked",
        "02_01.bvh": "there is another take 02_01, read before",
    }
    assert not list(tmp_path.rglob("escaped*"))
    whole = (folder / "takes.tar.gz").read_bytes()
    (folder / "takes.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"takes.tar.gz: cannot be unpacked"):
        prepare_takes(folder, tmp_path / "work")


def test_a_source_is_prepared_first(tmp_path):
    with pytest.raises(InputError, match="has not been prepared"):
        open_source("cmu", Path(tmp_path)).list()
