"""Motions (.mot, .sto): which columns are coordinates, and what they show against a model.

A file without ``version`` and with the suffix ``.mot`` is in degrees, one with ``version=1`` and without
``inDegrees`` in radians: OpenSim's ``Storage.cpp``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from biopose_sim.check.codes import Severity
from biopose_sim.check.finding import Finding, few, finding
from biopose_sim.check.model import ModelFile
from biopose_sim.check.storage import StorageFile
from biopose_sim.errors import InputError, near_matches
from biopose_sim.io.motion import guess_motion_type
from biopose_sim.osim import schema
from biopose_sim.osim.functions import to_scalar_function
from biopose_sim.osim.ranges import floating_rotations

USUAL = frozenset(
    f"{name}{side}"
    for name in ("hip_flexion", "knee_angle", "ankle_angle", "arm_flex", "elbow_flex")
    for side in ("_r", "_l")
) | {"pelvis_tilt", "pelvis_list", "pelvis_rotation", "pelvis_tx", "pelvis_ty", "pelvis_tz", "lumbar_extension"}
_OTHER_RESULT = re.compile(
    r"optimi[sz]ation|activation|control|force|moment|reaction|muscle|power|speed|velocit|accelerat|inverse.?dynamics",
    re.IGNORECASE,
)
_OF_A_FORCE = re.compile(r"(force|torque|moment)\w*$")
_MOST_TURNS = 20.0  # [rad] of a root that may turn
_MOST_JOINT = 6.5  # [rad] of any other joint
_BEND = 3.8  # [rad] that no joint leaves
_TRAVEL, _BOB = 0.3, 0.1  # [m] that nobody moves without bending a joint by 4 degrees
_COUPLED = {"rotational": 0.01, "translational": 0.002, "coupled": 0.01}  # [rad | m | raw]
_STILL = {"rotational": 2e-3, "translational": 2e-4, "coupled": 2e-3}
_CLEARLY_OUTSIDE = {"rotational": 0.0175, "translational": 0.005, "coupled": 0.0175}
_OUTSIDE = {"rotational": 2e-3, "translational": 1e-3, "coupled": 2e-3}
_LEAST_JUMP = {"rotational": 0.35, "translational": 0.15, "coupled": 0.35}
_SPEED = {"rotational": 40.0, "translational": 15.0, "coupled": 40.0}  # [rad/s | m/s] of the fastest sports
_TURN = 2.0 * np.pi


@dataclass(frozen=True)
class Motion:
    """The coordinates of a file as OpenSim takes them: (R,) each, in rad or m (or raw), with their labels."""

    values: dict[str, np.ndarray]
    labels: dict[str, str]


def coordinate_labels(file: StorageFile) -> dict[str, str]:
    """Column label by coordinate name; speeds, activations and other states are left out."""
    known = set(file.labels)
    found: dict[str, str] = {}
    for label in file.labels[1:]:
        parts = label.split("/")
        if len(parts) > 1:
            if parts[-1] == "value":
                found.setdefault(parts[-2], label)
        elif "." not in label and not (label.endswith("_u") and label[:-2] in known):
            found.setdefault(label, label)
    return found


def is_motion(file: StorageFile) -> bool:
    """Whether a table holds coordinates, as far as can be told without a model."""
    if not file.labels:
        return False
    names = coordinate_labels(file)
    called = file.name.strip().lower() in ("coordinates", "states")
    # Reserve actuators, moments and speeds have the names of coordinates too.
    if not called and _OTHER_RESULT.search(f"{file.name} {file.path.stem}"):
        return False
    if sum(_OF_A_FORCE.search(label) is not None for label in file.labels) > 0.3 * len(file.labels):
        return False
    return called or len(USUAL & set(names)) >= 2 or any(label.endswith("/value") for label in file.labels)


def kinds_of(file: StorageFile, model: ModelFile | None) -> dict[str, str]:
    """Motion type by coordinate name, the model's or, without one, what names suggest."""
    if model is not None and model.model is not None:
        return {c.name: c.motion_type for c in model.model.coordinates}
    return {name: guess_motion_type(name) for name in coordinate_labels(file)}


def check_motion(file: StorageFile, model: ModelFile | None) -> list[Finding]:
    """Findings on a motion, against a model where there is one."""
    if not file.readable:
        return []
    labels = coordinate_labels(file)
    kinds = kinds_of(file, model)
    known = {name: label for name, label in labels.items() if name in kinds}
    roots = {c.name for c in floating_rotations(model.model)} if model and model.model else {"pelvis_tilt"}
    roots |= {name for name in known if name.startswith("pelvis_")}
    unit = _check_unit(file, known, kinds, roots)
    found = _check_header(file, unit) + unit
    degrees = file.in_degrees != bool(unit)  # what was found out counts
    motion = motion_of(file, known, kinds, degrees)
    found += _check_places(file, motion, kinds)
    found += _check_steps(file, motion, kinds)
    if model is not None:
        found += _check_columns(file, labels, model)
        if model.model is not None:
            found += _check_couplers(file, motion, model.model)
            found += _check_limits(file, motion, model.model)
    return found


def motion_of(file: StorageFile, labels: dict[str, str], kinds: dict[str, str], degrees: bool) -> Motion:
    """The coordinates in rad and m."""
    columns = file.columns
    values = {
        name: np.deg2rad(columns[label]) if degrees and kinds[name] == "rotational" else columns[label]
        for name, label in labels.items()
    }
    return Motion(values, labels)


def _check_header(file: StorageFile, unit: list[Finding]) -> list[Finding]:
    if file.version < 1:
        if not file.in_degrees or file.header.get("inDegrees", "").lower() not in ("no", "n"):
            return [finding("M17", file.path, "no version is stated")]
        message = "it says inDegrees=no, which OpenSim passes over: it reads degrees"
        sure = any(f.severity == "error" for f in unit)
        return [finding("M17", file.path, message, severity="error" if sure else "warning", fixable=sure)]
    return [] if "inDegrees" in file.header else [finding("M03", file.path, "OpenSim reads radians")]


def _check_unit(file: StorageFile, labels: dict[str, str], kinds: dict[str, str], roots: set[str]) -> list[Finding]:
    """One finding where the angles are not in the unit that the header says."""
    columns = file.columns
    angles = {n: columns[label] for n, label in labels.items() if kinds[n] == "rotational"}
    most = {n: float(np.nanmax(np.abs(v))) for n, v in angles.items() if np.isfinite(v).any()}
    if not most:
        return []
    if not file.in_degrees:
        large = [n for n, value in most.items() if value > (_MOST_TURNS if n in roots else _MOST_JOINT)]
        if not large:
            return []
        worst = max(large, key=most.__getitem__)
        said = "inDegrees=no" if "inDegrees" in file.header else "no inDegrees"
        return [finding("M05", file.path, f"{said}, but {worst} reaches {most[worst]:.4g} rad")]
    joints = [n for n in most if n not in roots]
    if len(joints) < 3 or max(most[n] for n in joints) > _BEND:
        return []
    swing = max(float(np.nanmax(angles[n]) - np.nanmin(angles[n])) for n in joints)
    travel = max((_spread(columns[labels[n]]) for n in labels if n.endswith(("_tx", "_tz"))), default=0.0)
    bob = max((_spread(columns[labels[n]]) for n in labels if n.endswith("_ty")), default=0.0)
    message = f"inDegrees=yes, but no joint bends beyond {max(most[n] for n in joints):.3g} degrees"
    if swing > 0.3 and (travel > _TRAVEL or bob > _BOB):
        return [finding("M04", file.path, f"{message} while the person travels {max(travel, bob):.2g} m")]
    return [finding("M04", file.path, message, severity="warning", fixable=False)] if swing > 0.8 else []


def _spread(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.ptp(finite)) if finite.size else 0.0


def _check_places(file: StorageFile, motion: Motion, kinds: dict[str, str]) -> list[Finding]:
    """Translations in millimetres; a pelvis that is high along Z."""
    found = []
    moves = {n: v for n, v in motion.values.items() if kinds[n] == "translational" and np.isfinite(v).any()}
    far = [n for n, v in moves.items() if np.nanmedian(np.abs(v)) > 50.0]
    if far:
        found.append(finding("M20", file.path, f"{far[0]} is {np.nanmedian(moves[far[0]]):.4g} m", far[0]))
    elif {"pelvis_ty", "pelvis_tz"} <= moves.keys():
        y, z = (moves[n] for n in ("pelvis_ty", "pelvis_tz"))
        if abs(np.nanmedian(y)) < 0.4 and 0.7 < np.nanmedian(z) < 1.3 and _spread(z) < 0.8:
            message = f"the pelvis is at {np.nanmedian(z):.2f} m along Z and {np.nanmedian(y):.2f} m along Y"
            found.append(finding("M21", file.path, message, severity="warning"))
        elif np.nanmedian(y) < -0.4:
            message = f"the pelvis is {-np.nanmedian(y):.2f} m below the floor"
            found.append(finding("M21", file.path, message, severity="warning"))
    return found


def _check_steps(file: StorageFile, motion: Motion, kinds: dict[str, str]) -> list[Finding]:
    """Whole turns and other jumps between two frames."""
    time = file.time
    if len(time) < 4 or not (np.diff(time) > 0).all():
        return []
    found, jumps = [], {}
    for name, values in motion.values.items():
        steps = np.diff(values)
        wraps = np.flatnonzero(np.abs(np.abs(steps) - _TURN) < 0.2 * _TURN)
        if kinds[name] == "rotational" and len(wraps):
            message = f"{len(wraps)} jumps by 360 degrees"
            found.append(finding("M10", file.path, message, f"{name} at {time[wraps[0] + 1]:g} s"))
            continue
        limit = np.maximum(_LEAST_JUMP[kinds[name]], _SPEED[kinds[name]] * np.diff(time))
        with np.errstate(invalid="ignore"):
            far = np.abs(steps) > np.maximum(limit, 10.0 * np.nanmedian(np.abs(steps)))
        if far.any():
            k = int(np.flatnonzero(far)[0])
            jumps[name] = (float(time[k + 1]), float(steps[k]))
    if jumps:
        first = min(jumps, key=lambda n: jumps[n][0])
        size, unit = jumps[first][1], "m"
        if kinds[first] == "rotational":
            size, unit = np.degrees(size), "degrees"
        others = [name for name in jumps if name != first]
        message = f"{first} by {size:.3g} {unit}" + (f", also {few(others)}" if others else "")
        found.append(finding("M11", file.path, message, f"{jumps[first][0]:g} s"))
    return found


def _check_columns(file: StorageFile, labels: dict[str, str], model: ModelFile) -> list[Finding]:
    """Coordinates that are missing, and columns that are none."""
    found = []
    facts = model.by_name
    computed = {c.dependent for c in model.model.couplers} if model.model else set()
    missing = [name for name in model.coordinates if name not in labels]
    idle = [n for n in missing if n in computed or (n in facts and (facts[n].locked or facts[n].prescribed))]
    needed = [n for n in missing if n not in idle]
    if needed:
        found.append(finding("M01", file.path, f"{few(needed)} of the model {model.path.name}"))
    if idle:
        message = f"{few(idle)}: the model computes or locks them"
        remedy = "add them for viewers other than OpenSim"
        found.append(finding("M01", file.path, message, severity="note", remedy=remedy))
    strange = [n for n in labels if n not in model.coordinates]
    states = any("/" in label for label in file.labels) or file.name.strip().lower() == "states"
    if strange and not states:
        near = near_matches(strange[0], needed) if needed else ""
        # OpenSim's own motions carry markers and forces besides; misspelt names leave a coordinate missing.
        severity: Severity | None = None if needed else "note"
        found.append(finding("M02", file.path, few(strange) + near, severity=severity))
    return found


def _check_couplers(file: StorageFile, motion: Motion, model: schema.Model) -> list[Finding]:
    kinds = {c.name: c.motion_type for c in model.coordinates}
    found = []
    for coupler in model.couplers:
        if not {coupler.dependent, *coupler.independents} <= motion.values.keys():
            continue
        try:
            function = to_scalar_function(coupler.function)
        except InputError:
            continue
        weights = function.weights if len(function.weights) == len(coupler.independents) else (1.0,)
        argument = sum(w * motion.values[n] for w, n in zip(weights, coupler.independents))
        wanted = coupler.scale * function(np.asarray(argument, dtype=float))
        given = motion.values[coupler.dependent]
        off = float(np.nanmax(np.abs(given - wanted), initial=0.0))
        limit = _COUPLED[kinds[coupler.dependent]]
        if off <= limit:
            continue
        message = f"it differs from {', '.join(coupler.independents)} through its coupler by up to {off:.3g}"
        if kinds[coupler.dependent] == "coupled" and np.nanmax(np.abs(np.deg2rad(given) - wanted)) <= limit:
            message = "it is in degrees, but OpenSim takes it as it stands: its joint function is not linear"
        found.append(finding("M06", file.path, message, coupler.dependent))
    return found


def _check_limits(file: StorageFile, motion: Motion, model: schema.Model) -> list[Finding]:
    """Locked coordinates that move, and values outside of ranges."""
    found = []
    driven = {c.dependent for c in model.couplers}
    outside: dict[str, list[str]] = {"M08": [], "M09": []}
    for coordinate in model.coordinates:
        values = motion.values.get(coordinate.name)
        if values is None or not np.isfinite(values).any():
            continue
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        if coordinate.locked:
            found += _locked(file, coordinate, low, high)
        elif coordinate.name not in driven:
            over = max(coordinate.range[0] - low, high - coordinate.range[1])
            if over > _OUTSIDE[coordinate.motion_type]:
                shown, unit = (np.degrees(over), "deg") if coordinate.motion_type == "rotational" else (over, "m")
                clear = coordinate.clamped and over > _CLEARLY_OUTSIDE[coordinate.motion_type]
                outside["M08" if clear else "M09"].append(f"{coordinate.name} by {shown:.3g} {unit}")
    return found + [finding(code, file.path, few(names)) for code, names in outside.items() if names]


def _locked(file: StorageFile, coordinate: schema.Coordinate, low: float, high: float) -> list[Finding]:
    slack = _STILL[coordinate.motion_type]
    away = max(abs(low - coordinate.default), abs(high - coordinate.default))
    if high - low > slack:
        message = f"the model locks it at {coordinate.default:.4g}, the motion moves it by {high - low:.4g}"
        return [finding("M07", file.path, message, coordinate.name)]
    if away > slack:
        message = f"the model locks it at {coordinate.default:.4g}, the motion has {low:.4g}"
        return [finding("M07", file.path, message, coordinate.name, severity="note")]
    return []
