"""Vertices near a marker that would sit more rigidly on its segment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from biopose_sim.bodies.markers import BodyMarkers, read_body_markers, virtual_markers
from biopose_sim.bodies.retarget_rig import rest_vertices
from biopose_sim.bodies.types import BodySequence
from ik_pipeline.calibration_data import MEAN_ADULT
from ik_pipeline.rigidity import laid_on, mean_configuration

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Candidate:
    """A vertex instead of a marker's own.

    Attributes:
        vertex: its index.
        distance: from the marker's present place on the mean adult at rest [m].
        median: distance from its place on the segment, as the segment's other markers show it [m].
        percentile95: the same, kept in 95 % of poses [m].
    """

    vertex: int
    distance: float
    median: float
    percentile95: float


def nearby_vertices(
    marker: str, others: Sequence[str], people: Sequence[BodySequence], radius: float = 0.015
) -> list[Candidate]:
    """Measure all vertices of Anny near a marker, its own first.

    Args:
        marker: its name.
        others: the other markers of its segment, at least three.
        people: one sequence of poses for each body.
        radius: how far from the marker on the mean adult at rest [m].
    """
    own = read_body_markers("anny")
    points = own.select([marker, *others])
    rest = rest_vertices(MEAN_ADULT)
    place = np.asarray(points.weights[0]) @ rest[list(points.vertices[0])]
    away = np.linalg.norm(rest - place, axis=1)
    chosen = [int(v) for v in np.flatnonzero(away <= radius)]
    chosen.sort(key=lambda vertex: float(away[vertex]))
    names = [str(vertex) for vertex in chosen]
    both = BodyMarkers(
        "anny",
        (*names, *others),
        tuple((vertex,) for vertex in chosen) + points.vertices[1:],
        tuple((1.0,) for _ in chosen) + points.weights[1:],
    )
    errors = []
    for sequence in people:
        found = virtual_markers(sequence, both).markers
        frame = found[:, len(chosen) :]
        local = laid_on(mean_configuration(frame), frame, found[:, : len(chosen)])
        errors.append(np.linalg.norm(local - local.mean(axis=0), axis=2))
    every = np.concatenate(errors)
    middle, high = np.median(every, axis=0), np.percentile(every, 95, axis=0)
    return [Candidate(v, float(away[v]), float(m), float(h)) for v, m, h in zip(chosen, middle, high)]
