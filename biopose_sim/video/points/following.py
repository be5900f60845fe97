"""One person followed through a clip among all who were found, left and right kept apart, uncertain points left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from .keypoints import LAYOUTS, Array, Detections, KeyPoints
from .swaps import Repair, repair_swaps

# A track is continued by a detection nearer than this to where it should be, in body sizes, and more after a gap (as
# after a second at most).
_GATE, _GATE_PER_SECOND = 0.35, 1.0
_MEMORY = 0.25  # s over which the speed of a person is measured
_WEIGHT_SCALE, _WEIGHT_POSE = 0.5, 0.5
_FAR = 1e6
# Somebody with less than this share of the best "frames x size" is a passer-by: nobody need be asked.
_PASSER_BY = 0.2


@dataclass(frozen=True)
class Person:
    """Someone found in a clip.

    Attributes:
        key: what `follow` takes as ``person``: the number in the file, else 1, 2, ... from the most seen and largest.
        rows: rows of the detections.
        first, last: first and last frame, from 0.
        box: median x, y, width, height of the box around the points [px].
    """

    key: str
    rows: NDArray[np.intp]
    first: int
    last: int
    box: tuple[float, float, float, float]

    def __str__(self) -> str:
        x, y, width, height = self.box
        where = f"about x {x + width / 2:.0f}, y {y + height / 2:.0f}, {height:.0f} px tall"
        return f"{self.key} ({len(self.rows)} frames from {self.first} to {self.last}, {where})"


@dataclass(frozen=True, eq=False)
class Followed:
    """One person of a clip.

    Attributes:
        key_points: left and right repaired, uncertain points NaN.
        repairs: what was exchanged, and in which frames.
        uncertain: how many found points were left out as uncertain.
        filled: how many points were filled in.
        person: who it is.
    """

    key_points: KeyPoints
    repairs: tuple[Repair, ...]
    uncertain: int
    filled: int
    person: Person


def follow(
    detections: Detections,
    person: str | int | None = None,
    *,
    threshold: float = 0.2,
    repair: bool = True,
    fill: float = 0.0,
    bridge: float = 2.0,
) -> Followed:
    """Follow one person through a clip.

    Args:
        detections: everyone who was found.
        person: key of `people`, ``"largest"``, ``"left"``, ``"right"``, or a point ``"x,y"`` [px] where they are;
            may be left out if nobody else is seen for long.
        threshold: points of less confidence are left out.
        repair: exchange left and right where the detector did (`repair_swaps`).
        fill: gaps of at most this long are filled in [s]; 0 fills none.
        bridge: the longest time for which a person may be out of sight and still be the same [s].

    Raises:
        InputError: nobody was found; several people and none chosen; no such person.
    """
    chosen = _choose(detections, people(detections, bridge=bridge), person)
    key_points = detections.rows(chosen.rows)
    found = int(key_points.seen.sum())
    key_points = drop_uncertain(key_points, threshold)
    certain = int(key_points.seen.sum())
    repairs: tuple[Repair, ...] = ()
    if repair:
        key_points, repairs = repair_swaps(key_points)
    if fill > 0.0:
        key_points = fill_gaps(key_points, fill)
    return Followed(key_points, repairs, found - certain, int(key_points.seen.sum()) - certain, chosen)


def rivals(found: Sequence[Person]) -> list[Person]:
    """Return those of the people who are seen for long: more than one, and somebody should say who is meant."""
    return [p for p in found if _weight(p) >= _PASSER_BY * _weight(found[0])]


def _choose(detections: Detections, found: Sequence[Person], person: str | int | None) -> Person:
    if not found:
        raise InputError(detections.source, "holds no person", "give key points of a clip in which somebody is seen")
    listing = "; ".join(map(str, found[:8]))
    if person is None:
        if len(several := rivals(found)) > 1:
            remedy = f"choose one with --person (or --person largest, left, right): {listing}"
            raise InputError(detections.source, f"{len(several)} people are seen for long", remedy)
        return found[0]
    word = str(person).strip().lower()
    chosen = next((one for one in found if one.key == word), None) or _by_place(rivals(found), word)
    if chosen is None:
        raise InputError(detections.source, f"holds no person '{person}'", f"there are: {listing}")
    return chosen


def _by_place(found: Sequence[Person], word: str) -> Person | None:
    """Who is meant by ``largest``, ``left``, ``right`` or ``x,y``; None if it is none of these, or nobody is near."""
    if word == "largest":
        return max(found, key=_weight)
    if word in ("left", "right"):
        return sorted(found, key=lambda p: p.box[0] + 0.5 * p.box[2])[0 if word == "left" else -1]
    try:
        x, y = (float(part) for part in word.split(","))
    except ValueError:
        return None

    def distance(p: Person) -> float:
        """From the middle of the box, in its sides."""
        return max(abs(x - p.box[0] - 0.5 * p.box[2]) / p.box[2], abs(y - p.box[1] - 0.5 * p.box[3]) / p.box[3])

    nearest = min(found, key=distance)
    return nearest if distance(nearest) <= 1.0 else None


def _weight(person: Person) -> float:
    return len(person.rows) * max(person.box[3], 1.0)


def people(detections: Detections, *, bridge: float = 2.0) -> list[Person]:
    """Return the people of a clip, the most seen and largest first.

    Who is who comes from the numbers in the file, else from the continuity of place, size and pose.
    """
    by_number = detections.track is not None
    numbers = detections.track if detections.track is not None else _link(detections, bridge)
    tracks = [(n, np.flatnonzero(numbers == n)) for n in np.unique(numbers)]
    found = [_person(str(n), _one_a_frame(detections, rows), detections) for n, rows in tracks]
    found.sort(key=_weight, reverse=True)
    return found if by_number else [replace(p, key=str(i)) for i, p in enumerate(found, 1)]


def _one_a_frame(detections: Detections, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Where a file gives one number twice in a frame, the row of more confidence."""
    order = rows[np.lexsort((-detections.confidence[rows].sum(1), detections.frame[rows]))]
    return order[np.unique(detections.frame[order], return_index=True)[1]]


def _person(key: str, rows: NDArray[np.intp], detections: Detections) -> Person:
    points = detections.points[rows]
    low, high = np.nanmin(points, axis=1), np.nanmax(points, axis=1)
    x, y, width, height = np.median(np.concatenate([low, np.maximum(high - low, 1.0)], axis=1), axis=0)
    frames = detections.frame[rows]
    return Person(key, rows, int(frames[0]), int(frames[-1]), (float(x), float(y), float(width), float(height)))


@dataclass
class _Track:
    """A person being followed: the last detections, newest last."""

    number: int
    times: list[float]
    centres: list[Array]
    sizes: list[float]
    pose: Array

    def expected(self, time: float) -> Array:
        """Where the centre should be: straight on with the speed of the last frames, (2,) [px]."""
        recent = [i for i, t in enumerate(self.times) if t >= self.times[-1] - _MEMORY]
        if len(recent) < 3:
            return self.centres[-1]
        t = np.array([self.times[i] for i in recent]) - self.times[-1]
        places = np.array([self.centres[i] for i in recent])
        slope, end = np.polyfit(t, places, 1)
        return end + slope * (time - self.times[-1])

    def add(self, time: float, centre: Array, size: float, pose: Array) -> None:
        self.times.append(time)
        self.centres.append(centre)
        self.sizes.append(size)
        self.pose = np.where(np.isfinite(pose), pose, self.pose)

    def cost(self, time: float, centre: Array, size: float, pose: Array, mirror: NDArray[np.intp]) -> float:
        """How far a detection is from what is expected, in body sizes; beyond the gate it cannot be the same."""
        own = float(np.median(self.sizes[-15:]))
        place = float(np.linalg.norm(centre - self.expected(time))) / own
        scale = abs(np.log(size / own))
        if place > _GATE + _GATE_PER_SECOND * min(time - self.times[-1], 1.0) or scale > np.log(2.0):
            return _FAR
        # A detector that exchanges left and right does not make it another person.
        apart = min(_mean_distance(pose, self.pose), _mean_distance(pose[mirror], self.pose))
        return place + _WEIGHT_SCALE * scale + _WEIGHT_POSE * apart


def _mean_distance(a: Array, b: Array) -> float:
    distance = np.linalg.norm(a - b, axis=-1)
    return float(np.nanmean(distance)) if np.isfinite(distance).any() else 0.5


def _link(detections: Detections, bridge: float) -> NDArray[np.intp]:
    """Number of the person of each row, (N,), by the best assignment from frame to frame (Hungarian method)."""
    from scipy.optimize import linear_sum_assignment

    mirror = LAYOUTS[detections.layout].mirror
    numbers = np.full(len(detections.frame), -1)
    active: list[_Track] = []
    count = 0
    for frame in np.unique(detections.frame):
        time = float(detections.time[frame])
        active = [t for t in active if time - t.times[-1] <= bridge]
        rows = np.flatnonzero(detections.frame == frame)
        measures = [_measure(detections.points[r]) for r in rows]
        cost = np.array([[t.cost(time, *m, mirror) for m in measures] for t in active]).reshape(len(active), len(rows))
        pairs = [(i, j) for i, j in zip(*linear_sum_assignment(cost), strict=True) if cost[i, j] < _FAR]
        for i, j in pairs:
            active[i].add(time, *measures[j])
            numbers[rows[j]] = active[i].number
        for j in sorted(set(range(len(rows))) - {j for _, j in pairs}):
            centre, size, pose = measures[j]
            active.append(_Track(count, [time], [centre], [size], pose))
            numbers[rows[j]] = count
            count += 1
    return numbers


def _measure(points: Array) -> tuple[Array, float, Array]:
    """Centre (2,) [px], size [px] and pose (K, 2) in sizes about the centre, of one detection (K, 2)."""
    centre = np.nanmedian(points, axis=0)
    size = max(float(np.max(np.nanmax(points, axis=0) - np.nanmin(points, axis=0))), 1.0)
    return centre, size, (points - centre) / size


def drop_uncertain(key_points: KeyPoints, threshold: float) -> KeyPoints:
    """Return the key points with those of less confidence than ``threshold`` as gaps (NaN, confidence 0)."""
    keep = key_points.seen & (key_points.confidence >= threshold)
    points = np.where(keep[..., None], key_points.points, np.nan)
    return replace(key_points, points=points, confidence=np.where(keep, key_points.confidence, 0.0))


def fill_gaps(key_points: KeyPoints, longest: float) -> KeyPoints:
    """Return the key points with gaps of at most ``longest`` [s] filled in between (monotone cubic, SciPy's PCHIP).

    A filled point has half the confidence of the weaker of its two neighbours. Nothing is added before the first or
    after the last frame in which a point was found.
    """
    from scipy.interpolate import PchipInterpolator

    points, confidence = key_points.points.copy(), key_points.confidence.copy()
    time, frames = key_points.time, np.arange(len(key_points.time))
    for k in range(points.shape[1]):
        seen = np.flatnonzero(key_points.seen[:, k])
        if len(seen) < 2:
            continue
        after = np.clip(np.searchsorted(seen, frames), 1, len(seen) - 1)
        before, after = seen[after - 1], seen[after]
        missing = time[after] - time[before] - 1.0 / key_points.fps
        fill = ~key_points.seen[:, k] & (frames > before) & (frames < after) & (missing <= longest + 1e-9)
        points[fill, k] = PchipInterpolator(time[seen], points[seen, k])(time[fill])
        confidence[fill, k] = 0.5 * np.minimum(confidence[before, k], confidence[after, k])[fill]
    return replace(key_points, points=points, confidence=confidence)
