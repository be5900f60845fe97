"""The default model with the 142 virtual markers, and how it is fitted to them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from biopose_sim.bodies.virtual import VirtualMarker, read_virtual_markers
from biopose_sim.ik.fit import FitConfig
from biopose_sim.ik.types import IKConfig
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.osim.markerset import keep_markers, with_markers
from biopose_sim.osim.schema import Frame, Marker
from biopose_sim.paths import default_model_path

# How far a marker of a person lies from its place on the average person, per axis [m].
LANDMARK_SD, TRACKING_SD = 0.006, 0.015
# What is left of a marker's error when its place is known: skin that does not follow its segment [m].
MARKER_SD = 0.005


def virtual_model(path: str | Path | None = None, markers: tuple[VirtualMarker, ...] | None = None) -> OsimModel:
    """Return the default full-body model with the 142 virtual markers and no others.

    Args:
        path: another model with the segments that the markers name.
        markers: other places of the markers; those of ``models/markersets/virtual.csv`` if none are given.

    Raises:
        InputError: no such file, or a marker on a segment that the model lacks.
    """
    places = markers or read_virtual_markers()
    model = OsimModel.from_file(path or default_model_path())
    placed = with_markers(model, [Marker(m.name, Frame(m.segment), m.position, False) for m in places])
    return keep_markers(placed, [m.name for m in places])


def virtual_fit_config(markers: tuple[VirtualMarker, ...] | None = None, ik: IKConfig | None = None) -> FitConfig:
    """Return how a person is fitted to virtual markers: weights and landmarks are those of ``virtual.csv``.

    Args:
        markers: other markers than those of ``virtual.csv``.
        ik: limits and smoothing; its weights count before those of the markers.
    """
    places = markers or read_virtual_markers()
    given = ik or IKConfig()
    weights = {m.name: m.weight for m in places} | dict(given.weights)
    return FitConfig(
        ik=replace(given, weights=weights),
        landmarks=frozenset(m.name for m in places if m.kind == "landmark"),
        landmark_sd=LANDMARK_SD,
        tracking_sd=TRACKING_SD,
        marker_sd=MARKER_SD,
    )
