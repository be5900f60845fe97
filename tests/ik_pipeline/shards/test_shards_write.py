"""Shards against direct computation, splits, equal bytes, and what is refused."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import shard_runs as runs
import torch

from biopose_sim.errors import InputError
from biopose_sim.osim.parser import read_osim
from biopose_sim.paths import markerset_path
from ik_pipeline.shards import Card, ShardConfig, ShardData, load_model, write_shards
from ik_pipeline.shards.arrays import GrowingArray
from ik_pipeline.shards.plan import group_splits, hashed_split
from ik_pipeline.shards.types import SPLITS
from ik_pipeline.store import read_stored_scaling, read_stored_trial, write_stored

SPLIT_OF = ("train", "val", "test")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return runs.write_run(tmp_path_factory.mktemp("run"), splits=SPLIT_OF)


@pytest.fixture(scope="module")
def shards(run, tmp_path_factory):
    out = tmp_path_factory.mktemp("shards") / "free"
    seen = []
    card = write_shards(run, out, ShardConfig(), lambda done, total: seen.append((done, total)))
    assert seen[-1] == (6 * 240, 6 * 240)
    assert card.content == Card.read(out).content
    return out


@pytest.fixture
def copy(run, tmp_path):
    return Path(shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("shards")))


def tree(folder: Path) -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


@pytest.mark.parametrize("split", SPLITS)
def test_every_array_is_what_the_scaled_model_gives(run, shards, split):
    data = ShardData(shards, split)
    assert len(data.trials) == 4
    for row, entry in enumerate(data.trials):
        folder = run / "persons" / entry["person"]
        stored, person = read_stored_trial(folder / f"{entry['name']}.npz"), read_stored_scaling(folder / "scaling.npz")
        found = data.trial(row)
        pose = runs.MODEL.scale(person.scales, person.marker_offsets)(torch.from_numpy(stored.coordinates))
        np.testing.assert_array_equal(found["markers"], stored.markers)
        np.testing.assert_array_equal(found["markers_seen"], np.isfinite(stored.markers).all(axis=2))
        np.testing.assert_array_equal(found["coordinates"], stored.coordinates.astype(np.float32))
        np.testing.assert_allclose(found["model_markers"], pose.markers.numpy(), atol=1e-6)
        np.testing.assert_allclose(found["joint_centers"], pose.joint_centers.numpy(), atol=1e-6)
        np.testing.assert_array_equal(found["converged"], stored.converged)
        np.testing.assert_array_equal(found["coordinates_free"], stored.free)
        np.testing.assert_array_equal(found["coordinates_determined"], stored.determined)
        np.testing.assert_allclose(found["scales"], person.scales, rtol=1e-6)
        np.testing.assert_allclose(found["marker_offsets"], person.marker_offsets, atol=1e-7)
        masked = found["markers_seen"] & ~found["markers_kept"]
        landmark = runs.MODEL.marker_names.index(runs.LANDMARKS[0])
        assert np.argwhere(masked).tolist() == [[t, landmark] for t in (3, 4, 5)]
        assert found["rate"] == pytest.approx(60.0)
        assert entry["action"] == ("walk" if entry["name"] == "take0" else "run")
        assert entry["quality"] == {"marker_rms": 5.0}


def test_the_shards_hold_their_model(shards):
    model = load_model(shards)
    data = ShardData(shards, "train")
    batch = data.batch([0, len(data) - 1])
    q, scales, offsets = (torch.from_numpy(batch[k]).double() for k in ("coordinates", "scales", "marker_offsets"))
    pose = model(q, scales=scales[:, None].expand(2, 64, -1, -1), marker_offsets=offsets[:, None].expand(2, 64, -1, -1))
    np.testing.assert_allclose(pose.markers.numpy(), batch["model_markers"], atol=3e-6)
    np.testing.assert_allclose(pose.joint_centers.numpy(), batch["joint_centers"], atol=3e-6)
    entry = data.card.content["model"]
    assert entry["default"]
    assert entry["root_body"] == "pelvis"
    assert entry["landmarks"] == [n for n in runs.MODEL.marker_names if n in set(runs.LANDMARKS)]
    bodies = {body["name"]: body for body in entry["bodies"]}
    assert bodies["femur_r"]["size"][1] == pytest.approx(0.408, abs=0.015)  # hip to knee in Rajagopal's model
    axes = {name: bodies[name]["size_axes"] for name in ("pelvis", "calcn_r", "toes_l", "head", "scapula_r", "ulna_l")}
    assert axes == {"pelvis": "xyz", "calcn_r": "x", "toes_l": "x", "head": "x", "scapula_r": "z", "ulna_l": "y"}
    coordinates = {c.name: c for c in read_osim(shards / "model.osim").coordinates}
    assert [c["name"] for c in entry["coordinates"]] == list(coordinates) == list(data.card.names["coordinates"])
    assert all(tuple(c["range"]) == coordinates[c["name"]].range for c in entry["coordinates"])
    dependent = [c["name"] for c in entry["coordinates"] if c["dependent"]]
    assert dependent == ["knee_angle_r_beta", "knee_angle_l_beta"]


def test_the_card_counts(shards):
    card = Card.read(shards)
    train = card.counts("train")
    # 150 frames: starts 0, 16, ..., 80 and 86; 90 frames: 0, 16 and 26.
    assert {k: train[k] for k in ("persons", "trials", "frames", "windows")} == {
        "persons": 2, "trials": 4, "frames": 480, "windows": 20,
    }  # fmt: skip
    assert train["groups"] == ["08"]
    assert train["by_sex"]["female"] == {"frames": 240, "persons": 1, "trials": 2, "windows": 10}
    assert train["by_action"]["run"] == {"frames": 180, "trials": 2, "windows": 6}
    assert len(ShardData(shards, "train")) == 20
    assert [item["reason"] for item in card.content["left_out"]] == ["trial failed"] * 6
    assert card.content["licence"]["redistributable"]
    text = (shards / "CARD.md").read_text()
    assert "| train | 2 | 4 | 480 | 20 |" in text
    assert "(markers 142, 3)" in text


def test_statistics_are_those_of_the_training_split(shards):
    data = ShardData(shards, "train")
    found, arrays = data.card.content["statistics"], data.arrays
    root = [m["body"] == "pelvis" for m in data.card.content["model"]["markers"]]
    markers = np.array(arrays["markers"], dtype=float)
    relative = markers - markers[:, root].mean(axis=1, keepdims=True)
    np.testing.assert_allclose(found["markers"]["mean"], np.nanmean(relative, axis=0), atol=2e-7)
    np.testing.assert_allclose(found["markers"]["std"], np.nanstd(relative, axis=0), atol=2e-7)
    q = np.array(arrays["coordinates"], dtype=float)[arrays["converged"]]
    moving = arrays["coordinates_free"].all(axis=0) | np.isin(
        data.card.names["coordinates"], ["knee_angle_r_beta", "knee_angle_l_beta"]
    )
    mean = np.array(found["coordinates"]["mean"], dtype=float)
    np.testing.assert_allclose(mean[moving], q[:, moving].mean(axis=0), atol=2e-7)
    np.testing.assert_allclose(np.array(found["coordinates"]["max"], float)[moving], q[:, moving].max(0), atol=2e-7)
    assert np.isnan(mean[~moving]).all()
    knee = data.card.names["coordinates"].index("knee_angle_r")
    direction = np.arctan2(np.sin(q[:, knee]).mean(), np.cos(q[:, knee]).mean())
    assert found["mean_pose"][knee] == pytest.approx(direction, abs=2e-7)
    assert None not in found["mean_pose"]
    np.testing.assert_allclose(found["scales"]["mean"], data.arrays["scales"].mean(axis=0), atol=2e-7)


def test_two_writes_are_equal_and_replace_as_a_whole(copy, shards):
    first = write_shards(copy)
    assert first.folder == copy / "shards"
    assert tree(first.folder) == tree(shards)
    (first.folder / "train" / "markers.npy").write_bytes(b"old")
    (copy / ".shards.partial").mkdir()  # of a writer that was killed
    write_shards(copy)
    assert tree(first.folder) == tree(shards)
    assert sorted(p.name for p in copy.iterdir()) == ["manifest.json", "persons", "shards"]
    named = {name: entry["sha256"] for name, entry in Card.read(shards).content["files"].items()}
    assert named == {name: value for name, value in tree(shards).items() if name not in ("card.json", "CARD.md")}


def test_groups_are_never_divided():
    config = ShardConfig()
    persons = [{"id": f"{g}_{k}", "group": f"group {g}"} for g in range(400) for k in range(3)]
    splits = group_splits(persons, config, Path("manifest.json"))
    counts = [list(splits.values()).count(split) for split in SPLITS]
    assert counts == [pytest.approx(n, abs=25) for n in (320, 40, 40)]
    assert splits == group_splits(persons[::-1], config, Path("manifest.json"))
    more = group_splits([*persons, {"id": "new", "group": "another"}], config, Path("manifest.json"))
    assert splits.items() <= more.items()
    assert splits != group_splits(persons, ShardConfig(seed=1), Path("manifest.json"))
    assert {hashed_split(str(k), ShardConfig(shares=(0, 0, 1))) for k in range(50)} == {"test"}
    half_given = [{**persons[0], "split": "test"}, {**persons[1], "split": None}]
    assert group_splits(half_given, config, Path("manifest.json")) == {"group 0": "test"}
    with pytest.raises(InputError, match="group 'group 0' is divided between test and train"):
        group_splits([half_given[0], {**persons[1], "split": "train"}], config, Path("manifest.json"))


def test_without_wishes_the_hash_decides(copy):
    runs.edit_manifest(copy, lambda m: [p.pop("split") for p in m["persons"]])
    card = write_shards(copy, config=ShardConfig(shares=(0.5, 0.0, 0.5), seed=2))
    groups = [card.counts(split)["groups"] for split in SPLITS]
    assert sorted(group for split in groups for group in split) == ["07", "08", "35"]
    assert any("val is empty" in notice for notice in card.content["notices"])
    empty = ShardData(card.folder, "val")
    assert len(empty) == 0
    assert empty.batch([])["markers"].shape == (0, 64, 142, 3)


def test_short_trials_are_left_out_or_kept(copy):
    card = write_shards(copy, config=ShardConfig(window=120))
    assert card.counts("train")["trials"] == 2
    reasons = [item["reason"] for item in card.content["left_out"]]
    assert reasons.count("shorter than a window of 120 frames") == 6
    kept = write_shards(copy, config=ShardConfig(window=120, pad=True))
    assert kept.counts("train")["trials"] == 4
    data = ShardData(kept.folder, "train")
    (short,) = [i for i, t in enumerate(data.window_trial) if t == 1]
    window = data.window(short)
    assert window["valid"].sum() == 90
    np.testing.assert_array_equal(window["markers"][90:], np.broadcast_to(window["markers"][89], (30, 142, 3)))
    np.testing.assert_array_equal(window["coordinates"][:90], data.trial(1)["coordinates"])


def test_trials_of_a_laboratory_leave_markers_unseen(copy):
    file = copy / "persons" / "08_0" / "take0.npz"
    stored = read_stored_trial(file)
    some = [5, 3, 60, 100]
    write_stored(
        file,
        type(stored)(
            **vars(stored)
            | {
                "markers": stored.markers[:, some],
                "model_markers": stored.model_markers[:, some],
                "marker_names": tuple(stored.marker_names[i] for i in some),
                "marker_weights": stored.marker_weights[some],
            }
        ),
    )
    runs.edit_manifest(copy, lambda m: m["model"].update(markers=str(markerset_path("virtual"))))
    data = ShardData(write_shards(copy).folder, "train")
    found = data.trial(0)
    assert np.flatnonzero(found["markers_seen"].all(axis=0)).tolist() == sorted(some)
    np.testing.assert_array_equal(found["markers"][:, 60], stored.markers[:, 60])
    assert np.isfinite(found["model_markers"]).all()
    statistics = data.card.content["statistics"]
    assert None not in statistics["markers"]["mean"]  # frames without all pelvis markers do not count
    assert statistics["root_relative_frames"] < 480


def refused(run: Path, text: str, config: ShardConfig | None = None) -> None:
    with pytest.raises(InputError, match=text):
        write_shards(run, config=config)
    assert not (run / "shards").exists()
    assert not list(run.glob(".shards*"))


def test_bad_runs_are_refused_in_one_line(copy, tmp_path):
    refused(tmp_path / "nowhere", r"manifest.json: no such file; give the folder of a finished run")
    original = (copy / "manifest.json").read_text()
    cases = [
        (lambda m: m.update(biopose_sim="9.3.0"), r"written by biopose-sim 9\.3\.0"),
        (lambda m: m.pop("persons"), "not the manifest of a ground-truth run"),
        (lambda m: m["persons"][0].pop("group"), "lacks 'group'"),
        (lambda m: m["model"].update(sha256="0" * 64), "not the model of the run"),
        (lambda m: m["model"].update(path="gone.osim"), r"gone\.osim: no such file"),
        (lambda m: m["persons"][0].update(split="dev"), "in split 'dev'"),
        (lambda m: m["persons"][0].update(split="test"), "group '08' is divided"),
        (
            lambda m: [t.update(status="failed") for p in m["persons"] for t in p["trials"]],
            "has no trial that it calls ok",
        ),
    ]
    for change, text in cases:
        runs.edit_manifest(copy, change)
        refused(copy, text)
        (copy / "manifest.json").write_text(original)
    refused(copy, "no trial that is fit for shards; shorter than a window", ShardConfig(window=1000))
    (copy / "manifest.json").write_text("{")
    refused(copy, "cannot be read")


def test_broken_and_mixed_results_are_named(copy):
    file = copy / "persons" / "35_1" / "take1.npz"
    whole = file.read_bytes()
    for content, text in ((whole[:-5000], "not a result of this pipeline"), (b"", "not a result of this pipeline")):
        file.write_bytes(content)
        refused(copy, rf"take1\.npz.*{text}")
    file.unlink()
    refused(copy, r"take1\.npz: no such file")
    file.write_bytes((copy / "persons" / "35_0" / "take1.npz").read_bytes())
    refused(copy, r"take1\.npz: its model markers lie up to .* mm from where")


def test_a_result_that_is_not_the_runs_is_named(copy):
    file = copy / "persons" / "08_1" / "take0.npz"
    expected = hashlib.sha256(file.read_bytes()).hexdigest()
    runs.edit_manifest(copy, lambda m: m["persons"][1]["trials"][0].update(outputs={file.name: expected}))
    write_shards(copy, copy / "good")
    stored = read_stored_trial(file)
    write_stored(file, type(stored)(**vars(stored) | {"converged": ~stored.converged}))
    refused(copy, r"08_1/take0\.npz: was changed since the run ended")


def test_rejected_persons_are_left_out(copy):
    runs.edit_manifest(copy, lambda m: m["persons"][1].update(status="rejected"))
    card = write_shards(copy)
    assert [p["id"] for p in ShardData(card.folder, "train").persons] == ["08_0"]
    assert [item["trial"] for item in card.content["left_out"] if item["reason"] == "person rejected"] == [
        "take0", "take1", "lost",
    ]  # fmt: skip


def test_a_full_disk_is_told_and_leaves_nothing(copy, monkeypatch):
    def full(self, values):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(GrowingArray, "append", full)
    refused(copy, "cannot be written .No space left on device")


def test_an_interrupted_write_leaves_the_old_shards(copy, shards):
    write_shards(copy)

    def interrupt(done, total):
        if done > 400:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_shards(copy, config=ShardConfig(window=32), progress=interrupt)
    assert tree(copy / "shards") == tree(shards)
    assert sorted(p.name for p in copy.iterdir()) == ["manifest.json", "persons", "shards"]


def test_uneven_and_impossible_trials_are_left_out(copy):
    for name, change in {
        "08_0": lambda s: {"time": s.time + (np.arange(len(s.time)) > 70)},
        "08_1": lambda s: {"coordinates": np.where(np.arange(len(s.time))[:, None] == 5, np.nan, s.coordinates)},
    }.items():
        file = copy / "persons" / name / "take0.npz"
        stored = read_stored_trial(file)
        write_stored(file, type(stored)(**vars(stored) | change(stored)))
    card = write_shards(copy)
    left = {item["person"]: item["reason"] for item in card.content["left_out"] if item["trial"] == "take0"}
    assert left == {"08_0": "a hole in its time", "08_1": "coordinates that are no numbers"}
    assert card.counts("train")["trials"] == 2


def test_other_folders_are_left_alone(run, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="holds something else than shards"):
        write_shards(run, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"window": 0}, "at least one frame"),
        ({"rate": -1.0}, "positive number"),
        ({"shares": (0.5, 0.5, 0.5)}, "sum up to 1"),
        ({"landmark_limit": 0.0}, "positive length"),
    ],
)
def test_nonsense_is_refused(given, text):
    with pytest.raises(InputError, match=text):
        ShardConfig(**given)


def test_licensed_data_are_called_so(copy):
    runs.edit_manifest(copy, lambda m: [p.update(dataset="bml-movi") for p in m["persons"]])
    licence = write_shards(copy).content["licence"]
    assert "must not be redistributed" in licence["data"]["bml-movi"]
    assert not licence["redistributable"]
