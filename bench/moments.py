"""Inverse dynamics with measured ground reactions: the default model against laboratories' models.

``biopose bench moments``. Rajagopal walking and all walking of subject 4: the laboratory's scaled model with its own
inverse kinematics, and the default model fitted (``fit``) to the same markers and given the person's mass; both
filtered at 6 Hz and loaded with the same measured forces. Compared are the moments of each leg while its stances are
measured; the targets are a correlation of 0.95 and peaks within 15 % at hip flexion, knee and ankle. A peak's
difference is in per cent of the largest moment of the laboratory's curve.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.cases import data_folder
from bench.moments_walks import Body, Walk, rajagopal_walk, subject4_walks
from biopose_sim.forces.config import SimulationConfig
from biopose_sim.forces.simulate import simulate
from biopose_sim.forces.types import GRAVITY, GroundReaction
from biopose_sim.io import Table, read_sto

LEAST_CORRELATION, MOST_PEAK = 0.95, 15.0
JUDGED = ("hip_flexion", "knee_angle", "ankle_angle")
BESIDE = ("hip_adduction", "hip_rotation")  # told, without a target
RATE = 100.0
_FORCES = ("pelvis_tx_force", "pelvis_ty_force", "pelvis_tz_force")
_MOMENTS = ("pelvis_tilt_moment", "pelvis_list_moment", "pelvis_rotation_moment")


@dataclass(frozen=True)
class Compared:
    """A moment of the default model against the laboratory's.

    Attributes:
        trial: person and trial.
        coordinate: e.g. "knee_angle_r".
        correlation: of the curves.
        peaks: largest and smallest value of the laboratory's and of our curve [N m].
        rms: of the difference [N m].
    """

    trial: str
    coordinate: str
    correlation: float
    peaks: tuple[float, float, float, float]
    rms: float

    @property
    def scale(self) -> float:
        """Largest size of the laboratory's moment [N m]."""
        return max(abs(self.peaks[0]), abs(self.peaks[1]))

    @property
    def peak_errors(self) -> tuple[float, float]:
        """How much larger our largest and smallest value are, in % of the laboratory's largest size."""
        most, least, our_most, our_least = self.peaks
        return 100.0 * (our_most - most) / self.scale, 100.0 * (our_least - least) / self.scale

    @property
    def reached(self) -> bool:
        """Whether both targets are."""
        return self.correlation >= LEAST_CORRELATION and max(map(abs, self.peak_errors)) <= MOST_PEAK


def inverse_dynamics(body: Body, reaction: GroundReaction, folder: Path) -> Table:
    """Simulate a walk as ``biopose simulate`` does, no further than joint moments."""
    config = SimulationConfig(
        model=body.model, motion=body.motion, folder=folder, grf=reaction, tools=("id",), reserves=False
    )
    return read_sto(folder / simulate(config).files["inverse_dynamics"])


def compare(walk: Walk, theirs: Table, ours: Table) -> list[Compared]:
    """The moments of both legs."""
    found = []
    time = np.arange(theirs.time[0], theirs.time[-1], 1.0 / RATE)
    for coordinate in (*JUDGED, *BESIDE):
        for side in "rl":
            there = time[walk.measured(time, side)]
            name = f"{coordinate}_{side}"
            x, y = (np.interp(there, t.time, t.column(f"{name}_moment")) for t in (theirs, ours))
            peaks = (float(x.max()), float(x.min()), float(y.max()), float(y.min()))
            correlation = float(np.corrcoef(x, y)[0, 1])
            found.append(Compared(walk.name, name, correlation, peaks, float(np.sqrt(np.mean((x - y) ** 2)))))
    return found


def residuals(walk: Walk, table: Table) -> dict[str, float]:
    """Peak and RMS of the resultants at the pelvis, forces [N] and moments [N m], where both feet are measured."""
    inside = walk.measured(table.time, "rl")
    found = {}
    for name, columns in (("force", _FORCES), ("moment", _MOMENTS)):
        size = np.linalg.norm(table.columns(columns)[inside], axis=1)
        found[f"{name} peak"], found[f"{name} rms"] = float(size.max()), float(np.sqrt(np.mean(size**2)))
    return found


def measure(walk: Walk, work: Path) -> tuple[list[Compared], dict[str, dict[str, float]]]:
    """Moments compared, and residuals of both models."""
    stem = walk.name.replace(" ", "_")
    tables = {
        who: inverse_dynamics(body, walk.reaction, work / f"{stem}_{who}")
        for who, body in (("laboratory", walk.laboratory), ("default", walk.ours))
    }
    return compare(walk, tables["laboratory"], tables["default"]), {w: residuals(walk, t) for w, t in tables.items()}


def tell(walk: Walk, compared: Sequence[Compared], left: dict[str, dict[str, float]]) -> None:
    """Print what was found of a trial."""
    print(f"{walk.name}:")
    for c in compared:
        most, least = c.peak_errors
        verdict = "" if c.coordinate[:-2] in BESIDE else ("reached" if c.reached else "MISSED")
        print(
            f"  {c.coordinate:16s} r {c.correlation:6.3f}   peaks {c.peaks[0]:7.1f} {c.peaks[1]:7.1f}  default "
            f"{c.peaks[2]:7.1f} {c.peaks[3]:7.1f} N m ({most:+5.1f} {least:+5.1f} %)   RMS {c.rms:5.1f} N m  {verdict}"
        )
    weight = walk.mass * GRAVITY
    for who, r in left.items():
        print(
            f"  residuals, {who:10s}: force peak {r['force peak']:5.1f} N ({100 * r['force peak'] / weight:4.1f} % of "
            f"body weight), RMS {r['force rms']:5.1f} N ({100 * r['force rms'] / weight:3.1f} %); moment peak "
            f"{r['moment peak']:5.1f} N m, RMS {r['moment rms']:5.1f} N m"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry of ``biopose bench moments``."""
    parser = argparse.ArgumentParser("biopose bench moments", description=__doc__)
    parser.add_argument("--data", help="folder of test data")
    parser.add_argument("--person", choices=["rajagopal", "subject4"], help="one of them; both by default")
    parser.add_argument("--trials", nargs="+", help="of subject 4; all walking by default")
    parser.add_argument("-o", "--output", help="folder for moments.csv, models, motions and results of OpenSim")
    a = parser.parse_args(arguments)
    data = data_folder(a.data)
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(a.output or temporary)
        work.mkdir(parents=True, exist_ok=True)
        walks = [] if a.person == "subject4" else rajagopal_walk(data, work)
        walks += [] if a.person == "rajagopal" else subject4_walks(data, work, a.trials)
        rows: list[Compared] = []
        for walk in walks:
            compared, left = measure(walk, work)
            tell(walk, compared, left)
            rows += compared
        if a.output:
            _write(work / "moments.csv", rows)
    for coordinate in (*JUDGED, *BESIDE):
        chosen = [c for c in rows if c.coordinate[:-2] == coordinate]
        worst = max(max(map(abs, c.peak_errors)) for c in chosen)
        ends = "" if coordinate in BESIDE else f"   {sum(c.reached for c in chosen)} of {len(chosen)} reach the targets"
        print(
            f"{coordinate:14s} correlation {min(c.correlation for c in chosen):.3f} (worst) "
            f"{np.median([c.correlation for c in chosen]):.3f} (median); peaks within {worst:.1f} % (worst) "
            f"{np.median([max(map(abs, c.peak_errors)) for c in chosen]):.1f} % (median){ends}"
        )


def _write(path: Path, rows: Sequence[Compared]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["trial", "coordinate", "correlation", "largest", "smallest", "default largest",
                         "default smallest", "RMS difference"])  # fmt: skip
        writer.writerows([c.trial, c.coordinate, f"{c.correlation:.4f}", *(f"{p:.2f}" for p in c.peaks),
                          f"{c.rms:.2f}"] for c in rows)  # fmt: skip


if __name__ == "__main__":
    main()
