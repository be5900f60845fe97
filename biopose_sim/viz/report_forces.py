"""The part of a report on forces: what ``biopose simulate`` left in the folder of results."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from biopose_sim.errors import InputError
from biopose_sim.forces.types import Simulation, read_simulation
from biopose_sim.viz._html import Html, bullets, element, heading, image, join, table

_ORIGINS = {
    "measured": "Ground reaction forces: measured",
    "estimated": "Ground reaction forces: ESTIMATED from the motion, not measured",
    None: "Ground reaction forces: none applied",
}
_CAUTION = (
    "Where ground reaction forces are estimated, moments and muscle forces rest on that estimate: they show how a "
    "movement is made, and are no measurement."
)
_CAPTIONS = {
    "moments": "net moments of the leg's joints",
    "moments_all": "net moments of all joints",
    "ground_reaction": "ground reaction forces",
    "activations": "activations of muscles",
    "muscle_forces": "forces of muscles",
    "joint_reactions": "joint reaction forces",
    "residuals": "residual and reserve actuators",
}
# Quantities of the summary that a reader wants first, with what they are called.
_PEAKS = {
    "joint_moment_max": "largest moment",
    "joint_moment_min": "smallest moment",
    "ground_reaction_max": "largest ground reaction",
    "joint_reaction_max": "largest joint reaction",
}
_JOINTS = ("hip", "knee", "ankle", "calcn", "foot", "walker")
_MOST_ROWS = 40


def forces_part(folders: Mapping[str, Path]) -> Html:
    """Return the part with each simulation; says how to get one where there is none.

    Args:
        folders: of simulations, by trial.
    """
    title = heading("Forces")
    if not folders:
        return join([title, element("p", "No forces were simulated: 'biopose simulate' computes them.")])
    return join([title, *(_simulation(trial, folder) for trial, folder in folders.items())])


def _simulation(trial: str, folder: Path) -> Html:
    try:
        simulation = read_simulation(folder)
    except InputError as error:
        return join([element("h3", trial), element("p", f"The simulation cannot be read: {error.problem}.")])
    estimated = simulation.grf_origin == "estimated"
    lines = [_ORIGINS[simulation.grf_origin] + (f" ({simulation.grf_source})" if simulation.grf_source else "") + "."]
    lines.append(_filtered(simulation))
    parts = [element("h3", trial)]
    parts.append(element("div", element("b", lines[0]), element("p", _CAUTION), css="warn") if estimated else
                 element("p", lines[0]))  # fmt: skip
    parts.append(element("p", lines[1], css="soft"))
    if simulation.warnings:
        parts.append(element("div", element("b", "Please look at this"), bullets(simulation.warnings), css="warn"))
    label = ", ground reaction estimated" if estimated else ""
    shown = [(name, folder / name) for name in simulation.pictures if (folder / name).is_file()]
    parts += [image(path.read_bytes(), f"{trial}: {_caption(name)}{label}") for name, path in shown]
    if not shown:
        parts.append(element("p", "The simulation's folder holds no pictures."))
    return join([*parts, _summary(folder, simulation)])


def _filtered(simulation: Simulation) -> str:
    cut = "not filtered" if simulation.filter_hz is None else f"filtered at {simulation.filter_hz:g} Hz"
    return (
        f"Simulated from {simulation.start:.2f} to {simulation.end:.2f} s with a mass of {simulation.mass:.1f} kg; "
        f"coordinates {cut}. BW: body weight, {simulation.mass * 9.80665:.0f} N."
    )


def _caption(name: str) -> str:
    stem = Path(name).stem
    return _CAPTIONS.get(stem, stem.replace("_", " "))


def _summary(folder: Path, simulation: Simulation) -> Html:
    """Peaks of hip, knee, ankle and of the ground reaction from the summary, in body weights and N m/kg."""
    path = folder / simulation.files.get("summary", "summary.csv")
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            found = list(csv.DictReader(handle))
    except OSError:
        return Html("")
    rows = [row for entry in found if (row := _row(entry))]
    if not rows:
        return Html("")
    head = ["What", "Where", "Value", "Unit", "Time [s]"]
    return table(head, rows[:_MOST_ROWS], "Peaks; all figures are in summary.csv", names=2)


def _row(entry: Mapping[str, str]) -> Sequence[object] | None:
    kind, name, unit = entry.get("quantity", ""), entry.get("name", ""), entry.get("unit", "")
    relative = unit in ("BW", "N m/kg")
    if kind not in _PEAKS or not relative or not any(part in name for part in _JOINTS):
        return None
    try:
        return [_PEAKS[kind], name, f"{float(entry['value']):.2f}", unit, entry.get("time") or "–"]
    except (KeyError, ValueError):
        return None
