"""Result folders appear as a whole or not at all; interrupted work leaves nothing."""

from __future__ import annotations

import signal
import subprocess
import time

import pytest
from cli_process import command_line, environment

from biopose_sim.cli.folder import ResultFolder
from biopose_sim.errors import InputError


def test_files_appear_at_the_end(tmp_path):
    out = tmp_path / "a" / "b"
    with ResultFolder(out) as folder:
        folder.file("x.txt").write_text("x")
        assert not (out / "x.txt").exists()
    assert [path.name for path in out.iterdir()] == ["x.txt"]
    assert folder.files == [out / "x.txt"]


def fail_after_writing(out):
    with ResultFolder(out) as folder:
        folder.file("x.txt").write_text("x")
        raise KeyboardInterrupt


def test_nothing_appears_after_a_failure(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fail_after_writing(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_there_stays_as_it_was(tmp_path):
    (tmp_path / "x.txt").write_text("old")
    with pytest.raises(KeyboardInterrupt):
        fail_after_writing(tmp_path)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("x.txt", "old")]


def test_a_folder_in_the_way_of_a_file_is_found_before_it_is_written(tmp_path):
    (tmp_path / "x.txt").mkdir()
    with pytest.raises(InputError, match="is a folder"), ResultFolder(tmp_path) as folder:
        folder.file("x.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["x.txt"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_work_leaves_nothing(recordings, tmp_path, number, code):
    out = tmp_path / "out"
    words = command_line("fit", recordings / "static.trc", recordings / "walk.trc", "-o", out)
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
    give_up = time.monotonic() + 120
    while not (out.is_dir() and list(out.iterdir())):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < give_up
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == code, errors
    assert "Traceback" not in errors
    assert not out.exists()
