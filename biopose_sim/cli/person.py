"""The work of ``biopose fit``: read, fit, write, tell."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from biopose_sim.cli import inputs, outcome
from biopose_sim.cli.console import Progress, warn_user
from biopose_sim.cli.folder import ResultFolder
from biopose_sim.cli.manifest import write_manifest
from biopose_sim.ik.fit import FitConfig, fit
from biopose_sim.ik.scale_tool import run_scale_setup
from biopose_sim.ik.setup_files import read_ik_setup, read_scale_setup
from biopose_sim.ik.solver import solve_ik
from biopose_sim.ik.types import IKConfig, KinematicsResult
from biopose_sim.io import Trial
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.osim.ranges import range_notices
from biopose_sim.osim.writer import export_osim
from biopose_sim.paths import default_model_path

if TYPE_CHECKING:
    from biopose_sim.viz.report import Section


@dataclass(frozen=True, kw_only=True)
class Wishes(inputs.SolverWishes):
    """The command line of ``biopose fit``; see its help."""

    trials: Sequence[Path]
    output: Path
    model: Path | None = None
    scale_setup: Path | None = None
    mass: float | None = None
    symmetric: bool = True
    model_markers: bool = False
    report: bool = True


@dataclass(frozen=True)
class Person:
    """A scaled model with the motion of each trial, however it was scaled."""

    model: OsimModel
    scales: np.ndarray
    results: tuple[KinematicsResult, ...]
    warnings: tuple[str, ...]
    mass: float | None
    how: dict[str, Any]


@dataclass(frozen=True)
class Page:
    """What the report says besides the results: coordinates per trial and factors where they are known, notes."""

    title: str | None = None
    truth: Mapping[str, np.ndarray] | None = None
    scales: np.ndarray | None = None
    notes: Sequence[str] = ()
    sections: Sequence[Section] = ()


@dataclass(frozen=True, kw_only=True)
class Paper:
    """What is written of a person, and what the manifest says of how it was found.

    Attributes:
        command: name of the command.
        inputs: the files that were read, the model aside.
        model: the generic model's file.
        ik: how the motion was solved.
        started: when, by ``time.perf_counter`` [s].
        symmetric: whether both sides share their size.
        model_markers: whether the model's markers are written.
        page: makes what the report says besides the results; None: no report.
        more: further entries of the manifest.
    """

    command: str
    inputs: Sequence[Path]
    model: Path
    ik: IKConfig
    started: float
    symmetric: bool = True
    model_markers: bool = False
    page: Callable[[], Page] | None = Page
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """What a run found and wrote."""

    person: Person
    files: list[Path]
    seconds: float


def fit_person(wishes: Wishes) -> Run:
    """Do what ``biopose fit`` does, without a word."""
    start = time.perf_counter()
    wishes.check()
    with Progress() as progress, ResultFolder(wishes.output) as folder:
        progress("reading")
        trials = inputs.load_trials(wishes.trials)
        model, model_path = _read_model(wishes)
        renamed: dict[str, str] = {}
        if wishes.scale_setup is None and wishes.setup is None:  # setups mean the names of their own
            trials, renamed = inputs.in_model_names(trials, model)
        config = _configuration(wishes, model, trials)
        progress(f"fitting {len(trials)} trials, {sum(t.n_frames for t in trials)} frames")
        way = _fit if wishes.scale_setup is None else _scale_by_setup
        person = with_range_notices(way(wishes, model, trials, config))
        person = replace(person, warnings=(*inputs.told_names(renamed), *person.warnings))
        progress("writing")
        sources = [*wishes.trials, *wishes.files, *([] if wishes.scale_setup is None else [wishes.scale_setup])]
        paper = Paper(
            command="fit",
            inputs=sources,
            model=model_path,
            ik=config,
            started=start,
            symmetric=wishes.symmetric,
            model_markers=wishes.model_markers,
            page=Page if wishes.report else None,
            more={"marker_names": renamed} if renamed else {},
        )
        write_person(folder, person, trials, paper)
    return Run(person, folder.files, time.perf_counter() - start)


def tell(run: Run) -> None:
    """Print warnings, a line per trial and where the files are."""
    warn_user([*run.person.warnings, *outcome.result_warnings(run.person.results)])
    outcome.print_summary(run.person.results)
    outcome.print_files(run.files, run.seconds)


def _read_model(wishes: Wishes) -> tuple[OsimModel, Path]:
    """The generic model and its file: the one named, else that of the scale setup, else the project's own."""
    if wishes.model is None and wishes.scale_setup is not None:
        model = read_scale_setup(wishes.scale_setup).load_model()
        assert model.path is not None  # it was read from a file
        return model, model.path
    path = wishes.model or default_model_path()
    return inputs.load_model(path, wishes.markers), path


def _configuration(wishes: Wishes, model: OsimModel, trials: Sequence[Trial]) -> IKConfig:
    config = IKConfig()
    if wishes.setup is not None:
        config = inputs.setup_config(read_ik_setup(wishes.setup), model, trials)
    return wishes.applied(config)


def _fit(wishes: Wishes, model: OsimModel, trials: Sequence[Trial], config: IKConfig) -> Person:
    return fitted_person(model, trials, FitConfig(ik=config, symmetric=wishes.symmetric), wishes.mass)


def fitted_person(model: OsimModel, trials: Sequence[Trial], config: FitConfig, mass: float | None) -> Person:
    """Fit the model to the trials."""
    fitted = fit(model, trials, config)
    how = {
        "way": "fit",
        "converged": fitted.converged,
        "scales": dict(zip(model.body_names, fitted.scales)),
        "marker_offsets_m": dict(zip(model.marker_names, fitted.marker_offsets)),
    }
    return Person(fitted.model, fitted.scales, fitted.results, fitted.warnings, mass, how)


def with_range_notices(person: Person) -> Person:
    """The person, warned of ranges that the written model must widen."""
    return replace(person, warnings=(*person.warnings, *range_notices(person.model, person.results)))


def _scale_by_setup(wishes: Wishes, model: OsimModel, trials: Sequence[Trial], config: IKConfig) -> Person:
    """The classic way: scale by the setup's measurements, place its markers, then solve the trials."""
    assert wishes.scale_setup is not None  # the caller asked
    setup = read_scale_setup(wishes.scale_setup)
    if wishes.model is not None and setup.marker_set_file is not None and wishes.markers is None:
        setup = replace(setup, model_file=wishes.model)
        model = setup.load_model()
    scaled = run_scale_setup(setup, model)
    results = tuple(solve_ik(scaled.model, trial, config) for trial in trials)
    how = {
        "way": "scale setup",
        "factors": dict(scaled.factors),
        "scales": dict(zip(scaled.model.body_names, scaled.scales)),
        "marker_offsets_m": dict(zip(scaled.model.marker_names, scaled.marker_offsets)),
    }
    mass = setup.mass if wishes.mass is None else wishes.mass
    return Person(scaled.model, scaled.scales, results, scaled.warnings, mass, how)


def write_person(folder: ResultFolder, person: Person, trials: Sequence[Trial], paper: Paper) -> None:
    """Write everything; OpenSim scales the model in a process of its own meanwhile."""
    unlock = inputs.unlocked_coordinates(person.model, paper.ik)
    target = folder.file(f"{paper.model.stem}_scaled.osim")
    with ThreadPoolExecutor(max_workers=1) as pool:
        export = pool.submit(export_osim, person.model, target, mass=person.mass, unlock=unlock, motions=person.results)
        outcome.write_motions(folder, person.results, with_markers=paper.model_markers)
        if paper.page is not None:
            _write_page(folder.file("report.html"), person, trials, paper.page())
        export.result()
    write_manifest(
        folder,
        command=paper.command,
        inputs=paper.inputs,
        model=paper.model,
        configuration={"ik": paper.ik, "symmetric": paper.symmetric, "mass_kg": person.mass},
        results=person.results,
        seconds=time.perf_counter() - paper.started,
        scaling=person.how,
        **paper.more,
    )


def _write_page(path: Path, person: Person, trials: Sequence[Trial], page: Page) -> None:
    from biopose_sim.cli.reporting import write_page

    write_page(
        path,
        title=page.title or outcome.title(trials),
        model=person.model,
        results=person.results,
        trials=trials,
        mass=person.mass,
        truth=page.truth,
        scales=person.scales,
        true_scales=page.scales,
        notes=[*person.warnings, *page.notes],
        sections=page.sections,
    )
