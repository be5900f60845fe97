"""What a worker process has at hand: source, engine and model, the persons it worked on last, the run's folders."""

from __future__ import annotations

import contextlib
import pickle
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

from biopose_sim.io import atomic_write
from ik_pipeline.runner.errors import writing
from ik_pipeline.runner.types import Job, Parts, Wanted
from ik_pipeline.types import ScaledPerson

# So often is a job begun whose worker process died.
MOST_ATTEMPTS = 2
_PERSONS_KEPT = 4
# So often is a job begun again for kernels that were compiled meanwhile.
_MOST_REPEATS = 2


class Kit:
    """Made once per worker process.

    Args:
        parts: source, engine, model.
        wanted: which files are written.
        folder: of the run.
        work: hidden folder of the run, seen by all workers.
    """

    def __init__(self, parts: Parts, wanted: Wanted, folder: Path, work: Path) -> None:
        self.parts, self.wanted, self.folder = parts, wanted, folder
        self._attempts, self._scaled = work / "attempts", work / "scaled"
        self._persons: OrderedDict[str, ScaledPerson] = OrderedDict()

    def keep(self, key: str, person: ScaledPerson) -> None:
        """Keep a scaled person for the other jobs, also of other workers, until the run ends."""
        with writing(self._scaled):
            self._scaled.mkdir(exist_ok=True)
            atomic_write(self._scaled / key, pickle.dumps(person))
        self._remember(key, person)

    def scaled(self, key: str) -> ScaledPerson:
        """Return a scaled person; its file was written in this run, by this program."""
        if key not in self._persons:
            self._remember(key, pickle.loads((self._scaled / key).read_bytes()))
        self._persons.move_to_end(key)
        return self._persons[key]

    def has(self, key: str) -> bool:
        """Whether a person was scaled in this run."""
        return (self._scaled / key).is_file()

    def _remember(self, key: str, person: ScaledPerson) -> None:
        self._persons[key] = person
        while len(self._persons) > _PERSONS_KEPT:
            self._persons.popitem(last=False)

    def may_repeat(self, job: Job) -> bool:
        """Whether a job may be begun again in a fresh process; not for ever, for a cache may not be writable."""
        count = self._attempts / f"{job.name}.repeated"
        with writing(self._attempts), open(count, "ab") as file:
            file.write(b".")
        return count.stat().st_size <= _MOST_REPEATS

    @contextlib.contextmanager
    def attempt(self, job: Job) -> Iterator[int]:
        """Yield how often the job was begun in this run without ending, this time included.

        A file grows by a byte at each beginning and goes at the end, whatever the end is: only a process that dies
        leaves it. So the job that a worker was busy with is known, and not the ones that waited behind it.
        """
        mark = self._attempts / job.name
        with writing(self._attempts):
            self._attempts.mkdir(exist_ok=True)
            with open(mark, "ab") as file:
                file.write(b".")
        begun = mark.stat().st_size
        try:
            yield begun
        finally:
            mark.unlink(missing_ok=True)
