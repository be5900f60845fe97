"""The part of a report on quality: markers followed, joints within their ranges, feet on the floor."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from biopose_sim.ik.landmarks import find_landmarks
from biopose_sim.ik.types import KinematicsResult
from biopose_sim.viz._html import Html, element, join, table
from biopose_sim.viz.plots import marker_statistics, pretty_name
from biopose_sim.viz.report_tables import DASH, number, overall_rms
from biopose_sim.viz.style import side_of

_SIDES = {"r": ", right", "l": ", left", "": ""}
_MOST = 8
# Hicks et al. 2015, J Biomech Eng 137:020905: what marker errors of a tracked motion should stay below [mm].
GOOD_RMS, GOOD_MAX = 20.0, 40.0
_SKATE, _SLIP, _SINK = 100.0, 30.0, 20.0  # [mm/s], [mm], [mm]: more deserves a look


class Quality(Protocol):
    """Figures of a trial, as ``ik_pipeline.quality.types.TrialQuality`` has them; lengths in mm."""

    @property
    def frames_at_limits(self) -> float:
        """Share of frames with a coordinate at a limit of its range."""

    @property
    def limits(self) -> Sequence[tuple[str, float]]:
        """Share of frames at a limit, of each coordinate that is there ever."""

    @property
    def floor_from(self) -> str | None:
        """Where the floor is from: "ground", "feet", or None without feet."""

    @property
    def floor(self) -> float | None:
        """Height of the floor."""

    @property
    def penetration(self) -> float | None:
        """How deep feet sink into the floor."""

    @property
    def skate(self) -> float | None:
        """Mean speed of standing feet [mm/s]."""

    @property
    def slip(self) -> float | None:
        """How far a foot slides in one stance."""

    @property
    def standing(self) -> float | None:
        """Share of frames in which a foot stands."""


def landmark_table(results: Sequence[KinematicsResult]) -> Html:
    """Marker errors of anatomical landmarks and of tracking markers apart; empty without measured markers."""
    rows = []
    for result in results:
        errors = 1e3 * result.marker_errors
        if not np.isfinite(errors).any():
            continue
        bony = find_landmarks(result.marker_names)
        on_bone = np.array([name in bony for name in result.marker_names], dtype=bool)
        cells: list[object] = [result.name]
        for columns in (errors[:, on_bone], errors[:, ~on_bone]):
            cells += [columns.shape[1], number(overall_rms(columns))]
        rms, _ = marker_statistics(result)
        worst = float(np.nanmax(rms))
        verdict = element("span", "within", css="good") if worst < GOOD_RMS else element("span", "above", css="bad")
        rows.append([*cells, number(worst), verdict])
    if not rows:
        return Html("")
    head = ["Trial", "Landmarks", "RMS [mm]", "Tracking markers", "RMS [mm]", "Worst marker RMS [mm]", "20 mm"]
    about = (
        "Landmarks lie on bones that can be felt; they tell the size of the person. Tracking markers lie on soft "
        "tissue, which moves against the bones. Good practice keeps every marker within 20 mm RMS (Hicks et al. 2015)."
    )
    return join([table(head, rows), element("p", about, css="soft")])


def limit_part(results: Sequence[KinematicsResult], qualities: Mapping[str, Quality]) -> Html:
    """Which coordinates lie at a limit of their range, and for how long."""
    rows = []
    for result in results:
        quality = qualities.get(result.name)
        if quality is None:
            continue
        worst = sorted(quality.limits, key=lambda entry: -entry[1])[:_MOST]
        names = ", ".join(f"{pretty_name(n)}{_SIDES[side_of(n)]} ({100.0 * share:.0f} %)" for n, share in worst)
        rows.append([result.name, names or "none", f"{100.0 * quality.frames_at_limits:.1f} %"])
    if not rows:
        return Html("")
    about = (
        "A joint angle at the end of its range in the model may be cut off there: the person moved further, or the "
        "markers of the segment are misplaced."
    )
    head = ["Trial", "Coordinates at a limit (share of frames)", "Frames with any"]
    return join([element("h3", "Coordinates at the limits of their range"), table(head, rows, names=2),
                 element("p", about, css="soft")])  # fmt: skip


def feet_part(results: Sequence[KinematicsResult], qualities: Mapping[str, Quality]) -> Html:
    """How far standing feet slide and how deep they sink."""
    rows: list[list[object]] = []
    for result in results:
        quality = qualities.get(result.name)
        if quality is None or quality.floor_from is None:
            continue
        floor = "y = 0" if quality.floor_from == "ground" else f"{number(quality.floor or 0.0, 0)} mm, where feet stand"
        standing = DASH if quality.standing is None else f"{100.0 * quality.standing:.0f} %"
        values = ((quality.skate, _SKATE), (quality.slip, _SLIP), (quality.penetration, _SINK))
        rows.append([result.name, floor, standing, *(_judged(value, most) for value, most in values)])
    if not rows:
        return join(
            [element("h3", "Feet and floor"), element("p", "Not measured: the model has no feet that are known.")]
        )
    head = ["Trial", "Floor", "A foot stands", "Sliding speed [mm/s]", "Sliding per stance [mm]", "Sinking [mm]"]
    about = (
        "A foot that stands should neither slide nor sink. Sliding: mean speed of standing feet, and the way that 95 "
        "of 100 stances stay below; sinking: depth below the floor that 99 of 100 frames keep. On treadmills feet move."
    )
    return join([element("h3", "Feet and floor"), table(head, rows, names=2), element("p", about, css="soft")])


def _judged(value: float | None, most: float) -> object:
    if value is None or not math.isfinite(value):
        return DASH
    return element("span", f"{value:.0f}", css="good" if value <= most else "bad")
