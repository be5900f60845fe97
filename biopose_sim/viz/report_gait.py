"""The part of a report on gait: strides, spatiotemporal parameters, joint angles with the bands of healthy people."""

from __future__ import annotations

import math

from biopose_sim.gait.angles import gait_angles
from biopose_sim.gait.events import find_events
from biopose_sim.gait.feet import feet_in_motion
from biopose_sim.gait.normative import PEOPLE, SOURCE, normative_bands
from biopose_sim.gait.parameters import PARAMETERS, GaitParameters, Parameter, Statistic, gait_parameters
from biopose_sim.gait.types import GaitEvents
from biopose_sim.ik.types import KinematicsResult
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.viz._html import Html, element, join, picture, table
from biopose_sim.viz.gait_figures import plot_foot_contacts, plot_gait_angles

DASH = "–"
# Of these the sides are compared.
_COMPARED = ("step_length", "step_time", "stance", "swing", "single_support")
_EXPLAINED = (
    "A stride lasts from one strike of a foot to its next. The table gives mean ± standard deviation over the strides. "
    "Asymmetry: difference of the sides in percent of their mean (Robinson et al. 1987); a few percent are usual."
)
_CURVES = (
    "Each panel shows an angle from one strike of the foot (0 %) to its next (100 %); thin: single strides, bold: "
    "their mean, dashed: foot-off."
)
_BANDS = (
    f"Grey: {PEOPLE}, mean ± 1 and ± 2 standard deviations ({SOURCE}). Angles depend on walking speed: slower walking "
    "has smaller peaks. Offsets of a few degrees, above all of pelvic tilt and of hip and foot rotation, may come from "
    "other definitions of the axes; the shape of a curve tells more than its offset."
)


def gait_of(model: OsimModel, result: KinematicsResult, given: GaitEvents | None = None) -> tuple[GaitEvents, Html]:
    """Find the gait in a trial and return it with its part of the report; empty HTML where there is none.

    Args:
        model: the (scaled) model.
        result: its coordinates.
        given: events that are known already, from measured force say.
    """
    events = find_events(model, result) if given is None else given
    feet = feet_in_motion(model, result) if events.cycles else None
    if feet is None:
        return events, Html("")
    parameters = gait_parameters(feet, events)
    walking = events.kind == "walking"
    angles = gait_angles(model, result, feet)
    span = (float(result.time[0]), float(result.time[-1]))
    figure = plot_gait_angles(result.time, angles, events, normative_bands() if walking else None)
    texts = [_CURVES, _BANDS if walking else "The bands of healthy people are of walking, and so not drawn here."]
    parts = [
        element("p", _found(events, parameters)),
        parameter_table(parameters),
        element("p", _EXPLAINED, css="soft"),
        picture(plot_foot_contacts(events, span), f"{result.name}: when the feet are on the floor"),
        picture(figure, f"{result.name}: joint angles over the gait cycle", dpi=120),
        *(element("p", text, css="soft") for text in texts),
    ]
    return events, join(parts)


def _found(events: GaitEvents, parameters: GaitParameters) -> str:
    counts = [f"{len(events.of(side))} of the {word} leg" for side, word in (("r", "right"), ("l", "left"))]
    count = len(events.cycles)
    start = f"{events.kind.capitalize()}: {count} whole stride{'s' if count > 1 else ''}, {' and '.join(counts)}"
    way = f", on a treadmill at {parameters.belt:.2f} m/s" if parameters.belt is not None else ""
    timed = "where forces were measured by them" if events.source == "force" else "from the motion of the feet"
    few = " So few tell little: record more to judge a person's gait." if count < 6 else ""
    return f"{start}{way}. Strikes and foot-offs were found {timed}.{few}"


def parameter_table(parameters: GaitParameters) -> Html:
    """A row per parameter: right, left, asymmetry and what it means."""
    rows: list[list[object]] = []
    for parameter in PARAMETERS:
        sides = parameters.by_side.get(parameter.name)
        if not sides:
            continue
        cells = [_cell(parameter, sides.get(side)) for side in "rl"]
        index = parameters.asymmetry(parameter.name) if parameter.name in _COMPARED else None
        difference = DASH if index is None else f"{index:.0f} %"
        rows.append([parameter.label, parameter.meaning, parameter.unit, *cells, difference])
    return table(["Parameter", "Meaning", "Unit", "Right", "Left", "Asymmetry"], rows, names=3)


def _cell(parameter: Parameter, value: Statistic | None) -> str:
    if value is None:
        return DASH
    mean, sd = parameter.scale * value.mean, parameter.scale * value.sd
    spread = "" if math.isnan(sd) else f" ± {sd:.{parameter.digits}f}"
    return f"{mean:.{parameter.digits}f}{spread}"
