"""Every OpenSim function as a piecewise polynomial (or a sine) of a weighted sum of coordinates.

All functions that a joint or coupler may use are piecewise polynomials: constants, lines, polynomials,
cubic and natural splines, steps. One representation means one evaluation, one derivative and one kernel.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from biopose_sim.errors import InputError
from biopose_sim.osim import schema

Array = NDArray[np.float64]
_TINY = 1e-7  # SimmSpline's TINY_NUMBER: the least distance between two abscissae


@dataclass(frozen=True, eq=False)
class ScalarFunction:
    """f(x) of one argument x = sum(weights * coordinates).

    Piece ``i`` holds for ``breaks[i - 1] <= x < breaks[i]`` with value
    ``sum_k coefficients[i, k] * (x - origins[i]) ** k``. When ``sine`` is set (amplitude, omega, phase,
    offset), the value is that sine instead.
    """

    weights: tuple[float, ...]
    breaks: Array
    origins: Array
    coefficients: Array
    sine: tuple[float, float, float, float] | None = None

    @property
    def is_constant(self) -> bool:
        """Whether the value does not depend on any coordinate."""
        return self.sine is None and self.coefficients.shape == (1, 1)

    @property
    def is_linear(self) -> bool:
        """Whether the function is one straight line."""
        return self.sine is None and len(self.breaks) == 0 and self.coefficients.shape[1] <= 2

    def scaled(self, factor: float) -> ScalarFunction:
        """Return factor * f."""
        sine = None
        if self.sine is not None:
            a, omega, phase, offset = self.sine
            sine = (a * factor, omega, phase, offset * factor)
        return replace(self, coefficients=self.coefficients * factor, sine=sine)

    def __call__(self, x: Array) -> Array:
        """Evaluate at arguments x of any shape."""
        x = np.asarray(x, dtype=float)
        if self.sine is not None:
            a, omega, phase, offset = self.sine
            return a * np.sin(omega * x + phase) + offset
        piece = np.searchsorted(self.breaks, x, side="right")
        dx = x - self.origins[piece]
        value = np.zeros_like(dx)
        for k in range(self.coefficients.shape[1] - 1, -1, -1):
            value = value * dx + self.coefficients[piece, k]
        return value

    def derivative(self, x: Array) -> Array:
        """Derivative in the argument at x of any shape."""
        x = np.asarray(x, dtype=float)
        if self.sine is not None:
            a, omega, phase, _ = self.sine
            return a * omega * np.cos(omega * x + phase)
        piece = np.searchsorted(self.breaks, x, side="right")
        dx = x - self.origins[piece]
        slope = np.zeros_like(dx)
        for k in range(self.coefficients.shape[1] - 1, 0, -1):
            slope = slope * dx + k * self.coefficients[piece, k]
        return slope


def _polynomial(coefficients: list[float], weights: tuple[float, ...] = (1.0,)) -> ScalarFunction:
    return ScalarFunction(weights, np.empty(0), np.zeros(1), np.array([coefficients], dtype=float))


def sine_function(
    weights: tuple[float, ...], amplitude: float, omega: float, phase: float, offset: float = 0.0
) -> ScalarFunction:
    """amplitude * sin(omega * sum(weights * coordinates) + phase) + offset."""
    return ScalarFunction(weights, np.empty(0), np.zeros(1), np.zeros((1, 1)), (amplitude, omega, phase, offset))


@lru_cache(maxsize=4096)
def to_scalar_function(function: schema.Function, owner: str = "function") -> ScalarFunction:
    """Convert a schema function; ``owner`` is named in errors.

    Raises:
        InputError: a function that cannot be evaluated exactly (a smoothing GCVSpline).
    """
    match function:
        case schema.Constant(value):
            return _polynomial([value], ())
        case schema.LinearFunction(coefficients):
            *slopes, intercept = coefficients
            if len(slopes) == 1:
                return _polynomial([intercept, slopes[0]])
            return _polynomial([intercept, 1.0], tuple(slopes))
        case schema.PolynomialFunction(coefficients):
            return _polynomial(list(reversed(coefficients)))
        case schema.SimmSpline(x, y):
            return _simm_spline(np.array(x), np.array(y))
        case schema.PiecewiseLinearFunction(x, y):
            return _piecewise_linear(np.array(x), np.array(y))
        case schema.PiecewiseConstantFunction(x, y):
            knots = np.array(x[1:])
            return ScalarFunction((1.0,), knots, np.zeros(len(x)), np.array(y, dtype=float)[:, None])
        case schema.GCVSpline(x, y, half_order, error_variance):
            if error_variance != 0.0:
                raise InputError(
                    owner,
                    f"has a GCVSpline with error_variance {error_variance:g}, a smoothing fit",
                    "an interpolating GCVSpline (error_variance 0) is needed",
                )
            return _natural_spline(np.array(x), np.array(y), half_order)
        case schema.Sine(amplitude, omega, phase, offset):
            return sine_function((1.0,), amplitude, omega, phase, offset)
        case schema.StepFunction():
            return _step(function)
        case schema.MultiplierFunction(scale, inner):
            return to_scalar_function(inner, owner).scaled(scale)
    raise InputError(owner, f"function type {type(function).__name__} is not supported")


def _simm_spline(x: Array, y: Array) -> ScalarFunction:
    """OpenSim's SimmSpline (Common/SimmSpline.cpp): Forsythe, Malcolm & Moler (1977) end conditions."""
    b, c, d = _simm_coefficients(x, y)
    n = len(x)
    inner = np.column_stack([y, b, c, d])[: n - 1]
    below = np.array([[y[0], b[0], 0.0, 0.0]])
    above = np.array([[y[-1], b[-1], 0.0, 0.0]])
    return ScalarFunction((1.0,), x, np.concatenate([x[:1], x[:-1], x[-1:]]), np.concatenate([below, inner, above]))


def _simm_coefficients(x: Array, y: Array) -> tuple[Array, Array, Array]:
    n = len(x)
    h = np.maximum(_TINY, np.diff(x))
    slope = np.diff(y) / h
    if n == 2:
        return np.repeat(slope, 2), np.zeros(2), np.zeros(2)
    diagonal = np.empty(n)
    diagonal[0], diagonal[-1] = -h[0], -h[-1]
    diagonal[1:-1] = 2.0 * (h[:-1] + h[1:])
    right = np.zeros(n)
    right[1:-1] = np.diff(slope)
    if n > 3:
        right[0] = right[2] / max(_TINY, x[3] - x[1]) - right[1] / max(_TINY, x[2] - x[0])
        right[-1] = right[-2] / max(_TINY, x[-1] - x[-3]) - right[-3] / max(_TINY, x[-2] - x[-4])
        right[0] *= h[0] ** 2 / max(_TINY, x[3] - x[0])
        right[-1] *= -(h[-1] ** 2) / max(_TINY, x[-1] - x[-4])
    for i in range(1, n):
        t = h[i - 1] / diagonal[i - 1]
        diagonal[i] -= t * h[i - 1]
        right[i] -= t * right[i - 1]
    c = np.empty(n)
    c[-1] = right[-1] / diagonal[-1]
    for i in range(n - 2, -1, -1):
        c[i] = (right[i] - h[i] * c[i + 1]) / diagonal[i]
    b = np.empty(n)
    b[:-1] = slope - h * (c[1:] + 2.0 * c[:-1])
    b[-1] = slope[-1] + h[-1] * (c[-2] + 2.0 * c[-1])
    d = np.append(np.diff(c) / h, 0.0)
    return b, 3.0 * c, d


def _piecewise_linear(x: Array, y: Array) -> ScalarFunction:
    slope = np.diff(y) / np.maximum(_TINY, np.diff(x))
    return ScalarFunction((1.0,), x[1:-1], x[:-1], np.column_stack([y[:-1], slope]))


def _natural_spline(x: Array, y: Array, half_order: int) -> ScalarFunction:
    """Interpolating natural spline of degree 2m - 1: derivatives m .. 2m - 2 vanish at both ends."""
    from scipy.interpolate import PPoly, make_interp_spline

    degree = 2 * half_order - 1
    ends = [(order, 0.0) for order in range(half_order, degree)]
    spline = make_interp_spline(x, y, k=degree, bc_type=(ends, ends) if ends else None)
    # Taylor coefficients at both ends and at the interior knots; beyond the ends degree m - 1 remains.
    pieces = PPoly.from_spline(spline)
    inside = (pieces.x[:-1] < pieces.x[1:]) & (pieces.x[:-1] >= x[0]) & (pieces.x[1:] <= x[-1])
    inner = pieces.c[::-1, inside].T
    starts = pieces.x[:-1][inside]
    end = np.zeros(degree + 1)
    begin = np.zeros(degree + 1)
    factorial = 1.0
    for order in range(half_order):
        factorial *= max(order, 1)
        begin[order] = spline(x[0], nu=order) / factorial
        end[order] = spline(x[-1], nu=order) / factorial
    return ScalarFunction(
        (1.0,),
        np.append(starts, x[-1]),
        np.concatenate([x[:1], starts, x[-1:]]),
        np.concatenate([begin[None], inner, end[None]]),
    )


def _step(function: schema.StepFunction) -> ScalarFunction:
    """SimTK::Function::Step: y0 + (y1 - y0) (10 s^3 - 15 s^4 + 6 s^5)."""
    width, rise = function.end - function.start, function.end_value - function.start_value
    coefficients = np.zeros((3, 6))
    coefficients[0, 0], coefficients[2, 0] = function.start_value, function.end_value
    coefficients[1, 0] = function.start_value
    for power, factor in ((3, 10.0), (4, -15.0), (5, 6.0)):
        coefficients[1, power] = rise * factor / width**power
    return ScalarFunction(
        (1.0,),
        np.array([function.start, function.end]),
        np.array([0.0, function.start, function.end]),
        coefficients,
    )
