"""How far our solver and OpenSim's are apart on one model file, and which of the two is at the minimum."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.groundtruth_people import Subject, cmu_subject, d3ke_choice, d3ke_subject, mark, scaling_input, shortened
from biopose_sim.ik.cpu import CpuEngine
from biopose_sim.ik.solver import problem_of, solve_ik
from biopose_sim.ik.types import Array, IKConfig, KinematicsResult
from biopose_sim.io import Trial, write_trc
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.osim.process import run_script
from ik_pipeline.compare import compare_results
from ik_pipeline.engines import make_engine
from ik_pipeline.engines.after_scaling_file import export_person
from ik_pipeline.opensim_tools import TIMEOUT, run_opensim_ik

TIGHT = 1e-9
TARGET = 0.01  # [deg]
D3KE_TRIALS = 4
_SCRIPT = Path(__file__).with_name("_opensim_starts.py")


@dataclass(frozen=True)
class Frames:
    """Frames of a trial, solved from several starts.

    Attributes:
        apart: (F, n) OpenSim's solution from the model's defaults against ours, determined angles [deg].
        returned: (F, n) ours, started from OpenSim's solution, against ours [deg].
        stayed: (n,) OpenSim's, started from our solution of the first frame, against ours [deg].
        ours, theirs, back: (F,) what both make small, half the mean squared marker distance, evaluated by OpenSim
            [m^2]; ``back`` of ours started from OpenSim's solution, by our own kinematics.
        lowered: share by which OpenSim, started from ours, made it smaller.
        seconds: (F,) of processor time that OpenSim took.
    """

    apart: Array
    returned: Array
    stayed: Array
    ours: Array
    theirs: Array
    back: Array
    lowered: float
    seconds: Array


def agreement(data: str | None, frames: int, d3ke_frames: int) -> None:
    """Print how far both solvers are apart, with OpenSim at accuracy 1e-9.

    Args:
        data: folder of test data.
        frames: of each trial on the default model, by OpenSim's InverseKinematicsTool.
        d3ke_frames: of each trial on the D3KE model. OpenSim needs 10 to 50 s for each.
    """
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        cmu = cmu_subject(work, data)
        model, ik = _scaled(cmu, work)
        for _, trial in cmu.trials:
            _agree(model, shortened(trial, frames), ik)
        d3ke = d3ke_subject(d3ke_choice(data), 250 * D3KE_TRIALS, D3KE_TRIALS, noise=0.002)
        model, ik = _scaled(d3ke, work)
        motions = [trial for spec, trial in d3ke.trials if spec.scaling is None]
        with ThreadPoolExecutor(len(motions)) as pool:
            found = list(pool.map(lambda trial: _from_both_sides(model, trial, ik, d3ke_frames), motions))
        _tell(found)


def _scaled(subject: Subject, work: Path) -> tuple[OsimModel, IKConfig]:
    """The model as it is after scaling by our engine, from its file, and how both solve it."""
    scaled = make_engine("fit", subject.choice).scale(subject.spec, scaling_input(subject), work)
    path = export_person(scaled, subject.choice, work / f"{subject.spec.id}.osim")
    return OsimModel.from_file(path), replace(subject.choice.ik, continuity=0.0, tolerance=TIGHT)


def _agree(model: OsimModel, trial: Trial, ik: IKConfig) -> None:
    ours, theirs = solve_ik(model, trial, ik), run_opensim_ik(model, trial, ik, accuracy=TIGHT).result
    found = compare_results(model, ours, theirs)
    assert found.angles is not None  # there are some
    median = found.angles.median
    print(f"Agreement, default model: median {median:.5f} deg, target {TARGET}: {mark(median <= TARGET)}\n"
          f"{found.table(('ours', 'OpenSim'), rows=5)}", flush=True)  # fmt: skip


def _from_both_sides(model: OsimModel, trial: Trial, ik: IKConfig, frames: int) -> Frames:
    """Frames spread over a trial: OpenSim from the defaults and from ours, ours from OpenSim's."""
    result = solve_ik(model, trial, ik)
    rows = np.linspace(0, trial.n_frames - 1, frames + 2).astype(int)[1:-1]
    cold, warm = _solved_by_opensim(model, trial, result, rows)
    names, sure = result.coordinate_names, result.determined & (np.array(result.motion_types) == "rotational")
    theirs = np.array([[done["pose"][name] for name in names] for done in cold])
    engine = CpuEngine(problem := problem_of(model, trial, ik))
    back, cost = result.coordinates[rows].copy(), np.zeros(len(rows))
    for k, row in enumerate(rows):
        sweep = engine.solve_starts(theirs[k : k + 1, problem.reduced.free], int(row))
        back[k, problem.reduced.free] = sweep.coordinates[0]
        cost[k] = 0.5 * float(((sweep.points[0] - problem.targets[row]) ** 2).sum(axis=1).mean())
    own = result.coordinates[rows]
    stayed = np.array([warm[0]["pose"][name] for name in names])
    return Frames(
        apart=np.degrees(np.abs(theirs - own))[:, sure],
        returned=np.degrees(np.abs(back - own))[:, sure],
        stayed=np.degrees(np.abs(stayed - own[0]))[sure],
        ours=np.array([done["before"] for done in warm]),
        theirs=np.array([done["after"] for done in cold]),
        back=cost,
        lowered=1.0 - warm[0]["after"] / warm[0]["before"],
        seconds=np.array([done["seconds"] for done in cold]),
    )


def _solved_by_opensim(model: OsimModel, trial: Trial, result: KinematicsResult, rows: Array) -> tuple[list, list]:
    """What OpenSim's solver says of each frame from the defaults, and from our solution, there only of the first."""
    tasks: list[dict[str, Any]] = [{"time": float(trial.time[row]), "start": {}, "solve": True} for row in rows]
    for k, row in enumerate(rows):
        start = dict(zip(result.coordinate_names, map(float, result.coordinates[row])))
        tasks.append({"time": float(trial.time[row]), "start": start, "solve": k == 0})
    with tempfile.TemporaryDirectory() as folder:
        markers = write_trc(Path(folder, "markers.trc"), trial)
        weights = dict(zip(result.marker_names, map(float, result.marker_weights)))
        job = {"model": str(model.path), "markers": str(markers), "weights": weights, "accuracy": TIGHT, "tasks": tasks}
        doing = "solving frames from given poses"
        answer = run_script(_SCRIPT, job, Path(folder), subject=trial.name, doing=doing, timeout=TIMEOUT)
    return answer["solved"][: len(rows)], answer["solved"][len(rows) :]


def _tell(found: list[Frames]) -> None:
    apart, returned = (np.concatenate([getattr(f, name).ravel() for f in found]) for name in ("apart", "returned"))
    ours, theirs, back, seconds = (
        np.concatenate([getattr(f, name) for f in found]) for name in ("ours", "theirs", "back", "seconds")
    )
    stayed = np.concatenate([f.stayed for f in found])
    above, again = 100.0 * (theirs / ours - 1.0), 100.0 * (back / ours - 1.0)
    median = float(np.median(apart))
    print(f"Agreement, D3KE full body, {len(ours)} frames of {len(found)} trials, each from the model's defaults: "
          f"median {median:.3f} deg, target {TARGET}: {mark(median <= TARGET)}\n"
          f"  determined angles, OpenSim against ours [deg]: {_quantiles(apart)}\n"
          f"  what both make small, evaluated by OpenSim: OpenSim ends above ours by [%] {_quantiles(above)}; "
          f"ours is lower in {int((above > 0).sum())} of {len(ours)} frames\n"
          f"  ours started from OpenSim's solution, against ours [deg]: {_quantiles(returned)}; "
          f"objective above ours by [%] {_quantiles(again)}\n"
          f"  OpenSim started from our solution ({len(found)} frames): lowers it by at most "
          f"{max(f.lowered for f in found):.1e} of itself, moves by at most {stayed.max():.5f} deg\n"
          f"  processor time of OpenSim a frame: median {np.median(seconds):.0f} s", flush=True)  # fmt: skip


def _quantiles(values: Array) -> str:
    cuts = np.percentile(values, [25, 50, 75, 95, 100])
    return ", ".join(f"{name} {value:.4f}" for name, value in zip(("25 %", "median", "75 %", "95 %", "most"), cuts))


if __name__ == "__main__":
    agreement(None, 100, 5)
