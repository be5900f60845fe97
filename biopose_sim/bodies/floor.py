"""The floor under a recorded motion: level and slope from the heights of standing feet.

Recordings are often not level: a calibration that is off lets a walker climb, or puts the floor far from zero. The
slope is sought along the direction of travel only, because a straight walk says nothing about the slope across it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from .retarget_rig import unit

Array = NDArray[np.floating]
# Slopes that a wrong calibration may have, and how much better than level one must fit to be believed.
_SLOPES = np.linspace(-0.08, 0.08, 65)
_BETTER = 1.15
# Stances must spread over so much [m] along the way to tell a slope.
_LEAST_SPREAD = 1.5
# Heights within this of the floor belong to it [m].
_BAND = 0.03
# A level this much lower than the one most feet stand on is the floor [m], if it holds such a share of its weight.
_STEP, _FAIR_SHARE = 0.08, 0.25
# A stance counts by the root of its number of frames up to this many, so that standing still does not outvote walking.
_MOST_FRAMES = 120


@dataclass(frozen=True, eq=False)
class Floor:
    """A plane z = level + slope * (place @ direction), Z up.

    Attributes:
        level: height at the origin [m].
        slope: rise per metre along ``direction``.
        direction: (2,) horizontal unit vector, the direction of travel.
        spread: median distance of the standing feet from the plane [m], of those within 3 cm of it; NaN without any.
        share: weight of the stances that lie on the plane among all, 0 to 1.
    """

    level: float
    slope: float
    direction: Array
    spread: float
    share: float

    def height(self, places: Array) -> Array:
        """Return the floor's height [m] below places (..., 2 or 3)."""
        return self.level + self.slope * (places[..., :2] @ self.direction)

    def levelling(self) -> tuple[Array, Array]:
        """Return the rotation (3, 3) and shift (3,) that bring the plane to z = 0: R @ x + shift."""
        normal = unit(np.array([*(-self.slope * self.direction), 1.0]))
        axis = np.cross(normal, [0.0, 0, 1])
        turn = Rotation.from_rotvec(unit(axis) * np.arcsin(np.linalg.norm(axis))).as_matrix()
        origin = turn @ np.array([0.0, 0, self.level])
        return turn, np.array([0.0, 0, -origin[2]])


def fit_floor(places: Array, stances: NDArray[np.int64]) -> Floor:
    """Find the floor below standing feet.

    Args:
        places: (N, 3) lowest points of feet that stand [m], Z up.
        stances: (N,) number of the stance each belongs to.

    Returns:
        The plane most stances agree on; level at the lowest point if there are none.
    """
    if not len(places):
        return Floor(0.0, 0.0, np.array([1.0, 0]), float("nan"), 0.0)
    weights = _weights(stances)
    level = places[:, :2] - np.average(places[:, :2], axis=0, weights=weights)
    direction = np.linalg.eigh((level * weights[:, None]).T @ level)[1][:, -1]
    along, heights = level @ direction, places[:, 2]
    slope = 0.0
    if np.ptp(along) > _LEAST_SPREAD:
        scores = np.array([_densest(heights - s * along, weights)[1] for s in _SLOPES])
        if scores.max() > _BETTER * scores[len(_SLOPES) // 2]:
            slope = float(_SLOPES[scores.argmax()])
    centre = _densest(heights - slope * along, weights)[0]
    centre, slope = _refined(along, heights, weights, centre, slope)
    origin = places[:, :2] @ direction - along
    distance = np.abs(heights - slope * along - centre)
    near = distance < _BAND
    spread = float(np.median(distance[near])) if near.any() else float("nan")
    share = float(weights[near].sum() / weights.sum())
    return Floor(float(centre - slope * origin[0]), slope, direction, spread, share)


def _weights(stances: NDArray[np.int64]) -> Array:
    _, member, counts = np.unique(stances, return_inverse=True, return_counts=True)
    return (np.sqrt(np.minimum(counts, _MOST_FRAMES)) / counts)[member]


def _densest(heights: Array, weights: Array) -> tuple[float, float]:
    """Height of the floor and the weight on it: the band of 2 cm that holds most.

    Of stairs and the like the lowest step is taken that holds a fair share: who climbs may stand longest on top.
    """
    order = np.argsort(heights)
    heights, total = heights[order], np.concatenate([[0.0], np.cumsum(weights[order])])
    last = np.searchsorted(heights, heights + 0.02, side="right")
    inside = total[last] - total[: len(heights)]
    first = int(inside.argmax())
    lower = (heights < heights[first] - _STEP) & (inside > _FAIR_SHARE * inside[first])
    if lower.any():
        start = int(np.argmax(lower))
        near = heights < heights[start] + 2 * _BAND
        near[:start] = False
        first = int(np.where(near, inside, 0).argmax())
    return float(np.median(heights[first : last[first]])), float(inside.max())


def _refined(along: Array, heights: Array, weights: Array, centre: float, slope: float) -> tuple[float, float]:
    """Least squares among the stances near the plane; the slope only where one was found."""
    for _ in range(4):
        near = np.abs(heights - slope * along - centre) < _BAND
        if not near.any():
            break
        if slope == 0.0:
            centre = float(np.average(heights[near], weights=weights[near]))
            continue
        root = np.sqrt(weights[near])
        matrix = np.stack([along[near], np.ones(near.sum())], axis=1) * root[:, None]
        slope, centre = (float(v) for v in np.linalg.lstsq(matrix, heights[near] * root, rcond=None)[0])
    return centre, slope
