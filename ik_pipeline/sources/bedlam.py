"""BEDLAM's SMPL-X motions: ``person/number/motion_seq.npz`` and animation files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ik_pipeline.sources.body_motion import BodySource, by_body, looked_at, whole_file
from ik_pipeline.sources.common import BadFiles, Notices, files_below, unique_name
from ik_pipeline.sources.motion_files import MotionFile
from ik_pipeline.types import PersonSpec, TrialSpec

_SEQUENCE = "motion_seq.npz"
_SHAPES = ("shape.npz", "_stagei.npz")


class BedlamSource(BodySource):
    """See `body_motion.BodySource`. A person is who the file says (``sub``), else the folder ``person`` of
    ``person/number/motion_seq.npz``, else the file's folder; where bodies of several shapes, genders or models go by
    one name, each is a person and a group of its own.
    """

    name = "bedlam"
    layout = "expected BEDLAM's motions: person/number/motion_seq.npz, or animation .npz files with poses (T, 165)"

    def _persons(self, bad: BadFiles, notices: Notices) -> Sequence[PersonSpec]:
        paths = [path for path in files_below(self.folder, ".npz") if not path.name.endswith(_SHAPES)]
        found = looked_at(paths, bad)
        taken: set[str] = set()
        persons = []
        for name, bodies in by_body(found, self._who).items():
            for files in bodies.values():
                persons.append(self._person(name, files, taken))
        return persons

    def _person(self, name: str, files: Sequence[MotionFile], taken: set[str]) -> PersonSpec:
        ident = unique_name(name, taken)
        names: set[str] = set()
        trials = tuple(self._trial(file, names) for file in files)
        details = {"body": files[0].body, "shape": files[0].shape}
        return PersonSpec(ident, self.name, trials, group=ident, sex=files[0].sex, details=details)

    def _trial(self, file: MotionFile, names: set[str]) -> TrialSpec:
        if file.path.name != _SEQUENCE:
            return whole_file(file, names, self.options.gender)
        trial = whole_file(file, set(), self.options.gender)
        return TrialSpec(unique_name(file.path.parent.name, names), trial.files, trial.details)

    def _who(self, file: MotionFile) -> str:
        if file.subject:
            return file.subject
        home = file.path.parent.parent if file.path.name == _SEQUENCE else file.path.parent
        inside = home.relative_to(self.folder).parts if home.is_relative_to(self.folder) else ()
        return "_".join(inside) or _own_name(self.folder, home)


def _own_name(folder: Path, home: Path) -> str:
    return (home if home.is_relative_to(folder) else folder).resolve().name
