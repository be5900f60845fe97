"""The engine ``fit``: size and marker offsets from the scaling trials, then each trial by inverse kinematics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from biopose_sim.ik.fit import fit_size
from biopose_sim.ik.solver import solve_ik
from biopose_sim.ik.types import KinematicsResult
from biopose_sim.io import Trial
from ik_pipeline.after_scaling import after_scaling
from ik_pipeline.engines.content import choice_content
from ik_pipeline.types import ModelChoice, PersonSpec, ScaledPerson, TrialSpec

# A trial is begun from one frame and solved in both directions; more threads would begin at more frames, and numbers
# would depend on them.
_MOST_THREADS = 2


class FitEngine:
    """Our own engine.

    Args:
        choice: the model that persons are scaled from.
        threads: how many work on a trial; the numbers are the same for any.
        tolerance: of a step of the inverse kinematics [rad | m]; None is that of ``choice.ik``.
    """

    name = "fit"

    def __init__(self, choice: ModelChoice, *, threads: int = 1, tolerance: float | None = None) -> None:
        self.choice = choice
        self.model = after_scaling(choice.model, choice)
        ik = replace(choice.ik, threads=min(max(threads, 1), _MOST_THREADS))
        self.ik = ik if tolerance is None else replace(ik, tolerance=tolerance)
        self.fit = replace(choice.fit, ik=self.ik, landmarks=choice.landmarks)

    def scale(self, person: PersonSpec, trials: Sequence[tuple[TrialSpec, Trial]], folder: Path) -> ScaledPerson:
        """Fit size and marker offsets to frames spread over the trials; writes nothing.

        Args:
            person: whose trials they are.
            trials: to scale from.
            folder: not used.

        Raises:
            InputError: no trial, or one that shares no marker with the model.
        """
        found = fit_size(self.model, [trial for _, trial in trials], self.fit)
        how = {
            "engine": self.name,
            "trials": [spec.name for spec, _ in trials],
            "frames": found.n_frames,
            "marker_rms_mm": 1e3 * found.marker_rms,
            "converged": found.converged,
            "largest_scale_sd": float(np.max(found.scale_sd)),
        }
        return ScaledPerson(found.model, found.scales, found.marker_offsets, how, found.warnings)

    def solve(self, person: ScaledPerson, trial: Trial) -> KinematicsResult:
        """Solve the motion of a trial.

        Raises:
            InputError: the trial shares no marker with the model.
        """
        return solve_ik(person.model, trial, self.ik)

    def configuration(self) -> Mapping[str, Any]:
        """Return all that decides results, the model's content included, as JSON has it."""
        return {"engine": self.name, **choice_content(replace(self.choice, fit=self.fit))}
