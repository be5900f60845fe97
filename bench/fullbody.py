"""The D3KE full body without hands: known motion, 5 mm noise, ours against OpenSim. ``biopose bench fullbody``."""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from bench.cases import data_folder
from biopose_sim.ik.solver import solve_ik
from biopose_sim.ik.types import Array, IKConfig, KinematicsResult
from biopose_sim.io import Trial, read_trc, write_mot, write_trc
from biopose_sim.kinematics.model import OsimModel
from ik_pipeline.opensim_tools import run_opensim_ik

RATE = 100.0
MODEL = "d3ke_full_body_wo_hands.osim"


def random_motion(model: OsimModel, n_frames: int, seed: int = 0) -> Array:
    """Smooth motion within the ranges, shape (T, n_q): three sines of 0.1 to 2 Hz per coordinate."""
    rng = np.random.default_rng(seed)
    time_ = np.arange(n_frames) / RATE
    low, high = np.clip(model.tree.ranges, -2.0, 2.0).T
    middle, reach = 0.5 * (low + high), 0.5 * (high - low)
    waves = np.zeros((n_frames, len(low)))
    for _ in range(3):
        frequency, phase = rng.uniform(0.1, 2.0, len(low)), rng.uniform(0.0, 2.0 * np.pi, len(low))
        waves += np.sin(2.0 * np.pi * frequency * time_[:, None] + phase) / 3.0
    q = middle + np.minimum(0.6 * reach, 0.6) * waves
    with torch.no_grad():
        return model(torch.from_numpy(q)).coordinates.numpy()


def noisy_trial(model: OsimModel, q: Array, noise: float = 0.005, seed: int = 0) -> Trial:
    """The model's markers with white noise [m per axis]."""
    with torch.no_grad():
        markers = model(torch.from_numpy(q)).markers.numpy()
    markers = markers + np.random.default_rng(seed).normal(0.0, noise, markers.shape)
    return Trial.checked("fullbody", np.arange(len(q)) / RATE, markers, model.marker_names)


def angle_error(result: KinematicsResult, truth: Array) -> float:
    """Mean absolute error of the free rotations [deg]."""
    rotational = np.array([t == "rotational" for t in result.motion_types]) & result.free
    return float(np.degrees(np.abs(result.coordinates - truth)[:, rotational]).mean())


def main(arguments: list[str] | None = None) -> None:
    """Entry of ``biopose bench fullbody``."""
    parser = argparse.ArgumentParser("biopose bench fullbody", description=__doc__)
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--opensim-frames", type=int, default=200, help="how many of them OpenSim solves")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0, help="of motion and noise")
    parser.add_argument("--data", help="folder of test data")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    path = data_folder(options.data) / "models" / MODEL
    model = OsimModel.from_file(path)
    truth = random_motion(model, options.frames, options.seed)
    trial = noisy_trial(model, truth, seed=options.seed)
    few = options.opensim_frames
    short = replace(trial, time=trial.time[:few], markers=trial.markers[:few])
    theirs = run_opensim_ik(path, short)
    rate = few / theirs.seconds
    print(
        f"OpenSim as shipped, {few} frames: {rate:.2f} frames/s, marker RMS {_rms(theirs.result):.4f} mm, "
        f"angle error {angle_error(theirs.result, truth[:few]):.3f} deg",
        flush=True,
    )
    for name, config in {
        "as by default": IKConfig(),
        "every frame for itself": IKConfig(continuity=0.0),
        "prior 1e-5": IKConfig(prior=1e-5, continuity=0.0),
        "continuity 2e-5": IKConfig(continuity=2e-5),
    }.items():
        whole, result = _whole_call(path, trial, config, options.repeats)
        seconds = _seconds(model, trial, config, options.repeats)
        n = options.frames
        part = replace(result, marker_errors=result.marker_errors[:few], coordinates=result.coordinates[:few])
        print(
            f"{name:24s} whole call {n / whole:7.0f} frames/s = {n / whole / rate:6.0f}x, solve alone "
            f"{n / seconds:7.0f} = {n / seconds / rate:6.0f}x; same {few} frames: marker RMS {_rms(part):.4f} mm, "
            f"angle error {angle_error(part, truth[:few]):.3f} deg; all: {angle_error(result, truth):.3f} deg, "
            f"converged {int(result.converged.sum())}/{n}",
            flush=True,
        )


def _rms(result: KinematicsResult) -> float:
    return float(1e3 * np.sqrt(np.nanmean(result.marker_errors**2)))


def _whole_call(path: Path, trial: Trial, config: IKConfig, repeats: int) -> tuple[float, KinematicsResult]:
    with tempfile.TemporaryDirectory() as folder:
        markers = Path(folder) / "trial.trc"
        write_trc(markers, trial)
        seconds = []
        for _ in range(repeats + 1):
            start = time.perf_counter()
            result = solve_ik(OsimModel.from_file(path), read_trc(markers), config)
            write_mot(Path(folder) / "trial.mot", result)
            seconds.append(time.perf_counter() - start)
    return float(np.median(seconds[1:])), result


def _seconds(model: OsimModel, trial: Trial, config: IKConfig, repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        solve_ik(model, trial, config)
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))


if __name__ == "__main__":
    main()
