"""The folder of a run: one run at a time, nothing of the user's removed, nothing left behind."""

from __future__ import annotations

import errno
import json
import os
import socket
import tempfile
from pathlib import Path

import pytest

from biopose_sim.errors import InputError
from ik_pipeline.runner.errors import OutputError, noticing_full_disks, writing
from ik_pipeline.runner.folder import opened


def test_two_runs_do_not_share_a_folder(tmp_path):
    with (
        opened(tmp_path),
        pytest.raises(InputError, match=f"another run works in it .process {os.getpid()} on"),
        opened(tmp_path, resume=True),
    ):
        pass
    with opened(tmp_path):  # free again
        assert (tmp_path / ".lock").exists()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_removed(tmp_path):
    with opened(tmp_path) as folder:
        person = folder.path / "persons" / "p0"
        person.mkdir()
        (person / "t0.npz").touch()
    # As after SIGKILL: lock file (not held), half-written files, a folder for temporary files.
    scratch = Path(tempfile.mkdtemp(prefix="biopose-groundtruth-"))
    (tmp_path / ".lock").write_text(json.dumps({"pid": 1, "host": socket.gethostname(), "scratch": str(scratch)}))
    (person / ".t1.npz.abc.tmp").touch()
    (tmp_path / ".manifest.json.abc.tmp").touch()
    (tmp_path / ".work" / "attempts").mkdir(parents=True)
    (tmp_path / ".work" / "source").mkdir()
    with opened(tmp_path, resume=True) as folder:
        assert not scratch.exists()
        assert [path.name for path in folder.work.iterdir()] == ["source"]
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [".biopose-groundtruth", "t0.npz"]


def test_a_lock_cannot_make_it_remove_other_folders(tmp_path):
    precious = tmp_path / "biopose-groundtruth-precious"
    precious.mkdir()
    out = tmp_path / "out"
    out.mkdir()
    (out / ".lock").write_text(json.dumps({"pid": 1, "host": socket.gethostname(), "scratch": str(precious)}))
    with opened(out):
        assert precious.exists()


@pytest.mark.parametrize("name", ["persons", "shards", "manifest.json"])
@pytest.mark.parametrize("how", [{}, {"resume": True}, {"overwrite": True}])
def test_what_is_of_something_else_stays(tmp_path, name, how):
    other = tmp_path / name
    if other.suffix:
        other.write_text("{}")
    else:
        (other / "anna").mkdir(parents=True)
        (other / "anna" / "walk.trc").write_text("the user's")
    with pytest.raises(InputError, match=f"holds '{name}' of something else"), opened(tmp_path, **how):
        pass
    assert other.exists()
    assert other.suffix or (other / "anna" / "walk.trc").read_text() == "the user's"


def test_a_folder_that_was_made_for_nothing_goes_again(tmp_path):
    with pytest.raises(InputError, match="no"), opened(tmp_path / "a" / "b"):
        raise InputError("data", "is no data")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file/out: cannot be written to"), opened(tmp_path / "file" / "out"):
        pass


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "a.npz"), "a.npz"),
        (OSError(errno.ENOSPC, "No space left on device", "from.osim", None, "to.osim"), "to.osim"),
        (OSError(errno.ENOSPC, "No space left on device"), "results"),
    ],
)
@pytest.mark.parametrize("watching", [writing, noticing_full_disks])
def test_a_full_disk_names_the_file_that_was_written(watching, error, named):
    with pytest.raises(OutputError, match=f"^{named}: cannot be written .*--resume"), watching(Path("results")):
        raise error


def test_a_run_killed_while_it_begins_leaves_no_folder(tmp_path, monkeypatch):
    """Its temporary folder stands in the lock before it is made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    seen = []
    inner = Path.mkdir

    def mkdir(self, *args, **kwargs):
        if self.parent == tmp_path / "temporary":
            seen.append(json.loads((tmp_path / "out" / ".lock").read_text())["scratch"] == str(self))
        inner(self, *args, **kwargs)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with opened(tmp_path / "out"):
        pass
    assert seen == [True]
    assert not list((tmp_path / "temporary").iterdir())
