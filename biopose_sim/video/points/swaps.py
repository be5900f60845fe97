"""Left and right exchanged by a detector: found from the continuity of the motion, and put right.

The sum of a left and a right point does not know about an exchange, so all the evidence is in their difference d. Over
three frames d should go straight on; an exchange turns its sign. Which parts of the body are exchanged in which frame
is the cheapest path through all frames (Viterbi's algorithm over pairs of frames): squared departures from straight
on, in units of what is usual in this clip and cut off (an outlier proves nothing), and a price for every change.
Legs that cross in a side view pass through d = 0 at full speed: turning the sign there would make a bounce of it, and
so costs more than leaving it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .keypoints import LAYOUTS, Array, KeyPoints

_GROUPS = {
    "face": ("eye", "ear", "mouth"),
    "shoulders": ("shoulder", "collar"),
    "elbows": ("elbow",),
    "wrists": ("wrist", "hand", "pinky", "index", "thumb"),
    "hips": ("hip",),
    "knees": ("knee",),
    "feet": ("ankle", "heel", "toe", "foot"),
}
_LABELS: dict[str, tuple[str, ...]] = {
    "": (),
    "whole body": tuple(_GROUPS),
    "body without face": ("shoulders", "elbows", "wrists", "hips", "knees", "feet"),
    "face": ("face",),
    "upper body": ("face", "shoulders", "elbows", "wrists"),
    "shoulders and arms": ("shoulders", "elbows", "wrists"),
    "arms": ("elbows", "wrists"),
    "elbows": ("elbows",),
    "wrists": ("wrists",),
    "lower body": ("hips", "knees", "feet"),
    "legs": ("knees", "feet"),
    "knees": ("knees",),
    "feet": ("feet",),
}
# In units of a log-likelihood: the price of a change, less for the whole body (what detectors do most), a small one
# for every exchanged frame (most frames are right), and the most that one pair of points can say about one frame.
_CHANGE, _CHANGE_WHOLE, _FRAME, _CUT = 8.0, 6.0, 0.02, 10.0
_NOISE = 2.5  # deviations of noise
_LONGEST_STEP = 0.25  # s; straight on means nothing across a longer gap
_SOON, _TRUNK, _APART = 0.25, 0.2, 0.04  # s between changes; s of trunk compared; of the height
_OPPOSITE = -0.3  # cosine between the two ways; hips and shoulders also tilt
_SMALLEST_SCALE = 0.01  # of the height of the person: what no detector is better than


@dataclass(frozen=True)
class Repair:
    """Left and right exchanged in frames ``first`` to ``last`` (from 0, both included).

    ``parts``: ``"whole body"``, ``"legs"``, ``"arms"``, ``"feet"``, ... (limbs of both sides).
    """

    first: int
    last: int
    parts: str

    def __str__(self) -> str:
        frames = f"frame {self.first}" if self.first == self.last else f"frames {self.first} to {self.last}"
        return f"{self.parts}, {frames}"


def repair_swaps(key_points: KeyPoints) -> tuple[KeyPoints, tuple[Repair, ...]]:
    """Return the key points with left and right exchanged where the detector had exchanged them, and what was done.

    The side that most frames agree on is taken for right: a clip exchanged from beginning to end stays so, and so does
    one in which a gap of more than a quarter of a second hides the exchange. Where left and right lie on one another
    an exchange cannot be seen, and does not matter. A detector that changes its mind many times within half a second,
    in several frames each time (MediaPipe in a turned-away view), leaves no continuity to go by: what follows may come
    out exchanged. Many short repairs in a row are the sign of it.
    """
    pairs, groups = _pairs(key_points)
    if not len(pairs):
        return key_points, ()
    difference = key_points.points[:, pairs[:, 0]] - key_points.points[:, pairs[:, 1]]
    used = np.flatnonzero(np.isfinite(difference).any((1, 2)))
    if len(used) < 3:
        return key_points, ()
    costs = _group_costs(difference[used], key_points.time[used], _height(key_points), groups)
    labels = np.zeros(len(key_points.time), dtype=int)
    trunk = np.isin(groups, [list(_GROUPS).index(g) for g in ("shoulders", "hips")])
    labels[used] = _settled(
        _cheapest_path(costs), difference[used][:, trunk], groups[trunk], key_points.time[used], _height(key_points)
    )
    order = np.tile(np.arange(key_points.points.shape[1]), (len(labels), 1))
    for (left, right), group in zip(pairs, groups, strict=True):
        flipped = _FLIPPED[labels, group]
        order[flipped, left], order[flipped, right] = right, left
    points = np.take_along_axis(key_points.points, order[..., None], axis=1)
    confidence = np.take_along_axis(key_points.confidence, order, axis=1)
    return replace(key_points, points=points, confidence=confidence), _repairs(labels, used)


# (labels, groups): whether left and right of the group are exchanged.
_FLIPPED = np.array([[group in parts for group in _GROUPS] for parts in _LABELS.values()])


def _prices() -> Array:
    """(labels, labels) price of going from one label to another; that of the dearer of the two."""
    own = np.array([0.0 if not name else _CHANGE_WHOLE if name == "whole body" else _CHANGE for name in _LABELS])
    prices = np.maximum(own[:, None], own[None])
    np.fill_diagonal(prices, 0.0)
    return prices


def _pairs(key_points: KeyPoints) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs of (left, right) points, (P, 2), and the group of each, (P,)."""
    layout = LAYOUTS[key_points.layout]
    group = {
        (left, right): g
        for left, right in layout.pairs
        for g, words in enumerate(_GROUPS.values())
        # The first word decides: a foot's index is no finger.
        if any(word in layout.points[left] for word in words) and ("foot" not in layout.points[left] or "foot" in words)
    }
    return np.array(list(group), dtype=np.intp).reshape(-1, 2), np.array(list(group.values()), dtype=np.intp)


def _height(key_points: KeyPoints) -> float:
    """Usual size of the person [px]."""
    seen = key_points.points[key_points.seen.sum(1) >= 2]
    if not len(seen):
        return 1.0
    return float(np.median((np.nanmax(seen, axis=1) - np.nanmin(seen, axis=1)).max(-1)))


def _group_costs(difference: Array, time: Array, height: float, groups: NDArray[np.intp]) -> Array:
    """Cost of the third of three frames, by the signs of the first and the second relative to it.

    Args:
        difference: (T, P, 2) left minus right [px].
        time: (T,) [s].

    Returns:
        (T - 2, G, 2, 2): group; whether the first frame has another sign; whether the second has.
    """
    step = np.diff(time)
    ratio = (step[1:] / step[:-1])[:, None, None]
    size = np.sqrt((1.0 + (1.0 + ratio) ** 2 + ratio**2) / 6.0)
    first, second, third = difference[:-2], difference[1:-1], difference[2:]

    def departure(sign_first: int, sign_second: int) -> Array:
        return (third - (1.0 + ratio) * sign_second * second + ratio * sign_first * first) / size

    usual = departure(1, 1)
    near = np.maximum(step[1:], step[:-1]) <= _LONGEST_STEP
    scale = np.full(usual.shape[1], np.inf)
    for pair in range(len(scale)):
        values = usual[near, pair]
        values = values[np.isfinite(values)]
        if values.size:
            scale[pair] = max(1.4826 * float(np.median(np.abs(values))), _SMALLEST_SCALE * height)
    weight = _telling(difference, scale / np.sqrt(6.0))
    costs = np.zeros((len(usual), len(_GROUPS), 2, 2))
    for i, sign_first in enumerate((1, -1)):
        for j, sign_second in enumerate((1, -1)):
            squared = (departure(sign_first, sign_second) ** 2).sum(-1) / (2.0 * scale**2)
            cost = np.where(near[:, None] & np.isfinite(squared), weight * np.minimum(squared, _CUT), 0.0)
            for group in np.unique(groups):
                costs[:, group, i, j] = cost[:, groups == group].sum(1)
    return costs


def _telling(difference: Array, noise: Array) -> Array:
    """How much a pair says over three frames, (T - 2, P), 0 to 1: nothing while left and right are apart by noise only.

    An exchange does not change how far apart they are. The size of noise in two dimensions seldom exceeds 2.5 times
    its deviation along one axis over several frames.
    """
    apart = np.linalg.norm(difference, axis=-1)
    padded = np.pad(apart, ((2, 2), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 5, axis=0)
    usual = np.median(np.where(np.isfinite(windows), windows, 0.0), axis=-1) / noise
    most = np.maximum.reduce([usual[:-2], usual[1:-1], usual[2:]])
    return np.clip((most - _NOISE) / _NOISE, 0.0, 1.0)


def _cheapest_path(costs: Array) -> NDArray[np.intp]:
    """Label of each frame, (T,), from the costs of `_group_costs`, (T - 2, G, 2, 2)."""
    prices, frame = _prices(), np.where(np.arange(len(_LABELS)) > 0, _FRAME, 0.0)
    other = (_FLIPPED[:, None] != _FLIPPED[None]).astype(int)  # (label, label, group)
    group = np.arange(len(_GROUPS))
    best = prices[0][:, None] + prices + frame[:, None] + frame[None]  # by the labels of the last two frames
    back = np.empty((len(costs), *best.shape), dtype=np.intp)
    for t, cost in enumerate(costs):
        # (first, second, third): sum over the groups.
        step = cost[group, other[:, None], other[None]].sum(-1)
        total = best[:, :, None] + step
        back[t] = total.argmin(0)
        best = total.min(0) + prices + frame[None]
    labels = np.empty(len(costs) + 2, dtype=np.intp)
    labels[-2], labels[-1] = np.unravel_index(best.argmin(), best.shape)
    for t in range(len(costs) - 1, -1, -1):
        labels[t] = back[t, labels[t + 1], labels[t + 2]]
    return labels


def _settled(labels: NDArray[np.intp], trunk: Array, groups: NDArray[np.intp], time: Array, height: float) -> NDArray:
    """Labels (T,) in which the trunk faces the same way before and after a time of many changes.

    Three or more changes, each soon after the other, leave no continuity over three frames; hips and shoulders
    (T, P, 2) cannot turn around in so short a time.
    """
    labels = labels.copy()
    changes = np.flatnonzero(np.diff(labels)) + 1
    for many in np.split(changes, np.flatnonzero(np.diff(time[changes]) > _SOON) + 1):
        if len(many) < 3:
            continue
        sides = np.where(_FLIPPED[labels][:, groups], -1.0, 1.0)[..., None] * trunk
        first, last = many[0], many[-1]
        before = sides[(time < time[first]) & (time >= time[first] - _TRUNK)]
        after = sides[(time >= time[last]) & (time < time[last] + _TRUNK)]
        ways = [np.median(w[np.isfinite(w).all((1, 2))], axis=0) for w in (before, after)]
        sizes = [float(np.linalg.norm(w)) for w in ways]
        if min(sizes) > _APART * height and float(np.vdot(*ways)) < _OPPOSITE * sizes[0] * sizes[1]:
            end = next((c for c in changes if c > last), len(labels))
            whole = list(_LABELS).index("whole body")
            labels[last:end] = {0: whole, whole: 0}.get(int(labels[last]), labels[last])
    return labels


def _repairs(labels: NDArray[np.intp], used: NDArray[np.intp]) -> tuple[Repair, ...]:
    """Runs of frames with the same parts exchanged; frames without anybody do not end a run."""
    names, kept = list(_LABELS), labels[used]
    starts = np.flatnonzero(np.r_[True, kept[1:] != kept[:-1]])
    ends = np.r_[starts[1:], len(kept)] - 1
    runs = zip(starts, ends, strict=True)
    return tuple(Repair(int(used[a]), int(used[b]), names[kept[a]]) for a, b in runs if kept[a] > 0)
