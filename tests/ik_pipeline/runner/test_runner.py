"""What a run does and what it leaves: files, manifest, resuming; with jobs done in this process."""

from __future__ import annotations

import errno
import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from runner_fakes import FRAMES, LENIENT, QuickEngine, TextSource, begun, choice, content, make_data, run_fake

from biopose_sim.errors import InputError
from biopose_sim.io import Trial
from biopose_sim.io.record import sha256
from ik_pipeline.runner.errors import OutputError
from ik_pipeline.runner.folder import opened
from ik_pipeline.runner.jobs import _check_names
from ik_pipeline.runner.run import RunOptions, run
from ik_pipeline.runner.types import Parts, Wanted
from ik_pipeline.store import read_stored_scaling, read_stored_trial


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_data(tmp_path / "data")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "out"


def statuses(manifest: dict) -> dict[str, str]:
    return {f"{p['id']}/{t['name']}": t["status"] for p in manifest["persons"] for t in p["trials"]}


def test_a_run_writes_numbers_motions_and_a_manifest(source, out, here):
    manifest = run_fake(source, out).manifest
    assert json.loads((out / "manifest.json").read_text()) == manifest
    assert [p["id"] for p in manifest["persons"]] == ["p0", "p1"]
    assert set(statuses(manifest).values()) == {"ok"}
    person = manifest["persons"][1]
    assert (person["status"], person["group"], person["mass"]) == ("ok", "p1", 70.0)
    assert person["quality"]["trials"] == 3
    assert person["scaling"]["trials"] == ["t0", "t1", "t2"]
    trial = person["trials"][2]
    assert (trial["frames"], trial["action"]) == (FRAMES, "walk")
    assert trial["inputs"] == [{"path": "p1/t2.txt", "sha256": sha256(source / "p1" / "t2.txt")}]
    for name, value in trial["outputs"].items():
        assert sha256(out / "persons" / "p1" / name) == value
    assert set(trial["outputs"]) == {"t2.npz", "t2.mot"}
    assert read_stored_trial(out / "persons/p1/t2.npz").coordinates.shape[0] == FRAMES
    assert read_stored_scaling(out / "persons/p1/scaling.npz").scales.shape[1] == 3
    assert manifest["counts"]["frames"] == 6 * FRAMES
    assert "Made for a test." in manifest["notices"]


def test_nothing_else_lies_in_the_folder(source, out, here):
    run_fake(source, out)
    files = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    trials = {f"persons/p{p}/t{t}.{end}" for p in (0, 1) for t in range(3) for end in ("npz", "json", "mot")}
    others = {f"persons/p{p}/{name}" for p in (0, 1) for name in ("scaling.npz", "scaling.json", "model.json")}
    assert files == {*trials, *others, "manifest.json", "persons/.biopose-groundtruth"}


def test_a_second_run_is_refused_but_for_resume_and_overwrite(source, out, here):
    run_fake(source, out)
    before = content(out)
    with pytest.raises(InputError, match="holds a run already; go on with it by --resume"):
        run_fake(source, out)
    here.clear()
    assert not run_fake(source, out, resume=True).changed
    assert here == []
    run_fake(source, out, overwrite=True)
    assert len(here) == 10
    assert content(out) == before


def test_only_what_is_missing_or_changed_is_done_again(source, out, here):
    run_fake(source, out)
    before = content(out)
    (out / "persons/p0/t1.npz").write_bytes(b"broken")
    (out / "persons/p1/t0.json").unlink()
    (out / "persons/p1/t2.json").write_text("{")
    here.clear()
    run_fake(source, out, resume=True)
    # A person of whom something is missing is scaled anew, for its model is not kept from run to run.
    scaled, solved = {"scale-p0", "scale-p1"}, {"solve-p0-t1", "solve-p1-t0", "solve-p1-t2"}
    assert set(here) == scaled | solved | {"finish-p0", "finish-p1"}
    assert content(out) == before


def test_a_changed_input_changes_what_depends_on_it(source, out, here):
    run_fake(source, out)
    first = json.loads((out / "manifest.json").read_text())
    (source / "p0" / "t1.txt").write_text("77")
    (source / "p1" / "t3.txt").write_text("5")
    result = run_fake(source, out, resume=True)
    assert result.changed
    keys = [[p["key"] for p in m["persons"]] for m in (first, result.manifest)]
    # Both persons are scaled by all their trials, which are other ones now.
    assert keys[0][0] != keys[1][0]
    assert keys[0][1] != keys[1][1]
    assert statuses(result.manifest)["p1/t3"] == "ok"


def test_results_of_what_is_gone_are_removed(source, out, here):
    run_fake(source, out)
    (source / "p0" / "t1.txt").unlink()
    for file in (source / "p1").iterdir():
        file.unlink()
    (source / "p1").rmdir()
    (out / "persons/p0/mine.md").write_text("of the user")
    run_fake(source, out, resume=True)
    left = {str(path.relative_to(out / "persons")) for path in (out / "persons").rglob("*") if path.is_file()}
    assert not any(name.startswith("p1") or "t1" in name for name in left)
    assert "p0/mine.md" in left


def test_a_corrupt_file_costs_its_trial_and_is_named_once(source, out, here):
    (source / "p0" / "t1.txt").write_text("no number")
    (source / "p0.empty").touch()
    manifest = run_fake(source, out).manifest
    assert [status for name, status in statuses(manifest).items() if name != "p0/t1"] == ["ok"] * 5
    bad = {entry["path"]: entry["reason"] for entry in manifest["bad_files"]}
    assert set(bad) == {"p0.empty", "p0/t1.txt"}
    assert len(manifest["bad_files"]) == 2
    assert bad["p0/t1.txt"] == "holds no number; write one"
    person = manifest["persons"][0]
    assert (person["status"], person["scaling"]["left_out"]) == ("ok", ["t1"])
    # The file is mended: all is as if it had been good from the start.
    (source / "p0" / "t1.txt").write_text("1 ")
    run_fake(source, out, resume=True)
    run_fake(source, out.with_name("other"))
    assert {k: v for k, v in content(out).items() if k != "manifest.json"} == {
        k: v for k, v in content(out.with_name("other")).items() if k != "manifest.json"
    }


def test_a_person_without_a_readable_file_fails(source, out, here):
    for file in (source / "p0").iterdir():
        file.write_text("nothing")
    manifest = run_fake(source, out).manifest
    person, other = manifest["persons"]
    assert (person["status"], other["status"]) == ("failed", "ok")
    assert "none of its trials can be read" in person["reasons"][0]
    assert {trial["status"] for trial in person["trials"]} == {"failed"}
    assert len(manifest["bad_files"]) == 3


def test_opensim_that_dies_is_tried_twice(source, out, here):
    (source / "p0" / "t0.txt").write_text("1 opensim")
    (source / "p0" / "t1.txt").write_text("1 opensim-once")
    manifest = run_fake(source, out).manifest
    assert (begun(source, "p0-t0"), begun(source, "p0-t1"), begun(source, "p0-t2")) == (2, 2, 1)
    first, second, _ = manifest["persons"][0]["trials"]
    assert (first["status"], second["status"]) == ("failed", "ok")
    assert "ended with code -11" in first["reasons"][0]
    assert manifest["bad_files"] == []


def test_rules_reject(source, out, here):
    parts = Parts(TextSource(source), QuickEngine(source.parent), choice())
    options = RunOptions(source, rules=replace(LENIENT, marker_rms=1e-9))
    with opened(out) as folder:
        manifest = run(folder, parts, options).manifest
    assert set(statuses(manifest).values()) == {"rejected"}
    assert manifest["persons"][0]["trials"][0]["reasons"]
    # Other rules need no new solution.
    here.clear()
    with opened(out, resume=True) as folder:
        again = run(folder, parts, replace(options, rules=LENIENT))
    assert here == []
    assert again.changed


def test_other_files_are_wanted(source, out, here):
    run_fake(source, out)
    parts = Parts(TextSource(source), QuickEngine(source.parent), choice())
    with opened(out, resume=True) as folder:
        run(folder, parts, RunOptions(source, Wanted(mot=False, trc=True, osim=False)))
    assert (out / "persons/p0/t0.trc").exists()
    assert not (out / "persons/p0/t0.mot").exists()


def test_a_full_disk_ends_the_run_in_one_line(source, out, here, monkeypatch):
    undisturbed = out.with_name("undisturbed")
    run_fake(source, undisturbed)
    real, count = Path.write_bytes, [0]

    def full(self, data):
        count[0] += 1
        if count[0] > 12:
            real(self, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device", str(self))
        return real(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match=r"No space left on device.*--resume") as caught:
        run_fake(source, out)
    assert "\n" not in str(caught.value)
    monkeypatch.undo()
    assert not list(out.rglob("*.tmp"))
    assert not (out / "manifest.json").exists()


def test_an_empty_data_set_is_refused(tmp_path, out, here):
    (tmp_path / "data").mkdir()
    with pytest.raises(InputError, match="holds no person"):
        run_fake(tmp_path / "data", out)
    assert not out.exists()
    assert not out.parent.exists()


def test_a_trial_may_have_the_name_of_another_file(source, out, here):
    (source / "p0" / "model.txt").write_text("3")
    manifest = run_fake(source, out).manifest
    assert "model_" in [trial["name"] for trial in manifest["persons"][0]["trials"]]
    assert (out / "persons/p0/model_.npz").exists()


def test_markers_of_another_set_are_refused():
    """A few names that are the same by chance would fit without any error."""
    markers = np.zeros((2, 40, 3))
    for names, refused in (
        (["C7", *(f"x{i}" for i in range(39))], "shares 1 of its 40 markers with the model .'C7'."),
        ([f"m{i}" for i in range(9)] + [f"x{i}" for i in range(31)], "shares 9 of its 40 markers"),
        ([f"m{i}" for i in range(10)] + [f"x{i}" for i in range(30)], None),
    ):
        trial = Trial.checked("walk", np.arange(2.0), markers, names, source=Path("walk.trc"))
        known = ("C7", *(f"m{i}" for i in range(30)))
        with pytest.raises(InputError, match=f"walk.trc: {refused}") if refused else nullcontext():
            _check_names(trial, known)
    legs = Trial.checked("legs", np.arange(2.0), markers[:, :4], ["m1", "m2", "m3", "m4"])
    _check_names(legs, known)  # all that it has
