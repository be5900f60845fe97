"""Joint reactions and muscle analyses of a trial, by OpenSim's own tools."""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from biopose_sim.errors import InputError, near_matches
from biopose_sim.forces import running, setups
from biopose_sim.forces.running import Frames
from biopose_sim.forces.static import ARMS, LENGTH
from biopose_sim.io import Table, write_sto
from biopose_sim.io.notice import listed

FIBER = "fiber_length.sto"
_COMPONENTS = 9  # force, moment and point of a joint in a frame
_LEG = re.compile(r"(^|_)(hip|knee|ankle)(_|$)", re.IGNORECASE)


def chosen_joints(wanted: tuple[str, ...] | None, found: dict[str, Any]) -> tuple[str, ...]:
    """The joints of the reactions: those wanted, else hips, knees and ankles, else all.

    Raises:
        InputError: a wanted one is not in the model.
    """
    names = [row["name"] for row in found["joints"]]
    if wanted is None:
        return tuple(name for name in names if _LEG.search(name)) or tuple(names)
    return _known("--joints", "joint", wanted, names)


def chosen_arms(wanted: tuple[str, ...] | None, found: dict[str, Any]) -> tuple[str, ...]:
    """The coordinates of the moment arms: those wanted, else free ones of hips, knees and ankles, else all free.

    Raises:
        InputError: a wanted one is not in the model.
    """
    if wanted is not None:
        return _known("--arms", "coordinate", wanted, [row["name"] for row in found["coordinates"]])
    free = [row["name"] for row in found["coordinates"] if not row["constrained"]]
    return tuple(name for name in free if _LEG.search(name)) or tuple(free)


def _known(option: str, kind: str, wanted: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    for name in wanted:
        if name not in names:
            near = near_matches(name, names) or f"; it has {listed(names, 30)}"
            raise InputError(option, f"the model has no {kind} '{name}'{near}")
    return tuple(dict.fromkeys(wanted))


def write_reactions(
    pool: ThreadPoolExecutor, folder: Path, frames: Frames, processes: int, wanted: Sequence[str], trial: str
) -> dict[str, str]:
    """Run the joint reaction setup of a folder; one table of all, and one per frame of reference.

    Raises:
        OpenSimError: OpenSim failed.
    """
    tables = running.analysis(pool, folder, setups.JR_SETUP, frames, processes, trial=trial, doing="joint reaction")
    (table,) = (table for name, table in tables.items() if name.endswith("ReactionLoads.sto"))
    files = {}
    for place, frame in enumerate(wanted):
        columns = [
            i + k
            for i in range(place * _COMPONENTS, len(table.names), _COMPONENTS * len(wanted))
            for k in range(_COMPONENTS)
        ]
        part = Table(table.name, table.time, tuple(table.names[c] for c in columns), table.data[:, columns])
        write_sto(folder / f"joint_reaction_{frame}.sto", part)
        files[f"joint_reaction_{frame}"] = f"joint_reaction_{frame}.sto"
    return files


def write_muscles(
    pool: ThreadPoolExecutor, folder: Path, frames: Frames, processes: int, arms: Sequence[str], trial: str
) -> dict[str, str]:
    """Run the muscle analysis setup of a folder; lengths, fibre lengths and moment arms.

    Raises:
        OpenSimError: OpenSim failed.
    """
    tables = running.analysis(pool, folder, setups.MA_SETUP, frames, processes, trial=trial, doing="muscle analysis")
    by_kind = {name.split("_MuscleAnalysis_", 1)[-1].removesuffix(".sto"): table for name, table in tables.items()}
    write_sto(folder / LENGTH, by_kind["Length"])
    write_sto(folder / FIBER, by_kind["FiberLength"])
    (folder / ARMS).mkdir(exist_ok=True)
    for name in arms:
        if f"MomentArm_{name}" in by_kind:
            write_sto(folder / ARMS / f"{name}.sto", by_kind[f"MomentArm_{name}"])
    return {"muscle_length": LENGTH, "fiber_length": FIBER, "moment_arms": ARMS}
