"""Speed of virtual markers on body models, in frames per second.

``biopose bench bodies``. The 142 markers of the project on Anny (shipped table) and on bodies of the SMPL family; as no
model file of those may be shipped, theirs are made of random numbers in the right shapes, pose-corrective blend shapes
included. Other programs on the machine disturb it, so that frames per second of processor time stand beside those per
second.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from biopose_sim.bodies.anny import AnnyBody
from biopose_sim.bodies.body import Body
from biopose_sim.bodies.markers import read_body_markers
from biopose_sim.bodies.skin import evaluate
from biopose_sim.bodies.smpl import SmplBody
from biopose_sim.bodies.smpl_file import read_model_file

BODIES = ("anny", "smpl", "smplh", "smplx")


@dataclass(frozen=True)
class Row:
    """One measurement in frames per second: median, best, median per second of processor time."""

    body: str
    task: str
    median: float
    best: float
    per_cpu: float


def measure(name: str, frames: int, repeats: int, folder: Path) -> Iterator[Row]:
    """Markers with one shape, with a shape for each frame, with gradient; whole meshes."""
    body = _body(name, folder)
    markers = read_body_markers(body.topology)
    table = body.table(markers.vertices, markers.weights)
    rotations, translation, shape = _parameters(body, frames)
    shapes = shape.expand(frames, -1)

    def gradient() -> None:
        given = rotations.clone().requires_grad_()
        evaluate(table, given, translation, body.coefficients(shape))[0].sum().backward()

    few = max(1, frames // 256)
    tasks: dict[str, tuple[int, Callable[[], object]]] = {
        "markers, one shape": (frames, lambda: evaluate(table, rotations, translation, body.coefficients(shape))),
        "markers, shape per frame": (
            frames,
            lambda: evaluate(table, rotations, translation, body.coefficients(shapes)),
        ),
        "markers, with gradient": (frames, gradient),
        "whole mesh": (few, lambda: body.vertices(rotations[:few], translation[:few], shape)),
    }
    for task, (count, work) in tasks.items():
        with torch.set_grad_enabled(task.endswith("gradient")):
            yield Row(name, task, *_speeds(work, count, repeats))


def _body(name: str, folder: Path) -> Body:
    if name == "anny":
        return AnnyBody()
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "bodies"))
    import synthetic_smpl

    return SmplBody(read_model_file(synthetic_smpl.write_npz(folder / f"{name}.npz", name), name))


def _parameters(body: Body, frames: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    count = len(body.parents)
    rotations = torch.linalg.qr(torch.randn(frames, count, 3, 3, generator=generator))[0].contiguous()
    shape = torch.full((6,), 0.7) if body.name == "anny" else torch.randn(10, generator=generator)
    return rotations, torch.randn(frames, 3, generator=generator), shape


def _speeds(work: Callable[[], object], frames: int, repeats: int) -> tuple[float, float, float]:
    work()
    times, cpu_times = [], []
    for _ in range(repeats):
        start, cpu_start = time.perf_counter(), time.process_time()
        work()
        times.append(time.perf_counter() - start)
        cpu_times.append(time.process_time() - cpu_start)
    return frames / statistics.median(times), frames / min(times), frames / statistics.median(cpu_times)


def main(arguments: list[str] | None = None) -> None:
    """Entry of ``biopose bench bodies``."""
    import tempfile

    parser = argparse.ArgumentParser("biopose bench bodies", description=__doc__)
    parser.add_argument("--bodies", nargs="+", default=list(BODIES), choices=BODIES)
    parser.add_argument("--frames", type=int, default=4096)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    a = parser.parse_args(arguments)
    before = torch.get_num_threads()
    torch.set_num_threads(a.threads)
    print(f"float32, {a.threads} thread(s), {a.frames} frames, {a.repeats} repeats")
    print(f"{'body':8}{'task':28}{'median /s':>12}{'best /s':>12}{'median /cpu s':>15}")
    try:
        with tempfile.TemporaryDirectory() as folder:
            for name in a.bodies:
                for r in measure(name, a.frames, a.repeats, Path(folder)):
                    print(f"{r.body:8}{r.task:28}{r.median:12,.0f}{r.best:12,.0f}{r.per_cpu:15,.0f}", flush=True)
    finally:
        torch.set_num_threads(before)


if __name__ == "__main__":
    main()
