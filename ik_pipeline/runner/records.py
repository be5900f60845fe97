"""The ``.json`` beside each result: written last, with the content hash; without it the result does not count."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from biopose_sim.io import atomic_write
from biopose_sim.io.record import plain, sha256
from ik_pipeline.store import PERSONS, SCALING

MODEL = "model"
# Names of files in a person's folder that no trial may have.
TAKEN = frozenset({SCALING, MODEL})


def person_folder(folder: Path, person: str) -> Path:
    """Where the results of a person lie."""
    return folder / PERSONS / person


def record_path(folder: Path, person: str, name: str) -> Path:
    """The record of a trial, of the scaling (``"scaling"``) or of the finished person (``"model"``)."""
    return person_folder(folder, person) / f"{name}.json"


def write_record(path: Path, key: str, content: Mapping[str, Any], outputs: Iterable[Path]) -> None:
    """Write a record with the hashes of the files that belong to it."""
    entry = {"key": key, **content, "outputs": {file.name: sha256(file) for file in outputs}}
    atomic_write(path, json.dumps(plain(entry), indent=1, allow_nan=False) + "\n")


def read_record(path: Path) -> dict[str, Any] | None:
    """Return a record; None where there is none that can be read."""
    try:
        entry = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    known = isinstance(entry, dict) and isinstance(entry.get("key"), str) and isinstance(entry.get("outputs"), dict)
    return entry if known else None


def valid_record(path: Path, key: str | None = None) -> dict[str, Any] | None:
    """Return a record whose key is the one given and whose files are all there, unchanged; else None."""
    entry = read_record(path)
    if entry is None or (key is not None and entry["key"] != key):
        return None
    try:
        same = all(sha256(path.parent / name) == value for name, value in entry["outputs"].items())
    except OSError:
        return None
    return entry if same else None
