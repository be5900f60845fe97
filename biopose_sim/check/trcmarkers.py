"""What the markers of a recording show of its unit, its upright axis, its sides and its labels."""

from __future__ import annotations

import re

import numpy as np

from biopose_sim.check.finding import Finding, few, finding
from biopose_sim.check.trcfile import TrcFile

PERSON = (0.4, 3.0)  # [m]: extent of the markers of a person, one leg or the whole
_FAR_OFF = 20.0  # times beyond which the unit must be wrong
_UPPER = re.compile(r"(head|c7|clav|acrom|shoulder|asis|psis|asi|psi|sacr|stern|^.?[rl]?sho)", re.IGNORECASE)
_LOWER = re.compile(r"(toe|heel|hee|ank|calc|^.?cal$|^[rl]cal|meta|mt[15]|mid.?foot|foot)", re.IGNORECASE)
_FRONT = re.compile(r"(asis|asi$|toe|mt[1-5]|meta)", re.IGNORECASE)
_BACK = re.compile(r"(psis|psi$|sacr|heel|hee$|calc|cal$)", re.IGNORECASE)
_JUMP = 0.15  # [m] between two frames
_MOSTLY, _APART = 0.9, 0.03  # of the frames; [m]
_LEAST_EXCHANGE = 0.04  # [m] between two markers
_FASTEST = 15.0  # [m/s]; a foot in a sprint


def check_markers(file: TrcFile) -> list[Finding]:
    """Findings on the markers of a file that could be read."""
    if not file.readable:
        return []
    raw = file.raw_markers
    found, metres = _unit(file, raw)
    if metres is None:
        return found
    points = raw * metres
    turned = _upright(file, points)
    sides = [] if turned else _sides(file, points)
    return found + turned + sides + (_exchanged(file, points) or _jumps(file, points))


def true_unit(file: TrcFile) -> str | None:
    """The unit that makes the markers a person, or None where none does."""
    extent = _extent(file.raw_markers)
    fits = [unit for unit, size in (("m", 1.0), ("mm", 1e-3)) if PERSON[0] < extent * size < PERSON[1]]
    return fits[0] if len(fits) == 1 else None


def _extent(points: np.ndarray) -> float:
    """The usual largest extent of the markers of a frame; 0 where few are seen."""
    seen = np.isfinite(points[:, :, 0]).sum(axis=1) >= min(6, points.shape[1])
    if not seen.any() or points.shape[1] < 3:
        return 0.0
    some = points[seen]
    return float(np.median((np.fmax.reduce(some, axis=1) - np.fmin.reduce(some, axis=1)).max(axis=1)))


def _unit(file: TrcFile, raw: np.ndarray) -> tuple[list[Finding], float | None]:
    """Findings on the unit, and the metres that a number of the file most likely is."""
    stated = file.metres_per_unit
    extent = _extent(raw)
    if stated is None or not extent:
        return [], stated
    size = extent * stated
    if PERSON[1] / _FAR_OFF * 2 < size < PERSON[1] * 3:
        return [], stated
    unit = true_unit(file)
    message = f"Units say {file.values['Units']}, which makes the person {size:.3g} m large"
    remedy = f"write Units {unit}" if unit else "check the export"
    return [finding("T07", file.path, message, "Units", remedy=remedy, fixable=unit is not None)], (
        {"m": 1.0, "mm": 1e-3}[unit] if unit else None
    )


def _mean_of(points: np.ndarray, names: list[str], pattern: re.Pattern[str]) -> np.ndarray | None:
    """(3,) the usual place of the markers whose names match."""
    chosen = [i for i, name in enumerate(names) if pattern.search(name)]
    if not chosen:
        return None
    place = _median(points[:, chosen].reshape(-1, 3), 0)
    return place if np.isfinite(place).all() else None


def _upright(file: TrcFile, points: np.ndarray) -> list[Finding]:
    upper, lower = _mean_of(points, file.names, _UPPER), _mean_of(points, file.names, _LOWER)
    if upper is None or lower is None:
        return []
    up = upper - lower
    axis = int(np.argmax(np.abs(up)))
    if axis == 1 and up[1] > 0:
        return []
    if abs(up[axis]) < 2.0 * abs(up[1]) and up[1] > 0:  # somebody who sits or lies
        return []
    name = ("-" if up[axis] < 0 else "") + "XYZ"[axis]
    return [finding("T12", file.path, f"from the feet to the trunk it goes along {name}, not Y")]


def _median(values: np.ndarray, axis: int) -> np.ndarray:
    """The median of what is a number; NaN where nothing is."""
    filled = np.ma.masked_invalid(values)
    return np.asarray(np.ma.filled(np.ma.median(filled, axis=axis), np.nan))


def _other_side(name: str) -> str | None:
    """The name of the marker on the left of one on the right, or None."""
    swaps = (
        (r"^R(?=[A-Z._\d])", "L"),
        (r"^r(?=[A-Z._\d])", "l"),
        (r"(?<=[._])r$", "l"),
        (r"(?<=[._])R$", "L"),
        (r"^r(?=[a-z])", "l"),
        (r"^Right", "Left"),
        (r"^right", "left"),
    )
    for pattern, side in swaps:
        if re.search(pattern, name):
            return re.sub(pattern, side, name)
    return None


def side_pairs(names: list[str]) -> list[tuple[int, int]]:
    """Indices of the markers of the right, each with its counterpart of the left."""
    places = {name: i for i, name in enumerate(names)}
    pairs = [(i, places.get(_other_side(name) or "", -1)) for i, name in enumerate(names)]
    return [(right, left) for right, left in pairs if left >= 0 and right != left]


def _sides(file: TrcFile, points: np.ndarray) -> list[Finding]:
    seen = np.isfinite(points[:, :, 0]).any(axis=0)
    pairs = [(right, left) for right, left in side_pairs(file.names) if seen[right] and seen[left]]
    if len(pairs) < 3 or any(f.code == "T09" for f in file.findings):
        return []
    across = np.stack([points[:, right] - points[:, left] for right, left in pairs])  # (P, T, 3)
    axis = _median(across / np.linalg.norm(across, axis=2, keepdims=True), 0)  # (T, 3), from left to right
    axis = axis / np.linalg.norm(axis, axis=1, keepdims=True)
    sideways = (across * axis).sum(axis=2)  # (P, T) [m]; feet and hands are also before and behind each other
    with np.errstate(invalid="ignore"):
        other_way = (sideways < 0.0).sum(axis=1) > _MOSTLY * np.isfinite(sideways).sum(axis=1)
        wrong = [pairs[i] for i in np.flatnonzero(other_way & (_median(sideways, 1) < -_APART))]
    if wrong:
        names = [f"{file.names[r]} and {file.names[left]}" for r, left in wrong]
        return [finding("T13", file.path, few(names), severity="warning" if len(wrong) > 2 else None)]
    return _all_sides(file, points, axis)


def _all_sides(file: TrcFile, points: np.ndarray, axis: np.ndarray) -> list[Finding]:
    """Right is forward x up: whether every marker's side is exchanged (a mirrored recording)."""
    front = [i for i, name in enumerate(file.names) if _FRONT.search(name)]
    back = [i for i, name in enumerate(file.names) if _BACK.search(name) and i not in front]
    if not front or not back:
        return []
    right = np.cross(_median(points[:, front], 1) - _median(points[:, back], 1), [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    agreement = float(_median((right * axis).sum(axis=1), 0))
    if not agreement < -0.5:
        return []
    message = "every marker of the right lies on the left: names are exchanged, or the recording is mirrored"
    return [finding("T13", file.path, message)]


def _exchanged(file: TrcFile, points: np.ndarray) -> list[Finding]:
    """Two markers of which each goes, within a frame, to where the other was."""
    if len(points) < 4:
        return []
    steps = np.linalg.norm(np.diff(points, axis=0), axis=2)  # (T-1, M)
    with np.errstate(invalid="ignore"):
        far = (steps > _LEAST_EXCHANGE) & (steps > 10.0 * _median(steps, 0))
    found: dict[str, float] = {}
    for k in np.flatnonzero(far.sum(axis=1) >= 2):
        moved = np.flatnonzero(far[k])
        to_others = np.linalg.norm(points[k + 1, moved][:, None] - points[k, moved][None], axis=2)
        close = to_others < 0.35 * steps[k, moved][:, None]
        for i, j in np.argwhere(np.triu(close & close.T, 1)):
            names = f"{file.names[moved[i]]} and {file.names[moved[j]]} are exchanged"
            found.setdefault(names, float(file.time[k + 1]))
    if not found:
        return []
    return [finding("T14", file.path, few(list(found)), f"{min(found.values()):g} s")]


def _jumps(file: TrcFile, points: np.ndarray) -> list[Finding]:
    """Markers that go far between two frames and come from nowhere: labels that are exchanged for a while."""
    time = file.time
    if len(time) < 4 or not (np.diff(time) > 0).all():
        return []
    steps = np.linalg.norm(np.diff(points, axis=0), axis=2)  # (T-1, M)
    limit = np.maximum(_JUMP, _FASTEST * np.diff(time))[:, None]
    with np.errstate(invalid="ignore"):
        far = (steps > limit) & (steps > 10.0 * _median(steps, 0))
    marked = np.flatnonzero(far.any(axis=0))
    if not marked.size:
        return []
    first = int(np.flatnonzero(far.any(axis=1))[0])
    names = [f"{file.names[i]} by {1e3 * np.nanmax(steps[:, i]):.0f} mm" for i in marked]
    return [finding("T14", file.path, few(names), f"{time[first + 1]:g} s")]


def marker_names_alike(names: list[str]) -> dict[str, list[str]]:
    """Names by what is left of them without case, dots, blanks and underscores."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(re.sub(r"[^a-z0-9]", "", name.lower()), []).append(name)
    return found
