"""The OpenSim side of ``bench check``: what OpenSim makes of files, by its own tools.

See ``biopose_sim/osim/_opensim_process.py`` for how it is started. It imports nothing of this project.
"""

from __future__ import annotations

import math
import os
from typing import Any


def work(opensim: Any, job: dict[str, Any]) -> dict[str, Any]:
    """Run a tool on the files of a folder, or load a model; numbers by name."""
    os.chdir(folder := job["folder"])  # the API takes paths of a setup relative to the working folder
    if job["tool"] == "ID":
        return {"numbers": inverse_dynamics(opensim, folder)}
    if job["tool"] == "IK":
        return {"numbers": inverse_kinematics(opensim, folder)}
    return {"numbers": accelerations(opensim, job["file"])}


def inverse_dynamics(opensim: Any, folder: str) -> dict[str, float]:
    """Frames, and the largest moment of the knee [N m] and residual force [N] of the shipped setup."""
    tool = opensim.InverseDynamicsTool(f"{folder}/id.xml")
    tool.setResultsDir(folder)
    if not tool.run():
        raise RuntimeError("the tool returned False")
    table = opensim.TimeSeriesTable(f"{folder}/{tool.getOutputGenForceFileName()}")
    names = {"knee moment": "knee_angle_r_moment", "vertical residual": "pelvis_ty_force"}
    peaks = {}
    for title, name in names.items():
        column = table.getDependentColumn(name)
        peaks[title] = largest([column[i] for i in range(table.getNumRows())])
    return {"frames": table.getNumRows(), **peaks}


def largest(values: list[float]) -> float:
    """The largest magnitude; NaN where one is NaN."""
    return math.nan if any(math.isnan(v) for v in values) else max(abs(v) for v in values)


def inverse_kinematics(opensim: Any, folder: str) -> dict[str, float]:
    """Frames, and the usual marker error [mm] of the shipped setup on 12 frames."""
    tool = opensim.InverseKinematicsTool(f"{folder}/ik.xml")
    tool.setStartTime(0.9)
    tool.setEndTime(1.1)
    tool.setResultsDir(folder)
    tool.setOutputMotionFileName(f"{folder}/opensim_ik.mot")
    if not tool.run():
        raise RuntimeError("the tool returned False")
    table = opensim.TimeSeriesTable(f"{folder}/{tool.getName()}_ik_marker_errors.sto")
    column = table.getDependentColumn("marker_error_RMS")
    return {"frames": table.getNumRows(), "marker error [mm]": 1e3 * largest([column[i] for i in range(column.size())])}


def accelerations(opensim: Any, file: str) -> dict[str, float]:
    """The model's largest acceleration in its default pose, muscles relaxed; NaN where its masses do not allow one."""
    model = opensim.Model(file)
    state = model.initSystem()
    model.equilibrateMuscles(state)
    model.realizeAcceleration(state)
    rates = state.getUDot()
    return {"largest acceleration": largest([rates.get(i) for i in range(rates.size())])}
