"""Model files as they are after scaling: written by OpenSim, in a process of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from biopose_sim.ik.types import KinematicsResult
from biopose_sim.io.atomic import atomic_path
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.osim.digits import restore_digits
from biopose_sim.osim.process import run_script
from biopose_sim.osim.writer import TIMEOUT, export_osim
from ik_pipeline.types import ModelChoice, ScaledPerson

_PROCESS = Path(__file__).with_name("_after_scaling_process.py")
_MOVES = 1e-9  # [rad | m]; what differs by more has moved


def change_file(
    path: Path, choice: ModelChoice, *, pose: Mapping[str, float] | None = None, moved: Iterable[str] = ()
) -> Path:
    """Lock, unlock and end couplers in a scaled model's file as the choice says; the file is replaced.

    Args:
        path: the scaled model.
        choice: what changes.
        pose: static pose per coordinate [rad | m]: locked coordinates get its values as default, and markers that
            change over keep their places in it. Without it both stay as the file has them.
        moved: coordinates that a motion moves: they are not locked.

    Raises:
        OpenSimError: OpenSim failed.
    """
    skip = set(moved)
    locked = [name for name in choice.locked if name not in skip]
    if not (locked or choice.unlocked or choice.couplers_off or (pose and choice.marker_bodies)):
        return path
    static = dict(pose or {})
    with atomic_path(path) as temporary, tempfile.TemporaryDirectory(prefix="biopose-") as folder:
        target = Path(folder, "model.osim")
        job = {
            "source": str(path.resolve()),
            "target": str(target),
            "defaults": {name: static[name] for name in locked if name in static},
            "locked": locked,
            "unlocked": [*choice.unlocked, *sorted(skip & set(choice.locked))],
            "couplers_off": list(choice.couplers_off),
            "marker_bodies": dict(choice.marker_bodies) if pose else {},
            "pose": static,
        }
        run_script(_PROCESS, job, Path(folder), subject=path, doing="changing the scaled model", timeout=TIMEOUT)
        temporary.write_bytes(restore_digits(path.read_bytes(), target.read_bytes()))
    return path


def moved_coordinates(model: OsimModel, results: Sequence[KinematicsResult]) -> tuple[str, ...]:
    """Return the coordinates that the model locks or that stay, but that a result moves from the model's default."""
    away = np.zeros(len(model.coordinate_names), dtype=bool)
    for result in results:
        away |= np.abs(result.coordinates - model.tree.defaults).max(axis=0) > _MOVES
    return tuple(name for name, far in zip(model.coordinate_names, away) if far)


def export_person(
    scaled: ScaledPerson,
    choice: ModelChoice,
    path: Path,
    mass: float | None = None,
    results: Sequence[KinematicsResult] = (),
) -> Path:
    """Write a person's model as OpenSim scales it, so that the GUI plays the person's motions.

    Coordinates that the choice locks are locked, but for those that a result moves; what a result moves is unlocked.

    Args:
        scaled: of either engine.
        choice: the model that it was scaled from.
        path: the file to write.
        mass: of the person [kg]; None keeps the generic model's.
        results: the person's motions.

    Raises:
        InputError: OpenSim is not installed or cannot scale the model so; a path that cannot be written.
        OpenSimError: OpenSim failed.
    """
    model = scaled.model
    moved = moved_coordinates(model, results)
    in_file = {c.name for c in model.model.coordinates if c.locked} | set(choice.unlocked) | set(choice.locked)
    export_osim(model, path, mass=mass, unlock=[name for name in moved if name in in_file], motions=results)
    return change_file(path, choice, moved=moved)
