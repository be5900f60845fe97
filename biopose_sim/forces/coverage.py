"""When the measured forces carry the person: feet may stand beside the plates."""

from __future__ import annotations

import numpy as np

from biopose_sim.forces import momentum
from biopose_sim.forces.contact import episodes
from biopose_sim.forces.types import GRAVITY, GroundReaction
from biopose_sim.io import Motion
from biopose_sim.kinematics.model import OsimModel

_LACKING = 0.3  # of the body weight; estimates of the whole force are far better than that in walking
_SHORTEST = 0.1  # [s]
_CUTOFF_HZ = 6.0
_FEWEST = 12  # frames


def uncovered(reaction: GroundReaction, model: OsimModel, motion: Motion) -> tuple[str, ...]:
    """Say when the measured forces lack a good part of what the motion needs, and when they are all there.

    Mass times acceleration of the whole body is compared with the vertical force. What is missing becomes residual.

    Args:
        reaction: measured.
        model: the scaled model, with masses.
        motion: the coordinates, not filtered.

    Returns:
        A sentence, or nothing where the forces carry the person throughout.

    Raises:
        InputError: the model has no mass, or the motion does not belong to it.
    """
    time = motion.time
    if len(time) < _FEWEST:
        return ()
    parts = momentum.segments(model)
    needed = momentum.demand(parts, time, momentum.body_transforms(model, motion), _CUTOFF_HZ).force[:, 1]
    measured = np.interp(time, reaction.time, reaction.total[:, 1], left=0.0, right=0.0)
    lacking = needed - measured > _LACKING * parts.total * GRAVITY
    for start, end in episodes(lacking):
        if time[end - 1] - time[start] < _SHORTEST:
            lacking[start:end] = False
    if not lacking.any():
        return ()
    whole = episodes(~lacking)
    if not whole:
        return ("the measured forces carry the person at no time: check mass, units and times",)
    start, end = max(whole, key=lambda span: span[1] - span[0])
    first, last = time[start], time[end - 1]
    return (
        f"for {100.0 * lacking.mean():.0f} % of the trial the measured forces do not carry the person, and what lacks "
        f"becomes residual: they do from {first:.2f} to {last:.2f} s (--from {first:.2f} --to {last:.2f})",
    )
