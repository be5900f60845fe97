"""The people of the demonstration: a walking body mesh, and a walking model of known angles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from biopose_sim.bodies.markers import virtual_markers
from biopose_sim.bodies.phenotypes import Sex, sample_adults, stature
from biopose_sim.bodies.types import BodySequence
from biopose_sim.ik.types import KinematicsResult
from biopose_sim.io import Trial
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.synthetic import (
    body_motion,
    frame_times,
    gait_coordinates,
    markers_from_coordinates,
    random_anthropometry,
    recorded,
    static_pose,
)

Array = NDArray[np.float64]
RATE = 100.0  # [Hz]
_SHORTEST_SEGMENT = 0.05  # [m] below which joints are parts of one compound joint


@dataclass(frozen=True)
class Walker:
    """A person of known size and motion.

    Attributes:
        generic: the model that fits start from.
        model: scaled to the person.
        scales: factors relative to the generic model, shape (n_bodies, 3).
        coordinates: true coordinates per trial name, shape (T, n_q) [rad | m].
        trials: what cameras recorded.
    """

    generic: OsimModel
    model: OsimModel
    scales: Array
    coordinates: dict[str, Array]
    trials: tuple[Trial, ...]


@dataclass(frozen=True)
class BodyWalker:
    """An Anny body that stands and walks.

    Attributes:
        sex: ``"female"`` or ``"male"``.
        stature: [m].
        sequences: the body's motions, standing first.
        coordinates: what drove the body, per name, shape (T, n_q) [rad | m]; not its angles, as its legs are its own.
        true_markers: the virtual markers without noise, by name.
        trials: what cameras recorded of them.
    """

    sex: str
    stature: float
    sequences: tuple[BodySequence, ...]
    coordinates: dict[str, Array]
    true_markers: dict[str, Trial]
    trials: tuple[Trial, ...]


def make_body_walker(model_path: Path, *, seed: int, noise: float, gaps: float, seconds: float) -> BodyWalker:
    """Draw an adult body, let it stand a second and walk, and record its virtual markers.

    Args:
        model_path: generic model, of which the gait is made.
        seed: same seed, same person and recordings; odd numbers are men, even ones women.
        noise: standard deviation of the markers, per axis [m].
        gaps: share of marker samples that are missing.
        seconds: length of the walk [s].
    """
    generic = OsimModel.from_file(model_path)
    sex: Sex = "male" if seed % 2 else "female"
    phenotypes = sample_adults(1, seed, sex)[0]
    coordinates = {
        "static": np.tile(static_pose(generic), (len(frame_times(1.0, RATE)), 1)),
        "walk": gait_coordinates(generic, seconds, RATE),
    }
    sequences = tuple(body_motion(generic, q, RATE, phenotypes, name) for name, q in coordinates.items())
    true = {sequence.name: virtual_markers(sequence) for sequence in sequences}
    trials = tuple(
        recorded(trial, noise=noise, gap_fraction=gaps, seed=seed + k) for k, trial in enumerate(true.values())
    )
    return BodyWalker(sex, float(stature(phenotypes)), sequences, coordinates, true, trials)


def make_walker(
    model_path: Path, *, seed: int, noise: float, gaps: float, seconds: float, generic: OsimModel | None = None
) -> Walker:
    """Draw a person and record a second of standing and some of walking.

    Args:
        model_path: generic model.
        generic: the same with other markers, if they are wanted.
        seed: same seed, same person and recordings.
        noise: standard deviation of the markers, per axis [m].
        gaps: share of marker samples that are missing.
        seconds: length of the walk [s].
    """
    generic = generic or OsimModel.from_file(model_path)
    scales = random_anthropometry(generic, np.random.default_rng(seed))
    person = generic.scale(scales)
    times = {"static": frame_times(1.0, RATE), "walk": frame_times(seconds, RATE)}
    coordinates = {
        "static": np.tile(static_pose(person), (len(times["static"]), 1)),
        "walk": gait_coordinates(person, seconds, RATE),
    }
    trials = tuple(
        markers_from_coordinates(person, q, times[name], name=name, noise=noise, gap_fraction=gaps, seed=seed + k)
        for k, (name, q) in enumerate(coordinates.items())
    )
    return Walker(generic, person, scales, coordinates, trials)


def segment_errors(fitted: OsimModel, true: OsimModel) -> dict[str, float]:
    """Relative error of the distance between neighbouring joint centres, by the segment between them.

    Both models stand in their default pose. Of several joints on one segment (pelvis, thorax) the largest
    error counts.
    """
    joints = fitted.model.joints
    child = {joint.child.body: i for i, joint in enumerate(joints)}
    centers = [model(model.default_coordinates).joint_centers.detach().numpy() for model in (fitted, true)]
    errors: dict[str, float] = {}
    for i, joint in enumerate(joints):
        start = child.get(joint.parent.body)
        if start is None or joint.child.body.startswith("patella"):
            continue
        ours, known = (float(np.linalg.norm(c[i] - c[start])) for c in centers)
        if known > _SHORTEST_SEGMENT:
            segment = joint.parent.body
            errors[segment] = max(errors.get(segment, 0.0), abs(ours / known - 1.0))
    return errors


def marker_errors_to_truth(result: KinematicsResult, walker: Walker) -> Array:
    """Distance of the fitted model's markers from the true ones, without noise, shape (T, M) [m]."""
    import torch

    with torch.no_grad():
        true = walker.model(torch.from_numpy(walker.coordinates[result.name])).markers.numpy()
    columns = [walker.model.marker_names.index(name) for name in result.marker_names]
    return np.linalg.norm(result.model_markers - true[:, columns], axis=2)
