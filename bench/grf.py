"""Estimated against measured ground reaction, on people who were measured with both. ``biopose bench grf``.

Errors are root mean squares in percent of the model's body weight. "stance": each foot, over the frames in which a
plate under it bears more than 20 N. "all": each foot, over all frames in which its force is known: also those in which
it is in the air or, where every place to stand is a plate (treadmills, squats, chairs, jumps), unloaded. "total": the
sum of both feet, where both are known.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench.cases import Case, data_folder, laboratory_cases, pipeline_cases
from biopose_sim.forces import contact, momentum
from biopose_sim.forces.assignment import LEAST_LOAD
from biopose_sim.forces.estimate import estimate_ground_reaction
from biopose_sim.forces.loads import read_grf_mot, read_loads
from biopose_sim.forces.types import GRAVITY, GroundReaction
from biopose_sim.ik.fit import FitConfig, fit
from biopose_sim.ik.solver import solve_ik
from biopose_sim.io import Motion, read_mot, read_trc
from biopose_sim.kinematics.model import OsimModel

TARGET = 8.0  # % of body weight, vertical, walking
_POINT_LOAD = 100.0  # [N] from which a centre of pressure means something
_LOADS = {
    "Gait2354": "Gait2354_Simbody/subject01_walk1_grf.xml",
    "Hamner running": "Hamner/External_Loads.xml",
    "Rajagopal walking": "Rajagopal/ID/grf_walk.xml",
    "Rajagopal running": "Rajagopal/ID/grf_run.xml",
}
_ACTIVITIES = {"walking": "walking", "DJ": "drop jump", "STS": "sit-to-stand", "squats": "squat"}


@dataclass(frozen=True, eq=False)
class Recording:
    """A motion and the forces that plates measured with it.

    Attributes:
        name: of the trial.
        activity: of the summary's line.
        model: that moved.
        motion: its coordinates.
        measured: the plates' forces by foot.
        mass: of the person [kg].
        everywhere: whether a plate is wherever the feet can stand.
    """

    name: str
    activity: str
    model: OsimModel
    motion: Motion
    measured: GroundReaction
    mass: float
    everywhere: bool


@dataclass(frozen=True, eq=False)
class Errors:
    """Of one trial: each (3,) along x, y (up), z in % of body weight; the centre of pressure in mm."""

    stance: np.ndarray
    all: np.ndarray
    total: np.ndarray
    point: float
    frames: int


def recordings(data: Path, work: Path, only: str = "", fitted: bool = False) -> Iterator[Recording]:
    """Subject 4 with its laboratory's model and motion (or our fit), and OpenSim's own pipelines with our IK."""
    folder = data / "opencap_lab_subject4"
    wanted = [c for c in laboratory_cases(data) if only.lower() in c.name.lower()]
    by_hand = OsimModel.from_file(folder / "Models/manually_scaled.osim")
    mass = momentum.segments(by_hand).total
    motions = _fit_motions(folder, wanted) if fitted else [_laboratory_motion(folder, by_hand, c) for c in wanted]
    for case, (model, motion) in zip(wanted, motions, strict=True):
        trial = case.name.removeprefix("subject 4 ")
        measured = read_grf_mot(folder / f"ID/{trial}_grf.mot", model, motion)
        activity = next(_ACTIVITIES[key] for key in _ACTIVITIES if trial.startswith(key))
        name, everywhere = f"{case.name}", activity != "walking"
        yield Recording(name, f"subject 4 {activity}", model, motion, measured, mass, everywhere)
    if fitted:
        return
    for case in pipeline_cases(data, work):
        if case.name in _LOADS and only.lower() in case.name.lower():
            model = OsimModel.from_file(case.model)
            markers = case.setup.cut(read_trc(case.markers))
            result = solve_ik(model, markers, case.setup.config(model, markers))
            motion = Motion(
                case.name, result.time, result.coordinates, tuple(result.coordinate_names), tuple(result.motion_types)
            )
            measured = read_loads(data / "pipelines" / _LOADS[case.name])
            everywhere = case.name != "Rajagopal walking"
            own = momentum.segments(model).total
            yield Recording(case.name, case.name, model, motion, measured, own, everywhere)


def _laboratory_motion(folder: Path, model: OsimModel, case: Case) -> tuple[OsimModel, Motion]:
    trial = case.name.removeprefix("subject 4 ")
    types = dict(zip(model.coordinate_names, model.motion_types))
    return model, read_mot(folder / f"IK/{trial}_manual_scaling_ik.mot", types)


def _fit_motions(folder: Path, cases: list[Case]) -> list[tuple[OsimModel, Motion]]:
    """The laboratory's generic model scaled by our fit to the markers of all trials."""
    generic = OsimModel.from_file(folder / "Models/unscaled_generic.osim")
    static = read_trc(folder / "MarkerData/static1.trc")
    trials = [static, *(case.setup.cut(read_trc(case.markers)) for case in cases)]
    by_hand = OsimModel.from_file(folder / "Models/manually_scaled.osim")
    result = fit(generic, trials, FitConfig(ik=cases[0].setup.config(by_hand, trials[1]), max_frames=150))
    return [
        (result.model, Motion(r.name, r.time, r.coordinates, tuple(r.coordinate_names), tuple(r.motion_types)))
        for r in result.results[1:]
    ]


def on_clock(reaction: GroundReaction, time: np.ndarray) -> GroundReaction:
    """Forces and points at other times, by straight lines."""

    def at(values: np.ndarray) -> np.ndarray:
        return np.stack([np.interp(time, reaction.time, column) for column in values.T], axis=1)

    feet = (replace(f, force=at(f.force), point=at(f.point), torque=at(f.torque)) for f in reaction.feet)
    return replace(reaction, time=time, feet=tuple(feet))


def compare(recording: Recording, estimated: GroundReaction) -> tuple[Errors, GroundReaction]:
    """Errors of an estimate, and what was measured on its clock."""
    time = estimated.time
    measured = on_clock(recording.measured, time)
    recorded = (time >= recording.measured.time[0]) & (time <= recording.measured.time[-1])
    transforms = momentum.body_transforms(recording.model, recording.motion)
    soles, _ = contact.soles(recording.model, time, transforms)
    off, loaded, known, points = [], [], [], []
    for sole in soles:
        truth, guess = (next(f for f in r.feet if f.body == sole.body) for r in (measured, estimated))
        on = recorded & (truth.force[:, 1] > LEAST_LOAD)
        air = sole.strength.max(axis=1) < 0.05
        off.append(guess.force - truth.force)
        loaded.append(on)
        known.append(recorded if recording.everywhere else on | (air & recorded))
        both = recorded & (np.minimum(truth.force[:, 1], guess.force[:, 1]) > _POINT_LOAD)
        points.append(np.linalg.norm((guess.point - truth.point)[both][:, [0, 2]], axis=1))
    scale = 100.0 / (recording.mass * GRAVITY)
    errors = np.array(off) * scale
    every = np.all(known, axis=0)
    return Errors(
        stance=_rms(errors[np.array(loaded)]),
        all=_rms(errors[np.array(known)]),
        total=_rms(errors.sum(axis=0)[every]),
        point=1e3 * float(np.sqrt(np.mean(np.concatenate(points) ** 2))),
        frames=int(np.sum(loaded)),
    ), measured


def _rms(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.sqrt((values**2).mean(axis=0)))


def main(arguments: list[str] | None = None) -> None:
    """Entry of ``biopose bench grf``."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("biopose bench grf", description=__doc__, formatter_class=form)
    parser.add_argument("--only", default="", help="trials whose name contains this")
    parser.add_argument("--fit", action="store_true", help="subject 4 by our fit instead of the laboratory's motion")
    parser.add_argument("--cutoff", type=float, default=6.0, help="of the smoothing [Hz]")
    parser.add_argument("--pictures", type=Path, help="folder for a plot of each trial")
    parser.add_argument("--data", help="folder of test data")
    options = parser.parse_args(arguments)
    by_activity: dict[str, list[Errors]] = {}
    print(f"{'% of body weight':26s} stance: vertical fore-aft lateral | all: vert | total: vert fore lat | CoP mm")
    with tempfile.TemporaryDirectory() as folder:
        for recording in recordings(data_folder(options.data), Path(folder), options.only, options.fit):
            estimated = estimate_ground_reaction(
                recording.model, recording.motion, cutoff_hz=options.cutoff, mass=recording.mass
            )
            errors, measured = compare(recording, estimated)
            by_activity.setdefault(recording.activity, []).append(errors)
            print_row(recording.name, [errors])
            if options.pictures is not None:
                draw(options.pictures, recording, estimated, measured)
    print("mean of the trials")
    for activity, rows in by_activity.items():
        print_row(activity, rows)
    walking = [float(e.stance[1]) for name, rows in by_activity.items() if "walking" in name for e in rows]
    if walking:
        print(f"walking, vertical, stance: {np.mean(walking):.1f} % of body weight (target {TARGET:g})")


def print_row(name: str, rows: list[Errors]) -> None:
    """One line of the table: the mean of some trials."""
    stance, every, total = (np.mean([getattr(e, what) for e in rows], axis=0) for what in ("stance", "all", "total"))
    print(
        f"{name:26s} {stance[1]:16.1f} {stance[0]:8.1f} {stance[2]:7.1f} | {every[1]:9.1f} | "
        f"{total[1]:11.1f} {total[0]:4.1f} {total[2]:3.1f} | {np.mean([e.point for e in rows]):6.0f}",
        flush=True,
    )


def draw(folder: Path, recording: Recording, estimated: GroundReaction, measured: GroundReaction) -> Path:
    """Plot the forces of both feet along three axes: measured dashed, estimated full."""
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(14, 4), layout="constrained")
    weight = recording.mass * GRAVITY
    for axes, axis, label in zip(figure.subplots(1, 3), (1, 0, 2), ("vertical", "fore-aft", "lateral"), strict=True):
        for foot, color in zip(estimated.feet, ("#c0392b", "#2471a3"), strict=False):
            truth = next(f for f in measured.feet if f.body == foot.body)
            axes.plot(measured.time, truth.force[:, axis] / weight, "--", color=color, label=f"{foot.body} measured")
            axes.plot(estimated.time, foot.force[:, axis] / weight, color=color, label=f"{foot.body} estimated")
        axes.set(title=f"{recording.name}: {label}", xlabel="s", ylabel="body weights")
    figure.axes[0].legend(fontsize=7)
    path = folder / f"{recording.name.replace(' ', '_')}.png"
    figure.savefig(path, dpi=80)
    return path


if __name__ == "__main__":
    main()
