"""Checking files together: which belong to which, and what they say of one another."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from biopose_sim.check.feet import check_feet
from biopose_sim.check.finding import Finding, few, finding
from biopose_sim.check.loads import (
    LoadsFile,
    check_load_bodies,
    check_load_columns,
    check_load_times,
)
from biopose_sim.check.model import ModelFile
from biopose_sim.check.motion import check_motion, coordinate_labels, is_motion
from biopose_sim.check.setup import (
    MOTIONS,
    SetupFile,
    check_actuators,
    check_measurements,
    check_tasks,
    check_times,
)
from biopose_sim.check.storage import StorageFile
from biopose_sim.check.trcfile import TrcFile
from biopose_sim.check.trcmarkers import marker_names_alike
from biopose_sim.check.workspace import MANIFEST, Workspace, files_in
from biopose_sim.io.record import sha256

_BELONGS = 0.5  # of a motion's columns that a model must know


@dataclass(frozen=True)
class Report:
    """What a check found.

    Attributes:
        files: that were read.
        findings: in the order of the files, errors first.
    """

    files: tuple[Path, ...]
    findings: tuple[Finding, ...]

    def count(self, severity: str) -> int:
        """How many findings are of a severity."""
        return sum(f.severity == severity for f in self.findings)


def check_files(paths: Sequence[Path], tell: Callable[[str], None] = lambda _text: None) -> Report:
    """Check files, folders and result folders, alone and together.

    Args:
        paths: files or folders.
        tell: is told what is being read.

    Raises:
        InputError: a path that is not there, cannot be read, or a folder that holds nothing to check.
    """
    space = Workspace()
    named = [file for path in paths for file in (files_in(path) if path.is_dir() else [path])]
    for file in sorted(named, key=lambda p: p.suffix.lower() != ".xml"):  # setups know what the others are for
        tell(f"reading {file.name}")
        if file.name == MANIFEST:
            space.findings += _check_manifest(file)
        else:
            space.add(file)
    tell("comparing")
    _Links(space).check()
    first = {path: i for i, path in enumerate(space.order)}
    unique = {(f.code, f.file.resolve(), f.where, f.message): f for f in reversed(space.findings)}
    ordered = sorted(unique.values(), key=lambda f: (first.get(f.file.resolve(), 0), str(f.file), f.rank))
    return Report(tuple(space.order), tuple(ordered))


def _check_manifest(path: Path) -> list[Finding]:
    """A result folder: whether what its manifest names is still there, as it was written."""
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        outputs = content.get("outputs") or {}
        entries = [(str(name), str(digest)) for name, digest in outputs.items()]
    except (OSError, ValueError, AttributeError) as error:
        return [finding("R01", path, str(error))]
    found = []
    lost = [name for name, _ in entries if not (path.parent / name).is_file()]
    if lost:
        found.append(finding("R02", path, few(lost)))
    changed = [n for n, digest in entries if n not in lost and len(digest) == 64 and sha256(path.parent / n) != digest]
    if changed:
        found.append(finding("R03", path, few(changed)))
    return found


class _Links:
    """Finds partners and compares them; each motion, recording and loads file with one model at most."""

    def __init__(self, space: Workspace) -> None:
        self.space = space
        self.linked: set[Path] = set()
        self.degrees: dict[Path, bool] = {}

    def check(self) -> None:
        """Setups first: they say what belongs together; then what no setup names."""
        for setup in self.space.setups.values():
            self._check_setup(setup)
        for key, storage in self.space.storages.items():
            if key not in self.linked:
                self._check_motion(key, storage, self._model_for(storage))
        for key, recording in self.space.recordings.items():
            if key not in self.linked:
                self._check_recording(recording, self._model_with_markers(recording))
        for key, loads in self.space.loads.items():
            if key not in self.linked:
                self._check_free_loads(loads)
        self._check_same_trial()

    def _add(self, found: list[Finding]) -> None:
        self.space.findings += found

    # --- setups

    def _check_setup(self, setup: SetupFile) -> None:
        for file in setup.inputs:
            if not file.path.is_file():
                self._add([self.space.absent(setup.path, file.tag, file.written)])
        model = next((m for path in setup.named("model_file") if (m := self.space.model(path))), None)
        recording = next((r for p in setup.named("marker_file") if (r := self._recording(p))), None)
        self._check_setup_tasks(setup, model, recording)
        motion = None
        for path in setup.named(*MOTIONS):
            key = path.resolve()
            if (storage := self.space.storages.get(key)) is not None:
                self._check_motion(key, storage, model)
                motion = storage if is_motion(storage) else motion
                if storage.readable:
                    span = (float(np.nanmin(storage.time)), float(np.nanmax(storage.time)))
                    self._add(check_times(setup, span, storage.path))
        if recording is not None:
            self.linked.add(recording.path.resolve())
            if recording.readable and setup.tool != "ScaleTool":
                span = (float(np.nanmin(recording.time)), float(np.nanmax(recording.time)))
                self._add(check_times(setup, span, recording.path))
        for path in setup.named("external_loads_file"):
            if (loads := self.space.loads.get(path.resolve())) is not None:
                self._check_loads(loads, model, motion)

    def _recording(self, path: Path) -> TrcFile | None:
        return self.space.recordings.get(path.resolve())

    def _check_setup_tasks(self, setup: SetupFile, model: ModelFile | None, recording: TrcFile | None) -> None:
        markers = set(model.markers) if model else set()
        for path in setup.named("marker_set_file"):
            if (document := self.space.others.get(path.resolve())) is not None and document.content is not None:
                markers |= {e.get("name", "") for e in document.content.iter("Marker")}
        recorded = recording.names if recording is not None and recording.names else None
        coordinates = model.coordinates if model else ()
        bodies = model.bodies if model else ()
        contents = [(setup.path, setup.content)]
        for file in setup.inputs:
            other = self.space.others.get(file.path.resolve())
            if other is not None and other.content is not None and other.kind != "MarkerSet":
                contents.append((other.path, other.content))
        for path, content in contents:
            self._add(check_tasks(path, content, coordinates, markers, recorded))
            if path != setup.path:
                self._add(check_actuators(path, content, coordinates, bodies))
        if setup.tool == "ScaleTool":
            self._add(check_measurements(setup, bodies, markers, recorded))
        elif recording is not None and recorded:
            used = {n for _, c in contents for n in _used(c)}
            zero = [name for name in recording.always_zero if name in used and name in markers]
            if zero:
                message = f"{few(zero)}: always (0, 0, 0), and a task of {setup.path.name} follows it"
                self._add([finding("T11", recording.path, message)])

    # --- motions

    def _check_motion(self, key: Path, storage: StorageFile, model: ModelFile | None) -> None:
        if key in self.linked or not (is_motion(storage) or model is not None):
            return
        self.linked.add(key)
        found = check_motion(storage, model)
        self.degrees[key] = storage.in_degrees != any(f.code in ("M04", "M05") for f in found)
        self._add(found)

    def _model_for(self, storage: StorageFile) -> ModelFile | None:
        """The model that knows the motion's columns best; the only one where there is one and it is a motion."""
        labels = set(coordinate_labels(storage))
        if not labels or not is_motion(storage):
            return None
        models = list(self.space.models.values())
        if len(models) == 1:
            return models[0]

        def score(model: ModelFile) -> tuple[float, float, int]:
            both = labels & set(model.coordinates)
            shares = len(both) / len(labels), len(both) / max(1, len(model.coordinates))
            return min(shares[0], 1.0), shares[1], -_distance(model.path, storage.path)

        best = max(models, key=score, default=None)
        return best if best is not None and min(score(best)[:2]) >= _BELONGS else None

    # --- recordings

    def _model_with_markers(self, recording: TrcFile) -> ModelFile | None:
        models = [m for m in self.space.models.values() if m.markers]
        if len(models) == 1:
            return models[0]
        names = set(recording.names)
        best = max(models, key=lambda m: len(names & set(m.markers)), default=None)
        return best if best is not None and names & set(best.markers) else None

    def _check_recording(self, recording: TrcFile, model: ModelFile | None) -> None:
        if model is None or not recording.names:
            return
        ours, theirs = recording.names, set(model.markers)
        shared = theirs & set(ours)
        spelt = marker_names_alike([n for n in model.markers if n not in shared])
        alike = [(n, spelt[key][0]) for n in ours if n not in shared for key in marker_names_alike([n]) if key in spelt]
        if alike:
            pairs = [f"{there} is {here} in {model.path.name}" for there, here in alike]
            self._add([finding("T17", recording.path, few(pairs, 3))])
        if not shared and not alike:
            self._add([finding("T16", recording.path, f"{model.path.name} has {few(list(model.markers))}")])
        elif only := [n for n in ours if n not in theirs]:
            self._add([finding("T18", recording.path, f"only here: {few(only)}")])
        if shared and (only := [n for n in model.markers if n not in set(ours)]):
            self._add([finding("T18", recording.path, f"only in {model.path.name}: {few(only)}")])

    def _check_same_trial(self) -> None:
        """Times of a motion and of the recording that it came from: of the same name, or the only ones."""
        motions = [s for k, s in self.space.storages.items() if k in self.degrees and s.readable]
        recordings = [r for r in self.space.recordings.values() if r.readable]
        alone = len(motions) == len(recordings) == 1
        for motion in motions:
            for recording in recordings:
                if alone or motion.path.stem == recording.path.stem:
                    (a, b), (c, d) = ((np.nanmin(t), np.nanmax(t)) for t in (motion.time, recording.time))
                    if b < c or d < a:
                        message = f"{a:g} to {b:g} s, but {recording.path.name} has {c:g} to {d:g} s"
                        self._add([finding("M22", motion.path, message)])

    # --- loads

    def _check_free_loads(self, loads: LoadsFile) -> None:
        """Loads that no setup names: with the model that has their bodies, and the only motion of their time."""
        models = sorted(self.space.models.values(), key=lambda m: _distance(m.path, loads.path))
        bodies = {load.body for load in loads.loads}
        model = next((m for m in models if bodies <= m.bodies), models[0] if models else None)
        motions = [s for k, s in self.space.storages.items() if k in self.degrees]
        self._check_loads(loads, model, motions[0] if len(motions) == 1 else None)

    def _check_loads(self, loads: LoadsFile, model: ModelFile | None, motion: StorageFile | None) -> None:
        self.linked.add(loads.path.resolve())
        if model is not None:
            self._add(check_load_bodies(loads, model))
        data = self.space.storages.get(loads.data.resolve()) if loads.data else None
        if data is None:
            return
        found = check_load_columns(loads, data)
        if motion is not None:
            found += check_load_times(loads, data, motion)
        if model is not None and motion is not None and not any(f.severity == "error" for f in found):
            found += check_feet(loads, data, motion, model, self.degrees.get(motion.path.resolve(), False))
        self._add(found)


def _used(content: Any) -> dict[str, float]:
    from biopose_sim.check.setup import marker_tasks

    return {name: weight for name, weight in marker_tasks(content).items() if weight > 0.0}


def _distance(one: Path, other: Path) -> int:
    """Steps between two folders."""
    a, b = one.resolve().parent.parts, other.resolve().parent.parts
    shared = sum(1 for _ in _common(a, b))
    return len(a) + len(b) - 2 * shared


def _common(a: tuple[str, ...], b: tuple[str, ...]) -> list[str]:
    same = []
    for x, y in zip(a, b):
        if x != y:
            break
        same.append(x)
    return same
