"""What is measured of trials and persons: plain numbers, strings and tuples that JSON can hold.

None stands where there is nothing to measure. Every "share" lies between 0 and 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

Named = tuple[tuple[str, float], ...]  # name and value, the largest first
Vec3 = tuple[float, float, float]


class _FromJson:
    """Made again from what `dataclasses.asdict` and JSON made of it."""

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the object that ``dataclasses.asdict`` turned into these values; lists become tuples.

        Unknown keys are left out and missing ones get their defaults, so that older results can be read.

        Raises:
            TypeError: a value without default is missing.
        """
        known = {f.name for f in fields(cls)}  # type: ignore[arg-type]
        return cls(**{key: _tuples(value) for key, value in values.items() if key in known})


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, (list, tuple)) else value


@dataclass(frozen=True)
class TrialQuality(_FromJson):
    """How good the result of a trial is.

    Attributes:
        frames: number of frames.
        seconds: of motion, frames divided by the rate.
        rate: frames per second [Hz]; None for a single frame.
        markers: number of markers that were used.
        marker_rms: root mean square distance of measured and model markers [mm].
        landmark_rms: the same of the bony landmarks.
        tracking_rms: the same of all other markers.
        largest_error: the largest distance [mm].
        largest_marker: the marker that it belongs to.
        worst_frame: index of the frame with the largest RMS; what a picture should show.
        worst_markers: those with the largest RMS [mm], eight at most.
        segments: RMS of the markers on each body [mm].
        masked_landmarks: share of seen landmark samples that are further than 2 cm from the model's.
        missing: share of marker samples that were not seen.
        frozen: share of seen samples that are exactly where they were a frame before: no measurement does that.
        marker_jumps: steps of a measured marker against the model's of more than 5 cm and 5 m/s.
        jumping_markers: the markers that jump most, with their number of jumps, eight at most.
        at_limits: share of samples of clamped coordinates that are at a limit of their range.
        frames_at_limits: share of frames with at least one coordinate at a limit.
        limits: share of frames at a limit, of each coordinate that is there ever.
        jumps: steps of coordinates that differ from those around them by more than motion can, see `motion`.
        jump_frames: share of steps from frame to frame in which any coordinate jumps.
        jumping: coordinates that jump, with their number of jumps, eight at most.
        wraps: steps of more than half a turn: the same angle but for a whole turn.
        jerk: root mean square jerk of the model's markers, as it is seen at 30 Hz [m/s^3]; see `motion`.
        jerk_ratio: that jerk relative to the jerk of the measured markers: above 1 the model shakes more.
        floor: height of the floor that was assumed [mm]; see ``floor_from``.
        floor_from: ``"ground"`` (y = 0), ``"feet"`` (where standing feet are), or None without feet.
        feet: ``"soles"`` (points of the foot bodies), ``"markers"`` (the model's markers on the feet), or None.
        penetration: depth of the lowest point of the feet below the floor that 99 of 100 frames keep [mm].
        penetrating: share of frames in which a foot is more than 2 cm below the floor.
        standing: share of frames in which a foot stands on the floor.
        skate: mean horizontal speed of the slower of heel and ball while they stand [mm/s].
        slip: horizontal distance that a foot moves during one stance, 95 of 100 stances less [mm].
        upside_down: share of frames with the head below the feet.
        lying: share of frames with head and feet about level.
        converged: share of frames that the solver calls solved.
        undetermined: free coordinates that the markers do not determine.
    """

    frames: int
    seconds: float
    rate: float | None
    markers: int
    marker_rms: float | None
    landmark_rms: float | None
    tracking_rms: float | None
    largest_error: float | None
    largest_marker: str | None
    worst_frame: int
    worst_markers: Named
    segments: Named
    masked_landmarks: float | None
    missing: float
    frozen: float
    marker_jumps: int
    jumping_markers: Named
    at_limits: float
    frames_at_limits: float
    limits: Named
    jumps: int
    jump_frames: float
    jumping: Named
    wraps: int
    jerk: float | None
    jerk_ratio: float | None
    floor: float | None
    floor_from: str | None
    feet: str | None
    penetration: float | None
    penetrating: float | None
    standing: float | None
    skate: float | None
    slip: float | None
    upside_down: float | None
    lying: float | None
    converged: float
    undetermined: tuple[str, ...]


@dataclass(frozen=True)
class PersonQuality(_FromJson):
    """How plausible a scaled person is, and how well the motions fit.

    Attributes:
        trials: number of trials.
        frames: of all trials.
        marker_rms: over all trials [mm].
        landmark_rms: the same of the bony landmarks.
        tracking_rms: the same of all other markers.
        size: geometric mean of all factors: the size of the person relative to the generic model.
        parts: factors (x, y, z) of each part of the body, both sides together, relative to ``size``.
        departures: factors that few people have, as ``"thigh y"`` with the logarithm of the factor relative to
            ``size``; the furthest first. Beyond 2.5 standard deviations of the configuration's `SizePrior`.
        departure: the furthest of all, as the absolute logarithm.
        furthest: part and axis of it.
        asymmetry: the largest ratio of a factor on both sides, as the absolute logarithm; None without sides.
        asymmetric: part and axis of it.
        model_stature: from the soles to the top of the head of the scaled model [m]; None without head or feet.
        stature: of the person [m], where known.
        offsets: of the markers that were moved furthest from where scaling puts them [mm], eight at most.
        landmark_offset: the largest of a bony landmark [mm].
        tracking_offset: the largest of any other marker [mm].
    """

    trials: int
    frames: int
    marker_rms: float | None
    landmark_rms: float | None
    tracking_rms: float | None
    size: float
    parts: tuple[tuple[str, Vec3], ...]
    departures: Named
    departure: float
    furthest: str
    asymmetry: float | None
    asymmetric: str | None
    model_stature: float | None
    stature: float | None
    offsets: Named
    landmark_offset: float | None
    tracking_offset: float | None
