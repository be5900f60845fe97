"""OpenSim function elements to schema functions; an unknown type is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from biopose_sim.errors import InputError
from biopose_sim.osim import schema
from biopose_sim.osim.xml import Element, number, numbers

_XY_FUNCTIONS: dict[str, Callable[..., schema.Function]] = {
    "SimmSpline": schema.SimmSpline,
    "NaturalCubicSpline": schema.SimmSpline,  # the name of SimmSpline before OpenSim 3
    "PiecewiseLinearFunction": schema.PiecewiseLinearFunction,
    "PiecewiseConstantFunction": schema.PiecewiseConstantFunction,
}
SUPPORTED = (
    "Constant, LinearFunction, PolynomialFunction, SimmSpline, PiecewiseLinearFunction, "
    "PiecewiseConstantFunction, GCVSpline, Sine, StepFunction, MultiplierFunction"
)


_KINDS = frozenset([*SUPPORTED.split(", "), *_XY_FUNCTIONS])


def parse_function(element: Element, owner: str, source: Path) -> schema.Function:
    """Parse one function element of ``owner`` (named in errors).

    Raises:
        InputError: an unsupported type, or data that do not make a function.
    """
    kind = element.tag
    if kind in _XY_FUNCTIONS:
        x, y = _points(element, owner, source)
        return _XY_FUNCTIONS[kind](x, y)
    if kind == "Constant":
        return schema.Constant(number(element, "value", source, 0.0))
    if kind == "LinearFunction":
        return _linear(element, owner, source)
    if kind == "PolynomialFunction":
        return schema.PolynomialFunction(numbers(element, "coefficients", source, (1.0,)))
    if kind == "GCVSpline":
        return _gcv_spline(element, owner, source)
    if kind == "Sine":
        values = [number(element, tag, source, d) for tag, d in _SINE]
        return schema.Sine(*values)
    if kind == "StepFunction":
        return _step(element, owner, source)
    if kind == "MultiplierFunction":
        inner = held_function(element)
        if inner is None:
            raise InputError(source, f"the MultiplierFunction of {owner} multiplies nothing", "give it a function")
        return schema.MultiplierFunction(number(element, "scale", source, 1.0), parse_function(inner, owner, source))
    raise InputError(source, f"{owner} uses the function type {kind}", f"supported are {SUPPORTED}")


def held_function(element: Element, tag: str = "function") -> Element | None:
    """The function that ``element`` holds as ``tag``: inside of it, or named so; None when absent."""
    holder = element.find(tag)
    if holder is not None and len(holder):
        return holder[0]
    return next((child for child in element if child.get("name") == tag or child.tag in _KINDS), None)


def is_function(tag: str) -> bool:
    """Whether elements of this tag are functions."""
    return tag in _KINDS


_SINE = (("amplitude", 1.0), ("omega", 1.0), ("phase", 0.0), ("offset", 0.0))
# The names and defaults of OpenSim's StepFunction.cpp.
_STEP = (
    ("transition_start_time", 0.99),
    ("transition_end_time", 1.01),
    ("start_value", 0.0),
    ("end_value", 1.0),
)


def _points(element: Element, owner: str, source: Path) -> tuple[tuple[float, ...], tuple[float, ...]]:
    x, y = numbers(element, "x", source), numbers(element, "y", source)
    if len(x) != len(y) or len(x) < 2:
        raise InputError(
            source,
            f"the {element.tag} of {owner} has {len(x)} x and {len(y)} y values",
            "two or more of each, equally many, are needed",
        )
    strictly = element.tag == "GCVSpline"
    if any(b < a or (strictly and a == b) for a, b in pairwise(x)):
        raise InputError(source, f"the x values of the {element.tag} of {owner} do not increase", "sort its points")
    return x, y


def _linear(element: Element, owner: str, source: Path) -> schema.LinearFunction:
    coefficients = numbers(element, "coefficients", source, (1.0, 0.0))
    if len(coefficients) < 2:
        raise InputError(
            source, f"the LinearFunction of {owner} has one coefficient", "slopes and intercept are needed"
        )
    return schema.LinearFunction(coefficients)


def _step(element: Element, owner: str, source: Path) -> schema.StepFunction:
    start, end, start_value, end_value = (number(element, tag, source, default) for tag, default in _STEP)
    if start == end:
        raise InputError(source, f"the StepFunction of {owner} starts and ends at {start:g}", "they must differ")
    if start > end:
        return schema.StepFunction(end, start, end_value, start_value)
    return schema.StepFunction(start, end, start_value, end_value)


def _gcv_spline(element: Element, owner: str, source: Path) -> schema.GCVSpline:
    x, y = _points(element, owner, source)
    half_order = int(number(element, "half_order", source, 0.0))
    if not 1 <= half_order <= 4 or len(x) < 2 * half_order:
        raise InputError(
            source,
            f"the GCVSpline of {owner} has half_order {half_order} and {len(x)} points",
            "half_order is 1 to 4 and needs twice as many points",
        )
    variance = number(element, "error_variance", source, 0.0)
    if variance != 0.0:
        raise InputError(
            source,
            f"the GCVSpline of {owner} has error_variance {variance:g}, a smoothing fit",
            "an interpolating one (error_variance 0) is needed",
        )
    return schema.GCVSpline(x, y, half_order, variance)


def check_arguments(function: schema.Function, count: int, owner: str, source: Path) -> None:
    """Raise InputError when the function of ``owner`` does not take ``count`` coordinates."""
    while isinstance(function, schema.MultiplierFunction):
        function = function.function
    if isinstance(function, schema.Constant):
        return
    expected = len(function.coefficients) - 1 if isinstance(function, schema.LinearFunction) else 1
    if count != expected:
        raise InputError(
            source,
            f"{owner} gives {count} coordinates to a {type(function).__name__} of {expected} arguments",
        )
