"""Refinement by 2D key points on synthetic trials with known truth: start, the paper's, joint.

    biopose bench video_refine --shards FOLDER
    biopose bench video_refine --shards FOLDER --trials 20 --focal-trials 6

Motions are those of the test people of the shards that ``biopose groundtruth`` wrote (`video_refine_cases`). Columns:
2D error against the exact pixels [% of the person's box], PA-MPJPE of 13 joints [mm], mean absolute error of all joint
angles and of those of the legs [degrees]. "better" is the mean share by which a row is below its start.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, replace

import numpy as np
import torch

from bench.video_refine_cases import Case, Scores, make_cases, paper, score, spoilt, with_focal
from biopose_sim.video.refine.joint import JointConfig, refine_joint
from ik_pipeline.shards.data import ShardData

Way = Callable[[Case], Scores]
NOISE, FOCALS = 0.02, (0.7, 0.85, 1.15, 1.4)
PAPER_FOCAL = 5000.0


def unrefined(case: Case) -> Scores:
    """Scores of the start."""
    return score(case, case.start.model, case.start.coordinates, case.start.views[0].camera)


def by_paper(focal: float | None) -> Way:
    """The paper's refinement with a focal length, the case's own if None."""

    def way(case: Case) -> Scores:
        camera = case.start.views[0].camera
        camera = camera if focal is None else replace(camera, focal=(focal, focal))
        return score(case, case.start.model, paper(case, focal), camera)

    return way


def by_joint(**settings: bool) -> Way:
    """Joint refinement."""

    def way(case: Case) -> Scores:
        done = refine_joint(case.start, JointConfig(**settings))  # type: ignore[arg-type]
        found = done.estimate
        return score(case, found.model, found.coordinates, found.views[0].camera, done.offsets)

    return way


def row(name: str, cases: Sequence[Case], way: Way, start: np.ndarray | None = None) -> np.ndarray:
    """Print the means of a way, and how much better they are than the start; return them."""
    begin = time.process_time()
    found = np.mean([astuple(way(case)) for case in cases], axis=0)
    seconds = (time.process_time() - begin) / len(cases)
    numbers = f"{found[0]:8.2f} {found[1]:8.1f} {found[2]:8.2f} {found[3]:8.2f}"
    gains = "" if start is None else "".join(f"{100.0 * (1.0 - v):7.0f}" for v in found / start)
    print(f"{name:38} {numbers} {gains:28} {seconds:7.2f}", flush=True)
    return found


def main(arguments: list[str] | None = None) -> None:
    """Entry of ``biopose bench video_refine``."""
    parser = argparse.ArgumentParser("biopose bench video_refine", description=__doc__)
    parser.add_argument("--shards", required=True, help="folder of shards with the people's true motion")
    parser.add_argument("--split", default="test")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--focal-trials", type=int, default=6, help="of wrong focal lengths and bad key points")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of a trial")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    cases = make_cases(ShardData(options.shards, options.split), options.trials, options.seconds)
    frames = sum(len(case.start.time) for case in cases) / len(cases)
    print(f"{len(cases)} trials of {frames:.0f} frames; better: share below the start [%]; CPU seconds a trial")
    print(f"{'':38} {'2D %':>8} {'PA mm':>8} {'angles':>8} {'legs':>8}   better: 2D  PA angles legs     CPU")
    for what, noise in (("clean", 0.0), (f"{NOISE:.0%} noise", NOISE)):
        here = [spoilt(case, noise) for case in cases]
        start = row(f"{what}: start", here, unrefined)
        row(f"{what}: paper, focal {PAPER_FOCAL:.0f} px", here, by_paper(PAPER_FOCAL), start)
        published = row(f"{what}: paper, true focal", here, by_paper(None), start)
        joint = row(f"{what}: joint", here, by_joint(), start)
        told = "targets 2D -50, PA -30, angles -20 %; " if not noise else "targets: not worse than the start; "
        print(f"  {told}angles of joint against paper {100.0 * (joint[2] / published[2] - 1.0):+.0f} % (target -25)")
    few = [spoilt(case, NOISE) for case in cases[:: max(1, len(cases) // options.focal_trials)][: options.focal_trials]]
    start = row(f"{len(few)} trials, noise: start", few, unrefined)
    row("  joint, true focal", few, by_joint(), start)
    for factor in FOCALS:
        wrong = [with_focal(case, factor) for case in few]
        row(f"  joint, focal x {factor:g}", wrong, by_joint(), start)
        row(f"  joint, focal x {factor:g}, estimated", wrong, by_joint(estimate_focal=True), start)
    row("  joint, 20 % of the points missing", [spoilt(case, missing=0.2) for case in few], by_joint(), start)
    row("  joint, sides exchanged in 10 %", [spoilt(case, exchanged=0.1) for case in few], by_joint(), start)
