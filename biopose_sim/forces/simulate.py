"""From a model and its motion to joint moments, muscle forces and joint loads, by OpenSim's tools."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from biopose_sim.errors import InputError
from biopose_sim.forces import reactions, running, setups, static
from biopose_sim.forces.config import SimulationConfig
from biopose_sim.forces.external import Applied, apply_loads
from biopose_sim.forces.prepared import prepared_motion, write_states
from biopose_sim.forces.running import Frames
from biopose_sim.forces.types import SIMULATION, GroundReaction, Simulation, read_simulation
from biopose_sim.io import Motion, read_mot, write_mot, write_sto
from biopose_sim.io.record import plain, sha256
from biopose_sim.osim.process import run_script

ID = "inverse_dynamics.sto"
FINGERPRINT = "fingerprint"
_FEWEST_FRAMES = 3


def simulate(
    config: SimulationConfig, *, resume: bool = False, tell: Callable[[str], object] = lambda _text: None
) -> Simulation:
    """Simulate a trial and leave everything in its folder; see :class:`Simulation` for what that is.

    All is made in a hidden folder beside and takes its place at the end: an interrupted run leaves nothing.

    Args:
        config: what is wanted.
        resume: whether a simulation that is there already, of the same inputs and wishes, is kept as it is.
        tell: hears what is done now.

    Raises:
        InputError: bad input: files missing or of another model, no numbers, times that do not overlap, ...
        OpenSimError: OpenSim failed.
    """
    config.check()
    fingerprint = _fingerprint(config)
    if resume and (kept := _kept(config.folder, fingerprint)):
        return kept
    _check_folder(config.folder)
    made = [folder for folder in config.folder.parents if not folder.exists()]
    try:
        config.folder.parent.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=f".{config.folder.name}-", dir=config.folder.parent))
    except OSError as error:
        raise InputError(config.folder, f"cannot be written to ({error.strerror})", "choose another folder") from error
    try:
        simulation = _Run(config, stage, tell).everything(fingerprint)
        simulation.write(stage)
        stage.chmod(0o755)
        _publish(stage, config.folder)
        return simulation
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        for folder in made:
            if not any(folder.iterdir()):
                folder.rmdir()


class _Run:
    """One trial in its hidden folder."""

    def __init__(self, config: SimulationConfig, folder: Path, tell: Callable[[str], object]) -> None:
        self.config, self.folder, self.tell = config, folder, tell
        self.files: dict[str, str] = {}
        self.figures: dict[str, Any] = {}
        self.notes: list[str] = []
        self.setups: list[str] = []

    def everything(self, fingerprint: str) -> Simulation:
        """Prepare, run the tools, and say what came out."""
        config = self.config
        found = self._prepare()
        motion, applied, frames = self._inputs(found)
        tools = self._possible(found)
        arms = reactions.chosen_arms(config.arms, found) if "ma" in tools else ()
        joints = reactions.chosen_joints(config.joints, found) if "jr" in tools else ()
        facts = self._facts(frames, bool(applied.files))
        self._write_setups(tools, facts, joints, arms)
        with ThreadPoolExecutor(max_workers=config.processes) as pool:
            dynamics = pool.submit(self._inverse_dynamics) if "id" in tools else None
            self._muscles(pool, tools, motion, frames, found, bool(applied.files), joints, arms)
            if dynamics is not None:
                self.tell(f"{config.name}: inverse dynamics")
                dynamics.result()
        simulation = self._simulation(found, applied, facts, fingerprint)
        return self._judged(simulation)

    def _prepare(self) -> dict[str, Any]:
        """The model with its actuators, in the folder."""
        config = self.config
        self.tell(f"{config.name}: actuators for the model")
        job = {
            "task": "prepare",
            "folder": str(self.folder.resolve()),
            "model": str(config.model.resolve()),
            "force_sets": [str(path.resolve()) for path in config.force_sets],
            "replace": config.replace_forces,
            "reserves": config.reserves,
            "reserve_force": config.reserve_force,
            "residual_force": config.residual_force,
            "target": setups.MODEL,
            "reserve_target": setups.RESERVES,
        }
        with tempfile.TemporaryDirectory(prefix="biopose-simulate-") as place:
            found = run_script(
                running.TOOLS_SCRIPT, job, Path(place), subject=config.model, doing="reading the model", timeout=600.0
            )
        if found["reserves"]:
            self.files["reserve_actuators"] = setups.RESERVES
        if found["loops"]:
            names = ", ".join(found["loops"][:4])
            self.notes.append(
                f"constraints close loops in the model ({names}): inverse dynamics ignores them, static optimization "
                "asks for accelerations that they must allow"
            )
        return found

    def _inputs(self, found: dict[str, Any]) -> tuple[Motion, Applied, Frames]:
        """The motion and the external loads, in the folder, and the frames that both cover."""
        config = self.config
        raw = read_mot(config.motion, {row["name"]: row["kind"] for row in found["coordinates"]})
        own = config.filter_hz if config.filter_by == "biopose" else None
        motion, notes = prepared_motion(raw, found["coordinates"], config.model, own)
        self.notes += notes
        self.tell(f"{config.name}: ground reaction")
        applied = apply_loads(config, raw, found["bodies"], self.folder)
        self.notes += applied.notes
        self.files |= dict(applied.files)
        frames = self._frames(motion, applied)
        write_mot(self.folder / setups.MOTION, motion)
        write_states(self.folder / setups.STATES, motion, found["coordinates"])
        self.files["states"] = setups.STATES
        return motion, applied, frames

    def _frames(self, motion: Motion, applied: Applied) -> Frames:
        config, time = self.config, motion.time
        start = time[0] if config.start is None else config.start
        end = time[-1] if config.end is None else config.end
        if start > end or start > time[-1] or end < time[0]:
            text = f"covers {time[0]:g} to {time[-1]:g} s, and {start:g} to {end:g} s are wanted"
            raise InputError(config.motion, text, "ask for other times")
        if applied.start is not None and applied.end is not None:
            if applied.start > end or applied.end < start:
                text = f"forces from {applied.start:g} to {applied.end:g} s do not overlap the motion's"
                raise InputError(applied.source or "ground reaction", f"{text} {start:g} to {end:g} s")
            if applied.start > start + 1e-6 or applied.end < end - 1e-6:
                start, end = max(start, applied.start), min(end, applied.end)
                self.notes.append(f"simulated from {start:g} to {end:g} s only, where there is a ground reaction")
        slack = 1e-3 * float(np.diff(time).min())
        inside = np.flatnonzero((time >= start - slack) & (time <= end + slack))
        if len(inside) < _FEWEST_FRAMES:
            raise InputError(config.motion, f"has {len(inside)} frames from {start:g} to {end:g} s", "ask for more")
        return Frames(time, int(inside[0]), int(inside[-1]), config.step)

    def _possible(self, found: dict[str, Any]) -> tuple[str, ...]:
        """The tools that make sense with this model."""
        wanted = self.config.wanted
        if any(row["muscle"] and row["applied"] for row in found["actuators"]):
            return wanted
        if set(wanted) != {"id"}:
            self.notes.append("the model has no muscles: inverse dynamics only")
        return ("id",)

    def _facts(self, frames: Frames, loads: bool) -> setups.SetupFacts:
        config = self.config
        start, end = float(frames.time[frames.first]), float(frames.time[frames.last])
        lowpass = config.filter_hz if config.filter_by == "opensim" else None
        own = config.filter_by == "biopose" or config.filter_hz is None
        return setups.SetupFacts(config.name, start, end, loads, None if own else lowpass, config.step)

    def _write_setups(
        self, tools: tuple[str, ...], facts: setups.SetupFacts, joints: tuple[str, ...], arms: tuple[str, ...]
    ) -> None:
        config, folder = self.config, self.folder
        if "id" in tools:
            self.setups.append(setups.write_inverse_dynamics(folder, facts, config.excluded).name)
        if "so" in tools:
            path = setups.write_static_optimization(
                folder, facts, config.exponent, config.physiology, config.convergence
            )
            self.setups.append(path.name)
        if "jr" in tools:
            self.setups.append(setups.write_joint_reaction(folder, facts, joints, config.frames).name)
        if "ma" in tools:
            self.setups.append(setups.write_muscle_analysis(folder, facts, arms).name)

    def _inverse_dynamics(self) -> None:
        tables = running.opensim_tool(
            self.folder, setups.ID_SETUP, trial=self.config.name, doing="inverse dynamics", task="inverse_dynamics"
        )
        write_sto(self.folder / ID, tables[ID])
        self.files["inverse_dynamics"] = ID

    def _muscles(
        self,
        pool: ThreadPoolExecutor,
        tools: tuple[str, ...],
        motion: Motion,
        frames: Frames,
        found: dict[str, Any],
        loads: bool,
        joints: tuple[str, ...],
        arms: tuple[str, ...],
    ) -> None:
        config = self.config
        engine = ""
        if "so" in tools:
            self.tell(f"{config.name}: static optimization")
            result = static.optimize(pool, config, self.folder, motion, frames, found, loads, arms)
            engine = result.engine
            self.files |= result.files
            self.figures |= {"static_optimization_engine": engine, **result.figures}
            self.notes += result.notes
        if "jr" in tools:
            self.tell(f"{config.name}: joint reaction")
            self.files |= reactions.write_reactions(
                pool, self.folder, frames, config.processes, config.frames, config.name
            )
        if "ma" in tools and engine != "fast":
            self.tell(f"{config.name}: muscle analysis")
            self.files |= reactions.write_muscles(pool, self.folder, frames, config.processes, arms, config.name)

    def _simulation(
        self, found: dict[str, Any], applied: Applied, facts: setups.SetupFacts, fingerprint: str
    ) -> Simulation:
        config = self.config
        return Simulation(
            trial=config.name,
            model=setups.MODEL,
            motion=setups.MOTION,
            mass=found["mass"],
            start=facts.start,
            end=facts.end,
            filter_hz=config.filter_hz,
            grf_origin=applied.origin,
            grf_source=applied.source,
            files=self.files,
            setups=tuple(self.setups),
            figures={**self.figures, FINGERPRINT: fingerprint},
            warnings=tuple(dict.fromkeys(self.notes)),
        )

    def _judged(self, simulation: Simulation) -> Simulation:
        """The simulation with the sizes of residuals and reserves, and what is to be said of them."""
        from biopose_sim.forces.quality import reserve_checks, residual_checks
        from biopose_sim.forces.results import Results

        results = Results(self.folder, simulation)
        try:
            checks = [*residual_checks(results), *reserve_checks(results)]
        except InputError as error:
            note = f"residuals and reserves were not judged: {error}"
            return replace(simulation, warnings=(*simulation.warnings, note))
        figures, notes = dict(simulation.figures or {}), list(simulation.warnings)
        for check in checks:
            name = "_".join(word for word in (check.name.replace(" ", "_"), check.coordinate) if word)
            figures[f"{name}_peak"], figures[f"{name}_rms"] = check.peak, check.rms
            if check.passed is False and check.limit is not None:
                what = f"{check.name} {check.coordinate}".strip()
                text = f"{what} reaches {check.peak:.3g} {check.unit}; at most {check.limit:.3g}"
                notes.append(f"{text} ({check.against}) is acceptable")
        return replace(simulation, figures=figures, warnings=tuple(notes))


def _fingerprint(config: SimulationConfig) -> str:
    """Hash of all that decides the result."""
    wishes = {f.name: getattr(config, f.name) for f in fields(config) if f.name not in ("folder", "workers", "grf")}
    inputs = [config.model, config.motion, *config.force_sets]
    digest = hashlib.sha256(json.dumps(plain(wishes), sort_keys=True).encode())
    grf = config.grf
    if isinstance(grf, GroundReaction):
        for foot in grf.feet:
            digest.update(np.concatenate([foot.force, foot.point, foot.torque]).tobytes())
    elif isinstance(grf, Path) and grf.is_file():
        inputs.append(grf)
        inputs += [file for file in sorted(grf.parent.glob("*.mot")) if grf.suffix == ".xml" and _names(grf, file)]
    digest.update(str(grf if isinstance(grf, str) else type(grf).__name__).encode())
    for path in inputs:
        digest.update(sha256(path).encode())
    return digest.hexdigest()


def _names(loads: Path, table: Path) -> bool:
    return table.name.encode() in loads.read_bytes()


def _kept(folder: Path, fingerprint: str) -> Simulation | None:
    """The simulation of a folder, if it is of the same inputs and whole."""
    if not (folder / SIMULATION).is_file():
        return None
    try:
        found = read_simulation(folder)
    except InputError:
        return None
    whole = all((folder / name).exists() for name in (*found.files.values(), *found.setups, found.model, found.motion))
    return found if whole and (found.figures or {}).get(FINGERPRINT) == fingerprint else None


def _check_folder(folder: Path) -> None:
    if folder.is_file():
        raise InputError(folder, "is a file", "name a folder")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / SIMULATION).is_file():
        raise InputError(folder, "holds other files", "name a folder of its own: it is replaced as a whole")


def _publish(stage: Path, folder: Path) -> None:
    """Put the new folder in the place of the old one."""
    old = stage.with_name(f"{stage.name}-old")
    try:
        if folder.exists():
            folder.rename(old)
        stage.rename(folder)
    except OSError as error:
        if old.exists() and not folder.exists():
            old.rename(folder)
        raise InputError(folder, f"cannot be replaced ({error.strerror})", "close what uses it") from error
    shutil.rmtree(old, ignore_errors=True)
