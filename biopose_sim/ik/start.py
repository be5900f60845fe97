"""Finding a first pose without anybody's guess: whole-body orientation first, then the joints."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from biopose_sim.ik.cpu import CpuEngine
from biopose_sim.ik.problem import root_columns
from biopose_sim.ik.types import Array, BoolArray

_GOOD_FIT = 0.03  # weighted rms marker distance [m] below which a pose is believed at once
_FINE_FIT = 0.004  # above which other poses of the joints are tried
_FULL_TRIES = 4
_FEW_TURNS, _MANY_TURNS = 4, 24  # of the orientations that are looked at, how many are refined
_RANDOM_TRIES, _FEW_RANDOM_TRIES = 12, 6
_BEYOND = 1.5  # [rad | m] outside its range that a joint is at most believed to be
_STATIC_FRAMES, _STATIC_TRIES = 5, 200  # so short a recording has no other frames to mend a wrong one from


def best_frame(visible: BoolArray, weights: Array, near: int, within: tuple[int, int]) -> int:
    """The frame of [first, last) with the most marker weight measured, the nearest to ``near`` of those."""
    first, last = within
    seen = visible[first:last] @ weights
    distance = np.abs(np.arange(first, last) - near)
    return first + int(np.lexsort((distance, -np.round(seen, 9)))[0])


def find_start(engine: CpuEngine, frame: int, rough: bool = False) -> tuple[Array, float]:
    """Coordinates of one frame (n,) and their cost, from no guess at all.

    The root's coordinates are fitted from many orientations with the joints at rest; the best of them, and random
    poses of the joints if these do not fit well, start full solutions.

    Args:
        engine: of the problem.
        frame: which.
        rough: try no random poses: enough to compare sizes.
    """
    problem = engine.problem
    rest = problem.start
    seen = problem.visible[frame]
    total = float(problem.weights[seen].sum())
    root = root_columns(engine.program)
    good = 0.5 * total * _GOOD_FIT**2
    best, best_cost = rest, np.inf
    for seeds, most in ((_few_turns(engine, rest, root), _FEW_TURNS), (_many_turns(engine, rest, root), _MANY_TURNS)):
        roots = engine.solve_starts(_placed(engine, seeds, frame, root)[:most], frame, movable=root)
        for row in _distinct(roots.coordinates, roots.cost)[:_FULL_TRIES]:
            q, cost = _best(engine, roots.coordinates[row][None], frame)
            if cost < best_cost:
                best, best_cost = q, cost
            if best_cost <= good:
                break
        if best_cost <= good:
            break
    if not rough and best_cost > 0.5 * total * _FINE_FIT**2:
        if len(problem.targets) <= _STATIC_FRAMES:
            tries = _STATIC_TRIES
        elif best_cost <= good:
            tries = min(_RANDOM_TRIES, max(_FEW_RANDOM_TRIES, len(best) // 5))
        else:
            tries = _RANDOM_TRIES
        q, cost = _best(engine, _random_poses(engine, best, root, tries), frame)
        if cost < best_cost:
            best, best_cost = q, cost
        best, best_cost = _off_limits(engine, best, best_cost, frame, root)
    return _unwound(engine, best, frame, best_cost), best_cost


def start_in_sizes(engines: Sequence[CpuEngine], first: int, frame: int) -> Array:
    """Cost of one frame in each of several sizes of a model, from no guess, good enough to compare them.

    Only the pose in the size ``first`` is searched for; every other size starts from the pose in the one beside it
    and from the joints at rest.

    Args:
        engines: of the same problem in rising sizes.
        first: where the search begins.
        frame: which.
    """
    costs = np.zeros(len(engines))
    pose, costs[first] = find_start(engines[first], frame, rough=True)
    root = root_columns(engines[first].program)
    for others in (range(first - 1, -1, -1), range(first + 1, len(engines))):
        q = pose
        for k in others:
            rest = np.where(root, q, engines[k].problem.start)
            q, costs[k] = _best(engines[k], np.array([q, rest]), frame)
    return costs


def _best(engine: CpuEngine, starts: Array, frame: int) -> tuple[Array, float]:
    sweep = engine.solve_starts(starts, frame)
    # Of equal fits the one nearest to rest is meant.
    problem = engine.problem
    distance = np.abs(sweep.coordinates - problem.start).sum(axis=1)
    # A joint that nothing clamps may fit a little better after a whole turn.
    ranges = problem.model.tree.ranges[problem.reduced.free]
    beyond = np.abs(sweep.coordinates - np.clip(sweep.coordinates, ranges[:, 0], ranges[:, 1]))
    sane = (beyond[:, ~root_columns(engine.program)] < _BEYOND).all(axis=1)
    if sane.any():
        sweep.cost[~sane] = np.inf
    lowest = np.nanmin(sweep.cost)
    equal = np.flatnonzero(sweep.cost <= lowest * (1.0 + 1e-6) + 1e-15)
    winner = equal[np.argmin(distance[equal])]
    return sweep.coordinates[winner].copy(), float(sweep.cost[winner])


def _turning(engine: CpuEngine, root: BoolArray) -> list[int]:
    return [int(j) for j in np.flatnonzero(root & engine.problem.rotational)]


def _off_limits(engine: CpuEngine, best: Array, best_cost: float, frame: int, root: BoolArray) -> tuple[Array, float]:
    """Joints that ended at a limit may have turned the wrong way: try them from rest, alone and all together."""
    problem = engine.problem
    at_limit = np.flatnonzero(((best <= problem.low) | (best >= problem.high)) & ~root)
    if not len(at_limit):
        return best, best_cost
    starts = np.repeat(best[None], len(at_limit) + 2, axis=0)
    starts[np.arange(len(at_limit)), at_limit] = problem.start[at_limit]
    starts[-2, at_limit] = problem.start[at_limit]
    starts[-1, ~root] = problem.start[~root]
    q, cost = _best(engine, starts, frame)
    return (q, cost) if cost < best_cost else (best, best_cost)


def _few_turns(engine: CpuEngine, rest: Array, root: BoolArray) -> Array:
    seeds = [rest]
    for j in _turning(engine, root):
        for angle in (0.5 * np.pi, -0.5 * np.pi, np.pi):
            seed = rest.copy()
            seed[j] += angle
            seeds.append(seed)
    return np.array(seeds)


def _many_turns(engine: CpuEngine, rest: Array, root: BoolArray) -> Array:
    turning = _turning(engine, root)[:3]
    seeds = []
    for angles in itertools.product((0.0, 0.5 * np.pi, np.pi, -0.5 * np.pi), repeat=len(turning)):
        seed = rest.copy()
        seed[turning] += angles
        seeds.append(seed)
    return np.array(seeds)


def _placed(engine: CpuEngine, seeds: Array, frame: int, root: BoolArray) -> Array:
    """Move the root's translations so that the centroids of model and measured markers agree; the best fit first."""
    moving = [int(j) for j in np.flatnonzero(root & ~engine.problem.rotational)]
    seen = engine.problem.visible[frame]
    if not moving or not seen.any():
        return seeds
    measured = engine.problem.targets[frame][seen].mean(axis=0)
    placed = seeds.copy()
    still = np.zeros(engine.program.n_free, dtype=bool)

    probes = np.repeat(seeds[:1], len(moving), axis=0)
    probes[np.arange(len(moving)), moving] += 1.0
    points = engine.solve_starts(np.concatenate([seeds, probes]), frame, movable=still).points
    centroids = points[:, seen].mean(axis=1)
    base, directions = centroids[: len(seeds)], centroids[len(seeds) :] - centroids[0]
    change = np.linalg.lstsq(directions.T, (measured - base).T, rcond=None)[0]
    placed[:, moving] += change.T
    off = points[: len(seeds), seen] - base[:, None] - (engine.problem.targets[frame][seen] - measured)
    return placed[np.argsort((off**2).sum(axis=2) @ engine.problem.weights[seen], kind="stable")]


def _distinct(coordinates: Array, cost: Array) -> list[int]:
    """Indices by rising cost, without those that equal an earlier one."""
    chosen: list[int] = []
    for i in np.argsort(cost):
        turned = coordinates[i]
        if all(np.abs(np.sin(0.5 * (turned - coordinates[k]))).max() > 0.05 for k in chosen):
            chosen.append(int(i))
    return chosen


def _random_poses(engine: CpuEngine, best: Array, root: BoolArray, tries: int) -> Array:
    rng = np.random.default_rng(0)
    problem = engine.problem
    ranges = problem.model.tree.ranges[problem.reduced.free]
    low = np.clip(ranges[:, 0], best - 1.5, best + 1.5)
    high = np.clip(ranges[:, 1], best - 1.5, best + 1.5)
    starts = rng.uniform(low, np.maximum(high, low), size=(tries, len(best)))
    starts[:, root] = best[root]
    return starts


def _unwound(engine: CpuEngine, q: Array, frame: int, cost: float) -> Array:
    """Take whole turns out of rotations, towards the middle of their range, where that changes nothing."""
    problem = engine.problem
    ranges = problem.model.tree.ranges[problem.reduced.free]
    middle = np.clip(np.where(np.isfinite(ranges).all(axis=1), ranges.mean(axis=1), 0.0), -np.pi, np.pi)
    turns = np.where(problem.rotational, np.round((q - middle) / (2.0 * np.pi)), 0.0)
    if not turns.any():
        return q
    candidate = q - 2.0 * np.pi * turns
    sweep = engine.solve_starts(candidate[None], frame)
    same = sweep.cost[0] <= cost * (1.0 + 1e-9) + 1e-15
    return sweep.coordinates[0] if same else q
