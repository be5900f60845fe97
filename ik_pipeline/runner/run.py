"""A run: list, scale, solve, finish, write the manifest."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from biopose_sim.errors import InputError
from biopose_sim.io import atomic_write
from ik_pipeline.quality import Rules
from ik_pipeline.runner import keys
from ik_pipeline.runner.errors import noticing_full_disks, writing
from ik_pipeline.runner.folder import RunFolder
from ik_pipeline.runner.loop import Loop, Workers
from ik_pipeline.runner.manifest import Manifest, Places, as_text, same_results
from ik_pipeline.runner.records import TAKEN
from ik_pipeline.runner.types import Ledger, Parts, Wanted
from ik_pipeline.types import Listing, PersonSpec

Report = Callable[[Ledger], None]


@dataclass(frozen=True)
class RunOptions:
    """How a run is done.

    Attributes:
        source_folder: where the data set lies.
        wanted: which files are written.
        rules: limits; results beyond them are rejected.
        workers: local worker processes; None: as many as there are processors.
        scheduler: address of a cluster's scheduler instead.
        debug: let workers print.
        arguments: the command line, for the manifest.
    """

    source_folder: Path
    wanted: Wanted = field(default_factory=Wanted)
    rules: Rules = field(default_factory=Rules)
    workers: int | None = None
    scheduler: str | None = None
    debug: bool = False
    arguments: Sequence[str] = ()


@dataclass(frozen=True)
class RunResult:
    """What a run gave.

    Attributes:
        manifest: as it was written.
        changed: whether anything but the times differs from the manifest that was there before.
        ledger: what this run did.
    """

    manifest: dict[str, Any]
    changed: bool
    ledger: Ledger


def run(folder: RunFolder, parts: Parts, options: RunOptions, report: Report | None = None) -> RunResult:
    """Do all that is missing, changed or failed before, and write the manifest.

    Args:
        folder: opened by `ik_pipeline.runner.folder.opened`.
        parts: source, engine, model.
        options: see there.
        report: called with the ledger as the run goes on.

    Raises:
        InputError: the source holds nothing that can be used.
        OutputError: results cannot be written; the run can be resumed.
        BioposeError: no worker answers.
    """
    started, before = time.perf_counter(), _read_manifest(folder.manifest)
    with noticing_full_disks(folder.path):
        parts.source.prepare(folder.unpacked)
    listing = _checked(parts.source.list(), options.source_folder)
    run_key = keys.run_key(parts, options.wanted)

    def workers() -> AbstractContextManager[Workers]:
        from ik_pipeline.runner.cluster import hired

        places = (folder.path, folder.work, folder.scratch)
        return hired(parts, options.wanted, places, options.workers, options.scheduler, options.debug)

    loop = Loop(folder.path, run_key, listing.persons, workers, folder.begin_changes, report or (lambda _: None))
    ledger = loop.run()
    places = Places(options.source_folder, folder.path, folder.unpacked)
    timings = _timings(ledger, time.perf_counter() - started)
    manifest = Manifest(places, options.rules, ledger)
    built = manifest.build(parts, listing, timings, options.arguments)
    folder.sweep(built.files)
    changed = not same_results(before, built.content)
    if changed:
        folder.drop_outdated()
    with writing(folder.path):
        atomic_write(folder.manifest, as_text(built.content))
    return RunResult(built.content, changed, ledger)


def _checked(listing: Listing, folder: Path) -> Listing:
    """The listing, with names that a folder can hold.

    Raises:
        InputError: no person, or two of one name.
    """
    if not listing.persons:
        reasons = "; ".join(f"{bad.path}: {bad.reason}" for bad in listing.bad_files[:3])
        raise InputError(folder, "holds no person that can be used", reasons)
    names = [person.id for person in listing.persons]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(folder, f"gives two persons the name {twice!r}", "this is a fault of the source: report it")
    return replace(listing, persons=tuple(_named(person) for person in listing.persons))


def _named(person: PersonSpec) -> PersonSpec:
    """The person with trials whose names differ from each other and from the other files in the folder."""
    taken = set(TAKEN)
    trials = []
    for trial in person.trials:
        name = trial.name
        while name in taken:
            name += "_"
        taken.add(name)
        trials.append(trial if name == trial.name else replace(trial, name=name))
    return replace(person, trials=tuple(trials))


def _timings(ledger: Ledger, seconds: float) -> dict[str, Any]:
    tally = ledger.tally
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": seconds,
        "worker_seconds": dict(tally.seconds),
        "trials_solved": tally.solved,
        "trials_kept": tally.kept,
        "frames_solved": tally.frames,
        "frames_per_second": tally.frames / seconds if seconds else None,
    }


def _read_manifest(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
