"""People for the measurements of the ground-truth engines: one on the D3KE full body, one Anny adult in CMU motion."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench.cases import data_folder
from bench.fullbody import noisy_trial, random_motion
from biopose_sim.bodies.markers import virtual_markers
from biopose_sim.bodies.phenotypes import sample_adults
from biopose_sim.ik.groups import make_groups
from biopose_sim.ik.types import Array, IKConfig
from biopose_sim.io import Trial
from biopose_sim.kinematics.model import OsimModel
from ik_pipeline.after_scaling import after_scaling
from ik_pipeline.calibration_data import read_takes
from ik_pipeline.model_choice import choose_model
from ik_pipeline.scaling_trials import choose_scaling_trials
from ik_pipeline.types import ModelChoice, PersonSpec, TrialSpec

TABLES = Path(__file__).resolve().parent
D3KE = "d3ke_full_body_wo_hands.osim"  # the full body with 87 markers
FACTORS = (0.9, 1.1)
DISPLACED = 0.01  # [m] per axis, standard deviation: how far markers are from the generic model's
WALKING, WILD = "08_01", "05_09"


@dataclass(frozen=True)
class Subject:
    """A person with trials in memory.

    Attributes:
        choice: the generic model.
        spec: the person.
        trials: with their recordings.
        factors: the true factors (n_bodies, 3), where they are known.
    """

    choice: ModelChoice
    spec: PersonSpec
    trials: tuple[tuple[TrialSpec, Trial], ...]
    factors: Array | None = None


def d3ke_choice(data: str | None = None, ik: IKConfig | None = None) -> ModelChoice:
    """The D3KE full body without hands: its 87 markers, its changes after scaling, marker pairs of our own."""
    path = data_folder(data) / "models" / D3KE
    return choose_model(virtual=False, path=path, scale_setup=TABLES / "measurements_d3ke.csv", ik=ik)


def d3ke_subject(choice: ModelChoice, n_frames: int, n_trials: int, noise: float, seed: int = 0) -> Subject:
    """A person of random proportions with displaced markers in random smooth motion, and a static trial.

    Args:
        choice: the generic model.
        n_frames: of all motions together.
        n_trials: motions.
        noise: of the markers, standard deviation per axis [m].
        seed: of everything.
    """
    model = choice.model
    rng = np.random.default_rng(seed)
    groups = make_groups(model.body_names)
    factors = rng.uniform(*FACTORS, (len(groups.names), 3))[groups.group]
    true = after_scaling(model, choice).scale(factors, rng.normal(0.0, DISPLACED, (len(model.marker_names), 3)))
    still = np.repeat(true.tree.defaults[None], 50, axis=0)
    trials = [(TrialSpec("static", (), scaling="static"), _named(true, still, noise, seed, "static"))]
    for k in range(n_trials):
        name = f"motion{k:02d}"
        q = random_motion(true, n_frames // n_trials, seed + 1 + k)
        trials.append((TrialSpec(name, ()), _named(true, q, noise, seed + 1 + k, name)))
    spec = PersonSpec("d3ke", "random", tuple(t for t, _ in trials), "d3ke")
    return Subject(choice, spec, tuple(trials), factors)


def _named(model: OsimModel, q: Array, noise: float, seed: int, name: str) -> Trial:
    return replace(noisy_trial(model, q, noise, seed), name=name)


def cmu_subject(work: Path, data: str | None = None, seed: int = 2024) -> Subject:
    """An Anny adult that the calibration has not seen, in CMU takes that it has not seen: walking and dance.

    Args:
        work: a folder that receives the unpacked takes.
        data: folder of test data.
        seed: of the body.
    """
    takes = (WALKING, WILD)
    if not list(work.rglob(f"{WALKING}.bvh")):
        with tarfile.open(data_folder(data) / "cmu_bvh" / "cmu_daz_bvh.tar.xz") as archive:
            wanted = [m for m in archive.getmembers() if Path(m.name).stem in takes]
            archive.extractall(work, members=wanted, filter="data")
    root = next(work.rglob(f"{WALKING}.bvh")).parent
    sequences = read_takes(root, takes, sample_adults(1, seed)[0], 60.0)
    trials = tuple(
        (TrialSpec(name, (), action=name), replace(virtual_markers(s), name=name)) for name, s in zip(takes, sequences)
    )
    spec = PersonSpec("cmu", "cmu", tuple(t for t, _ in trials), "cmu")
    return Subject(choose_model(virtual=True), spec, trials)


def shortened(trial: Trial, frames: int | None) -> Trial:
    """The first frames of a trial; None for all."""
    return replace(trial, time=trial.time[:frames], markers=trial.markers[:frames])


def scaling_input(subject: Subject) -> list[tuple[TrialSpec, Trial]]:
    """The trials that a subject is scaled from."""
    chosen = {t.name for t in choose_scaling_trials(subject.spec)[0]}
    return [pair for pair in subject.trials if pair[0].name in chosen]


def mark(reached: bool) -> str:
    """Return how a target is told of."""
    return "reached" if reached else "MISSED"
