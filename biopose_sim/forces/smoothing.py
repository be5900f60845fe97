"""Smoothing of trajectories whose derivatives are wanted, with a cut-off that may change."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def smooth(time: Array, values: Array, cutoff_hz: float | Array) -> Array:
    """Smooth trajectories by a penalty on their third derivative.

    For an even clock and one cut-off this is the quintic smoothing spline, whose gain 1 / (1 + (f / cutoff)^6) is that
    of a Butterworth filter of third order run forth and back (Woltring 1985, Hum. Mov. Sci. 4:229); unlike that filter
    it needs no padding at the ends and lets the cut-off change over time.

    Args:
        time: (T,) strictly increasing [s].
        values: (T, ...).
        cutoff_hz: where the gain is a half [Hz]; one, or (T,) of each frame.

    Returns:
        (T, ...).
    """
    from scipy import sparse
    from scipy.sparse.linalg import splu

    count = len(time)
    if count < 5:
        return values.copy()
    third = _third_derivative(time)
    cutoff = np.broadcast_to(np.asarray(cutoff_hz, dtype=float), (count,))
    local = 0.5 * (cutoff[1:-2] + cutoff[2:-1])
    system = sparse.identity(count) + third.T @ sparse.diags((2.0 * np.pi * local) ** -6) @ third
    smoothed = splu(system.tocsc()).solve(np.ascontiguousarray(values.reshape(count, -1)))
    return np.asarray(smoothed).reshape(values.shape)


def derivative(time: Array, values: Array, order: int) -> Array:
    """Derivative of the quintic spline through smooth values, (T, ...) -> (T, ...), at the same times."""
    from scipy.interpolate import make_interp_spline

    degree = min(5, (len(time) - 1) // 2 * 2 + 1)
    if degree <= order:
        return np.zeros_like(values)
    return np.asarray(make_interp_spline(time, values, k=degree, axis=0).derivative(order)(time))


def _third_derivative(time: Array) -> Any:  # a sparse matrix of scipy, which has no types
    """The third derivative by divided differences, sparse (T - 3, T)."""
    from scipy import sparse

    places, product = time, sparse.identity(len(time), format="csr")
    for _ in range(3):
        gap = np.diff(places)
        shape = (len(gap), len(gap) + 1)
        product = sparse.diags([-1.0 / gap, 1.0 / gap], [0, 1], shape=shape, format="csr") @ product
        places = 0.5 * (places[1:] + places[:-1])
    return product
