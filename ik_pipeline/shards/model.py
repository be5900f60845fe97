"""The generic model of shards: found by the run's manifest, kept beside the shards, described in their card."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from biopose_sim.errors import InputError
from biopose_sim.io.record import sha256
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.osim.markerset import keep_markers
from biopose_sim.osim.schema import GROUND
from biopose_sim.paths import default_model_path, markerset_path
from ik_pipeline.after_scaling import after_scaling
from ik_pipeline.model_choice import choose_model
from ik_pipeline.shards.types import Card
from ik_pipeline.types import ModelChoice

MODEL_FILE = "model.osim"
# What of a choice changes the model once it is scaled.
CHANGES = ("locked", "unlocked", "couplers_off", "marker_bodies")


@dataclass(frozen=True)
class GenericModel:
    """The model that persons are scaled from.

    Attributes:
        model: as it is after scaling, with its markers; no coordinate is locked, so that results hold what was solved.
        choice: where it comes from, and what changes after scaling.
        locked: names of the coordinates that are locked in the scaled models.
    """

    model: OsimModel
    choice: ModelChoice
    locked: frozenset[str]

    @property
    def changes(self) -> dict[str, Any]:
        """What changes after scaling, as JSON has it."""
        return {key: [list(v) if isinstance(v, tuple) else v for v in getattr(self.choice, key)] for key in CHANGES}


def load_model(folder: str | Path) -> OsimModel:
    """Return the generic model of a folder of shards, with its markers in the order of the arrays.

    Its coordinates are unlocked: ``model(q, scales, marker_offsets)`` gives the shards' joint centres and markers.

    Raises:
        InputError: no shards there, or a model that is not theirs.
    """
    card = Card.read(folder)
    entry = card.content["model"]
    markers = None if entry["markers_file"] is None else card.folder / entry["markers_file"]
    names = card.names["markers"]
    return open_model(card.folder / entry["file"], markers, names, entry["sha256"], entry["after_scaling"]).model


def open_model(
    path: Path, markers: Path | None, names: Sequence[str], expected_hash: str, changes: Mapping[str, Any] | None = None
) -> GenericModel:
    """Return the model with the named markers.

    Args:
        path: the model's file.
        markers: a table of virtual markers (.csv) or a marker set (.xml, .osim) that joins the model's own markers;
            None: its own, or the virtual markers where those are the names.
        names: of the markers that persons have, in their order.
        expected_hash: SHA-256 of the model's file.
        changes: after scaling, by the names of `CHANGES`; None: those that are known of such a model.

    Raises:
        InputError: no such file, one of another content, or not these markers.
    """
    for file in (path, markers):
        if file is not None and not file.is_file():
            raise InputError(file, "no such file", "the run was made with it: put it back or run again")
    if sha256(path) != expected_hash:
        raise InputError(path, "is not the model of the run: its content was changed", "put it back or run again")
    choice = choose_model(virtual=False, path=path, markers=markers)
    if markers is None and not set(names) <= set(choice.model.marker_names):
        choice = choose_model(virtual=False, path=path, markers=markerset_path("virtual"))
    if changes is not None:
        pairs = tuple((name, body) for name, body in changes["marker_bodies"])
        choice = replace(choice, **{key: tuple(changes[key]) for key in CHANGES} | {"marker_bodies": pairs})
    there = [name for name in choice.model.marker_names if name in set(names)]
    if there != list(names):
        raise InputError(markers or path, "has not the markers of the run", "put the marker set back or run again")
    scaled = after_scaling(keep_markers(choice.model, names), choice)
    locked = frozenset(name for name, lock in zip(scaled.coordinate_names, scaled.tree.locked) if lock)
    return GenericModel(_unlocked(scaled), choice, locked)


def copy_model(generic: GenericModel, folder: Path) -> dict[str, Any]:
    """Copy the model and its marker set into the folder and return where they are and their hashes."""
    path, markers = generic.choice.path, generic.choice.markers
    shutil.copyfile(path, folder / MODEL_FILE)
    entry: dict[str, Any] = {"file": MODEL_FILE, "sha256": sha256(path), "markers_file": None}
    if markers is not None:
        entry["markers_file"] = f"markers{markers.suffix}"
        shutil.copyfile(markers, folder / entry["markers_file"])
    default = default_model_path()
    entry["default"] = default.is_file() and sha256(default) == entry["sha256"]
    return entry


def describe(generic: GenericModel, landmarks: Sequence[str]) -> dict[str, Any]:
    """Return what training and evaluation need of the model, as JSON has it.

    Sizes of bodies are the extents, along their axes, of their markers and of the centres of their joints in the
    default pose [m]; ``size_axes`` are those along which MAE_body compares them.
    """
    model, tree = generic.model, generic.model.tree
    coordinates = [
        {
            "name": c.name,
            "joint": c.joint,
            "motion_type": c.motion_type,
            "default": c.default,
            "range": list(c.range),
            "clamped": c.clamped,
            "locked": c.name in generic.locked,
            "dependent": bool(dependent),
        }
        for c, dependent in zip(model.model.coordinates, tree.dependent)
    ]
    places = np.einsum("mij,j->mi", tree.marker_matrix, np.ones(3))
    bodies = [GROUND if b < 0 else model.body_names[b] for b in tree.marker_body]
    kinds = ["landmark" if name in set(landmarks) else "tracking" for name in model.marker_names]
    markers = zip(model.marker_names, bodies, places, kinds)
    return {
        "after_scaling": generic.changes,
        "root_body": root_body(model),
        "coordinates": coordinates,
        "bodies": [
            {"name": name, "size": _rounded(size), "size_axes": size_axes(name)}
            for name, size in zip(model.body_names, body_sizes(model))
        ],
        "joints": [{"name": j.name, "parent": j.parent.body, "child": j.child.body} for j in model.model.joints],
        "markers": [{"name": n, "body": b, "position": _rounded(p), "kind": k} for n, b, p, k in markers],
        "landmarks": [n for n, k in zip(model.marker_names, kinds) if k == "landmark"],
    }


def root_body(model: OsimModel) -> str:
    """Return the body that a joint ties to the ground."""
    return next(j.child.body for j in model.model.joints if j.parent.body == GROUND)


def root_markers(model: OsimModel) -> np.ndarray:
    """Return the rows of the markers on the root body, (n,)."""
    return np.flatnonzero(model.tree.marker_body == model.body_names.index(root_body(model)))


def body_sizes(model: OsimModel) -> np.ndarray:
    """Return the extents of the bodies along their axes, (n_bodies, 3) [m]; zero where there is no second point."""
    pose = model(model.default_coordinates)
    transforms, centers = pose.transforms.numpy(), pose.joint_centers.numpy()
    points: dict[str, list[np.ndarray]] = {name: [] for name in model.body_names}
    for joint, center in zip(model.model.joints, centers):
        for body in {joint.parent.body, joint.child.body} - {GROUND}:
            turn = transforms[model.body_names.index(body)]
            points[body].append(turn[:3, :3].T @ (center - turn[:3, 3]))
    for body, matrix in zip(model.tree.marker_body, model.tree.marker_matrix):
        if body >= 0:
            points[model.body_names[body]].append(matrix.sum(axis=1))
    return np.array([np.ptp(found, axis=0) if found else np.zeros(3) for found in points.values()])


def size_axes(body: str) -> str:
    """Return the axes of a segment's longest dimension: x for skull, toes and calcaneus, z for jaw, scapula and
    clavicle, all for the pelvis, y for spine and limbs.
    """
    name = body.lower()
    for axes, parts in {
        "xyz": ("pelvis",),
        "x": ("skull", "head", "toes", "calcn"),
        "z": ("jaw", "scap", "clav"),
    }.items():
        if any(part in name for part in parts):
            return axes
    return "y"


def _unlocked(model: OsimModel) -> OsimModel:
    schema = model.model
    coordinates = tuple(replace(c, locked=False) for c in schema.coordinates)
    tree = replace(model.tree, model=replace(schema, coordinates=coordinates))
    return OsimModel(tree, model.scales, model.marker_offsets)


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(v), 7) for v in values]


def landmarks_of(manifest: Mapping[str, Any], model: OsimModel) -> tuple[str, ...]:
    """Return the model's markers that the run calls landmarks, in the model's order."""
    named = set(manifest["model"].get("landmarks") or ())
    return tuple(name for name in model.marker_names if name in named)
