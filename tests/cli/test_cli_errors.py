"""Bad input: one line that says what would be right, exit code 2, and nothing written."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cli_process import run_process


def assert_refused(answer, folder: Path, *words: str) -> None:
    assert answer.code == 2, answer.err
    assert len(answer.error_lines) == 1, answer.err
    assert answer.error_lines[0].startswith("biopose: ")
    for word in words:
        assert word in answer.error_lines[0]
    assert not folder.exists()


def broken(recordings: Path, folder: Path, name: str, change) -> Path:
    path = folder / name
    path.write_text(change((recordings / "walk.trc").read_text()))
    return path


def without_numbers(text: str) -> str:
    """All cells of the frames empty but number and time."""
    lines = text.split("\n")
    cut = [
        "\t".join(line.split("\t")[:2]) + "\t" * (line.count("\t") - 1) if line[:1].isdigit() else line
        for line in lines[5:]
    ]
    return "\n".join([*lines[:5], *cut])


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("empty.trc", without_numbers, ["every marker is empty"]),
        ("units.trc", lambda t: t.replace("\tm\t", "\tmm\t", 1), ["Units say 'mm'", "set Units to m"]),
        ("keys.trc", lambda t: t.replace("NumFrames\t", "NumFrame\t", 1), ["NumFrames", "NumFrame"]),
        ("cut.trc", lambda t: t[: t.rindex("\t") - 300], ["cut short"]),
        ("text.trc", lambda t: "hello\n" + t, ["is not a TRC file"]),
        ("names.trc", lambda t: t.replace("RASI", "LASI", 1), ["'LASI' more than once"]),
    ],
)
def test_bad_recording(biopose, recordings, tmp_path, name, change, words):
    path = broken(recordings, tmp_path, name, change)
    assert_refused(biopose("fit", path, "-o", tmp_path / "out"), tmp_path / "out", name, *words)


def test_no_shared_marker_names_shows_near_ones(biopose, recordings, tmp_path):
    def renamed(text: str) -> str:
        lines = text.split("\n")
        cells = [f"{cell}x" if cell and i > 1 else cell for i, cell in enumerate(lines[3].split("\t"))]
        return "\n".join([*lines[:3], "\t".join(cells), *lines[4:]])

    path = broken(recordings, tmp_path, "other.trc", renamed)
    answer = biopose("fit", path, "-o", tmp_path / "out")
    assert_refused(answer, tmp_path / "out", "shares no marker name", "did you mean")


def test_missing_and_foreign_files(biopose, recordings, tmp_path):
    walk, out = recordings / "walk.trc", tmp_path / "out"
    assert_refused(biopose("fit", tmp_path / "no.trc", "-o", out), out, "no.trc", "file not found")
    assert_refused(biopose("fit", tmp_path / "walk.avi", "-o", out), out, "unknown suffix '.avi'", ".trc or .c3d")
    assert_refused(biopose("fit", walk, "--model", tmp_path / "no.osim", "-o", out), out, "no.osim", "no such file")
    assert_refused(biopose("fit", walk, "--model", walk, "-o", out), out, "walk.trc")
    assert_refused(biopose("fit", walk, "--setup", walk, "-o", out), out, "walk.trc")
    assert_refused(biopose("fit", walk, "--weights", tmp_path / "w.csv", "-o", out), out, "w.csv", "cannot be read")
    assert_refused(biopose("info", tmp_path / "no.osim"), out, "no.osim", "no such file")


def test_truncated_model(biopose, recordings, tmp_path):
    from biopose_sim.paths import default_model_path

    model = tmp_path / "half.osim"
    model.write_bytes(default_model_path().read_bytes()[:20000])
    out = tmp_path / "out"
    assert_refused(biopose("fit", recordings / "walk.trc", "--model", model, "-o", out), out, "half.osim")


def test_two_trials_of_one_name(biopose, recordings, tmp_path):
    (tmp_path / "again").mkdir()
    twin = shutil.copy(recordings / "walk.trc", tmp_path / "again" / "walk.trc")
    out = tmp_path / "out"
    assert_refused(biopose("fit", recordings / "walk.trc", twin, "-o", out), out, "same name", "rename one")


def test_bad_weights(biopose, recordings, tmp_path):
    weights, out = tmp_path / "w.csv", tmp_path / "out"
    for text, word in (("RASI;-1", "line 1"), ("marker,weight\nRASI,2\nRASI,3", "again"), ("\n", "names no marker")):
        weights.write_text(text)
        assert_refused(biopose("fit", recordings / "walk.trc", "--weights", weights, "-o", out), out, "w.csv", word)


@pytest.mark.parametrize("where", ["file", "file/below", "/proc/biopose"])
def test_output_that_cannot_be_written_is_found_before_anything_is_read(biopose, tmp_path, where):
    (tmp_path / "file").write_text("mine")
    answer = biopose("fit", "no_such_trial.trc", "-o", tmp_path / where)
    assert answer.code == 2
    assert len(answer.error_lines) == 1
    assert "cannot be written to" in answer.err
    assert "no_such_trial" not in answer.err
    assert (tmp_path / "file").read_text() == "mine"


def test_missing_options_are_named(biopose, recordings, tmp_path):
    walk = recordings / "walk.trc"
    assert "'--output'" in biopose("fit", walk).err
    assert "--model" in biopose("ik", walk, "-o", tmp_path / "out").err
    assert "--setup" in biopose("ik", "--model", "m.osim", "-o", tmp_path / "out").err
    both = biopose("ik", walk, "--setup", "a.xml", "--weights", "b.csv", "-o", tmp_path / "out")
    assert both.code == 2
    assert "name one" in both.err


def test_old_results_stay_when_a_run_fails(biopose, tmp_path, subject):
    out = shutil.copytree(subject, tmp_path / "out")
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert biopose("fit", tmp_path / "no.trc", "-o", out).code == 2
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_process_says_the_same(tmp_path):
    done = run_process("fit", "no.trc", "-o", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines() == ["biopose: no.trc: file not found"]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_debug_shows_where_it_comes_from(tmp_path):
    done = run_process("fit", "no.trc", "-o", "out", "--debug", cwd=tmp_path)
    assert "Traceback" in done.stderr
    assert "InputError" in done.stderr
