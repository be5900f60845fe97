"""What a worker does: scale a person, solve a trial, finish a person. Each reads and writes its own files."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np

from biopose_sim.errors import BioposeError, InputError
from biopose_sim.io import Trial, write_mot, write_trc
from biopose_sim.io.notice import listed
from biopose_sim.osim.process import OpenSimError
from ik_pipeline.quality import TrialQuality, measure_person, measure_trial
from ik_pipeline.runner import keys
from ik_pipeline.runner.errors import noticing_full_disks, writing
from ik_pipeline.runner.kit import MOST_ATTEMPTS, Kit
from ik_pipeline.runner.records import MODEL, person_folder, read_record, record_path, valid_record, write_record
from ik_pipeline.runner.types import FINISH, SCALE, SOLVE, Done, Job
from ik_pipeline.scaling_trials import choose_scaling_trials
from ik_pipeline.store import SCALING, StoredScaling, read_stored_trial, stored_trial, write_stored
from ik_pipeline.types import Array, PersonSpec, ScaledPerson, TrialSpec

if TYPE_CHECKING:
    from biopose_sim.ik.types import KinematicsResult

T = TypeVar("T")
# Fewer markers than this do not tell where a body is; so many that model and recording share are no chance.
_FEWEST, _MANY = 3, 10


class BadInput(InputError):
    """A file of the data set that cannot be used."""

    def __init__(self, path: Path, error: InputError) -> None:
        super().__init__(error.source, error.problem, error.remedy)
        self.path = path

    @property
    def named(self) -> tuple[Path, str]:
        """The file and why it cannot be used."""
        return self.path, f"{self.problem}; {self.remedy}" if self.remedy else self.problem


def do(kit: Kit, job: Job) -> Done:
    """Do a job.

    Raises:
        OutputError: results cannot be written.
    """
    started = time.perf_counter()
    with kit.attempt(job) as begun:
        if begun > MOST_ATTEMPTS:
            times = "twice" if MOST_ATTEMPTS == 2 else f"{MOST_ATTEMPTS} times"
            return Done(failed=f"the worker process that worked on it died, {times}")
        try:
            with noticing_full_disks(kit.folder):
                done = _done_before(kit, job) or _WORK[job.kind](kit, job)
        except BadInput as error:
            done = Done(failed=str(error), bad_files=(error.named,))
        except BioposeError as error:
            if not isinstance(error, (InputError, OpenSimError)):
                raise
            done = Done(failed=str(error))
    return replace(done, seconds=time.perf_counter() - started)


def forget(kit: Kit, job: Job) -> None:
    """Make the result of a job not count."""
    _record_of(kit, job).unlink(missing_ok=True)


def _record_of(kit: Kit, job: Job) -> Path:
    name = job.trial.name if job.kind == SOLVE else {SCALE: SCALING, FINISH: MODEL}[job.kind]
    return record_path(kit.folder, job.person.id, name)


def _done_before(kit: Kit, job: Job) -> Done | None:
    """What became of a job that was done in this run, by a worker that died before it could tell."""
    record = valid_record(_record_of(kit, job), None if job.kind == SCALE else job.key)
    if record is None or (job.kind == SCALE and not kit.has(record["key"])):
        return None
    return Done(key=record["key"] if job.kind == SCALE else "", frames=record.get("frames", 0))


def _scale(kit: Kit, job: Job) -> Done:
    """Scale by the trials that suit it; those that cannot be read are left out and others chosen."""
    person, folder = job.person, person_folder(kit.folder, job.person.id)
    bad: dict[str, BadInput] = {}
    read: dict[str, Trial] = {}
    while True:
        poses, trials = (
            tuple(trial for trial in group if trial.name not in bad) for group in (person.poses, person.trials)
        )
        rest = replace(person, poses=poses, trials=trials)
        if not rest.recordings:
            first = next(iter(bad.values()))
            return Done(failed=f"none of its trials can be read: {first}", bad_files=_files(bad.values()))
        chosen, why = choose_scaling_trials(rest)
        try:
            for trial in chosen:
                if trial.name not in read:
                    read[trial.name] = _read(kit, person, trial)
        except BadInput as error:
            bad[trial.name] = error
        else:
            break
    used = [(trial, read[trial.name]) for trial in chosen]
    with writing(folder):
        folder.mkdir(exist_ok=True)
        _remove_folders(folder)
    scaled = _twice(lambda: kit.parts.engine.scale(person, used, folder))
    key = keys.person_key(job.run_key, person, chosen, bad, job.hashes)
    _write_scaling(kit, job, scaled, key, (why, [trial.name for trial in chosen], list(bad)))
    kit.keep(key, scaled)
    return Done(key=key, bad_files=_files(bad.values()))


def _write_scaling(
    kit: Kit, job: Job, scaled: ScaledPerson, key: str, chosen: tuple[str, list[str], list[str]]
) -> None:
    why, trials, left_out = chosen
    folder = person_folder(kit.folder, job.person.id)
    model = scaled.model
    stored = StoredScaling(scaled.scales, model.body_names, scaled.marker_offsets, model.marker_names)
    with writing(folder):
        written = write_stored(folder / f"{SCALING}.npz", stored)
        entry = {"why": why, "trials": trials, "left_out": left_out, "how": scaled.how, "warnings": scaled.warnings}
        # An engine's own files lie in a folder of their own.
        own = sorted(path for path in folder.glob("*/**/*") if path.is_file())
        write_record(record_path(kit.folder, job.person.id, SCALING), key, entry, [written, *own])


def _solve(kit: Kit, job: Job) -> Done:
    spec, folder = job.trial, person_folder(kit.folder, job.person.id)
    trial = _read(kit, job.person, spec)
    person = kit.scaled(job.person_key)
    result = _twice(lambda: kit.parts.engine.solve(person, trial))
    quality = measure_trial(person.model, result, trial, kit.parts.choice.landmarks)
    with writing(folder):
        written = [write_stored(folder / f"{spec.name}.npz", stored_trial(result, trial))]
        if kit.wanted.mot:
            written.append(write_mot(folder / f"{spec.name}.mot", result))
        if kit.wanted.trc:
            written.append(write_trc(folder / f"{spec.name}.trc", trial))
        entry = {
            "frames": trial.n_frames,
            "quality": dataclasses.asdict(quality),
            "warnings": result.warnings,
        }
        write_record(record_path(kit.folder, job.person.id, spec.name), job.key, entry, written)
    return Done(frames=trial.n_frames)


def _finish(kit: Kit, job: Job) -> Done:
    """Measure the person over all trials and write the model, such that it takes all their motions."""
    person, folder = job.person, person_folder(kit.folder, job.person.id)
    scaled, choice = kit.scaled(job.person_key), kit.parts.choice
    qualities = {}
    for trial in person.trials:
        record = read_record(record_path(kit.folder, person.id, trial.name))
        assert record is not None  # it went well
        qualities[trial.name] = TrialQuality.from_json(record["quality"])
    quality = measure_person(scaled, choice, qualities, person.stature)
    written = []
    if kit.wanted.osim:
        from ik_pipeline.engines.after_scaling_file import export_person

        motions = [_extremes(folder / f"{trial.name}.npz") for trial in person.trials]
        results = cast("Sequence[KinematicsResult]", motions)  # of which it takes the coordinates only
        target = folder / f"{MODEL}.osim"
        written = [_twice(lambda: export_person(scaled, choice, target, person.mass, results))]
    with writing(kit.folder):
        write_record(
            record_path(kit.folder, person.id, MODEL), job.key, {"quality": dataclasses.asdict(quality)}, written
        )
    return Done()


_WORK: dict[str, Callable[[Kit, Job], Done]] = {SCALE: _scale, SOLVE: _solve, FINISH: _finish}


@dataclass(frozen=True)
class _Extremes:
    """The least and the largest value of each coordinate, (2, n_q) [rad | m]: all that decides a model's ranges."""

    coordinates: Array
    coordinate_names: tuple[str, ...]


def _extremes(path: Path) -> _Extremes:
    stored = read_stored_trial(path)
    q = stored.coordinates
    return _Extremes(np.stack([q.min(axis=0), q.max(axis=0)]), stored.coordinate_names)


def _read(kit: Kit, person: PersonSpec, trial: TrialSpec) -> Trial:
    try:
        read = kit.parts.source.read(person, trial)
        _check_names(read, kit.parts.choice.model.marker_names)
        return read
    except InputError as error:
        named = [path for path in trial.files if str(path) == error.source]
        raise BadInput((named or list(trial.files))[0], error) from error


def _check_names(trial: Trial, known: tuple[str, ...]) -> None:
    """Refuse markers of another set: the few that bear the same name by chance fit perfectly and tell nothing.

    Raises:
        InputError: hardly any marker is in the model.
    """
    shared = [name for name in trial.marker_names if name in known]
    chance = len(shared) < _MANY and 2 * len(shared) < min(len(trial.marker_names), len(known))
    if chance or len(shared) < _FEWEST:
        shown = f" ({listed(shared)})" if shared else ""
        problem = f"shares {len(shared)} of its {len(trial.marker_names)} markers with the model{shown}"
        raise InputError(trial.source or trial.name, problem, "give the model or the marker set that has its markers")


def _remove_folders(folder: Path) -> None:
    """Remove what an engine wrote at another time."""
    for inside in folder.iterdir():
        if inside.is_dir():
            shutil.rmtree(inside)


def _files(errors: Iterable[BadInput]) -> tuple[tuple[Path, str], ...]:
    return tuple(error.named for error in errors)


def _twice(work: Callable[[], T]) -> T:
    """Do it once more if OpenSim fails."""
    try:
        return work()
    except OpenSimError:
        return work()
