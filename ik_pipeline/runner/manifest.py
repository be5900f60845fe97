"""The manifest of a run: what went in, how it was done, what came out, how good it is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from biopose_sim import __version__
from biopose_sim.io.record import plain, sha256, versions
from ik_pipeline.quality import PersonQuality, Rules, TrialQuality, judge_person, judge_trial
from ik_pipeline.runner.records import MODEL, person_folder, read_record, record_path
from ik_pipeline.runner.types import Ledger, Parts
from ik_pipeline.store import SCALING
from ik_pipeline.types import Listing, PersonSpec, TrialSpec

OK, REJECTED, FAILED = "ok", "rejected", "failed"
# What differs between two runs that gave the same results.
VOLATILE = ("arguments", "timings")


@dataclass(frozen=True)
class Places:
    """Folders whose names say nothing about the data: paths are written relative to them.

    Attributes:
        source: folder of the data set.
        run: folder of the run.
        work: hidden folder in it, in which the source may have unpacked.
    """

    source: Path
    run: Path
    work: Path

    def short(self, path: Path) -> str:
        """The path from the data set's folder, or from where it was unpacked."""
        for base in (self.work, self.source):
            if path.is_relative_to(base):
                return path.relative_to(base).as_posix()
        return str(path)

    def clear(self, text: str) -> str:
        """The text without the folders of the run."""
        return text.replace(f"{self.work}/", "").replace(f"{self.run}/", "")


@dataclass(frozen=True)
class Built:
    """A manifest, and the files that belong to the run."""

    content: dict[str, Any]
    files: frozenset[Path]


class Manifest:
    """Puts the manifest together from the records on disk and the ledger.

    Args:
        places: what paths are relative to.
        rules: limits; results beyond them are rejected.
        ledger: of the run.
    """

    def __init__(self, places: Places, rules: Rules, ledger: Ledger) -> None:
        self.places, self.rules, self.ledger = places, rules, ledger
        self.files: set[Path] = set()

    def build(self, parts: Parts, listing: Listing, timings: Mapping[str, Any], arguments: Sequence[str]) -> Built:
        """Return the manifest; what is not stored counts as failed."""
        source, engine, choice = parts.source, parts.engine, parts.choice
        persons = [self._person(person) for person in listing.persons]
        bad = {file.path: file.reason for file in listing.bad_files} | self.ledger.bad_files
        warnings = sorted({text for entry in persons for text in entry["warnings"]})
        content = {
            "biopose_sim": __version__,
            "command": "groundtruth",
            "arguments": list(arguments),
            "source": {
                "name": source.name,
                "folder": str(self.places.source),
                "configuration": source.configuration(),
            },
            "engine": {"name": engine.name, "configuration": engine.configuration()},
            "model": {
                "path": str(choice.path),
                "sha256": sha256(choice.path),
                "markers": None if choice.markers is None else str(choice.markers),
                "landmarks": sorted(choice.landmarks),
            },
            "rules": asdict(self.rules),
            "versions": versions(),
            "counts": _counts(persons),
            "persons": persons,
            "bad_files": [
                {"path": self.places.short(path), "reason": self.places.clear(reason)}
                for path, reason in sorted(bad.items())
            ],
            "notices": [*listing.notices, *choice.notices, *warnings],
            "timings": timings,
        }
        return Built(plain(content), frozenset(self.files))

    def _person(self, person: PersonSpec) -> dict[str, Any]:
        trials = [self._trial(person, trial) for trial in person.trials]
        scaling, model = (self._record(person, name) for name in (SCALING, MODEL))
        failed = self.ledger.failed_persons.get(person.id)
        quality = {} if model is None or failed is not None else model["quality"]
        if failed is not None or scaling is None:
            status, reasons = FAILED, [self.places.clear(failed or "its results are missing")]
        else:
            reasons = list(judge_person(PersonQuality.from_json(quality), self.rules)) if quality else []
            status = REJECTED if reasons else OK
        how = {key: scaling.get(key) for key in ("why", "trials", "left_out", "how")} if scaling else {}
        return {
            "id": person.id,
            "dataset": person.dataset,
            "group": person.group,
            "sex": person.sex,
            "stature": person.stature,
            "mass": person.mass,
            "split": person.split,
            "status": status,
            "reasons": reasons,
            "key": self.ledger.person_keys.get(person.id),
            "scaling": how,
            "warnings": scaling.get("warnings", []) if scaling else [],
            "quality": quality,
            "outputs": {**(scaling or {}).get("outputs", {}), **(model or {}).get("outputs", {})},
            "trials": trials,
        }

    def _trial(self, person: PersonSpec, trial: TrialSpec) -> dict[str, Any]:
        failed = self.ledger.failed_trials.get((person.id, trial.name))
        record = None if failed is not None else self._record(person, trial.name)
        if record is None:
            status, reasons = FAILED, [self.places.clear(failed or "its results are missing")]
        else:
            reasons = list(judge_trial(TrialQuality.from_json(record["quality"]), self.rules))
            status = REJECTED if reasons else OK
        entry = record or {}
        hashes = self.ledger.hashes
        return {
            "name": trial.name,
            "action": trial.action,
            "frames": entry.get("frames", 0),
            "status": status,
            "reasons": reasons,
            "key": entry.get("key"),
            "inputs": [{"path": self.places.short(p), "sha256": hashes.get(str(p))} for p in trial.files],
            "quality": entry.get("quality", {}),
            "warnings": entry.get("warnings", []),
            "outputs": entry.get("outputs", {}),
        }

    def _record(self, person: PersonSpec, name: str) -> dict[str, Any] | None:
        """A record of the run; its files are remembered."""
        if person.id not in self.ledger.person_keys:
            return None
        path = record_path(self.places.run, person.id, name)
        record = read_record(path)
        if record is None or (name == MODEL and person.id in self.ledger.failed_persons):
            return None
        self.files.add(path)
        self.files.update(person_folder(self.places.run, person.id) / file for file in record["outputs"])
        return record


def _counts(persons: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    trials = [trial for person in persons for trial in person["trials"]]
    return {
        "persons": _by_status(persons),
        "trials": _by_status(trials),
        "frames": sum(trial["frames"] for trial in trials if trial["status"] == OK),
        "frames_rejected": sum(trial["frames"] for trial in trials if trial["status"] == REJECTED),
    }


def _by_status(entries: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    return {status: sum(entry["status"] == status for entry in entries) for status in (OK, REJECTED, FAILED)}


def as_text(content: Mapping[str, Any]) -> str:
    """Return the manifest as it is written."""
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def same_results(a: Mapping[str, Any] | None, b: Mapping[str, Any] | None) -> bool:
    """Whether two manifests tell of the same results, whatever the runs took."""
    if a is None or b is None:
        return False
    return {k: v for k, v in a.items() if k not in VOLATILE} == {k: v for k, v in b.items() if k not in VOLATILE}
