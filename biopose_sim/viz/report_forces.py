"""The part of a report on forces: what ``biopose simulate`` left in the folder of results."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from biopose_sim.errors import InputError
from biopose_sim.forces.types import Simulation, read_simulation
from biopose_sim.viz._html import Html, bullets, element, heading, image, join, table
from biopose_sim.viz.plots import pretty_name

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
    "ground_reaction": "ground reaction forces",
    "activations": "activations of muscles",
    "muscle_forces": "forces of muscles",
    "joint_reactions": "joint reaction forces",
    "residuals": "residual and reserve actuators",
}
_LEFT_OUT = {"moments_all"}  # long, and in the folder for who wants it
# Quantities of the summary that a reader wants first: what they are called, their unit, and of which joints.
_PEAKS = {
    "joint_moment": ("moment", "N m/kg", ("hip_", "knee_angle", "ankle_", "subtalar_")),
    "ground_reaction_y": ("vertical ground reaction", "BW", ("",)),
    "joint_reaction": ("joint reaction", "BW", ("",)),
}


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
    lines = [f"{_ORIGINS[simulation.grf_origin]}.", _filtered(simulation)]
    parts = [element("h3", trial)]
    parts.append(element("div", element("b", lines[0]), element("p", _CAUTION), css="warn") if estimated else
                 element("p", lines[0]))  # fmt: skip
    parts.append(element("p", lines[1], css="soft"))
    if simulation.warnings:
        parts.append(element("div", element("b", "Please look at this"), bullets(simulation.warnings), css="warn"))
    label = ", ground reaction estimated" if estimated else ""
    shown = [(name, folder / name) for name in simulation.pictures if Path(name).stem not in _LEFT_OUT]
    shown = [(name, path) for name, path in shown if path.is_file()]
    parts += [image(path.read_bytes(), f"{trial}: {_caption(name)}{label}") for name, path in shown]
    if not shown:
        parts.append(element("p", "The simulation's folder holds no pictures."))
    return join([*parts, _summary(folder, simulation)])


def _filtered(simulation: Simulation) -> str:
    cut = "not filtered" if simulation.filter_hz is None else f"filtered at {simulation.filter_hz:g} Hz"
    source = f" Ground reaction: {simulation.grf_source}." if simulation.grf_source else ""
    return (
        f"Simulated from {simulation.start:.2f} to {simulation.end:.2f} s with a mass of {simulation.mass:.1f} kg; "
        f"coordinates {cut}.{source} BW: body weight, {simulation.mass * 9.80665:.0f} N."
    )


def _caption(name: str) -> str:
    stem = Path(name).stem
    return _CAPTIONS.get(stem, stem.replace("_", " "))


def _summary(folder: Path, simulation: Simulation) -> Html:
    """Peaks of the legs' joints and of the ground reaction from the summary, in body weights and N m/kg."""
    path = folder / simulation.files.get("summary", "summary.csv")
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            found = list(csv.DictReader(handle))
    except OSError:
        return Html("")
    rows: dict[tuple[str, str, str], dict[str, str]] = {}
    for entry in found:
        _enter(rows, entry)
    if not rows:
        return Html("")
    lines = [
        [f"{where} {what}".strip(), unit, *(_span(cells, side) for side in "rl")]
        for (what, where, unit), cells in rows.items()
    ]
    return table(
        ["Peaks: smallest to largest", "Unit", "Right", "Left"], lines, "All figures are in summary.csv", names=2
    )


def _enter(rows: dict[tuple[str, str, str], dict[str, str]], entry: Mapping[str, str]) -> None:
    """Put a row of the summary beside that of the other side."""
    kind, _, end = entry.get("quantity", "").rpartition("_")
    name, side = entry.get("name", ""), entry.get("side", "")
    if kind not in _PEAKS or side not in ("r", "l"):
        return
    what, unit, joints = _PEAKS[kind]
    if entry.get("unit") != unit or not name.startswith(joints):
        return
    where = "" if kind.startswith("ground") else pretty_name(name)
    rows.setdefault((what, where, unit), {})[f"{side}_{end}"] = entry.get("value", "")


def _span(cells: Mapping[str, str], side: str) -> str:
    ends = [cells[key] for key in (f"{side}_min", f"{side}_max") if key in cells]
    try:
        return " to ".join(f"{float(end):.2f}" for end in ends) or "–"
    except ValueError:
        return "–"
