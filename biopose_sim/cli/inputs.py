"""From what is named on the command line to models, trials and configurations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np

from biopose_sim.errors import InputError
from biopose_sim.ik.setup_files import IKSetup, read_ik_tasks
from biopose_sim.ik.types import IKConfig
from biopose_sim.io import Trial, read_trial
from biopose_sim.io.notice import listed, warn
from biopose_sim.kinematics.model import OsimModel

_SEPARATORS = str.maketrans({"\t": ",", ";": ","})


def load_model(path: Path, markers: Path | None = None) -> OsimModel:
    """Read a model, with the markers of a marker set besides its own if one is named."""
    if not path.exists():
        raise InputError(path, "no such file", "name an .osim file")
    model = OsimModel.from_file(path)
    if markers is None:
        return model
    from biopose_sim.osim.markerset import read_marker_set, with_markers

    return with_markers(model, read_marker_set(markers, model))


def load_trials(paths: Sequence[Path]) -> list[Trial]:
    """Read trials; each gets its results under its own name, so no two may have the same."""
    seen: dict[str, Path] = {}
    for path in paths:
        if path.stem in seen:
            problem = f"has the same name as {seen[path.stem]}"
            raise InputError(path, problem, "rename one: results are named after their trial")
        seen[path.stem] = path
    return [_named(read_trial(path), path.stem) for path in paths]


def in_model_names(trials: Sequence[Trial], model: OsimModel) -> tuple[list[Trial], dict[str, str]]:
    """Give markers that the model does not know the model's names, where their own are usual ones for the same points.

    The names are those of ``models/markersets/optical.csv``: Plug-in Gait's ``LKNE`` is the model's ``LLFC``.

    Args:
        trials: recordings of one person.
        model: that is fitted or posed.

    Returns:
        The trials, and the model's names by those that the recordings had.
    """
    from biopose_sim.bodies.optical_set import read_optical_set

    known = set(model.marker_names)
    if all(known.issuperset(trial.marker_names) for trial in trials):
        return list(trials), {}
    usual, found = read_optical_set("optical"), []
    renamed: dict[str, str] = {}
    for trial in trials:
        there = set(trial.marker_names)
        new = {
            theirs: ours
            for theirs, ours in usual.meant(trial.marker_names).items()
            if theirs not in known and ours in known and ours not in there
        }
        found.append(trial.rename(new))
        renamed |= new
    return found, renamed


def told_names(renamed: Mapping[str, str]) -> list[str]:
    """What is said of markers that were given the model's names."""
    if not renamed:
        return []
    pairs = ", ".join(f"{theirs} as {ours}" for theirs, ours in renamed.items())
    return [f"markers are taken by their usual names: {pairs}"]


def _named(trial: Trial, name: str) -> Trial:
    return replace(trial, name=name)


def read_weights(path: Path) -> tuple[dict[str, float], float]:
    """Read marker weights: a table of marker and weight, or an OpenSim task set (.xml).

    Returns:
        The weights, and the weight of the markers that are not named: 1, as in a table only some may be
        named; 0 for a task set, as in OpenSim.

    Raises:
        InputError: not such a file, or weights that are no weights.
    """
    if path.suffix.lower() == ".xml":
        return read_ik_tasks(path).weights, 0.0
    weights: dict[str, float] = {}
    for number, line in enumerate(_lines(path), 1):
        cells = [cell.strip() for cell in line.translate(_SEPARATORS).split(",")]
        if not any(cells) or cells[0].startswith("#") or (number == 1 and cells[-1].lower() == "weight"):
            continue
        if len(cells) != 2 or not _is_weight(cells[1]):
            remedy = "each line holds a marker and its weight, with a comma between"
            raise InputError(path, f"line {number} is {line.strip()!r}", remedy)
        if cells[0] in weights:
            raise InputError(path, f"line {number} names the marker {cells[0]!r} again", "name each once")
        weights[cells[0]] = float(cells[1])
    if not weights:
        raise InputError(path, "names no marker", "each line holds a marker and its weight")
    return weights, 1.0


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror})", "name a file of marker weights") from error
    except UnicodeDecodeError as error:
        raise InputError(path, "is no text file", "name a file of marker weights") from error


def _is_weight(word: str) -> bool:
    try:
        return 0.0 <= float(word) < float("inf")
    except ValueError:
        return False


def setup_config(setup: IKSetup, model: OsimModel, trials: Sequence[Trial]) -> IKConfig:
    """The configuration of a setup for several trials: wanted values that vary over time are left out."""
    tasks = setup.tasks
    moving = [task.name for task in tasks.coordinates if task.apply and task.value_type == "from_file"]
    if moving:
        warn(setup.path, f"values of {listed(moving)} come from a file of one trial and are not used to fit")
    still = tuple(task for task in tasks.coordinates if task.value_type != "from_file")
    return replace(tasks, coordinates=still).config(model, trials[0].time, None, setup.path)


@dataclass(frozen=True, kw_only=True)
class SolverWishes:
    """What the command line says of the solver; see ``options``."""

    setup: Path | None = None
    weights: Path | None = None
    markers: Path | None = None
    smoothness: float = 0.0
    prior: float = 0.0
    continuity: float | None = None
    free: tuple[str, ...] = ()
    threads: int = 0

    def check(self) -> None:
        """Complain of wishes that contradict each other."""
        if self.setup is not None and self.weights is not None:
            raise click.UsageError("--setup and --weights both give weights: name one")

    def applied(self, config: IKConfig) -> IKConfig:
        """The configuration with these wishes."""
        if self.weights is not None:
            weights, default_weight = read_weights(self.weights)
            config = replace(config, weights=weights, default_weight=default_weight)
        free = (*config.free, *self.free)
        return replace(
            config,
            smoothness=self.smoothness,
            prior=self.prior,
            continuity=self.continuity,
            free=free,
            threads=self.threads,
        )

    @property
    def files(self) -> list[Path]:
        """The files that were named."""
        return [path for path in (self.setup, self.weights, self.markers) if path is not None]


def unlocked_coordinates(model: OsimModel, config: IKConfig) -> list[str]:
    """Locked coordinates that the solution moves: an exported model must not lock them."""
    locked = np.asarray(model.tree.locked, dtype=bool)
    return [name for name, is_locked in zip(model.coordinate_names, locked) if is_locked and name in config.free]
