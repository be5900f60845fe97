"""The OpenSim side of ``opensim_tools``: one of OpenSim's tools, run in a process of its own.

See ``biopose_sim/osim/_opensim_process.py`` for how it is started. It imports nothing of this project.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any


def work(opensim: Any, job: dict[str, Any]) -> dict[str, Any]:
    """Run the tool that the job names."""
    tools = {"ik": run_ik, "scale": run_scale, "scale_tight": run_tight_scale}
    return tools[job["tool"]](opensim, job)


def run_ik(opensim: Any, job: dict[str, Any]) -> dict[str, Any]:
    """InverseKinematicsTool on a setup file whose file names are replaced."""
    start = time.perf_counter()
    tool = opensim.InverseKinematicsTool(job["setup"], False)
    tool.set_model_file(job["model"])
    tool.set_marker_file(job["markers"])
    tool.set_coordinate_file(job["coordinates"])
    tool.set_output_motion_file(job["motion"])
    tool.set_results_directory(job["folder"])
    tool.set_report_errors(False)
    tool.set_report_marker_locations(False)
    # OpenSim 4.6 solves 0 to 2 s where a setup names no time range; the whole trial is meant.
    tool.setStartTime(job["span"][0])
    tool.setEndTime(job["span"][1])
    if job["accuracy"] is not None:
        tool.set_accuracy(job["accuracy"])
    if job["unlock"] or job["unclamp"]:
        model = opensim.Model(job["model"])
        release(model, job["unlock"], job["unclamp"])
        tool.setModel(model)
    if not tool.run():
        raise RuntimeError("the tool returned false")
    return {"seconds": time.perf_counter() - start}


def release(model: Any, unlock: list[str], unclamp: bool) -> None:
    """Unlock the named coordinates and, if so wished, take the ranges off all."""
    coordinates = model.updCoordinateSet()
    for name in unlock:
        coordinates.get(name).set_locked(False)
    for i in range(coordinates.getSize() if unclamp else 0):
        coordinates.get(i).set_clamped(False)


def scale_tool(opensim: Any, job: dict[str, Any]) -> Any:
    """The ScaleTool of a setup file whose file names are replaced by those in the job's folder."""
    tool = opensim.ScaleTool(job["setup"])
    tool.setPathToSubject(job["folder"] + "/")
    maker, scaler, placer = tool.getGenericModelMaker(), tool.getModelScaler(), tool.getMarkerPlacer()
    maker.setModelFileName(job["model"])
    maker.setMarkerSetFileName(job["marker_set"])
    scaler.setMarkerFileName(job["scale_markers"])
    scaler.setOutputModelFileName(job["scaled"])
    scaler.setOutputScaleFileName(job["scales"])
    placer.setMarkerFileName(job["place_markers"])
    placer.setCoordinateFileName(job["coordinates"])
    placer.setOutputModelFileName(job["placed"])
    placer.setOutputMotionFileName(job["pose"])
    placer.setOutputMarkerFileName("Unassigned")
    return tool


def run_scale(opensim: Any, job: dict[str, Any]) -> dict[str, Any]:
    """ScaleTool as it is; a setup without an applied step leaves that step out."""
    start = time.perf_counter()
    tool = scale_tool(opensim, job)
    if job["do_place"]:
        if not tool.run():
            raise RuntimeError("the tool returned false")
    else:
        scale_only(tool, job)
    return {"seconds": time.perf_counter() - start}


def scale_only(tool: Any, job: dict[str, Any]) -> Any:
    """The first two steps of the ScaleTool; returns the model, which is written as well."""
    model = tool.createModel()
    if model is None:
        raise RuntimeError("the generic model could not be made")
    if job["do_scale"]:
        scaler = tool.getModelScaler()
        if not scaler.processModel(model, job["folder"] + "/", tool.getSubjectMass()):
            raise RuntimeError("the model scaler returned false")
    else:
        model.printToXML(str(Path(job["folder"], job["scaled"])))
    return model


def run_tight_scale(opensim: Any, job: dict[str, Any]) -> dict[str, Any]:
    """ScaleTool whose static pose is solved to the job's accuracy; the tool itself always uses 1e-4.

    The steps are those of OpenSim's MarkerPlacer::processModel.
    """
    start = time.perf_counter()
    tool = scale_tool(opensim, job)
    model = scale_only(tool, job)
    placer, static = tool.getMarkerPlacer(), str(Path(job["folder"], job["place_markers"]))
    table = opensim.TimeSeriesTableVec3(static)
    times = table.getIndependentColumn()
    first, last = max(job["time_range"][0], times[0]), min(job["time_range"][1], times[-1])
    mean = opensim.TimeSeriesTableVec3()
    mean.setColumnLabels(table.getColumnLabels())
    mean.appendRow(first, table.averageRow(first, last))
    mean.addTableMetaDataString("Units", table.getTableMetaDataString("Units"))
    cloud = opensim.MarkerData(static)
    cloud.averageFrames(-1.0, first, last)
    cloud.convertToUnits(opensim.Units("m"))
    model.deleteUnusedMarkers(cloud.getMarkerNames())
    state = model.initSystem()
    state.setTime(first)
    weights = opensim.SetMarkerWeights()
    placer.getIKTaskSet().createMarkerWeightSet(weights)
    references = opensim.SimTKArrayCoordinateReference()
    for name, value, weight in job["targets"]:
        wanted = model.getCoordinateSet().get(name).getValue(state) if value is None else value
        reference = opensim.CoordinateReference(name, opensim.Constant(wanted))
        reference.setWeight(weight)
        references.push_back(reference)
    markers = opensim.MarkersReference(mean, weights)
    solver = opensim.InverseKinematicsSolver(model, markers, references, float("inf"))
    solver.setAccuracy(job["accuracy"])
    solver.assemble(state)
    model.realizePosition(state)
    move_markers(model, state, cloud)
    model.printToXML(str(Path(job["folder"], job["placed"])))
    coordinates = [model.getCoordinateSet().get(i) for i in range(model.getCoordinateSet().getSize())]
    pose = {c.getName(): c.getValue(state) for c in coordinates}
    return {"seconds": time.perf_counter() - start, "pose": pose}


def move_markers(model: Any, state: Any, cloud: Any) -> None:
    """Move the markers that are not fixed to where they were measured, as the MarkerPlacer does."""
    frame, markers = cloud.getFrame(0), model.updMarkerSet()
    for i in range(markers.getSize()):
        marker = markers.get(i)
        index = cloud.getMarkerIndex(marker.getName())
        if marker.get_fixed() or index < 0:
            continue
        point = frame.getMarker(index)
        if not point.isNaN():
            ground, parent = model.getGround(), marker.getParentFrame()
            marker.set_location(ground.findStationLocationInAnotherFrame(state, point, parent))
