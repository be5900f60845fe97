"""The OpenSim side of ``simulate``: making the model ready, running OpenSim's tools; see ``_opensim_process.py``."""

from __future__ import annotations

import os
from typing import Any

FREE = float("inf")
ROOT_COORDINATES = 3  # a joint to the ground with so many, some of them translations, carries the whole body


def work(opensim: Any, job: dict[str, Any]) -> dict[str, Any]:
    """Do what the job's "task" says, in the job's folder."""
    os.chdir(job["folder"])
    tasks = {"prepare": prepare, "inverse_dynamics": inverse_dynamics, "analyze": analyze}
    return tasks[job["task"]](opensim, job)


def prepare(opensim: Any, job: dict[str, Any]) -> dict[str, Any]:
    """Add force sets and reserves to the model, write it and the reserves' set, and say what the model has."""
    model = opensim.Model(job["model"])
    add_force_sets(opensim, model, job["force_sets"], job["replace"])
    state = model.initSystem()
    found = description(opensim, model, state)
    if job["reserves"]:
        reserves = opensim.ForceSet()
        for row in reserve_rows(found, job):
            actuator = coordinate_actuator(opensim, row)
            reserves.cloneAndAppend(actuator)
            model.addForce(actuator)
            actuator.thisown = False  # the model owns it now
        model.finalizeConnections()
        reserves.setName("reserve_actuators")
        printed = not reserves.getSize() or reserves.printToXML(job["reserve_target"])
        found = {**found, "actuators": actuators(opensim, model), "reserves": reserve_rows(found, job)}
    else:
        found, printed = {**found, "reserves": []}, True
    if not (printed and model.printToXML(job["target"])):
        raise RuntimeError("OpenSim did not write the model")
    return found


def add_force_sets(opensim: Any, model: Any, files: list[str], replace: bool) -> None:
    """Append the forces of files to the model's; first remove its own if wanted."""
    if replace:
        model.updForceSet().clearAndDestroy()
    for file in files:
        added = opensim.ForceSet(file)
        for i in range(added.getSize()):
            model.updForceSet().cloneAndAppend(added.get(i))
    model.finalizeConnections()


def description(opensim: Any, model: Any, state: Any) -> dict[str, Any]:
    """What the other side needs to know of the model."""
    coordinates = model.getCoordinateSet()
    return {
        "mass": model.getTotalMass(state),
        "coordinates": [coordinate(coordinates.get(i), state) for i in range(coordinates.getSize())],
        "actuators": actuators(opensim, model),
        "joints": [joint(model.getJointSet().get(i)) for i in range(model.getJointSet().getSize())],
        "bodies": [model.getBodySet().get(i).getName() for i in range(model.getBodySet().getSize())],
        "loops": loops(model),
        "height": model.calcMassCenterPosition(state).get(1),
    }


def coordinate(given: Any, state: Any) -> dict[str, Any]:
    """A coordinate; its values in radians or metres."""
    motion = {0: "undefined", 1: "rotational", 2: "translational", 3: "coupled"}
    base = given.getJoint().getParentFrame().findBaseFrame().getName()
    return {
        "name": given.getName(),
        "joint": given.getJoint().getName(),
        "siblings": given.getJoint().numCoordinates(),
        "to_ground": base == "ground",
        "kind": motion.get(int(given.getMotionType()), "rotational"),
        "constrained": given.isConstrained(state),
        "dependent": given.isDependent(state),
        "locked": given.getLocked(state),
        "prescribed": given.isPrescribed(state),
        "default": given.getDefaultValue(),
        "path": given.getAbsolutePathString(),
    }


def joint(given: Any) -> dict[str, str]:
    """A joint with the bodies it ties."""
    return {
        "name": given.getName(),
        "parent": given.getParentFrame().findBaseFrame().getName(),
        "child": given.getChildFrame().findBaseFrame().getName(),
    }


def loops(model: Any) -> list[str]:
    """Names of enforced constraints that are no couplers: they close loops."""
    constraints = model.getConstraintSet()
    found = [constraints.get(i) for i in range(constraints.getSize())]
    return [c.getName() for c in found if c.get_isEnforced() and "Coupler" not in c.getConcreteClassName()]


def actuators(opensim: Any, model: Any) -> list[dict[str, Any]]:
    """The model's scalar actuators that apply a force, in OpenSim's order."""
    rows = []
    forces = model.getForceSet()
    for i in range(forces.getSize()):
        given = opensim.ScalarActuator.safeDownCast(forces.get(i))
        if given is None:
            continue
        on_coordinate = opensim.CoordinateActuator.safeDownCast(forces.get(i))
        rows.append(
            {
                "name": given.getName(),
                "type": given.getConcreteClassName(),
                "muscle": opensim.Muscle.safeDownCast(forces.get(i)) is not None,
                "coordinate": None if on_coordinate is None else on_coordinate.get_coordinate(),
                "applied": given.get_appliesForce(),
                "least": given.getMinControl(),
                "most": given.getMaxControl(),
            }
        )
    return rows


def reserve_rows(found: dict[str, Any], job: dict[str, Any]) -> list[dict[str, Any]]:
    """Which coordinates need an actuator and how strong: those that are free and have none."""
    acted_on = {row["coordinate"] for row in found["actuators"] if row["applied"]}
    rows = []
    for row in found["coordinates"]:
        residual = row["to_ground"] and row["siblings"] >= ROOT_COORDINATES
        if row["constrained"] or row["name"] in acted_on:
            continue
        strength = job["residual_force"] if residual else job["reserve_force"]
        prefix = "residual" if residual else "reserve"
        rows.append({"name": f"{prefix}_{row['name']}", "coordinate": row["name"], "force": strength})
    return rows


def coordinate_actuator(opensim: Any, row: dict[str, Any]) -> Any:
    """A generalized force on a coordinate, without limits of its control."""
    actuator = opensim.CoordinateActuator(row["coordinate"])
    actuator.setName(row["name"])
    actuator.setOptimalForce(row["force"])
    actuator.setMinControl(-FREE)
    actuator.setMaxControl(FREE)
    return actuator


def inverse_dynamics(opensim: Any, job: dict[str, Any]) -> dict[str, Any]:
    """Run an InverseDynamicsTool of a setup file into another folder."""
    tool = opensim.InverseDynamicsTool(job["setup"])
    tool.setResultsDir(job["results"])
    ended(tool.run(), "InverseDynamicsTool")
    return {}


def analyze(opensim: Any, job: dict[str, Any]) -> dict[str, Any]:
    """Run an AnalyzeTool of a setup file over some of its time, into another folder."""
    tool = opensim.AnalyzeTool(job["setup"], True)
    tool.setInitialTime(job["start"])
    tool.setFinalTime(job["end"])
    tool.setResultsDir(job["results"])
    ended(tool.run(), "AnalyzeTool")
    return {}


def ended(well: bool, name: str) -> None:
    """Raise unless OpenSim's tool says that it ended well."""
    if not well:
        raise RuntimeError(f"{name} did not end well")
