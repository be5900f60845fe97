"""Any AMASS tree: ``data set/subject/*_poses.npz`` (SMPL+H) and ``*_stageii.npz`` (SMPL-X)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ik_pipeline.sources.body_motion import BodySource, by_body, looked_at, whole_file
from ik_pipeline.sources.common import BadFiles, Notices, Paths, files_below, unique_name
from ik_pipeline.sources.motion_files import MotionFile
from ik_pipeline.types import PersonSpec

_MOTIONS = ("_poses.npz", "_stageii.npz")


class AmassSource(BodySource):
    """See `body_motion.BodySource`. A person is a subject's folder, or one of the bodies in it.

    The same human as SMPL+H and as SMPL-X is two persons of one group.
    """

    name = "amass"
    layout = "expected an AMASS tree: data set/subject/*_poses.npz or *_stageii.npz"

    def _persons(self, bad: BadFiles, notices: Notices) -> Sequence[PersonSpec]:
        found = looked_at(motion_paths(self.folder), bad)
        taken: set[str] = set()
        persons = []
        for place, bodies in by_body(found, lambda file: _place(self.folder, file.path)).items():
            for files in bodies.values():
                persons.append(self._person(place, files, len(bodies) > 1, taken))
        return persons

    def _person(self, place: str, files: Sequence[MotionFile], several: bool, taken: set[str]) -> PersonSpec:
        first = files[0]
        names: set[str] = set()
        trials = tuple(whole_file(file, names, self.options.gender) for file in files)
        return PersonSpec(
            unique_name(f"{place}_{first.body}" if several else place, taken),
            self.name,
            trials,
            group=place,
            sex=first.sex,
            details={"body": first.body, "shape": first.shape},
        )


def motion_paths(folder: Path) -> Paths:
    """Return the AMASS motion files below a folder, in natural order; files of shapes alone are no motions."""
    return [path for path in files_below(folder, ".npz") if path.name.endswith(_MOTIONS)]


def _place(folder: Path, path: Path) -> str:
    """The subject's folder as a name: ``CMU_01`` for ``CMU/01``; the folder's own name where it is the subject's."""
    inside = path.parent.relative_to(folder).parts
    return "_".join(inside) or folder.resolve().name
