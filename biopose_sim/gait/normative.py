"""How healthy adults walk: mean and standard deviation of joint angles over the gait cycle."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from biopose_sim.errors import InputError
from biopose_sim.paths import models_dir

Array = NDArray[np.float64]
TABLE = "normative_gait_bands.csv"
SOURCE = "Fukuchi, Fukuchi & Duarte 2018, PeerJ 6:e4640 (CC BY 4.0)"
PEOPLE = "42 healthy adults, 24 young and 18 older, barefoot over ground at their comfortable speed"
_POINTS = 101
_COLUMNS = {"curve", "unit", "positive", "statistic", "p0", "p100"}


@dataclass(frozen=True, eq=False)
class Band:
    """An angle of healthy people over the cycle of one leg.

    Attributes:
        name: as in :mod:`biopose_sim.gait.angles`.
        positive: what a positive value means.
        mean: (101,) over people [deg].
        sd: (101,) standard deviation between people [deg].
    """

    name: str
    positive: str
    mean: Array
    sd: Array

    def share_inside(self, curve: Array, sds: float = 2.0) -> float:
        """Share of a curve (101,) [deg] that lies within ``sds`` standard deviations of the mean."""
        return float(np.mean(np.abs(curve - self.mean) <= sds * self.sd))


@cache
def normative_bands(path: Path | None = None) -> dict[str, Band]:
    """Read the bands by name.

    Args:
        path: a table of the same form; the shipped one if None.

    Raises:
        InputError: missing file or columns, a value that is not a number, a mean without standard deviation.
    """
    source = models_dir() / "motions" / TABLE if path is None else path
    try:
        with source.open(newline="", encoding="utf-8") as handle:
            rows = list(csv.DictReader(handle))
    except OSError as error:
        raise InputError(source, f"cannot be read ({error.strerror})") from error
    if not rows or not set(rows[0]) >= _COLUMNS:
        raise InputError(source, "is no table of bands", "it needs the columns curve, unit, statistic, p0 ... p100")
    values: dict[tuple[str, str], Array] = {}
    for row in rows:
        try:
            values[row["curve"], row["statistic"]] = np.array([float(row[f"p{k}"]) for k in range(_POINTS)])
        except (KeyError, ValueError, TypeError) as error:
            raise InputError(source, f"curve '{row['curve']}': cannot use {error}") from error
    bands = {}
    for row in rows:
        name = row["curve"]
        if any((name, what) not in values for what in ("mean", "sd")):
            raise InputError(source, f"curve '{name}' lacks its mean or its standard deviation (statistic: mean, sd)")
        bands[name] = Band(name, row["positive"], values[name, "mean"], values[name, "sd"])
    return bands
