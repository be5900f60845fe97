"""OpenSim function elements to schema functions; an unknown type is refused by name."""

from __future__ import annotations

from pathlib import Path

from biopose_sim.errors import InputError
from biopose_sim.osim import schema
from biopose_sim.osim.xml import Element, number, numbers

_XY_FUNCTIONS = {
    "SimmSpline": schema.SimmSpline,
    "NaturalCubicSpline": schema.SimmSpline,  # the name of SimmSpline before OpenSim 3
    "PiecewiseLinearFunction": schema.PiecewiseLinearFunction,
    "PiecewiseConstantFunction": schema.PiecewiseConstantFunction,
}
SUPPORTED = (
    "Constant, LinearFunction, PolynomialFunction, SimmSpline, PiecewiseLinearFunction, "
    "PiecewiseConstantFunction, GCVSpline, Sine, StepFunction, MultiplierFunction"
)


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
        return schema.LinearFunction(numbers(element, "coefficients", source, (1.0, 0.0)))
    if kind == "PolynomialFunction":
        return schema.PolynomialFunction(numbers(element, "coefficients", source, (1.0,)))
    if kind == "GCVSpline":
        return _gcv_spline(element, owner, source)
    if kind == "Sine":
        values = [number(element, tag, source, d) for tag, d in _SINE]
        return schema.Sine(*values)
    if kind == "StepFunction":
        values = [number(element, tag, source, d) for tag, d in _STEP]
        return schema.StepFunction(*values)
    if kind == "MultiplierFunction":
        holder = element.find("function")
        inner = holder[0] if holder is not None and len(holder) else None
        if inner is None:
            inner = next((child for child in element if child.get("name") == "function"), None)
        if inner is None:
            raise InputError(source, f"the MultiplierFunction of {owner} multiplies nothing")
        return schema.MultiplierFunction(
            number(element, "scale", source, 1.0), parse_function(inner, owner, source)
        )
    raise InputError(source, f"{owner} uses the function type {kind}", f"supported are {SUPPORTED}")


_SINE = (("amplitude", 1.0), ("omega", 1.0), ("phase", 0.0), ("offset", 0.0))
_STEP = (("start_time", 0.0), ("end_time", 1.0), ("start_value", 0.0), ("end_value", 1.0))


def _points(element: Element, owner: str, source: Path) -> tuple[tuple[float, ...], tuple[float, ...]]:
    x, y = numbers(element, "x", source), numbers(element, "y", source)
    if len(x) != len(y) or len(x) < 2:
        raise InputError(
            source,
            f"the {element.tag} of {owner} has {len(x)} x and {len(y)} y values",
            "two or more of each, equally many, are needed",
        )
    if any(b < a for a, b in zip(x, x[1:])):
        raise InputError(source, f"the x values of the {element.tag} of {owner} do not increase")
    return x, y


def _gcv_spline(element: Element, owner: str, source: Path) -> schema.GCVSpline:
    x, y = _points(element, owner, source)
    half_order = int(number(element, "half_order", source, 3.0))
    if not 1 <= half_order <= 4 or len(x) < 2 * half_order:
        raise InputError(
            source,
            f"the GCVSpline of {owner} has half_order {half_order} and {len(x)} points",
            "half_order is 1 to 4 and needs twice as many points",
        )
    return schema.GCVSpline(x, y, half_order, number(element, "error_variance", source, 0.0))
