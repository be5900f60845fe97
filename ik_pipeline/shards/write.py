"""Writing shards from the results of a run, a trial at a time."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from biopose_sim.errors import InputError
from biopose_sim.io import atomic_write
from ik_pipeline.shards.arrays import SplitArrays, writing
from ik_pipeline.shards.card import split_counts, write_card
from ik_pipeline.shards.frames import check_scaling, settled, trial_frames
from ik_pipeline.shards.licence import licence_note
from ik_pipeline.shards.model import CHANGES, GenericModel, copy_model, describe, landmarks_of, open_model, root_markers
from ik_pipeline.shards.plan import MANIFEST, Plan, PlannedPerson, PlannedTrial, check_unchanged, make_plan
from ik_pipeline.shards.statistics import TrainingStatistics
from ik_pipeline.shards.types import CARD, SPLITS, Card, ShardConfig
from ik_pipeline.shards.windows import window_starts
from ik_pipeline.store import StoredScaling, read_stored_scaling, read_stored_trial

Progress = Callable[[int, int], None]


def write_shards(
    run_folder: str | Path,
    out: str | Path | None = None,
    config: ShardConfig | None = None,
    progress: Progress | None = None,
) -> Card:
    """Write the solved trials of a run as training shards.

    The same run and configuration give the same bytes. The folder takes the place of an older one as a whole when
    all is written.

    Args:
        run_folder: of a run, with its ``manifest.json``.
        out: folder of the shards; ``shards`` in the run's folder if none is given.
        config: windows, rate and shares.
        progress: called with the frames done and the frames in all.

    Raises:
        InputError: no manifest, one of another version, a model that is not the run's, results that are missing or
            broken, a group in two splits, no trial to write, a folder that holds something else, or a full disk.
    """
    run, config = Path(run_folder), config or ShardConfig()
    target = run / "shards" if out is None else Path(out)
    _check_target(target)
    plan = make_plan(run, config)
    partial = target.with_name(f".{target.name}.partial")
    with writing(target):
        if partial.exists():
            shutil.rmtree(partial)
        partial.mkdir(parents=True)
    try:
        content = _write(run, plan, config, partial, progress or _silent)
        with writing(target):
            _replace(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Card(target, content)


@dataclass
class _Split:
    """What is written of a split, and its tables so far."""

    arrays: SplitArrays
    persons: list[dict[str, Any]] = field(default_factory=list)
    trials: list[dict[str, Any]] = field(default_factory=list)


class _Writer:
    """Puts person after person into the splits."""

    def __init__(
        self, generic: GenericModel, plan: Plan, config: ShardConfig, splits: Mapping[str, _Split], progress: Progress
    ) -> None:
        self.model, self.config, self.splits = generic.model, config, splits
        self.changed_over = tuple(name for name, _ in generic.choice.marker_bodies)
        self.landmarks = landmarks_of(plan.manifest, generic.model)
        self.left_out = list(plan.left_out)
        self.progress, self.total, self.done = progress, plan.frames, 0
        rotational = [kind == "rotational" for kind in self.model.motion_types]
        tree = self.model.tree
        self.statistics = TrainingStatistics(sizes_of(self.model), root_markers(self.model), tree.dependent, rotational)

    def person(self, person: PlannedPerson) -> None:
        """Write a person, where one of the trials is fit for it."""
        split = self.splits[person.split]
        check_unchanged(person.scaling, person.expected)
        scaling = read_stored_scaling(person.scaling)
        check_scaling(person.scaling, scaling, self.model)
        if self.changed_over:
            first = read_stored_trial(person.trials[0].file)
            scaling = settled(scaling, first, self.model, self.changed_over)
        before = len(split.trials)
        for trial in person.trials:
            self._trial(person, trial, scaling, split)
        if len(split.trials) > before:
            split.persons.append(dict(person.row))
            split.arrays.append({"scales": scaling.scales[None], "marker_offsets": scaling.marker_offsets[None]})
            if person.split == "train":
                self.statistics.add_person(scaling.scales)

    def _trial(self, person: PlannedPerson, trial: PlannedTrial, scaling: StoredScaling, split: _Split) -> None:
        check_unchanged(trial.file, trial.expected)
        stored = read_stored_trial(trial.file)
        frames = trial_frames(trial.file, stored, self.model, scaling, self.landmarks, self.config)
        self.done += trial.frames
        self.progress(self.done, self.total)
        if isinstance(frames, str):
            self.left_out.append({"person": person.row["id"], "trial": trial.name, "reason": frames})
            return
        start, rate, count = split.arrays.rows("converged"), frames.grid.rate, len(frames.grid)
        for block in frames.blocks():
            split.arrays.append(block)
            if person.split == "train":
                self.statistics.add_frames(block, stored.free)
        windows = window_starts(count, self.config.window, self.config.stride, self.config.pad)
        split.arrays.append(
            {
                "trial_start": [start],
                "trial_frames": [count],
                "trial_person": [len(split.persons)],
                "trial_rate": [rate],
                "coordinates_free": stored.free[None],
                "coordinates_determined": stored.determined[None],
                "window_start": start + windows,
                "window_trial": np.full(len(windows), len(split.trials)),
            }
        )
        own_rate = (len(stored.time) - 1) / (stored.time[-1] - stored.time[0])
        split.trials.append(
            {
                "name": trial.name,
                "person": person.row["id"],
                "dataset": person.row["dataset"],
                "action": trial.action,
                "frames": count,
                "windows": len(windows),
                "rate": rate,
                "recorded_rate": float(own_rate),
                "start_s": frames.grid.start,
                "quality": {key: value for key, value in trial.quality.items() if not isinstance(value, (list, dict))},
            }
        )


def sizes_of(model: Any) -> dict[str, int]:
    """Return the sizes of the arrays' dimensions by name."""
    names = names_of(model)
    return {"xyz": 3} | {key: len(values) for key, values in names.items()}


def names_of(model: Any) -> dict[str, list[str]]:
    """Return the names along the arrays' dimensions."""
    return {
        "markers": list(model.marker_names),
        "coordinates": list(model.coordinate_names),
        "joints": list(model.joint_names),
        "bodies": list(model.body_names),
    }


def _write(run: Path, plan: Plan, config: ShardConfig, folder: Path, progress: Progress) -> dict[str, Any]:
    if not plan.persons:
        raise InputError(run / MANIFEST, "has no trial that it calls ok")
    generic = _generic_model(plan)
    with ExitStack() as stack:
        sizes = sizes_of(generic.model)
        splits = {name: _Split(stack.enter_context(SplitArrays(folder / name, sizes))) for name in SPLITS}
        writer = _Writer(generic, plan, config, splits, progress)
        for person in plan.persons:
            writer.person(person)
    if not any(split.trials for split in splits.values()):
        reasons = sorted({item["reason"] for item in writer.left_out})
        raise InputError(run / MANIFEST, "has no trial that is fit for shards", "; ".join(reasons[:3]))
    for name, split in splits.items():
        for table in ("persons", "trials"):
            text = json.dumps(getattr(split, table), indent=1) + "\n"
            atomic_write(folder / name / f"{table}.json", text)
    datasets = [person["dataset"] for split in splits.values() for person in split.persons]
    with writing(folder):
        model = copy_model(generic, folder) | describe(generic, writer.landmarks)
    return write_card(
        folder,
        config,
        plan.manifest,
        model,
        {name: split_counts(split.persons, split.trials) for name, split in splits.items()},
        names=names_of(generic.model),
        statistics=writer.statistics.as_json(generic.model.tree.defaults),
        licence=licence_note(datasets, model["default"]),
        left_out=writer.left_out,
    )


def _generic_model(plan: Plan) -> GenericModel:
    entry, engine = plan.manifest["model"], plan.manifest.get("engine") or {}
    markers = Path(entry["markers"]) if entry.get("markers") else None
    names = read_stored_scaling(plan.persons[0].scaling).marker_names
    engine = engine.get("configuration", engine)
    changes = {key: engine[key] for key in CHANGES} if engine.keys() >= set(CHANGES) else None
    return open_model(Path(entry["path"]), markers, names, entry["sha256"], changes)


def _check_target(target: Path) -> None:
    if target.is_dir() and any(target.iterdir()) and not (target / CARD).is_file():
        raise InputError(target, "holds something else than shards", "give an empty or a new folder")
    if target.exists() and not target.is_dir():
        raise InputError(target, "is a file", "give a folder")


def _replace(partial: Path, target: Path) -> None:
    """Put the new folder in the place of the old one."""
    old = target.with_name(f".{target.name}.old")
    if old.exists():
        shutil.rmtree(old)
    if target.exists():
        target.rename(old)
    partial.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _silent(done: int, total: int) -> None:
    """Say nothing."""
