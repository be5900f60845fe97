"""What the parts of the runner hand each other; all of it can be pickled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ik_pipeline.types import Engine, ModelChoice, PersonSpec, Source, TrialSpec

SCALE, SOLVE, FINISH = "scale", "solve", "finish"


@dataclass(frozen=True)
class Parts:
    """What a run consists of.

    Attributes:
        source: where persons and trials come from.
        engine: how markers become a scaled model and motions.
        choice: the generic model.
    """

    source: Source
    engine: Engine
    choice: ModelChoice


@dataclass(frozen=True)
class Wanted:
    """Which files are written besides the numbers.

    Attributes:
        mot: a motion per trial.
        trc: the measured markers per trial.
        osim: the scaled model per person; an engine that needs the file writes it anyway.
    """

    mot: bool = True
    trc: bool = False
    osim: bool = True


@dataclass(frozen=True)
class Job:
    """What one task does.

    Attributes:
        kind: ``"scale"``, ``"solve"`` or ``"finish"``.
        person: of whom; with all trials to scale, with the one trial to solve, with those that went well to finish.
        run_key: hash of all that is the same for the whole run.
        person_key: content hash of the scaling; empty before it is known.
        key: content hash of the result; empty for a scaling, which finds out which files it can use.
        hashes: of the person's files, by path; empty where the key is known.
    """

    kind: str
    person: PersonSpec
    run_key: str
    person_key: str = ""
    key: str = ""
    hashes: Mapping[str, str] = field(default_factory=dict)

    @property
    def trial(self) -> TrialSpec:
        """The trial to solve."""
        return self.person.trials[0]

    @property
    def name(self) -> str:
        """The job among those of the run, fit for a file name."""
        return f"{self.kind}-{self.person.id}" + (f"-{self.trial.name}" if self.kind == SOLVE else "")


@dataclass(frozen=True)
class Done:
    """What became of a job.

    Attributes:
        failed: the reason, None where it went well.
        bad_files: files that cannot be used and why.
        key: content hash of the scaling.
        frames: that were solved.
        seconds: of work.
    """

    failed: str | None = None
    bad_files: tuple[tuple[Path, str], ...] = ()
    key: str = ""
    frames: int = 0
    seconds: float = 0.0


@dataclass
class Tally:
    """How far a run is, for the progress line and the summary.

    Attributes:
        persons: in all; ``persons_done`` of them need no more work.
        trials: in all.
        kept: trials whose results of an earlier run were still good.
        solved: trials solved in this run.
        failed: trials that failed in this run.
        frames: solved in this run.
        seconds: of work in all workers, by kind of job.
    """

    persons: int = 0
    persons_done: int = 0
    trials: int = 0
    kept: int = 0
    solved: int = 0
    failed: int = 0
    frames: int = 0
    seconds: dict[str, float] = field(default_factory=lambda: {SCALE: 0.0, SOLVE: 0.0, FINISH: 0.0})


@dataclass
class Ledger:
    """What a run must remember besides the files it wrote.

    Attributes:
        person_keys: content hash of each person's scaling.
        failed_persons: reasons by the person's id.
        failed_trials: reasons by the ids of person and trial.
        bad_files: reasons by path, the first one counts.
        hashes: of input files, by path.
        tally: numbers.
    """

    person_keys: dict[str, str] = field(default_factory=dict)
    failed_persons: dict[str, str] = field(default_factory=dict)
    failed_trials: dict[tuple[str, str], str] = field(default_factory=dict)
    bad_files: dict[Path, str] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
