"""Poses for the tests of NeurIK."""

from __future__ import annotations

import numpy as np
import torch


def some_coordinates(skeleton, shape=(2, 5), seed=0):
    """Random coordinates (..., n_q) within ranges, dependent ones computed."""
    rng = np.random.default_rng(seed)
    low, high = np.clip(skeleton.model.tree.ranges, -1.2, 1.2).T
    q = torch.tensor(rng.uniform(low, high, (*shape, len(low))), dtype=torch.float32)
    return skeleton.model(q).coordinates
