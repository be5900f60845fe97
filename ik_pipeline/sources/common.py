"""What sources share: file names, choosing persons and trials, the division into training and test."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path

from biopose_sim.errors import InputError
from biopose_sim.io.notice import listed
from biopose_sim.io.record import sha256
from ik_pipeline.sources.options import SourceOptions
from ik_pipeline.store import SCALING
from ik_pipeline.types import BadFile, Listing, PersonSpec

# Named here because a source's method ``list`` hides the type in its class.
BadFiles = list[BadFile]
Notices = list[str]
Paths = list[Path]
_LONGEST_NAME = 100
# Words of trials recorded for scaling.
_STATIC = {
    "static", "neutral", "cal", "calib", "calibration", "anatomical", "anatomic", "npose",
}  # fmt: skip
_POSES = {"tpose": "T-pose", "apose": "A-pose"}


class FolderSource:
    """What sources share that read files where they are; see `ik_pipeline.types.Source`."""

    name = ""

    def __init__(self, folder: Path, options: SourceOptions) -> None:
        self.folder = folder
        self.options = options

    def prepare(self, work: Path) -> None:
        """Do nothing: files are read where they are."""

    def inside(self, path: Path) -> str:
        """Return a path from the data set's folder on."""
        return path.relative_to(self.folder).as_posix()


def safe_name(text: str) -> str:
    """Return a name that is fit for a file: letters, digits, dots, dashes and underscores, not too long."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._-") or "unnamed"
    if len(name) > _LONGEST_NAME:
        # Long names differ at their ends; the digest keeps them apart where they do not.
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        name = f"{name[: _LONGEST_NAME - 9]}_{digest}"
    return f"{name}_" if name.lower() == SCALING else name


def unique_name(text: str, taken: set[str]) -> str:
    """Return a safe name that is not taken yet, and take it; letters' case makes no difference, as on some disks."""
    name = base = safe_name(text)
    number = 1
    while name.lower() in taken:
        number += 1
        name = f"{base}_{number}"
    taken.add(name.lower())
    return name


def files_below(folder: Path, *suffixes: str) -> list[Path]:
    """Return all files with one of the suffixes below a folder, sorted; hidden ones are left out.

    Raises:
        InputError: the folder cannot be read.
    """
    try:
        found = [p for p in folder.rglob("*") if p.suffix.lower() in suffixes and p.is_file()]
    except OSError as error:
        raise InputError(folder, f"cannot be read ({error.strerror})") from error
    shown = [p for p in found if not any(part.startswith(".") for part in p.relative_to(folder).parts)]
    return sorted(shown, key=_natural)


def _natural(path: Path) -> list[tuple[int, str]]:
    """Numbers in names count as numbers: Subject_2 comes before Subject_10."""
    return [(int(word), "") if word.isdigit() else (-1, word) for word in re.split(r"(\d+)", path.as_posix())]


def words(name: str) -> list[str]:
    """Return the words of a name in small letters.

    >>> words("subject01_TPose-run2"), words("walkStatic1")
    (['subject', 't', 'pose', 'run'], ['walk', 'static'])
    """
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)]


def scaling_pose(name: str) -> str | None:
    """Return ``"static"``, ``"T-pose"`` or ``"A-pose"`` where a trial's name says that it was recorded for scaling."""
    found = words(name)
    for word in (*found, *(a + b for a, b in pairwise(found) if len(a) == 1)):
        if word in _POSES:
            return _POSES[word]
        if word in _STATIC:
            return "static"
    return None


def finished(
    folder: Path,
    persons: Iterable[PersonSpec],
    bad_files: Iterable[BadFile],
    notices: Iterable[str],
    options: SourceOptions,
    layout: str,
) -> Listing:
    """Return the listing with the persons and trials that the user wants, divided as he says.

    Args:
        folder: of the data set.
        persons: all that were found.
        bad_files: may name a file more than once; the first reason counts.
        notices: for the user.
        options: his wishes.
        layout: what the folder should look like, for the error.

    Raises:
        InputError: nobody is left.
    """
    found = list(persons)
    reasons: dict[Path, BadFile] = {}
    for bad in bad_files:
        reasons.setdefault(bad.path, bad)
    if not any(person.trials for person in found):
        first = next(iter(reasons.values()), None)
        because = f"; the first of {len(reasons)} bad files: {first.path.name}: {first.reason}" if first else ""
        raise InputError(folder, f"holds no recordings that can be used{because}", layout)
    chosen = _chosen(folder, found, options)
    told = [*notices, *_unmatched(chosen, options)]
    return Listing(tuple(_divided(chosen, options)), tuple(reasons.values()), tuple(dict.fromkeys(told)))


def _chosen(folder: Path, persons: Sequence[PersonSpec], options: SourceOptions) -> list[PersonSpec]:
    people = [p for p in persons if matches(p.id, options.include_persons)]
    if not people:
        known = listed([person.id for person in persons])
        raise InputError(folder, f"no person matches {listed(options.include_persons)}", f"it has {known}")
    kept = []
    for person in people:
        trials = [trial for trial in person.trials if matches(trial.name, options.include_trials)]
        if trials:
            kept.append(replace(person, trials=tuple(trials[: options.trials])))
    if not kept:
        known = listed([trial.name for trial in people[0].trials])
        raise InputError(folder, f"no trial matches {listed(options.include_trials)}", f"{people[0].id} has {known}")
    return kept[: options.persons]


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Return whether a name matches one of the patterns, or there are none."""
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def _divided(persons: Iterable[PersonSpec], options: SourceOptions) -> Iterable[PersonSpec]:
    if options.test is None and options.val is None:
        return persons
    return [replace(person, split=_split(person.group, options)) for person in persons]


def _split(group: str, options: SourceOptions) -> str:
    for split, patterns in (("test", options.test), ("val", options.val)):
        if patterns and matches(group, patterns):
            return split
    return "train"


def _unmatched(persons: Iterable[PersonSpec], options: SourceOptions) -> list[str]:
    groups = {person.group for person in persons}
    told = []
    for split, patterns in (("test", options.test), ("val", options.val)):
        lost = [p for p in patterns or () if not any(fnmatchcase(group, p) for group in groups)]
        if lost:
            told.append(f"Of the groups for {split}, {listed(lost)} match nobody here.")
    return told


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        return sha256(path)
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror})") from error
