"""C3D files: markers, analog channels and force plates, through ezc3d."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ._c3d_bytes import DAMAGED, intel_bytes
from .axes import UpAxis, ground_from_screen, ground_from_up
from .notice import listed, warn
from .plates import Analog, ForcePlate
from .text import read_bytes
from .trc import drop_empty_markers, zeros_to_gaps
from .trial import Trial, repeated

METRES = {"mm": 1e-3, "cm": 1e-2, "dm": 1e-1, "m": 1.0}
NEWTONS = {"n": 1.0, "nt": 1.0, "kn": 1e3}
NEWTON_METRES = {"nmm": 1e-3, "ntmm": 1e-3, "ncm": 1e-2, "nm": 1.0, "ntm": 1.0}
NOT_POSITIONS = ("ANGLES", "FORCES", "MOMENTS", "POWERS", "SCALARS", "REACTIONS")


def read_c3d(path: str | Path, *, up: UpAxis = "auto", keep_prefix: bool = False) -> Trial:
    """Read markers, analog channels and force plates from a C3D file, turned to Y up, in SI units.

    A point with a negative residual, and an exact (0, 0, 0), is a gap. What Vicon models store among the
    points (joint angles, forces, moments, powers: listed in POINT:ANGLES and so on) is left out. The clock
    is that of the recording: frame 1 is at 0 s, so that a trial cut at frame 148 at 100 Hz begins at 1.47 s.

    Args:
        path: the file.
        up: laboratory axis that points up. ``"auto"`` takes POINT:X_SCREEN as X and POINT:Y_SCREEN as Y;
            where the file lacks them, Z is assumed to be up, with a `BioposeWarning`.
        keep_prefix: keep ``Subject:LASI`` as it is; else the bare ``LASI``, where that is unique.

    Returns:
        The trial: time (T,) [s], markers (T, M, 3) [m].

    Raises:
        InputError: the file is missing, no C3D, damaged or cut short; it has no points or no marker among
            them; its units are unknown; ``up`` is not x, y, z or auto.
    """
    path = Path(path)
    data = read_bytes(path)
    raw = _open(path, intel_bytes(path, data))
    point = raw["parameters"]["POINT"]
    scale = _metres(path, point)
    rotation = _ground_from_lab(path, point, up)
    rate = float(_value(point, "RATE", 0.0))
    if not 0 < rate < 1e6:
        raise InputError(path, f"has a frame rate of {rate:g} Hz", DAMAGED)
    keep, labels = _marker_columns(path, point, raw["data"]["points"].shape[1])
    markers = _positions(raw["data"], keep) * scale
    zeros_to_gaps(path, markers, labels)
    markers, labels = drop_empty_markers(path, markers, labels)
    if not keep_prefix:
        labels = _without_prefix(labels)
    start = float(raw["header"]["points"]["first_frame"]) / rate
    time = start + np.arange(len(markers)) / rate
    return Trial.checked(
        path.stem,
        time,
        markers @ rotation.T,
        labels,
        source=path,
        nominal_rate=rate,
        force_plates=_read_plates(raw, start, rotation),
        analog=_read_analog(raw, start),
    )


def _open(path: Path, converted: bytes | None) -> Any:
    """Return ezc3d's view of the file, with force plates if it can compute them."""
    if converted is None:
        return _open_file(path, path)
    with tempfile.TemporaryDirectory(prefix="biopose_c3d_") as folder:
        copy = Path(folder) / "converted.c3d"
        copy.write_bytes(converted)
        return _open_file(path, copy)


def _open_file(path: Path, readable: Path) -> Any:
    import ezc3d

    failures = (RuntimeError, OSError, ValueError, LookupError, ArithmeticError, MemoryError, TypeError)
    try:
        return ezc3d.c3d(str(readable), extract_forceplat_data=True)
    except failures as error:
        reason = str(error) or type(error).__name__
    try:
        raw = ezc3d.c3d(str(readable), extract_forceplat_data=False)
    except failures as error:
        raise InputError(path, f"cannot be read as C3D ({error})", DAMAGED) from error
    warn(path, f"force plates cannot be read and are left out ({reason})")
    return raw


def _value(group: Any, key: str, default: Any) -> Any:
    """Return the first value of a parameter, or ``default`` where the file has none."""
    values: Any = np.ravel(group[key]["value"]) if key in group else []
    return values[0] if len(values) else default


def _texts(group: Any, key: str) -> list[str]:
    """Return the texts of a parameter and of its continuations (LABELS, LABELS2, ...)."""
    numbers = [0, *sorted(int(k[len(key) :]) for k in group if re.fullmatch(rf"{key}[2-9]\d*", k))]
    keys = [f"{key}{n or ''}" for n in numbers]
    return [str(text).strip() for k in keys if k in group for text in np.ravel(group[k]["value"])]


def _metres(path: Path, point: Any) -> float:
    unit = str(_value(point, "UNITS", "")).strip()
    if not unit:
        warn(path, "POINT:UNITS is missing; millimetres are assumed")
        return METRES["mm"]
    if unit.lower() not in METRES:
        raise InputError(path, f"POINT:UNITS is '{unit}'", f"it must be one of {', '.join(METRES)}")
    return METRES[unit.lower()]


def _ground_from_lab(path: Path, point: Any, up: UpAxis) -> np.ndarray:
    if up != "auto":
        return ground_from_up(up)
    rotation = ground_from_screen(str(_value(point, "X_SCREEN", "")), str(_value(point, "Y_SCREEN", "")))
    if rotation is None:
        warn(
            path,
            "POINT:X_SCREEN, Y_SCREEN do not say which axis is up: Z is assumed; pass up= if it is another",
        )
        return ground_from_up("z")
    return rotation


def _marker_columns(path: Path, point: Any, n_points: int) -> tuple[list[int], tuple[str, ...]]:
    """Return the columns that are positions, and their labels (unique, none blank)."""
    labels = _texts(point, "LABELS")[:n_points]
    labels += [""] * (n_points - len(labels))
    groups = [g for g in _texts(point, "TYPE_GROUPS") if g.upper() not in ("MODELED_MARKERS", "MARKERS")]
    listed_in = {name for group in (*NOT_POSITIONS, *groups) if group in point for name in _texts(point, group)}
    bare = {name.rpartition(":")[2] for name in listed_in}
    keep = [i for i, label in enumerate(labels) if label not in listed_in and label.rpartition(":")[2] not in bare]
    if not keep:
        raise InputError(path, "has no markers among its points", "export the trial with markers")
    names = [labels[i] or f"point_{i + 1}" for i in keep]
    twice = repeated(names)
    if twice:
        warn(path, f"labels that occur more than once get a number: {listed(twice)}")
    return keep, tuple(_numbered(names))


def _numbered(names: Sequence[str]) -> list[str]:
    """Return the names with ``_2``, ``_3``, ... at those that occurred before."""
    taken, seen, result = set(names), Counter[str](), []
    for name in names:
        seen[name] += 1
        unique = name
        while seen[name] > 1 and unique in taken:
            unique = f"{name}_{seen[name]}"
            seen[name] += unique in taken
        taken.add(unique)
        result.append(unique)
    return result


def _without_prefix(labels: tuple[str, ...]) -> tuple[str, ...]:
    """Return ``LASI`` for ``Subject:LASI`` wherever no other label would be the same."""
    bare = [label.rpartition(":")[2].strip() or label for label in labels]
    count = Counter(bare)
    return tuple(short if count[short] == 1 else label for short, label in zip(bare, labels))


def _positions(data: Any, keep: list[int]) -> np.ndarray:
    """Return the points (T, M, 3) in the units of the file, NaN where the residual says invalid."""
    points = np.ascontiguousarray(data["points"][:3, keep].transpose(2, 1, 0), dtype=np.float64)
    residuals = data["meta_points"]["residuals"][0][keep].T
    points[(residuals < 0) | ~np.isfinite(points).all(axis=2)] = np.nan
    return points


def _read_analog(raw: Any, start: float) -> Analog | None:
    values = raw["data"]["analogs"][0]
    group = raw["parameters"].get("ANALOG", {})
    rate = float(_value(group, "RATE", 0.0))
    if not values.size or not rate > 0:
        return None
    names = _texts(group, "LABELS") + [f"channel_{i + 1}" for i in range(len(values))]
    units = _texts(group, "UNITS") + [""] * len(values)
    n = len(values)
    return Analog(tuple(names[:n]), tuple(units[:n]), rate, start, np.ascontiguousarray(values.T))


def _read_plates(raw: Any, start: float, rotation: np.ndarray) -> tuple[ForcePlate, ...]:
    plates = raw["data"].get("platform", [])
    group = raw["parameters"].get("FORCE_PLATFORM", {})
    types: Any = np.ravel(group["TYPE"]["value"]) if "TYPE" in group else []
    rate = float(_value(raw["parameters"].get("ANALOG", {}), "RATE", 0.0))
    length = METRES.get(str(_value(raw["parameters"]["POINT"], "UNITS", "mm")).strip().lower(), 1e-3)
    result = []
    for kind, plate in zip(types, plates):
        force = NEWTONS.get(_compact(plate["unit_force"]), 1.0)
        moment = NEWTON_METRES.get(_compact(plate["unit_moment"]), force * length)
        result.append(
            ForcePlate(
                type=int(kind),
                corners=plate["corners"].T @ rotation.T * length,
                origin=np.asarray(plate["origin"], dtype=np.float64) * length,
                rate=rate,
                start=start,
                forces=np.ascontiguousarray(plate["force"].T @ rotation.T * force),
                moments=np.ascontiguousarray(plate["moment"].T @ rotation.T * moment),
            )
        )
    return tuple(result)


def _compact(unit: str) -> str:
    return re.sub(r"[^a-z]", "", unit.lower())
