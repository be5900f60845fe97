"""Normative gait curves: ``models/motions/normative_gait.csv`` as periodic functions of the gait cycle."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline

from biopose_sim.errors import InputError
from biopose_sim.paths import models_dir

Array = NDArray[np.float64]
_TO_SI = {"deg": np.pi / 180.0, "mm": 1e-3, "rad": 1.0, "m": 1.0}


@dataclass(frozen=True, eq=False)
class GaitCurve:
    """One curve over the gait cycle of the right leg.

    Attributes:
        name: e.g. ``"knee_flexion"``.
        positive: what a positive value means.
        source: the publication that it follows.
        spline: periodic in [0, 1), values in [rad | m].
    """

    name: str
    positive: str
    source: str
    spline: CubicSpline

    def __call__(self, phase: ArrayLike) -> Array:
        """Return the values [rad | m] at phases of the cycle (0 and 1: right foot contact), any shape."""
        return np.asarray(self.spline(np.mod(phase, 1.0)), dtype=float)


@cache
def normative_curves(path: Path | None = None) -> dict[str, GaitCurve]:
    """Read the gait curves by name.

    Args:
        path: a table of the same form; the shipped one if None.

    Raises:
        InputError: missing file, missing columns, or a value that is not a number.
    """
    source = models_dir() / "motions" / "normative_gait.csv" if path is None else path
    try:
        with source.open(newline="", encoding="utf-8") as handle:
            rows = list(csv.DictReader(handle))
    except OSError as error:
        raise InputError(source, f"cannot be read ({error.strerror})") from error
    if not rows or not {"curve", "unit", "positive", "source"} <= set(rows[0]):
        raise InputError(
            source, "is no gait table", "it needs the columns curve, unit, positive, source and p0, p5, ..."
        )
    columns = sorted((c for c in rows[0] if c[:1] == "p" and c[1:].isdigit()), key=lambda c: int(c[1:]))
    return {row["curve"]: _curve(source, row, columns) for row in rows}


def _curve(source: Path, row: dict[str, str], columns: list[str]) -> GaitCurve:
    phases = np.array([int(c[1:]) for c in columns] + [100]) / 100.0
    try:
        values = np.array([float(row[c]) for c in columns]) * _TO_SI[row["unit"]]
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(source, f"curve '{row['curve']}': cannot use {error}") from error
    spline = CubicSpline(phases, np.append(values, values[0]), bc_type="periodic")
    return GaitCurve(row["curve"], row["positive"], row["source"], spline)
