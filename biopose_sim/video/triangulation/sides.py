"""Left and right exchanged in one camera against the others: what is seen then has no place in space.

In each frame and for each way of exchanging cameras the points are put into space; the true way leaves the least
error. The cheapest path through all frames (Viterbi's algorithm) changes seldom, and exchanges few cameras: that all
were exchanged cannot be seen in the errors. Two cameras at the same height can be exchanged against each other nearly
without an error; from three on the points tell.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ..points.keypoints import COMMON, LAYOUTS, Array
from .rays import Sights

# What detectors exchange together.
_UPPER = ("eye", "ear", "shoulder", "elbow", "wrist")
GROUPS = tuple(
    np.array([any(word in name for word in _UPPER) == upper and "_" in name for name in COMMON])
    for upper in (True, False)
)
_MOST_EXCHANGED = 2  # cameras, where there are too many for all ways
_ALL_WAYS = 4
# The points of a frame err together: their losses count a part. Prices of a change of one camera, and of each
# camera that is exchanged in a frame.
_SHARE, _CHANGE, _FRAME = 0.1, 5.0, 0.05


def exchanged(sights: Sights, frames: int) -> NDArray[np.bool_]:
    """Return which of the points (C, T, 23) should be exchanged with their mirror points.

    Args:
        sights: of the points of `COMMON` in all frames, (T * 23) points.
        frames: T.
    """
    cameras = len(sights.matrices)
    ways = _ways(cameras)
    result = np.zeros((cameras, frames, len(COMMON)), dtype=bool)
    for group in GROUPS:
        losses = _losses(sights, frames, ways, group)
        result |= _cheapest(losses, ways).T[:, :, None] & group
    return result


def swap(points: Array, which: NDArray[np.bool_]) -> Array:
    """Return points (C, T, 23, ...) of which those in ``which`` (C, T, 23) are their mirror points."""
    mirror = LAYOUTS["anny23"].mirror
    return np.where(which[(...,) + (None,) * (points.ndim - 3)], points[:, :, mirror], points)


def _ways(cameras: int) -> NDArray[np.bool_]:
    """(W, C): which cameras are exchanged."""
    most = cameras if cameras <= _ALL_WAYS else _MOST_EXCHANGED
    chosen = [c for count in range(most + 1) for c in combinations(range(cameras), count)]
    return np.array([np.isin(np.arange(cameras), c) for c in chosen])


def _losses(sights: Sights, frames: int, ways: NDArray[np.bool_], group: NDArray[np.bool_]) -> Array:
    """Loss of each way in each frame, (T, W)."""
    cameras, count = len(sights.matrices), int(group.sum())
    shape = (cameras, frames, len(COMMON))
    pixels, weights = sights.pixels.reshape(*shape, 2), sights.weights.reshape(shape)
    mirror = LAYOUTS["anny23"].mirror
    own, other = ((pixels[:, :, k], weights[:, :, k]) for k in (np.flatnonzero(group), mirror[group]))
    known: dict[bytes, Array] = {}
    losses = np.empty((frames, len(ways)))
    for number, way in enumerate(ways):
        # Exchanging all cameras is exchanging the two sides of space.
        key = (way ^ way[0]).tobytes()
        if key not in known:
            flip = (way ^ way[0])[:, None, None]
            seen = np.where(flip[..., None], other[0], own[0]).reshape(cameras, -1, 2)
            weight = np.where(flip, other[1], own[1]).reshape(cameras, -1)
            known[key] = _loss(replace(sights, pixels=seen, weights=weight)).reshape(frames, count).sum(1)
        losses[:, number] = known[key]
    return losses


def _loss(sights: Sights) -> Array:
    points = sights.meeting(sights.weights)
    points = sights.refined(points, sights.weights > 0.0)
    lost = ~np.isfinite(points).all(-1)
    return np.where(lost, 0.0, np.nan_to_num(sights.loss(points), posinf=0.0))


def _cheapest(losses: Array, ways: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Exchanged cameras of each frame, (T, C)."""
    prices = _CHANGE * (ways[:, None] != ways[None]).sum(-1)
    own = _SHARE * (losses - losses.min(1, keepdims=True)) + _FRAME * ways.sum(1)
    best, back = own[0], np.zeros(losses.shape, dtype=np.intp)
    for t in range(1, len(losses)):
        total = best[:, None] + prices
        back[t] = total.argmin(0)
        best = total.min(0) + own[t]
    path = np.empty(len(losses), dtype=np.intp)
    path[-1] = best.argmin()
    for t in range(len(losses) - 1, 0, -1):
        path[t - 1] = back[t, path[t]]
    return ways[path]
