"""The work of ``biopose simulate``: which trials and forces, simulate, draw, tell."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from biopose_sim.cli.console import Progress, print_table, warn_user
from biopose_sim.cli.view_sources import Source, source_of
from biopose_sim.errors import InputError
from biopose_sim.forces.config import ESTIMATE, SimulationConfig
from biopose_sim.forces.existing import config_of_setup
from biopose_sim.forces.simulate import simulate
from biopose_sim.forces.types import Simulation

if TYPE_CHECKING:
    from biopose_sim.gait.types import GaitEvents

_NONE = "none"
_PLACE = "{trial}"
FOLDER = "simulation"


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """The command line of ``biopose simulate``; see its help."""

    folder: Path | None = None
    model: Path | None = None
    motion: Path | None = None
    setup: Path | None = None
    output: Path | None = None
    trials: tuple[str, ...] = ()
    grf: str | None = None
    filter_hz: float = 6.0
    grf_filter_hz: float | None = None
    tools: str = "id,so,ma,jr"
    joints: str | None = None
    frames: str = "ground,child,parent"
    arms: str | None = None
    engine: str = "auto"
    step: int = 1
    start: float | None = None
    end: float | None = None
    actuators: tuple[Path, ...] = ()
    workers: int = 0
    pictures: bool = True
    resume: bool = False

    def check(self) -> None:
        """Complain of what is missing or contradicts itself."""
        ways = [self.folder is not None, self.model is not None or self.motion is not None, self.setup is not None]
        if sum(ways) == 0:
            raise click.UsageError("missing argument 'OUT' (or '--model' and '--motion', or '--setup')")
        if sum(ways) > 1:
            raise click.UsageError("OUT, --model with --motion, and --setup exclude one another")
        if (self.model is None) != (self.motion is None):
            raise click.UsageError("--model and --motion go together")
        if self.folder is None and self.output is None:
            raise click.UsageError("missing option '-o' / '--output'")


def simulate_trials(wishes: Wishes) -> tuple[Simulation, ...]:
    """Do what ``biopose simulate`` does; returns what was simulated."""
    start = time.perf_counter()
    wishes.check()
    done: list[tuple[Path, Simulation]] = []
    told: set[str] = set()
    with Progress() as progress:
        for config, said in configurations(wishes):
            if said:
                progress.tell(said)
            progress(f"{config.name}: checking the files")
            for text in faults(config, told):
                progress.tell(text)
            simulation = simulate(config, resume=wishes.resume, tell=progress)
            if "summary" not in simulation.files or (wishes.pictures and not simulation.pictures):
                progress(f"{config.name}: summary and pictures")
                simulation = illustrated(config.folder, simulation, pictures=wishes.pictures)
            done.append((config.folder, simulation))
    warn_user(f"{simulation.trial}: {text}" for _, simulation in done for text in simulation.warnings)
    _tell(done, time.perf_counter() - start)
    return tuple(simulation for _, simulation in done)


def faults(config: SimulationConfig, told: set[str]) -> list[str]:
    """What ``biopose check`` finds wrong with the files of a simulation, without what was told already."""
    from biopose_sim.check.together import check_files

    files = [config.model, config.motion]
    if isinstance(config.grf, Path) and config.grf.suffix.lower() in (".xml", ".mot", ".sto"):
        files.append(config.grf)
    found = check_files([path for path in files if path.is_file()]).findings
    texts = [f"{f.file.name}: {f.code} {f.message}; {f.remedy}" for f in found if f.severity != "note"]
    new = [text for text in dict.fromkeys(texts) if text not in told]
    told.update(new)
    return new


def configurations(wishes: Wishes) -> list[tuple[SimulationConfig, str]]:
    """What is asked for of each trial, and what is to be said of it before it starts.

    Raises:
        InputError: folders or files that are not there, trials that are unknown.
    """
    if wishes.setup is not None:
        assert wishes.output is not None  # checked
        config = config_of_setup(wishes.setup, wishes.output / FOLDER)
        return [(replace(config, workers=wishes.workers, step=max(config.step, wishes.step)), "")]
    found = []
    for source in _sources(wishes):
        name = source.motion.stem
        grf, said = _ground_reaction(wishes, source, name)
        folder = (wishes.output or wishes.folder or Path()) / FOLDER / name
        config = SimulationConfig(
            model=source.model,
            motion=source.motion,
            folder=folder,
            trial=name,
            grf=grf,
            filter_hz=wishes.filter_hz or None,
            grf_filter_hz=wishes.grf_filter_hz or None,
            tools=_words(wishes.tools) or (),
            joints=_words(wishes.joints),
            frames=_words(wishes.frames) or (),
            arms=_words(wishes.arms),
            step=wishes.step,
            start=wishes.start,
            end=wishes.end,
            force_sets=wishes.actuators,
            engine=wishes.engine,  # type: ignore[arg-type]  # one of click's choices
            workers=wishes.workers,
        )
        found.append((config, said))
    return found


def _sources(wishes: Wishes) -> list[Source]:
    if wishes.folder is None:
        assert wishes.model is not None  # checked
        assert wishes.motion is not None
        return [Source(wishes.motion.stem, wishes.model, wishes.motion)]
    if wishes.trials:
        return [source_of(wishes.folder, name) for name in dict.fromkeys(wishes.trials)]
    from biopose_sim.cli.report_sources import trial_names

    return [source_of(wishes.folder, name) for name in trial_names(wishes.folder)]


def _ground_reaction(wishes: Wishes, source: Source, name: str) -> tuple[Path | Literal["estimate"] | None, str]:
    """The forces of a trial as they are named, or where they would be found, and what is said of it."""
    if wishes.grf is not None:
        if wishes.grf.lower() == _NONE:
            return None, ""
        if wishes.grf.lower() == ESTIMATE:
            return ESTIMATE, ""
        path = Path(wishes.grf.replace(_PLACE, name))
        if not path.is_file():
            remedy = "name external loads (.xml), forces (.mot), a recording (.c3d), 'estimate' or 'none'"
            raise InputError(path, "no such file", remedy)
        return path, ""
    recording = source.markers
    if recording is not None and recording.suffix.lower() == ".c3d":
        from biopose_sim.io import read_c3d

        if read_c3d(recording).force_plates:
            return recording, f"{name}: ground reaction from the force plates of {recording.name}"
    if not _has_feet(source.model):
        return None, f"{name}: no measured ground reaction, and no feet to estimate one for: none is applied"
    return ESTIMATE, f"{name}: no measured ground reaction: it is estimated from the motion (--grf none for none)"


def _has_feet(model: Path) -> bool:
    """Whether a ground reaction can be estimated; a model that is not there is told of later."""
    if not model.is_file():
        return True
    from biopose_sim.cli.inputs import load_model
    from biopose_sim.kinematics.soles import has_soles

    ours = load_model(model)
    return all(has_soles(ours, side) for side in "rl")


def illustrated(folder: Path, simulation: Simulation, *, pictures: bool) -> Simulation:
    """Add the summary and the pictures to a simulation that is written already."""
    from biopose_sim.forces.summary import write_summary

    files = {**simulation.files, "summary": write_summary(folder, simulation).name}
    drawn: tuple[str, ...] = ()
    if pictures:
        from biopose_sim.viz.force_plots import write_force_plots

        events = _events(folder, simulation)
        drawn = tuple(path.name for path in write_force_plots(folder, simulation, events))
    whole = replace(simulation, files=files, pictures=drawn)
    whole.write(folder)
    return whole


def _events(folder: Path, simulation: Simulation) -> GaitEvents | None:
    """Strides of the trial, or None where they cannot be looked for."""
    from biopose_sim.forces.results import Results
    from biopose_sim.gait.events import find_events
    from biopose_sim.io import read_mot

    results = Results(folder, simulation)
    model = results.model
    motion = read_mot(folder / simulation.motion, dict(zip(model.coordinate_names, model.motion_types)))
    try:
        return find_events(model, motion, results.reaction)
    except InputError:  # no feet, or too short for a stride: curves are drawn over time
        return None


def _words(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _tell(done: list[tuple[Path, Simulation]], seconds: float) -> None:
    rows = []
    for _, simulation in done:
        figures = simulation.figures or {}
        rows.append(
            (
                simulation.trial,
                f"{simulation.start:.2f}-{simulation.end:.2f}",
                simulation.grf_origin or _NONE,
                _peak(figures, "residual_force"),
                _peak(figures, "residual_moment"),
                str(figures.get("static_optimization_engine", "-")),
            )
        )
    head = ("trial", "time [s]", "ground reaction", "residual [N]", "residual [N m]", "muscles by")
    print_table(head, rows)
    click.echo(f"\n{len(done)} simulation{'s' if len(done) > 1 else ''} in {seconds:.1f} s:")
    for folder, _ in done:
        click.echo(f"  {folder}")


def _peak(figures: dict[str, object], name: str) -> str:
    value = figures.get(f"{name}_peak")
    return f"{value:.1f}" if isinstance(value, float) else "-"
