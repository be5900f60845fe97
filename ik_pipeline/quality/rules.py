"""Which trials and persons are good enough: limits with their reasons, and the verdict in words."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

from biopose_sim.errors import InputError, near_matches
from ik_pipeline.quality.types import PersonQuality, TrialQuality

TABLE = "rules"


@dataclass(frozen=True)
class Rules:
    """Limits; what is beyond one is rejected. ``inf`` switches one off.

    Attributes:
        marker_rms: [mm], all markers of a trial.
        landmark_rms: [mm], bony landmarks of a trial.
        worst_marker_rms: [mm], any marker of a trial.
        worst_segment_rms: [mm], markers of any body.
        masked_landmarks: share of landmark samples beyond 2 cm.
        missing: share of samples not seen.
        frozen: share of samples that repeat the one before.
        marker_jumps: of a marker, per minute and marker.
        at_limits: share of samples of clamped coordinates.
        limit_time: share of frames that any one coordinate spends at a limit.
        jumps: of coordinates, per minute.
        jerk_ratio: of the model's markers to that of the measured ones.
        penetration: [mm] below the floor.
        skate: [mm/s] of standing feet.
        upside_down: share of frames.
        lying: share of frames.
        converged: least share of frames.
        departure: logarithm of a factor relative to the body's mean.
        asymmetry: logarithm of the ratio of both sides.
        stature: share by which the model's stature may differ from the person's.
        size: factor by which a person may be larger or smaller than the generic model.
        person_rms: [mm], all markers over all trials.
    """

    marker_rms: float = 30.0
    landmark_rms: float = 30.0
    worst_marker_rms: float = 80.0
    worst_segment_rms: float = 50.0
    masked_landmarks: float = 0.5
    missing: float = 0.3
    frozen: float = 0.05
    marker_jumps: float = 2.0
    at_limits: float = 0.2
    limit_time: float = 1.0
    jumps: float = 20.0
    jerk_ratio: float = 3.0
    penetration: float = 80.0
    skate: float = 200.0
    upside_down: float = 0.5
    lying: float = 0.99
    converged: float = 0.9
    departure: float = 0.35
    asymmetry: float = 0.2
    stature: float = 0.1
    size: float = 1.5
    person_rms: float = 25.0

    @classmethod
    def from_toml(cls, path: str | Path) -> Self:
        """Read limits from the table ``[rules]`` of a TOML file; those that it does not name keep their defaults.

        Raises:
            InputError: no such file, no TOML, no such table, an unknown name or a value that is no number.
        """
        try:
            content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(path, "no such file") from None
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise InputError(path, f"cannot be read as TOML: {error}") from error
        table = content.get(TABLE)
        if not isinstance(table, dict):
            raise InputError(path, f"has no table [{TABLE}]", f"write [{TABLE}] above the limits")
        known = [field.name for field in fields(cls)]
        for name, value in table.items():
            if name not in known:
                hint = near_matches(name, known) or f"; there are {', '.join(known)}"
                raise InputError(path, f"[{TABLE}] has no limit '{name}'{hint}")
            if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value or value < 0:
                raise InputError(path, f"[{TABLE}] {name} is {value!r}", "a number of 0 or above is needed, or inf")
        return cls(**{name: float(value) for name, value in table.items()})


def judge_trial(quality: TrialQuality, rules: Rules) -> tuple[str, ...]:
    """Return why a trial is rejected, a short sentence each with figure and limit; empty if it is accepted."""
    return ()


def judge_person(quality: PersonQuality, rules: Rules) -> tuple[str, ...]:
    """Return why a person is rejected, a short sentence each with figure and limit; empty if accepted."""
    return ()
