"""NeurIK: frames per second of streams, of many sequences, polished by the engine; beside the fit and OpenSim's IK.

``biopose bench neurik``. Whole calls: from trials in memory to results in memory.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

import biopose_sim as bp
from biopose_sim.ik.fit import fit
from biopose_sim.io import Trial, write_trc
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.neurik.config import load_config
from biopose_sim.neurik.network import make_network
from biopose_sim.neurik.predict import Predictor
from biopose_sim.neurik.skeleton import Skeleton
from biopose_sim.neurik.stream import Stream
from biopose_sim.synthetic import frame_times, gait_coordinates
from ik_pipeline.virtual_fit import virtual_fit_config, virtual_model

STREAM_TARGET, BATCH_TARGET = 500.0, 3000.0


def median_rate(call: Callable[[], object], frames: int, repeats: int) -> float:
    """Median frames per second of several calls after one that is not counted."""
    call()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return frames / statistics.median(seconds)


def walk(model: OsimModel, seconds: float, rate: float) -> Trial:
    """A model's own markers while it walks."""
    with torch.no_grad():
        markers = model(torch.from_numpy(gait_coordinates(model, seconds, rate))).markers.numpy()
    return Trial.checked("walk", frame_times(seconds, rate), markers, model.marker_names)


def opensim_rate(model: OsimModel, trial: Trial) -> float:
    """Frames per second of OpenSim's InverseKinematicsTool on a scaled model."""
    from ik_pipeline.opensim_tools import run_opensim_ik

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        bp.export_osim(model, path / "model.osim")
        write_trc(path / "walk.trc", trial)
        answer = run_opensim_ik(path / "model.osim", path / "walk.trc")
        return trial.n_frames / answer.seconds


def main(arguments: list[str] | None = None) -> None:
    """Entry of ``biopose bench neurik``."""
    parser = argparse.ArgumentParser("biopose bench neurik", description=__doc__)
    parser.add_argument("--weights", help="name or folder; a random network of the usual size if not given")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of a sequence")
    parser.add_argument("--sequences", type=int, default=8, help="of the batch")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the network")
    parser.add_argument("--opensim", action="store_true", help="also OpenSim's tool (slow)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    if options.weights:
        predictor = bp.NeurIK.from_pretrained(options.weights).predictor
    else:
        predictor = Predictor(make_network(Skeleton(virtual_model()), load_config("base").network))
    model = predictor.skeleton.model
    trial = walk(model, options.seconds, predictor.rate)
    n = trial.n_frames

    def streamed() -> None:
        stream = Stream(predictor, predictor.rate)
        for frame in trial.markers:
            stream.push(frame)
        stream.finish()

    persons = [[trial] for _ in range(options.sequences)]
    markers = predictor.markers_of(trial)
    lines = [
        ("stream, frame by frame", median_rate(streamed, n, options.repeats), STREAM_TARGET),
        ("one sequence, angles", median_rate(lambda: predictor.coordinates(markers, 30.0), n, options.repeats), None),
        (
            f"{options.sequences} sequences, results",
            median_rate(lambda: predictor.many(persons), n * options.sequences, options.repeats),
            BATCH_TARGET,
        ),
        ("network and refinement", median_rate(lambda: predictor.person([trial], refine=True), n, 3), None),
        ("fit engine", median_rate(lambda: fit(model, [trial], virtual_fit_config()), n, 3), None),
    ]
    if options.opensim:
        lines.append(("OpenSim's IK", opensim_rate(model, walk(model, 1.0, predictor.rate)), None))
    print(f"{n} frames a sequence, {torch.get_num_threads()} threads, delay {Stream(predictor).delay:.2f} s [frames/s]")
    for name, rate, target in lines:
        verdict = "" if target is None else f"  target {target:,.0f}: {'reached' if rate >= target else 'MISSED'}"
        print(f"  {name:28s}{rate:9,.0f}{verdict}", flush=True)


if __name__ == "__main__":
    main()
