"""Values and slopes of the functions of coordinates, over one block of frames; imports numba."""

from __future__ import annotations

import numpy as np

from biopose_sim.kinematics.fast_lanes import (
    LANES,
    add_multiple,
    at,
    fill,
    inlined,
    peek,
    pointer,
    poke,
    product,
    sine_cosine,
    step,
)
from biopose_sim.kinematics.fast_sincos import sincos
from biopose_sim.kinematics.fast_tables import CONSTANT, LINE, SINE


@step
def _line(argument, intercept, slope, value):
    for lane in range(LANES):
        poke(value, lane, intercept + slope * peek(argument, lane))


@step
def _sine(argument, parameters, value, slope):
    amplitude, omega = peek(parameters, 0), peek(parameters, 1)
    phase, offset = peek(parameters, 2), peek(parameters, 3)
    for lane in range(LANES):
        s, c = sincos(omega * peek(argument, lane) + phase)
        poke(value, lane, amplitude * s + offset)
        poke(slope, lane, amplitude * omega * c)


@step
def _find_pieces(argument, breaks, n_breaks, width, pieces):
    """Where the parameters of each lane's piece start; counting breaks needs no branches."""
    fill(pieces, 0, LANES)
    for k in range(n_breaks):
        limit = peek(breaks, k)
        for lane in range(LANES):
            poke(pieces, lane, np.int32(peek(pieces, lane) + np.int32(peek(argument, lane) >= limit)))
    for lane in range(LANES):
        poke(pieces, lane, np.int32(peek(pieces, lane) * width))


@step
def _polynomials(argument, parameters, pieces, n_coefficients, value, slope):
    """Value and slope of each lane's piece by Horner's rule; overwrites the argument."""
    fill(slope, 0.0, LANES)
    for lane in range(LANES):
        piece = peek(pieces, lane)
        poke(argument, lane, peek(argument, lane) - peek(parameters, piece))
        poke(value, lane, peek(parameters, piece + n_coefficients))
    for k in range(n_coefficients - 1, 0, -1):
        for lane in range(LANES):
            dx, v = peek(argument, lane), peek(value, lane)
            poke(slope, lane, peek(slope, lane) * dx + v)
            poke(value, lane, v * dx + peek(parameters, peek(pieces, lane) + k))


@inlined
def _evaluate(tables, f, pieces, w):
    """Value of function f and its slope by its argument."""
    kind, first, n_arguments = tables.functions[f, 0], tables.functions[f, 1], tables.functions[f, 2]
    parameters = at(pointer(tables.pool), tables.functions[f, 3])
    value, slope, argument = at(w.values, f * LANES), at(w.slopes, f * LANES), w.spare
    if kind == CONSTANT:
        fill(value, peek(parameters, 0), LANES)
        fill(slope, 0.0, LANES)
        return
    fill(argument, 0.0, LANES)
    for k in range(first, first + n_arguments):
        add_multiple(at(w.coordinates, tables.arguments[k] * LANES), tables.weights[k], argument)
    if kind == LINE:
        _line(argument, peek(parameters, 0), peek(parameters, 1), value)
        fill(slope, peek(parameters, 1), LANES)
    elif kind == SINE:
        _sine(argument, parameters, value, slope)
    else:
        n_breaks, n_coefficients = tables.functions[f, 4], tables.functions[f, 5]
        _find_pieces(argument, parameters, n_breaks, n_coefficients + 1, pointer(pieces))
        _polynomials(argument, at(parameters, n_breaks), pointer(pieces), n_coefficients, value, slope)


@step
def evaluate_functions(tables, pieces, w):
    """Complete the coordinates, evaluate all functions, and take sines and cosines of the rotations."""
    for k in range(len(tables.locked)):
        fill(at(w.coordinates, tables.locked[k] * LANES), tables.locked_values[k], LANES)
    n_couplers = len(tables.couplers)
    n_motions = len(tables.functions) - n_couplers
    for k in range(len(tables.functions)):
        # Couplers stand last in the tables but come first here, because they complete the coordinates.
        f = n_motions + k if k < n_couplers else k - n_couplers
        _evaluate(tables, f, pieces, w)
        if k < n_couplers:
            dependent = at(w.coordinates, tables.couplers[k] * LANES)
            product(at(w.values, f * LANES), at(w.grown, f * LANES), dependent)
    sine_cosine(w.values, w.sine, w.cosine, tables.sizes[2] * LANES)
