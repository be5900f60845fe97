"""``biopose groundtruth``: from a folder of recordings to models, motions, shards, a summary; its one-line errors."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from biopose_sim.cli.groundtruth import ENGINES, SOURCES
from biopose_sim.cli.groundtruth_compare import HEAD, Row, compare_runs, tell_comparison, write_comparison
from biopose_sim.cli.groundtruth_progress import duration, progress_line
from ik_pipeline import engines, sources
from ik_pipeline.model_choice import choose_model
from ik_pipeline.runner.types import Tally
from ik_pipeline.shards import Card


def assert_one_line(answer, *words: str) -> None:
    assert answer.code == 2, answer.err
    assert len(answer.error_lines) == 1, answer.err
    for word in words:
        assert word in answer.error_lines[0]


@pytest.fixture(scope="module")
def laboratory(recordings, tmp_path_factory):
    """Two persons: one with two good trials and a broken one, and one whose only file is broken."""
    folder = tmp_path_factory.mktemp("laboratory")
    for person in ("anna", "bert"):
        (folder / person).mkdir()
    for name in ("static", "walk"):
        shutil.copy(recordings / f"{name}.trc", folder / "anna")
    (folder / "anna" / "run.trc").write_text("PathFileType\t4\t(X/Y/Z)\trun.trc\nno more\n")
    (folder / "bert" / "jump.trc").write_text("nothing of the kind\n")
    return folder


@pytest.fixture(scope="module")
def result(laboratory, tmp_path_factory):
    """The folder and exit code of a run."""
    from biopose_sim.cli.main import run

    out = tmp_path_factory.mktemp("groundtruth") / "out"
    words = ["groundtruth", "markers", laboratory, "-o", out, "--workers", "1", "--shards", "--window", "16"]
    return out, run([str(word) for word in words])


def test_choices_are_those_of_the_pipeline():
    assert SOURCES == sources.SOURCES
    assert ENGINES == engines.ENGINES


def test_what_is_written(result):
    out, code = result
    assert code == 1  # something failed
    manifest = json.loads((out / "manifest.json").read_text())
    persons = {person["id"]: person for person in manifest["persons"]}
    states = {trial["name"]: trial["status"] for trial in persons["anna"]["trials"]}
    assert states == {"static": "ok", "walk": "ok", "run": "failed"}
    assert persons["bert"]["status"] == "failed"
    bad = {entry["path"]: entry["reason"] for entry in manifest["bad_files"]}
    assert set(bad) == {"anna/run.trc", "bert/jump.trc"}
    assert bad["bert/jump.trc"].startswith("is not a TRC file")
    there = {path.name for path in (out / "persons" / "anna").iterdir()}
    trials = {f"{name}.{end}" for name in ("static", "walk") for end in ("npz", "json", "mot")}
    assert there == {*trials, "scaling.npz", "scaling.json", "model.json", "model.osim"}
    assert (out / "summary.html").is_file()
    assert Card.read(out / "shards").content["configuration"]["window"] == 16


def test_resumed_it_only_tries_what_failed(result, laboratory, biopose):
    out, _ = result
    before = {path: path.stat().st_mtime_ns for path in out.glob("persons/anna/*.npz") if path.stem != "scaling"}
    words = ("groundtruth", "markers", laboratory, "-o", out, "--workers", "1", "--no-shards", "--no-report")
    answer = biopose(*words)
    assert_one_line(answer, "holds a run already", "--resume")
    answer = biopose(*words, "--resume")
    assert answer.code == 1
    assert "bert: none of its trials can be read" in answer.err
    assert "2 trials were done before" in answer.out
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert (out / "shards" / "card.json").is_file()  # they are those of the same results


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("cmu", "{tmp}/none", "-o", "{tmp}/out"), ("none", "no such folder", "give the folder")),
        (("cmu", "{tmp}/empty", "-o", "{tmp}/out"), ("empty", "neither BVH files nor an archive")),
        (("markers", "{tmp}/empty", "-o", "{tmp}/out"), ("empty",)),
        (("amass", "{tmp}/file", "-o", "{tmp}/out"), ("file", "is a file")),
        (("nasa", "{tmp}/empty", "-o", "{tmp}/out"), ("nasa", "bml-movi")),
        (("markers", "{tmp}/empty", "-o", "{tmp}/empty/out"), ("lies in the data set", "choose another")),
        (("markers", "{tmp}/empty", "-o", "{tmp}/file/out"), ("cannot be written to", "choose another folder")),
        (("markers", "{tmp}/empty", "-o", "{tmp}/other"), ("holds 'manifest.json' of something else",)),
        (("markers", "{tmp}/empty", "-o", "{tmp}/out", "--resume", "--overwrite"), ("--resume", "name one")),
        (("cmu", "{tmp}/empty", "-o", "{tmp}/out", "--body-models", "x"), ("body_models", "Anny")),
        (("markers", "{tmp}/empty", "-o", "{tmp}/out", "--rules", "{tmp}/none.toml"), ("none.toml", "no such file")),
        (("markers", "{tmp}/empty", "-o", "{tmp}/out", "--model", "{tmp}/none.osim"), ("none.osim",)),
    ],
)
def test_bad_input_is_one_line(words, parts, biopose, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "manifest.json").write_text("{}")
    (tmp_path / "file").touch()
    assert_one_line(biopose("groundtruth", *(word.format(tmp=tmp_path) for word in words)), *parts)
    assert not (tmp_path / "out").exists()


def test_the_same_results_are_no_way_apart(result, tmp_path, capsys):
    out, _ = result
    manifest = json.loads((out / "manifest.json").read_text())
    rows = compare_runs((out, out), (manifest, manifest), choose_model(virtual=False))
    assert {row.trial for row in rows} == {"", "static", "walk"}
    assert max(row.largest for row in rows if row.what != "rms") == 0.0
    text = write_comparison(tmp_path / "compare.csv", rows).read_text().splitlines()
    assert text[0] == ",".join(HEAD)
    assert len(text) == len(rows) + 1
    tell_comparison([*rows, Row("x", "y", "angle", "all angles", "deg", 1.0, 2.0, 3.0)], ("fit", "opensim"))
    assert "all angles [deg]" in capsys.readouterr().out


def test_progress_tells_the_time_left():
    tally = Tally(persons=4, persons_done=1, trials=40, kept=5, solved=5, failed=0, frames=1000)
    line = progress_line(tally, 0.5, 1234.0)
    assert line == "█████░░░░░░░░░░░░░░░ 1/4 persons, 10/40 trials, 1,234 frames/s, 60 s left"
    assert [duration(seconds) for seconds in (5, 300, 9000)] == ["5 s", "5 min", "2 h 30 min"]
    assert progress_line(Tally(), 0.0, 0.0).startswith("████████████████████ 0/0 persons")


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from biopose_sim.cli.main import run; code = run(['groundtruth', '--help'])\n"
        "heavy = {'numpy', 'torch', 'numba', 'dask', 'distributed', 'psutil', 'opensim'} & set(sys.modules)\n"
        "assert not heavy, heavy; sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert all(source in done.stdout for source in SOURCES)
