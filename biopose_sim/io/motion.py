"""Motion files (.mot): coordinates of a model over time, in degrees in the file and in radians in memory."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from ..errors import InputError, near_matches
from .digits import fixed_point_text
from .notice import listed, warn
from .sto import Table, check_table, read_sto, write_storage
from .trial import repeated

MotionType = Literal["rotational", "translational", "coupled"]
MOTION_TYPES: tuple[MotionType, ...] = ("rotational", "translational", "coupled")
MOST_RADIANS = 20.0  # no joint turns further; values beyond are degrees
_TRANSLATION = re.compile(r"_t[xyz]$")
_COUPLED = re.compile(r"knee_angle_.*beta|_beta$")
_DECIMALS = {True: 8, False: 10}  # in degrees, in radians


class MotionLike(Protocol):
    """What `write_mot` needs: `Motion` and every result of a solver have it."""

    @property
    def name(self) -> str:
        """Name of the motion."""

    @property
    def time(self) -> np.ndarray:
        """(T,) [s]."""

    @property
    def coordinates(self) -> np.ndarray:
        """(T, n_q) [rad | m | raw]."""

    @property
    def coordinate_names(self) -> Sequence[str]:
        """n_q names."""

    @property
    def motion_types(self) -> Sequence[str]:
        """n_q of ``"rotational"``, ``"translational"``, ``"coupled"``."""


@dataclass(frozen=True, eq=False)
class Motion:
    """Coordinates of a model over time.

    Attributes:
        name: name of the motion.
        time: (T,) strictly increasing [s].
        coordinates: (T, n_q): rotational [rad], translational [m], coupled in its raw unit.
        coordinate_names: n_q bare names, e.g. ``"knee_angle_r"``.
        motion_types: n_q of ``"rotational"``, ``"translational"``, ``"coupled"``.
        source: the file it came from, if any.
    """

    name: str
    time: np.ndarray
    coordinates: np.ndarray
    coordinate_names: tuple[str, ...]
    motion_types: tuple[str, ...]
    source: Path | None = None

    def index(self, name: str) -> int:
        """Return the index of a coordinate.

        Raises:
            InputError: there is no such coordinate; lists near names.
        """
        if name not in self.coordinate_names:
            near = near_matches(name, self.coordinate_names)
            raise InputError(self.source or f"motion '{self.name}'", f"has no coordinate '{name}'{near}")
        return self.coordinate_names.index(name)

    def coordinate(self, name: str) -> np.ndarray:
        """Return one coordinate, (T,) [rad | m | raw]."""
        return self.coordinates[:, self.index(name)]


def write_mot(path: str | Path, motion: MotionLike, in_degrees: bool = True) -> Path:
    """Write a motion in one step, so that the OpenSim GUI loads it.

    Only rotational coordinates are converted to degrees; translations stay metres, coupled coordinates stay
    raw, as OpenSim does it. Degrees are written with 8 decimals. NaN is written as such, with a
    `BioposeWarning`.

    Raises:
        InputError: shapes that do not fit, an unknown motion type, repeated names, time that does not
            increase, or a path that cannot be written.
    """
    names = tuple(motion.coordinate_names)
    time = np.asarray(motion.time, dtype=np.float64)
    values = np.asarray(motion.coordinates, dtype=np.float64)
    check_table(path, time, values, names)
    rotational = _is_rotational(path, names, motion.motion_types)
    if in_degrees:
        values = values.copy()
        values[:, rotational] = np.rad2deg(values[:, rotational])
    if not np.isfinite(values).all():
        bad = [names[i] for i in np.flatnonzero(~np.isfinite(values).all(axis=0))]
        warn(path, f"coordinates that are not numbers everywhere: {listed(bad)}")
    body = fixed_point_text([(time[:, None], 8), (values, _DECIMALS[in_degrees])])
    return write_storage(path, "Coordinates", len(time), names, body, in_degrees)


def read_mot(path: str | Path, motion_types: Mapping[str, str] | None = None) -> Motion:
    """Read the coordinates of a .mot or .sto file.

    Columns may have bare names (``knee_angle_r``) or paths (``/jointset/walker_knee_r/knee_angle_r/value``).
    Speeds, activations and other states are passed over. A file without ``inDegrees`` is in radians, as
    OpenSim reads it.

    Args:
        path: the file.
        motion_types: motion type by coordinate name, as the model has it; columns that are not in it are
            passed over. Without it, names that end with ``_tx``, ``_ty``, ``_tz`` are taken as
            translational, those like ``knee_angle_r_beta`` as coupled, and **every other as rotational**:
            pass the model's types where that may be wrong.

    Raises:
        InputError: what `read_sto` raises; no column is a coordinate; two columns are the same coordinate.
    """
    table = read_sto(path, unique=False)
    columns = _coordinate_columns(table)
    if motion_types is not None:
        columns = _known_columns(table, columns, motion_types)
    if not columns:
        raise InputError(path, "holds no coordinates", f"its columns are {listed(table.names)}")
    names = tuple(name for name, _ in columns)
    if twice := repeated(names):
        raise InputError(path, f"holds the coordinate {listed(twice)} more than once")
    types = tuple(motion_types[n] if motion_types is not None else guess_motion_type(n) for n in names)
    values = np.ascontiguousarray(table.data[:, [index for _, index in columns]])
    rotational = _is_rotational(path, names, types)
    if table.in_degrees:
        values[:, rotational] = np.deg2rad(values[:, rotational])
    else:
        _warn_of_degrees(table, names, values, rotational)
    return Motion(Path(path).stem, table.time, values, names, types, Path(path))


def guess_motion_type(name: str) -> MotionType:
    """Return the motion type that a coordinate of this name has in the usual models."""
    if _TRANSLATION.search(name):
        return "translational"
    return "coupled" if _COUPLED.search(name) else "rotational"


def _is_rotational(where: str | Path, names: Sequence[str], types: Sequence[str]) -> np.ndarray:
    if len(types) != len(names):
        raise InputError(where, f"{len(types)} motion types for {len(names)} coordinates")
    for name, kind in zip(names, types):
        if kind not in MOTION_TYPES:
            raise InputError(where, f"coordinate '{name}' has motion type {kind!r}", f"use {', '.join(MOTION_TYPES)}")
    return np.array([kind == "rotational" for kind in types], dtype=bool)


def _coordinate_columns(table: Table) -> list[tuple[str, int]]:
    """Return bare coordinate names with their columns; states that are no coordinate values are left out."""
    known = set(table.names)
    found = []
    for index, label in enumerate(table.names):
        parts = label.split("/")
        if len(parts) > 1:
            if parts[-1] == "value":
                found.append((parts[-2], index))
        elif "." not in label and not (label.endswith("_u") and label[:-2] in known):
            found.append((label, index))
    return found


def _known_columns(
    table: Table, columns: list[tuple[str, int]], motion_types: Mapping[str, str]
) -> list[tuple[str, int]]:
    unknown = [name for name, _ in columns if name not in motion_types]
    if columns and len(unknown) == len(columns):
        near = near_matches(unknown[0], motion_types)
        text = f"has no column that the model knows; the first is '{unknown[0]}'{near}"
        raise InputError(table.source or table.name, text)
    if unknown:
        warn(
            table.source or table.name,
            f"columns that the model does not know are passed over: {listed(unknown)}",
        )
    return [(name, index) for name, index in columns if name in motion_types]


def _warn_of_degrees(table: Table, names: Sequence[str], values: np.ndarray, rotational: np.ndarray) -> None:
    large = rotational & (np.abs(np.nan_to_num(values)).max(axis=0) > MOST_RADIANS)
    if large.any():
        header = "inDegrees=no" if table.in_degrees is False else "no inDegrees"
        first = names[int(np.argmax(large))]
        text = f"the header has {header}, so that angles are read as radians, but '{first}' looks like degrees"
        warn(table.source or table.name, text + "; if so, write inDegrees=yes")
