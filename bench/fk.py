"""Speed of forward kinematics: compiled kernels, plain torch and OpenSim side by side.

``biopose bench fk``. Other programs on the machine disturb it, so that the best of many repeats is
shown beside the median, and frames per second of processor time (of all threads) beside those per second.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from bench.cases import data_folder
from biopose_sim.kinematics.model import OsimModel

TASKS = ("transforms", "transforms and markers", "markers, forward and backward", "transforms, forward and backward")
_TYPES = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True)
class Row:
    """One measurement in frames per second: best, median, best per second of processor time."""

    task: str
    engine: str
    dtype: str
    threads: int
    frames: int
    best: float
    median: float
    per_cpu: float


def run(
    model_path: str | Path,
    frames: Sequence[int] = (1024, 8192, 65536),
    dtypes: Sequence[str] = ("float32", "float64"),
    threads: Sequence[int] = (1, 2),
    seconds: float = 2.0,
    opensim_frames: int = 300,
) -> list[Row]:
    """Measure all combinations, OpenSim first.

    Args:
        model_path: .osim file.
        frames: batch sizes.
        dtypes: "float32", "float64".
        threads: numbers of threads.
        seconds: time for each measurement.
        opensim_frames: frames for OpenSim, 0 to leave it out.
    """
    return list(measure(model_path, frames, dtypes, threads, seconds, opensim_frames))


def measure(
    model_path: str | Path,
    frames: Sequence[int],
    dtypes: Sequence[str],
    threads: Sequence[int],
    seconds: float,
    opensim_frames: int,
) -> Iterator[Row]:
    """As :func:`run`, row by row."""
    model = OsimModel.from_file(model_path)
    if opensim_frames:
        yield _measure_opensim(model, opensim_frames, seconds)
    before = torch.get_num_threads()
    try:
        for n_threads, dtype, n_frames in itertools.product(threads, dtypes, frames):
            torch.set_num_threads(n_threads)
            yield from _measure_torch(model, dtype, n_threads, n_frames, seconds)
    finally:
        torch.set_num_threads(before)


def table(rows: Iterable[Row]) -> Iterator[str]:
    """Lines of text for the rows; the last column says how many times as fast as OpenSim."""
    opensim = None
    speeds = "".join(f"{title:>13}" for title in ("best /s", "median /s", "/cpu s"))
    yield f"{'task':34}{'engine':9}{'type':9}{'threads':>7}{'frames':>8}{speeds}{'ratio':>8}"
    for r in rows:
        opensim = r.best if r.engine == "opensim" else opensim
        ratio = f"{r.best / opensim:8.0f}" if opensim else ""
        speeds = f"{r.best:13,.0f}{r.median:13,.0f}{r.per_cpu:13,.0f}"
        yield f"{r.task:34}{r.engine:9}{r.dtype:9}{r.threads:7d}{r.frames:8d}{speeds}{ratio}"


def coordinates(model: OsimModel, n_frames: int, dtype: torch.dtype) -> Tensor:
    """Random coordinates around the default, shape (n_frames, n_q) [rad | m]."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(n_frames, len(model.coordinate_names), generator=generator, dtype=torch.float64)
    return (model.default_coordinates + 0.3 * noise).to(dtype)


def _measure_torch(model: OsimModel, dtype: str, threads: int, n_frames: int, seconds: float) -> Iterator[Row]:
    q = coordinates(model, n_frames, _TYPES[dtype])
    for task in TASKS:
        work = _work(model, q, task)
        for engine, mode in (("fast", "always"), ("eager", "never")):
            model.fast = mode  # type: ignore[assignment]
            speeds = _speeds(work, n_frames, seconds)
            yield Row(task, engine, dtype, threads, n_frames, *speeds)


def _work(model: OsimModel, q: Tensor, task: str) -> Callable[[], object]:
    def transforms() -> object:
        return model(q).transforms

    def both() -> object:
        result = model(q)
        return result.transforms, result.markers

    if task in TASKS[:2]:
        return {TASKS[0]: transforms, TASKS[1]: both}[task]
    what = task.split(",")[0]
    variable = q.clone().requires_grad_()
    seed = torch.ones_like(getattr(model(q), what))  # same layout in memory, as from a loss

    def gradient() -> object:
        return torch.autograd.grad(getattr(model(variable), what), variable, seed)

    return gradient


def _measure_opensim(model: OsimModel, n_frames: int, seconds: float) -> Row:
    import opensim

    opensim.Logger.setLevelString("Off")
    native = opensim.Model(str(model.path))
    state = native.initSystem()
    bodies = [native.getBodySet().get(name) for name in model.body_names]
    slots = [native.getCoordinateSet().get(name) for name in model.coordinate_names]
    free = [k for k, c in enumerate(slots) if not c.isDependent(state) and not c.getLocked(state)]
    q = coordinates(model, n_frames, torch.float64).tolist()

    def work() -> None:
        for row in q:
            for k in free:
                slots[k].setValue(state, row[k], False)
            native.realizePosition(state)
            for body in bodies:
                body.getTransformInGround(state)

    return Row(TASKS[0], "opensim", "float64", 1, n_frames, *_speeds(work, n_frames, seconds))


def _speeds(work: Callable[[], object], n_frames: int, seconds: float) -> tuple[float, float, float]:
    """Frames per second: best, median, best per second of processor time."""
    work()
    times: list[float] = []
    cpu_times: list[float] = []
    stop = time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < stop:
        start, cpu_start = time.perf_counter(), time.process_time()
        work()
        times.append(time.perf_counter() - start)
        cpu_times.append(time.process_time() - cpu_start)
    return n_frames / min(times), n_frames / statistics.median(times), n_frames / min(cpu_times)


def main(arguments: list[str] | None = None) -> None:
    """Entry of ``biopose bench fk``."""
    parser = argparse.ArgumentParser("biopose bench fk", description=__doc__)
    parser.add_argument("model", nargs="?", help=".osim file; Rajagopal2016 of the test data if none is named")
    parser.add_argument("--frames", type=int, nargs="+", default=[8192])
    parser.add_argument("--dtypes", nargs="+", default=["float32"], choices=list(_TYPES))
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seconds", type=float, default=2.0, help="for each measurement")
    parser.add_argument("--opensim-frames", type=int, default=300, help="0: leave OpenSim out")
    a = parser.parse_args(arguments)
    model = a.model or str(data_folder() / "models" / "Rajagopal2016.osim")
    for line in table(measure(model, a.frames, a.dtypes, a.threads, a.seconds, a.opensim_frames)):
        print(line, flush=True)


if __name__ == "__main__":
    main()
