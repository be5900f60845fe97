"""The files of OpenSim's ScaleTool for a person: static markers, marker set and a setup that the GUI opens."""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np

from biopose_sim.ik.scale_setup import Measurement
from biopose_sim.io import Trial, write_trc
from biopose_sim.io.atomic import atomic_write
from ik_pipeline.types import ModelChoice

SETUP, STATIC, MARKERS = "scale_setup.xml", "static.trc", "markers.xml"
_AXES = "XYZ"


def write_scale_files(
    folder: Path,
    choice: ModelChoice,
    static: Trial,
    measurements: tuple[Measurement, ...],
    name: str,
    mass: float | None,
) -> Path:
    """Write what the ScaleTool reads; returns the setup's path.

    Args:
        folder: receives ``scale_setup.xml``, ``static.trc`` and ``markers.xml``, the markers of ``choice.model``.
        choice: the generic model and its weights.
        static: the static frames; a single one is written twice, for OpenSim reads no file of one frame.
        measurements: marker pairs that model and static frames have.
        name: of the scaled model.
        mass: of the person [kg]; None keeps the generic model's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    static = _twice(static) if static.n_frames == 1 else static
    write_trc(folder / STATIC, static)
    _write(folder / MARKERS, _marker_set(choice))
    span = f"{static.time[0]:.8f} {static.time[-1]:.8f}"
    root = ET.Element("OpenSimDocument", Version="40000")
    tool = ET.SubElement(root, "ScaleTool", name=name)
    _text(tool, mass="-1" if mass is None else repr(float(mass)), height="-1", age="-1")
    maker = ET.SubElement(tool, "GenericModelMaker")
    model = Path(os.path.relpath(choice.path.resolve(), folder.resolve())).as_posix()
    _text(maker, model_file=model, marker_set_file=MARKERS)
    scaler = ET.SubElement(tool, "ModelScaler")
    _text(scaler, apply="true", scaling_order="measurements")
    objects = ET.SubElement(ET.SubElement(scaler, "MeasurementSet"), "objects")
    for measurement in measurements:
        objects.append(_measurement(measurement))
    _text(scaler, marker_file=STATIC, time_range=span, preserve_mass_distribution="true")
    _text(scaler, output_model_file="scaled_only.osim", output_scale_file="scale_set.xml")
    placer = ET.SubElement(tool, "MarkerPlacer")
    _text(placer, apply="true")
    placer.append(_tasks(choice, static))
    _text(placer, marker_file=STATIC, time_range=span, max_marker_movement="-1")
    _text(placer, output_model_file="scaled.osim", output_motion_file="static_pose.mot")
    return _write(folder / SETUP, root)


def _twice(frame: Trial) -> Trial:
    step = 1.0 / frame.rate if np.isfinite(frame.rate) else 0.01
    return replace(frame, time=frame.time[0] + np.array([0.0, step]), markers=np.repeat(frame.markers, 2, axis=0))


def _text(parent: ET.Element, **values: str) -> None:
    for tag, value in values.items():
        ET.SubElement(parent, tag).text = value


def _write(path: Path, root: ET.Element) -> Path:
    ET.indent(root)
    return atomic_write(path, ET.tostring(root, encoding="utf-8", xml_declaration=True))


def _measurement(measurement: Measurement) -> ET.Element:
    element = ET.Element("Measurement", name=measurement.name)
    _text(element, apply="true")
    pairs = ET.SubElement(ET.SubElement(element, "MarkerPairSet"), "objects")
    for pair in measurement.pairs:
        _text(ET.SubElement(pairs, "MarkerPair"), markers=" ".join(pair))
    bodies = ET.SubElement(ET.SubElement(element, "BodyScaleSet"), "objects")
    for body, axes in measurement.bodies:
        _text(ET.SubElement(bodies, "BodyScale", name=body), axes=" ".join(_AXES[axis] for axis in axes))
    return element


def _tasks(choice: ModelChoice, static: Trial) -> ET.Element:
    tasks = ET.Element("IKTaskSet")
    objects = ET.SubElement(tasks, "objects")
    for name, weight in placement_weights(choice).items():
        if name in static.marker_names and weight > 0.0:
            _text(ET.SubElement(objects, "IKMarkerTask", name=name), apply="true", weight=repr(weight))
    return tasks


def placement_weights(choice: ModelChoice) -> dict[str, float]:
    """Return the weight of each of the model's markers in the static pose in which markers are placed.

    Where tracking markers of a generic model lie says little of this person; they count as little more than their
    spread among people allows, so that landmarks decide the pose.
    """
    if choice.placement is not None:
        return {name: float(choice.placement.get(name, 0.0)) for name in choice.model.marker_names}
    share = min(1.0, (choice.fit.landmark_sd / choice.fit.tracking_sd) ** 2) if choice.landmarks else 1.0
    return {
        name: float(choice.ik.weights.get(name, choice.ik.default_weight))
        * (1.0 if name in choice.landmarks else share)
        for name in choice.model.marker_names
    }


def _marker_set(choice: ModelChoice) -> ET.Element:
    root = ET.Element("OpenSimDocument", Version="40000")
    objects = ET.SubElement(ET.SubElement(root, "MarkerSet", name="markerset"), "objects")
    locations = choice.model.tree.marker_matrix.sum(axis=2)
    for marker, body, location in zip(choice.model.model.markers, choice.model.tree.marker_body, locations):
        element = ET.SubElement(objects, "Marker", name=marker.name)
        parent = "/ground" if body < 0 else f"/bodyset/{choice.model.body_names[body]}"
        numbers = " ".join(repr(float(v)) for v in location)
        _text(element, socket_parent_frame=parent, location=numbers, fixed=str(marker.fixed).lower())
    return root


def safe_name(name: str) -> str:
    """Return the name with only letters, digits, - and _, as OpenSim wants its components named."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name)
