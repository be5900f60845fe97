"""From model, trial and configuration to the arrays that an engine solves, and back to a result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np

from biopose_sim.errors import InputError, near_matches
from biopose_sim.ik.gimbals import Gimbal, find_gimbals
from biopose_sim.ik.program import Program, ReducedProblem, reduce_problem
from biopose_sim.ik.types import Array, BoolArray, CoordinateTarget, IKConfig, KinematicsResult
from biopose_sim.io import Trial
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.kinematics.tree import KinematicTree

# Damping per unit of marker weight [m^2 / rad^2 and 1], far below any curvature that markers cause.
_TURN_FLOOR, _MOVE_FLOOR = 1e-11, 1e-9
_WEAK_PRIOR, _HOLD = 1e-5, 1e-8  # [m^2 / rad^2]
_LARGEST_TURN, _LARGEST_MOVE = 0.8, 2.0  # of one step [rad], [m]
_reductions: WeakKeyDictionary[KinematicTree, dict[tuple[tuple[int, ...], bytes], ReducedProblem]] = WeakKeyDictionary()


@dataclass(frozen=True)
class IKProblem:
    """What an engine needs; rows over the free coordinates ``reduced.free``, targets over the used markers.

    Attributes:
        targets: measured markers, shape (T, M, 3) [m], NaN where missing; visible (T, M).
        weights: shape (M,).
        goals: wanted coordinate values, shape (T or 1, n); goal_weight (n,), per unit of marker weight.
        hold: the part of ``goal_weight`` that holds what no marker determines at its default, shape (n,).
        low, high: bounds, shape (n,); infinite where a coordinate is not clamped.
        floor: least damping per unit of marker weight, shape (n,).
        largest: largest change of one step, shape (n,).
    """

    model: OsimModel
    trial: Trial
    config: IKConfig
    reduced: ReducedProblem
    marker_names: tuple[str, ...]
    targets: Array
    visible: BoolArray
    weights: Array
    goals: Array
    goal_weight: Array
    hold: Array
    low: Array
    high: Array
    floor: Array
    largest: Array
    warnings: tuple[str, ...]

    @cached_property
    def gimbals(self) -> tuple[Gimbal, ...]:
        """Joints of three free rotations."""
        return find_gimbals(self.model.tree, self.reduced.free)

    @property
    def start(self) -> Array:
        """Default coordinates within their bounds, shape (n,)."""
        return np.clip(self.model.tree.defaults[self.reduced.free], self.low, self.high)

    @property
    def rotational(self) -> BoolArray:
        """Which free coordinates are pure rotations, shape (n,)."""
        types = self.model.motion_types
        return np.array([types[j] == "rotational" for j in self.reduced.free], dtype=bool)


def build_problem(model: OsimModel, trial: Trial, config: IKConfig) -> IKProblem:
    """Match markers and coordinates by name and reduce the model.

    Raises:
        InputError: no common marker, unknown names in the configuration, weights that are no weights.
    """
    _check_names(model, config)
    names, columns, rows, weights, warnings = _match_markers(model, trial, config)
    tree = model.tree
    unlocked = ~tree.locked | np.isin(model.coordinate_names, config.free)
    reduced = _reduced(tree, rows, unlocked & ~tree.dependent)
    free = reduced.free
    unseen = [
        n
        for i, n in enumerate(model.coordinate_names)
        if unlocked[i] and not tree.dependent[i] and i not in free and n not in config.coordinate_targets
    ]
    if unseen:
        warnings.append(f"no marker determines {_listed(unseen)}: held at the default value")
    goals, goal_weight = _goals(model, trial, config, reduced)
    hold = _hold(model, config, reduced, weights, warnings)
    bounded = tree.clamped[free] & config.respect_ranges & ~_turning_root(model, reduced)
    types = model.motion_types
    translational = np.array([types[j] == "translational" for j in free], dtype=bool)
    targets = np.ascontiguousarray(trial.markers[:, columns], dtype=np.float64)
    return IKProblem(
        model=model,
        trial=trial,
        config=config,
        reduced=reduced,
        marker_names=names,
        targets=targets,
        visible=np.asarray(np.isfinite(targets).all(axis=2)),
        weights=weights,
        goals=goals,
        goal_weight=np.maximum(goal_weight, hold),
        hold=np.where(goal_weight > 0.0, 0.0, hold),
        low=np.where(bounded, tree.ranges[free, 0], -np.inf),
        high=np.where(bounded, tree.ranges[free, 1], np.inf),
        floor=np.where(translational, _MOVE_FLOOR, _TURN_FLOOR),
        largest=np.where(translational, _LARGEST_MOVE, _LARGEST_TURN),
        warnings=tuple(warnings),
    )


def _reduced(tree: KinematicTree, rows: list[int], movable: BoolArray) -> ReducedProblem:
    """The reduced problem of a tree, kept as long as the tree: the trials of a person have the same one."""
    known = _reductions.setdefault(tree, {})
    key = (tuple(rows), movable.tobytes())
    if key not in known:
        known[key] = reduce_problem(tree, rows, movable, tree.defaults)
    return known[key]


def rescaled(problem: IKProblem, model: OsimModel) -> IKProblem:
    """The same problem for a model that differs only in size and marker places."""
    tree, reduced = model.tree, problem.reduced
    free = np.zeros(len(tree.locked), dtype=bool)
    free[reduced.free] = True
    new = reduce_problem(tree, [int(m) for m in reduced.markers], free, tree.defaults, reduced)
    return replace(problem, model=model, reduced=new)


def _check_names(model: OsimModel, config: IKConfig) -> None:
    for name in (*config.coordinate_targets, *config.free):
        if name not in model.coordinate_names:
            raise InputError(
                model.path or model.name,
                f"has no coordinate {name!r}{near_matches(name, model.coordinate_names)}",
            )
    for name, weight in config.weights.items():
        if not np.isfinite(weight) or weight < 0.0:
            raise InputError("marker weights", f"the weight of {name!r} is {weight}", "zero or more is needed")


def _match_markers(
    model: OsimModel, trial: Trial, config: IKConfig
) -> tuple[tuple[str, ...], list[int], list[int], Array, list[str]]:
    """Names, trial columns, model rows and weights of the markers to use, and warnings."""
    column = {name: i for i, name in enumerate(trial.marker_names)}
    common = [n for n in model.marker_names if n in column]
    if not common:
        hints = [f"{n!r}{near_matches(n, model.marker_names)}" for n in trial.marker_names]
        near = [h for h in hints if "did you mean" in h][:5]
        raise InputError(
            trial.source or trial.name,
            f"shares no marker name with the model {model.name!r} "
            f"(trial: {_listed(trial.marker_names)}; model: {_listed(model.marker_names)})",
            f"rename the markers: {', '.join(near)}" if near else "rename the markers or give the model its markers",
        )
    warnings = []
    weight = {n: float(config.weights.get(n, config.default_weight)) for n in common}
    seen = np.isfinite(trial.markers).all(axis=2).any(axis=0)
    empty = [n for n in common if weight[n] > 0.0 and not seen[column[n]]]
    if empty:
        warnings.append(f"never measured and left out: {_listed(empty)}")
    names = tuple(n for n in common if weight[n] > 0.0 and seen[column[n]])
    if not names:
        raise InputError(trial.source or trial.name, "no marker with a weight above 0 was measured")
    wanted = [n for n, w in config.weights.items() if w > 0.0 and n not in common]
    if wanted:
        warnings.append(f"tasks for markers that model and trial do not share are off: {_listed(wanted)}")
    row = {name: i for i, name in enumerate(model.marker_names)}
    return (
        names,
        [column[n] for n in names],
        [row[n] for n in names],
        np.array([weight[n] for n in names]),
        warnings,
    )


def _goals(model: OsimModel, trial: Trial, config: IKConfig, reduced: ReducedProblem) -> tuple[Array, Array]:
    """Wanted values and their weights in OpenSim's proportion: sum w r^2 / (2 sum w) + W (q - q0)^2 / 2."""
    free = reduced.free
    name_of = [model.coordinate_names[j] for j in free]
    targets: list[CoordinateTarget | None] = [config.coordinate_targets.get(n) for n in name_of]
    varying = any(t is not None and np.ndim(t.value) > 0 for t in targets)
    goals = np.zeros((len(trial.time) if varying else 1, len(free)))
    goal_weight = np.where(root_columns(reduced.program), 0.0, config.prior)
    goals[:] = model.tree.defaults[free]
    for k, target in enumerate(targets):
        if target is None:
            continue
        value = np.asarray(target.value, dtype=float)
        if value.ndim > 0 and value.shape != (len(trial.time),):
            raise InputError(
                f"target of {name_of[k]!r}",
                f"has shape {value.shape}",
                f"one value or one per frame ({len(trial.time)}) is needed",
            )
        goals[:, k], goal_weight[k] = value, target.weight
    return goals, goal_weight


def with_weak_prior(problem: IKProblem) -> IKProblem:
    """The problem with joints drawn towards rest at least a little: a well-behaved first solution."""
    weight = np.where(_wanted(problem), 0.0, np.where(root_columns(problem.reduced.program), 0.0, _WEAK_PRIOR))
    return replace(problem, goal_weight=np.maximum(problem.goal_weight, weight))


def without_prior(problem: IKProblem) -> IKProblem:
    """The problem with no other goals than the coordinate targets of the configuration."""
    return replace(problem, goal_weight=np.where(_wanted(problem), problem.goal_weight, problem.hold))


def drawn_to(problem: IKProblem, motion: Array) -> IKProblem:
    """The problem with all coordinates but those with targets drawn to a motion (T, n) by the prior's weight."""
    wanted = _wanted(problem)
    return replace(
        problem,
        goals=np.where(wanted, problem.goals, motion),
        goal_weight=np.where(wanted, problem.goal_weight, problem.config.prior),
    )


def drawn_back(problem: IKProblem, motion: Array, weight: float) -> IKProblem:
    """The problem with all coordinates also drawn to a motion (T, n), by a weight per unit of marker weight."""
    both = problem.goal_weight + weight
    return replace(problem, goals=(problem.goal_weight * problem.goals + weight * motion) / both, goal_weight=both)


def _wanted(problem: IKProblem) -> BoolArray:
    names = problem.model.coordinate_names
    return np.array([names[j] in problem.config.coordinate_targets for j in problem.reduced.free], dtype=bool)


def root_columns(program: Program) -> BoolArray:
    """Which free coordinates move the first node of the tree, shape (n,)."""
    root = np.zeros(program.n_free, dtype=bool)
    if len(program.node_parent):
        root[program.above[: program.above_ptr[1]]] = True
    return root


def _turning_root(model: OsimModel, reduced: ReducedProblem) -> BoolArray:
    """Rotations of a root that floats freely: where a person faces has no limit, shape (n,)."""
    root = root_columns(reduced.program)
    types = model.motion_types
    rotational = np.array([types[j] == "rotational" for j in reduced.free], dtype=bool)
    floats = (root & rotational).sum() == 3 and (root & ~rotational).sum() == 3
    return root & rotational & floats


def _hold(model: OsimModel, config: IKConfig, reduced: ReducedProblem, weights: Array, warnings: list[str]) -> Array:
    """Weights (n,) that hold coordinates at their default which the markers leave open in every pose."""
    from biopose_sim.ik.gaps import undetermined

    free = reduced.free
    fixed = np.array([model.coordinate_names[j] in config.coordinate_targets for j in free], dtype=bool)
    start = np.clip(model.tree.defaults[free], *model.tree.ranges[free].T)
    left_open = undetermined(reduced.program, start, weights, fixed)
    if left_open.any():
        names = [model.coordinate_names[j] for j in free[left_open]]
        warnings.append(f"the markers do not determine {_listed(names)}: drawn to the default value")
    return np.where(left_open, _HOLD, 0.0)


def to_result(
    problem: IKProblem,
    solution: Array,
    points: Array,
    converged: BoolArray,
    iterations: np.ndarray,
    sensitivity: Array,
    warnings: tuple[str, ...] = (),
) -> KinematicsResult:
    """Assemble the result from the free coordinates (T, n), model markers (T, M, 3) and their sensitivity (n,)."""
    model, reduced = problem.model, problem.reduced
    coordinates = complete_coordinates(model, reduced, solution, _wanted_unseen(problem))
    n_q = len(model.coordinate_names)
    warnings = (*warnings, *_left_ranges(problem, solution))
    everywhere = np.full(n_q, np.inf)
    everywhere[reduced.free] = sensitivity
    free = np.zeros(n_q, dtype=bool)
    free[reduced.free] = True
    return KinematicsResult(
        name=problem.trial.name,
        time=problem.trial.time,
        coordinates=coordinates,
        coordinate_names=model.coordinate_names,
        motion_types=model.motion_types,
        marker_names=problem.marker_names,
        marker_weights=problem.weights,
        model_markers=points,
        marker_errors=np.linalg.norm(points - problem.targets, axis=2),
        converged=converged,
        iterations=iterations,
        sensitivity=everywhere,
        free=free,
        warnings=(*problem.warnings, *warnings),
    )


def _left_ranges(problem: IKProblem, solution: Array) -> list[str]:
    """A warning for the root's clamped rotations that leave their range."""
    tree, free = problem.model.tree, problem.reduced.free
    low, high = tree.ranges[free].T
    outside = ((solution < low - 1e-6) | (solution > high + 1e-6)).any(axis=0) & tree.clamped[free]
    names = [problem.model.coordinate_names[j] for j in free[outside]]
    if not names or not problem.config.respect_ranges:
        return []
    return [f"{_listed(names)} leave the range that the model clamps them to: widen it where the motion is shown"]


def _wanted_unseen(problem: IKProblem) -> dict[int, float | Array]:
    """Wanted values of coordinates that no marker sees: they are taken as they are, within the range."""
    model, values = problem.model, {}
    for name, target in problem.config.coordinate_targets.items():
        j = model.coordinate_names.index(name)
        unlocked = not model.tree.locked[j] or name in problem.config.free
        if unlocked and not model.tree.dependent[j] and j not in problem.reduced.free and target.weight > 0.0:
            bounded = model.tree.clamped[j] and problem.config.respect_ranges
            values[j] = np.clip(target.value, *model.tree.ranges[j]) if bounded else target.value
    return values


def complete_coordinates(
    model: OsimModel, reduced: ReducedProblem, solution: Array, given: Mapping[int, float | Array] | None = None
) -> Array:
    """All coordinates (T, n_q) from the free ones (T, n): held ones filled in, dependent ones computed.

    ``given`` values, one or one a frame by coordinate, take the place of held ones.
    """
    full = np.tile(reduced.held, (len(solution), 1))
    full[:, reduced.free] = solution
    for j, value in (given or {}).items():
        full[:, j] = value
    for d in model.tree.dependences:
        full[:, d.coordinate] = d.function(np.asarray(sum(w * full[:, row] for row, w in d.argument)))
    return full


def _listed(names: tuple[str, ...] | list[str], most: int = 8) -> str:
    shown = ", ".join(names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
