"""Poses from which a body is scaled, the same for all bodies: at rest, and a range of motion.

A body model can take any pose, so its size need not be guessed from what a person happens to do: the same poses make
sizes and marker offsets a function of the shape alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from biopose_sim.bodies.types import ANNY_AXES, BodySequence
from ik_pipeline.scaling_trials import RANGE_OF_MOTION
from ik_pipeline.sources.cmu_takes import Take, read_take
from ik_pipeline.types import TrialSpec

AT_REST, POSES = "at_rest", "range_of_motion"
# Takes of the range of motion, and frames of each.
_TAKES, _FRAMES = 16, 6
_RATE = 30.0
_REST_FRAMES = 10


def scaling_trials(takes: Sequence[Take], about: Mapping[str, Any]) -> tuple[TrialSpec, ...]:
    """Return a person's trials for scaling.

    Args:
        takes: from which poses are taken, spread evenly.
        about: details of the person that `pose_sequence` needs (``phenotypes``).
    """
    rows = np.linspace(0, len(takes) - 1, min(_TAKES, len(takes))).round().astype(int)
    files = tuple(takes[row].file for row in rows)
    details = {**about, "first": [takes[row].first for row in rows], "rate": _RATE}
    return (
        TrialSpec(
            AT_REST, (), {**about, "pose": AT_REST, "frames": _REST_FRAMES, "rate": _RATE}, "static pose at rest"
        ),
        TrialSpec(POSES, files, {**details, "pose": POSES, "frames": _FRAMES * len(files)}, RANGE_OF_MOTION),
    )


def pose_sequence(trial: TrialSpec) -> BodySequence:
    """Return the body in the poses of one of :func:`scaling_trials`."""
    phenotypes = np.array(trial.details["phenotypes"])
    if trial.details["pose"] == AT_REST:
        return _at_rest(phenotypes)
    return replace(_range_of_motion(trial.files, tuple(trial.details["first"])), shape=phenotypes)


def _at_rest(phenotypes: np.ndarray) -> BodySequence:
    from biopose_sim.bodies.retarget_rig import rig_of

    heads = rig_of(phenotypes).heads
    rotations = np.broadcast_to(np.eye(3), (_REST_FRAMES, len(heads), 3, 3)).copy()
    return BodySequence(
        AT_REST,
        "anny",
        np.arange(_REST_FRAMES) / _RATE,
        rotations,
        np.tile(heads[0], (_REST_FRAMES, 1)),
        phenotypes,
        to_ground=ANNY_AXES,
    )


# One set of poses serves all persons of a run.
@lru_cache(maxsize=2)
def _range_of_motion(files: tuple[Path, ...], first: tuple[int, ...]) -> BodySequence:
    from biopose_sim.bodies.retarget import retarget
    from ik_pipeline.calibration_data import MEAN_ADULT, sample_poses

    sequences = []
    for file, start in zip(files, first):
        bvh = read_take(file)
        sequences.append(retarget(bvh, MEAN_ADULT, limit=(start, bvh.n_frames), fps=_RATE))
    return replace(sample_poses(sequences, _FRAMES * len(files)), name=POSES)
