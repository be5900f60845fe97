"""OpenSim's setup files of inverse kinematics and of scaling, as frozen dataclasses.

File names in them are relative to the setup file; whether a file exists is asked when it is needed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from biopose_sim.ik.scale_setup import (
    ManualScale,
    MarkerPlacement,
    Measurement,
    ModelScaling,
    ScaleSetup,
    read_scale_setup,
)
from biopose_sim.ik.setup_tasks import IKCoordinateTask, IKMarkerTask, IKTasks, read_ik_tasks, read_tasks
from biopose_sim.ik.setup_xml import TimeRange, clip_range, file_name, read_setup, required_file, time_range
from biopose_sim.ik.types import IKConfig
from biopose_sim.io import Trial, read_trial
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.osim.xml import numbers

__all__ = [
    "IKCoordinateTask",
    "IKMarkerTask",
    "IKSetup",
    "IKTasks",
    "ManualScale",
    "MarkerPlacement",
    "Measurement",
    "ModelScaling",
    "ScaleSetup",
    "read_ik_setup",
    "read_ik_tasks",
    "read_scale_setup",
]


@dataclass(frozen=True)
class IKSetup:
    """What a setup of the InverseKinematicsTool says.

    Attributes:
        path: the setup file.
        name: name of the tool, usually the trial's.
        model_file, marker_file, coordinate_file, output_motion_file: None where the setup names none.
        time_range: [s]; None for the whole trial.
        accuracy: of OpenSim's solver, 1e-5 where the setup says none.
        constraint_weight: OpenSim's solver ignores it (its constructor overwrites it with infinity).
        tasks: weights of markers and coordinates.
    """

    path: Path
    name: str
    model_file: Path | None
    marker_file: Path | None
    coordinate_file: Path | None
    output_motion_file: Path | None
    time_range: TimeRange | None
    accuracy: float
    constraint_weight: float
    tasks: IKTasks

    def config(self, model: OsimModel, trial: Trial) -> IKConfig:
        """Return the configuration for :func:`biopose_sim.solve_ik`.

        Args:
            model: the model to solve for.
            trial: the frames to solve, as from :meth:`load_trial`.

        Raises:
            InputError: tasks that do not fit the model, or a coordinate file that does not fit the trial.
        """
        return self.tasks.config(model, trial.time, self.coordinate_file, self.path)

    def load_model(self) -> OsimModel:
        """Read the model that the setup names; raise InputError when there is none."""
        return OsimModel.from_file(required_file(self.model_file, "model_file", self.path))

    def load_trial(self) -> Trial:
        """Read the markers that the setup names, cut to its time range; raise InputError without any."""
        return self.cut(read_trial(required_file(self.marker_file, "marker_file", self.path)))

    def cut(self, trial: Trial) -> Trial:
        """Return the frames that OpenSim solves, from the one nearest to the start to that next to the end.

        Raises:
            InputError: the time range lies outside of the trial.
        """
        if self.time_range is None:
            return trial
        start, end = clip_range(self.time_range, trial, self.path)
        times = [trial.time[_nearest(trial.time, t)] for t in (start, end)]
        return trial.crop(float(times[0]), float(times[1]))


def read_ik_setup(path: str | Path) -> IKSetup:
    """Read a setup of OpenSim's InverseKinematicsTool, of any version.

    Raises:
        InputError: missing file, not XML, a setup of another tool, or values that cannot be.
    """
    path = Path(path)
    tool = read_setup(path, "InverseKinematicsTool", "IKTool")
    # Setups before OpenSim 2.3 hold a set of trials, of which OpenSim reads the first.
    trial = tool.find("IKTrialSet/objects/IKTrial")
    part = tool if trial is None else trial
    folder = path.parent
    tasks = part if part.find("IKTaskSet") is not None else tool
    return IKSetup(
        path=path,
        name=tool.get("name", ""),
        model_file=file_name(tool, "model_file", folder),
        marker_file=file_name(part, "marker_file", folder),
        coordinate_file=file_name(part, "coordinate_file", folder),
        output_motion_file=file_name(part, "output_motion_file", folder),
        time_range=time_range(part, path),
        accuracy=numbers(tool, "accuracy", path, (1e-5,))[0],
        constraint_weight=numbers(tool, "constraint_weight", path, (math.inf,), unbounded=True)[0],
        tasks=read_tasks(tasks, path),
    )


def _nearest(time: np.ndarray, wanted: float) -> int:
    """Index of the nearest time, the later one of two that are equally near, as OpenSim takes it."""
    return len(time) - 1 - int(np.argmin(np.abs(time - wanted)[::-1]))
