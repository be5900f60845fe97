"""What lies beside marker files: setups of OpenSim's tools, models, motions that the laboratory solved itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from biopose_sim.errors import InputError
from biopose_sim.ik.setup_files import IKSetup, ScaleSetup, read_ik_setup, read_scale_setup
from ik_pipeline.sources.common import words
from ik_pipeline.types import BadFile

_TOOLS = {"<ScaleTool": "scale", "<InverseKinematicsTool": "ik", "<IKTool": "ik"}
# A setup's root element stands within its first bytes.
_HEAD = 2000
# Words that name results of inverse kinematics, in the name of a motion or of its folder.
_KINEMATICS = {"ik", "kinematics"}


@dataclass(frozen=True)
class Setups:
    """Setup files below a folder.

    Attributes:
        scale: of the ScaleTool, by file name.
        ik: of the InverseKinematicsTool, by file name.
        bad: files that name one of these tools and cannot be read.
    """

    scale: tuple[ScaleSetup, ...]
    ik: tuple[IKSetup, ...]
    bad: tuple[BadFile, ...]


def find_setups(files: Iterable[Path]) -> Setups:
    """Read the setups of scaling and inverse kinematics among XML files; those of other tools are passed over."""
    scale: list[ScaleSetup] = []
    ik: list[IKSetup] = []
    bad: list[BadFile] = []
    for path in files:
        tool = _tool(path)
        try:
            if tool == "scale":
                scale.append(read_scale_setup(path))
            elif tool == "ik":
                ik.append(read_ik_setup(path))
        except InputError as error:
            bad.append(BadFile(path, error.problem))
    return Setups(tuple(scale), tuple(ik), tuple(bad))


def _tool(path: Path) -> str | None:
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD).decode("utf-8", "replace")
    except OSError:
        return None
    return next((tool for tag, tool in _TOOLS.items() if tag in head), None)


def scaling_trials(setups: Sequence[ScaleSetup]) -> set[str]:
    """Return the names of the files from which the setups scale or place markers, in small letters."""
    parts = [part for setup in setups for part in (setup.scaling, setup.placement) if part is not None]
    return {part.marker_file.name.lower() for part in parts if part.marker_file is not None}


def setup_of(trial: Path, setups: Sequence[IKSetup]) -> IKSetup | None:
    """Return the setup of inverse kinematics that names a trial's file, or None."""
    named = [s for s in setups if s.marker_file is not None and s.marker_file.name.lower() == trial.name.lower()]
    return named[0] if named else None


def motions_of(name: str, motions: Sequence[Path]) -> list[Path]:
    """Return the motions that a laboratory solved for a trial, by their names.

    Args:
        name: of the trial, e.g. ``"DJ1"``; ``DJ1.mot`` and ``DJ1_ik.mot`` are its motions, ``DJ10.mot`` is not.
        motions: ``.mot`` files; ground reaction forces and moments among them are passed over.
    """
    found = []
    for path in motions:
        stem, low = path.stem.lower(), name.lower()
        told = {*words(path.stem), *words(path.parent.name)}
        if (stem == low or stem.startswith((f"{low}_", f"{low}-"))) and told & _KINEMATICS:
            found.append(path)
    return found


def model_of(setup: IKSetup | None, models: Sequence[Path]) -> Path | None:
    """Return the model that a setup was made for: where it says, else the only one of that name nearby."""
    if setup is None or setup.model_file is None:
        return None
    if setup.model_file.is_file():
        return next((path for path in models if path.samefile(setup.model_file)), None)
    named = [path for path in models if path.name == setup.model_file.name]
    return named[0] if len(named) == 1 else None
