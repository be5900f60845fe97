"""Left and right of whole clips: how often a right one is exchanged by mistake, and an exchanged one is repaired.

``biopose bench video_sides --shards DATA [--key-points FOLDER]``. Clips of unseen people with realistic noise
(`video.points.noise`), and the key points of real views (``*.npz``) whose sides are right; each as it is and exchanged
from beginning to end, lens known and not.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from bench.video_refine_cases import Case, make_cases
from biopose_sim.io.camera import Camera
from biopose_sim.video.footage.clip import default_focal
from biopose_sim.video.lifter.lifter import Lifter
from biopose_sim.video.points.files import read_detections
from biopose_sim.video.points.following import follow
from biopose_sim.video.points.keypoints import KeyPoints
from biopose_sim.video.points.noise import REALISTIC, disturbed
from biopose_sim.video.points.swaps import repair_swaps
from biopose_sim.video.refine.joint import JointConfig, refine_joint
from biopose_sim.video.sides import Sides, decide, exchanged


def noisy(case: Case, seed: int) -> KeyPoints:
    """Key points of a case as a detector would have them, sides repaired where they change."""
    given, seen = case.start.views[0].key_points, case.camera.project(case.points)
    random = np.random.default_rng(seed)
    points, confidence = disturbed(seen[None, ..., :2], given.fps, REALISTIC, random, depth=seen[None, ..., 2])
    return repair_swaps(replace(given, points=points[0], confidence=confidence[0]))[0]


def sides(lifter: Lifter, key_points: KeyPoints, camera: Camera, known: bool) -> tuple[Sides, Sides]:
    """What is decided of the clip, and of the exchanged one."""
    config = replace(JointConfig(), estimate_focal=not known)
    found = [
        decide(points, lambda given: lifter.lift(given, camera), lambda lifted: refine_joint(lifted, config))
        for points in (key_points, exchanged(key_points))
    ]
    return found[0], found[1]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run it."""
    from ik_pipeline.shards.data import ShardData

    parser = argparse.ArgumentParser(prog="biopose bench video_sides", description=__doc__)
    parser.add_argument("--shards", type=Path, required=True, help="folder of ground truth")
    parser.add_argument("--split", default="test")
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of a clip")
    parser.add_argument("--key-points", type=Path, help="folder of real key points with the right sides")
    parser.add_argument("--weights", default="lifter-base")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    lifter = Lifter.from_pretrained(options.weights)
    real = [] if options.key_points is None else sorted(options.key_points.glob("*.npz"))
    rows = []
    for path in real:
        points = follow(read_detections(path)).key_points.common()
        size = points.size or (1920, 1080)
        rows.append((path.stem, sides(lifter, points, Camera.level(*size, default_focal(size)), False)))
    for seed, case in enumerate(make_cases(ShardData(options.shards, options.split), options.clips, options.seconds)):
        rows.append((case.name, sides(lifter, noisy(case, seed), case.camera, True)))
        name, (right, wrong) = rows[-1]
        print(f"{name:16} right: {right.lifted:+.3f} {right.refined:+.3f} {_word(right):10}", end="")
        print(f" exchanged: {wrong.lifted:+.3f} {wrong.refined:+.3f} {_word(wrong)}", flush=True)
    for what, part in (("real views", rows[: len(real)]), ("synthetic clips", rows[len(real) :])):
        if part:
            mistaken = sum(right.exchanged for _, (right, _) in part)
            repaired = sum(wrong.exchanged for _, (_, wrong) in part)
            doubts = sum(bool(wrong.note) and not wrong.exchanged for _, (_, wrong) in part)
            print(
                f"{what}: {mistaken} of {len(part)} right ones exchanged; exchanged ones: {repaired} repaired,", end=" "
            )
            print(f"{doubts} in doubt, {len(part) - repaired - doubts} taken for right")


def _word(found: Sides) -> str:
    return "exchanged" if found.exchanged else "in doubt" if found.note else "as it is"


if __name__ == "__main__":
    main()
