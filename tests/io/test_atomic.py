"""Writing in one step."""

from __future__ import annotations

import contextlib
import os

import pytest

from biopose_sim.errors import InputError
from biopose_sim.io import atomic_path, atomic_write


def test_writes_text_and_bytes(tmp_path):
    assert atomic_write(tmp_path / "a.txt", "é\n").read_bytes() == "é\n".encode()
    assert atomic_write(str(tmp_path / "a.txt"), b"\0\r\n").read_bytes() == b"\0\r\n"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_failure_keeps_the_old_file(tmp_path):
    target = atomic_write(tmp_path / "a.txt", "old")
    with contextlib.suppress(ZeroDivisionError), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_permissions_are_those_of_a_plain_file(tmp_path):
    plain = tmp_path / "plain.txt"
    plain.write_text("")
    assert atomic_write(tmp_path / "a.txt", "").stat().st_mode == plain.stat().st_mode


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing/a.txt", r"folder '.*missing' does not exist; create it first"),
        ("file/a.txt", r"'.*file' is not a folder"),
        ("folder", "is a folder; give the path of a file"),
    ],
)
def test_bad_target(tmp_path, name, message):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=message):
        atomic_write(tmp_path / name, "x")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the super-user may write everywhere")
def test_folder_not_writable(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match=r"folder '.*' is not writable"):
        atomic_write(tmp_path / "a.txt", "x")
