"""The OpenSim side of ``after_scaling_file.py``; see ``biopose_sim/osim/_opensim_process.py``."""

from __future__ import annotations

from typing import Any


def work(opensim: Any, job: dict[str, Any]) -> None:
    """Load a model, lock and unlock coordinates, end couplers, hand markers over, and print."""
    model = opensim.Model(job["source"])
    model.finalizeConnections()
    coordinates = model.updCoordinateSet()
    for name, value in job["defaults"].items():
        coordinates.get(name).setDefaultValue(value)
    for name in job["couplers_off"]:
        constraints = model.updConstraintSet()
        if constraints.contains(name):
            constraints.get(name).set_isEnforced(False)
    if job["marker_bodies"]:
        hand_over(opensim, model, job["marker_bodies"], job["pose"])
    for name in job["unlocked"]:
        coordinates.get(name).set_locked(False)
    for name in job["locked"]:
        coordinates.get(name).set_locked(True)
    model.finalizeConnections()
    if not model.printToXML(job["target"]):
        raise RuntimeError("OpenSim did not write the model")


def hand_over(opensim: Any, model: Any, bodies: dict[str, str], pose: dict[str, float]) -> None:
    """Put markers on other bodies, where they are in the pose."""
    state = model.initSystem()
    coordinates = model.getCoordinateSet()
    for name, value in pose.items():
        coordinate = coordinates.get(name)
        if not coordinate.isDependent(state) and not coordinate.getLocked(state):
            coordinate.setValue(state, value, False)
    model.assemble(state)
    model.realizePosition(state)
    markers = model.updMarkerSet()
    for name, body_name in bodies.items():
        if not markers.contains(name):
            continue
        marker, body = markers.get(name), model.getBodySet().get(body_name)
        location = marker.getParentFrame().findStationLocationInAnotherFrame(state, marker.get_location(), body)
        marker.setParentFrame(body)
        marker.set_location(opensim.Vec3(location))
