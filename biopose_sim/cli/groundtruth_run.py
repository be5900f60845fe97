"""The work of ``biopose groundtruth``: open source, model and engine, run, shards, summary, tell."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from biopose_sim.cli import inputs
from biopose_sim.cli.console import complain
from biopose_sim.cli.groundtruth_compare import Row, compare_runs, tell_comparison, write_comparison
from biopose_sim.cli.groundtruth_progress import Bar
from biopose_sim.cli.groundtruth_summary import tell_failures, tell_run, write_page
from biopose_sim.errors import InputError
from biopose_sim.ik.types import IKConfig
from ik_pipeline.engines import ENGINES, make_engine
from ik_pipeline.model_choice import choose_model
from ik_pipeline.quality import Rules
from ik_pipeline.runner.folder import COMPARISON, MANIFEST, SHARDS, SUMMARY, RunFolder, opened
from ik_pipeline.runner.run import RunOptions, RunResult, run
from ik_pipeline.runner.types import Parts, Wanted
from ik_pipeline.shards import Card, ShardConfig, write_shards
from ik_pipeline.sources import SourceOptions, open_source
from ik_pipeline.types import ModelChoice, Source

FREE_DATA_SET = "cmu"


@dataclass(frozen=True, kw_only=True)
class Wishes(inputs.SolverWishes):
    """The command line of ``biopose groundtruth``; see its help."""

    source: str
    folder: Path
    output: Path
    engine: str = "fit"
    compare: bool = False
    resume: bool = False
    overwrite: bool = False
    workers: int | None = None
    scheduler: str | None = None
    persons: int | None = None
    trials: int | None = None
    include_persons: tuple[str, ...] = ()
    include_trials: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    val: tuple[str, ...] = ()
    seed: int | None = None
    fps: float | None = None
    gender: str | None = None
    body_models: Path | None = None
    model: Path | None = None
    scale_setup: Path | None = None
    after_scaling: Path | None = None
    place_fixed: bool = False
    mot: bool | None = None
    osim: bool = True
    trc: bool = False
    rules: Path | None = None
    shards: bool | None = None
    window: int = 64
    stride: int = 16
    shard_rate: float | None = None
    report: bool = True

    def check(self) -> None:
        """Complain of what contradicts itself."""
        super().check()
        if self.resume and self.overwrite:
            raise click.UsageError("--resume keeps what --overwrite removes: name one")
        if self.workers is not None and self.scheduler is not None:
            raise click.UsageError("--workers are of this machine, --scheduler has its own: name one")

    @property
    def source_options(self) -> SourceOptions:
        """What they ask of the source."""
        return SourceOptions(
            fps=self.fps,
            body_models=self.body_models,
            persons=self.persons,
            trials=self.trials,
            seed=self.seed,
            gender=self.gender,
            include_persons=self.include_persons,
            include_trials=self.include_trials,
            test=self.test or None,
            val=self.val or None,
        )

    @property
    def shard_config(self) -> ShardConfig:
        """What they ask of the shards."""
        return ShardConfig(window=self.window, stride=self.stride, rate=self.shard_rate)

    @property
    def with_shards(self) -> bool:
        """Whether shards are written."""
        return self.source == FREE_DATA_SET if self.shards is None else self.shards

    @property
    def wanted(self) -> Wanted:
        """Which files are written for each person and trial."""
        mot = self.source != FREE_DATA_SET if self.mot is None else self.mot
        return Wanted(mot=mot, trc=self.trc, osim=self.osim)

    def run_options(self) -> RunOptions:
        """How the run is done.

        Raises:
            InputError: a file of rules that is none.
        """
        return RunOptions(
            source_folder=self.folder,
            wanted=self.wanted,
            rules=Rules() if self.rules is None else Rules.from_toml(self.rules),
            workers=self.workers,
            scheduler=self.scheduler,
            arguments=sys.argv[1:],
        )


def make_ground_truth(wishes: Wishes) -> int:
    """Do what ``biopose groundtruth`` does; returns its exit code."""
    wishes.check()
    if wishes.output.resolve().is_relative_to(wishes.folder.resolve()):
        problem = f"lies in the data set {wishes.folder}, where results would be taken for data"
        raise InputError(wishes.output, problem, "choose another folder")
    options = wishes.run_options()
    source = open_source(wishes.source, wishes.folder, wishes.source_options)
    choice = _choose_model(wishes, source)
    parts, *others = [Parts(source, make_engine(name, choice), choice) for name in _engines(wishes)]
    with opened(wishes.output, resume=wishes.resume, overwrite=wishes.overwrite) as folder:
        try:
            with Bar() as bar:
                result = run(folder, parts, options, bar.report)
                shards = _shards(folder, wishes, result, bar)
                page = _page(folder, wishes, result, choice, bar)
                comparisons = [_compare(folder, wishes, parts, result, other, options, bar) for other in others]
        except (KeyboardInterrupt, SystemExit):
            complain("stopped; what is done is kept: run the same command with --resume to go on")
            raise
    code = tell_run(folder, result, shards, page)
    return max([code, *(comparison.tell() for comparison in comparisons)])


@dataclass(frozen=True)
class _Compared:
    """What a comparison gave.

    Attributes:
        engines: names of both.
        rows: the differences.
        beside: folder of the other engine's run.
        manifest: of that run.
        path: the table.
    """

    engines: tuple[str, str]
    rows: list[Row]
    beside: Path
    manifest: Mapping[str, Any]
    path: Path

    def tell(self) -> int:
        """Print it; returns the exit code."""
        code = tell_failures(self.manifest, self.beside / MANIFEST)
        tell_comparison(self.rows, self.engines)
        click.echo(f"\n  {self.path}")
        return code


def _compare(
    folder: RunFolder, wishes: Wishes, parts: Parts, result: RunResult, other: Parts, options: RunOptions, bar: Bar
) -> _Compared:
    """Run the other engine in a folder of its own, and write the differences."""
    beside, path = folder.path / other.engine.name, folder.path / COMPARISON
    with opened(beside, resume=wishes.resume, overwrite=wishes.overwrite) as place:
        second = run(place, other, options, bar.report)
    bar("comparing")
    rows = compare_runs((folder.path, beside), (result.manifest, second.manifest), parts.choice)
    write_comparison(path, rows)
    return _Compared((parts.engine.name, other.engine.name), rows, beside, second.manifest, path)


def _engines(wishes: Wishes) -> list[str]:
    """The engine, and the other one where they are to be compared."""
    return [wishes.engine, *(name for name in ENGINES if wishes.compare and name != wishes.engine)]


def _choose_model(wishes: Wishes, source: Source) -> ModelChoice:
    return choose_model(
        virtual=source.virtual,
        path=wishes.model,
        markers=wishes.markers,
        setup=wishes.setup,
        scale_setup=wishes.scale_setup,
        ik=wishes.applied(IKConfig()),
        after=wishes.after_scaling,
        place_fixed=wishes.place_fixed,
    )


def _shards(folder: RunFolder, wishes: Wishes, result: RunResult, bar: Bar) -> Path | None:
    """Write the shards, unless those that are there are the run's."""
    target = folder.path / SHARDS
    if not wishes.with_shards:
        return None
    if not result.manifest["counts"]["trials"]["ok"]:
        complain("warning: no trial is good enough for shards")
        return None
    if result.changed or not _is_written(target, wishes.shard_config):
        write_shards(folder.path, target, wishes.shard_config, lambda done, of: bar(f"shards: {done} of {of} frames"))
    return target


def _is_written(target: Path, config: ShardConfig) -> bool:
    if not (target / "card.json").is_file():
        return False
    written: Mapping[str, Any] = Card.read(target).content["configuration"]
    return dict(written) == asdict(config)


def _page(folder: RunFolder, wishes: Wishes, result: RunResult, choice: ModelChoice, bar: Bar) -> Path | None:
    """Write the summary, unless the one that is there is the run's."""
    path = folder.path / SUMMARY
    if not wishes.report:
        return None
    if result.changed or not path.is_file():
        bar("summary")
        write_page(path, folder.path, result.manifest, choice)
    return path
