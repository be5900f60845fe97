"""How people hold and move their joints: ``models/motions/joint_posture.csv``, measured on the training shards.

Joints vary in two ways: how somebody holds them through a whole clip, and how they move about that. Both are normal
distributions over all joints together, so that what key points show of some joints says something of others. Nothing is
said of the root: the same postures stand for people who lie.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError
from ...io.atomic import atomic_write
from ...paths import models_dir
from ..points.keypoints import Array

if TYPE_CHECKING:
    from ik_pipeline.shards.data import ShardData

# What turns or bends to one side changes its sign in a mirror.
_SIDEWAYS = ("_bending", "_rotation")


@dataclass(frozen=True, eq=False)
class Posture:
    """Normal distributions of joint angles.

    Attributes:
        names: of the coordinates, n.
        usual: (n,) mean [rad].
        held: (n, n) covariance of the means of clips [rad^2].
        moved: (n, n) covariance of the motion about a clip's mean [rad^2].
    """

    names: tuple[str, ...]
    usual: Array
    held: Array
    moved: Array

    def of(self, names: Sequence[str]) -> Posture:
        """Return what is known of those of these coordinates that are known, in their order."""
        kept = [name for name in names if name in self.names]
        at = [self.names.index(name) for name in kept]
        square = np.ix_(at, at)
        return Posture(tuple(kept), self.usual[at], self.held[square], self.moved[square])

    def mirrored(self) -> Posture:
        """Return the posture of the mirror image; only of both sides of a joint or of none."""
        other = {"_r": "_l", "_l": "_r"}
        at = [self.names.index(n[:-2] + other[n[-2:]] if n[-2:] in other else n) for n in self.names]
        sign = np.array([-1.0 if n.endswith(_SIDEWAYS) else 1.0 for n in self.names])
        square, signs = np.ix_(at, at), np.outer(sign, sign)
        return Posture(self.names, sign * self.usual[at], signs * self.held[square], signs * self.moved[square])

    def write(self, path: str | Path) -> None:
        """Write the table [degrees, degrees^2]."""
        square = np.degrees(1.0) ** 2
        rows = [("usual", "", np.degrees(self.usual))]
        rows += [("held", n, square * row) for n, row in zip(self.names, self.held, strict=True)]
        rows += [("moved", n, square * row) for n, row in zip(self.names, self.moved, strict=True)]
        lines = [",".join(("what", "coordinate", *self.names))]
        lines += [",".join((what, name, *(f"{v:.3f}" for v in values))) for what, name, values in rows]
        atomic_write(path, "\n".join(lines) + "\n")


@lru_cache(maxsize=1)
def usual_posture() -> Posture:
    """Return the posture that the project ships.

    Raises:
        InputError: the table is missing or broken.
    """
    path = models_dir() / "motions" / "joint_posture.csv"
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            head, *rows = list(csv.reader(stream))
        names = tuple(head[2:])
        table = np.array([[float(v) for v in row[2:]] for row in rows])
        what = np.array([row[0] for row in rows])
        usual, held, moved = (table[what == w] for w in ("usual", "held", "moved"))
        if not len(usual) == 1 or not held.shape == moved.shape == 2 * (len(names),):
            raise ValueError("rows are missing")
    except (OSError, ValueError) as error:
        raise InputError(path, f"cannot be read ({error})", "reinstall the package") from None
    square = np.radians(1.0) ** 2
    return Posture(names, np.radians(usual[0]), square * held, square * moved)


def measure_posture(shards: ShardData, seconds: float = 3.0, people: int = 3, seed: int = 0) -> Posture:
    """Measure how the people of a split hold and move their joints; left and right alike.

    Args:
        shards: a split; each recording counts the same.
        seconds: length of a clip.
        people: of each recording, chosen by chance.
        seed: of the choice.
    """
    from ik_pipeline.shards.model import load_model

    model = load_model(shards.folder)
    turns = np.array([kind == "rotational" for kind in model.motion_types])
    root = np.array([name.startswith("pelvis_") for name in model.coordinate_names])
    free = turns & ~root & ~(model.tree.locked | model.tree.dependent)
    names = tuple(n for n, use in zip(model.coordinate_names, free, strict=True) if use)
    return fit_posture(names, [c[..., free] for c in _clips(shards, seconds, people, np.random.default_rng(seed))])


def fit_posture(names: Sequence[str], recordings: Sequence[Array]) -> Posture:
    """Return the posture of recordings, (clips, frames, n) each [rad], that count the same; left and right alike."""
    usual = np.mean([c.mean((0, 1)) for c in recordings], axis=0)
    apart = [c.mean(1) - usual for c in recordings]
    about = [(c - c.mean(1, keepdims=True)).reshape(-1, len(names)) for c in recordings]
    held, moved = (np.mean([x.T @ x / len(x) for x in found], axis=0) for found in (apart, about))
    one = Posture(tuple(names), usual, held, moved)
    other = one.mirrored()
    return Posture(one.names, *(0.5 * (a + b) for a, b in zip(_numbers(one), _numbers(other), strict=True)))


def _numbers(posture: Posture) -> tuple[Array, Array, Array]:
    return posture.usual, posture.held, posture.moved


def _clips(shards: ShardData, seconds: float, people: int, rng: np.random.Generator) -> list[Array]:
    """Coordinates of each recording, (clips, frames, n_q) [rad | m]."""
    rows: dict[str, list[int]] = {}
    for row, trial in enumerate(shards.trials):
        rows.setdefault(str(trial["name"]), []).append(row)
    found = []
    for name in sorted(rows):
        parts = []
        for row in rng.choice(rows[name], min(people, len(rows[name])), replace=False):
            trial = shards.trial(int(row))
            q, length = trial["coordinates"], round(seconds * float(trial["rate"]))
            parts += [np.array(q[k : k + length], dtype=float) for k in range(0, len(q) - length + 1, length)]
        if parts:
            found.append(np.stack(parts))
    return found
