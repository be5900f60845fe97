"""Fitting people to virtual markers: rigidity, accuracy on held-out takes and people, symmetry, speed.

``biopose bench bodyfit``. Bodies are random Anny adults that the calibration of ``models/markersets/virtual.csv`` has
not seen, motions are CMU takes that it has not seen (``calibration_data.HELD_OUT``), each put on the person's own body.
"""

from __future__ import annotations

import argparse
import tarfile
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from bench.cases import data_folder
from biopose_sim.bodies.markers import virtual_markers
from biopose_sim.bodies.phenotypes import sample_adults
from biopose_sim.bodies.types import BodySequence
from biopose_sim.bodies.virtual import read_virtual_markers
from biopose_sim.ik.fit import FitConfig, FitResult, fit
from biopose_sim.io import Trial
from biopose_sim.kinematics.model import OsimModel
from ik_pipeline.calibration_data import (
    held_out_rigidity,
    held_out_sequences,
    read_takes,
    sample_poses,
)
from ik_pipeline.calibration_joints import ANNY_JOINTS, joint_differences
from ik_pipeline.rigidity import TARGETS, group_medians
from ik_pipeline.virtual_fit import (
    fixed_markers,
    mirrored_coordinates,
    mirrored_trial,
    virtual_fit_config,
    virtual_model,
)

SEED = 2024
RMS_TARGETS = {"population offsets": 18.0, "own offsets": 9.0}
JOINT_TARGET, MIRROR_TARGET, SPEED_TARGET = 25.0, 0.2, 1000.0


def _mark(reached: bool) -> str:
    return "reached" if reached else "MISSED"


def rigidity(folder: Path, n_people: int, n_poses: int) -> None:
    """Print how rigidly markers sit on segments: places from the calibration's takes, errors in held-out ones."""
    markers = read_virtual_markers()
    found = held_out_rigidity(folder, n_people, n_poses, SEED, markers)
    print(f"Rigidity: {n_people} people x {n_poses} held-out poses, medians [mm]")
    for group, (median, worst) in group_medians(found, markers).items():
        target = TARGETS.get(group)
        verdict = "" if target is None else f"  target {1000 * target:.0f}: {_mark(median <= target)}"
        print(f"  {group:18}{1000 * median:6.1f}   worst marker {1000 * worst:5.1f}{verdict}")


class Person:
    """A held-out person with the trials of all activities."""

    def __init__(self, folder: Path, shape: np.ndarray) -> None:
        self.sequences: dict[str, list[BodySequence]] = held_out_sequences(folder, shape)
        self.trials: dict[str, list[Trial]] = {
            activity: [virtual_markers(s) for s in found] for activity, found in self.sequences.items()
        }

    def fitted(self, model: OsimModel, config: FitConfig) -> tuple[FitResult, dict[str, slice]]:
        """One fit of all trials, and which results belong to each activity."""
        trials: list[Trial] = []
        parts: dict[str, slice] = {}
        for activity, found in self.trials.items():
            parts[activity] = slice(len(trials), len(trials) + len(found))
            trials += found
        return fit(model, trials, config), parts


def accuracy(folder: Path, n_people: int) -> None:
    """Print marker distances and joint centres by activity."""
    model, config = virtual_model(), virtual_fit_config()
    people = [Person(folder, shape) for shape in sample_adults(n_people, SEED + 1)]
    for what, chosen in (("population offsets", fixed_markers(config)), ("own offsets", config)):
        squares: dict[str, list[np.ndarray]] = {}
        gaps: dict[str, list[np.ndarray]] = {}
        for person in people:
            result, parts = person.fitted(model, chosen)
            for activity, part in parts.items():
                for found, sequence in zip(result.results[part], person.sequences[activity]):
                    squares.setdefault(activity, []).append(found.marker_errors.ravel() ** 2)
                    for joint, gap in joint_differences(result.model, found, sequence).items():
                        gaps.setdefault(joint, []).append(gap.reshape(-1, 3))
        _print_accuracy(what, squares, gaps)


def _print_accuracy(what: str, squares: dict[str, list[np.ndarray]], gaps: dict[str, list[np.ndarray]]) -> None:
    print(f"Fit with {what}: root mean square marker distance [mm], target {RMS_TARGETS[what]:.0f}")
    for activity, found in squares.items():
        rms = 1000 * float(np.sqrt(np.nanmean(np.concatenate(found))))
        print(f"  {activity:12}{rms:6.1f}  {_mark(rms <= RMS_TARGETS[what])}")
    print(f"  joint centres against Anny's [mm]: median distance (target {JOINT_TARGET:.0f}); ahead, up, outwards")
    for joint in ANNY_JOINTS:
        gap = 1000 * np.concatenate(gaps[joint])
        median, axes = float(np.median(np.linalg.norm(gap, axis=1))), np.median(gap, axis=0)
        print(f"  {joint:12}{median:6.1f}  {_mark(median <= JOINT_TARGET):8}" + "".join(f"{v:6.0f}" for v in axes))


def symmetry(folder: Path) -> None:
    """Print how far angles of a mirrored motion are from mirrored angles."""
    model, config = virtual_model(), virtual_fit_config()
    person = Person(folder, sample_adults(1, SEED + 2)[0])
    print(f"A mirrored sequence: difference from mirrored angles [deg], target {MIRROR_TARGET}")
    for activity, trials in person.trials.items():
        straight, turned = (fit(model, [trial], config) for trial in (trials[0], mirrored_trial(trials[0])))
        names, kinds = straight.results[0].coordinate_names, straight.results[0].motion_types
        expected = mirrored_coordinates(straight.results[0].coordinates, names)
        angles = [k for k, kind in enumerate(kinds) if kind == "rotational"]
        apart = turned.results[0].coordinates[:, angles] - expected[:, angles]
        apart = np.degrees(np.abs((apart + np.pi) % (2 * np.pi) - np.pi))
        worst = angles[int(apart.max(axis=0).argmax())]
        print(f"  {activity:12}median {np.median(apart):.4f}  95 % {np.percentile(apart, 95):.4f}  "
              f"largest {apart.max():.3f} ({names[worst]})  {_mark(float(apart.max()) <= MIRROR_TARGET)}")  # fmt: skip


def speed(folder: Path, frames: int, repeats: int) -> None:
    """Print frames per second from body parameters to angles."""
    model, config = virtual_model(), virtual_fit_config()
    shape = sample_adults(1, SEED + 3)[0]
    sequence = sample_poses(read_takes(folder, ["13_31", "07_01", "13_26"], shape, 120.0), frames)
    sequence = replace(sequence, time=np.arange(frames) / 120.0)
    fit(model, [virtual_markers(sample_poses([sequence], 50))], config)
    for _ in range(repeats):
        start = time.perf_counter()
        trial = virtual_markers(sequence)
        marked = time.perf_counter()
        fit(model, [trial], config)
        end = time.perf_counter()
        rate = frames / (end - start)
        print(f"Speed: {frames} frames, markers {marked - start:.2f} s, fit {end - marked:.2f} s: {rate:,.0f} frames/s "
              f"(target {SPEED_TARGET:,.0f}: {_mark(rate >= SPEED_TARGET)})")  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry of ``biopose bench bodyfit``."""
    parser = argparse.ArgumentParser("biopose bench bodyfit", description=__doc__)
    parser.add_argument("--data", help="folder of test data")
    parser.add_argument("--only", choices=("rigidity", "accuracy", "symmetry", "speed"), nargs="+")
    parser.add_argument("--people", type=int, default=6, help="people of the accuracy")
    parser.add_argument("--shapes", type=int, default=200, help="people of the rigidity")
    parser.add_argument("--poses", type=int, default=200, help="held-out poses of the rigidity")
    parser.add_argument("--frames", type=int, default=2000, help="of the speed")
    a = parser.parse_args(arguments)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    wanted = a.only or ("rigidity", "accuracy", "symmetry", "speed")
    try:
        with tempfile.TemporaryDirectory() as folder:
            with tarfile.open(data_folder(a.data) / "cmu_bvh" / "cmu_daz_bvh.tar.xz") as archive:
                archive.extractall(folder, filter="data")
            root = next(Path(folder).rglob("02_01.bvh")).parent
            if "rigidity" in wanted:
                rigidity(root, a.shapes, a.poses)
            if "accuracy" in wanted:
                accuracy(root, a.people)
            if "symmetry" in wanted:
                symmetry(root)
            if "speed" in wanted:
                speed(root, a.frames, 3)
    finally:
        torch.set_num_threads(before)


if __name__ == "__main__":
    main()
