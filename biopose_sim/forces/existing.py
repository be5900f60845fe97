"""An existing OpenSim setup file as a configuration: the same settings through ``simulate``."""

from __future__ import annotations

from pathlib import Path

from biopose_sim.errors import InputError
from biopose_sim.forces.config import SimulationConfig
from biopose_sim.osim.xml import Element, parse_document, read_bytes

_TOOLS = ("InverseDynamicsTool", "AnalyzeTool")
_ANALYSES = {"StaticOptimization": "so", "JointReaction": "jr", "MuscleAnalysis": "ma"}
_CONVERGENCE = 1e-4  # OpenSim's default
_UNNAMED = ("", "unassigned")


def config_of_setup(path: Path, folder: Path) -> SimulationConfig:
    """Read an InverseDynamicsTool or AnalyzeTool setup.

    Its model, motion, external loads, added force sets, times, OpenSim's own filter, joints and frames are taken
    over. Actuators are those of the setup: none is added.

    Args:
        path: the setup (.xml).
        folder: where the simulations of trials go; the trial is named after the tool.

    Raises:
        InputError: not such a setup, or it names files that are not there.
    """
    root = parse_document(read_bytes(path), path)
    tool = next((root.find(f".//{name}") for name in _TOOLS if root.find(f".//{name}") is not None), None)
    if tool is None:
        raise InputError(path, "holds no InverseDynamicsTool and no AnalyzeTool", "name a setup of one of them")
    entry = _Entries(path, tool)
    name = (tool.get("name") or path.stem).strip()
    cutoff = float(entry.text("lowpass_cutoff_frequency_for_coordinates") or -1.0)
    common = {
        "model": entry.file("model_file"),
        "folder": folder / name,
        "trial": name,
        "grf": entry.loads(),
        "filter_hz": cutoff if cutoff > 0.0 else None,
        "filter_by": "opensim" if cutoff > 0.0 else "biopose",
        "reserves": False,
    }
    if tool.tag == "InverseDynamicsTool":
        start, end = entry.numbers("time_range", 2)
        excluded = tuple(entry.text("forces_to_exclude").split())
        return SimulationConfig(
            **common,  # type: ignore[arg-type]  # names and values as above
            motion=entry.file("coordinates_file"),
            tools=("id",),
            start=start,
            end=end,
            excluded=excluded,
        )
    return SimulationConfig(**common, **_analyses(entry, tool))  # type: ignore[arg-type]


def _analyses(entry: _Entries, tool: Element) -> dict[str, object]:
    """What an AnalyzeTool asks for."""
    if not entry.text("coordinates_file"):
        raise InputError(entry.path, "has no coordinates_file", "states of a forward simulation are not taken")
    analyses = {kind: found for kind in _ANALYSES if (found := tool.find(f"AnalysisSet//{kind}")) is not None}
    if not analyses:
        raise InputError(entry.path, "holds no StaticOptimization, JointReaction or MuscleAnalysis")
    wanted: dict[str, object] = {
        "motion": entry.file("coordinates_file"),
        "tools": tuple(_ANALYSES[kind] for kind in analyses),
        "start": entry.number("initial_time"),
        "end": entry.number("final_time"),
        "force_sets": tuple(entry.beside(word) for word in entry.text("force_set_files").split()),
        "replace_forces": entry.text("replace_force_set").lower() == "true",
        "step": max(int(_text(found, "step_interval") or 1) for found in analyses.values()),
    }
    if (reaction := analyses.get("JointReaction")) is not None:
        joints = tuple(_text(reaction, "joint_names").split())
        wanted["joints"] = None if not joints or joints[0].lower() == "all" else joints
    if (optimization := analyses.get("StaticOptimization")) is not None:
        wanted["exponent"] = float(_text(optimization, "activation_exponent") or 2.0)
        wanted["convergence"] = float(_text(optimization, "optimizer_convergence_criterion") or _CONVERGENCE)
        wanted["physiology"] = _text(optimization, "use_muscle_physiology").lower() != "false"
    return wanted


class _Entries:
    """Values of a tool's element; files are beside the setup."""

    def __init__(self, path: Path, tool: Element) -> None:
        self.path, self.tool = path, tool

    def text(self, tag: str) -> str:
        """Of a child, without blanks; empty where there is none."""
        return _text(self.tool, tag)

    def number(self, tag: str) -> float:
        """Of a child.

        Raises:
            InputError: it is none.
        """
        return self.numbers(tag, 1)[0]

    def numbers(self, tag: str, count: int) -> list[float]:
        """Of a child.

        Raises:
            InputError: they are none, or not so many.
        """
        try:
            values = [float(word) for word in self.text(tag).split()]
        except ValueError:
            values = []
        if len(values) != count:
            raise InputError(self.path, f"<{tag}> holds {self.text(tag)!r}", f"it takes {count} numbers")
        return values

    def file(self, tag: str) -> Path:
        """The file that a child names.

        Raises:
            InputError: it names none, or one that is not there.
        """
        if self.text(tag).lower() in _UNNAMED:
            raise InputError(self.path, f"<{tag}> names no file")
        return self.beside(self.text(tag))

    def loads(self) -> Path | None:
        """The external loads, or None."""
        named = self.text("external_loads_file")
        return None if named.lower() in _UNNAMED else self.beside(named)

    def beside(self, named: str) -> Path:
        """A file that the setup names, relative to it.

        Raises:
            InputError: it is not there.
        """
        path = self.path.parent / named.replace("\\", "/")
        if not path.is_file():
            raise InputError(self.path, f"names '{named}', which is not there", f"put it at {path}")
        return path


def _text(element: Element, tag: str) -> str:
    return (element.findtext(tag) or "").strip()
