"""Inverse kinematics against OpenSim's InverseKinematicsTool: how exact, how fast. ``biopose bench ik``."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.cases import Case, data_folder, laboratory_cases, pipeline_cases
from biopose_sim.ik.setup_files import read_ik_setup
from biopose_sim.ik.solver import solve_ik
from biopose_sim.ik.types import KinematicsResult
from biopose_sim.io import read_trc, write_mot
from biopose_sim.kinematics.model import OsimModel
from ik_pipeline.opensim_tools import run_ik_setup

TIGHT = 1e-9


@dataclass(frozen=True)
class Speed:
    """Frames per second of one case: whole call from file to file, the solve alone, and OpenSim as shipped."""

    name: str
    frames: int
    whole: float
    solve: float
    opensim: float


@dataclass(frozen=True)
class Exactness:
    """Agreement with OpenSim at accuracy 1e-9, and with OpenSim as shipped.

    Distances in mm over the weighted marker RMS of each frame, ours minus OpenSim's; angles in degrees over the
    coordinates that the markers determine, without the frames (``worse`` of them) that OpenSim left in a worse pose.
    """

    name: str
    frames: int
    worse: int
    converged: int
    rms: float
    largest_above_tight: float
    largest_below_tight: float
    largest_above_shipped: float
    median_angle: float
    largest_angle: float
    worst: str
    undetermined: tuple[str, ...]


def whole_call(case: Case, output: Path) -> KinematicsResult:
    """What a user's run does without starting Python: read setup, model and markers, solve, write the motion."""
    setup = read_ik_setup(case.setup.path)
    model = OsimModel.from_file(case.model)
    trial = setup.cut(read_trc(case.markers))
    result = solve_ik(model, trial, setup.config(model, trial))
    write_mot(output, result)
    return result


def median_seconds(call: Callable[[], object], repeats: int) -> float:
    """Median wall time [s] of ``repeats`` calls after one that is not counted."""
    call()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def measure_speed(case: Case, repeats: int, opensim_repeats: int) -> Speed:
    """Time one case side by side."""
    with tempfile.TemporaryDirectory() as folder:
        whole = median_seconds(lambda: whole_call(case, Path(folder) / "motion.mot"), repeats)
    model = OsimModel.from_file(case.model)
    trial = case.setup.cut(read_trc(case.markers))
    config = case.setup.config(model, trial)
    solve = median_seconds(lambda: solve_ik(model, trial, config), repeats)
    shipped = statistics.median(run_ik_setup(case.setup).seconds for _ in range(opensim_repeats))
    return Speed(case.name, trial.n_frames, trial.n_frames / whole, trial.n_frames / solve, trial.n_frames / shipped)


def measure_exactness(case: Case) -> Exactness:
    """Compare one case with OpenSim run tightly and as shipped."""
    model = OsimModel.from_file(case.model)
    trial = case.setup.cut(read_trc(case.markers))
    ours = solve_ik(model, trial, case.setup.config(model, trial))
    tight = run_ik_setup(case.setup, accuracy=TIGHT).result
    shipped = run_ik_setup(case.setup).result
    above_tight = 1e3 * (ours.weighted_marker_rmse - tight.weighted_marker_rmse)
    above_shipped = 1e3 * (ours.weighted_marker_rmse - shipped.weighted_marker_rmse)
    angles = np.abs(ours.coordinates - tight.coordinates)
    rotational = np.array([kind == "rotational" for kind in ours.motion_types])
    # Frames that OpenSim left in a worse pose say nothing of ours.
    comparable = above_tight > -0.01
    angles = np.degrees(angles[comparable][:, ours.determined & rotational])
    names = [n for n, d in zip(ours.coordinate_names, ours.determined & rotational) if d]
    return Exactness(
        name=case.name,
        frames=trial.n_frames,
        worse=int((~comparable).sum()),
        converged=int(ours.converged.sum()),
        rms=float(1e3 * ours.weighted_marker_rmse.mean()),
        largest_above_tight=float(above_tight.max()),
        largest_below_tight=float(-above_tight.min()),
        largest_above_shipped=float(above_shipped.max()),
        median_angle=float(np.median(angles, axis=0).max()),
        largest_angle=float(angles.max()),
        worst=names[int(angles.max(axis=0).argmax())],
        undetermined=tuple(n for n, f, d in zip(ours.coordinate_names, ours.free, ours.determined) if f and not d),
    )


def main(arguments: list[str] | None = None) -> None:
    """Entry of ``biopose bench ik``."""
    parser = argparse.ArgumentParser("biopose bench ik", description=__doc__)
    parser.add_argument("--exact", action="store_true", help="compare with OpenSim at accuracy 1e-9 (slow)")
    parser.add_argument("--laboratory", action="store_true", help="also the trials of OpenCap-lab subject 4")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--repeats", type=int, default=9, help="of our call")
    parser.add_argument("--opensim-repeats", type=int, default=1, help="of OpenSim's")
    parser.add_argument("--data", help="folder of test data")
    options = parser.parse_args(arguments)
    data = data_folder(options.data)
    with tempfile.TemporaryDirectory() as folder:
        cases = pipeline_cases(data, Path(folder))
        if options.laboratory or options.only:
            cases += laboratory_cases(data)
        for case in cases:
            if options.only.lower() not in case.name.lower():
                continue
            if options.exact:
                print_exactness(measure_exactness(case))
            else:
                print_speed(measure_speed(case, options.repeats, options.opensim_repeats))


def print_speed(s: Speed) -> None:
    """One line of the speed table."""
    print(
        f"{s.name:24s} {s.frames:5d} frames  OpenSim {s.opensim:7.1f}/s  whole call {s.whole:8.0f}/s = "
        f"{s.whole / s.opensim:6.0f}x  solve alone {s.solve:8.0f}/s = {s.solve / s.opensim:6.0f}x",
        flush=True,
    )


def print_exactness(e: Exactness) -> None:
    """One line of the exactness table."""
    print(
        f"{e.name:24s} converged {e.converged}/{e.frames}  RMS {e.rms:7.3f} mm  above tight "
        f"{e.largest_above_tight:.6f} below {e.largest_below_tight:.5f}  above shipped "
        f"{e.largest_above_shipped:.5f} mm  angles: median {e.median_angle:.5f} largest {e.largest_angle:.4f} deg "
        f"({e.worst}), without {e.worse} frames that OpenSim left worse  "
        f"undetermined: {', '.join(e.undetermined) or 'none'}",
        flush=True,
    )


if __name__ == "__main__":
    main()
