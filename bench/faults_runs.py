"""Runs of ``biopose groundtruth`` that can be killed: starting them, striking at what works, what they leave."""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from biopose_sim.io.record import sha256
from ik_pipeline.runner.manifest import VOLATILE
from ik_pipeline.runner.records import valid_record

TIMEOUT = 3600.0  # [s]
_GRACE = 30.0  # [s] for what was struck, and for what should end with it
_DELAY = 1.0  # [s] at most, from a result to a kill
_MARK = "BIOPOSE_FAULTS"  # environment variable by which all processes of a run are known
# Who is struck, and the signals; "group" is what Ctrl-C and the kernel's out-of-memory killer of a session do.
WAYS = (
    "main SIGKILL", "worker SIGKILL", "group SIGKILL", "main SIGTERM", "worker SIGTERM", "main SIGINT", "group SIGINT",
)  # fmt: skip
WITH_OPENSIM = ("OpenSim SIGSEGV", "OpenSim SIGKILL", "OpenSim SIGTERM")
_SIGNS = {"worker": "spawn_main", "OpenSim": "_opensim_process.py"}
# How a main process ends that was struck; before it handles a signal, as any process does.
_ENDS = {"SIGKILL": (-9,), "SIGTERM": (143, -15), "SIGINT": (130, -2)}


@dataclass(frozen=True)
class Case:
    """A run to be disturbed.

    Attributes:
        name: for the table.
        words: of the command line, without the folder of results.
        out: that folder; it is the same for all runs, for its name may stand in files.
        temporary: folder for temporary files of all processes.
    """

    name: str
    words: tuple[str, ...]
    out: Path
    temporary: Path
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    def start(self, *, resume: bool = False, file_limit: int | None = None) -> Launch:
        """Start it; ``file_limit`` [bytes] is the size beyond which no file of it can grow."""
        words = [*self.words, "-o", str(self.out), *(["--resume"] if resume else [])]
        self.temporary.mkdir(exist_ok=True)

        def limit() -> None:
            if file_limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))

        process = subprocess.Popen(
            [sys.executable, "-m", "biopose_sim", "groundtruth", *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, _MARK: self.mark, "TMPDIR": str(self.temporary)},
            start_new_session=True,
            preexec_fn=limit,
        )
        return Launch(self, process)

    def clear(self) -> None:
        """Remove what is in the folder of results."""
        shutil.rmtree(self.out, ignore_errors=True)

    def undisturbed(self) -> Undisturbed:
        """Run it and return what it gives."""
        started = time.perf_counter()
        launch = self.start()
        code = launch.wait()
        if code not in (0, 1):  # the data may hold what fails
            sys.exit(f"{self.name}: the undisturbed run ended with code {code}: {launch.said}")
        return Undisturbed(self.content(), time.perf_counter() - started, code, self.bad_files())

    def content(self) -> dict[str, str]:
        """Hashes of all files, hidden ones as well; of the manifest what describes results."""
        found = {p.relative_to(self.out).as_posix(): sha256(p) for p in sorted(self.out.rglob("*")) if p.is_file()}
        if "manifest.json" in found:
            manifest = json.loads((self.out / "manifest.json").read_bytes())
            found["manifest.json"] = json.dumps({k: v for k, v in manifest.items() if k not in VOLATILE})
        return found

    def bad_files(self) -> list[str]:
        """The bad files that the manifest names."""
        return [entry["path"] for entry in json.loads((self.out / "manifest.json").read_bytes())["bad_files"]]

    def false_records(self, reference: dict[str, str]) -> list[str]:
        """Results that count as done although they are not those of an undisturbed run."""
        records = [path for path in self.out.glob("persons/*/*.json") if valid_record(path) is not None]
        names = {path.relative_to(self.out).as_posix(): sha256(path) for path in records}
        return [name for name, value in names.items() if reference.get(name) != value]

    def alive(self) -> list[psutil.Process]:
        """All processes of its runs."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get(_MARK) == self.mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def orphans(self) -> list[str]:
        """Processes that outlive a run; they are ended."""
        _, left = psutil.wait_procs(self.alive(), timeout=_GRACE)
        names = []
        for process in left:
            with contextlib.suppress(psutil.Error):
                names.append(" ".join(process.cmdline())[-80:])
                process.kill()
        return names


@dataclass(frozen=True)
class Undisturbed:
    """What a run gives that nobody disturbs."""

    content: dict[str, str]
    seconds: float
    code: int
    bad_files: list[str]

    def different(self, content: dict[str, str]) -> list[str]:
        """Names of the files that are not the same."""
        both = self.content.keys() | content.keys()
        return sorted(name for name in both if self.content.get(name) != content.get(name))


class Launch:
    """A run that goes on.

    Attributes:
        said: what it wrote as errors, once it has ended.
    """

    def __init__(self, case: Case, process: subprocess.Popen[bytes]) -> None:
        self.case, self.process = case, process
        self.said = ""

    def wait(self) -> int:
        """The exit code, once it has ended."""
        _, said = self.process.communicate(timeout=TIMEOUT)
        self.said = said.decode(errors="replace")
        return self.process.returncode

    def strike(self, way: str, reference: Undisturbed, dice: random.Random) -> bool:
        """Kill in this way at a random moment, as soon after it as anything is at work; whether that had effect.

        The moment is a random share of the results that are still to be made, whatever they take, and up to a second.

        A kill counts if its victim was alive and at work and was ended by it: a main process that holds the folder and
        whose exit code tells of the signal, a worker while a job was begun, an OpenSim that was solving or scaling.
        """
        who, name = way.split()
        find: dict[str, Callable[[], list[psutil.Process]]] = {"main": self._main, "group": self._main}
        there = self._results()
        whole = sum(name.startswith("persons/") and name.endswith(".json") for name in reference.content)
        wanted, delay = dice.randint(there, max(whole, there)), dice.uniform(0.0, _DELAY)
        victims = self._later(find.get(who, lambda: self._helpers(who)), wanted, delay)
        if not victims:
            return False
        victim = dice.choice(victims)
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            if who == "group":
                os.killpg(self.process.pid, getattr(signal, name))
            else:
                victim.send_signal(getattr(signal, name))
            if who in find:
                return self.wait() in _ENDS[name]
            gone, _ = psutil.wait_procs([victim], timeout=_GRACE)
            return bool(gone)
        return False

    def _later(self, find: Callable[[], list[psutil.Process]], wanted: int, delay: float) -> list[psutil.Process]:
        """What is found when so many results are there and some time has passed; nothing if it has ended."""
        while self.process.poll() is None and self._results() < wanted:
            time.sleep(0.01)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(delay)
        while self.process.poll() is None:
            with contextlib.suppress(psutil.NoSuchProcess):
                if found := find():
                    return found
            time.sleep(0.01)
        return []

    def _results(self) -> int:
        """How many results are there."""
        return len(list(self.case.out.glob("persons/*/*.json")))

    def _main(self) -> list[psutil.Process]:
        """The main process, once it holds the folder of results."""
        return [psutil.Process(self.process.pid)] if (self.case.out / ".lock").exists() else []

    def _helpers(self, who: str) -> list[psutil.Process]:
        """Its workers while one has begun a job, or the processes of OpenSim."""
        if who == "worker" and not list(self.case.out.glob(".work/attempts/*")):
            return []
        family = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in family if _SIGNS[who] in " ".join(child.cmdline())]


def left_in(folder: Path) -> Sequence[str]:
    """What lies in a folder of temporary files."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
