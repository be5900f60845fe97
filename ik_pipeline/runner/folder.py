"""The folder of a run: one run at a time, nothing of another run, nothing half-written."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import tempfile
import uuid
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, TextIO

from biopose_sim.errors import InputError
from biopose_sim.io.notice import listed
from ik_pipeline.runner.errors import writing
from ik_pipeline.store import PERSONS

try:
    import fcntl
except ImportError:  # Windows has no such locks: there nobody looks after two runs in one folder
    fcntl = None  # type: ignore[assignment]

MANIFEST, SUMMARY, SHARDS, COMPARISON = "manifest.json", "summary.html", "shards", "compare.csv"
_LOCK, _WORK = ".lock", ".work"
# Where a run makes files only to be moved; a killed writer leaves them.
_TEMPORARY = ".*.tmp"
_OURS = {".npz", ".json", ".mot", ".trc", ".osim", ".xml"}
# Tells that a run made the folder of persons.
_MARK = ".biopose-groundtruth"
_SCRATCH = "biopose-groundtruth-"


class RunFolder:
    """The folder of a run while it is worked in.

    Attributes:
        path: the folder.
        work: a hidden folder inside, seen by all workers.
        scratch: a folder on this machine for temporary files, that goes when the run ends.
    """

    def __init__(self, path: Path, scratch: Path) -> None:
        self.path, self.scratch = path, scratch
        self.work = path / _WORK

    @property
    def manifest(self) -> Path:
        """The manifest, the last file of a run that is complete."""
        return self.path / MANIFEST

    @property
    def unpacked(self) -> Path:
        """Where the source may unpack the data set; it stays if the run does not end well, for the next one."""
        return self.work / "source"

    def clear_work(self) -> None:
        """Remove what only this run's workers needed, and the folder if nothing else is in it."""
        for inside in self.work.glob("*"):
            if inside != self.unpacked:
                _remove_tree(inside)
        _remove_if_empty(self.work)

    def begin_changes(self) -> None:
        """Take the manifest away before the first result changes: without it a run is not complete."""
        self.manifest.unlink(missing_ok=True)

    def drop_outdated(self) -> None:
        """Take away what was made of other results."""
        self.begin_changes()
        for name in (SUMMARY, COMPARISON):
            (self.path / name).unlink(missing_ok=True)
        _remove_tree(self.path / SHARDS)

    def sweep(self, expected: Collection[Path]) -> None:
        """Remove results of persons and trials that are no part of the run."""
        keep = set(expected)
        for folder in sorted((self.path / PERSONS).glob("*")):
            for file in sorted(folder.rglob("*"), reverse=True):  # what is in a folder before the folder
                if file.suffix in _OURS and file not in keep and file.is_file():
                    file.unlink(missing_ok=True)
                elif file.is_dir():
                    _remove_if_empty(file)
            _remove_if_empty(folder)

    def remove_temporary(self) -> None:
        """Remove what killed writers left."""
        for pattern in (_TEMPORARY, f"{PERSONS}/*/{_TEMPORARY}"):
            for file in self.path.glob(pattern):
                file.unlink(missing_ok=True)
        _remove_tree(self.path / f".{SHARDS}.partial")


@contextlib.contextmanager
def opened(path: Path, *, resume: bool = False, overwrite: bool = False) -> Iterator[RunFolder]:
    """Make the folder, keep other runs out and yield it.

    Args:
        path: the folder; made if it is not there.
        resume: go on with the run that it holds.
        overwrite: remove the run that it holds.

    Raises:
        InputError: it cannot be made or written to, holds a run and neither is wanted, or another run works in it.
    """
    made = _missing(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(path, f"cannot be written to ({error.strerror})", "choose another folder") from error
    try:
        with _locked(path) as lock, _scratch(lock) as scratch:
            folder = RunFolder(path, scratch)
            _refuse_or_clear(folder, resume, overwrite)
            with writing(path):
                folder.clear_work()
                folder.remove_temporary()
                folder.work.mkdir(exist_ok=True)
                (path / PERSONS).mkdir(exist_ok=True)
                (path / PERSONS / _MARK).touch()
            try:
                yield folder
                _remove_tree(folder.unpacked)
            except InputError:  # there is nothing to go on with
                _remove_tree(folder.unpacked)
                raise
            finally:
                folder.remove_temporary()
                folder.clear_work()
                _remove_if_nothing_came(path / PERSONS)
    finally:
        for folder_made in made:
            _remove_if_empty(folder_made)


def _refuse_or_clear(folder: RunFolder, resume: bool, overwrite: bool) -> None:
    there = [name for name in (MANIFEST, PERSONS, SHARDS) if (folder.path / name).exists()]
    if not there:
        return
    if not (folder.path / PERSONS / _MARK).exists():  # never touch what a run did not write
        problem = f"holds {listed(there)} of something else"
        raise InputError(folder.path, problem, "choose another folder")
    if overwrite:
        folder.drop_outdated()
        _remove_tree(folder.path / PERSONS)
    elif not resume:
        remedy = "go on with it by --resume, do it anew by --overwrite, or choose another folder"
        raise InputError(folder.path, "holds a run already", remedy)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[TextIO]:
    """Hold the lock of the folder; the lock of a dead process holds nobody up. Yields its open file."""
    name = path / _LOCK
    file = _open_lock(name)
    try:
        yield file
    finally:
        with contextlib.suppress(OSError):
            name.unlink()  # before it is released: whoever waits for it notices
        file.close()


def _open_lock(name: Path) -> TextIO:
    while True:
        try:
            file = open(name, "a+", encoding="utf-8")  # noqa: SIM115 (it stays open as long as the lock is held)
        except OSError as error:
            raise InputError(
                name.parent, f"cannot be written to ({error.strerror})", "choose another folder"
            ) from error
        if fcntl is None:
            return file
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = _read_lock(file)
            file.close()
            who = f" (process {holder.get('pid', '?')} on {holder.get('host', '?')})" if holder else ""
            raise InputError(name.parent, f"another run works in it{who}", "wait until it has ended") from error
        with contextlib.suppress(FileNotFoundError):  # its last holder has just removed it: try again
            if os.fstat(file.fileno()).st_ino == name.stat().st_ino:
                return file
        file.close()


@contextlib.contextmanager
def _scratch(lock: TextIO) -> Iterator[Path]:
    """A temporary folder, written into the lock so that the next run removes it if this one is killed."""
    left, here = _read_lock(lock), Path(tempfile.gettempdir())
    if left.get("host") == socket.gethostname():
        old = Path(left["scratch"])
        if old.parent == here and old.name.startswith(_SCRATCH):
            _remove_tree(old)
    scratch = here / f"{_SCRATCH}{uuid.uuid4().hex}"
    try:
        entry = {"pid": os.getpid(), "host": socket.gethostname(), "scratch": str(scratch)}
        with writing(Path(lock.name)):
            lock.truncate(0)
            lock.write(json.dumps(entry))
            lock.flush()
        with writing(here):
            scratch.mkdir(mode=0o700)  # after its name was written down: a run killed in between leaves nothing
        yield scratch
    finally:
        _remove_tree(scratch)


def _read_lock(file: TextIO) -> dict[str, Any]:
    try:
        file.seek(0)
        entry = json.loads(file.read())
    except (OSError, ValueError):
        return {}
    return entry if isinstance(entry, dict) and {"pid", "host", "scratch"} <= entry.keys() else {}


def _remove_if_nothing_came(persons: Path) -> None:
    """Remove the folder of persons if it holds none."""
    if [file.name for file in persons.glob("*")] == [_MARK]:
        _remove_tree(persons)


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def _missing(path: Path) -> list[Path]:
    """The folders that must be made, the innermost first."""
    return [folder for folder in (path, *path.parents) if not folder.exists()]


def _remove_tree(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
