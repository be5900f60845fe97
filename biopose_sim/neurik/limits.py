"""Coordinates within their ranges, in memory and as written."""

from __future__ import annotations

import numpy as np
import torch

from biopose_sim.ik.types import Array
from biopose_sim.neurik.skeleton import Skeleton

# Motion files round to 8 decimals [deg | m]; a coordinate stays that far inside its range.
_MARGIN = 1e-8


def within_ranges(skeleton: Skeleton, coordinates: Array) -> Array:
    """Return coordinates (T, n_q) [rad | m] inside the ranges that the model clamps, dependent ones computed.

    A root that floats has no limits: a person may be and face anywhere.
    """
    tree = skeleton.model.tree
    bounded = tree.clamped.copy()
    bounded[list(skeleton.root_coordinates)] = False
    low, high = np.where(bounded[:, None], tree.ranges + np.array([_MARGIN, -_MARGIN]), [-np.inf, np.inf]).T
    with torch.no_grad():
        inside = torch.from_numpy(np.clip(coordinates, low, high))
        return skeleton.model(inside).coordinates.numpy()
