"""Fitting a person: known truth, and real trials against ScaleTool and IK as labs run them. ``biopose bench fit``."""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from bench.cases import data_folder, laboratory_cases, pipeline_cases
from biopose_sim.ik.fit import FitConfig, FitResult, fit
from biopose_sim.ik.solver import solve_ik
from biopose_sim.ik.types import IKConfig
from biopose_sim.io import Trial, read_trc
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.osim.markerset import read_marker_set, with_markers
from biopose_sim.paths import default_model_path
from biopose_sim.synthetic import gait_coordinates, markers_from_coordinates, random_anthropometry, static_pose

# The longest axis of each segment of the default model.
LONGEST = {
    "pelvis": 2, "femur_r": 1, "tibia_r": 1, "calcn_r": 0, "lumbar": 1, "thorax": 1, "head": 1, "humerus_r": 1,
    "ulna_r": 1, "hand_r": 1,
}  # fmt: skip
RATE = 100.0


def known_truth(persons: int, smoothness: float) -> None:
    """Random people on the default model, 5 mm noise per axis and 2 % gaps: how far the fit is from the truth."""
    generic = OsimModel.from_file(default_model_path())
    rotational = np.array([t == "rotational" for t in generic.motion_types])
    lengths, angles, seconds = [], [], []
    for seed in range(persons):
        scales = random_anthropometry(generic, np.random.default_rng(seed))
        truth = generic.scale(scales)
        walk = gait_coordinates(truth, 2.0, RATE)
        still = np.repeat(static_pose(truth)[None], 50, axis=0)
        trials = [
            markers_from_coordinates(truth, still, np.arange(50) / RATE, name="static", seed=1000 + seed),
            markers_from_coordinates(truth, walk, np.arange(len(walk)) / RATE, name="walk", seed=seed),
        ]
        start = time.perf_counter()
        fitted = fit(generic, trials, FitConfig(ik=IKConfig(smoothness=smoothness)))
        seconds.append(time.perf_counter() - start)
        ratio = fitted.scales / scales
        lengths.append([abs(ratio[generic.body_names.index(b), a] - 1.0) for b, a in LONGEST.items()])
        expected = truth(torch.from_numpy(walk)).coordinates.numpy()
        error = np.degrees(np.abs(fitted.results[1].coordinates - expected)[:, rotational])
        angles.append(error.mean())
        print(
            f"person {seed:3d}: lengths off by {100 * np.median(lengths[-1]):.2f} % (median) "
            f"{100 * max(lengths[-1]):.2f} % (worst: {list(LONGEST)[int(np.argmax(lengths[-1]))]}), angles "
            f"{angles[-1]:.3f} deg, {seconds[-1]:.1f} s",
            flush=True,
        )
    print(
        f"{persons} persons, 5 mm noise per axis, 2 % gaps, smoothness {smoothness:g}: segment lengths within "
        f"{100 * np.median(lengths):.2f} % (median), {100 * np.max(lengths):.2f} % (worst); angles "
        f"{np.mean(angles):.3f} deg mean absolute, {np.max(angles):.3f} worst person; {np.median(seconds):.1f} s a fit"
    )


def real_trials(data: Path) -> None:
    """Weighted marker RMS of the fit beside that of the labs' scaling, on every trial."""
    with tempfile.TemporaryDirectory() as folder:
        cases = {case.name: case for case in pipeline_cases(data, Path(folder))}
        _subject4(data)
        p = data / "pipelines"
        rajagopal = p / "Rajagopal"
        generic = OsimModel.from_file(rajagopal / "generic_unscaled.osim")
        for name, model, static in (
            ("Rajagopal walking", _with_set(generic, rajagopal / "Scale/markerset_walk_preScale.xml"), "static_walk_1"),
            ("Rajagopal running", generic, "static_run"),
        ):
            still = _thinned(read_trc(rajagopal / "ExpData" / f"{static}.trc"))
            _one(name, cases[name], model, still)
        hamner = p / "Hamner"
        model = OsimModel.from_file(hamner / "FullBodyModel_Hamner2010_v2_0.osim")
        _one("Hamner running", cases["Hamner running"], model, _thinned(read_trc(hamner / "subject02_static.trc")))


def _one(name, case, generic: OsimModel, static: Trial) -> None:  # type: ignore[no-untyped-def]
    trial = case.setup.cut(read_trc(case.markers))
    theirs = OsimModel.from_file(case.model)
    config = case.setup.config(theirs, trial)
    before = solve_ik(theirs, trial, config).weighted_marker_rmse.mean()
    fitted = fit(generic, [static, trial], FitConfig(ik=replace(config, coordinate_targets={})))
    _row(name, before, fitted.results[1].weighted_marker_rmse.mean())
    _scales(fitted)


def _subject4(data: Path) -> None:
    folder = data / "opencap_lab_subject4"
    generic = OsimModel.from_file(folder / "Models/unscaled_generic.osim")
    by_hand = OsimModel.from_file(folder / "Models/manually_scaled.osim")
    cases = laboratory_cases(data)
    trials = [_thinned(read_trc(folder / "MarkerData/static1.trc"))]
    trials += [case.setup.cut(read_trc(case.markers)) for case in cases]
    config = cases[0].setup.config(by_hand, trials[1])
    fitted = fit(generic, trials, FitConfig(ik=config, max_frames=150))
    for case, trial, after in zip(cases, trials[1:], fitted.results[1:]):
        before = solve_ik(by_hand, trial, case.setup.config(by_hand, trial)).weighted_marker_rmse.mean()
        _row(case.name, before, after.weighted_marker_rmse.mean())
    _scales(fitted)


def _row(name: str, before: float, after: float) -> None:
    better = "lower" if after < before else "HIGHER"
    print(f"{name:24s} lab's scaling {1e3 * before:6.2f} mm   fit {1e3 * after:6.2f} mm   {better}", flush=True)


def _scales(fitted: FitResult) -> None:
    departure = np.abs(np.log(fitted.scales) - np.log(fitted.scales).mean())
    parts = []
    for g, name in enumerate(fitted.groups.names):
        body = int(np.flatnonzero(fitted.groups.group == g)[0])
        parts.append(f"{name} " + "/".join(f"{s:.2f}" for s in fitted.scales[body]))
    print(f"    scales {', '.join(parts)}; largest departure {100 * np.expm1(departure.max()):.0f} %")
    for warning in fitted.warnings:
        print(f"    {warning}")


def _with_set(model: OsimModel, path: Path) -> OsimModel:
    return with_markers(model, read_marker_set(path, model))


def _thinned(trial: Trial, most: int = 100) -> Trial:
    step = max(1, trial.n_frames // most)
    return replace(trial, time=trial.time[::step], markers=trial.markers[::step])


def main(arguments: list[str] | None = None) -> None:
    """Entry of ``biopose bench fit``."""
    parser = argparse.ArgumentParser("biopose bench fit", description=__doc__)
    parser.add_argument("--persons", type=int, default=12, help="of known truth")
    parser.add_argument("--smoothness", type=float, default=0.0, help="of the motion (see IKConfig)")
    parser.add_argument("--skip-real", action="store_true", help="only the known truth")
    parser.add_argument("--data", help="folder of test data")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    if not options.skip_real:
        real_trials(data_folder(options.data))
    if options.persons:
        known_truth(options.persons, options.smoothness)


if __name__ == "__main__":
    main()
