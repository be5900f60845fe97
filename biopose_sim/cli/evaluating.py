"""The work of ``biopose evaluate``: open, judge each method, write, tell."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import click

from biopose_sim.cli import evaluation_files as files
from biopose_sim.cli.console import Progress, warn_user
from biopose_sim.cli.folder import ResultFolder
from biopose_sim.cli.outcome import print_files
from biopose_sim.errors import InputError
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.neurik.baselines import BASELINES, make_baseline
from biopose_sim.neurik.evaluate import Method, Named, TrialScores, evaluate, network_method, refined_method
from biopose_sim.neurik.other_systems import MotionFiles
from biopose_sim.neurik.predict import Predictor
from biopose_sim.neurik.robustness import Point, curves
from biopose_sim.neurik.weights import find_weights, load_network, read_card
from ik_pipeline.shards import Card, ShardData, load_model

NETWORK, REFINED = "network", "network + refine"
# Methods whose markers can be disturbed in a time that people would wait for.
ROBUST = (NETWORK, REFINED, "fit")
_MOT = "mot:"


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """The command line of ``biopose evaluate``; see its help."""

    weights: str
    data: Path
    output: Path
    split: str = "test"
    persons: int | None = None
    trials: int | None = None
    baselines: Sequence[str] = ()
    refine: bool = False
    opensim_frames: int = 50
    robustness: bool = False
    seed: int = 0
    threads: int = 1
    report: bool = True

    def check(self) -> None:
        """Complain of what contradicts itself.

        Raises:
            click.UsageError: a baseline that is none, or two of one name.
            InputError: results would lie in the data set.
        """
        names = [NETWORK, REFINED, *(self.name_of(text) for text in self.baselines)]
        if twice := [name for name in names if names.count(name) > 1]:
            raise click.UsageError(f"--baseline: '{twice[0]}' is named twice")
        if self.output.resolve().is_relative_to(self.data.resolve()):
            problem = f"lies in the data set {self.data}, where results would be taken for data"
            raise InputError(self.output, problem, "choose another folder")

    @staticmethod
    def name_of(text: str) -> str:
        """The name of a baseline as it is given on the command line."""
        if not text.startswith(_MOT):
            if text not in BASELINES:
                raise click.UsageError(f"--baseline {text}: give {', '.join(BASELINES)} or mot:NAME=FOLDER")
            return text
        name, equals, folder = text.removeprefix(_MOT).partition("=")
        if not (name and equals and folder):
            raise click.UsageError(f"--baseline {text}: give mot:NAME=FOLDER, as mot:D3KE=d3ke_motions")
        if name in BASELINES:
            raise click.UsageError(f"--baseline {text}: '{name}' is a baseline of our own, give another name")
        return name


@dataclass
class Evaluation:
    """What is judged on what, and what was found.

    Attributes:
        wishes: the command line.
        weights: folder of the network's weights.
        data: the split.
        model: generic model of the shards.
        scores: of each method's trials.
        points: of the robustness curves.
        notes: what a reader should know, a sentence each.
        seconds: that everything took.
    """

    wishes: Wishes
    weights: Path
    data: ShardData
    model: OsimModel
    scores: dict[str, list[TrialScores]] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def note(self, text: str) -> None:
        """Keep a sentence, once."""
        if text not in self.notes:
            self.notes.append(text)


def evaluate_network(wishes: Wishes) -> None:
    """Do what ``biopose evaluate`` does."""
    start = time.perf_counter()
    wishes.check()
    with Progress() as progress, ResultFolder(wishes.output) as folder:
        progress("reading")
        found = _opened(wishes)
        methods = _methods(found)
        for name, method in methods.items():
            scores = evaluate(
                found.data,
                found.model,
                method,
                most_trials=wishes.trials,
                most_persons=wishes.persons,
                progress=partial(_tell, progress, name),
            )
            if not scores:
                raise InputError(wishes.data, f"no trial was compared with '{name}'", "; ".join(found.notes[:1]))
            found.scores[name] = scores
        if wishes.robustness:
            found.points = _curves(found, methods, progress)
        progress("writing")
        found.seconds = time.perf_counter() - start
        content = files.content_of(found)
        files.write_files(folder, content, page=wishes.report)
    warn_user(found.notes)
    files.tell(content)
    print_files(folder.files, found.seconds)


def _opened(wishes: Wishes) -> Evaluation:
    weights = find_weights(wishes.weights)
    # Both kinds of folders have a card.json.
    if "sha256" not in read_card(weights):
        raise InputError(weights, "holds no weights of a network", "give WEIGHTS first, then DATA")
    if "splits" not in Card.read(wishes.data).content:
        raise InputError(wishes.data, "holds no shards", "give WEIGHTS first, then DATA, a folder of shards")
    data = ShardData(wishes.data, wishes.split)
    if not data.trials:
        raise InputError(wishes.data, f"its split '{wishes.split}' has no trials", "give another --split")
    return Evaluation(wishes, weights, data, load_model(wishes.data))


def _methods(found: Evaluation) -> dict[str, Method | Named]:
    """All that is judged, by name, in the order of the table."""
    wishes, names = found.wishes, found.data.card.names["markers"]
    predictor = Predictor(load_network(found.weights, found.model))
    methods: dict[str, Method | Named] = {NETWORK: network_method(predictor, names)}
    if wishes.refine:
        methods[REFINED] = refined_method(predictor, names)
    for text in wishes.baselines:
        name = wishes.name_of(text)
        if text.startswith(_MOT):
            methods[name] = MotionFiles(Path(text.partition("=")[2]), found.model, found.note)
        else:
            methods[name] = make_baseline(
                name,
                found.data,
                found.model,
                opensim_frames=wishes.opensim_frames,
                threads=wishes.threads,
                note=found.note,
            )
    return methods


def _curves(found: Evaluation, methods: dict[str, Method | Named], progress: Callable[[str], None]) -> list[Point]:
    wishes = found.wishes
    judged = {name: m for name, m in methods.items() if name in ROBUST and not isinstance(m, Named)}
    return curves(
        found.data,
        found.model,
        judged,
        seed=wishes.seed,
        most_trials=wishes.trials,
        most_persons=wishes.persons,
        progress=progress,
    )


def _tell(progress: Callable[[str], None], name: str, text: str) -> None:
    progress(f"{name}: {text}")
