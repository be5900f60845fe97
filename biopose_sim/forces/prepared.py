"""The motion as it is simulated: filtered, whole, and consistent with the model's constraints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from biopose_sim.errors import InputError
from biopose_sim.forces.filtering import check_numbers, filter_motion, is_even
from biopose_sim.io import Motion, Table, write_sto
from biopose_sim.io.notice import listed

_MOVED = np.deg2rad(0.1)  # a locked coordinate that differs by more from its default is said to move
_FEWEST = 7  # frames that quintic splines need


def prepared_motion(
    motion: Motion, coordinates: list[dict[str, Any]], model: Path, filter_hz: float | None
) -> tuple[Motion, list[str]]:
    """The motion of all of the model's coordinates, in the model's order, filtered.

    Coordinates that the motion lacks and locked ones stay at the model's default; dependent ones follow from their
    couplers, so that OpenSim need not correct them.

    Args:
        motion: as read with the model's motion types.
        coordinates: what the model has; see ``_tools_process.coordinate``.
        model: the file, for the couplers.
        filter_hz: cut-off [Hz]; None for no filter.

    Returns:
        The motion, and what a user should know.

    Raises:
        InputError: values that are no numbers, too few frames, or what the filter refuses.
    """
    where = motion.source or f"motion '{motion.name}'"
    check_numbers(motion)
    if len(motion.time) < _FEWEST:
        raise InputError(where, f"has {len(motion.time)} frames", f"accelerations take {_FEWEST} or more")
    notes = _notes(motion, coordinates)
    if filter_hz is not None and not is_even(motion.time):
        notes.append("the motion's steps of time are uneven: it was resampled at even steps before it was filtered")
    smooth = filter_motion(motion, filter_hz or 0.0)
    values = np.empty((len(smooth.time), len(coordinates)))
    for column, row in enumerate(coordinates):
        known = row["name"] in smooth.coordinate_names and not row["locked"]
        values[:, column] = smooth.coordinate(row["name"]) if known else row["default"]
    names = tuple(row["name"] for row in coordinates)
    if any(row["dependent"] for row in coordinates):
        values = _completed(model, names, values)
    kinds = tuple(row["kind"] for row in coordinates)
    return replace(smooth, coordinates=values, coordinate_names=names, motion_types=kinds), notes


def _notes(motion: Motion, coordinates: list[dict[str, Any]]) -> list[str]:
    notes = []
    lacking = [r["name"] for r in coordinates if r["name"] not in motion.coordinate_names and not r["dependent"]]
    moving = [row for row in lacking if not next(r for r in coordinates if r["name"] == row)["locked"]]
    if moving:
        notes.append(f"the motion lacks {listed(moving)}: held at the model's default")
    for row in coordinates:
        if not row["locked"] or row["name"] not in motion.coordinate_names:
            continue
        off = float(np.abs(motion.coordinate(row["name"]) - row["default"]).max())
        if off > _MOVED:
            size = f"{np.degrees(off):.1f}°" if row["kind"] == "rotational" else f"{off:.3g} m"
            text = f"the model locks '{row['name']}', which the motion has up to {size} off: it was held still"
            notes.append(text + "; unlock it in the model if it should move")
    if prescribed := [row["name"] for row in coordinates if row["prescribed"]]:
        notes.append(f"the model prescribes {listed(prescribed)}: OpenSim moves them by their functions")
    return notes


def _completed(model: Path, names: tuple[str, ...], values: np.ndarray) -> np.ndarray:
    """The values with dependent coordinates from their couplers."""
    import torch

    from biopose_sim.kinematics.model import OsimModel

    ours = OsimModel.from_file(model)
    order = [names.index(name) for name in ours.coordinate_names]
    with torch.no_grad():
        complete = ours(torch.from_numpy(np.ascontiguousarray(values[:, order]))).coordinates.numpy()
    result = values.copy()
    dependent = np.asarray(ours.tree.dependent, dtype=bool)
    for column, value, bound in zip(order, complete.T, dependent):
        if bound:
            result[:, column] = value
    return result


def derivative(time: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Rate of change (T, n) of signals (T, n): of natural quintic splines through them, OpenSim's GCVSpline."""
    from scipy.interpolate import make_interp_spline

    flat = np.zeros(values.shape[1])
    ends = [(3, flat), (4, flat)]
    spline = make_interp_spline(time, values, k=5, bc_type=(ends, ends))
    return np.asarray(spline.derivative()(time))


def write_states(path: Path, motion: Motion, coordinates: list[dict[str, Any]]) -> Path:
    """Write coordinates and speeds as OpenSim's states, in radians and metres.

    A tool that reads states need not assemble every frame of a motion before it starts; what it gets is the same.
    """
    speeds = derivative(motion.time, motion.coordinates)
    names = [f"{row['path']}/{word}" for word in ("value", "speed") for row in coordinates]
    data = np.hstack([motion.coordinates, speeds])
    return write_sto(path, Table("states", motion.time, tuple(names), data, in_degrees=False))
