"""Running OpenSim's tools in processes, several parts of a trial at a time, and joining what they leave."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from biopose_sim.errors import InputError
from biopose_sim.io import Table, read_sto
from biopose_sim.osim.process import run_script

TOOLS_SCRIPT = Path(__file__).with_name("_tools_process.py")
TERMS_SCRIPT = Path(__file__).with_name("_terms_process.py")
TIMEOUT = 7200.0  # [s] of one process
_FEWEST_FRAMES = 20  # a process of its own is not worth while for fewer
_STEP_TOLERANCE = 0.01  # of a frame


@dataclass(frozen=True, eq=False)
class Frames:
    """Which frames of a motion are simulated.

    Attributes:
        time: (T,) of the whole motion [s].
        first: index of the first.
        last: index of the last.
        step: results of every so many frames, counted from the motion's first, and of the first and last.
    """

    time: np.ndarray
    first: int
    last: int
    step: int

    @property
    def indices(self) -> np.ndarray:
        """Indices of the frames that have results."""
        inside = np.arange(self.first, self.last + 1)
        return inside[(inside % self.step == 0) | (inside == self.first) | (inside == self.last)]

    def parts(self, most: int) -> list[tuple[int, int]]:
        """First and last index of each of at most so many parts; they share no frame."""
        found = self.indices
        count = max(1, min(most, len(found) // _FEWEST_FRAMES))
        return [(int(part[0]), int(part[-1])) for part in np.array_split(found, count) if len(part)]

    def of(self, table: Table) -> Table:
        """Those rows of a table that are wanted, each once."""
        wanted = self.time[self.indices]
        near = np.clip(np.searchsorted(table.time, wanted), 0, len(table.time) - 1)
        before = np.maximum(near - 1, 0)
        near = np.where(np.abs(table.time[before] - wanted) < np.abs(table.time[near] - wanted), before, near)
        return replace(table, time=wanted, data=table.data[near])


def opensim_tool(
    folder: Path, setup: str, *, trial: str, doing: str, task: str, span: tuple[float, float] | None = None
) -> dict[str, Table]:
    """Run a setup file of a folder in a process and read the tables that it leaves.

    Args:
        folder: of the setup and its files.
        setup: its name.
        trial: named in errors.
        doing: what is done, for errors.
        task: of ``_tools_process``.
        span: first and last time [s], instead of the setup's.

    Returns:
        Tables by file name.

    Raises:
        OpenSimError: the tool failed.
    """
    with tempfile.TemporaryDirectory(prefix="biopose-simulate-") as place:
        results = Path(place) / "results"
        results.mkdir()
        job: dict[str, Any] = {"task": task, "folder": str(folder.resolve()), "setup": setup, "results": str(results)}
        if span is not None:
            job |= {"start": span[0], "end": span[1]}
        run_script(TOOLS_SCRIPT, job, Path(place), subject=trial, doing=doing, timeout=TIMEOUT)
        return {file.name: read_sto(file, unique=False) for file in sorted(results.glob("*.sto"))}


def analysis(
    pool: ThreadPoolExecutor, folder: Path, setup: str, frames: Frames, processes: int, *, trial: str, doing: str
) -> dict[str, Table]:
    """Run an AnalyzeTool over parts of the time at once, each with the whole motion, and join their tables.

    Every part gets the whole motion, so that speeds and accelerations at its ends are those of the whole; OpenSim's
    analyses carry nothing from frame to frame, so that the seams are exact.
    """
    ahead = _STEP_TOLERANCE * float(np.diff(frames.time).min())  # OpenSim takes the last frame that is not later

    def run(part: tuple[int, int]) -> dict[str, Table]:
        span = (float(frames.time[part[0]]) + ahead, float(frames.time[part[1]]) + ahead)
        return opensim_tool(folder, setup, trial=trial, doing=doing, task="analyze", span=span)

    parts = list(pool.map(run, frames.parts(processes)))
    return {name: frames.of(joined([part[name] for part in parts])) for name in parts[0]}


def joined(tables: Sequence[Table]) -> Table:
    """Tables of successive times as one.

    Raises:
        InputError: they have different columns, or a part holds what is not a number.
    """
    first = tables[0]
    if any(table.names != first.names for table in tables):
        raise InputError(first.name, "parts of one trial have different columns")
    time, data = np.concatenate([t.time for t in tables]), np.concatenate([t.data for t in tables])
    order = np.unique(time, return_index=True)[1]
    return replace(first, time=time[order], data=data[order])


def terms(
    pool: ThreadPoolExecutor, job: dict[str, Any], states: dict[str, np.ndarray], parts: int, *, trial: str
) -> dict[str, Any]:
    """Ask OpenSim in several processes for the equations of motion of frames; see ``_terms_process``.

    Args:
        pool: its threads wait for the processes.
        job: what all processes share.
        states: "time" (T,), "q", "u", "acceleration" (T, n) of the frames [s | rad | m].
        parts: how many processes.
        trial: named in errors.

    Returns:
        "matrix" (T, m, n), "demand" (T, m), "strength" (T, n), "length" and "fibre" (T, n_muscles), "muscles",
        "free"; or "unsuited", why this model needs OpenSim's own tool.
    """
    count = max(1, min(parts, len(states["time"]) // _FEWEST_FRAMES))
    rows = np.array_split(np.arange(len(states["time"])), count)

    def run(part: np.ndarray) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="biopose-simulate-") as place:
            given, left = Path(place) / "states.npz", Path(place) / "terms.npz"
            np.savez(given, **{name: values[part] for name, values in states.items()})
            whole = {**job, "states": str(given), "results": str(left)}
            doing = "asking for the equations of motion"
            answer = run_script(TERMS_SCRIPT, whole, Path(place), subject=trial, doing=doing, timeout=TIMEOUT)
            if "unsuited" in answer:
                return answer
            with np.load(left) as found:
                return {**answer, **{name: found[name] for name in found.files}}

    answers = list(pool.map(run, rows))
    if "unsuited" in answers[0]:
        return answers[0]
    arrays = [name for name, value in answers[0].items() if isinstance(value, np.ndarray)]
    return {**answers[0], **{name: np.concatenate([a[name] for a in answers]) for name in arrays}}
