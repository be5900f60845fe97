"""What joint refinement checks: exchanged sides, standing feet, the root's place, which frames can be trusted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...io.camera import Camera
from ..points.keypoints import COMMON, LAYOUTS, Array
from ..types import View
from .body import PointBody
from .terms import NEAREST, JointTerms, Seen, State

# Limbs that a detector exchanges by themselves.
_LIMBS = {
    "face": ("eye", "ear"),
    "arms": ("shoulder", "elbow", "wrist"),
    "legs": ("hip", "knee", "ankle", "toe", "heel"),
}
_GAIN, _CLEAR = 0.35, 0.02  # exchanged if that leaves so little of the cost, and saves so much [boxes^2, mean]
# A sole stands where it is slower than this across the line of sight [m/s], for so long [s].
_SLOW, _SHORTEST = 0.35, 0.12
_NEAR_FLOOR = 0.09  # m above the floor under it
_ALIKE = 0.5  # s over which a detector's errors are compared
_AT_LIMIT = np.radians(0.5)
_FAR = 2.5  # deviations of the start, root mean square over the joints


def see(view: View, pixel_sd: float) -> Seen:
    """Return a view as the terms need it.

    Args:
        view: layout ``anny23``.
        pixel_sd: deviation of a point as a share of the box.
    """
    found = view.key_points
    points, confidence = found.points, np.clip(np.nan_to_num(found.confidence), 0.0, 1.0)
    there = np.isfinite(points).all(-1) & (confidence > 0.0)
    box = box_sizes(points, there)
    safe = np.where(there[..., None], points, 0.0)
    target = safe if view.camera.is_ideal else np.where(there[..., None], view.camera.undistorted(safe), 0.0)
    weight = np.where(there, confidence, 0.0) / (pixel_sd * box[:, None]) ** 2
    return Seen(view.camera.ideal, target, weight, box)


def box_sizes(points: Array, there: NDArray[np.bool_]) -> Array:
    """Larger side of the box around the points of each frame, (T,) [px], steadied over the neighbouring frames."""
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    low = np.where(there[..., None], points, np.inf).min(1)
    high = np.where(there[..., None], points, -np.inf).max(1)
    enough = there.sum(1) >= len(COMMON) // 2
    if not enough.any():
        return np.ones(len(points))
    size = np.interp(np.arange(len(points)), np.flatnonzero(enough), (high - low).max(-1)[enough])
    return np.asarray(np.maximum(uniform_filter1d(maximum_filter1d(size, 9), 9), 1.0))


def place_root(body: PointBody, q: Array, views: tuple[View, ...]) -> Array:
    """Return the coordinates with the body shifted, not turned, to where the cameras see it.

    Of each frame the shift that brings the key points nearest to the rays of their pixels (linear least squares,
    weighted by confidence); frames with fewer than four points take the shift of their neighbours.

    Args:
        body: whose root has its translations along ground's axes.
        q: (T, n_q) [rad | m].
        views: of the person.
    """
    normal = np.zeros((len(q), 3, 3))
    right = np.zeros((len(q), 3))
    count = np.zeros(len(q), dtype=int)
    points = body.place(q, np.zeros(body.n_size), np.zeros(body.n_offsets)).points[:, :23]
    for view in views:
        seen = see(view, 1.0)
        there = seen.weight > 0.0
        flat = seen.camera.rays(seen.target)[..., :2]
        across = np.zeros((*flat.shape, 3))
        across[..., 0, 0] = across[..., 1, 1] = 1.0
        across[..., 2] = -flat
        rows = across @ seen.camera.rotation
        rest = -(rows @ (points - seen.camera.position)[..., None])[..., 0]
        weight = (seen.weight * seen.box[:, None] ** 2 * there)[..., None]
        normal += np.einsum("tkri,tkrj,tkr->tij", rows, rows, np.broadcast_to(weight, rest.shape), optimize=True)
        right += np.einsum("tkri,tkr->ti", rows, weight * rest, optimize=True)
        count += there.sum(1)
    good = np.flatnonzero(count >= 4)
    if not len(good):
        return q
    shift = np.linalg.solve(normal[good], right[good][..., None])[..., 0]
    placed = q.copy()
    columns = body.free[body.root & body.translational]
    for axis, column in enumerate(columns):
        placed[:, column] += np.interp(np.arange(len(q)), good, shift[:, axis])
    return placed


def reprojection(camera: Camera, points: Array, seen: Seen) -> Array:
    """Mean distance of the seen key points, (T,) [px], by confidence; NaN where none is seen."""
    projected = camera.project(points[:, :23])
    off = np.linalg.norm(projected[..., :2] - seen.target, axis=-1)
    off = np.where(projected[..., 2] > NEAREST, off, seen.box[:, None])
    total = seen.weight.sum(1)
    with np.errstate(invalid="ignore"):
        return np.asarray((seen.weight * off).sum(1) / np.where(total > 0.0, total, np.nan))


def picture_noise(camera: Camera, points: Array, seen: Seen, limits: tuple[float, float], rate: float) -> float:
    """Deviation of the key points from a fitted body per axis, as a share of the box, as if frames were independent.

    A detector is wrong in the same way for many frames, so that these are worth fewer: the deviation grows with the
    root of the frames that say the same (the integrated autocorrelation of what the fit leaves, up to half a second).

    Args:
        camera: as fitted.
        points: (T, N, 3) fitted [m].
        seen: targets.
        limits: smallest and largest.
        rate: [Hz].
    """
    off = (camera.project(points[:, :23])[..., :2] - seen.target) / seen.box[:, None, None]
    there = seen.weight > 0.0
    if not there.any():
        return limits[1]
    # Half of the distances of a round normal cloud are within 1.177 deviations.
    sd = float(np.median(np.linalg.norm(off, axis=-1)[there])) / 1.177
    off = np.where(there[..., None], np.clip(off, -3.0 * sd, 3.0 * sd), 0.0)
    together = 1.0
    for lag in range(1, min(round(_ALIKE * rate), len(off) - 1) + 1):
        both = (there[lag:] & there[:-lag])[..., None]
        alike = float((both * off[lag:] * off[:-lag]).sum()) / max(float((both * off[lag:] ** 2).sum()), 1e-12)
        if alike <= 0.0:
            break
        together += 2.0 * alike
    return float(np.clip(sd * np.sqrt(together), *limits))


def exchanged_sides(camera: Camera, points: Array, seen: Seen) -> NDArray[np.bool_]:
    """(T, 23) key points whose left and right the body (T, N, 3) says are exchanged, whole limbs at a time."""
    mirror = LAYOUTS["anny23"].mirror
    projected = camera.project(points[:, :23])[..., :2]
    there = (seen.weight > 0.0) & (seen.weight[:, mirror] > 0.0)
    own = (((seen.target - projected) / seen.box[:, None, None]) ** 2).sum(-1)
    other = (((seen.target[:, mirror] - projected) / seen.box[:, None, None]) ** 2).sum(-1)
    found = np.zeros(there.shape, dtype=bool)
    for words in _LIMBS.values():
        members = np.array([any(w in name for w in words) for name in COMMON])
        use = there & members
        count = np.maximum(use.sum(1), 1)
        as_is, turned = ((use * cost).sum(1) / count for cost in (own, other))
        found |= ((turned < _GAIN * as_is) & (as_is - turned > _CLEAR**2))[:, None] & members
    return found & there


def standing_soles(terms: JointTerms, state: State, points: Array, time: Array) -> NDArray[np.bool_]:
    """(T, S) points of the soles, of points (T, N, 3), that stand: slow across the line of sight, low, for a while."""
    from scipy.ndimage import binary_opening, percentile_filter

    soles = points[:, 23:]
    if not soles.shape[1] or len(time) < 3:
        return np.zeros(soles.shape[:2], dtype=bool)
    velocity = np.gradient(soles, time, axis=0)
    if len(terms.seen) == 1:
        ray = soles - terms.camera(state).position
        ray /= np.linalg.norm(ray, axis=-1, keepdims=True)
        velocity = velocity - (velocity * ray).sum(-1, keepdims=True) * ray
    slow = np.linalg.norm(velocity, axis=-1) < _SLOW
    rate = (len(time) - 1) / (time[-1] - time[0])
    lowest = percentile_filter(soles[..., 1].min(1), 20, size=max(3, round(1.5 * rate)), mode="nearest")
    low = soles[..., 1] < lowest[:, None] + _NEAR_FLOOR
    return np.asarray(binary_opening(slow & low, np.ones((max(2, round(_SHORTEST * rate)), 1))))


def frame_flags(terms: JointTerms, state: State, points: Array, counts: NDArray[np.intp]) -> tuple[str, ...]:
    """One flag a frame: ``ok``, ``few_points``, ``outside_picture``, ``far_from_start`` or ``at_limits``.

    Args:
        terms: of the problem.
        state: the result.
        points: (T, N, 3) of it [m].
        counts: (T,) key points seen, by the camera that sees most.
    """
    body = terms.body
    q = state.q[:, body.free]
    camera = terms.camera(state)
    projected = camera.project(points[:, :23])
    inside = (projected[..., :2] >= 0.0) & (projected[..., :2] < [camera.width, camera.height])
    outside = (inside.all(-1).mean(1) < 0.5) if len(terms.seen) == 1 else np.zeros(len(q), dtype=bool)
    joints = ~body.root
    far = np.sqrt(((q - terms.start)[:, joints] ** 2).mean(1)) > _FAR * terms.config.start_sd
    clamped = np.isfinite(body.low)
    at = ((q <= body.low + _AT_LIMIT) | (q >= body.high - _AT_LIMIT)) & clamped
    limits = at.sum(1) > 0.35 * clamped.sum()
    few = counts < terms.config.enough * len(COMMON)
    return tuple(
        "few_points" if f else "outside_picture" if o else "far_from_start" if a else "at_limits" if m else "ok"
        for f, o, a, m in zip(few, outside, far, limits, strict=True)
    )


def exchanged_view(view: View, exchanged: NDArray[np.bool_]) -> View:
    """Return the view with these points (T, 23) taken from the other side."""
    found = view.key_points
    order = np.where(exchanged, LAYOUTS["anny23"].mirror, np.arange(len(COMMON)))
    points = np.take_along_axis(found.points, order[..., None], axis=1)
    confidence = np.take_along_axis(found.confidence, order, axis=1)
    return View(view.camera, replace(found, points=points, confidence=confidence))
