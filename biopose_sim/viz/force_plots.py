"""Pictures of a simulation: joint moments, ground reactions, muscles, joint reactions, residuals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from biopose_sim.forces.quality import residual_checks
from biopose_sim.forces.results import Results, side_of
from biopose_sim.forces.types import Simulation
from biopose_sim.gait.types import GaitEvents
from biopose_sim.io import Table, atomic_write, read_mot
from biopose_sim.viz import style
from biopose_sim.viz.force_panels import Curve, Panel, draw_panels
from biopose_sim.viz.muscle_groups import muscle_groups
from biopose_sim.viz.residual_plots import plot_residuals

Array = NDArray[np.float64]
# Coordinates of the legs and what their positive direction is; the knee's is the model's choice.
_LEGS = {
    "hip_flexion": "Hip, flexion +", "hip_adduction": "Hip, adduction +", "hip_rotation": "Hip, internal rotation +",
    "knee_angle": "Knee", "ankle_angle": "Ankle, dorsiflexion +", "subtalar_angle": "Subtalar, inversion +",
}  # fmt: skip
_JOINTS = (("hip", "Hip"), ("knee", "Knee"), ("patello", "Patellofemoral joint"), ("ankle", "Ankle"))
_MOST_MUSCLES = 12
_LEAST_MOMENT = 0.05  # [N m/kg]: the moments of hands and toes are noise beside it
_TRAVEL = 0.5  # [m] that a person walks at least, for a forward direction to be known


def write_force_plots(folder: str | Path, simulation: Simulation, events: GaitEvents | None) -> list[Path]:
    """Draw what was simulated into the simulation's folder and return the pictures (.png).

    Args:
        folder: where ``simulation.json`` lies.
        simulation: what it says.
        events: strides, over which curves are drawn; over time if None or if it holds none.

    Raises:
        InputError: a file that the simulation names cannot be read, or the folder cannot be written to.
    """
    results = Results(Path(folder), simulation)
    return [
        atomic_write(Path(folder) / f"{name}.png", style.to_png(figure, colours=128))
        for name, figure in force_figures(results, events)
    ]


def force_figures(results: Results, events: GaitEvents | None) -> Iterator[tuple[str, Figure]]:
    """Name and figure of each picture; what was not simulated has none."""
    trial, caution = results.simulation.trial, results.caution
    if legs := _leg_moments(results):
        yield "moments", draw_panels(f"Joint moments [N·m/kg] · {trial}", legs, events, caution=caution)
    if every := _all_moments(results):
        title = f"Moments of all joints [N·m/kg] · {trial}"
        yield "moments_all", draw_panels(title, every, events, caution=caution, columns=4)
    if reactions := _reactions(results):
        title = f"Ground reaction [body weight] · {trial}"
        yield "ground_reaction", draw_panels(title, reactions, events, caution=caution)
    for name, table, title, scale in (
        ("muscle_forces", results.muscle_forces, "Muscle forces [body weight]", 1.0 / results.body_weight),
        ("muscle_activations", results.activations, "Muscle activations", None),
    ):
        if panels := _muscles(table, scale):
            note = "sum of the heads" if scale else "mean of the heads"
            yield name, draw_panels(f"{title} · {trial}", panels, events, caution=caution, note=note, columns=4)
    if joints := _joints(results):
        title = f"Joint reactions, resultant [body weight] · {trial}"
        yield "joint_reactions", draw_panels(title, joints, events, caution=caution)
    if checks := residual_checks(results):
        yield "residuals", plot_residuals(results, checks)


def _leg_moments(results: Results) -> list[Panel]:
    table = results.joint_moments
    if table is None:
        return []
    found = []
    for start, title in _LEGS.items():
        names = [name for name in table.names if name == start or name in (f"{start}_r", f"{start}_l")]
        if start == "knee_angle" and names:
            title = f"Knee, {_knee_direction(results, names[0])} +"
        if names:
            found.append(Panel(title, _curves(table, names, 1.0 / results.simulation.mass)))
    return found


def _knee_direction(results: Results, name: str) -> str:
    """Which way the model's knee turns: most of its range is flexion."""
    low, high = next(c.range for c in results.model.model.coordinates if c.name == name)
    return "flexion" if high > -low else "extension"


def _all_moments(results: Results) -> list[Panel]:
    table = results.joint_moments
    if table is None:
        return []
    groups: dict[str, list[str]] = {}
    for name in table.names:
        groups.setdefault(_without_side(name), []).append(name)
    scale = 1.0 / results.simulation.mass
    return [
        Panel(title.replace("_", " ").capitalize(), _curves(table, names, scale), least=_LEAST_MOMENT)
        for title, names in groups.items()
    ]


def _without_side(name: str) -> str:
    side = side_of(name)
    return "_".join(part for part in name.split("_") if part != side) if side else name


def _curves(table: Table, names: Iterable[str], scale: float) -> tuple[Curve, ...]:
    return tuple(Curve(side_of(name), table.time, scale * table.column(name)) for name in names)


def _reactions(results: Results) -> list[Panel]:
    reaction = results.reaction
    if reaction is None:
        return []
    forward = _forward(results)
    axes = np.eye(3) if forward is None else np.stack([forward, [0.0, 1.0, 0.0], np.cross(forward, [0.0, 1.0, 0.0])])
    titles = ("Along ground x", "Vertical", "Along ground z")
    if forward is not None:
        titles = ("Forward +, braking −", "Vertical", "Medial +, lateral −")
    panels = []
    for axis, title in zip(axes, titles):
        curves = []
        for foot in reaction.feet:
            side = side_of(foot.body)
            turned = -1.0 if title.startswith("Medial") and side == "r" else 1.0
            curves.append(Curve(side, reaction.time, turned * (foot.force @ axis) / results.body_weight))
        panels.append(Panel(title, tuple(curves)))
    return [panels[1], panels[0], panels[2]]


def _forward(results: Results) -> Array | None:
    """Horizontal direction in which the floating root travels; None where it stays."""
    model = results.model
    motion = read_mot(results.folder / results.simulation.motion, dict(zip(model.coordinate_names, model.motion_types)))
    names = ("pelvis_tx", "pelvis_tz")
    if not set(names) <= set(motion.coordinate_names):
        return None
    x, z = (float(motion.coordinate(name)[-1] - motion.coordinate(name)[0]) for name in names)
    length = float(np.hypot(x, z))
    return None if length < _TRAVEL else np.array([x, 0.0, z]) / length


def _muscles(table: Table | None, scale: float | None) -> list[Panel]:
    """Panels of the main muscles of the legs, else of those that do most; mean of heads without a scale, else sum."""
    if table is None or not table.names:
        return []
    groups = muscle_groups(table.names)
    if not groups:
        order = np.argsort(-table.data.max(axis=0))[:_MOST_MUSCLES]
        groups = {table.names[i]: {side_of(table.names[i]): (table.names[i],)} for i in order}
    panels = []
    for title, sides in groups.items():
        curves = []
        for side, names in sides.items():
            values = table.columns(names)
            values = values.mean(axis=1) if scale is None else scale * values.sum(axis=1)
            curves.append(Curve(side, table.time, values))
        panels.append(Panel(title, tuple(curves), from_zero=True))
    return panels


def _joints(results: Results) -> list[Panel]:
    loads = next((found for frame in ("ground", "child", "parent") if (found := results.joint_loads(frame))), [])
    groups: dict[str, list[Curve]] = {}
    for load in loads:
        title = next((title for part, title in _JOINTS if part in load.joint), _without_side(load.joint))
        groups.setdefault(title, []).append(Curve(side_of(load.joint), load.time, load.size / results.body_weight))
    order = [title for _, title in _JOINTS]
    titles = sorted(groups, key=lambda title: order.index(title) if title in order else len(order))
    return [Panel(title, tuple(groups[title]), from_zero=True) for title in titles]
