"""The work of ``biopose ik``: read, solve, write, tell."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from biopose_sim.cli import inputs, outcome
from biopose_sim.cli.console import Progress, warn_user
from biopose_sim.cli.folder import ResultFolder
from biopose_sim.cli.manifest import write_manifest
from biopose_sim.errors import InputError
from biopose_sim.ik.setup_files import IKSetup, read_ik_setup
from biopose_sim.ik.setup_xml import required_file
from biopose_sim.ik.solver import solve_ik
from biopose_sim.ik.types import IKConfig, KinematicsResult
from biopose_sim.io import Trial, write_mot
from biopose_sim.kinematics.model import OsimModel


@dataclass(frozen=True, kw_only=True)
class Wishes(inputs.SolverWishes):
    """The command line of ``biopose ik``; see its help."""

    trials: Sequence[Path] = ()
    model: Path | None = None
    output: Path | None = None
    engine: str = "fit"
    span: tuple[float, float] | None = None
    model_markers: bool = False
    report: bool = True

    def check(self) -> None:
        """Complain of what is missing or contradicts itself."""
        super().check()
        if self.setup is None and not self.trials:
            raise click.UsageError("missing argument 'TRIAL...' (or '--setup')")
        if self.setup is None and self.model is None:
            raise click.UsageError("missing option '--model': a scaled model, such as 'biopose fit' makes")
        if self.output is None and (self.setup is None or self.trials):
            raise click.UsageError("missing option '-o' / '--output'")
        if self.engine == "opensim" and max(self.smoothness, self.prior, self.continuity or 0.0) > 0.0:
            raise click.UsageError("OpenSim's solver knows no --smoothness, no --prior and no --continuity")


@dataclass(frozen=True)
class Target:
    """Where results go: a folder of ours, or the motion file that a setup names, with siblings."""

    folder: Path
    motion: str | None = None

    def sibling(self, name: str) -> str:
        """Name of the report or the manifest."""
        return name if self.motion is None else f"{Path(self.motion).stem}_{name}"


def solve_trials(wishes: Wishes) -> tuple[KinematicsResult, ...]:
    """Do what ``biopose ik`` does; returns the results."""
    start = time.perf_counter()
    wishes.check()
    setup = None if wishes.setup is None else read_ik_setup(wishes.setup)
    target = _target(wishes, setup)
    with Progress() as progress, ResultFolder(target.folder) as folder:
        progress("reading")
        model_path = _model_path(wishes, setup)
        model = inputs.load_model(model_path, wishes.markers)
        sources, trials = _read_trials(wishes, setup)
        renamed: dict[str, str] = {}
        if setup is None:  # a setup means the names of its own
            trials, renamed = inputs.in_model_names(trials, model)
        configs = [_configuration(wishes, setup, model, trial) for trial in trials]
        results = []
        for trial, config in zip(trials, configs):
            progress(f"solving {trial.name}, {trial.n_frames} frames")
            results.append(_solve(model, trial, config, wishes.engine))
        progress("writing")
        _write(folder, target, wishes, model, model_path, sources, trials, configs, results, renamed, start)
    warn_user([*inputs.told_names(renamed), *outcome.result_warnings(results)])
    outcome.print_summary(results, solver_tells=wishes.engine != "opensim")
    outcome.print_files(folder.files, time.perf_counter() - start)
    return tuple(results)


def _target(wishes: Wishes, setup: IKSetup | None) -> Target:
    if wishes.output is not None:
        return Target(wishes.output)
    assert setup is not None  # checked
    if setup.output_motion_file is None:
        raise InputError(setup.path, "names no <output_motion_file>", "give a folder with -o")
    return Target(setup.output_motion_file.parent, setup.output_motion_file.name)


def _model_path(wishes: Wishes, setup: IKSetup | None) -> Path:
    if wishes.model is not None:
        return wishes.model
    assert setup is not None  # checked
    return required_file(setup.model_file, "model_file", setup.path)


def _read_trials(wishes: Wishes, setup: IKSetup | None) -> tuple[list[Path], list[Trial]]:
    """The trials and their files: those named, else the setup's, cut to its time range."""
    if wishes.trials:
        sources, trials = list(wishes.trials), inputs.load_trials(wishes.trials)
    else:
        assert setup is not None  # checked
        sources = [required_file(setup.marker_file, "marker_file", setup.path)]
        trials = [setup.load_trial()]
    if wishes.span is not None:
        trials = [trial.crop(*wishes.span) for trial in trials]
    return sources, trials


def _configuration(wishes: Wishes, setup: IKSetup | None, model: OsimModel, trial: Trial) -> IKConfig:
    return wishes.applied(IKConfig() if setup is None else setup.config(model, trial))


def _solve(model: OsimModel, trial: Trial, config: IKConfig, engine: str) -> KinematicsResult:
    if engine == "fit":
        return solve_ik(model, trial, config)
    from ik_pipeline.opensim_tools import run_opensim_ik

    return run_opensim_ik(model, trial, config).result


def _write(
    folder: ResultFolder,
    target: Target,
    wishes: Wishes,
    model: OsimModel,
    model_path: Path,
    sources: Sequence[Path],
    trials: Sequence[Trial],
    configs: Sequence[IKConfig],
    results: Sequence[KinematicsResult],
    renamed: Mapping[str, str],
    start: float,
) -> None:
    if target.motion is None:
        outcome.write_motions(folder, results, with_markers=wishes.model_markers)
    else:
        write_mot(folder.file(target.motion), results[0])
    if wishes.report:
        from biopose_sim.cli.reporting import write_page

        page = folder.file(target.sibling("report.html"))
        write_page(page, title=outcome.title(trials), model=model, results=results, trials=trials)
    write_manifest(
        folder,
        target.sibling("manifest.json"),
        command="ik",
        inputs=[*sources, *wishes.files],
        model=model_path,
        configuration={"engine": wishes.engine, "ik": dict(zip((t.name for t in trials), configs))},
        results=results,
        seconds=time.perf_counter() - start,
        **({"marker_names": renamed} if renamed else {}),
    )
