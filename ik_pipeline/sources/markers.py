"""A laboratory's markers: a folder of TRC and C3D files per person, with setup files beside them or without."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from biopose_sim.errors import InputError
from biopose_sim.ik.setup_files import ScaleSetup
from biopose_sim.io import TRIAL_READERS, BioposeWarning, Trial, read_trial
from biopose_sim.io.notice import listed
from ik_pipeline.sources.common import (
    BadFiles,
    FolderSource,
    Notices,
    files_below,
    finished,
    scaling_pose,
    unique_name,
    words,
)
from ik_pipeline.sources.setups import Setups, find_setups, model_of, motions_of, scaling_trials, setup_of
from ik_pipeline.types import BadFile, Listing, PersonSpec, TrialSpec

LAYOUT = "expected a folder of .trc or .c3d files per person, or such files of one person"
# Folders that hold markers of one person rather than a person.
_CONTAINERS = {
    "markerdata", "markers", "marker", "mocap", "expdata", "experimentaldata", "data", "trc", "c3d", "trials",
    "static", "dynamic", "session", "recordings",
}  # fmt: skip
_BESIDE = (".xml", ".osim", ".mot")
# A person stands still where markers move slower than this [m/s] nearly always, for at least so long [s].
_STILL, _NEARLY_ALWAYS, _LEAST_TIME = 0.05, 95.0, 0.5
# Files that are read to see whether a person stands still are not larger than this [bytes].
_CHEAP = 3_000_000
# A ScaleTool's height is in millimetres; below this it must be metres.
_METRES = 3.0


class RecordedSource(FolderSource):
    """What sources of recorded markers share."""

    virtual = False

    def read(self, person: PersonSpec, trial: TrialSpec) -> Trial:
        """Read the file as it is recorded."""
        return read_markers(trial)

    def configuration(self) -> Mapping[str, Any]:
        """Return the source's name: files decide the rest."""
        return {"source": self.name}


class MarkersSource(RecordedSource):
    """See `ik_pipeline.types.Source`.

    Paths in ``details`` are relative to the data set's folder: of a person ``scale_setups``, ``ik_setups`` and
    ``models``; of a trial ``ik_setup``, the ``model`` it names, and ``kinematics``, motions that the laboratory solved.
    """

    name = "markers"

    def list(self) -> Listing:
        """Return the persons: the folder's own subfolders with marker files, or the folder itself."""
        bad: BadFiles = []
        notices: Notices = []
        taken: set[str] = set()
        persons = []
        for home, files in _homes(self.folder).items():
            usable = _without_empty(files, bad)
            if usable:
                persons.append(self._person(home, usable, taken, bad, notices))
        if own := [person.id for person in persons if {"scale_setups", "ik_setups"} & person.details.keys()]:
            told = "static trials, stature and mass; weights, marker pairs and model are those of the run"
            notices.append(f"{listed(own)}: setup files beside the markers only tell {told}.")
        return finished(self.folder, persons, bad, notices, self.options, LAYOUT)

    def _person(
        self, home: Path, files: Sequence[Path], taken: set[str], bad: BadFiles, notices: Notices
    ) -> PersonSpec:
        beside = files_below(home, *_BESIDE)
        setups = find_setups(path for path in beside if path.suffix.lower() == ".xml")
        bad.extend(setups.bad)
        ident = unique_name(home.resolve().name, taken)
        trials = self._trials(files, beside, setups, notices, ident)
        if not any(trial.scaling for trial in trials):
            trials = [_with_stillness(trial) for trial in trials]
        details = {
            "scale_setups": [self.inside(setup.path) for setup in setups.scale],
            "ik_setups": [self.inside(setup.path) for setup in setups.ik],
            "models": [self.inside(path) for path in beside if path.suffix.lower() == ".osim"],
        }
        stature, mass = _size(setups.scale)
        return PersonSpec(
            ident, self.name, tuple(trials), group=ident, stature=stature, mass=mass, details=_filled(details)
        )

    def _trials(
        self, files: Sequence[Path], beside: Sequence[Path], setups: Setups, notices: Notices, person: str
    ) -> Sequence[TrialSpec]:
        names: set[str] = set()
        scaled_from = scaling_trials(setups.scale)
        models, motions = ([p for p in beside if p.suffix.lower() == kind] for kind in (".osim", ".mot"))
        trials = []
        for path in _each_once(files, notices, person):
            setup = setup_of(path, setups.ik)
            model = model_of(setup, models)
            details = {
                "ik_setup": None if setup is None else self.inside(setup.path),
                "model": None if model is None else self.inside(model),
                "kinematics": [self.inside(motion) for motion in motions_of(path.stem, motions)],
            }
            scaling = "static" if path.name.lower() in scaled_from else scaling_pose(path.stem)
            name = unique_name(path.stem, names)
            trials.append(TrialSpec(name, (path,), _filled(details), scaling=scaling))
        return trials


def read_markers(trial: TrialSpec) -> Trial:
    """Read a trial's marker file.

    Raises:
        InputError: the file cannot be read.
    """
    with warnings.catch_warnings():
        # What readers repair is told by `biopose check`; a run over thousands of files must not flood the screen.
        warnings.simplefilter("ignore", BioposeWarning)
        return read_trial(trial.files[0])


def _homes(folder: Path) -> dict[Path, list[Path]]:
    """The folder of each person and the marker files in it."""
    files = files_below(folder, *TRIAL_READERS)
    homes: dict[Path, list[Path]] = {}
    for path in files:
        parts = path.relative_to(folder).parts[:-1]
        single = not parts or "".join(words(parts[0])) in _CONTAINERS
        homes.setdefault(folder if single else folder / parts[0], []).append(path)
    if len(homes) == 1:
        (home,) = homes
        if any(not path.is_relative_to(home) for path in files_below(folder, *_BESIDE)):
            # Setups or models beside the only folder with markers: all of it is one person.
            return {folder: files}
    return homes


def _without_empty(files: Sequence[Path], bad: BadFiles) -> list[Path]:
    """Marker files that hold anything; the others are bad."""
    usable = []
    for path in files:
        try:
            with path.open("rb") as stream:
                problem = None if stream.read(1) else "is empty"
        except OSError as error:
            problem = f"cannot be opened ({error.strerror})"
        if problem is None:
            usable.append(path)
        else:
            bad.append(BadFile(path, problem))
    return usable


def _each_once(files: Sequence[Path], notices: Notices, person: str) -> list[Path]:
    """One file of each recording: TRC before C3D where a folder has both."""
    both = {path.with_suffix("") for path in files if path.suffix.lower() == ".trc"}
    doubled = [path for path in files if path.suffix.lower() == ".c3d" and path.with_suffix("") in both]
    if doubled:
        told = listed([path.name for path in doubled], 4)
        notices.append(f"{person}: TRC files are taken in place of C3D files of the same name: {told}.")
    return [path for path in files if path not in doubled]


def _with_stillness(trial: TrialSpec) -> TrialSpec:
    """The trial, marked as static where nobody moves in it and its file is quickly read."""
    path = trial.files[0]
    try:
        if path.stat().st_size > _CHEAP or not is_still(read_markers(trial)):
            return trial
    except (InputError, OSError):
        # The worker that reads it in earnest reports it.
        return trial
    return TrialSpec(trial.name, trial.files, trial.details, scaling="static", action=trial.action)


def is_still(trial: Trial) -> bool:
    """Return whether hardly any marker moves for long enough."""
    if trial.n_frames < 2 or trial.duration < _LEAST_TIME:
        return False
    speed = np.linalg.norm(np.diff(trial.markers, axis=0), axis=2) / np.diff(trial.time)[:, None]
    known = speed[np.isfinite(speed)]
    return bool(len(known)) and bool(np.percentile(known, _NEARLY_ALWAYS) < _STILL)


def _size(setups: Sequence[ScaleSetup]) -> tuple[float | None, float | None]:
    """Stature [m] and mass [kg] as the first scale setup that says them has them, if all that do agree."""
    heights = {h if h < _METRES else h / 1000 for h in (setup.height for setup in setups) if h is not None}
    masses = {setup.mass for setup in setups if setup.mass is not None}
    return heights.pop() if len(heights) == 1 else None, masses.pop() if len(masses) == 1 else None


def _filled(details: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in details.items() if value}
