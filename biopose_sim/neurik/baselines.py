"""What a network is measured against, as methods of `neurik.evaluate`: engines from a cold start, the mean person."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from biopose_sim.errors import InputError, near_matches
from biopose_sim.io import Trial
from biopose_sim.io.record import sha256
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.neurik.evaluate import Answer, Markers, Method, as_trial
from biopose_sim.neurik.frame import Framer
from biopose_sim.neurik.skeleton import Pose, Skeleton
from biopose_sim.osim.parser import read_osim
from biopose_sim.osim.process import OpenSimError
from biopose_sim.paths import default_model_path
from ik_pipeline.engines import make_engine
from ik_pipeline.model_choice import choose_model
from ik_pipeline.shards import ShardData
from ik_pipeline.types import Engine, ModelChoice, PersonSpec, TrialSpec
from ik_pipeline.virtual_fit import virtual_model

BASELINES = ("fit", "opensim", "mean")


def make_baseline(
    name: str,
    data: ShardData,
    model: OsimModel,
    *,
    opensim_frames: int | None = None,
    threads: int = 1,
    note: Callable[[str], None] = lambda text: None,
) -> Method:
    """Return a baseline.

    Args:
        name: ``"fit"`` and ``"opensim"`` scale and solve with these engines, ``"mean"`` says the same for every frame.
        data: the shards, for their model, marker set and statistics.
        model: their generic model.
        opensim_frames: the engine ``opensim`` solves so many frames of a trial, from its start; all if None.
        threads: of the engine ``fit``.
        note: is told what a reader should know, e.g. of trials that OpenSim failed at.

    Raises:
        InputError: no such baseline, or shards without what it needs.
    """
    if name == "mean":
        return mean_method(data, model)
    if name not in BASELINES:
        remedy = f"give {', '.join(BASELINES)} or mot:NAME=FOLDER"
        raise InputError("baseline", f"there is no {name!r}{near_matches(name, BASELINES)}", remedy)
    engine = make_engine(name, shard_choice(data), threads=threads)
    return engine_method(engine, model, most_frames=opensim_frames if name == "opensim" else None, note=note)


def shard_choice(data: ShardData) -> ModelChoice:
    """Return how the pipeline would fit persons of these shards: their model, marker set, weights, landmarks.

    Raises:
        InputError: the model's files are missing.
    """
    about = data.card.content["model"]
    same = _moves_alike(data.folder / about["file"], default_model_path())
    markers = None if about["markers_file"] is None else data.folder / about["markers_file"]
    virtual = set(data.card.names["markers"]) <= set(virtual_model().marker_names)
    path = None if same and virtual else data.folder / about["file"]
    return choose_model(virtual=virtual, path=path, markers=markers)


def _moves_alike(one: Path, other: Path) -> bool:
    """Whether two files hold the same bodies, joints, coordinates and markers; muscles may differ."""
    if not other.is_file():
        return False
    if sha256(one) == sha256(other):
        return True
    return replace(read_osim(one), path=None, notes=()) == replace(read_osim(other), path=None, notes=())


def engine_method(
    engine: Engine,
    model: OsimModel,
    *,
    most_frames: int | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> Method:
    """Return an engine as a method: it scales from all of a person's trials and solves each, from a cold start.

    Args:
        engine: as `ik_pipeline.engines.make_engine` gives it.
        model: the generic model of the shards, for the order of coordinates.
        most_frames: of a trial that are solved, from its start; scaling sees all.
        note: is told of trials that OpenSim failed at; they count as not solved.
    """

    def solve(markers: list[Markers], rates: list[float]) -> Answer:
        trials = [as_trial(f"trial{k}", m, rate, model.marker_names) for k, (m, rate) in enumerate(zip(markers, rates))]
        specs = [TrialSpec(trial.name, ()) for trial in trials]
        person = PersonSpec("person", "evaluation", tuple(specs), "evaluation")
        found = [np.full((trial.n_frames, len(model.coordinate_names)), np.nan) for trial in trials]
        with tempfile.TemporaryDirectory(prefix="biopose-") as folder:
            try:
                scaled = engine.scale(person, list(zip(specs, trials)), Path(folder))
                for q, trial in zip(found, trials):
                    part = trial if most_frames is None else first_frames(trial, most_frames)
                    result = engine.solve(scaled, part.drop_empty())
                    columns = [result.coordinate_names.index(name) for name in model.coordinate_names]
                    q[: part.n_frames] = result.coordinates[:, columns]
            except OpenSimError as error:
                note(f"a person was left out, or some trials: {error}")
                return Answer(found, None)
        return Answer(found, scaled.scales, scaled.marker_offsets)

    return solve


def mean_method(data: ShardData, model: OsimModel) -> Method:
    """Return the mean pose and the mean size of the training split, where the markers say that the person is.

    Place and heading come from the markers as a network gets them (`neurik.frame`); tilt and list are the mean ones.

    Raises:
        InputError: the shards' training split is empty.
    """
    statistics = data.card.content["statistics"]
    known = [s is not None for row in statistics["scales"]["mean"] for s in row]
    if not all(known):
        raise InputError(data.folder, "has no training split to take means from", "leave the baseline 'mean' out")
    scales = np.array(statistics["scales"]["mean"])
    skeleton = Skeleton(model)
    framer = Framer(skeleton)
    q = torch.tensor(statistics["mean_pose"], dtype=torch.float32)
    with torch.no_grad():
        markers = model.scale(scales)(q[None]).markers.float()
        framed = framer(markers[None])
        pose = skeleton.encode(q[None, None], framed.heading, framed.origin)
    parts = (pose.root_rotation, pose.root_position, pose.joints)

    def solve(markers: list[Markers], rates: list[float]) -> Answer:
        found = []
        for own in markers:
            at = framer(torch.from_numpy(own)[None])
            everywhere = Pose(*(part.expand(1, len(own), *part.shape[2:]) for part in parts))
            found.append(skeleton.decode(everywhere, at.heading, at.origin)[0].double().numpy())
        return Answer(found, scales)

    return solve


def first_frames(trial: Trial, count: int) -> Trial:
    """Return the first frames of a trial."""
    return trial if trial.n_frames <= count else trial.crop(end=float(trial.time[count - 1]))
