"""Curves over the gait cycle: 0 % is a foot's strike, 100 % its next."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from biopose_sim.gait.types import Cycle

Array = NDArray[np.float64]
PERCENT = np.arange(101.0)


def over_cycles(time: ArrayLike, values: ArrayLike, cycles: Sequence[Cycle]) -> Array:
    """Sample a signal at each percent of each cycle, linearly between frames.

    Args:
        time: (T,) strictly increasing [s].
        values: (T,) or (T, k).
        cycles: strides; those that leave the recording are left out.

    Returns:
        (n_cycles, 101) or (n_cycles, 101, k) in the signal's unit.
    """
    time, values = np.asarray(time, dtype=float), np.asarray(values, dtype=float)
    columns = values[:, None] if values.ndim == 1 else values
    slack = 1e-6 + (float(np.median(np.diff(time))) if len(time) > 1 else 0.0)
    whole = [c for c in cycles if time[0] - slack <= c.start and c.end <= time[-1] + slack]
    curves = np.empty((len(whole), len(PERCENT), columns.shape[1]))
    for curve, cycle in zip(curves, whole):
        moments = cycle.start + cycle.duration * PERCENT / 100.0
        for k, column in enumerate(columns.T):
            curve[:, k] = np.interp(moments, time, column)
    return curves[..., 0] if values.ndim == 1 else curves
