"""The OpenSim side of ``writer.py``; see ``_opensim_process.py``."""

from __future__ import annotations

from typing import Any

EXACT = 1e-15  # [m]; a marker nearer to its place is left as the scaling put it


def work(opensim: Any, job: dict[str, Any]) -> None:
    """Load the original file, scale it, put the markers where they belong, unlock, widen ranges, and print."""
    model = opensim.Model(job["source"])
    model.finalizeConnections()  # else OpenSim fails at bodies that no joint holds
    state = model.initSystem()
    if job["scales"] is not None or job["mass"] is not None:
        factors = job["scales"] or {}
        model.scale(state, scale_set(opensim, factors), True, -1.0 if job["mass"] is None else job["mass"])
    place_markers(opensim, model, job["markers"])
    for name in job["unlock"]:
        model.updCoordinateSet().get(name).set_locked(False)
    for name, limits in job["ranges"].items():
        for i, limit in enumerate(limits):
            model.updCoordinateSet().get(name).set_range(i, limit)
    if job["name"]:
        model.setName(job["name"])
    model.finalizeConnections()
    if not model.printToXML(job["target"]):
        raise RuntimeError("OpenSim did not write the model")


def scale_set(opensim: Any, factors: dict[str, list[float]]) -> Any:
    """OpenSim's ScaleSet of factors per body."""
    scales = opensim.ScaleSet()
    for body, xyz in factors.items():
        scale = opensim.Scale()
        scale.setSegmentName(body)
        scale.setScaleFactors(opensim.Vec3(*xyz))
        scale.setApply(True)
        scales.cloneAndAppend(scale)
    return scales


def place_markers(opensim: Any, model: Any, wanted: list[dict[str, Any]]) -> None:
    """Make the model's markers the wanted ones, which are given in body axes; frames that fit are kept."""
    markers = model.updMarkerSet()
    names = {marker["name"] for marker in wanted}
    for i in reversed(range(markers.getSize())):
        if markers.get(i).getName() not in names:
            markers.remove(i)
    bodies = model.getBodySet()
    for given in wanted:
        body = model.getGround() if given["body"] == "ground" else bodies.get(given["body"])
        location = opensim.Vec3(*given["location"])
        if markers.contains(given["name"]):
            marker = markers.get(given["name"])
            move_marker(marker, body, location)
            marker.set_fixed(given["fixed"])
        else:
            marker = opensim.Marker(given["name"], body, location)
            marker.set_fixed(given["fixed"])
            model.addMarker(marker)
            marker.thisown = False  # the model owns it now


def move_marker(marker: Any, body: Any, location: Any) -> None:
    """Put a marker at a location in body axes [m]; it keeps its own frame where that belongs to the body."""
    frame = marker.getParentFrame()
    if frame.findBaseFrame().getAbsolutePathString() != body.getAbsolutePathString():
        marker.setParentFrame(body)
        marker.set_location(location)
        return
    here = frame.findTransformInBaseFrame()
    now = here.shiftFrameStationToBase(marker.get_location())
    if max(abs(now.get(i) - location.get(i)) for i in range(3)) > EXACT:
        marker.set_location(here.shiftBaseStationToFrame(location))
