"""Runs in worker processes: what dies costs one trial, whoever is killed, and a resumed run gives the same files."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from distributed import Client
from runner_fakes import begun, content, make_data, run_fake

from ik_pipeline.runner.cluster import _local

REPOSITORY = Path(__file__).resolve().parents[3]
TIMEOUT = 120  # [s]


def start(source: Path, out: Path, *words: str) -> subprocess.Popen[bytes]:
    """Start a run as a process of its own."""
    code = "from runner_fakes import main; main()"
    paths = os.pathsep.join([str(REPOSITORY), str(Path(__file__).parent)])
    command = [sys.executable, "-c", code, str(source), str(out), *words]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": paths}, stderr=subprocess.PIPE)


def workers_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The worker processes."""
    with contextlib.suppress(psutil.Error):
        children = psutil.Process(process.pid).children(recursive=True)
        return [child for child in children if "spawn_main" in " ".join(child.cmdline())]
    return []


def wait_until(condition) -> None:
    end = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def solved(out: Path) -> int:
    return len(list(out.glob("persons/*/t*.json")))


def test_a_fault_costs_one_trial(tmp_path):
    """Also those that wait behind a trial that kills its worker are solved, and a fault of ours ends no run."""
    source, out = make_data(tmp_path / "data", persons=1, trials=6), tmp_path / "out"
    # The bug first: it leaves no file, and would be met again if a worker died before it had told of it.
    for trial, word in (("t1", "bug"), ("t3", "segfault")):
        (source / "p0" / f"{trial}.txt").write_text(f"1 {word}")
    result = run_fake(source, out, workers=1)
    trials = {trial["name"]: trial for trial in result.manifest["persons"][0]["trials"]}
    assert [name for name, trial in trials.items() if trial["status"] != "ok"] == ["t1", "t3"]
    assert trials["t1"]["reasons"] == ["ZeroDivisionError: a fault of the program"]
    assert trials["t3"]["reasons"] == ["the worker process that worked on it died, twice"]
    assert [begun(source, f"p0-t{t}") for t in range(6)] == [1, 1, 1, 2, 1, 1]
    assert result.manifest["bad_files"] == []


def test_killed_and_resumed_the_files_are_the_same(tmp_path, here):
    source, out = make_data(tmp_path / "data", trials=6, word="slow"), tmp_path / "out"
    run_fake(source, tmp_path / "undisturbed")
    # The main process is killed: its workers go, too.
    run = start(source, out)
    wait_until(lambda: solved(out) >= 2)
    crew = workers_of(run)
    run.kill()
    run.wait()
    _, alive = psutil.wait_procs(crew, timeout=TIMEOUT)
    assert len(crew) == 1
    assert not alive
    assert not (out / "manifest.json").exists()
    done = {
        path: path.stat().st_mtime_ns for path in out.glob("persons/*/t*.npz") if path.with_suffix(".json").exists()
    }
    # It is asked to end: tidily, and what is done stays.
    run = start(source, out, "--resume")
    before = solved(out)
    wait_until(lambda: solved(out) > before)
    run.send_signal(signal.SIGTERM)
    assert run.wait(TIMEOUT) == 143
    assert not [path for path in out.rglob(".*") if path.is_file() and path.name != ".biopose-groundtruth"]
    # A worker is killed: the run goes on.
    run = start(source, out, "--resume")
    before = solved(out)
    wait_until(lambda: solved(out) > before and workers_of(run))
    workers_of(run)[0].kill()
    assert run.wait(TIMEOUT) == 0
    assert run.stderr is not None
    assert run.stderr.read() == b""
    assert content(out) == content(tmp_path / "undisturbed")
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in done.items())  # nothing is done twice


def test_temporary_files_of_workers_go_with_the_run(tmp_path, monkeypatch):
    """Also where the user's environment names a folder for them: of a killed worker nobody else removes them."""
    monkeypatch.setenv("TMPDIR", str(tmp_path / "users"))
    with _local(1, tmp_path / "scratch", debug=False) as cluster, Client(cluster, set_as_default=False) as client:
        assert client.submit(os.getenv, "TMPDIR").result(TIMEOUT) == str(tmp_path / "scratch")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_full_disk_is_one_line_and_resumable(tmp_path, here):
    source, disk = make_data(tmp_path / "data", trials=8), tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", disk], check=False)
    if mounted.returncode != 0:
        pytest.skip("mounting is not allowed here")
    try:
        run = start(source, disk / "out")
        _, said = run.communicate(timeout=TIMEOUT)
        assert run.returncode == 2
        (line,) = said.decode().splitlines()
        assert "No space left on device" in line
        assert "--resume" in line
        assert not list(disk.rglob("*.tmp"))
        subprocess.run(["mount", "-o", "remount,size=16m", disk], check=True)
        run_fake(source, disk / "out", resume=True)
        run_fake(source, tmp_path / "undisturbed")
        assert content(disk / "out") == content(tmp_path / "undisturbed")
    finally:
        subprocess.run(["umount", disk], check=True)
