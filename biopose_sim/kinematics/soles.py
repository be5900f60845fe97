"""Where the sole of a foot touches the floor: heel, ball and tip of the toes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from biopose_sim.kinematics.model import OsimModel

Array = NDArray[np.float64]

# Points of the sole in body axes of an unscaled foot [m]: 13 to 15 mm of skin and shoe below the bones'
# origins.
SOLE_POINTS = (("calcn", (0.0, -0.015, 0.0)), ("toes", (0.0, -0.013, 0.0)), ("toes", (0.065, -0.010, 0.0)))
# From the calcaneus to where a foot that has no toes would carry them [m].
_TO_TOES = np.array([0.1788, -0.002, 0.0])


def has_soles(model: OsimModel, side: str) -> bool:
    """Whether the model has a calcaneus ``calcn_<side>`` of the usual kind: origin at the heel, x to the toes."""
    return f"calcn_{side}" in model.body_names


def place_soles(model: OsimModel, transforms: Array, side: str) -> Array:
    """Return heel, ball and toe tip of a foot in ground, (T, n_bodies, 4, 4) -> (T, 3, 3) [m].

    A model without toes has ball and tip on the calcaneus.

    Args:
        model: the scaled model; :func:`has_soles` of it.
        transforms: ground <- body.
        side: ``"r"`` or ``"l"``.
    """
    bodies = model.body_names
    points = []
    for body, location in SOLE_POINTS:
        name, place = f"{body}_{side}", np.array(location)
        if name not in bodies:
            name, place = f"calcn_{side}", place + _TO_TOES
        index = bodies.index(name)
        place = place * model.scales[index]
        points.append(transforms[:, index, :3, :3] @ place + transforms[:, index, :3, 3])
    return np.stack(points, axis=1)
