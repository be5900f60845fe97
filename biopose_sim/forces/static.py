"""Static optimization of a trial: by our solver on OpenSim's equations, or by OpenSim's own tool."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from biopose_sim.forces import running, setups
from biopose_sim.forces.config import SimulationConfig
from biopose_sim.forces.optimization import least_effort
from biopose_sim.forces.prepared import derivative
from biopose_sim.forces.running import Frames
from biopose_sim.io import Motion, Table, write_sto
from biopose_sim.io.notice import listed

ACTIVATION = "static_optimization_activation.sto"
LENGTH, FIBRE, ARMS = "muscle_length.sto", "fiber_length_stiff_tendon.sto", "moment_arms"
AT_LIMIT = 0.999  # a muscle with more activation can give no more


@dataclass(frozen=True)
class Optimized:
    """What a static optimization left.

    Attributes:
        engine: "fast" or "opensim".
        files: what was written, by what it holds.
        figures: numbers of it.
        notes: what a user should know.
    """

    engine: str
    files: dict[str, str]
    figures: dict[str, Any]
    notes: tuple[str, ...]


def optimize(
    pool: ThreadPoolExecutor,
    config: SimulationConfig,
    folder: Path,
    motion: Motion,
    frames: Frames,
    found: dict[str, Any],
    loads: bool,
    arms: tuple[str, ...],
) -> Optimized:
    """Solve and write activations and forces of all actuators.

    Args:
        pool: runs processes.
        config: engine and exponent.
        folder: of the trial; its setup files are there.
        motion: as simulated.
        frames: which are.
        found: what the model has; see ``_tools_process``.
        loads: whether there are external loads.
        arms: coordinates of the moment arms that are written with the fast engine; none for no muscle lengths.

    Raises:
        OpenSimError: OpenSim failed.
    """
    if config.engine != "opensim" and config.filter_by == "biopose":
        terms = running.terms(
            pool, _job(config, folder, found, loads), _states(motion, frames), config.processes, trial=config.name
        )
        if "unsuited" not in terms:
            return _fast(config, folder, frames, found, terms, arms)
        reason = f"static optimization by OpenSim's own tool, which takes longer: {terms['unsuited']}"
        return _opensim(pool, config, folder, frames, found, (reason,))
    return _opensim(pool, config, folder, frames, found, ())


def _job(config: SimulationConfig, folder: Path, found: dict[str, Any], loads: bool) -> dict[str, Any]:
    return {
        "folder": str(folder.resolve()),
        "model": setups.MODEL,
        "loads": setups.LOADS if loads else None,
        "physiology": config.physiology,
        "coordinates": [row["name"] for row in found["coordinates"]],
        "actuators": [row["name"] for row in acting(found)],
    }


def acting(found: dict[str, Any]) -> list[dict[str, Any]]:
    """The actuators that apply their force, in OpenSim's order."""
    return [row for row in found["actuators"] if row["applied"]]


def _states(motion: Motion, frames: Frames) -> dict[str, np.ndarray]:
    """Coordinates, speeds and accelerations of the frames, from splines of the whole motion as OpenSim's tool."""
    speeds = derivative(motion.time, motion.coordinates)
    values = {"q": motion.coordinates, "u": speeds, "acceleration": derivative(motion.time, speeds)}
    return {"time": motion.time[frames.indices], **{name: v[frames.indices] for name, v in values.items()}}


def _fast(
    config: SimulationConfig,
    folder: Path,
    frames: Frames,
    found: dict[str, Any],
    terms: dict[str, Any],
    arms: tuple[str, ...],
) -> Optimized:
    rows = acting(found)
    least, most = (np.array([row[key] for row in rows], dtype=float) for key in ("least", "most"))
    matrix = terms["matrix"] * terms["strength"][:, None, :]
    solution = least_effort(matrix, terms["demand"], least, most, config.exponent)
    time, names = frames.time[frames.indices], tuple(row["name"] for row in rows)
    write_sto(folder / ACTIVATION, Table("Static Optimization (biopose fast engine)", time, names, solution.values))
    write_sto(folder / setups.FORCE, Table("ModelForces", time, names, solution.values * terms["strength"]))
    files = {"activation": ACTIVATION, "muscle_force": setups.FORCE}
    if arms:
        files |= _lengths(folder, time, names, terms, arms)
    unmet = {}
    if not solution.solved.all():
        worst = np.abs(solution.unmet[~solution.solved]).max(axis=0)
        unmet = {name: float(value) for name, value in zip(terms["free"], worst) if value > 1e-3}
    notes = _notes(rows, solution.values, solution.solved, unmet)
    return Optimized("fast", files, {"unsolved_frames": int((~solution.solved).sum())}, notes)


def _lengths(
    folder: Path, time: np.ndarray, names: tuple[str, ...], terms: dict[str, Any], arms: tuple[str, ...]
) -> dict[str, str]:
    """Write muscle lengths and moment arms, which the equations of motion hold already."""
    muscles = tuple(terms["muscles"])
    columns = [names.index(muscle) for muscle in muscles]
    write_sto(folder / LENGTH, Table("Length", time, muscles, terms["length"]))
    write_sto(folder / FIBRE, Table("FiberLength with a stiff tendon", time, muscles, terms["fibre"]))
    (folder / ARMS).mkdir(exist_ok=True)
    for name in arms:
        if name in terms["free"]:
            data = terms["matrix"][:, terms["free"].index(name)][:, columns]
            write_sto(folder / ARMS / f"{name}.sto", Table(f"MomentArm_{name}", time, muscles, data))
    return {"muscle_length": LENGTH, "fiber_length": FIBRE, "moment_arms": ARMS}


def _opensim(
    pool: ThreadPoolExecutor,
    config: SimulationConfig,
    folder: Path,
    frames: Frames,
    found: dict[str, Any],
    notes: tuple[str, ...],
) -> Optimized:
    tables = running.analysis(
        pool, folder, setups.SO_SETUP, frames, config.processes, trial=config.name, doing="static optimization"
    )
    by_kind = {name.rsplit("_", 1)[-1]: table for name, table in tables.items()}
    write_sto(folder / ACTIVATION, by_kind["activation.sto"])
    write_sto(folder / setups.FORCE, by_kind["force.sto"])
    rows = acting(found)
    names = [row["name"] for row in rows]
    values = by_kind["activation.sto"].columns(names)
    more = _notes(rows, values, np.ones(len(values), dtype=bool), {})
    files = {"activation": ACTIVATION, "muscle_force": setups.FORCE}
    return Optimized("opensim", files, {}, (*notes, *more))


def _notes(
    rows: list[dict[str, Any]], values: np.ndarray, solved: np.ndarray, unmet: dict[str, float]
) -> tuple[str, ...]:
    notes = []
    if not solved.all():
        text = f"static optimization found no solution in {int((~solved).sum())} of {len(solved)} frames"
        short = ", ".join(f"{name} {value:.3g}" for name, value in sorted(unmet.items(), key=lambda row: -row[1])[:4])
        notes.append(text + (f"; what is missing, at most [N | N m]: {short}" if short else ""))
    full = [
        (row["name"], float((column > AT_LIMIT * row["most"]).mean()))
        for row, column in zip(rows, values.T)
        if row["muscle"] and np.isfinite(row["most"])
    ]
    weak = [name for name, share in sorted(full, key=lambda pair: -pair[1]) if share > 0.02]
    if weak:
        notes.append(f"at full activation in more than 2 % of the frames: {listed(weak, 6)}")
    return tuple(notes)
