"""The engines of the ground truth: agreement, speed, a real laboratory, memory. ``biopose bench groundtruth``."""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from bench.groundtruth_agreement import agreement
from bench.groundtruth_people import (
    Subject,
    cmu_subject,
    d3ke_choice,
    d3ke_subject,
    mark,
    scaling_input,
    shortened,
)
from bench.groundtruth_real import real
from biopose_sim.ik.types import IKConfig, KinematicsResult
from biopose_sim.io import Trial, write_mot
from ik_pipeline.engines import ENGINES, make_engine
from ik_pipeline.engines.after_scaling_file import export_person
from ik_pipeline.store import stored_trial, write_stored
from ik_pipeline.types import Engine, ScaledPerson

SPEED_TARGET = 1000.0
MEMORY_TARGET = 2.0  # [GB]
# What both engines solve to [rad | m]; OpenSim's own default.
ACCURACY = 1e-5
CORES = 2


def speed(data: str | None, frames: int, trials: int, opensim_frames: int, noise: float, repeats: int) -> None:
    """Print the time from markers to written results of both engines."""
    ik = IKConfig(continuity=2e-5)
    subject = d3ke_subject(d3ke_choice(data, ik), frames, trials, noise)
    n = sum(t.n_frames for spec, t in subject.trials if spec.scaling is None)
    print(f"Speed: D3KE full body, {len(subject.choice.model.marker_names)} markers with {1e3 * noise:g} mm of noise, "
          f"{n} frames in {trials} trials, {CORES} cores")  # fmt: skip
    small = d3ke_subject(subject.choice, 200, 1, noise, seed=99)
    with tempfile.TemporaryDirectory() as folder:
        _fit_all(small, Path(folder))  # compiles
        runs = [_fit_all(subject, Path(folder)) for _ in range(repeats)]
        seconds = sorted(run[0] for run in runs)[len(runs) // 2]
        _, parts, rms, scaled = runs[0]
        split = ", ".join(f"{what} {value:.2f}" for what, value in parts.items())
        print(f"fit: {seconds:.2f} s ({split}): "
              f"{n / seconds:,.0f} frames/s, marker RMS {rms:.3f} mm, "
              f"factors off by {_off(subject, scaled)}")  # fmt: skip
        scale, rate, both, rms_theirs, theirs = _opensim_part(subject, opensim_frames, Path(folder))
    single, double = scale + n / rate, scale + n / both
    print(f"opensim: scaling {scale:.1f} s; {rate:.2f} frames/s in one process, {both:.2f} in two together, marker "
          f"RMS {rms_theirs:.3f} mm, factors off by {_off(subject, theirs)}; extrapolated from {opensim_frames} frames "
          f"each: {single:,.0f} s in one process, {double:,.0f} s in two")  # fmt: skip
    for what, theirs_seconds in (("one OpenSim process", single), ("two OpenSim processes", double)):
        ratio = theirs_seconds / seconds
        print(f"fit is {ratio:,.0f} times faster than {what} (target {SPEED_TARGET:,.0f}: "
              f"{mark(ratio >= SPEED_TARGET)}), marker RMS {mark(rms <= rms_theirs)}", flush=True)  # fmt: skip


def _off(subject: Subject, scaled: ScaledPerson) -> str:
    assert subject.factors is not None
    return f"{100 * float(np.abs(scaled.scales / subject.factors - 1.0).mean()):.1f} %"


def _fit_all(subject: Subject, folder: Path) -> tuple[float, dict[str, float], float, ScaledPerson]:
    """Seconds in all and by part, marker RMS [mm], and the scaled person: scaled, solved, written."""
    start = time.perf_counter()
    engine = make_engine("fit", subject.choice, threads=CORES, accuracy=ACCURACY)
    scaled = engine.scale(subject.spec, scaling_input(subject), folder)
    solved = time.perf_counter()
    worker = make_engine("fit", subject.choice, accuracy=ACCURACY)
    motions = [pair[1] for pair in subject.trials if pair[0].scaling is None]
    with ThreadPoolExecutor(CORES) as pool:
        squares = list(pool.map(lambda trial: _solve_and_write(worker, scaled, trial, folder), motions))
    end = time.perf_counter()
    rms = 1e3 * float(np.sqrt(np.mean(np.concatenate(squares))))
    return end - start, {"scaling": solved - start, "solving and writing": end - solved}, rms, scaled


def _solve_and_write(engine: Engine, scaled: ScaledPerson, trial: Trial, folder: Path) -> np.ndarray:
    result = engine.solve(scaled, trial)
    write_stored(folder / f"{trial.name}.npz", stored_trial(result, trial))
    write_mot(folder / f"{trial.name}.mot", result)
    return result.marker_errors.ravel() ** 2


def _opensim_part(subject: Subject, frames: int, folder: Path) -> tuple[float, float, float, float, ScaledPerson]:
    """Seconds of scaling, frames/s of one process and of two together, marker RMS [mm], the scaled person."""
    engine = make_engine("opensim", subject.choice, accuracy=None)
    start = time.perf_counter()
    scaled = engine.scale(subject.spec, scaling_input(subject), folder)
    scale = time.perf_counter() - start
    motions = [shortened(pair[1], frames) for pair in subject.trials if pair[0].scaling is None]

    def solve(trial: Trial) -> KinematicsResult:
        return engine.solve(scaled, trial)

    start = time.perf_counter()
    first = solve(motions[0])
    rate = frames / (time.perf_counter() - start)
    start = time.perf_counter()
    with ThreadPoolExecutor(CORES) as pool:
        pair = list(pool.map(solve, [motions[0], motions[-1]]))
    both = 2 * frames / (time.perf_counter() - start)
    errors = np.concatenate([r.marker_errors.ravel() for r in (first, *pair)])
    return scale, rate, both, 1e3 * float(np.sqrt(np.nanmean(errors**2))), scaled


def memory(data: str | None, frames: int) -> None:
    """Print the most memory that a process of each engine held, compiling included."""
    context = multiprocessing.get_context("spawn")
    for which in ("cmu", "d3ke"):
        for name in ENGINES:
            with context.Pool(1) as pool:
                own, tools = pool.apply(_memory_of, (name, which, data, frames if name == "fit" else 20))
            most = max(own, tools)
            print(f"Memory, {name} on {which}: process {own:.2f} GB, OpenSim's processes {tools:.2f} GB, "
                  f"target {MEMORY_TARGET:g}: {mark(most <= MEMORY_TARGET)}", flush=True)  # fmt: skip


def _memory_of(name: str, which: str, data: str | None, frames: int) -> tuple[float, float]:
    """Largest resident memory [GB] of this process and of its children while it scales and solves."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        subject = cmu_subject(work, data) if which == "cmu" else d3ke_subject(d3ke_choice(data), frames, 1, 0.002)
        engine = make_engine(name, subject.choice)
        scaled = engine.scale(subject.spec, scaling_input(subject), work)
        results = [engine.solve(scaled, shortened(trial, frames)) for _, trial in subject.trials]
        export_person(scaled, subject.choice, work / "model.osim", results=results)
    # Linux counts kilobytes.
    own, tools = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own * 1024 / 1e9, tools * 1024 / 1e9


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry of ``biopose bench groundtruth``."""
    parser = argparse.ArgumentParser("biopose bench groundtruth", description=__doc__)
    parser.add_argument("--data", help="folder of test data")
    parser.add_argument("--only", choices=("agreement", "speed", "real", "memory"), nargs="+")
    parser.add_argument("--frames", type=int, default=20_000, help="of the speed")
    parser.add_argument("--trials", type=int, default=20, help="into which these are divided")
    parser.add_argument("--noise", type=float, default=0.002, help="of the markers of the speed, per axis [m]")
    parser.add_argument("--repeats", type=int, default=3, help="of the speed; the median counts")
    parser.add_argument("--opensim-frames", type=int, default=60, help="that OpenSim solves of the speed's trials")
    parser.add_argument("--agreement-frames", type=int, default=100, help="of each trial of the default model")
    parser.add_argument("--d3ke-frames", type=int, default=5, help="of the agreement on the D3KE model, of each trial")
    parser.add_argument("--memory-frames", type=int, default=5000, help="of the memory")
    parser.add_argument("--real-frames", type=int, help="of each real trial that OpenSim solves; all without")
    parser.add_argument("--real-trials", type=int, help="how many real trials; all without")
    a = parser.parse_args(arguments)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    wanted = a.only or ("agreement", "speed", "real", "memory")
    try:
        if "agreement" in wanted:
            agreement(a.data, a.agreement_frames, a.d3ke_frames)
        if "speed" in wanted:
            speed(a.data, a.frames, a.trials, a.opensim_frames, a.noise, a.repeats)
        if "real" in wanted:
            real(a.data, a.real_frames, a.real_trials)
        if "memory" in wanted:
            memory(a.data, a.memory_frames)
    finally:
        torch.set_num_threads(before)


if __name__ == "__main__":
    main()
