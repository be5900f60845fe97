"""The temporal lifter on people it never saw: windows, then whole clips, lifted and refined.

    biopose bench video_lifter --shards FOLDER
    biopose bench video_lifter --shards FOLDER --weights OUT/weights --windows 0 --clips 40

Motions are those of the test people of the shards that ``biopose groundtruth`` wrote. Windows: chance cameras, known
lenses, no refinement, the mean of the picture and its mirror as in ``biopose video``; PA-MPJPE and root-relative error
of 13 joints [mm], mean absolute errors of the joint coordinates of the legs and of all, of the pelvis before the camera
and of gravity [degrees], of the size [%]. Clips: as ``biopose video`` does it, before and after the joint refinement;
gravity is the lifter's.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import torch

from bench.video_refine_cases import Case, make_cases, score
from biopose_sim.neurik.weights import find_weights
from biopose_sim.video.lifter.evaluate import NOISES, evaluate_lifter
from biopose_sim.video.lifter.lifter import Lifter
from biopose_sim.video.lifter.weights import add_metrics
from biopose_sim.video.points.noise import disturbed
from biopose_sim.video.refine.joint import refine_joint
from ik_pipeline.shards.data import ShardData

PA_TARGET, LEGS_TARGET, ALL_TARGET = 42.0, 6.0, 8.0


def clip_scores(lifter: Lifter, case: Case, noise: str, seed: int) -> np.ndarray:
    """Errors of a clip, lifted (2D %, PA mm, all, legs) and then refined, and seconds of CPU of both, (2, 5)."""
    given = case.start.views[0].key_points
    random = np.random.default_rng([seed, len(case.points)])
    seen = case.camera.project(case.points)
    points, confidence = disturbed(seen[None, ..., :2], given.fps, NOISES[noise], random, depth=seen[None, ..., 2])
    key_points = replace(given, points=points[0], confidence=confidence[0])
    begin = time.process_time()
    lifted = lifter.lift(key_points, case.camera)
    middle = time.process_time()
    done = refine_joint(lifted)
    end = time.process_time()
    rows = []
    for found, seconds, offsets in ((lifted, middle - begin, None), (done.estimate, end - middle, done.offsets)):
        scores = score(case, found.model, found.coordinates, found.views[0].camera, offsets)
        rows.append([*astuple(scores), seconds])
    return np.array(rows)


def windows_table(lifter: Lifter, shards: Path, split: str, windows: int | None) -> dict[str, dict[str, float]]:
    """Print how windows are lifted, a row for each disturbance, and return it."""
    names: Sequence[str] = ()
    table = {}
    for noise in NOISES:
        found = table[noise] = evaluate_lifter(lifter.network, shards, split, noise, windows=windows)
        if not names:
            names = list(found)
            print(f"{'windows':16}" + "".join(f"{name:>13}" for name in names))
        print(f"{noise:16}" + "".join(f"{found[name]:13.1f}" for name in names), flush=True)
    print(f"  target: PA {PA_TARGET:g} mm with noise of 2 %")
    return table


def main(arguments: list[str] | None = None) -> None:
    """Entry of ``biopose bench video_lifter``."""
    parser = argparse.ArgumentParser("biopose bench video_lifter", description=__doc__)
    parser.add_argument("--shards", required=True, type=Path, help="folder of shards with the people's true motion")
    parser.add_argument("--split", default="test")
    parser.add_argument("--weights", default="lifter-base")
    parser.add_argument("--windows", type=int, default=1024, help="spread over the split; 0: all")
    parser.add_argument("--clips", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of a clip")
    parser.add_argument("--card", action="store_true", help="write the windows' figures into the card of the weights")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    lifter = Lifter.from_pretrained(options.weights)
    table = windows_table(lifter, options.shards, options.split, options.windows or None)
    if options.card:
        add_metrics(find_weights(options.weights), options.split, table)
    cases = make_cases(ShardData(options.shards, options.split), options.clips, options.seconds)
    print(f"\n{len(cases)} clips{'':20} {'2D %':>8} {'PA mm':>8} {'all deg':>8} {'legs deg':>8} {'CPU s':>8}")
    for noise in NOISES:
        found = np.mean([clip_scores(lifter, case, noise, k) for k, case in enumerate(cases)], axis=0)
        for what, row in zip(("lifted", "refined"), found, strict=True):
            numbers = f"{row[0]:8.2f} {row[1]:8.1f} {row[2]:8.2f} {row[3]:8.2f} {row[4]:8.2f}"
            print(f"{noise + ', ' + what:28} {numbers}", flush=True)
    print(f"  target, realistic and refined: legs {LEGS_TARGET:g}, all {ALL_TARGET:g} degrees")
