"""The engine ``opensim``: OpenSim's ScaleTool and InverseKinematicsTool, as the paper and D3KE make ground truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from biopose_sim.errors import InputError
from biopose_sim.ik.scale_setup import Measurement
from biopose_sim.ik.types import Array, KinematicsResult
from biopose_sim.io import Trial
from biopose_sim.kinematics.model import OsimModel
from ik_pipeline.engines.after_scaling_file import change_file
from ik_pipeline.engines.content import choice_content
from ik_pipeline.engines.scale_files import safe_name, write_scale_files
from ik_pipeline.measurements import unmeasured
from ik_pipeline.opensim_tools import run_opensim_ik, run_opensim_scale
from ik_pipeline.scaling_trials import choose_static_frames
from ik_pipeline.types import ModelChoice, PersonSpec, ScaledPerson, TrialSpec

FOLDER = "opensim_scaling"  # in a person's folder: what the ScaleTool read and wrote
IK_ACCURACY = 1e-5  # OpenSim's own


class OpenSimEngine:
    """OpenSim's tools, each run in a process of its own.

    Args:
        choice: the model that persons are scaled from.
        accuracy: of OpenSim's solver in both tools; None is its own (1e-5 for motions, 1e-4 for the static pose).

    Raises:
        InputError: no marker pairs to scale by.
    """

    name = "opensim"

    def __init__(self, choice: ModelChoice, *, accuracy: float | None = None) -> None:
        if not choice.measurements:
            problem = "names no marker pairs by which the ScaleTool could scale it"
            raise InputError(choice.path, problem, "give a scale setup, or a table of measurements")
        self.choice, self.accuracy = choice, accuracy

    def scale(self, person: PersonSpec, trials: Sequence[tuple[TrialSpec, Trial]], folder: Path) -> ScaledPerson:
        """Scale by marker pairs and place the markers; setup, static markers and model stay in ``folder``.

        Args:
            person: its mass goes into the model.
            trials: to choose static frames from.
            folder: receives a folder ``opensim_scaling``, which can be opened in the OpenSim GUI.

        Raises:
            InputError: no marker pair was measured, or no trial suits.
            OpenSimError: the ScaleTool failed.
        """
        choice, place = self.choice, folder / FOLDER
        static, why = choose_static_frames(choice, trials)
        static = static.drop_empty()
        usable, warnings = _measured(choice, static)
        setup = write_scale_files(place, choice, static, usable, safe_name(person.id), person.mass)
        done = run_opensim_scale(setup, model=choice.path, output=place / "scaled.osim", accuracy=self.accuracy)
        path = change_file(place / "scaled.osim", choice, pose=done.pose)
        model = OsimModel.from_file(path)
        how = {
            "engine": self.name,
            "static_frames": why,
            "measurements": [m.name for m in usable],
            "setup": f"{FOLDER}/{setup.name}",
        }
        return ScaledPerson(model, done.scales, _offsets(choice.model, model, done.scales), how, tuple(warnings), path)

    def solve(self, person: ScaledPerson, trial: Trial) -> KinematicsResult:
        """Solve the motion of a trial.

        Raises:
            InputError: the trial shares no marker with the model.
            OpenSimError: the tool failed, ended its process or took too long.
        """
        accuracy = IK_ACCURACY if self.accuracy is None else self.accuracy
        return run_opensim_ik(person.model, trial, self.choice.ik, accuracy=accuracy).result

    def configuration(self) -> Mapping[str, Any]:
        """Return all that decides results, the model's content included, as JSON has it."""
        content = choice_content(self.choice)
        # Of the fit only the weights, wanted values and limits matter here.
        content["fit"] = {"ik": content["fit"]["ik"]}
        return {"engine": self.name, "opensim": _opensim_version(), "accuracy": self.accuracy, **content}


def _measured(choice: ModelChoice, static: Trial) -> tuple[tuple[Measurement, ...], list[str]]:
    """The measurements with the pairs that the static frames show together, and warnings."""
    seen = dict(zip(static.marker_names, ~static.missing.T))

    def shown(pair: tuple[str, str]) -> bool:
        return all(name in seen for name in pair) and bool((seen[pair[0]] & seen[pair[1]]).any())

    usable = [replace(m, pairs=tuple(p for p in m.pairs if shown(p))) for m in choice.measurements]
    usable = [m for m in usable if m.pairs]
    if not usable:
        problem = "shows none of the marker pairs by which the model is scaled"
        raise InputError(static.source or static.name, problem, "rename its markers or give another scale setup")
    before = set(unmeasured(choice.measurements, choice.model))
    lost = [body for body in unmeasured(usable, choice.model) if body not in before]
    warnings = [f"bodies not scaled along every axis, for markers were not seen: {', '.join(lost)}"] if lost else []
    return tuple(usable), warnings


def _offsets(generic: OsimModel, placed: OsimModel, scales: Array) -> Array:
    """How far the markers of the placed model are from where scaling alone puts them, (n_markers, 3) [m]."""
    alone = dict(zip(generic.marker_names, generic.scale(scales).tree.marker_matrix.sum(axis=2)))
    bodies = dict(zip(generic.marker_names, generic.tree.marker_body))
    offsets = np.zeros((len(placed.marker_names), 3))
    locations = placed.tree.marker_matrix.sum(axis=2)
    for i, name in enumerate(placed.marker_names):
        if bodies.get(name) == placed.tree.marker_body[i]:  # else it changed over, and there is nothing to compare
            offsets[i] = locations[i] - alone[name]
    return offsets


def _opensim_version() -> str | None:
    try:
        return version("opensim")
    except PackageNotFoundError:
        return None
