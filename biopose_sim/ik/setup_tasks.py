"""Task sets of OpenSim's setup files: weights of markers, wanted values of coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from biopose_sim.errors import InputError, near_matches
from biopose_sim.ik.setup_xml import offline_set, read_setup, require_file
from biopose_sim.ik.types import Array, CoordinateTarget, IKConfig
from biopose_sim.io import Motion, read_mot
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.osim.xml import Element, flag, number, text

ValueType = Literal["default_value", "manual_value", "from_file"]
_VALUE_TYPES: tuple[ValueType, ...] = ("default_value", "manual_value", "from_file")
_SPLINE_POINTS = 6  # fewest that a quintic spline passes through


@dataclass(frozen=True)
class IKMarkerTask:
    """Weight of a marker; ``apply`` false switches it off."""

    name: str
    weight: float
    apply: bool = True


@dataclass(frozen=True)
class IKCoordinateTask:
    """Wanted value of a coordinate; ``value`` [rad | m] counts for "manual_value" only."""

    name: str
    weight: float
    apply: bool = True
    value_type: ValueType = "default_value"
    value: float = 0.0


@dataclass(frozen=True)
class IKTasks:
    """A task set: markers and coordinates with their weights."""

    markers: tuple[IKMarkerTask, ...] = ()
    coordinates: tuple[IKCoordinateTask, ...] = ()

    @property
    def weights(self) -> dict[str, float]:
        """Weight per marker of the set, 0 where a task is off; of repeated tasks the first applied counts."""
        found: dict[str, float] = {}
        for task in self.markers:
            if task.apply:
                found.setdefault(task.name, task.weight)
        return {task.name: found.get(task.name, 0.0) for task in self.markers}

    def config(self, model: OsimModel, time: Array, coordinate_file: Path | None, source: Path) -> IKConfig:
        """Return the configuration that these tasks mean.

        Markers without a task get no weight, as in OpenSim; where no marker task is applied, all weigh 1.

        Args:
            model: its coordinates' defaults and motion types are used.
            time: frames of the trial, shape (T,) [s], at which values from the file are taken.
            coordinate_file: read where a task says "from_file".
            source: the setup file, named in errors.

        Raises:
            InputError: unknown coordinate, no coordinate file, one that lacks a coordinate or the times.
        """
        tasks_on = any(task.apply for task in self.markers)
        targets: dict[str, CoordinateTarget] = {}
        motion: Motion | None = None
        for task in self.coordinates:
            if not task.apply or task.weight == 0.0:
                continue
            if task.name not in model.coordinate_names:
                near = near_matches(task.name, model.coordinate_names)
                problem = f"has a task for {task.name!r}, which is no coordinate of {model.name!r}{near}"
                raise InputError(source, problem, "rename the task or set its <apply> to false")
            if task.value_type == "from_file" and motion is None:
                motion = _read_coordinates(model, coordinate_file, task.name, source)
            targets[task.name] = CoordinateTarget(_value(task, model, time, motion), task.weight)
        return IKConfig(weights=self.weights, default_weight=0.0 if tasks_on else 1.0, coordinate_targets=targets)


def _read_coordinates(model: OsimModel, path: Path | None, name: str, source: Path) -> Motion:
    if path is None:
        problem = f"takes {name!r} from a file but names no <coordinate_file>"
        raise InputError(source, problem, "name one, or use default_value or manual_value")
    types = dict(zip(model.coordinate_names, model.motion_types))
    return read_mot(require_file(path, "coordinate_file", source), types)


def _value(task: IKCoordinateTask, model: OsimModel, time: Array, motion: Motion | None) -> float | Array:
    if task.value_type == "manual_value":
        return task.value
    if task.value_type == "default_value" or motion is None:
        return float(model.tree.defaults[model.coordinate_names.index(task.name)])
    values = motion.coordinate(task.name)
    if len(values) == 1:
        return float(values[0])
    slack = 0.51 * float(np.max(np.diff(motion.time)))
    if time[0] < motion.time[0] - slack or time[-1] > motion.time[-1] + slack:
        problem = f"runs from {motion.time[0]:g} to {motion.time[-1]:g} s"
        remedy = f"coordinates from {time[0]:g} to {time[-1]:g} s are needed"
        raise InputError(motion.source or motion.name, problem, remedy)
    return interpolate(motion.time, values, time)


def interpolate(knots: Array, values: Array, time: Array) -> Array:
    """Values at ``time`` of the natural quintic spline that OpenSim lays through a file."""
    if len(knots) < _SPLINE_POINTS:
        return np.interp(time, knots, values)
    from scipy.interpolate import make_interp_spline

    natural = [(3, 0.0), (4, 0.0)]
    return np.asarray(make_interp_spline(knots, values, k=5, bc_type=(natural, natural))(time))


def read_tasks(parent: Element, source: Path) -> IKTasks:
    """The <IKTaskSet> of a tool, in the setup itself or in a file of its own.

    Raises:
        InputError: weights that are no weights, an unknown value type.
    """
    tasks = offline_set(parent, "IKTaskSet", source)
    markers, coordinates = [], []
    for element in [] if tasks is None else [*(tasks.find("objects") or ())]:
        name, on = element.get("name", ""), flag(element, "apply", True)
        weight = number(element, "weight", source, 0.0)
        if not np.isfinite(weight) or weight < 0.0:
            raise InputError(source, f"the weight of {name!r} is {weight:g}", "zero or more is needed")
        if element.tag == "IKMarkerTask":
            markers.append(IKMarkerTask(name, weight, on))
        elif element.tag == "IKCoordinateTask":
            kind = text(element, "value_type", "default_value").lower()
            if kind not in _VALUE_TYPES:
                problem = f"the task {name!r} has value_type {kind!r}"
                raise InputError(source, problem, f"use {', '.join(_VALUE_TYPES)}")
            value = number(element, "value", source, 0.0)
            coordinates.append(IKCoordinateTask(name, weight, on, kind, value))
    return IKTasks(tuple(markers), tuple(coordinates))


def read_ik_tasks(path: str | Path) -> IKTasks:
    """Read a task set from a file of its own (``<IKTaskSet>``) or from an IK setup."""
    path = Path(path)
    element = read_setup(path, "IKTaskSet", "InverseKinematicsTool")
    if element.tag == "InverseKinematicsTool":
        return read_tasks(element, path)
    holder = Element("holder")
    holder.append(element)
    return read_tasks(holder, path)
