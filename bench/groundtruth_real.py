"""Both engines on the laboratory's recordings of OpenCap-lab subject 4, against its own inverse kinematics."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from bench.cases import Case, data_folder, laboratory_cases
from bench.groundtruth_people import TABLES, shortened
from biopose_sim.ik.types import KinematicsResult
from biopose_sim.io import Motion, Trial, read_mot
from biopose_sim.kinematics.model import OsimModel
from ik_pipeline.compare import Difference, compare_angles, compare_scales
from ik_pipeline.engines import ENGINES, make_engine
from ik_pipeline.model_choice import choose_model
from ik_pipeline.scaling_trials import choose_scaling_trials
from ik_pipeline.sources import open_source
from ik_pipeline.types import Engine, ScaledPerson


def real(data: str | None, opensim_frames: int | None, trials: int | None) -> None:
    """Print a row per trial and engine: marker RMS, and angles against those of the laboratory.

    First on the laboratory's own hand-scaled model with its setups, then scaled by the engine from the generic model.

    Args:
        data: folder of test data.
        opensim_frames: how many frames of each trial OpenSim solves; None for all.
        trials: how many trials; None for all.
    """
    folder = data_folder(data) / "opencap_lab_subject4"
    cases = {case.name.split()[-1]: case for case in laboratory_cases(folder.parent)}
    _same_model(folder, cases, opensim_frames, trials)
    _own_scaling(folder, cases, opensim_frames, trials)


def _same_model(folder: Path, cases: dict[str, Case], opensim_frames: int | None, trials: int | None) -> None:
    print(
        "Inverse kinematics on the laboratory's hand-scaled model with its setups, against its own *_manual_scaling_ik"
    )
    for name, case in list(cases.items())[:trials]:
        choice = choose_model(virtual=False, path=case.model, setup=case.setup.path, scale_setup=_pairs())
        model = choice.model
        person = ScaledPerson(model, np.ones((len(model.body_names), 3)), np.zeros((len(model.marker_names), 3)))
        laboratory = _laboratory(folder, name, model)
        trial = case.setup.load_trial()
        if laboratory is not None:
            trial = trial.crop(float(laboratory.time[0]), float(laboratory.time[-1]))
        for engine in ENGINES:
            part = shortened(trial, None if engine == "fit" else opensim_frames)
            result = make_engine(engine, choice).solve(person, part)
            angles = None if laboratory is None else compare_angles(result, laboratory)
            _row(name, engine, result, angles, None if laboratory is None else _rms_of(model, laboratory, part, result))


def _own_scaling(folder: Path, cases: dict[str, Case], opensim_frames: int | None, trials: int | None) -> None:
    print("Scaled by the engine from the generic model, all 24 trials, against the laboratory's angles")
    source = open_source("markers", folder)
    person = source.list().persons[0]
    chosen, why = choose_scaling_trials(person)
    print(why)
    first = next(iter(cases.values()))
    generic = folder / "Models" / "unscaled_generic.osim"
    # The generic model calls its markers fixed, far from where this person's are.
    choice = choose_model(virtual=False, path=generic, setup=first.setup.path, scale_setup=_pairs(), place_fixed=True)
    read = {trial.name: source.read(person, trial) for trial in person.trials}
    scaled = {}
    for engine in ENGINES:
        tool = make_engine(engine, choice)
        with tempfile.TemporaryDirectory() as work:
            start = time.perf_counter()
            scaled[engine] = tool.scale(person, [(t, read[t.name]) for t in chosen], Path(work))
            print(f"{engine}: scaled in {time.perf_counter() - start:.1f} s; {scaled[engine].how}")
            most = None if engine == "fit" else opensim_frames
            _solve_all(tool, scaled[engine], folder, dict(list(read.items())[:trials]), most)
    print(compare_scales(scaled["fit"], scaled["opensim"]).table())


def _solve_all(engine: Engine, person: ScaledPerson, folder: Path, read: dict[str, Trial], most: int | None) -> None:
    """Solve the first frames of all trials and print a row each."""
    squares, seconds, frames, all_angles = [], 0.0, 0, list[Difference]()
    for name, trial in read.items():
        part = shortened(trial, most)
        start = time.perf_counter()
        result = engine.solve(person, part)
        seconds += time.perf_counter() - start
        frames += part.n_frames
        squares.append(result.marker_errors.ravel() ** 2)
        laboratory = _laboratory(folder, name, person.model)
        angles = None if laboratory is None else compare_angles(result, laboratory)
        all_angles += [] if angles is None else [angles]
        _row(name, engine.name, result, angles)
    rms = 1e3 * float(np.sqrt(np.nanmean(np.concatenate(squares))))
    median = float(np.median([a.median for a in all_angles])) if all_angles else float("nan")
    print(f"{engine.name}: {len(squares)} trials, {frames} frames in {seconds:.1f} s, marker RMS {rms:.2f} mm, "
          f"median angle difference {median:.2f} deg")  # fmt: skip


def _pairs() -> Path:
    return TABLES / "measurements_subject4.csv"


def _laboratory(folder: Path, name: str, model: OsimModel) -> Motion | None:
    """The laboratory's own motion; None where it has none (the static trial)."""
    path = folder / "IK" / f"{name}_manual_scaling_ik.mot"
    return read_mot(path, dict(zip(model.coordinate_names, model.motion_types))) if path.is_file() else None


def _rms_of(model: OsimModel, motion: Motion, trial: Trial, result: KinematicsResult) -> float:
    """Marker RMS [mm] of a motion of the same model over the frames and markers of a result."""
    rows = [int(np.abs(motion.time - t).argmin()) for t in result.time]
    q = np.stack([motion.coordinate(name)[rows] for name in model.coordinate_names], axis=1)
    points = model(torch.from_numpy(q)).markers.numpy()[:, [model.marker_names.index(n) for n in result.marker_names]]
    measured = trial.markers[:, [trial.marker_names.index(n) for n in result.marker_names]]
    return 1e3 * float(np.sqrt(np.nanmean(((points - measured) ** 2).sum(axis=2))))


def _row(
    name: str, engine: str, result: KinematicsResult, angles: Difference | None, laboratory: float | None = None
) -> None:
    rms = 1e3 * float(np.sqrt(np.nanmean(result.marker_errors**2)))
    text = f"  {name:14}{engine:9}{len(result.time):6} frames  marker RMS {rms:6.2f} mm"
    if laboratory is not None:
        text += f" (laboratory's {laboratory:6.2f})"
    if angles is not None:
        text += f"   angles: median {angles.median:.3f}, 95 % {angles.percentile95:.2f}, most {angles.largest:.1f} deg"
    print(text, flush=True)
