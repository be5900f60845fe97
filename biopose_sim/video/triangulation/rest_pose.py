"""How people usually hold their joints: ``models/motions/joint_rest.csv``, what decides where key points do not."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from ...errors import InputError
from ...kinematics.model import OsimModel
from ...kinematics.tree_builder import build_tree
from ...paths import models_dir
from ..points.keypoints import Array


@dataclass(frozen=True, eq=False)
class RestPose:
    """Usual values of coordinates.

    Attributes:
        usual: (n_q,) [rad]; NaN where nothing is known (the root, metres, dependent coordinates).
        deviation: (n_q,) standard deviation [rad]; NaN likewise.
    """

    usual: Array
    deviation: Array


@lru_cache(maxsize=1)
def _table() -> dict[str, tuple[float, float]]:
    path = models_dir() / "motions" / "joint_rest.csv"
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        return {row["coordinate"]: (float(row["usual"]), float(row["deviation"])) for row in rows}
    except (OSError, KeyError, ValueError) as error:
        raise InputError(path, f"cannot be read ({error})", "reinstall the package") from None


def rest_pose(names: Sequence[str]) -> RestPose:
    """Return how the coordinates of these names are usually held: medians and deviations over CMU motion.

    Raises:
        InputError: the table is missing or broken.
    """
    unknown = (np.nan, np.nan)
    found = np.radians([_table().get(name, unknown) for name in names]).reshape(-1, 2)
    return RestPose(found[:, 0], found[:, 1])


def at_rest(model: OsimModel) -> OsimModel:
    """Return the model with the usual values as its defaults, scaled as it was."""
    usual = rest_pose(model.coordinate_names).usual
    coordinates = tuple(
        c if np.isnan(value) or c.locked else replace(c, default=float(value))
        for c, value in zip(model.model.coordinates, usual, strict=True)
    )
    tree = build_tree(replace(model.model, coordinates=coordinates))
    return OsimModel(tree.scaled(model.scales, model.marker_offsets), model.scales, model.marker_offsets)
