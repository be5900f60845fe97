"""The files that OpenSim's tools get and leave: setups, targets, scale sets, poses."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from biopose_sim.errors import InputError
from biopose_sim.ik.setup_files import IKSetup, MarkerPlacement, ModelScaling, ScaleSetup
from biopose_sim.ik.setup_xml import require_file, required_file
from biopose_sim.ik.types import Array, IKConfig
from biopose_sim.io import Motion, Trial, read_mot, write_mot
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.osim.writer import export_osim

UNASSIGNED = "Unassigned"
FEWEST_ROWS = 6  # that OpenSim's spline through a coordinate file needs


@contextlib.contextmanager
def workplace() -> Iterator[Path]:
    """A temporary folder for one run of a tool."""
    with tempfile.TemporaryDirectory(prefix="biopose-opensim-", ignore_cleanup_errors=True) as name:
        yield Path(name).resolve()


def model_file(model: OsimModel, folder: Path) -> Path:
    """The model's file; what was scaled or given markers in memory is written into the folder first."""
    untouched = np.all(model.scales == 1.0) and not np.any(model.marker_offsets)
    if untouched and model.path is not None and model.path.is_file():
        own = OsimModel.from_file(model.path)
        if own.marker_names == model.marker_names and np.array_equal(own.tree.marker_matrix, model.tree.marker_matrix):
            return model.path.resolve()
    return export_osim(model, folder / "exported.osim")


def copy_setup(path: Path, folder: Path) -> Path:
    """Copy a setup into the folder, with the files that hold its sets (``file="..."``)."""
    copy = folder / "setup.xml"
    data = path.read_bytes()
    copy.write_bytes(data)
    if b"file=" not in data:
        return copy
    tree = ET.ElementTree(ET.fromstring(data))
    for k, element in enumerate(e for e in tree.iter() if e.get("file")):
        source = require_file(path.parent / str(element.get("file")).replace("\\", "/"), element.tag, path)
        name = f"set{k}.xml"
        shutil.copyfile(source, folder / name)
        element.set("file", name)
    tree.write(copy, encoding="utf-8", xml_declaration=True)
    return copy


def write_ik_setup(
    path: Path, model: OsimModel, trial: Trial, config: IKConfig, accuracy: float, constraint_weight: float
) -> None:
    """Write the setup of an InverseKinematicsTool for the whole trial; files are named by the worker."""
    root = ET.Element("OpenSimDocument", Version="40000")
    tool = ET.SubElement(root, "InverseKinematicsTool", name=trial.name)
    values = {
        "accuracy": repr(accuracy),
        "constraint_weight": repr(constraint_weight),
        "time_range": f"{trial.time[0]:.8f} {trial.time[-1]:.8f}",
    }
    for tag, value in values.items():
        ET.SubElement(tool, tag).text = value
    tasks = ET.SubElement(ET.SubElement(tool, "IKTaskSet", name="tasks"), "objects")
    for name in model.marker_names:
        weight = float(config.weights.get(name, config.default_weight))
        if name in trial.marker_names and weight > 0.0:
            _task(tasks, "IKMarkerTask", name, weight)
    for name, target in config.coordinate_targets.items():
        varies = np.ndim(target.value) > 0
        task = _task(tasks, "IKCoordinateTask", name, target.weight)
        ET.SubElement(task, "value_type").text = "from_file" if varies else "manual_value"
        ET.SubElement(task, "value").text = "0" if varies else repr(float(target.value))
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _task(parent: ET.Element, tag: str, name: str, weight: float) -> ET.Element:
    task = ET.SubElement(parent, tag, name=name)
    ET.SubElement(task, "apply").text = "true"
    ET.SubElement(task, "weight").text = repr(float(weight))
    return task


def write_targets(folder: Path, model: OsimModel, trial: Trial, config: IKConfig) -> str:
    """Write wanted values that vary over time into a motion file; returns its path, or "Unassigned"."""
    varying = {n: t.value for n, t in config.coordinate_targets.items() if np.ndim(t.value) > 0}
    if not varying:
        return UNASSIGNED
    if trial.n_frames < FEWEST_ROWS:
        problem = f"has {trial.n_frames} frames with a target each"
        raise InputError(trial.source or trial.name, problem, f"OpenSim needs {FEWEST_ROWS} or one value for all")
    types = tuple(model.motion_types[model.coordinate_names.index(n)] for n in varying)
    values = np.stack([np.asarray(v, dtype=float) for v in varying.values()], axis=1)
    return str(write_mot(folder / "targets.mot", Motion("targets", trial.time, values, tuple(varying), types)))


def stage_scaling(setup: ScaleSetup, generic: Path, folder: Path) -> dict[str, object]:
    """Copy what the ScaleTool reads into the folder; returns the names there and what is to be done."""

    def brought(path: Path | None, tag: str, name: str) -> str:
        if path is None:
            return UNASSIGNED
        shutil.copyfile(require_file(path, tag, setup.path), folder / name)
        return name

    def markers(part: ModelScaling | MarkerPlacement | None, needed: bool, name: str) -> str:
        if part is None or not needed:
            return UNASSIGNED
        return brought(required_file(part.marker_file, "marker_file", setup.path), "marker_file", name)

    scaling, placement = setup.scaling, setup.placement
    do_scale, do_place = scaling is not None and scaling.apply, placement is not None and placement.apply
    measured = scaling is not None and do_scale and "measurements" in scaling.order
    measured = measured and scaling is not None and any(m.apply and m.pairs for m in scaling.measurements)
    coordinates = None if placement is None or not do_place else placement.coordinate_file
    return {
        "setup": str(copy_setup(setup.path, folder)),
        "model": brought(generic, "model_file", "generic.osim"),
        "marker_set": brought(setup.marker_set_file, "marker_set_file", "markers.xml"),
        "scale_markers": markers(scaling, measured, "scale.trc"),
        "place_markers": markers(placement, do_place, "place.trc"),
        "coordinates": brought(coordinates, "coordinate_file", "coordinates.mot"),
        "do_scale": do_scale,
        "do_place": do_place,
        "scaled": "scaled.osim",
        "scales": "scales.xml",
        "placed": "placed.osim",
        "pose": "pose.mot",
    }


def read_scales(path: Path, bodies: tuple[str, ...]) -> Array:
    """Factors of a ScaleSet file, shape (n_bodies, 3); ones where there is no file."""
    scales = np.ones((len(bodies), 3))
    if path.is_file():
        for element in ET.parse(path).getroot().iter("Scale"):
            name = (element.findtext("segment") or "").strip()
            if name in bodies:
                scales[bodies.index(name)] = [float(v) for v in (element.findtext("scales") or "").split()]
    return scales


def read_pose(path: Path, model: OsimModel) -> dict[str, float]:
    """Coordinates [rad | m] of the first row of a motion; empty without a file."""
    if not path.is_file():
        return {}
    motion = read_mot(path, dict(zip(model.coordinate_names, model.motion_types)))
    return {name: float(value) for name, value in zip(motion.coordinate_names, motion.coordinates[0])}


def manual_targets(setup: IKSetup | MarkerPlacement, source: Path) -> list[tuple[str, float | None, float]]:
    """Applied coordinate tasks as name, value (None for the default) and weight.

    Raises:
        InputError: a task that takes its value from a file.
    """
    targets: list[tuple[str, float | None, float]] = []
    for task in setup.tasks.coordinates:
        if not task.apply:
            continue
        if task.value_type == "from_file":
            problem = f"the task {task.name!r} takes its value from a file"
            raise InputError(source, problem, "leave the accuracy out to run OpenSim's tool as it is")
        targets.append((task.name, task.value if task.value_type == "manual_value" else None, task.weight))
    return targets
