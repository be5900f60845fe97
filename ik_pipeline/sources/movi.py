"""BML-MoVi, round F: AMASS fits (``Subject_N_F_MoSh/*_poses.npz``) or ``F_amass_Subject_N.mat``, with the cuts and the
sex from ``F_v3d_Subject_N.mat`` where it is there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from biopose_sim.bodies.readers import actions, load_all, tracks
from biopose_sim.bodies.readers.checks import gender_of
from biopose_sim.bodies.readers.content import Content, open_content
from biopose_sim.bodies.readers.movi import Action
from biopose_sim.bodies.types import BodySequence
from biopose_sim.errors import InputError
from ik_pipeline.sources.amass import motion_paths
from ik_pipeline.sources.body_motion import BodySource, looked_at, whole_file
from ik_pipeline.sources.common import BadFiles, Notices, Paths, files_below, unique_name
from ik_pipeline.sources.motion_files import MotionFile
from ik_pipeline.types import BadFile, PersonSpec, TrialSpec

_SUBJECT = re.compile(r"Subject_(\d+)", re.IGNORECASE)
_NUMBER = re.compile(r"_F_?(\d+)$", re.IGNORECASE)
# A recording and the cut of its action may differ by so many frames.
_SLACK = 2


@dataclass(frozen=True)
class _Session:
    """What ``F_v3d_Subject_N.mat`` says: the actions with their frames, and the person's sex."""

    actions: tuple[Action, ...] = ()
    sex: str | None = None


class MoviSource(BodySource):
    """See `body_motion.BodySource`. One person for each subject, one trial for each action; no trial is static."""

    name = "bml-movi"
    layout = (
        "expected BMLmovi/Subject_N_F_MoSh/*_poses.npz of AMASS, or F_amass_Subject_N.mat, and F_v3d_Subject_N.mat "
        "beside them for the actions"
    )

    def _persons(self, bad: BadFiles, notices: Notices) -> Sequence[PersonSpec]:
        fits = _by_subject(motion_paths(self.folder))
        matlab = files_below(self.folder, ".mat")
        bodies = _by_subject([path for path in matlab if "amass" in path.name.lower()])
        sessions = _by_subject([path for path in matlab if "v3d" in path.name.lower()])
        persons = []
        for subject in sorted({*fits, *bodies}):
            session = _session(sessions.get(subject, []), bad)
            trials: Sequence[TrialSpec] = ()
            if subject in fits:
                trials = self._fitted(looked_at(fits[subject], bad), session, subject, notices)
                if subject in bodies:
                    notices.append("Where AMASS files are there, F_amass files of the same subject are not read.")
            else:
                trials = self._recorded(bodies[subject], session, bad)
                if self.options.gender is None and any(t.details["gender"] == "neutral" for t in trials):
                    notices.append(f"Subject_{subject}: no file says the sex; the neutral body is taken.")
            if trials:
                ident = f"Subject_{subject}"
                persons.append(PersonSpec(ident, self.name, tuple(trials), group=ident, sex=_sex(trials, session)))
        if sessions and not persons:
            notices.append("F_v3d files hold markers and cuts, no bodies.")
        return persons

    def _fitted(
        self, files: Sequence[MotionFile], session: _Session, subject: int, notices: Notices
    ) -> Sequence[TrialSpec]:
        """Trials of AMASS files of one body: SMPL+H where there are both."""
        kept = [file for file in files if file.person == files[0].person]
        if len(kept) < len(files):
            notices.append(
                f"Subject_{subject}: {len(files) - len(kept)} files of another body than the first are left out."
            )
        names: set[str] = set()
        trials: list[TrialSpec] = []
        unnamed = 0
        for file in kept:
            whole = whole_file(file, set(), self.options.gender)
            match = _NUMBER.search(whole.name)
            parts = _by_action(whole, file.frames, int(match[1]) if match else None, session)
            unnamed += parts == [whole] and bool(session.actions)
            trials += [replace(part, name=unique_name(part.name, names)) for part in parts]
        if unnamed:
            told = f"{unnamed} of {len(kept)} recordings are as long as no action in F_v3d; their actions stay unknown."
            notices.append(f"Subject_{subject}: {told}")
        return trials

    def _recorded(self, files: Paths, session: _Session, bad: BadFiles) -> Sequence[TrialSpec]:
        """Trials of an ``F_amass`` file."""
        names: set[str] = set()
        trials: list[TrialSpec] = []
        for path in files:
            try:
                content = open_content(path)
                found, gender = tracks(content), _gender(content)
            except InputError as error:
                bad.append(BadFile(path, error.problem))
                continue
            for track in found:
                details = {
                    "body": "smplh",
                    "gender": self.options.gender or gender or session.sex or "neutral",
                    "frames": track.n_frames,
                    "track": track.key,
                }
                named = TrialSpec(f"{track.key}_{track.action}", (path,), details, action=track.action)
                for part in _by_action(named, track.n_frames, None, session):
                    trials.append(replace(part, name=unique_name(part.name, names)))
        return trials

    def _sequence(self, motion: Path, about: Mapping[str, Any]) -> BodySequence:
        if "track" not in about:
            return super()._sequence(motion, about)
        sequences = _session_bodies(motion)
        number = int(about["track"]) - 1
        if not 0 <= number < len(sequences):
            raise InputError(motion, f"has no recording {about['track']} of {len(sequences)}", "has it changed?")
        return sequences[number]


def _by_subject(paths: Paths) -> dict[int, Paths]:
    found: dict[int, Paths] = {}
    for path in paths:
        if match := _SUBJECT.search(path.name) or _SUBJECT.search(path.parent.name):
            found.setdefault(int(match[1]), []).append(path)
    return found


def _by_action(whole: TrialSpec, frames: int, number: int | None, session: _Session) -> list[TrialSpec]:
    """The trials of a recording: itself, with the action that its number and length tell, or one for each action.

    A recording that reaches to the end of the last cut is the whole session.
    """
    cuts = session.actions
    if not cuts:
        return [whole]
    if number is not None and 1 <= number <= len(cuts):
        first, last = cuts[number - 1].mocap
        if abs(frames - (last - first + 1)) <= _SLACK:
            return [replace(whole, action=cuts[number - 1].name)]
    if frames <= max(cut.mocap[1] for cut in cuts):
        return [whole]
    return [
        replace(
            whole,
            name=f"{k}_{cut.name}",
            details={**whole.details, "cut": [cut.mocap[0], cut.mocap[1] + 1]},
            action=cut.name,
        )
        for k, cut in enumerate(cuts, 1)
    ]


def _session(files: Paths, bad: BadFiles) -> _Session:
    for path in files:
        try:
            content = open_content(path)
            return _Session(tuple(actions(content)), _gender(content))
        except InputError as error:
            bad.append(BadFile(path, error.problem))
    return _Session()


def _gender(content: Content) -> str | None:
    """The sex that a MoVi file states: field ``subject`` of its struct, ``sex`` or ``gender`` in it."""
    for struct in content.data.values():
        person = struct.get("subject") if isinstance(struct, Mapping) else None
        if isinstance(person, Mapping):
            for key in ("sex", "gender"):
                if key in person:
                    return gender_of(content.path, person[key])
    return None


def _sex(trials: Sequence[TrialSpec], session: _Session) -> str | None:
    told = session.sex or trials[0].details["gender"]
    return told if told != "neutral" else None


# A file holds a subject's whole session (about 0.1 GB once read); its trials are read one after another.
@lru_cache(maxsize=1)
def _session_bodies(path: Path) -> tuple[BodySequence, ...]:
    return tuple(load_all(path))
