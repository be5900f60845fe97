"""Do the written model and motion open in OpenSim, and mean the same there?"""

from __future__ import annotations

import tempfile
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from biopose_sim.io import Motion, Trial, read_mot, write_trc
from biopose_sim.kinematics.model import OsimModel
from ik_pipeline.opensim_tools import run_ik_setup

_FRAMES = 12
_MARKER_WEIGHT, _COORDINATE_WEIGHT = 1.0, 1e6


@dataclass(frozen=True)
class Reopened:
    """How far OpenSim's values are from those in the file.

    Attributes:
        frames: how many were compared.
        degrees: largest difference of a rotational coordinate [deg].
        millimetres: largest difference of a translational one [mm].
    """

    frames: int
    degrees: float
    millimetres: float

    @property
    def text(self) -> str:
        """In a few words."""
        return f"{self.frames} frames as written, to {self.degrees:.1g}° and {self.millimetres:.1g} mm"


def reopen(model: Path, motion: Path) -> Reopened:
    """Have OpenSim's own tool load model and motion and hold the motion's values.

    Args:
        model: an .osim file.
        motion: a .mot file of this model.

    Raises:
        OpenSimError: OpenSim cannot open one of them.
    """
    ours = OsimModel.from_file(model)
    written = read_mot(motion, dict(zip(ours.coordinate_names, ours.motion_types)))
    last = min(_FRAMES, len(written.time)) - 1
    settable = ~(ours.tree.locked | ours.tree.dependent)
    wanted = [name for name, free in zip(ours.coordinate_names, settable) if free]
    with tempfile.TemporaryDirectory(prefix="biopose-") as folder:
        setup, markers = Path(folder) / "setup.xml", Path(folder) / "markers.trc"
        write_trc(markers, _one_marker(ours, written))
        span = f"{written.time[0]:.8f} {written.time[last]:.8f}"
        _write_setup(setup, model, motion, markers, span, ours.marker_names[0], wanted)
        theirs = run_ik_setup(setup).result
    difference = np.abs(theirs.coordinates - written.coordinates[: len(theirs.time)])
    kinds = np.array(ours.motion_types, dtype=object)
    degrees = np.degrees(difference[:, kinds == "rotational"]).max(initial=0.0)
    millimetres = 1e3 * difference[:, kinds == "translational"].max(initial=0.0)
    return Reopened(len(theirs.time), float(degrees), float(millimetres))


def _one_marker(model: OsimModel, motion: Motion) -> Trial:
    """The model's first marker along the motion: OpenSim's tool wants one."""
    with torch.no_grad():
        points = model(torch.from_numpy(motion.coordinates)).markers.numpy()[:, :1]
    return Trial.checked(motion.name, motion.time, points, model.marker_names[:1])


def _write_setup(
    path: Path, model: Path, motion: Path, markers: Path, span: str, marker: str, coordinates: list[str]
) -> None:
    """A setup that ties every coordinate to the motion, and a marker loosely."""
    root = ET.Element("OpenSimDocument", Version="40000")
    tool = ET.SubElement(root, "InverseKinematicsTool", name="reopen")
    files = {"model_file": model, "marker_file": markers, "coordinate_file": motion}
    texts = {tag: str(file.resolve()) for tag, file in files.items()} | {
        "time_range": span,
        "accuracy": "1e-9",
    }
    for tag, text in texts.items():
        ET.SubElement(tool, tag).text = text
    tasks = ET.SubElement(ET.SubElement(tool, "IKTaskSet", name="tasks"), "objects")
    _task(tasks, "IKMarkerTask", marker, _MARKER_WEIGHT)
    for name in coordinates:
        ET.SubElement(_task(tasks, "IKCoordinateTask", name, _COORDINATE_WEIGHT), "value_type").text = "from_file"
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _task(parent: ET.Element, tag: str, name: str, weight: float) -> ET.Element:
    task = ET.SubElement(parent, tag, name=name)
    ET.SubElement(task, "apply").text = "true"
    ET.SubElement(task, "weight").text = repr(weight)
    return task
