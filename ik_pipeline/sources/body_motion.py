"""Data sets of bodies of the SMPL family: the motion is read, brought to a rate, and gives the virtual markers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biopose_sim.bodies.smpl_file import find_model_file, read_model_file
from biopose_sim.bodies.types import BodySequence
from biopose_sim.errors import InputError
from biopose_sim.io import Trial
from biopose_sim.paths import markerset_path
from ik_pipeline.sources.common import (
    BadFiles,
    FolderSource,
    Notices,
    Paths,
    file_hash,
    finished,
    scaling_pose,
    unique_name,
)
from ik_pipeline.sources.motion_files import MotionFile, look_at
from ik_pipeline.sources.resample import at_rate, taken
from ik_pipeline.types import BadFile, Listing, PersonSpec, TrialSpec

if TYPE_CHECKING:
    from biopose_sim.bodies.markers import BodyMarkers
    from biopose_sim.bodies.smpl import SmplBody

_MARKER_SETS = ("smpl", "smplx")
# Ends of the names of recordings, that are no part of what was recorded.
_SUFFIXES = ("_poses", "_stageii")


class BodySource(FolderSource, ABC):
    """What the sources of body motions share; see `ik_pipeline.types.Source`.

    A trial's ``details`` hold ``body``, ``gender``, ``frames`` (of the file), and where it is a part of a file
    ``track`` or ``cut`` (first frame and the frame after the last). Its files are the motion and the model of the body.
    """

    virtual = True
    layout = ""

    def list(self) -> Listing:
        """Return the persons; looks at each file, but reads no motion."""
        bad: BadFiles = []
        notices: Notices = []
        persons = self._persons(bad, notices)
        if self.options.gender is not None:
            told = "bodies that were fitted with another come out in another shape"
            notices.append(f"All bodies are the {self.options.gender} model's, whatever the files say: {told}.")
        listing = finished(self.folder, persons, bad, notices, self.options, self.layout)
        return replace(listing, persons=self._with_models(listing.persons))

    def read(self, person: PersonSpec, trial: TrialSpec) -> Trial:
        """Return the virtual markers on the moving body.

        Raises:
            InputError: the file or the body model cannot be read.
        """
        from biopose_sim.bodies.body import one_shape
        from biopose_sim.bodies.markers import virtual_markers

        about = trial.details
        motion, model = trial.files[0], trial.files[-1]
        sequence = one_shape(self._sequence(motion, about))
        if "cut" in about:
            sequence = taken(sequence, slice(*about["cut"]))
        sequence = at_rate(replace(sequence, gender=about["gender"]), self.options.fps)
        body = _body(model, sequence.body)
        read = virtual_markers(sequence, _markers(body.topology), body=body)
        return replace(read, name=trial.name)

    def configuration(self) -> Mapping[str, Any]:
        """Return the frame rate and the hashes of the marker sets; body models are among the trials' files."""
        markers = {name: file_hash(markerset_path(name)) for name in _MARKER_SETS}
        return {"source": self.name, "fps": self.options.fps, "markers": markers}

    @abstractmethod
    def _persons(self, bad: BadFiles, notices: Notices) -> Sequence[PersonSpec]:
        """Find the persons."""

    def _sequence(self, motion: Path, about: Mapping[str, Any]) -> BodySequence:
        from biopose_sim.bodies.readers import load

        return load(motion)

    def _with_models(self, persons: Sequence[PersonSpec]) -> tuple[PersonSpec, ...]:
        """The persons with the model of each body among the files of its trials."""
        wanted = Counter((t.details["body"], t.details["gender"]) for person in persons for t in person.trials)
        models: dict[tuple[str, str], Path] = {}
        for (body, gender), count in sorted(wanted.items()):
            try:
                models[body, gender] = find_model_file(body, gender, self.options.body_models)
            except InputError as error:
                raise InputError(error.source, f"{error.problem}, for {count} trials", error.remedy) from error
        return tuple(
            replace(p, trials=tuple(replace(t, files=(*t.files, models[_body_key(t)])) for t in p.trials))
            for p in persons
        )


def _body_key(trial: TrialSpec) -> tuple[str, str]:
    return trial.details["body"], trial.details["gender"]


def looked_at(files: Paths, bad: BadFiles) -> Sequence[MotionFile]:
    """Look at motion files; those that cannot be used become bad."""
    found = []
    for path in files:
        try:
            found.append(look_at(path))
        except InputError as error:
            bad.append(BadFile(path, error.problem + (f"; {error.remedy}" if error.remedy else "")))
    return found


def by_body(
    files: Sequence[MotionFile], who: Callable[[MotionFile], str]
) -> dict[str, dict[tuple[str, str, str], list[MotionFile]]]:
    """Return motion files by person, then by body: one name may stand for bodies of several shapes or models."""
    found: dict[str, dict[tuple[str, str, str], list[MotionFile]]] = {}
    for file in files:
        found.setdefault(who(file), {}).setdefault(file.person, []).append(file)
    return found


def whole_file(file: MotionFile, names: set[str], gender: str | None) -> TrialSpec:
    """Return the trial of a file that is one recording.

    Args:
        file: the file.
        names: of the person's trials so far; the new one joins them.
        gender: of the body model to use in place of the file's.
    """
    stem = file.path.stem
    for suffix in _SUFFIXES:
        stem = stem.removesuffix(suffix)
    name = unique_name(stem, names)
    details = {"body": file.body, "gender": gender or file.gender, "frames": file.frames}
    return TrialSpec(name, (file.path,), details, scaling=scaling_pose(stem))


# A worker goes through the trials of one person after another: two models are enough, and of SMPL-X all there is room
# for (0.25 GB each).
@lru_cache(maxsize=2)
def _body(path: Path, body: str) -> SmplBody:
    from biopose_sim.bodies.smpl import SmplBody

    return SmplBody(read_model_file(path, body))


@lru_cache(maxsize=2)
def _markers(topology: str) -> BodyMarkers:
    from biopose_sim.bodies.markers import read_body_markers

    return read_body_markers(topology)
