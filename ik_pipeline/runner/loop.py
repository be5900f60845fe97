"""The order of the work: persons one after the other, each scaled, its trials solved, then finished."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from ik_pipeline.runner import keys
from ik_pipeline.runner.records import MODEL, record_path, valid_record
from ik_pipeline.runner.types import FINISH, SCALE, SOLVE, Done, Job, Ledger
from ik_pipeline.scaling_trials import choose_scaling_trials
from ik_pipeline.store import SCALING
from ik_pipeline.types import PersonSpec, TrialSpec


class Workers(Protocol):
    """Whoever does jobs; see `ik_pipeline.runner.cluster.Crew`."""

    @property
    def wants_more(self) -> bool:
        """Whether another job would be begun soon."""

    @property
    def busy(self) -> bool:
        """Whether a job is not done yet."""

    def submit(self, job: Job) -> None:
        """Begin a job."""

    def next_done(self) -> tuple[Job, Done]:
        """Wait for the next job to end."""


@dataclass
class _Progress:
    """How far a person is."""

    spec: PersonSpec
    hashes: dict[str, str]
    waiting: set[str] = field(default_factory=set)


class Loop:
    """Goes through the persons of a run; only a few of them are begun at a time.

    Args:
        folder: of the run.
        run_key: hash of all that is the same for the whole run.
        persons: in the order of the source.
        wants: called before the first job, to start workers; they end with the loop.
        changes: called before the first result changes.
        report: called with the ledger after each job.
    """

    def __init__(
        self,
        folder: Path,
        run_key: str,
        persons: Sequence[PersonSpec],
        wants: Callable[[], AbstractContextManager[Workers]],
        changes: Callable[[], None],
        report: Callable[[Ledger], None],
    ) -> None:
        self.folder, self.run_key = folder, run_key
        self.ledger = Ledger()
        self.ledger.tally.persons = len(persons)
        self.ledger.tally.trials = sum(len(person.trials) for person in persons)
        self._wants, self._changes, self._report = wants, changes, report
        self._unopened: Iterator[PersonSpec] = iter(persons)
        self._opened: dict[str, _Progress] = {}
        self._ready: deque[Job] = deque()
        self._hashes = keys.FileHashes()

    def run(self) -> Ledger:
        """Do all that is missing, changed or failed before.

        Raises:
            OutputError: results cannot be written.
            BioposeError: no workers.
        """
        with ExitStack() as stack:
            workers: Workers | None = None
            while True:
                while workers is None or workers.wants_more:
                    job = self._next_job()
                    if job is None:
                        break
                    if workers is None:
                        self._changes()
                        workers = stack.enter_context(self._wants())
                    workers.submit(job)
                if workers is None or not workers.busy:
                    return self.ledger
                self._take(*workers.next_done())
                self._report(self.ledger)

    def _next_job(self) -> Job | None:
        while not self._ready:
            person = next(self._unopened, None)
            if person is None:
                return None
            self._open(person)
            self._report(self.ledger)
        return self._ready.popleft()

    def _open(self, person: PersonSpec) -> None:
        """Find out what is to be done for a person."""
        opened = _Progress(person, self._hashes.of_person(person))
        self.ledger.hashes |= opened.hashes
        if not person.trials:
            self._fail_person(person, "it has no trials")
            return
        self._opened[person.id] = opened
        key = self._valid_scaling(opened)
        if key is not None:
            due = self._due_trials(opened, key)
            if not due and self._is_finished(opened, key):
                self.ledger.person_keys[person.id] = key
                self.ledger.tally.kept += len(person.trials)
                self._close(person)
                return
        self._ready.append(Job(SCALE, person, self.run_key, hashes=opened.hashes))

    def _valid_scaling(self, opened: _Progress) -> str | None:
        """The content hash of the scaling on disk, if it is what would be made now."""
        record = valid_record(record_path(self.folder, opened.spec.id, SCALING))
        if record is None:
            return None
        left_out = record.get("left_out", [])
        rest = tuple(trial for trial in opened.spec.trials if trial.name not in left_out)
        if not rest:
            return None
        chosen, _ = choose_scaling_trials(replace(opened.spec, trials=rest))
        key = keys.person_key(self.run_key, opened.spec, chosen, left_out, opened.hashes)
        return key if key == record["key"] else None

    def _due_trials(self, opened: _Progress, key: str) -> list[TrialSpec]:
        return [
            trial
            for trial in opened.spec.trials
            if valid_record(
                record_path(self.folder, opened.spec.id, trial.name), keys.trial_key(key, trial, opened.hashes)
            )
            is None
        ]

    def _is_finished(self, opened: _Progress, key: str) -> bool:
        path = record_path(self.folder, opened.spec.id, MODEL)
        return valid_record(path, self._finish_key(opened, key)) is not None

    def _finish_key(self, opened: _Progress, key: str) -> str:
        good = [(t.name, keys.trial_key(key, t, opened.hashes)) for t in self._good_trials(opened.spec)]
        return keys.finish_key(key, good)

    def _good_trials(self, person: PersonSpec) -> list[TrialSpec]:
        return [trial for trial in person.trials if (person.id, trial.name) not in self.ledger.failed_trials]

    def _take(self, job: Job, done: Done) -> None:
        """Go on after a job has ended."""
        tally = self.ledger.tally
        tally.seconds[job.kind] += done.seconds
        for path, reason in done.bad_files:
            self.ledger.bad_files.setdefault(path, reason)
        opened = self._opened[job.person.id]
        if job.kind == SOLVE:
            self._take_trial(job, done, opened)
        elif done.failed is not None:
            self._fail_person(opened.spec, done.failed, with_trials=job.kind == SCALE)
        elif job.kind == SCALE:
            self._begin_trials(opened, done.key)
        else:
            self._close(opened.spec)

    def _begin_trials(self, opened: _Progress, key: str) -> None:
        person = opened.spec
        self.ledger.person_keys[person.id] = key
        due = self._due_trials(opened, key)
        self.ledger.tally.kept += len(person.trials) - len(due)
        opened.waiting = {trial.name for trial in due}
        for trial in due:
            alone = replace(person, trials=(trial,))
            self._ready.append(Job(SOLVE, alone, self.run_key, key, keys.trial_key(key, trial, opened.hashes)))
        if not due:
            self._begin_finish(opened)

    def _take_trial(self, job: Job, done: Done, opened: _Progress) -> None:
        tally = self.ledger.tally
        if done.failed is None:
            tally.solved += 1
            tally.frames += done.frames
        else:
            tally.failed += 1
            self.ledger.failed_trials[opened.spec.id, job.trial.name] = done.failed
        opened.waiting.discard(job.trial.name)
        if not opened.waiting:
            self._begin_finish(opened)

    def _begin_finish(self, opened: _Progress) -> None:
        good = self._good_trials(opened.spec)
        if not good:
            self._fail_person(opened.spec, "none of its trials could be solved")
            return
        key = self.ledger.person_keys[opened.spec.id]
        person = replace(opened.spec, trials=tuple(good))
        self._ready.appendleft(Job(FINISH, person, self.run_key, key, self._finish_key(opened, key)))

    def _fail_person(self, person: PersonSpec, reason: str, *, with_trials: bool = False) -> None:
        self.ledger.failed_persons[person.id] = reason
        if with_trials:
            for trial in person.trials:
                self.ledger.failed_trials[person.id, trial.name] = f"the person could not be scaled: {reason}"
            self.ledger.tally.failed += len(person.trials)
        self._close(person)

    def _close(self, person: PersonSpec) -> None:
        self._opened.pop(person.id, None)
        self.ledger.tally.persons_done += 1
