"""Content hashes: a result counts as long as everything that it was made from is the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from biopose_sim import __version__
from biopose_sim.io.record import plain, sha256
from ik_pipeline.runner.types import Parts, Wanted
from ik_pipeline.types import PersonSpec, TrialSpec

UNREADABLE = "unreadable"


class FileHashes:
    """SHA-256 of files, each read once as long as its size and time of change stay."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[int, int], str]] = {}

    def of(self, path: Path) -> str:
        """Return the hash; ``"unreadable"`` where the file cannot be read: whoever needs it will say why."""
        try:
            stat = path.stat()
            stamp = (stat.st_size, stat.st_mtime_ns)
            if path not in self._known or self._known[path][0] != stamp:
                self._known[path] = (stamp, sha256(path))
        except OSError:
            return UNREADABLE
        return self._known[path][1]

    def of_person(self, person: PersonSpec) -> dict[str, str]:
        """Return the hashes of all files of a person, by path."""
        return {str(path): self.of(path) for trial in person.recordings for path in trial.files}


def content_key(*parts: Any) -> str:
    """Return the SHA-256 of values as JSON has them."""
    text = json.dumps([plain(part) for part in parts], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def run_key(parts: Parts, wanted: Wanted) -> str:
    """Return the hash of what is the same for all persons: source, engine, model, version, wanted files."""
    source, engine = parts.source, parts.engine
    return content_key(__version__, source.name, source.configuration(), engine.name, engine.configuration(), wanted)


def person_key(
    run: str, person: PersonSpec, chosen: Sequence[TrialSpec], left_out: Iterable[str], hashes: Mapping[str, str]
) -> str:
    """Return the hash of what a scaling was made from.

    Args:
        run: hash of the run.
        person: whom.
        chosen: the trials it was scaled by.
        left_out: names of trials that could not be read.
        hashes: of the files, by path.
    """
    who = (person.id, person.dataset, person.sex, person.stature, person.mass, person.details)
    names = set(left_out)
    unused = [_content(trial, hashes) for trial in person.recordings if trial.name in names]
    return content_key("scale", run, who, [_content(trial, hashes) for trial in chosen], unused)


def trial_key(person: str, trial: TrialSpec, hashes: Mapping[str, str]) -> str:
    """Return the hash of what a solved trial was made from; ``person`` is that of the scaling."""
    return content_key("solve", person, _content(trial, hashes))


def finish_key(person: str, trials: Iterable[tuple[str, str]]) -> str:
    """Return the hash of what a person's quality and written model come from: scaling, names and hashes of trials."""
    return content_key("finish", person, list(trials))


def _content(trial: TrialSpec, hashes: Mapping[str, str]) -> Any:
    return trial.name, trial.details, [hashes[str(path)] for path in trial.files]
