"""What of a run becomes shards: its solved trials, how long they are, and in which split each person is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from biopose_sim import __version__
from biopose_sim.errors import InputError
from biopose_sim.io.record import sha256
from ik_pipeline.shards.types import SPLITS, ShardConfig
from ik_pipeline.store import PERSONS, SCALING

MANIFEST = "manifest.json"
OK = "ok"


@dataclass(frozen=True)
class PlannedTrial:
    """A solved trial.

    Attributes:
        file: its stored result.
        name: unique within the person.
        action: what is done in it, where known.
        quality: what the run found of it.
        frames: of the result.
        expected: hash of the file, where the run gives it.
    """

    file: Path
    name: str
    action: str | None
    quality: Mapping[str, Any]
    frames: int
    expected: str | None = None


@dataclass(frozen=True)
class PlannedPerson:
    """A person with at least one solved trial.

    Attributes:
        scaling: the stored scaling.
        row: id, dataset, group, sex, stature [m], mass [kg] for the table of persons.
        split: ``"train"``, ``"val"`` or ``"test"``.
        trials: those that are good, in the run's order.
        expected: hash of the scaling's file, where the run gives it.
    """

    scaling: Path
    row: Mapping[str, Any]
    split: str
    trials: tuple[PlannedTrial, ...]
    expected: str | None = None


@dataclass(frozen=True)
class Plan:
    """All that is written.

    Attributes:
        manifest: of the run.
        persons: in the run's order.
        left_out: person, trial and reason of what is not taken.
    """

    manifest: Mapping[str, Any]
    persons: tuple[PlannedPerson, ...]
    left_out: tuple[Mapping[str, str], ...]

    @property
    def frames(self) -> int:
        """Frames of all results."""
        return sum(trial.frames for person in self.persons for trial in person.trials)


def make_plan(run_folder: Path, config: ShardConfig) -> Plan:
    """Read a run's manifest and put every person with a solved trial into a split.

    Raises:
        InputError: no manifest or one of another version, a group whose persons are to be in different splits.
    """
    manifest = read_manifest(run_folder)
    try:
        splits = group_splits(manifest["persons"], config, run_folder / MANIFEST)
        left_out: list[dict[str, str]] = []
        persons = [_planned(run_folder, entry, splits, left_out) for entry in manifest["persons"]]
    except KeyError as error:
        raise InputError(run_folder / MANIFEST, f"lacks {error} of a person or trial", "run again") from error
    return Plan(manifest, tuple(person for person in persons if person.trials), tuple(left_out))


def _planned(
    run_folder: Path, entry: Mapping[str, Any], splits: Mapping[str, str], left_out: list[dict[str, str]]
) -> PlannedPerson:
    """A person with the trials that the run calls good; others are put among those left out."""
    folder, sound = run_folder / PERSONS / entry["id"], entry.get("status", OK) == OK
    trials = []
    for trial in entry["trials"]:
        if sound and trial["status"] == OK:
            name, file = trial["name"], folder / f"{trial['name']}.npz"
            quality, expected = trial.get("quality") or {}, (trial.get("outputs") or {}).get(file.name)
            trials.append(PlannedTrial(file, name, trial.get("action"), quality, trial["frames"], expected))
        else:
            reason = f"trial {trial['status']}" if sound else f"person {entry['status']}"
            left_out.append({"person": entry["id"], "trial": trial["name"], "reason": reason})
    row = {key: entry.get(key) for key in ("id", "dataset", "group", "sex", "stature", "mass")}
    file = folder / f"{SCALING}.npz"
    expected = (entry.get("outputs") or {}).get(file.name)
    return PlannedPerson(file, row, splits[entry["group"]], tuple(trials), expected)


def check_unchanged(file: Path, expected: str | None) -> None:
    """Raise an InputError where the run gives another hash of a result than the file has."""
    if expected is not None and file.is_file() and sha256(file) != expected:
        raise InputError(file, "was changed since the run ended", "run 'biopose groundtruth' again")


def read_manifest(run_folder: Path) -> Mapping[str, Any]:
    """Read the manifest of a run.

    Raises:
        InputError: there is none, it is of another version, or it is no manifest of a run.
    """
    path = run_folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(path, "no such file", "give the folder of a finished run of 'biopose groundtruth'") from None
    except (OSError, ValueError) as error:
        raise InputError(path, f"cannot be read ({error})", "run 'biopose groundtruth' again") from error
    if not isinstance(manifest, dict) or not {"biopose_sim", "persons", "model", "source"} <= manifest.keys():
        raise InputError(path, "is not the manifest of a ground-truth run")
    if _series(str(manifest["biopose_sim"])) != _series(__version__):
        problem = f"was written by biopose-sim {manifest['biopose_sim']}, this is {__version__}"
        raise InputError(path, problem, "run 'biopose groundtruth' again with this version")
    return manifest


def group_splits(persons: Sequence[Mapping[str, Any]], config: ShardConfig, source: Path) -> dict[str, str]:
    """Return the split of each group: the one that the run gives a person of it, else by the hash of its name.

    Raises:
        InputError: a split that there is not, or two for one group.
    """
    given: dict[str, str] = {}
    for person in persons:
        split = person.get("split")
        if split is None:
            continue
        if split not in SPLITS:
            raise InputError(source, f"person {person['id']!r} is in split {split!r}", f"use {', '.join(SPLITS)}")
        if given.setdefault(person["group"], split) != split:
            problem = f"group {person['group']!r} is divided between {given[person['group']]} and {split}"
            raise InputError(source, problem, "persons of one group belong in one split")
    return {person["group"]: given.get(person["group"]) or hashed_split(person["group"], config) for person in persons}


def hashed_split(group: str, config: ShardConfig) -> str:
    """Return a split that depends on the group's name, the seed and the shares alone."""
    digest = hashlib.sha256(f"{config.seed}/{group}".encode()).digest()
    position = int.from_bytes(digest[:8], "big") / 2.0**64
    edges = np.cumsum(config.shares[:-1])
    return SPLITS[int(np.searchsorted(edges, position, side="right"))]


def _series(version: str) -> list[str]:
    return version.split(".")[:2]
