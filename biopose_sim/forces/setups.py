"""Setup files of OpenSim's tools, with paths relative to their folder: the GUI runs them again."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from biopose_sim.io import atomic_write

MODEL, MOTION, STATES = "model.osim", "motion.mot", "states.sto"
GRF, LOADS, RESERVES = "grf.mot", "external_loads.xml", "reserve_actuators.xml"
RESULTS = "opensim"  # folder for what a setup leaves when it is run again
ID_SETUP, SO_SETUP = "setup_1_inverse_dynamics.xml", "setup_2_static_optimization.xml"
JR_SETUP, MA_SETUP = "setup_3_joint_reaction.xml", "setup_4_muscle_analysis.xml"
FORCE = "static_optimization_force.sto"
FRAMES = ("ground", "child", "parent")
MOST_ITERATIONS = 1000  # of OpenSim's optimizer


@dataclass(frozen=True)
class SetupFacts:
    """What the setup files of a trial share.

    Attributes:
        name: of the trial.
        start: first time [s].
        end: last time [s].
        loads: whether there is a file of external loads.
        lowpass: cut-off of OpenSim's own filter of the coordinates [Hz]; None where the motion is filtered already.
        step: results of every so many frames.
    """

    name: str
    start: float
    end: float
    loads: bool
    lowpass: float | None
    step: int


def write_inverse_dynamics(folder: Path, facts: SetupFacts, excluded: Sequence[str]) -> Path:
    """Write the setup of an InverseDynamicsTool into the folder."""
    tool = ET.Element("InverseDynamicsTool", name=facts.name)
    entries = {
        "results_directory": RESULTS,
        "model_file": MODEL,
        "time_range": f"{facts.start!r} {facts.end!r}",
        "forces_to_exclude": " ".join(excluded),
        "external_loads_file": LOADS if facts.loads else "",
        "coordinates_file": MOTION,
        "lowpass_cutoff_frequency_for_coordinates": _cutoff(facts),
        "output_gen_force_file": "inverse_dynamics.sto",
    }
    _fill(tool, entries)
    return _write(folder / ID_SETUP, tool)


def write_static_optimization(
    folder: Path, facts: SetupFacts, exponent: float, physiology: bool, convergence: float
) -> Path:
    """Write the setup of an AnalyzeTool with a StaticOptimization into the folder."""
    entries = {
        "use_model_force_set": "true",
        "activation_exponent": repr(exponent),
        "use_muscle_physiology": _word(physiology),
        "optimizer_convergence_criterion": repr(convergence),
        "optimizer_max_iterations": str(MOST_ITERATIONS),
    }
    return _write_analysis(folder / SO_SETUP, facts, "StaticOptimization", entries)


def write_joint_reaction(folder: Path, facts: SetupFacts, joints: Sequence[str], frames: Sequence[str]) -> Path:
    """Write the setup of an AnalyzeTool with a JointReaction; each joint's load on its child in each frame."""
    entries = {
        "forces_file": FORCE,
        "joint_names": " ".join(joint for joint in joints for _ in frames),
        "apply_on_bodies": "child",
        "express_in_frame": " ".join(frame for _ in joints for frame in frames),
    }
    if len(joints) * len(frames) == 1:
        entries["express_in_frame"] = frames[0]
    return _write_analysis(folder / JR_SETUP, facts, "JointReaction", entries)


def write_muscle_analysis(folder: Path, facts: SetupFacts, coordinates: Sequence[str]) -> Path:
    """Write the setup of an AnalyzeTool with a MuscleAnalysis; moment arms about the coordinates."""
    entries = {
        "muscle_list": "all",
        "moment_arm_coordinate_list": " ".join(coordinates),
        "compute_moments": _word(bool(coordinates)),
    }
    return _write_analysis(folder / MA_SETUP, facts, "MuscleAnalysis", entries, equilibrium=True)


def _write_analysis(
    path: Path, facts: SetupFacts, kind: str, entries: dict[str, str], *, equilibrium: bool = False
) -> Path:
    tool = ET.Element("AnalyzeTool", name=facts.name)
    own = facts.lowpass is None
    common = {
        "model_file": MODEL,
        "replace_force_set": "false",
        "results_directory": RESULTS,
        "output_precision": "12",
        "initial_time": repr(facts.start),
        "final_time": repr(facts.end),
        "solve_for_equilibrium_for_auxiliary_states": _word(equilibrium),
        "external_loads_file": LOADS if facts.loads else "",
        "states_file": STATES if own else "",
        "coordinates_file": "" if own else MOTION,
        "lowpass_cutoff_frequency_for_coordinates": _cutoff(facts),
    }
    _fill(tool, common)
    objects = ET.SubElement(ET.SubElement(tool, "AnalysisSet", name="Analyses"), "objects")
    analysis = ET.SubElement(objects, kind, name=kind)
    times = {"start_time": repr(facts.start), "end_time": repr(facts.end), "step_interval": str(facts.step)}
    _fill(analysis, {"on": "true", **times, "in_degrees": "true", **entries})
    return _write(path, tool)


def write_loads(path: Path, root: ET.Element) -> Path:
    """Write external loads below OpenSim's document element."""
    ET.indent(root)
    return atomic_write(path, ET.tostring(root, encoding="utf-8", xml_declaration=True))


def _fill(parent: ET.Element, entries: dict[str, str]) -> None:
    for tag, text in entries.items():
        ET.SubElement(parent, tag).text = text


def _write(path: Path, tool: ET.Element) -> Path:
    root = ET.Element("OpenSimDocument", Version="40000")
    root.append(tool)
    return write_loads(path, root)


def _cutoff(facts: SetupFacts) -> str:
    return "-1" if facts.lowpass is None else repr(facts.lowpass)


def _word(truth: bool) -> str:
    return "true" if truth else "false"
