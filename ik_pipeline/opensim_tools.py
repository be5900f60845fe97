"""OpenSim's own InverseKinematicsTool and ScaleTool, each run in a worker process: the reference.

A failing tool may end its process, prints, and writes beside its input; here it works in a temporary folder,
and what goes wrong becomes one line.
"""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from biopose_sim.ik.given import result_of_coordinates
from biopose_sim.ik.problem import build_problem
from biopose_sim.ik.setup_files import IKSetup, ScaleSetup, read_ik_setup, read_scale_setup
from biopose_sim.ik.setup_xml import required_file
from biopose_sim.ik.types import Array, IKConfig, KinematicsResult
from biopose_sim.io import Trial, read_mot, read_trial, write_trc
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.osim.process import OpenSimError, run_script
from ik_pipeline import _opensim_files as files

_WORKER = Path(__file__).with_name("_opensim_worker.py")
_SOLVING = "solving with its InverseKinematicsTool"
TIMEOUT = 3600.0  # [s]


@dataclass(frozen=True)
class OpenSimKinematics:
    """What the InverseKinematicsTool gave.

    Attributes:
        result: coordinates of the tool; markers, errors and sensitivity follow from them by our kinematics.
            The tool does not say whether a frame converged: ``converged`` is true and ``iterations`` 0.
        seconds: wall time of the tool, from reading its files to writing its motion, without starting Python.
    """

    result: KinematicsResult
    seconds: float


@dataclass(frozen=True)
class OpenSimScaling:
    """What the ScaleTool gave.

    Attributes:
        model: the scaled model with its placed markers.
        scales: factors per body and axis, shape (n_bodies, 3).
        pose: static pose per coordinate [rad | m]; empty without a marker placement.
        seconds: wall time of the tool, without starting Python.
    """

    model: OsimModel
    scales: Array
    pose: dict[str, float]
    seconds: float


def run_opensim_ik(
    model: OsimModel | str | Path,
    trial: Trial | str | Path,
    config: IKConfig | None = None,
    *,
    accuracy: float = 1e-5,
    constraint_weight: float = math.inf,
    timeout: float = TIMEOUT,
) -> OpenSimKinematics:
    """Solve a trial with OpenSim's InverseKinematicsTool.

    Args:
        model: a model or its file; one that was scaled or given markers in memory is exported first.
        trial: a trial or its file; a TRC file is given to OpenSim as it is.
        config: weights, targets, ``free`` and ``respect_ranges`` count; smoothness and the rest do not.
        accuracy: of OpenSim's solver.
        constraint_weight: of OpenSim's solver.
        timeout: [s].

    Raises:
        InputError: as :func:`biopose_sim.solve_ik`; OpenSim is not installed.
        OpenSimError: the tool failed, ended its process or took too long; names the trial.
    """
    config = config or IKConfig()
    ours = model if isinstance(model, OsimModel) else OsimModel.from_file(model)
    recording = trial if isinstance(trial, Trial) else read_trial(trial)
    build_problem(ours, recording, config)  # complains of bad input before OpenSim does
    with files.workplace() as folder:
        markers = folder / "markers.trc"
        if isinstance(trial, Trial) or Path(trial).suffix.lower() != ".trc":
            write_trc(markers, recording)
        else:
            shutil.copyfile(trial, markers)
        setup = folder / "setup.xml"
        files.write_ik_setup(setup, ours, recording, config, accuracy, constraint_weight)
        job = {
            "setup": str(setup),
            "model": str(files.model_file(ours, folder)),
            "markers": str(markers),
            "coordinates": files.write_targets(folder, ours, recording, config),
            "accuracy": None,
            "unlock": list(config.free),
            "unclamp": not config.respect_ranges,
        }
        return _solve(job, folder, ours, recording, config, timeout)


def run_ik_setup(
    setup: IKSetup | str | Path,
    *,
    model: OsimModel | str | Path | None = None,
    accuracy: float | None = None,
    timeout: float = TIMEOUT,
) -> OpenSimKinematics:
    """Run a lab's IK setup with OpenSim's own tool; of the setup file only the file names are replaced.

    Args:
        setup: the setup or its file.
        model: instead of the one that the setup names.
        accuracy: instead of the setup's.
        timeout: [s].

    Raises:
        InputError: bad setup or missing files, named; OpenSim is not installed.
        OpenSimError: the tool failed, ended its process or took too long; names the trial.
    """
    setup = setup if isinstance(setup, IKSetup) else read_ik_setup(setup)
    if model is None:
        ours = setup.load_model()
    else:
        ours = model if isinstance(model, OsimModel) else OsimModel.from_file(model)
    trial = setup.load_trial()
    config = setup.config(ours, trial)
    markers = required_file(setup.marker_file, "marker_file", setup.path)
    coordinates = files.UNASSIGNED if setup.coordinate_file is None else str(setup.coordinate_file.resolve())
    with files.workplace() as folder:
        job: dict[str, Any] = {
            "setup": str(files.copy_setup(setup.path, folder)),
            "model": str(files.model_file(ours, folder)),
            "markers": str(markers.resolve()),
            "coordinates": coordinates,
            "accuracy": accuracy,
            "unlock": [],
            "unclamp": False,
        }
        return _solve(job, folder, ours, trial, config, timeout)


def run_opensim_scale(
    setup: ScaleSetup | str | Path,
    *,
    model: str | Path | None = None,
    output: str | Path | None = None,
    accuracy: float | None = None,
    timeout: float = TIMEOUT,
) -> OpenSimScaling:
    """Run a lab's scale setup with OpenSim's own tool; of the setup file only the file names are replaced.

    Args:
        setup: the setup or its file.
        model: file of the generic model, instead of the one that the setup names.
        output: where to keep the scaled model; without it ``model.path`` of the result is gone.
        accuracy: with which the static pose is solved. The tool itself cannot choose: it uses 1e-4. With a
            value OpenSim's solver is called for the same steps in place of the MarkerPlacer.
        timeout: [s].

    Raises:
        InputError: bad setup or missing files, named; OpenSim is not installed.
        OpenSimError: the tool failed, ended its process or took too long.
    """
    setup = setup if isinstance(setup, ScaleSetup) else read_scale_setup(setup)
    generic = Path(model) if model is not None else required_file(setup.model_file, "model_file", setup.path)
    with files.workplace() as folder:
        job: dict[str, Any] = {
            "tool": "scale",
            "folder": str(folder),
            **files.stage_scaling(setup, generic, folder),
        }
        if accuracy is not None and setup.placement is not None and job["do_place"]:
            targets = files.manual_targets(setup.placement, setup.path)
            span = setup.placement.time_range or (-math.inf, math.inf)
            job |= {"tool": "scale_tight", "accuracy": accuracy, "targets": targets, "time_range": span}
        doing = "scaling with its ScaleTool"
        answer = run_script(_WORKER, job, folder, subject=setup.path, doing=doing, timeout=timeout)
        written = folder / (job["placed"] if job["do_place"] else job["scaled"])
        scaled = OsimModel.from_file(shutil.copyfile(written, output) if output is not None else written)
        scales = files.read_scales(folder / job["scales"], scaled.body_names)
        pose = answer.get("pose") or files.read_pose(folder / job["pose"], scaled)
        return OpenSimScaling(scaled, scales, pose, answer["seconds"])


def _solve(
    job: dict[str, Any], folder: Path, model: OsimModel, trial: Trial, config: IKConfig, timeout: float
) -> OpenSimKinematics:
    """Run the tool and bring its motion into our result type."""
    motion = folder / "motion.mot"
    subject = trial.source or trial.name
    span = [float(trial.time[0]), float(trial.time[-1])]
    job = {"tool": "ik", "motion": str(motion), "folder": str(folder), "span": span, **job}
    answer = run_script(_WORKER, job, folder, subject=subject, doing=_SOLVING, timeout=timeout)
    if not motion.is_file():
        raise OpenSimError(subject, _SOLVING, "it wrote no motion")
    solved = read_mot(motion, dict(zip(model.coordinate_names, model.motion_types)))
    if len(solved.time) != trial.n_frames or np.abs(solved.time - trial.time).max() > 1e-6:
        frames = f"it solved {len(solved.time)} frames from {solved.time[0]:g} to {solved.time[-1]:g} s"
        raise OpenSimError(subject, _SOLVING, f"{frames}, not the {trial.n_frames} of the trial")
    q = np.stack([solved.coordinate(name) for name in model.coordinate_names], axis=1)
    return OpenSimKinematics(result_of_coordinates(model, trial, q, config), answer["seconds"])
