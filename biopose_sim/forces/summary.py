"""The figures of a simulation as a table: peaks of moments, forces and activations, residuals and a verdict."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from biopose_sim.forces.quality import Check, reserve_checks, residual_checks
from biopose_sim.forces.results import FRAMES, Results, side_of
from biopose_sim.forces.types import Simulation
from biopose_sim.io import atomic_write

Array = NDArray[np.float64]
SUMMARY = "summary.csv"
COLUMNS = ("quantity", "side", "name", "value", "unit", "time", "note")
_AXES = "xyz"


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes:
        quantity: what, e.g. "joint_moment_max".
        side: "r", "l" or "".
        name: coordinate, joint, muscle or body.
        value: in ``unit``.
        unit: "N", "N m", "N m/kg", "BW" (body weights), "%" or "" (activations, verdicts).
        time: when [s]; None where it is no moment in time.
        note: frame, limit, and what is to be said with care.
    """

    quantity: str
    side: str
    name: str
    value: float
    unit: str
    time: float | None = None
    note: str = ""


def summarise(folder: str | Path, simulation: Simulation) -> list[Row]:
    """All figures of a simulation; what was not computed has no rows.

    Args:
        folder: where ``simulation.json`` and the files that it names lie.
        simulation: what it says.

    Raises:
        InputError: a file that it names cannot be read.
    """
    results = Results(Path(folder), simulation)
    return [
        *_verdicts(results),
        *_residuals(results),
        *_moments(results),
        *_reactions(results),
        *_muscles(results),
        *_joints(results),
        *_reserves(results),
    ]


def write_summary(folder: str | Path, simulation: Simulation) -> Path:
    """Write ``summary.csv`` (:data:`COLUMNS`) into the simulation's folder and return its path.

    Raises:
        InputError: a file that the simulation names cannot be read, or the folder cannot be written to.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in summarise(folder, simulation):
        time = "" if row.time is None else f"{row.time:.3f}"
        writer.writerow([row.quantity, row.side, row.name, f"{row.value:.6g}", row.unit, time, row.note])
    return atomic_write(Path(folder) / SUMMARY, text.getvalue())


def _joined(*notes: str) -> str:
    return "; ".join(note for note in notes if note)


def _extremes(quantity: str, name: str, time: Array, values: Array, units: Sequence[tuple[str, float]], note: str = "",
              both: bool = True) -> Iterator[Row]:  # fmt: skip
    """Rows of the largest value, and of the smallest, in each unit (name, factor)."""
    for word, at in (("max", int(values.argmax())), ("min", int(values.argmin())))[: 2 if both else 1]:
        for unit, factor in units:
            value = factor * float(values[at])
            yield Row(f"{quantity}_{word}", side_of(name), name, value, unit, float(time[at]), note)


def _moments(results: Results) -> Iterator[Row]:
    table = results.joint_moments
    if table is None:
        return
    units = (("N m", 1.0), ("N m/kg", 1.0 / results.simulation.mass))
    for name in table.names:
        yield from _extremes("joint_moment", name, table.time, table.column(name), units, results.caution)


def _reactions(results: Results) -> Iterator[Row]:
    reaction = results.reaction
    if reaction is None:
        return
    units = (("N", 1.0), ("BW", 1.0 / results.body_weight))
    parts = [(foot.body, foot.force) for foot in reaction.feet] + [("all feet", reaction.total)]
    for name, force in parts:
        for axis, word in enumerate(_AXES):
            note = _joined(f"along ground {word}", results.caution)
            both = word != "y"
            yield from _extremes(f"ground_reaction_{word}", name, reaction.time, force[:, axis], units, note, both)


def _muscles(results: Results) -> Iterator[Row]:
    forces, activations = results.muscle_forces, results.activations
    for name in () if forces is None else forces.names:
        units = (("N", 1.0), ("BW", 1.0 / results.body_weight))
        yield from _extremes("muscle_force", name, forces.time, forces.column(name), units, results.caution, both=False)  # type: ignore[union-attr]
    for name in () if activations is None else activations.names:
        values = activations.column(name)  # type: ignore[union-attr]
        yield Row("activation_mean", side_of(name), name, float(values.mean()), "", None, results.caution)
        yield from _extremes("activation", name, activations.time, values, (("", 1.0),), results.caution, both=False)  # type: ignore[union-attr]


def _joints(results: Results) -> Iterator[Row]:
    units = (("N", 1.0), ("BW", 1.0 / results.body_weight))
    told: set[str] = set()
    for frame in FRAMES:
        for load in results.joint_loads(frame):
            if load.joint not in told:
                told.add(load.joint)
                note = _joined(f"resultant on {load.body}", results.caution)
                yield from _extremes("joint_reaction", load.joint, load.time, load.size, units, note, both=False)
            for axis, word in enumerate(_AXES):
                at = int(np.abs(load.force[:, axis]).argmax())
                where = "ground" if frame == "ground" else f"the {frame} {load.axes}"
                note = _joined(f"largest in size on {load.body}; axes of {where}", results.caution)
                quantity = f"joint_reaction_{word}_{frame}"
                value = float(load.force[at, axis]) / results.body_weight
                yield Row(quantity, side_of(load.joint), load.joint, value, "BW", float(load.time[at]), note)


def _residuals(results: Results) -> Iterator[Row]:
    for check in residual_checks(results):
        yield from _check_rows(check, check.name.replace(" ", "_"), "root", results)


def _reserves(results: Results) -> Iterator[Row]:
    for check in reserve_checks(results):
        yield from _check_rows(check, "reserve", check.coordinate, results)
    table = results.motors
    for name in () if table is None else table.names:
        note = _joined("no muscle moves it: torque actuators alone", results.caution)
        values = np.abs(table.column(name))  # type: ignore[union-attr]
        yield from _extremes("torque_actuator", name, table.time, values, (("N m", 1.0),), note, both=False)  # type: ignore[union-attr]


def _check_rows(check: Check, quantity: str, name: str, results: Results) -> Iterator[Row]:
    note = results.caution
    if check.limit is not None:
        state = "within" if check.passed else "beyond"
        note = _joined(f"{state} the limit of {check.limit:.3g} {check.unit}: {check.against}", note)
    side = side_of(name)
    yield Row(f"{quantity}_peak", side, name, check.peak, check.unit, check.peak_time, note)
    yield Row(f"{quantity}_rms", side, name, check.rms, check.unit, None, results.caution)


def _verdicts(results: Results) -> Iterator[Row]:
    """Share of the limits that were kept, by kind."""
    residuals = [(check.name, [check]) for check in residual_checks(results)]
    for name, checks in (*residuals, ("reserves", reserve_checks(results))):
        judged = [check for check in checks if check.passed is not None]
        if not judged:
            continue
        kept = [check for check in judged if check.passed]
        beyond = [check.coordinate for check in judged if not check.passed and check.coordinate]
        word = "acceptable" if len(kept) == len(judged) else "not acceptable"
        word += f" ({', '.join(beyond)})" if beyond else ""
        note = _joined(word, judged[0].against, results.caution)
        yield Row("verdict", "", name, 100.0 * len(kept) / len(judged), "%", None, note)
