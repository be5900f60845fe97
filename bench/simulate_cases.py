"""OpenSim's example pipelines as folders that can be run, and tables compared with tables."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np

from biopose_sim.io import Table

# Setup, and the reference result that the pipeline ships.
INVERSE_DYNAMICS = {
    "Gait2354_Simbody": ("subject01_Setup_InverseDynamics.xml", "ResultsInverseDynamics/inverse_dynamics.sto"),
    "Gait10dof18musc": ("ID/walk_Setup_ID.xml", "ID/Results/subject01_walk_ID.sto"),
}
STATIC, REACTION = "setup_static_optimization.xml", "setup_JointReaction.xml"


def stage(pipelines: Path, name: str, folder: Path) -> Path:
    """A copy of a pipeline with the models and motions that its earlier steps made, as shipped."""
    copy = folder / name
    shutil.copytree(pipelines / name, copy, dirs_exist_ok=True)
    shutil.copytree(pipelines / name / "OutputReference", copy, dirs_exist_ok=True)
    return copy


def stage_gait2392(pipelines: Path, folder: Path) -> Path:
    """Gait2392 with two repairs without which OpenSim 4 cannot run it.

    Its external loads are of a class that OpenSim 4 refuses (the same forces are in ``subject01_walk1_grf.xml``), and
    its motion is in degrees while its header says that it is not.
    """
    copy = stage(pipelines, "Gait2392_Simbody", folder)
    motion = copy / "subject01_walk1_RRA_Kinematics_q.sto"
    motion.write_text(motion.read_text().replace("inDegrees=no", "inDegrees=yes"))
    for name in (STATIC, REACTION):
        text = (copy / name).read_text().replace("foot_floor_loads.xml", "subject01_walk1_grf.xml")
        (copy / name).write_text(text)
    return copy


def tightened(setup: Path, criterion: float = 1e-9) -> Path:
    """The setup with OpenSim's optimizer told to go on until it has converged, beside it."""
    text = re.sub(r"<optimizer_(convergence_criterion|max_iterations)>.*?</optimizer_\1>", "", setup.read_text())
    entry = f"<optimizer_convergence_criterion>{criterion!r}</optimizer_convergence_criterion>"
    entry += "<optimizer_max_iterations>1000</optimizer_max_iterations>"
    target = setup.with_name(f"tight_{setup.name}")
    target.write_text(text.replace("</StaticOptimization>", f"{entry}</StaticOptimization>"))
    return target


def percent_of_peak(
    ours: Table, theirs: Table, names: list[str] | None = None, *, largest: bool = False
) -> dict[str, float]:
    """Largest difference of each column at our times, in percent of its peak in theirs; still columns left out.

    Args:
        ours: judged.
        theirs: the reference; has our times.
        names: columns; all that both have by default.
        largest: in percent of the largest peak of all columns instead.
    """
    rows = [int(np.argmin(np.abs(theirs.time - t))) for t in ours.time]
    assert np.abs(theirs.time[rows] - ours.time).max() < 1e-6
    found, peaks = {}, {}
    for name in names or [n for n in ours.names if n in theirs.names]:
        expected = theirs.column(name)[rows]
        peak = float(np.abs(expected).max())
        if peak > 1e-6:
            found[name] = 100.0 * float(np.abs(ours.column(name) - expected).max()) / peak
            peaks[name] = peak
    if largest:
        return {name: value * peaks[name] / max(peaks.values()) for name, value in found.items()}
    return found
