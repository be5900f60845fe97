"""What changes in a model once it is scaled: locked coordinates, couplers that end, markers that change segments."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from biopose_sim.errors import InputError, near_matches
from biopose_sim.ik.types import Array
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.kinematics.tree_builder import build_tree
from biopose_sim.osim.markerset import with_markers
from biopose_sim.osim.schema import Frame
from biopose_sim.paths import models_dir
from ik_pipeline.types import ModelChoice

_KEYS = {"locked": list, "unlock_others": bool, "couplers_off": list, "marker_bodies": dict}


@dataclass(frozen=True)
class AfterScaling:
    """Changes to a scaled model.

    Attributes:
        locked: coordinates that stay as they are.
        unlock_others: whether all others may move, also where the file locks them.
        couplers_off: coupler constraints that no longer hold.
        marker_bodies: markers and the bodies that carry them from then on.
    """

    locked: tuple[str, ...] = ()
    unlock_others: bool = False
    couplers_off: tuple[str, ...] = ()
    marker_bodies: Mapping[str, str] = field(default_factory=dict)


def choose_after_scaling(model: OsimModel, path: Path | None = None) -> tuple[AfterScaling, str | None]:
    """Return the user's recipe, or a known one that fits the model by name, or one that changes nothing.

    Returns:
        The recipe and the name of its file, None where nothing changes.

    Raises:
        InputError: no such file, unknown keys, names that the model lacks.
    """
    if path is not None:
        found = _read(path)
        if missing := _missing(found, model):
            name, known = missing
            raise InputError(path, f"names {name!r}, which the model {model.name!r} lacks{near_matches(name, known)}")
        return found, path.name
    for file in sorted((models_dir() / "after_scaling").glob("*.toml")):
        found = _read(file)
        if _missing(found, model) is None:
            return found, file.name
    return AfterScaling(), None


def _read(path: Path) -> AfterScaling:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(path, "no such file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(path, f"is not TOML ({error})") from error
    for key, value in table.items():
        if key not in _KEYS:
            raise InputError(path, f"has the key {key!r}{near_matches(key, _KEYS)}", f"use {', '.join(_KEYS)}")
        if not isinstance(value, _KEYS[key]):
            raise InputError(path, f"{key} is no {_KEYS[key].__name__}", "see models/after_scaling/d3ke.toml")
    return AfterScaling(
        tuple(table.get("locked", ())),
        table.get("unlock_others", False),
        tuple(table.get("couplers_off", ())),
        dict(table.get("marker_bodies", {})),
    )


def _missing(recipe: AfterScaling, model: OsimModel) -> tuple[str, tuple[str, ...]] | None:
    """The first name that the model lacks, and those that it has of this kind; markers may be absent."""
    constraints = tuple(c.name for c in model.model.couplers) + tuple(name for _, name in model.model.off_constraints)
    kinds: tuple[tuple[Iterable[str], tuple[str, ...]], ...] = (
        (recipe.locked, model.coordinate_names),
        (recipe.couplers_off, constraints),
        (recipe.marker_bodies.values(), model.body_names),
    )
    return next(((name, known) for wanted, known in kinds for name in wanted if name not in known), None)


def after_scaling(model: OsimModel, choice: ModelChoice, pose: Array | None = None) -> OsimModel:
    """Return the model as it is after scaling.

    Args:
        model: generic or scaled.
        choice: what changes.
        pose: (n_q,) coordinates [rad | m] in which markers change over and at which coordinates are locked; the
            model's defaults if none are given.
    """
    if not (choice.locked or choice.unlocked or choice.couplers_off or choice.marker_bodies):
        return model
    q = model.tree.defaults if pose is None else pose
    moved = _changed_over(model, dict(choice.marker_bodies), q)
    old = moved.model
    coordinates = tuple(
        replace(
            c,
            locked=c.name in choice.locked or (c.locked and c.name not in choice.unlocked),
            default=float(q[i]) if c.name in choice.locked else c.default,
        )
        for i, c in enumerate(old.coordinates)
    )
    couplers = tuple(c for c in old.couplers if c.name not in choice.couplers_off)
    tree = build_tree(replace(old, coordinates=coordinates, couplers=couplers))
    scaled = tree.scaled(moved.scales, moved.marker_offsets)
    return OsimModel(scaled, moved.scales, moved.marker_offsets)


def _changed_over(model: OsimModel, bodies: Mapping[str, str], q: Array) -> OsimModel:
    """The model with markers on other bodies, at the same places in this pose."""
    if not bodies:
        return model
    out = model(torch.from_numpy(np.asarray(q, dtype=np.float64)))
    poses, points = out.transforms.numpy(), out.markers.numpy()
    changed = []
    for i, marker in enumerate(model.model.markers):
        body = bodies.get(marker.name)
        if body is None or marker.frame == Frame(body):
            continue
        pose = poses[model.body_names.index(body)]
        x, y, z = (float(v) for v in pose[:3, :3].T @ (points[i] - pose[:3, 3]))
        changed.append(replace(marker, frame=Frame(body), location=(x, y, z)))
    return with_markers(model, changed) if changed else model
