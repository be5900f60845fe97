"""Key points in space from several calibrated cameras."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..points.keypoints import Array, KeyPoints
from ..types import View
from .rays import Sights
from .sides import exchanged, swap

_FIRST_ERROR, _LEAST_ERROR, _MOST_ERROR = 0.01, 0.001, 0.02  # usual error of a key point, of the person's height
_SAME_PLACE = 0.01  # m
_SAME_TIME = 1e-6  # s
_ODD = 2.5  # times the error of the other cameras, from which a camera is named


@dataclass(frozen=True, eq=False)
class Triangulated:
    """Key points in space.

    Attributes:
        name: of the clip.
        time: (T,) [s].
        points: (T, 23, 3) [m] in the ground frame; NaN where fewer than two cameras agree.
        errors: (C, T, 23) between what a camera sees and where the point is [pixel]; NaN where it was not used.
        millimetres: (C, T, 23) the same at the point's distance [mm].
        cameras_used: (T, 23) how many cameras were used.
        exchanged: (C, T) frames in which left and right of a camera, or of half of the body there, were exchanged.
        views: with left and right put right, as they were used.
        notes: what a user should know, a sentence each.
    """

    name: str
    time: Array
    points: Array
    errors: Array
    millimetres: Array
    cameras_used: NDArray[np.int_]
    exchanged: NDArray[np.bool_]
    views: tuple[View, ...]
    notes: tuple[str, ...] = ()


def triangulate(views: Sequence[View]) -> Triangulated:
    """Put the key points of one person, seen by several cameras, into space.

    Cameras that disagree with the others are left out, point by point and frame by frame; a camera that has left and
    right exchanged against the others is put right.

    Args:
        views: two or more, with cameras that are placed in the ground frame, on one clock (`synchrony.align`).

    Raises:
        InputError: fewer than two views, cameras in one place, other frames, nobody seen by two cameras.
    """
    views = tuple(views)
    _check(views)
    cameras = tuple(view.camera for view in views)
    pixels = np.stack([view.key_points.points for view in views])
    confidence = np.stack([view.key_points.confidence for view in views])
    count, frames, points = confidence.shape
    heights = np.array([_height(seen) for seen in pixels])
    flat = Sights.of(cameras, pixels.reshape(count, -1, 2), confidence.reshape(count, -1), _FIRST_ERROR * heights)
    flat = replace(flat, unit=_usual(flat, heights))
    which = exchanged(flat, frames)
    pixels, confidence = swap(pixels, which), swap(confidence, which)
    flat = Sights.of(cameras, pixels.reshape(count, -1, 2), confidence.reshape(count, -1), flat.unit)
    flat = replace(flat, unit=_usual(flat, heights))
    found, use = flat.located()
    if not use.any():
        raise InputError(views[0].key_points.name, "no point is seen by two cameras that agree", CHECKS)
    errors = np.where(use, flat.errors(found) * flat.unit[:, None], np.nan)
    depth = np.stack([camera.to_camera(found)[:, 2] for camera in cameras])
    millimetres = 1e3 * errors * depth / np.array([np.mean(camera.focal) for camera in cameras])[:, None]
    shape = (count, frames, points)
    repaired = tuple(
        replace(view, key_points=replace(view.key_points, points=p, confidence=c))
        for view, p, c in zip(views, pixels, confidence, strict=True)
    )
    changed = np.asarray((which & np.isfinite(pixels).all(-1)).any(-1))
    return Triangulated(
        views[0].key_points.name,
        views[0].key_points.time,
        found.reshape(frames, points, 3),
        errors.reshape(shape),
        millimetres.reshape(shape),
        use.reshape(shape).sum(0),
        changed,
        repaired,
        _notes(repaired, errors.reshape(shape), millimetres.reshape(shape), changed),
    )


CHECKS = "check the calibration, the order of the clips and that they start together"


def _check(views: tuple[View, ...]) -> None:
    if len(views) < 2:
        raise InputError("triangulation", f"{len(views)} camera was given", "give two or more clips and a calibration")
    first = views[0].key_points
    for view in views:
        own: KeyPoints = view.key_points
        if own.layout != "anny23":
            raise InputError(own.name, f"key points of layout {own.layout}", "bring them to the common ones first")
        if len(own.time) != len(first.time) or np.abs(own.time - first.time).max(initial=0.0) > _SAME_TIME:
            raise InputError(own.name, f"has other frames than {first.name}", "bring the clips to one clock first")
    for a, b in combinations(views, 2):
        if np.linalg.norm(a.camera.position - b.camera.position) < _SAME_PLACE:
            problem = f"the cameras '{a.camera.name}' and '{b.camera.name}' stand in the same place"
            raise InputError("calibration", problem, "it should say where each camera stands; give each clip its own")


def _height(points: Array) -> float:
    """Usual size of the person (T, 23, 2) [pixel]."""
    some = points[np.isfinite(points).all(-1).sum(1) >= 2]
    if not len(some):
        return 1.0
    return max(float(np.median((np.nanmax(some, axis=1) - np.nanmin(some, axis=1)).max(-1))), 1.0)


def _usual(sights: Sights, heights: Array) -> Array:
    """Usual error of each camera (C,) [pixel], the same share of the person's size in all.

    Estimated camera by camera, the one that happens to err least would draw all points to its own rays.
    """
    points, use = sights.located()
    shares = (sights.errors(points) * (sights.unit / heights)[:, None])[use]
    if not shares.size:
        return sights.unit
    # Of 2 C numbers three are used up by the point. The median of the length of a vector with normal components.
    freedom = np.sqrt(1.0 - 1.5 / max(float(use.sum(0)[use.any(0)].mean()), 2.0))
    return heights * float(np.clip(np.median(shares) / (1.1774 * freedom), _LEAST_ERROR, _MOST_ERROR))


def _notes(views: tuple[View, ...], errors: Array, millimetres: Array, changed: NDArray[np.bool_]) -> tuple[str, ...]:
    mean = float(np.nanmean(errors))
    notes = [f"{len(views)} cameras triangulated: mean error {mean:.1f} px ({np.nanmean(millimetres):.0f} mm)."]
    for camera, own, frames in zip(views, errors, changed, strict=True):
        name = camera.camera.name or camera.key_points.name
        if frames.any():
            notes.append(f"{name}: left and right were exchanged in {int(frames.sum())} frames.")
        seen = np.isfinite(camera.key_points.points).all(-1)
        left_out = float((seen & ~np.isfinite(own)).sum() / max(seen.sum(), 1))
        if left_out > 0.25:
            notes.append(f"{name}: {100 * left_out:.0f} % of its key points disagree with the other cameras.")
        others = float(np.nanmean(np.delete(errors, [v is camera for v in views].index(True), axis=0)))
        if np.isfinite(own).any() and float(np.nanmean(own)) > _ODD * others:
            notes.append(f"{name}: errs {float(np.nanmean(own)):.0f} px, the others {others:.0f}; {CHECKS}.")
    return tuple(notes)
