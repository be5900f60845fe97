"""Why a fit is bad: wrong units, mirrored axes, left and right markers swapped. Looked for only when it is bad."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from biopose_sim.errors import InputError
from biopose_sim.ik.cpu import CpuEngine
from biopose_sim.ik.problem import IKProblem
from biopose_sim.ik.start import best_frame, find_start
from biopose_sim.ik.types import Array

SUSPICIOUS = 0.045  # root mean square marker distance [m] of a frame that makes one look closer
_CLEAR = 0.6  # times the distance that another reading must leave at most to be believed
_FAR = 0.05  # distance [m] of a marker that may be another one
_MOST_FRAMES = 50
_SIDES = (("r", "l"), ("right", "left"))
_UNITS = (
    (1e-3, "millimetres read as metres"),
    (1e-2, "centimetres read as metres"),
    (1e3, "metres read as millimetres"),
)


def check_markers(problem: IKProblem, points: Array, misfit: Array) -> list[str]:
    """Explain a bad fit.

    Args:
        problem: what was solved.
        points: the model's markers of the solution, shape (T, M, 3) [m].
        misfit: weighted root mean square marker distance of each frame, shape (T,) [m].

    Returns:
        Warnings that name markers which look swapped in a part of the fit only.

    Raises:
        InputError: wrong units, mirrored, left and right swapped: the markers are named.
    """
    finite = misfit[np.isfinite(misfit)]
    if not len(finite) or len(problem.marker_names) < 6:
        return []
    crossed = _crossed(problem, points)
    bad = bool(np.median(finite) > SUSPICIOUS)
    if not crossed and not bad:
        return []
    _check_units(problem)
    frame = best_frame(problem.visible, problem.weights, len(misfit) // 2, (0, len(misfit)))
    now = _distance(problem, frame)
    pairs, distance = _swapped(problem, frame, crossed, now)
    mirrored = _distance(replace(problem, targets=problem.targets * (1.0, 1.0, -1.0)), frame) if bad else np.inf
    source = problem.trial.source or problem.trial.name
    # On a symmetric body a mirrored recording equals one whose left and right names are all exchanged.
    if mirrored < _CLEAR * now and mirrored < 1.1 * distance:
        a, b = (side_pairs(problem.marker_names) or [(0, 0)])[0]
        also = f", or all left and right names (such as {problem.marker_names[a]} and {problem.marker_names[b]}) "
        raise InputError(
            source,
            "looks mirrored: with one axis turned round the markers fit far better "
            f"({1e3 * mirrored:.0f} instead of {1e3 * now:.0f} mm)",
            "turn the axis that points the wrong way (a left-handed frame)" + (also + "are swapped" if a != b else ""),
        )
    if not pairs:
        return []
    names = ", ".join(f"{problem.marker_names[a]} and {problem.marker_names[b]}" for a, b in pairs)
    problem_text = (
        f"left and right markers look swapped: {names} (the fit is {1e3 * distance:.0f} instead of {1e3 * now:.0f} mm "
        "with their names exchanged)"
    )
    if distance < _CLEAR * now:
        raise InputError(source, problem_text, "exchange the names of these markers")
    return [problem_text]


def _crossed(problem: IKProblem, points: Array) -> list[tuple[int, int]]:
    """Left-right pairs of which each measured marker lies nearer to the other's place in most frames."""
    frames = np.linspace(0, len(points) - 1, min(_MOST_FRAMES, len(points))).astype(int)
    model, measured, found = points[frames], problem.targets[frames], []
    with np.errstate(invalid="ignore"):
        far = (np.linalg.norm(model - measured, axis=2) > _FAR).mean(axis=0) > 0.3
    if far.sum() < 2:
        return []
    for a, b in side_pairs(problem.marker_names):
        if not (far[a] and far[b]):
            continue
        both = problem.visible[frames, a] & problem.visible[frames, b]
        if both.any():
            own = _apart(model, a, measured, a)[both] + _apart(model, b, measured, b)[both]
            other = _apart(model, a, measured, b)[both] + _apart(model, b, measured, a)[both]
            if np.median(other) < np.median(own):
                found.append((a, b))
    return found


def _apart(model: Array, a: int, measured: Array, b: int) -> Array:
    return np.linalg.norm(model[:, a] - measured[:, b], axis=1)


def _distance(problem: IKProblem, frame: int) -> float:
    """Weighted root mean square marker distance of one frame from no guess [m]."""
    weight = float(problem.weights[problem.visible[frame]].sum())
    return float(np.sqrt(2.0 * find_start(CpuEngine(problem), frame)[1] / max(weight, 1e-30)))


def _check_units(problem: IKProblem) -> None:
    model_points = _rest_points(problem)
    size = _spread(model_points)
    seen = problem.visible.sum(axis=1) >= max(3, problem.visible.shape[1] // 2)
    measured = [_spread(t[v]) for t, v in zip(problem.targets[seen][:200], problem.visible[seen][:200])]
    if not measured or size == 0.0:
        return
    ratio = float(np.median(measured)) / size
    for factor, what in _UNITS:
        if 0.4 < ratio * factor < 2.5:
            raise InputError(
                problem.trial.source or problem.trial.name,
                f"the markers are {ratio:.3g} times as far apart as the model's: this looks like {what}",
                "state the units that the numbers have",
            )


def _rest_points(problem: IKProblem) -> Array:
    engine = CpuEngine(problem)
    still = np.zeros(len(problem.low), dtype=bool)
    return engine.solve_starts(problem.start[None], 0, movable=still).points[0]


def _spread(points: Array) -> float:
    return float(np.sqrt(((points - points.mean(axis=0)) ** 2).sum(axis=1).mean()))


def side_pairs(names: tuple[str, ...]) -> list[tuple[int, int]]:
    """Indices of markers that are each other's right and left, told by their names (RASI, r_knee, Knee.R)."""
    index = {name.lower(): i for i, name in enumerate(names)}
    pairs: dict[int, int] = {}
    for i, name in enumerate(names):
        for other in _left_names(name.lower()):
            if other in index and index[other] != i and index[other] not in pairs.values():
                pairs.setdefault(i, index[other])
    return list(pairs.items())


def _left_names(name: str) -> list[str]:
    """What the left counterpart of a right marker may be called."""
    others = []
    for right, left in _SIDES:
        if name.startswith(right):
            others.append(left + name[len(right) :])
        for separator in ("_", ".", "-", " "):
            if name.endswith(separator + right):
                others.append(name[: -len(right)] + left)
            if separator + right + separator in name:
                others.append(name.replace(separator + right + separator, separator + left + separator))
    return others


def _swapped(
    problem: IKProblem, frame: int, crossed: list[tuple[int, int]], now: float
) -> tuple[list[tuple[int, int]], float]:
    """Pairs whose exchange makes the fit far better, and the marker distance then [m]."""
    everything = side_pairs(problem.marker_names)
    best: tuple[list[tuple[int, int]], float] = ([], now)
    for pairs in (crossed, everything):
        if pairs:
            distance = _distance(_exchanged(problem, pairs), frame)
            if distance < 0.9 * best[1]:
                best = (pairs, distance)
    return best


def _exchanged(problem: IKProblem, pairs: list[tuple[int, int]]) -> IKProblem:
    order = np.arange(len(problem.marker_names))
    for a, b in pairs:
        order[[a, b]] = order[[b, a]]
    return replace(problem, targets=problem.targets[:, order], visible=problem.visible[:, order])
