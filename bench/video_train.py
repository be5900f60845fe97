"""MQ-HMR learns: the smallest network overfits 32 rendered crops on one thread; CPU time, MPJPE and PA-MPJPE.

``python -m bench.video_train --motion TABLE [--config ci]``. The crops are drawn anew, from the
poses in TABLE (`synthetic_motion.build_motion_table`).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import torch

from biopose_sim.bodies.anny_table import load_anny_data
from biopose_sim.video.anny_bones import AnnyBones
from biopose_sim.video.hmr_config import load_hmr_training
from biopose_sim.video.hmr_evaluate import evaluate_network
from biopose_sim.video.hmr_layouts import AnnyPoints
from biopose_sim.video.hmr_streams import FixedData
from biopose_sim.video.hmr_train import train_mqhmr
from biopose_sim.video.hmr_truth import Truth, truth_of_people
from biopose_sim.video.mqhmr import parameter_counts
from biopose_sim.video.synthetic_stream import SyntheticPeople

CROPS = 32
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


def _told(text: str) -> None:
    print(f"{time.process_time():7.1f} s CPU  {text}", flush=True)


def main() -> None:
    """Print what came out beside the targets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--motion", type=Path, required=True, help="table of poses, or its folder")
    parser.add_argument("--config", default="ci", help="name of a configuration or a TOML file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        found = overfit(crops(options.motion), options.config, Path(folder))
    print(f"{found['parameters']:,.0f} parameters, {CROPS} crops, one thread")
    print(f"MPJPE    {found['mpjpe']:6.1f} mm  (target at most {MPJPE_TARGET:.0f})")
    print(f"PA-MPJPE {found['pa_mpjpe']:6.1f} mm")
    print(f"CPU time {found['seconds']:6.0f} s   (target at most {SECONDS_TARGET:.0f})")


if __name__ == "__main__":
    main()
