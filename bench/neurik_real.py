"""OpenCap-lab subject 4: optical markers, Anny fitted to them, virtual markers, NeurIK; against the laboratory's IK.

``biopose bench neurik_real``. Beside NeurIK stand the ``fit`` engine on the same virtual markers, and ``fit`` on the
optical markers themselves (the laboratory's generic model). Compared are the coordinates of pelvis and lower limbs that
both models have and move. ``raw`` is the mean absolute difference in degrees; ``less offset`` is without each
coordinate's median difference over all trials, which is what two models that place their frames differently differ by.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from bench.cases import data_folder, laboratory_cases
from bench.groundtruth_people import TABLES
from biopose_sim.bodies.markers import virtual_markers
from biopose_sim.bodies.optical import BodyFit, BodyFitConfig, fit_body
from biopose_sim.bodies.readers import load, save_sequence
from biopose_sim.ik.fit import fit
from biopose_sim.ik.types import KinematicsResult
from biopose_sim.io import Motion, Trial, read_mot, read_trial
from biopose_sim.kinematics.model import OsimModel
from ik_pipeline.engines import make_engine
from ik_pipeline.model_choice import choose_model
from ik_pipeline.scaling_trials import choose_scaling_trials
from ik_pipeline.sources import open_source
from ik_pipeline.virtual_fit import virtual_fit_config, virtual_model

TARGET = 5.0  # [deg]
PELVIS = ("pelvis_tilt", "pelvis_list", "pelvis_rotation")
LIMB = ("hip_flexion", "hip_adduction", "hip_rotation", "knee_angle", "ankle_angle", "subtalar_angle")
SHARED = (*PELVIS, *(f"{name}_{side}" for side in "rl" for name in LIMB))
STATIC = "static1"
# Frames whose times differ by less are the same [s].
_SAME_TIME = 1e-3
_STILL = np.radians(0.01)  # a coordinate that moves less is locked

Differences = dict[str, dict[str, np.ndarray]]  # by trial, by coordinate, (T,) [deg]


def differences(results: Sequence[KinematicsResult], laboratory: Mapping[str, Motion]) -> Differences:
    """Ours minus the laboratory's [deg], wrapped; coordinates that the laboratory locks are left out."""
    found: Differences = {}
    for result in results:
        if result.name not in laboratory:
            continue
        motion = laboratory[result.name]
        nearest = np.abs(result.time[:, None] - motion.time[None]).argmin(axis=1)
        same = np.abs(motion.time[nearest] - result.time) < _SAME_TIME
        found[result.name] = {}
        for name in SHARED:
            if name not in motion.coordinate_names or name not in result.coordinate_names:
                continue
            theirs = motion.coordinate(name)[nearest[same]]
            if np.ptp(motion.coordinate(name)) > _STILL:
                gap = result.coordinate(name)[same] - theirs
                found[result.name][name] = np.degrees((gap + np.pi) % (2 * np.pi) - np.pi)
    return found


def offsets_of(found: Differences) -> dict[str, float]:
    """Median difference of each coordinate over all trials [deg]."""
    names = {name for trial in found.values() for name in trial}
    return {name: float(np.nanmedian(np.concatenate([t[name] for t in found.values() if name in t]))) for name in names}


def trial_mean(trial: Mapping[str, np.ndarray], offsets: Mapping[str, float] | None = None) -> float:
    """MAE_angle of a trial: mean over coordinates of the mean absolute difference [deg]."""
    return float(np.mean([np.nanmean(np.abs(gap - (offsets or {}).get(name, 0.0))) for name, gap in trial.items()]))


def laboratory_motions(folder: Path, names: Sequence[str]) -> dict[str, Motion]:
    """The laboratory's own inverse kinematics, by trial."""
    model = OsimModel.from_file(folder / "Models" / "manually_scaled.osim")
    kinds = dict(zip(model.coordinate_names, model.motion_types))
    paths = {name: folder / "IK" / f"{name}_manual_scaling_ik.mot" for name in names}
    return {name: read_mot(path, kinds) for name, path in paths.items() if path.is_file()}


def neurik_results(weights: str, trials: Sequence[Trial]) -> Sequence[KinematicsResult]:
    """Motions by the trained network."""
    from biopose_sim.neurik.predict import Predictor
    from biopose_sim.neurik.weights import load_network

    return Predictor(load_network(weights)).person(trials).results


def optical_results(folder: Path, trials: Sequence[Trial]) -> Sequence[KinematicsResult]:
    """Motions by the ``fit`` engine on the optical markers, with the laboratory's generic model."""
    source = open_source("markers", folder)
    person = source.list().persons[0]
    chosen, _ = choose_scaling_trials(person)
    setup = laboratory_cases(folder.parent)[0].setup.path
    generic, pairs = folder / "Models" / "unscaled_generic.osim", TABLES / "measurements_subject4.csv"
    choice = choose_model(virtual=False, path=generic, setup=setup, scale_setup=pairs, place_fixed=True)
    engine = make_engine("fit", choice)
    with tempfile.TemporaryDirectory() as work:
        scaled = engine.scale(person, [(spec, source.read(person, spec)) for spec in chosen], Path(work))
    return [engine.solve(scaled, trial) for trial in trials]


def report(ways: Mapping[str, Differences], output: Path | None) -> None:
    """Print a table per trial and one per coordinate; write both as CSV."""
    offsets = {way: offsets_of(found) for way, found in ways.items()}
    rows = [["trial", *(f"{way} {what}" for way in ways for what in ("raw", "less offset"))]]
    for trial in next(iter(ways.values())):
        figures = [(trial_mean(f[trial]), trial_mean(f[trial], offsets[w])) for w, f in ways.items()]
        rows.append([trial, *(f"{v:.2f}" for pair in figures for v in pair)])
    means = np.mean([[float(v) for v in row[1:]] for row in rows[1:]], axis=0)
    rows.append(["mean", *(f"{v:.2f}" for v in means)])
    names = [n for n in SHARED if all(n in o for o in offsets.values())]
    by_name = [["coordinate", *(f"{way} {what}" for way in ways for what in ("raw", "less offset", "offset"))]]
    for name in names:
        cells = []
        for way, found in ways.items():
            gap = np.concatenate([t[name] for t in found.values() if name in t])
            o = offsets[way][name]
            cells += [np.nanmean(np.abs(gap)), np.nanmean(np.abs(gap - o)), o]
        by_name.append([name, *(f"{v:.2f}" for v in cells)])
    for table, file in ((rows, "trials.csv"), (by_name, "coordinates.csv")):
        width = max(len(row[0]) for row in table) + 2
        for row in table:
            print(
                f"{row[0]:{width}}" + "".join(f"{cell:>{max(len(h), 8) + 2}}" for cell, h in zip(row[1:], table[0][1:]))
            )
        print()
        if output is not None:
            output.mkdir(parents=True, exist_ok=True)
            with (output / file).open("w", newline="", encoding="utf-8") as stream:
                csv.writer(stream).writerows(table)
    for way, value in zip(ways, means[::2]):
        print(f"{way}: MAE_angle {value:.2f} deg (target {TARGET:.0f}: {'reached' if value <= TARGET else 'MISSED'})")


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry of ``biopose bench neurik_real``."""
    parser = argparse.ArgumentParser("biopose bench neurik_real", description=__doc__)
    parser.add_argument("--data", help="folder of test data")
    parser.add_argument("--weights", default="neurik-base", help="folder or name of the trained network")
    parser.add_argument("--trials", nargs="+", help="names; all 24 by default (the static one is always used)")
    parser.add_argument("--person-frames", type=int, default=60, help="frames from which the body is found")
    parser.add_argument("--rate", type=float, default=60.0, help="at which the body's motion is solved [Hz]")
    parser.add_argument("--bodies", help="folder to keep the fitted bodies in, and to take them from if they are there")
    parser.add_argument("--without-optical", action="store_true", help="leave out the fit on the optical markers")
    parser.add_argument("-o", "--output", help="folder for trials.csv and coordinates.csv")
    a = parser.parse_args(arguments)
    folder = data_folder(a.data) / "opencap_lab_subject4"
    every = sorted(path.stem for path in (folder / "MarkerData").glob("*.trc"))
    names = list(dict.fromkeys([STATIC, *(a.trials or every)]))
    trials = [read_trial(folder / "MarkerData" / f"{name}.trc") for name in names]
    # The laboratory has no motion of the static trial: a second of it says all of the body.
    trials[0] = trials[0].crop(trials[0].time[0], trials[0].time[0] + 1.0)
    config = BodyFitConfig(rate=a.rate, person_frames=a.person_frames)
    markers = _bodies(trials, config, None if a.bodies is None else Path(a.bodies))
    laboratory = laboratory_motions(folder, names)
    ways = {"neurik": differences(neurik_results(a.weights, markers), laboratory)}
    ways["fit"] = differences(fit(virtual_model(), markers, virtual_fit_config()).results, laboratory)
    if not a.without_optical:
        ways["fit on optical"] = differences(optical_results(folder, trials), laboratory)
    report(ways, None if a.output is None else Path(a.output))


def _bodies(trials: Sequence[Trial], config: BodyFitConfig, folder: Path | None) -> list[Trial]:
    """Virtual markers of the fitted body, by trial."""
    if folder is not None and all((folder / f"{trial.name}.npz").is_file() for trial in trials):
        return [virtual_markers(load(folder / f"{trial.name}.npz")) for trial in trials]
    start = time.perf_counter()
    found: BodyFit = fit_body(trials, config=config)
    print(f"body fitted to {len(trials)} trials in {time.perf_counter() - start:.0f} s, "
          f"marker RMS {1e3 * float(np.sqrt(np.nanmean(np.concatenate(found.residuals) ** 2))):.1f} mm")  # fmt: skip
    for line in found.warnings:
        print(line)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        for sequence in found.sequences:
            save_sequence(sequence, folder / f"{sequence.name}.npz")
    return [virtual_markers(sequence) for sequence in found.sequences]
