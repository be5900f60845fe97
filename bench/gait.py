"""Strikes and foot-offs from kinematics against force plates. ``biopose bench gait``.

An event of force is the crossing of 20 N of vertical force. Its error is the time of the nearest event from kinematics
less its own; one further away than 0.1 s counts as missed. Events within 0.05 s of the ends of the motion are left
out. Drop jumps, sit-to-stand and squats must hold no strides.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bench.cases import data_folder
from bench.grf import Recording, recordings
from biopose_sim.gait.contacts import loaded
from biopose_sim.gait.events import find_events

NEAR, EDGE = 0.1, 0.05  # [s]


@dataclass
class Errors:
    """Errors of a kind of event [s], and how many events there were and were missed."""

    found: list[float] = field(default_factory=list)
    missed: int = 0

    def add(self, ours: np.ndarray, theirs: np.ndarray) -> None:
        """Compare the events of a foot."""
        for moment in theirs:
            gaps = ours - moment
            if len(gaps) and np.abs(gaps).min() < NEAR:
                self.found.append(float(gaps[np.abs(gaps).argmin()]))
            else:
                self.missed += 1

    @property
    def text(self) -> str:
        """Mean, standard deviation, largest [ms], and the count."""
        if not self.found:
            return f"{'-':>24s}  0/{self.missed}"
        ms = 1e3 * np.array(self.found)
        total = len(ms) + self.missed
        return f"{ms.mean():+7.1f} ± {ms.std():4.1f}, max {np.abs(ms).max():3.0f}  {len(ms)}/{total}"


def measure(recording: Recording) -> tuple[str, int, Errors, Errors]:
    """Kind of gait, count of strides, errors of strikes and of foot-offs."""
    events = find_events(recording.model, recording.motion)
    strikes, offs = Errors(), Errors()
    first, last = recording.motion.time[0] + EDGE, recording.motion.time[-1] - EDGE
    for side in "rl":
        for errors, ours, theirs in zip(
            (strikes, offs), (events.strikes[side], events.offs[side]), loaded(recording.measured, side)
        ):
            errors.add(ours, theirs[(theirs > first) & (theirs < last)])
    return events.kind, len(events.cycles), strikes, offs


def main(arguments: list[str] | None = None) -> None:
    """Entry of ``biopose bench gait``."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("biopose bench gait", description=__doc__, formatter_class=form)
    parser.add_argument("--only", default="", help="trials whose name contains this")
    parser.add_argument("--data", help="folder of test data")
    options = parser.parse_args(arguments)
    by_activity: dict[str, tuple[Errors, Errors]] = {}
    print(f"{'trial':28s} {'kind':8s} strides  strikes [ms]                    foot-offs [ms]")
    with tempfile.TemporaryDirectory() as folder:
        for recording in recordings(data_folder(options.data), Path(folder), options.only):
            kind, cycles, strikes, offs = measure(recording)
            print(f"{recording.name:28s} {kind:8s} {cycles:7d}  {strikes.text:30s}  {offs.text}", flush=True)
            if kind != "none":
                whole = by_activity.setdefault(kind, (Errors(), Errors()))
                for total, one in zip(whole, (strikes, offs)):
                    total.found += one.found
                    total.missed += one.missed
    for kind, (strikes, offs) in by_activity.items():
        print(f"{'all ' + kind:28s} {'':8s} {'':7s}  {strikes.text:30s}  {offs.text}")


if __name__ == "__main__":
    main()
