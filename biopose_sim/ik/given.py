"""Results of motions that something else has solved: OpenSim, or a network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from biopose_sim.ik.cpu import CpuEngine
from biopose_sim.ik.problem import build_problem, to_result
from biopose_sim.ik.types import Array, IKConfig, KinematicsResult
from biopose_sim.io import Trial
from biopose_sim.kinematics.model import OsimModel


def result_of_coordinates(
    model: OsimModel, trial: Trial, coordinates: Array, config: IKConfig | None = None
) -> KinematicsResult:
    """Return coordinates as a result; all else is computed by our kinematics.

    Args:
        model: the scaled model.
        trial: the markers that were measured.
        coordinates: (T, n_q) of all frames, in the model's order [rad | m].
        config: weights of the markers, and coordinates that move although the model locks them.

    Raises:
        InputError: model and trial share no marker.
    """
    config = config or IKConfig()
    problem = build_problem(model, trial, config)
    rows = [model.marker_names.index(name) for name in problem.marker_names]
    free = np.ascontiguousarray(coordinates[:, problem.reduced.free])
    sensitivity = CpuEngine(problem).sensitivity(free)
    points = _unlocked(model, config.free)(torch.from_numpy(coordinates)).markers.numpy()[:, rows]
    n = trial.n_frames
    result = to_result(problem, free, points, np.ones(n, bool), np.zeros(n, np.int64), sensitivity)
    return replace(result, coordinates=coordinates)


def _unlocked(model: OsimModel, names: tuple[str, ...]) -> OsimModel:
    """The model with these coordinates unlocked, for kinematics that takes their values."""
    if not names:
        return model
    schema = model.model
    coordinates = tuple(replace(c, locked=c.locked and c.name not in names) for c in schema.coordinates)
    tree = replace(model.tree, model=replace(schema, coordinates=coordinates))
    return OsimModel(tree, model.scales, model.marker_offsets)
