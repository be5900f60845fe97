"""A data set of small text files and an engine that needs no time, both able to fail in every way.

A file says how its trial goes: ``"12"`` (a number that decides the result), or a number and one of `FAULTS`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from biopose_sim.errors import BioposeError, InputError
from biopose_sim.ik.fit import FitConfig
from biopose_sim.ik.types import KinematicsResult
from biopose_sim.io import Trial
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.osim.markerset import keep_markers
from biopose_sim.osim.process import run_script
from biopose_sim.paths import default_model_path
from ik_pipeline.quality import Rules
from ik_pipeline.runner.folder import opened
from ik_pipeline.runner.jobs import do
from ik_pipeline.runner.kit import Kit
from ik_pipeline.runner.manifest import VOLATILE
from ik_pipeline.runner.run import RunOptions, RunResult, run
from ik_pipeline.runner.types import Done, Job, Parts, Wanted
from ik_pipeline.types import BadFile, Listing, ModelChoice, PersonSpec, ScaledPerson, TrialSpec
from ik_pipeline.virtual_fit import virtual_model

FRAMES = 8
# Nobody moves here: no limit is kept.
LENIENT = Rules(**{field.name: 0.0 if field.name == "converged" else math.inf for field in fields(Rules)})
FAULTS = ("segfault", "opensim", "opensim-once", "bug", "slow")
_CRASH = "import os, signal\ndef work(opensim, job):\n    os.kill(os.getpid(), signal.SIGSEGV)\n"


@dataclass
class TextSource:
    """``folder/<person>/<trial>.txt``; see the top."""

    folder: Path
    name: str = "text"
    virtual: bool = False

    def prepare(self, work: Path) -> None:
        work.mkdir(parents=True, exist_ok=True)

    def list(self) -> Listing:
        persons = []
        for home in sorted(path for path in self.folder.iterdir() if path.is_dir()):
            trials = tuple(TrialSpec(path.stem, (path,), action="walk") for path in sorted(home.glob("*.txt")))
            persons.append(PersonSpec(home.name, self.name, trials, group=home.name, stature=1.8, mass=70.0))
        empty = [BadFile(path, "is empty") for path in sorted(self.folder.glob("*.empty"))]
        return Listing(tuple(persons), tuple(empty), ("Made for a test.",))

    def read(self, person: PersonSpec, trial: TrialSpec) -> Trial:
        words = trial.files[0].read_text().split()
        if not words or not words[0].isdigit():
            raise InputError(trial.files[0], "holds no number", "write one")
        if "slow" in words:
            time.sleep(0.5)  # so that a test on a busy machine can kill a run before it is done
        points = model().default_coordinates
        markers = model()(points).markers.numpy()[None] + 1e-3 * int(words[0])
        read = Trial.checked(trial.name, np.arange(FRAMES) / 100.0, np.tile(markers, (FRAMES, 1, 1)), names())
        return replace(read, source=trial.files[0])

    def configuration(self) -> Mapping[str, Any]:
        return {"source": self.name}


@dataclass
class QuickEngine:
    """Scales by the number of the first trial and leaves the model where it stands."""

    notes: Path
    name: str = "quick"

    def scale(self, person: PersonSpec, trials: Sequence[tuple[TrialSpec, Trial]], folder: Path) -> ScaledPerson:
        number = float(trials[0][1].markers[0, 0, 0])
        scales = np.full((len(model().body_names), 3), 1.0 + 1e-3 * round(number, 4))
        offsets = np.zeros((len(names()), 3))
        return ScaledPerson(model().scale(scales, offsets), scales, offsets, {"trials": [t.name for t, _ in trials]})

    def solve(self, person: ScaledPerson, trial: Trial) -> KinematicsResult:
        assert trial.source is not None
        self._fail(trial.source, trial.source.read_text().split()[1:])
        q = np.tile(person.model.tree.defaults, (FRAMES, 1))
        points = np.tile(person.model(person.model.default_coordinates).markers.numpy(), (FRAMES, 1, 1))
        errors = np.linalg.norm(points - trial.markers, axis=2)
        free = np.ones(q.shape[1], dtype=bool)
        return KinematicsResult(
            trial.name, trial.time, q, person.model.coordinate_names, person.model.motion_types, names(),
            np.ones(len(names())), points, errors, np.ones(FRAMES, bool), np.ones(FRAMES, np.int64),
            np.zeros(q.shape[1]), free,
        )  # fmt: skip

    def configuration(self) -> Mapping[str, Any]:
        return {"engine": self.name}

    def _fail(self, path: Path, words: Sequence[str]) -> None:
        note = self.notes / f"{path.parent.name}-{path.stem}"
        with open(note, "ab") as file:
            file.write(b".")
        begun = note.stat().st_size
        if "bug" in words:
            raise ZeroDivisionError("a fault\nof the program")
        if "segfault" in words:
            os.kill(os.getpid(), signal.SIGSEGV)
        if "opensim" in words or ("opensim-once" in words and begun == 1):
            script = self.notes / "crash.py"
            script.write_text(_CRASH)
            run_script(script, {}, self.notes, subject=path, doing="crashing", timeout=60.0)


@cache
def model() -> OsimModel:
    return keep_markers(virtual_model(), ["LASI", "RASI", "LPSI", "RPSI", "CLAV", "C7", "LLMAL", "RLMAL"])


def names() -> tuple[str, ...]:
    return model().marker_names


def choice() -> ModelChoice:
    return ModelChoice(default_model_path(), None, model(), FitConfig(), frozenset({"C7"}))


def make_data(folder: Path, persons: int = 2, trials: int = 3, word: str = "") -> Path:
    """Write a data set."""
    for p in range(persons):
        home = folder / f"p{p}"
        home.mkdir(parents=True)
        for t in range(trials):
            (home / f"t{t}.txt").write_text(f"{10 * p + t} {word}")
    return folder


def run_fake(source: Path, out: Path, *, workers: int = 1, osim: bool = False, **how: bool) -> RunResult:
    """Do a run in this process."""
    notes = source.parent / "notes"
    notes.mkdir(exist_ok=True)
    parts = Parts(TextSource(source), QuickEngine(notes), choice())
    options = RunOptions(source, Wanted(osim=osim), LENIENT, workers=workers)
    with opened(out, **how) as folder:
        return run(folder, parts, options)


class Here:
    """Does each job at once in this process."""

    def __init__(self, kit: Kit) -> None:
        self.kit, self.done = kit, deque[tuple[Job, Done]]()
        self.kinds: list[str] = []

    @property
    def wants_more(self) -> bool:
        return len(self.done) < 2

    @property
    def busy(self) -> bool:
        return bool(self.done)

    def submit(self, job: Job) -> None:
        self.kinds.append(job.name)
        self.done.append((job, do(self.kit, job)))

    def next_done(self) -> tuple[Job, Done]:
        return self.done.popleft()


def begun(source: Path, name: str) -> int:
    """How often the engine began with a trial."""
    note = source.parent / "notes" / name
    return note.stat().st_size if note.exists() else 0


def content(out: Path) -> dict[str, bytes]:
    """All files of a run, without what may differ between two runs with the same results."""
    found = {str(p.relative_to(out)): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}
    manifest = json.loads(found["manifest.json"])
    found["manifest.json"] = json.dumps({k: v for k, v in manifest.items() if k not in VOLATILE}).encode()
    return found


def main() -> None:
    """``SOURCE OUT [--resume]``: what the command line does, with the fakes."""
    from biopose_sim.cli.main import _end_tidily_when_asked_to

    parser = argparse.ArgumentParser()
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    _end_tidily_when_asked_to()
    try:
        run_fake(given.source, given.out, workers=given.workers, resume=given.resume)
    except KeyboardInterrupt:
        sys.exit(130)
    except BioposeError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
    sys.exit(0)
