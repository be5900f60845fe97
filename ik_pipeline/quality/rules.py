"""Which trials and persons are good enough: limits with their reasons, and the verdict in words."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

from biopose_sim.errors import InputError, near_matches
from ik_pipeline.quality.types import PersonQuality, TrialQuality

TABLE = "rules"


@dataclass(frozen=True)
class Rules:
    """Limits; what is beyond one is rejected. ``inf`` switches one off.

    The defaults stand apart from good recordings and from broken ones. What good ones reach was measured on 29 trials
    of two laboratories (OpenCap's subject 4 on its hand-scaled model, OpenSim's Rajagopal example) and is named below.

    Attributes:
        marker_rms: [mm] of a trial. OpenSim's guide asks for 20 mm; good ones: up to 17. Shirts and body models are
            worse than skin.
        landmark_rms: [mm] of the bony landmarks of a trial; good ones: up to 20 (shoulders of a drop jump).
        worst_marker_rms: [mm] of any one marker: a mislabelled one is a segment's breadth away; good ones: up to 53.
        worst_segment_rms: [mm] of the markers of any one body: a limb that is somewhere else; good ones: up to 35.
        masked_landmarks: share of landmark samples beyond 2 cm, which training leaves out; good ones: up to 0.21.
        missing: share of samples not seen: beyond it gaps decide what is solved.
        frozen: share of samples that repeat the one before: frames that were doubled, markers that were held.
        marker_jumps: share of samples of all markers that jump; good ones with swapped thigh markers: 0.001.
        one_marker_jumps: share of steps in which a single marker jumps; good ones: up to 0.02.
        at_limits: share of samples of clamped coordinates at a limit; good ones: up to 0.13 (standing straight).
        jumps: frames per second in which a coordinate jumps, which hardly depends on the rate; good ones: up to 1.6,
            dance 3.7 (arms that pass a singular pose), limbs that a motion capture lost 6 to 13.
        jerk: [m/s^3] of the markers, see `motion`: all of the body trembles; good ones: up to 510 (running), dance and
            jumps on body models to 1900.
        jerk_ratio: of the model's markers to the measured ones': a solution that flickers; good ones: up to 1.9.
        penetration: [mm] below the floor: above the 2 cm that soles are uncertain by, and 3 cm of floor.
        skate: [mm/s] of standing feet; good ones: up to 62. A foot counts as standing below 350 mm/s.
        upside_down: share of frames; some people stand on their hands, for a while.
        lying: share of frames; a whole trial is rather one whose vertical axis is not Y.
        not_converged: share of frames that the solver does not call solved.
        person_rms: [mm] of a person over all trials, as ``marker_rms``.
        departure: absolute logarithm of a dimension relative to the body's mean. People stay within 0.14 (2.5 standard
            deviations of `SizePrior`); fits to body models reach 0.313, for their prior has its wall at 0.30.
        asymmetry: absolute logarithm of the ratio of both sides; limbs of people differ by a few percent.
        size: factor by which a person may be larger or smaller than the generic model: adults stay within 1.2.
        stature: share by which the model's stature may differ from the person's; virtual people: up to 0.022.
    """

    marker_rms: float = 25.0
    landmark_rms: float = 30.0
    worst_marker_rms: float = 75.0
    worst_segment_rms: float = 55.0
    masked_landmarks: float = 0.3
    missing: float = 0.3
    frozen: float = 0.1
    marker_jumps: float = 0.002
    one_marker_jumps: float = 0.05
    at_limits: float = 0.2
    jumps: float = 5.0
    jerk: float = 2500.0
    jerk_ratio: float = 3.0
    penetration: float = 60.0
    skate: float = 250.0
    upside_down: float = 0.5
    lying: float = 0.99
    not_converged: float = 0.1
    person_rms: float = 25.0
    departure: float = 0.35
    asymmetry: float = 0.15
    size: float = 1.6
    stature: float = 0.06

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
    return tuple(check.sentence for check in _trial_checks(quality, rules) if check.failed)


def judge_person(quality: PersonQuality, rules: Rules) -> tuple[str, ...]:
    """Return why a person is rejected, a short sentence each with figure and limit; empty if accepted."""
    return tuple(check.sentence for check in _person_checks(quality, rules) if check.failed)


def trial_severity(quality: TrialQuality, rules: Rules) -> float:
    """Return how bad a trial is: the largest ratio of a figure to its limit, above 1 for a rejected one."""
    return max((check.ratio for check in _trial_checks(quality, rules)), default=0.0)


def _plain(value: float) -> str:
    """Three digits that count, never an exponent."""
    return f"{value:.3g}" if abs(value) < 1000.0 else f"{value:.0f}"


def _percent(value: float) -> str:
    return f"{100.0 * value:.3g} %"


def _factor(value: float) -> str:
    """The logarithm of a factor, in percent."""
    return f"{100.0 * math.expm1(value):.3g} %"


@dataclass(frozen=True)
class _Check:
    """A figure and its upper limit, and how to say it."""

    text: str
    value: float | None
    limit: float
    show: Callable[[float], str] = _plain

    @property
    def failed(self) -> bool:
        return self.value is not None and self.value > self.limit

    @property
    def ratio(self) -> float:
        if self.value is None or not math.isfinite(self.limit):
            return 0.0
        return self.value / self.limit if self.limit else float(self.value > 0.0) * 1e3

    @property
    def sentence(self) -> str:
        figure = self.show(self.value) if self.value is not None else ""
        return f"{self.text.format(figure)} (limit {self.show(self.limit)})"


def _trial_checks(q: TrialQuality, r: Rules) -> list[_Check]:
    steps = max(q.frames - 1, 1)
    jumper, jumps = q.jumping_markers[0] if q.jumping_markers else ("", 0.0)
    marker, marker_rms = q.worst_markers[0] if q.worst_markers else ("", 0.0)
    segment, segment_rms = q.segments[0] if q.segments else ("", 0.0)
    leaps = q.marker_jumps / (steps * max(q.markers, 1))
    return [
        _Check("markers are off by {} mm RMS", q.marker_rms, r.marker_rms),
        _Check("bony landmarks are off by {} mm RMS", q.landmark_rms, r.landmark_rms),
        _Check(f"marker {marker} is off by {{}} mm RMS", marker_rms, r.worst_marker_rms),
        _Check(f"markers on {segment} are off by {{}} mm RMS", segment_rms, r.worst_segment_rms),
        _Check(
            "{} of the landmark samples are off by more than 2 cm", q.masked_landmarks, r.masked_landmarks, _percent
        ),
        _Check("{} of the marker samples are missing", q.missing, r.missing, _percent),
        _Check("{} of the marker samples repeat the frame before", q.frozen, r.frozen, _percent),
        _Check("{} of the marker samples jump", leaps, r.marker_jumps, _percent),
        _Check(f"marker {jumper} jumps in {{}} of the frames", jumps / steps, r.one_marker_jumps, _percent),
        _Check("coordinates are at a limit in {} of their samples", q.at_limits, r.at_limits, _percent),
        _Check("coordinates jump in {} frames a second", q.jump_frames * (q.rate or 0.0), r.jumps),
        _Check("the markers tremble with a jerk of {} m/s³", q.jerk, r.jerk),
        _Check("the model shakes {} times as much as the markers", q.jerk_ratio, r.jerk_ratio),
        _Check("feet are {} mm below the floor", q.penetration, r.penetration),
        _Check("standing feet slide at {} mm/s", q.skate, r.skate),
        _Check("the head is below the feet in {} of the frames", q.upside_down, r.upside_down, _percent),
        _Check("the person lies in {} of the frames (is Y up?)", q.lying, r.lying, _percent),
        _Check("{} of the frames did not converge", 1.0 - q.converged, r.not_converged, _percent),
    ]


def _person_checks(q: PersonQuality, r: Rules) -> list[_Check]:
    changed = "larger" if q.size > 1.0 else "smaller"
    off = abs(q.model_stature / q.stature - 1.0) if q.model_stature and q.stature else None
    times = "{:.2f}".format
    return [
        _Check("markers are off by {} mm RMS over all trials", q.marker_rms, r.person_rms),
        _Check(f"{q.furthest} is {{}} from the body's mean factor", q.departure, r.departure, _factor),
        _Check(f"{q.asymmetric} differs by {{}} between the sides", q.asymmetry, r.asymmetry, _factor),
        _Check(f"the person is {{}} times {changed} than the model", max(q.size, 1.0 / q.size), r.size, times),
        _Check("the model's stature differs by {} from the person's", off, r.stature, _percent),
    ]
