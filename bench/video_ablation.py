"""MQ-HMR's ablations at an equal budget: queries, scales of the pyramid, steps of the refinement.

    biopose train mqhmr_cpu TABLE -o RUN                      # keep a checkpoint of its dense steps on the way
    biopose bench video_ablation --motion TABLE --trunk CHECKPOINT -o OUT --arm 1-query --arm 4-scales
    biopose bench video_ablation --motion TABLE --trunk CHECKPOINT -o OUT --weights RUN/weights

All arms go on from one checkpoint in which only the encoder has learned (``dense_steps`` of the configuration), with
the same images in the same order, rates and number of steps: what differs is the decoder. The run of the checkpoint
is the arm with 96 queries and one scale. Every number is of images of persons that training never saw.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from biopose_sim.video.mqhmr.config import HmrTraining, load_hmr_training
from biopose_sim.video.mqhmr.evaluate import evaluating
from biopose_sim.video.mqhmr.files import load_mqhmr
from biopose_sim.video.mqhmr.metrics import PROTOCOLS, PoseScores, pose_scores
from biopose_sim.video.mqhmr.network import HmrOutput, MqHmr, parameter_counts
from biopose_sim.video.mqhmr.streams import PeopleData
from biopose_sim.video.mqhmr.train import CHECKPOINT, HmrTrainer
from biopose_sim.video.points.keypoints import COMMON
from biopose_sim.video.points.noise import NoiseConfig, disturbed
from biopose_sim.video.refine.paper import PaperConfig
from biopose_sim.video.synthetic.motion import Split
from biopose_sim.video.synthetic.stream import SyntheticPeople

ARMS: Mapping[str, dict[str, Any]] = {
    "1-query": {"tokens": 1},
    "96-queries": {},
    "2-scales": {"scales": (1, 4)},
    "4-scales": {"scales": (1, 2, 4, 8)},
}
STEPS = (0, 5, 10, 20)
_NOISE = NoiseConfig(white=0.02)
_BATCH = 32


def people_data(options: argparse.Namespace, config: HmrTraining, held_out: Split, seed: int) -> PeopleData:
    """Training people and held-out ones of another split."""
    people = SyntheticPeople(options.motion, "train", seed=config.seed)
    return PeopleData(
        people,
        SyntheticPeople(options.motion, held_out, seed=seed),
        config.augment,
        markers=config.markers,
        reuse=config.reuse,
        seed=config.seed,
    )


def branch(trainer: HmrTrainer, trunk: Mapping[str, Any]) -> None:
    """Give a trainer the encoder of a checkpoint, what its optimiser knows of it, and its place in the data."""
    trainer.begin()
    for name in ("network", "average"):
        state = {key: value for key, value in trunk[name].items() if key.startswith("encoder.")}
        getattr(trainer, name).load_state_dict(state, strict=False)
    assert trainer.dense is not None
    trainer.dense.load_state_dict(trunk["dense"])
    trainer.step, trainer.seconds = int(trunk["step"]), 0.0
    # Encoder first, dense points last: all between has no state yet. Adam's state is numbered in that order.
    known = trunk["optimiser"]["state"]
    own = [name for name, _ in trainer.network.named_parameters() if name.startswith("encoder.")]
    theirs = sorted(known)
    count = len(list(trainer.network.parameters()))
    numbers = [*range(len(own)), *range(count, count + len(list(trainer.dense.parameters())))]
    if len(theirs) != len(numbers):
        raise SystemExit(f"the checkpoint is of step {trainer.step}: not only its encoder has learned")
    state = trainer.optimiser.state_dict()
    state["state"] = {number: known[key] for number, key in zip(numbers, theirs, strict=True)}
    trainer.optimiser.load_state_dict(state)


def train_arm(options: argparse.Namespace, name: str, trunk: Mapping[str, Any]) -> MqHmr:
    """Train an arm, or go on with it, and return it."""
    config = load_hmr_training(options.config)
    config = replace(config, network=replace(config.network, **ARMS[name]))
    trainer = HmrTrainer(config, people_data(options, config, "val", config.seed), options.output / name)
    if (trainer.output / CHECKPOINT).is_file():
        trainer.resume()
    else:
        branch(trainer, trunk)
    start = time.process_time()
    network = trainer.run(tell=lambda text: print(f"{name}: {text}", flush=True))
    print(f"{name}: {time.process_time() - start:.0f} s of CPU in this run", flush=True)
    return network


def test_scores(options: argparse.Namespace, network: MqHmr, steps: int, noise: NoiseConfig) -> PoseScores:
    """Score a network on test people, refined by disturbed key points in so many steps."""
    config = load_hmr_training(options.config)
    data = people_data(options, config, "test", options.seed)
    found, true, count = [], [], PROTOCOLS["synthetic"].points
    with evaluating(network):
        for number, truth in enumerate(data.validation(options.images, _BATCH)):
            output: HmrOutput = network(truth.images, truth.crop)
            if steps:
                pixels = truth.points_2d[:, : len(COMMON), :2].double().numpy()
                points, confidence = disturbed(pixels[:, None], 30.0, noise, np.random.default_rng([7, number]))
                seen, sure = (torch.from_numpy(one[:, 0]).float() for one in (points, confidence))
                with torch.enable_grad():
                    output, _ = network.refine(output, seen, sure, PaperConfig(iterations=steps))
            found.append(data.points(output.body)[:, :count].double().numpy())
            true.append(truth.points_3d[:, :count, :3].double().numpy())
    ours, known = (np.concatenate(part) for part in (found, true))
    return pose_scores("synthetic", ours, known, np.ones(known.shape[:2]))


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry of ``biopose bench video_ablation``."""
    parser = argparse.ArgumentParser("biopose bench video_ablation", description=__doc__)
    parser.add_argument("--motion", required=True, type=Path, help="table of poses (synthetic.motion)")
    parser.add_argument("--trunk", type=Path, help="checkpoint in which only the encoder has learned")
    parser.add_argument("-o", "--output", required=True, type=Path)
    parser.add_argument("--config", default="cpu")
    parser.add_argument("--arm", action="append", default=[], choices=list(ARMS))
    parser.add_argument("--weights", type=Path, action="append", default=[], help="trained; refined in 0 to 20 steps")
    parser.add_argument("--images", type=int, default=1024)
    parser.add_argument("--seed", type=int, default=5, help="of the test images")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    if options.arm and options.trunk is None:
        parser.error("--arm needs --trunk")
    trunk = torch.load(options.trunk, weights_only=True) if options.trunk else {}
    rows = []
    for name in options.arm:
        network = train_arm(options, name, trunk)
        rows.append((name, parameter_counts(network)["total"], test_scores(options, network, 0, _NOISE)))
    for folder in options.weights:
        network, size = load_mqhmr(folder), json.loads((folder / "card.json").read_text(encoding="utf-8"))["parameters"]
        for what, noise in (("exact", NoiseConfig()), ("noise 2 %", _NOISE)):
            for steps in STEPS:
                scores = test_scores(options, network, steps, noise)
                rows.append((f"{folder}, {what}, {steps} steps", size["total"], scores))
    print(f"{'':60} {'numbers':>10} {'MPJPE mm':>9} {'PA mm':>7}   {options.images} images")
    for title, size, scores in rows:
        print(f"{title:60} {size:10,} {scores.means['mpjpe']:9.1f} {scores.means['pa_mpjpe']:7.1f}")


if __name__ == "__main__":
    main()
