"""What the rooms of the pipeline hand each other: persons and trials of a data set, models, scaled persons.

Everything here can be pickled, for it travels to worker processes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from biopose_sim.ik.fit import FitConfig
from biopose_sim.ik.scale_setup import Measurement
from biopose_sim.ik.types import IKConfig, KinematicsResult
from biopose_sim.io import Trial
from biopose_sim.kinematics.model import OsimModel

Array = NDArray[np.float64]


@dataclass(frozen=True)
class TrialSpec:
    """A recording of a person that has not been read yet.

    Attributes:
        name: unique within the person, fit for a file name.
        files: whose content decides the trial; their hashes enter the manifest.
        details: what else the source needs to read it (frames of an action, whether mirrored, ...), as JSON has it.
        scaling: why the trial suits scaling, e.g. ``"static"`` or ``"T-pose"``; None: an ordinary motion.
        action: what is done in it, where the data set says so.
    """

    name: str
    files: tuple[Path, ...]
    details: Mapping[str, Any] = field(default_factory=dict)
    scaling: str | None = None
    action: str | None = None


@dataclass(frozen=True)
class PersonSpec:
    """A person of a data set and what was recorded.

    Attributes:
        id: unique within the run, fit for a folder's name.
        dataset: name of the data set, e.g. ``"bml-movi"``.
        trials: the recordings.
        group: persons of one group are never divided between training and test (a CMU subject moves many bodies).
        sex: ``"female"``, ``"male"`` or None.
        stature: [m], where known.
        mass: [kg], where known.
        split: ``"train"``, ``"val"`` or ``"test"`` where the data set or the user decides it; None: by hash.
        details: what else the source needs (shape of the body, ...), as JSON has it.
        poses: recordings that serve scaling alone: they are no motions, and are not solved.
    """

    id: str
    dataset: str
    trials: tuple[TrialSpec, ...]
    group: str
    sex: str | None = None
    stature: float | None = None
    mass: float | None = None
    split: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    poses: tuple[TrialSpec, ...] = ()

    @property
    def recordings(self) -> tuple[TrialSpec, ...]:
        """All that there is to read: poses and trials."""
        return (*self.poses, *self.trials)


@dataclass(frozen=True)
class BadFile:
    """A file that cannot be used, and why, in one line."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Listing:
    """What a source holds.

    Attributes:
        persons: in a fixed order.
        bad_files: what was found to be unusable while listing; each file once.
        notices: what a user should know, a sentence each.
    """

    persons: tuple[PersonSpec, ...]
    bad_files: tuple[BadFile, ...] = ()
    notices: tuple[str, ...] = ()


class Source(Protocol):
    """A data set on disk.

    Attributes:
        name: as on the command line, e.g. ``"amass"``.
        virtual: whether its markers are the 142 virtual markers; else a laboratory's own.
    """

    name: str
    virtual: bool

    def prepare(self, work: Path) -> None:
        """Unpack what must be unpacked into a folder that stays for the run; called once, before all else."""

    def list(self) -> Listing:
        """Return persons and trials; reads no more than it must."""

    def read(self, person: PersonSpec, trial: TrialSpec) -> Trial:
        """Return the markers of a trial [m], ground frame (Y up); called in workers, in any order.

        Raises:
            InputError: the file cannot be read; names the file.
        """

    def configuration(self) -> Mapping[str, Any]:
        """Return all that decides what is read besides the files, as JSON has it; it enters the content hashes."""


@dataclass(frozen=True)
class ModelChoice:
    """The model that persons are scaled from, and how its markers are used.

    Attributes:
        path: the generic model's file.
        markers: file of the marker set that joins the model's markers; None: those of the model.
        model: the generic model with these markers.
        fit: how the engine `fit` fits it; ``fit.ik`` holds weights per marker for both engines.
        landmarks: names of the markers on bony landmarks.
        measurements: marker pairs by which the ScaleTool scales bodies along axes.
        locked: coordinates that are locked after scaling, as D3KE does.
        unlocked: coordinates that are unlocked after scaling.
        couplers_off: names of coupler constraints that no longer hold after scaling.
        marker_bodies: markers and the bodies that carry them after scaling, from where they were in the static pose.
        notices: what a user should know of the choice, a sentence each.
        placement: weight per marker in the static pose in which OpenSim places the markers, of a scale setup; None:
            that of ``ik``, less for tracking markers as they vary more among people.
    """

    path: Path
    markers: Path | None
    model: OsimModel
    fit: FitConfig
    landmarks: frozenset[str]
    measurements: tuple[Measurement, ...] = ()
    locked: tuple[str, ...] = ()
    unlocked: tuple[str, ...] = ()
    couplers_off: tuple[str, ...] = ()
    marker_bodies: tuple[tuple[str, str], ...] = ()
    notices: tuple[str, ...] = ()
    placement: Mapping[str, float] | None = None

    @property
    def ik(self) -> IKConfig:
        """How motions are solved."""
        return self.fit.ik


@dataclass(frozen=True)
class ScaledPerson:
    """A person's model.

    Attributes:
        model: the scaled model with its markers placed.
        scales: factors per body and axis, (n_bodies, 3).
        marker_offsets: of the markers from where scaling alone puts them, body axes, (n_markers, 3) [m].
        how: how it was found (trials, frames, why these), as JSON has it; goes into the manifest.
        warnings: what a user should know.
        path: the scaled model as OpenSim wrote it, where the engine has one.
    """

    model: OsimModel
    scales: Array
    marker_offsets: Array
    how: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    path: Path | None = None


class Engine(Protocol):
    """A way from markers to a scaled model and motions."""

    name: str

    def scale(self, person: PersonSpec, trials: Sequence[tuple[TrialSpec, Trial]], folder: Path) -> ScaledPerson:
        """Scale the generic model and place its markers; ``folder`` is free for files (a scaled .osim)."""

    def solve(self, person: ScaledPerson, trial: Trial) -> KinematicsResult:
        """Solve the motion of a trial."""

    def configuration(self) -> Mapping[str, Any]:
        """Return all that decides results, the model's content included, as JSON has it."""
