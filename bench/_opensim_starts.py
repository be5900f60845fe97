"""The OpenSim side of ``groundtruth_agreement``: frames solved from given poses, each on its own.

See ``biopose_sim/osim/_opensim_process.py`` for how it is started. It imports nothing of this project.
"""

from __future__ import annotations

import time
from typing import Any


def work(opensim: Any, job: dict[str, Any]) -> dict[str, Any]:
    """Do each of the job's tasks: {"time", "start": coordinates that are not at their defaults, "solve": whether}."""
    model = opensim.Model(job["model"])
    weights = opensim.SetMarkerWeights()
    for name, weight in job["weights"].items():
        weights.cloneAndAppend(opensim.MarkerWeight(name, weight))
    table = opensim.TimeSeriesTableVec3(job["markers"])
    return {"solved": [_solve(opensim, model, table, weights, job, task) for task in job["tasks"]]}


def _solve(opensim: Any, model: Any, table: Any, weights: Any, job: dict[str, Any], task: dict[str, Any]) -> Any:
    """Assemble a frame, as the InverseKinematicsTool does with its first one."""
    state = model.initSystem()
    state.setTime(task["time"])
    coordinates = [model.getCoordinateSet().get(i) for i in range(model.getCoordinateSet().getSize())]
    for coordinate in coordinates:
        if not coordinate.getLocked(state) and coordinate.getName() in task["start"]:
            coordinate.setValue(state, task["start"][coordinate.getName()], False)
    before, began = _goal(model, state, table, job["weights"], task["time"]), time.process_time()
    if task["solve"]:
        markers = opensim.MarkersReference(table, weights)
        nothing = opensim.SimTKArrayCoordinateReference()
        solver = opensim.InverseKinematicsSolver(model, markers, nothing, float("inf"))
        solver.setAccuracy(job["accuracy"])
        solver.assemble(state)
    return {
        "seconds": time.process_time() - began,
        "before": before,
        "after": _goal(model, state, table, job["weights"], task["time"]),
        "pose": {c.getName(): c.getValue(state) for c in coordinates},
    }


def _goal(model: Any, state: Any, table: Any, weights: dict[str, float], moment: float) -> float:
    """What OpenSim makes small: half the weighted mean squared marker distance [m^2], by OpenSim's own kinematics."""
    model.realizePosition(state)
    row, total = table.getRow(moment), 0.0
    for k, name in enumerate(table.getColumnLabels()):
        point, measured = model.getMarkerSet().get(name).getLocationInGround(state), row[k]
        total += weights[name] * sum((point.get(i) - measured.get(i)) ** 2 for i in range(3))
    return total / (2.0 * sum(weights.values()))
