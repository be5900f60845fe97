"""Functions of coordinates as flat arrays for the compiled kernel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from biopose_sim.osim.functions import ScalarFunction

LINE, PIECES, SINE = 0, 1, 2


def shifted(function: ScalarFunction, offset: float) -> ScalarFunction:
    """f(x + offset)."""
    if offset == 0.0:
        return function
    sine = function.sine
    if sine is not None:
        sine = (sine[0], sine[1], sine[2] + sine[1] * offset, sine[3])
    return ScalarFunction(
        function.weights, function.breaks - offset, function.origins - offset, function.coefficients, sine
    )


def function_arrays(functions: list[ScalarFunction]) -> dict[str, NDArray]:
    """Fields of a program that hold its functions."""
    n = len(functions)
    kind, table = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    line, sine = np.zeros((n, 2)), np.zeros((n, 4))
    pieces = [f for f in functions if f.sine is None and not f.is_linear]
    most = max((len(f.breaks) for f in pieces), default=0)
    degree = max((f.coefficients.shape[1] for f in pieces), default=1)
    n_breaks = np.array([len(f.breaks) for f in pieces], dtype=np.int64)
    breaks = np.full((len(pieces), most), np.inf)
    origins, coefficients = np.zeros((len(pieces), most + 1)), np.zeros((len(pieces), most + 1, degree))
    filled = 0
    for i, f in enumerate(functions):
        if f.sine is not None:
            kind[i], sine[i] = SINE, f.sine
        elif f.is_linear:
            slope = f.coefficients[0, 1] if f.coefficients.shape[1] == 2 else 0.0
            line[i] = f.coefficients[0, 0] - slope * f.origins[0], slope
        else:
            kind[i], table[i] = PIECES, filled
            breaks[filled, : len(f.breaks)] = f.breaks
            origins[filled, : len(f.origins)] = f.origins
            coefficients[filled, : len(f.origins), : f.coefficients.shape[1]] = f.coefficients
            filled += 1
    return {
        "kind": kind,
        "line": line,
        "table": table,
        "sine": sine,
        "n_breaks": n_breaks,
        "breaks": breaks,
        "origins": origins,
        "coefficients": coefficients,
    }
