"""Forces as arrows: ground reactions, measured or estimated, and joint reactions that a simulation left."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from biopose_sim.errors import InputError
from biopose_sim.forces.types import GroundReaction
from biopose_sim.io import read_sto
from biopose_sim.viz.viewer.scene import Forces

Array = NDArray[np.floating]
GROUND_SCALE, JOINT_SCALE = 1e-3, 1.2e-4  # [m/N]: body weight of 750 N is 75 cm, a hip reaction of 3 kN 36 cm
_LEAST = 20.0  # [N]; smaller ground reactions have no meaningful centre of pressure
_IN_GROUND = "_in_ground"


def ground_forces(reaction: GroundReaction, time: Array) -> Forces:
    """Return a ground reaction at the times of a motion; nothing outside of its own time.

    Args:
        reaction: the forces on the feet.
        time: (T,) [s].
    """
    points, vectors = [], []
    for foot in reaction.feet:
        force = _sampled(reaction.time, foot.force, time)
        point = _sampled(reaction.time, foot.point, time)
        force[np.linalg.norm(np.nan_to_num(force), axis=1) < _LEAST] = np.nan
        points.append(point)
        vectors.append(force)
    none = np.zeros((len(time), 0, 3))
    label = "ground reaction, " + ("ESTIMATED" if reaction.origin == "estimated" else "measured")
    return Forces(
        label,
        reaction.origin,
        tuple(foot.body for foot in reaction.feet),
        np.stack(points, axis=1) if points else none,
        np.stack(vectors, axis=1) if vectors else none,
        GROUND_SCALE,
    )


def joint_forces(path: Path, time: Array, *, estimated: bool = False) -> Forces | None:
    """Return joint reactions, given in the ground frame, at the times of a motion; None where the file has none.

    Args:
        path: results of OpenSim's JointReaction analysis (.sto): columns ``hip_r_on_femur_r_in_ground_fx``, ...
        time: (T,) [s].
        estimated: whether the ground reactions behind them were estimated.

    Raises:
        InputError: the file cannot be read.
    """
    table = read_sto(path)
    stems = [name.removesuffix("_fx") for name in table.names if name.endswith(f"{_IN_GROUND}_fx")]
    stems = [stem for stem in stems if all(f"{stem}_{c}" in table.names for c in ("fy", "fz", "px", "py", "pz"))]
    if not stems:
        return None
    columns = {name: k for k, name in enumerate(table.names)}

    def gathered(letter: str) -> Array:
        picked = [[columns[f"{stem}_{letter}{axis}"] for axis in "xyz"] for stem in stems]
        return _sampled(table.time, table.data[:, np.array(picked)], time)

    names = tuple(stem.removesuffix(_IN_GROUND).replace("_on_", " on ") for stem in stems)
    label = "joint reaction" + (", from ESTIMATED ground reaction" if estimated else "")
    return Forces(label, "joint", names, gathered("p"), gathered("f"), JOINT_SCALE)


def _sampled(own: Array, values: Array, time: Array) -> Array:
    """Values (N, ...) of the times ``own`` at ``time``, linear between; NaN outside."""
    flat = values.reshape(len(own), -1)
    out = np.stack([np.interp(time, own, column, left=np.nan, right=np.nan) for column in flat.T], axis=1)
    return out.reshape(len(time), *values.shape[1:])


def check_overlap(forces: Forces, source: Path) -> None:
    """Complain of forces that are never there while the motion is.

    Raises:
        InputError: the times do not overlap.
    """
    if not np.isfinite(forces.vectors).any():
        raise InputError(source, "holds no force while the motion lasts", "give the loads of this trial")
