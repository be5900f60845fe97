"""OpenCap sessions: markers of video or laboratory, with OpenCap's own model and kinematics as reference.

Layout after stanfordnmbl/opencap-processing: ``MarkerData/<trial>.trc``, ``OpenSimData/Model/<model>_scaled.osim``,
``OpenSimData/Kinematics/<trial>.mot``, ``sessionMetadata.yaml`` with ``mass_kg`` and ``height_m``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ik_pipeline.sources.common import BadFiles, Notices, Paths, files_below, finished, scaling_pose, unique_name
from ik_pipeline.sources.markers import RecordedSource
from ik_pipeline.types import BadFile, Listing, PersonSpec, TrialSpec

LAYOUT = "expected a session, or a folder of sessions, with MarkerData/*.trc and OpenSimData as OpenCap writes them"
_METADATA = "sessionMetadata.yaml"
# What OpenCap writes where nobody was named.
_NOBODY = (None, "", "defaultSubject")
_SEXES = {"f": "female", "female": "female", "woman": "female", "m": "male", "male": "male", "man": "male"}


class OpenCapSource(RecordedSource):
    """See `ik_pipeline.types.Source`.

    Paths in ``details`` are relative to the data set's folder: of a person ``model``, OpenCap's scaled model; of a
    trial ``kinematics``, a list with OpenCap's motion.
    """

    name = "opencap"

    def list(self) -> Listing:
        """Return one person for each session."""
        bad: BadFiles = []
        notices: Notices = []
        taken: set[str] = set()
        persons = []
        for session, files in self._sessions().items():
            usable = [path for path in files if _holds_something(path, bad)]
            persons.append(self._person(session, usable, taken, bad, notices))
        return finished(self.folder, [p for p in persons if p.trials], bad, notices, self.options, LAYOUT)

    def _sessions(self) -> dict[Path, Paths]:
        sessions: dict[Path, Paths] = {}
        for path in files_below(self.folder, ".trc"):
            if path.parent.name == "MarkerData":
                sessions.setdefault(path.parent.parent, []).append(path)
        return sessions

    def _person(self, session: Path, files: Paths, taken: set[str], bad: BadFiles, notices: Notices) -> PersonSpec:
        about = _metadata(session / _METADATA, bad)
        ident = unique_name(session.resolve().name, taken)
        if about is None:
            notices.append(f"{ident}: without {_METADATA}, stature and mass are not known.")
            about = {}
        models = files_below(session / "OpenSimData" / "Model", ".osim")
        scaled = [path for path in models if path.stem.endswith("_scaled")]
        details = {"session": str(about.get("sessionID") or session.resolve().name)}
        if len(scaled) == 1:
            details["model"] = self.inside(scaled[0])
        elif scaled:
            notices.append(f"{ident}: has {len(scaled)} scaled models; none is taken as OpenCap's own.")
        names: set[str] = set()
        trials = tuple(self._trial(session, path, unique_name(path.stem, names)) for path in files)
        return PersonSpec(
            ident,
            self.name,
            trials,
            group=ident if about.get("subjectID") in _NOBODY else str(about["subjectID"]),
            sex=_SEXES.get(str(about.get("gender_mf") or about.get("sex") or "").lower()),
            stature=_positive(about.get("height_m")),
            mass=_positive(about.get("mass_kg")),
            details=details,
        )

    def _trial(self, session: Path, path: Path, name: str) -> TrialSpec:
        motion = session / "OpenSimData" / "Kinematics" / f"{path.stem}.mot"
        details = {"kinematics": [self.inside(motion)]} if motion.is_file() else {}
        return TrialSpec(name, (path,), details, scaling=scaling_pose(path.stem))


def _holds_something(path: Path, bad: BadFiles) -> bool:
    if path.stat().st_size:
        return True
    bad.append(BadFile(path, "is empty"))
    return False


def _metadata(path: Path, bad: BadFiles) -> dict[str, Any] | None:
    """What the session says of its person; None if it says nothing that can be read."""
    import yaml

    if not path.is_file():
        return None
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        bad.append(BadFile(path, f"is not YAML ({str(error).splitlines()[0]})"))
        return None
    if not isinstance(found, dict):
        bad.append(BadFile(path, "holds no keys"))
        return None
    return found


def _positive(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if 0 < number < float("inf") else None
