"""Writing a scaled model as an .osim file, through OpenSim's own scaling, in a process of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from biopose_sim.errors import InputError, near_matches
from biopose_sim.io.atomic import atomic_path
from biopose_sim.io.motion import MotionLike
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.osim.digits import restore_digits
from biopose_sim.osim.process import OpenSimError, run_script
from biopose_sim.osim.ranges import widened_ranges
from biopose_sim.osim.schema import GROUND

_PROCESS = Path(__file__).with_name("_writer_process.py")
_NON_UNIFORM = "Non-uniform scaling"
_SAME_FACTOR = 1e-9
TIMEOUT = 120.0  # [s]; the largest model at hand takes 3


def export_osim(
    model: OsimModel,
    path: str | Path,
    *,
    mass: float | None = None,
    unlock: Sequence[str] = (),
    name: str | None = None,
    motions: Sequence[MotionLike] = (),
) -> Path:
    """Write the model with its scales and markers as an .osim file that OpenSim opens.

    OpenSim itself scales the original file (``model.path``), so that muscles, masses and inertias follow too;
    the mass distribution is preserved. The file is written in one step or not at all.

    Args:
        model: read from a file, then scaled or given markers.
        path: the file to write.
        mass: of the subject [kg]; None keeps the mass of the original.
        unlock: coordinates to unlock, so that a motion may move them.
        name: of the model; None keeps the original's.
        motions: that the written model is to take as they are: clamped ranges of a floating root's rotations are
            widened to cover them (``biopose_sim.osim.ranges.range_notices`` says which); other ranges stay.

    Returns:
        ``path``.

    Raises:
        InputError: the model has no file, OpenSim is not installed or cannot scale this model so, an unknown
            coordinate, a mass that is none, or a path that cannot be written.
        OpenSimError: OpenSim failed.
    """
    path = Path(path)
    source = _check(model, mass, unlock)
    with atomic_path(path) as temporary, tempfile.TemporaryDirectory(prefix="biopose-") as folder:
        job = {
            "source": str(source.resolve()),
            "target": str(Path(folder, "model.osim")),
            "scales": _scales(model),
            "mass": mass,
            "markers": _markers(model),
            "unlock": list(unlock),
            "ranges": widened_ranges(model, motions),
            "name": name,
        }
        _run(job, Path(folder), source)
        temporary.write_bytes(restore_digits(source.read_bytes(), Path(folder, "model.osim").read_bytes()))
    return path


def _check(model: OsimModel, mass: float | None, unlock: Sequence[str]) -> Path:
    if model.path is None:
        raise InputError(model.name, "was not read from a file", "OpenSim scales files: read the model from one")
    if not model.path.is_file():
        raise InputError(model.path, "the model's file is gone", "put it back to export the scaled model")
    if mass is not None and not (np.isfinite(mass) and mass > 0.0):
        raise InputError("mass", f"is {mass:g} kg", "a positive number is needed")
    if mass is not None and not sum(body.mass for body in model.model.bodies) > 0.0:
        raise InputError(model.path, f"its bodies have no mass to scale to {mass:g} kg", "leave the mass out")
    for coordinate in unlock:
        if coordinate not in model.coordinate_names:
            near = near_matches(coordinate, model.coordinate_names)
            raise InputError(model.path, f"has no coordinate {coordinate!r} to unlock{near}")
    for frame, body in model.model.station_frames:
        if body != GROUND and np.ptp(model.scales[model.body_names.index(body)]) > _SAME_FACTOR:
            problem = f"OpenSim turns the station-defined frame {frame} where the axes of {body} have different factors"
            raise InputError(model.path, problem, f"give {body} one factor for all three axes")
    return model.path


def _scales(model: OsimModel) -> dict[str, list[float]] | None:
    """Factors per body; None for an unscaled model."""
    if np.all(model.scales == 1.0):
        return None
    return {name: [float(v) for v in row] for name, row in zip(model.body_names, model.scales)}


def _markers(model: OsimModel) -> list[dict[str, Any]]:
    """Markers of the scaled model with their location in body axes [m]."""
    tree = model.tree
    locations = tree.marker_matrix.sum(axis=2)
    return [
        {
            "name": marker.name,
            "body": GROUND if body < 0 else model.body_names[body],
            "location": [float(v) for v in location],
            "fixed": marker.fixed,
        }
        for marker, body, location in zip(model.model.markers, tree.marker_body, locations)
    ]


def _run(job: dict[str, Any], folder: Path, source: Path) -> None:
    doing = "scaling the model"
    try:
        run_script(_PROCESS, job, folder, subject=source, doing=doing, timeout=TIMEOUT)
    except OpenSimError as error:
        if _NON_UNIFORM not in error.reason:
            raise
        problem = "OpenSim scales this model only uniformly (a coupler moves a translation)"
        remedy = "give every body the same factor for all three axes"
        raise InputError(source, problem, remedy) from error
