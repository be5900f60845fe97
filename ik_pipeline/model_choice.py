"""Choosing the model that persons are scaled from: the default one or the user's, with its markers and weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from biopose_sim.bodies.virtual import VirtualMarker, read_virtual_markers
from biopose_sim.errors import InputError
from biopose_sim.ik.fit import FitConfig
from biopose_sim.ik.landmarks import find_landmarks
from biopose_sim.ik.scale_setup import Measurement, ScaleSetup, read_scale_setup
from biopose_sim.ik.setup_files import read_ik_tasks
from biopose_sim.ik.types import IKConfig
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.osim.markerset import keep_markers, read_marker_set, with_markers
from biopose_sim.osim.schema import Frame, Marker
from biopose_sim.paths import default_model_path, markerset_path
from ik_pipeline.after_scaling import AfterScaling, choose_after_scaling
from ik_pipeline.measurements import fitting_measurements, read_measurements, unmeasured
from ik_pipeline.types import ModelChoice
from ik_pipeline.virtual_fit import PRIOR, virtual_fit_config

FEWEST_VIRTUAL = 10  # markers that determine where a body is, if sparsely


def choose_model(
    *,
    virtual: bool,
    path: Path | None = None,
    markers: Path | None = None,
    setup: Path | None = None,
    scale_setup: Path | None = None,
    ik: IKConfig | None = None,
    after: Path | None = None,
    place_fixed: bool = False,
) -> ModelChoice:
    """Return the model that persons are scaled from.

    Args:
        virtual: whether the source gives the 142 virtual markers; else a laboratory's own.
        path: the user's model; else the one that ``scale_setup`` names, else the default full body.
        markers: marker set that joins the model's markers: an OpenSim MarkerSet, or a table like
            ``models/markersets/virtual.csv``. For virtual markers it says where they lie on the user's model.
        setup: setup of the InverseKinematicsTool (or a task set of its own): weights, wanted values.
        scale_setup: setup of the ScaleTool, or a table as ``models/markersets/virtual_measurements.csv``: marker
            pairs by which bodies are scaled; a setup's MarkerPlacer gives the weights of the static pose too.
        ik: limits and smoothing; its weights count before those of setup and marker set.
        after: what changes once the model is scaled, as ``models/after_scaling/d3ke.toml`` has it; without it a
            recipe of that folder is used where the model has all that it names.
        place_fixed: whether OpenSim's marker placement also moves markers that the model calls fixed. The engine
            ``fit`` moves all markers in any case.

    Raises:
        InputError: files that are missing or cannot be read, markers on bodies that the model lacks, fewer than 10
            of the virtual markers on the model, names that the model lacks.
    """
    scaling = _scale_setup(scale_setup)
    if scaling is not None:
        path = path or scaling.model_file
        markers = markers or scaling.marker_set_file
    own_model = path is not None
    model = OsimModel.from_file(path or default_model_path())
    if virtual and not own_model and markers is None:
        markers = markerset_path("virtual")
    table, added = _read_markers(markers, model)
    model = with_markers(model, added) if added else model
    notices: list[str] = []
    if virtual:
        model = _with_virtual(model, added, markers)
        if markers is None:
            notices.append(_own_names(model))
    if place_fixed:
        model = with_markers(model, [replace(m, fixed=False) for m in model.model.markers if m.fixed])
    elif fixed := [m.name for m in model.model.markers if m.fixed]:
        notices.append(
            f"OpenSim's marker placement leaves {len(fixed)} markers where the model has them: they are fixed"
        )
    config = _ik_config(model, setup, ik)
    fit = _fit_config(model, table, config, virtual, calibrated=not own_model)
    measurements, more = _measurements(model, scale_setup, virtual)
    what, name = choose_after_scaling(model, after)
    if name is not None:
        notices.append(f"what changes after scaling is taken from {name}")
    return ModelChoice(
        path=model.path or default_model_path(),
        markers=markers,
        model=model,
        fit=fit,
        landmarks=fit.landmarks or frozenset(),
        measurements=measurements,
        notices=(*notices, *more),
        placement=None if scaling is None or scaling.placement is None else scaling.placement.tasks.weights or None,
        **_changes(what, model),
    )


def _scale_setup(path: Path | None) -> ScaleSetup | None:
    return read_scale_setup(path) if path is not None and path.suffix.lower() == ".xml" else None


def _read_markers(path: Path | None, model: OsimModel) -> tuple[tuple[VirtualMarker, ...], tuple[Marker, ...]]:
    """The rows of a table (none for an OpenSim file) and the markers."""
    if path is None:
        return (), ()
    if path.suffix.lower() != ".csv":
        return (), read_marker_set(path, model)
    rows = read_virtual_markers(path)
    return rows, tuple(Marker(m.name, Frame(m.segment), m.position, False) for m in rows)


def _with_virtual(model: OsimModel, added: tuple[Marker, ...], source: Path | None) -> OsimModel:
    """The model with those of its markers that are virtual ones: of the marker set, where there is one."""
    known = {m.name for m in read_virtual_markers()}
    there = [m.name for m in added] if source is not None else list(model.marker_names)
    usable = [name for name in there if name in known]
    if len(usable) < FEWEST_VIRTUAL:
        problem = f"holds {len(usable)} of the {len(known)} virtual markers by name"
        remedy = f"give a marker set file that says where at least {FEWEST_VIRTUAL} of them lie on this model"
        raise InputError(source or model.path or model.name, problem, remedy)
    return keep_markers(model, usable)


def _own_names(model: OsimModel) -> str:
    return (
        f"of the virtual markers the model has {len(model.marker_names)} by name, taken to mean the same points: "
        f"{', '.join(model.marker_names)}; a marker set file would place more"
    )


def _ik_config(model: OsimModel, setup: Path | None, ik: IKConfig | None) -> IKConfig:
    given = ik or IKConfig()
    if setup is None:
        return given
    tasks = read_ik_tasks(setup).config(model, np.zeros(1), None, setup)
    return replace(
        given,
        weights={**tasks.weights, **given.weights},
        default_weight=tasks.default_weight,
        coordinate_targets={**tasks.coordinate_targets, **given.coordinate_targets},
    )


def _fit_config(
    model: OsimModel, table: tuple[VirtualMarker, ...], ik: IKConfig, virtual: bool, *, calibrated: bool
) -> FitConfig:
    """How persons are fitted; spreads of the virtual markers hold where their places are calibrated."""
    if virtual and calibrated:
        return virtual_fit_config(table or None, ik)
    kinds = {m.name: m.kind for m in (*(read_virtual_markers() if virtual else ()), *table)}
    weights = {m.name: m.weight for m in table} | dict(ik.weights)
    found = find_landmarks(name for name in model.marker_names if name not in kinds)
    told = {name for name, kind in kinds.items() if kind == "landmark" and name in model.marker_names}
    config = FitConfig(ik=replace(ik, weights=weights), landmarks=frozenset(found | told))
    return replace(config, prior=PRIOR) if virtual else config


def _measurements(model: OsimModel, source: Path | None, virtual: bool) -> tuple[tuple[Measurement, ...], list[str]]:
    if source is None and not virtual:
        return (), ["no scale setup: bodies are not scaled by marker pairs; the engine 'opensim' needs them"]
    measurements, notices = fitting_measurements(read_measurements(source), model)
    if bare := unmeasured(measurements, model):
        shown = ", ".join(bare[:6]) + (", ..." if len(bare) > 6 else "")
        notices.append(f"no marker pair scales every axis of {len(bare)} bodies ({shown})")
    return measurements, notices


def _changes(what: AfterScaling, model: OsimModel) -> dict[str, tuple]:
    here = {name: body for name, body in what.marker_bodies.items() if name in model.marker_names}
    locked = tuple(what.locked)
    others = tuple(c.name for c in model.model.coordinates if c.locked and c.name not in locked)
    return {
        "locked": locked,
        "unlocked": others if what.unlock_others else (),
        "couplers_off": tuple(what.couplers_off),
        "marker_bodies": tuple(here.items()),
    }
