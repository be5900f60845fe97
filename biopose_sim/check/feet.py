"""Forces against the motion: whether each load acts at the foot that it is applied to. Needs forward kinematics."""

from __future__ import annotations

import numpy as np

from biopose_sim.check.finding import Finding, finding
from biopose_sim.check.loads import LOADED, Load, LoadsFile, load_values
from biopose_sim.check.model import ModelFile
from biopose_sim.check.motion import coordinate_labels, kinds_of, motion_of
from biopose_sim.check.storage import StorageFile
from biopose_sim.errors import InputError

_NEAR, _FAR = 0.35, 0.45  # [m] on the floor, from a foot's origin (at the heel) to where a force may act
_FRAMES = 40
_LEAST = 4  # frames that a statement needs


def check_feet(
    file: LoadsFile, data: StorageFile, motion: StorageFile, model: ModelFile, degrees: bool
) -> list[Finding]:
    """Compare points of application with the bodies that they are applied to.

    Args:
        degrees: whether the motion's angles are in degrees.
    """
    loads = [load for load in file.loads if load.force and load.point and load.point_frame.endswith("ground")]
    if model.model is None or not (data.readable and motion.readable) or not loads:
        return []
    if any(len([c for c in data.labels if c.startswith(i)]) != 3 for load in loads for i in (load.force, load.point)):
        return []
    feet = sorted({load.body.rsplit("/", 1)[-1] for load in loads} | _other_sides(loads, model))
    if not set(feet) <= {b.name for b in model.model.bodies}:
        return []
    rows = _rows(motion, data)
    if len(rows) < _LEAST:
        return []
    places = _places(model, motion, degrees, rows, feet)
    return [] if places is None else _compare(file, data, loads, motion.time[rows], places)


def _other_sides(loads: list[Load], model: ModelFile) -> set[str]:
    assert model.model is not None
    names = {body.name for body in model.model.bodies}
    swapped = {_mirrored(load.body.rsplit("/", 1)[-1]) for load in loads}
    return {name for name in swapped if name in names}


def _mirrored(body: str) -> str:
    return body[:-1] + {"r": "l", "l": "r"}.get(body[-1:], body[-1:])


def _rows(motion: StorageFile, data: StorageFile) -> np.ndarray:
    """Some rows of the motion that the forces cover."""
    time = motion.time
    inside = np.flatnonzero((time >= np.nanmin(data.time)) & (time <= np.nanmax(data.time)))
    return inside[:: max(1, len(inside) // _FRAMES)]


def _places(
    model: ModelFile, motion: StorageFile, degrees: bool, rows: np.ndarray, feet: list[str]
) -> dict[str, np.ndarray] | None:
    """(len(rows), 3) [m] where the bodies are in ground."""
    import torch

    from biopose_sim.kinematics.model import OsimModel

    try:
        kinematics = OsimModel.from_file(model.path)
    except InputError:
        return None
    kinds = kinds_of(motion, model)
    labels = {n: label for n, label in coordinate_labels(motion).items() if n in kinds}
    values = motion_of(motion, labels, kinds, degrees).values
    q = kinematics.default_coordinates.to(torch.float64).repeat(len(rows), 1)
    for i, name in enumerate(kinematics.coordinate_names):
        if name in values:
            q[:, i] = torch.from_numpy(np.nan_to_num(values[name][rows]))
    transforms = kinematics(q).transforms.detach().numpy()
    return {name: transforms[:, kinematics.body_names.index(name), :3, 3] for name in feet}


def _compare(
    file: LoadsFile, data: StorageFile, loads: list[Load], time: np.ndarray, places: dict[str, np.ndarray]
) -> list[Finding]:
    swapped, astray = [], []
    nearest = np.abs(data.time[:, None] - time[None, :]).argmin(axis=0)
    for load in loads:
        body = load.body.rsplit("/", 1)[-1]
        other = _mirrored(body)
        loaded = np.linalg.norm(load_values(data, load.force)[nearest], axis=1) > LOADED
        if loaded.sum() < _LEAST:
            continue
        point = load_values(data, load.point)[nearest][loaded][:, [0, 2]]
        away = _median_distance(point, places[body][loaded])
        if away < _FAR:
            continue
        there = _median_distance(point, places[other][loaded]) if other != body and other in places else np.inf
        message = f"load {load.name} acts {away:.2f} m from {body}"
        if there < _NEAR:
            swapped.append(f"{message}, {there:.2f} m from {other}")
        else:
            astray.append(message)
    found = [finding("L08", file.path, text) for text in swapped]
    bodies = {load.body for load in loads}
    if len(swapped) == 1 and len(loads) > 1 and len(bodies) == 1:
        found = [finding("L14", file.path, swapped[0], severity="error")]
    return found + [finding("L13", file.path, text) for text in astray]


def _median_distance(points: np.ndarray, place: np.ndarray) -> float:
    return float(np.nanmedian(np.linalg.norm(points - place[:, [0, 2]], axis=1)))
