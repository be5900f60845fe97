"""The default model with the 142 virtual markers, and how it is fitted to them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from biopose_sim.bodies.virtual import VirtualMarker, read_virtual_markers
from biopose_sim.ik.fit import FitConfig
from biopose_sim.ik.groups import SizePrior
from biopose_sim.ik.types import IKConfig
from biopose_sim.io import Trial
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.osim.markerset import keep_markers, with_markers
from biopose_sim.osim.schema import Frame, Marker
from biopose_sim.paths import default_model_path

# How far a marker of a person lies from its place on the average person, per axis [m]. Landmarks are held tighter than
# people differ, because a body model turns its limbs about joints that are not quite the anatomical ones: left to the
# motion alone, offsets would let the spine buckle to bring the joints together.
LANDMARK_SD, TRACKING_SD = 0.001, 0.015
# Body models have proportions that people have not (Anny's hips are further apart and 2 cm higher in the pelvis).
PRIOR = SizePrior(part=0.05, dimension=0.05, limit=0.3)
# Distances that count as fixed.
_FIXED_SD = 1e-4
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
        prior=PRIOR,
    )


def fixed_markers(config: FitConfig) -> FitConfig:
    """Return the configuration for a fit of size and motion alone, with markers where the model has them."""
    return replace(config, landmark_sd=_FIXED_SD, tracking_sd=_FIXED_SD)


def mirrored_trial(trial: Trial) -> Trial:
    """Return the trial seen in a mirror: left markers become right ones, z changes its sign."""
    names = tuple(_other_side(name, trial.marker_names) for name in trial.marker_names)
    return replace(trial, markers=trial.markers * [1.0, 1.0, -1.0], marker_names=names)


def mirrored_coordinates(coordinates: NDArray[np.floating], names: tuple[str, ...]) -> NDArray[np.floating]:
    """Return coordinates (T, n) of the default model for the mirrored motion."""
    result = np.empty_like(coordinates)
    for column, name in enumerate(names):
        swapped = {"_r": "_l", "_l": "_r"}.get(name[-2:])
        if swapped is not None or name.endswith("_beta"):
            other = name[:-2] + swapped if swapped else _other_beta(name)
            result[:, names.index(other)] = coordinates[:, column]
        else:
            across = name in ("pelvis_list", "pelvis_rotation", "pelvis_tz") or name.endswith(("_bending", "_rotation"))
            result[:, column] = -coordinates[:, column] if across else coordinates[:, column]
    return result


def _other_beta(name: str) -> str:
    base = name.removesuffix("_beta")
    return f"{base[:-1]}{'l' if base[-1] == 'r' else 'r'}_beta"


def _other_side(name: str, names: tuple[str, ...]) -> str:
    """The marker's twin; itself in the midline."""
    other = {"R": "L", "L": "R"}.get(name[0], "") + name[1:]
    return other if other in names else name
