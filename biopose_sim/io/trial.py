"""A recording of markers: the type that carries them through the project."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import InputError, near_matches
from .notice import listed
from .plates import Analog, ForcePlate


@dataclass(frozen=True, eq=False)
class Trial:
    """Markers over time, in the ground frame: X forward, Y up, Z right.

    Build it with `Trial.checked`, which validates; the bare constructor trusts its caller.

    Attributes:
        name: name of the recording, e.g. ``"walk01"``.
        time: (T,) strictly increasing [s].
        markers: (T, M, 3) [m]; NaN where a marker was not seen.
        marker_names: M names, no two alike.
        source: the file it came from, if any.
        nominal_rate: frame rate [Hz] that the file states; used where ``time`` holds a single frame.
        force_plates: force plates, if recorded.
        analog: analog channels, if recorded.
    """

    name: str
    time: np.ndarray
    markers: np.ndarray
    marker_names: tuple[str, ...]
    source: Path | None = None
    nominal_rate: float | None = None
    force_plates: tuple[ForcePlate, ...] = ()
    analog: Analog | None = None

    @classmethod
    def checked(
        cls,
        name: str,
        time: npt.ArrayLike,
        markers: npt.ArrayLike,
        marker_names: Sequence[str],
        *,
        source: str | Path | None = None,
        nominal_rate: float | None = None,
        force_plates: Sequence[ForcePlate] = (),
        analog: Analog | None = None,
    ) -> Trial:
        """Return a validated trial: contiguous float64; a marker that lacks one coordinate lacks all.

        Args:
            name: name of the recording.
            time: (T,) [s].
            markers: (T, M, 3) [m], NaN where missing.
            marker_names: M names.
            source: the file it came from; named in errors.
            nominal_rate: stated frame rate [Hz].
            force_plates: force plates, in the same frame and on the same clock.
            analog: analog channels, on the same clock.

        Raises:
            InputError: shapes that do not fit, no frame, no marker, names that repeat or are blank, time
                that is not finite or does not increase, infinite coordinates.
        """
        where = str(source) if source is not None else f"trial '{name}'"
        time_array = _as_floats(where, "time", time)
        marker_array = _as_floats(where, "markers", markers)
        names = tuple(str(n) for n in marker_names)
        _check_shapes(where, time_array, marker_array, names)
        _check_names(where, names)
        _check_time(where, time_array)
        if np.isinf(marker_array).any():
            frame, marker, _ = np.argwhere(np.isinf(marker_array))[0]
            raise InputError(where, f"marker '{names[marker]}' is infinite at frame {frame + 1}", "use NaN for a gap")
        partial = np.isnan(marker_array).any(axis=2)
        if partial.any():
            marker_array = np.where(partial[:, :, None], np.nan, marker_array)
        path = Path(source) if source is not None else None
        return cls(name, time_array, marker_array, names, path, nominal_rate, tuple(force_plates), analog)

    @property
    def n_frames(self) -> int:
        """Number of frames T."""
        return len(self.time)

    @property
    def n_markers(self) -> int:
        """Number of markers M."""
        return len(self.marker_names)

    @property
    def rate(self) -> float:
        """Mean frame rate [Hz]; of a single frame the rate that its file states, else NaN."""
        if self.n_frames > 1:
            return float((self.n_frames - 1) / (self.time[-1] - self.time[0]))
        return float("nan") if self.nominal_rate is None else self.nominal_rate

    @property
    def duration(self) -> float:
        """Time from the first to the last frame [s]."""
        return float(self.time[-1] - self.time[0])

    @property
    def missing(self) -> np.ndarray:
        """(T, M) bool, true where a marker was not seen."""
        return np.isnan(self.markers).any(axis=2)

    def index(self, name: str) -> int:
        """Return the index of a marker.

        Raises:
            InputError: there is no such marker; lists near names.
        """
        if name not in self.marker_names:
            near = near_matches(name, self.marker_names) or f"; it has {listed(self.marker_names)}"
            raise InputError(self._where, f"has no marker '{name}'{near}")
        return self.marker_names.index(name)

    def marker(self, name: str) -> np.ndarray:
        """Return one marker, (T, 3) [m]."""
        return self.markers[:, self.index(name)]

    def select(self, names: Iterable[str]) -> Trial:
        """Return the trial with these markers, in this order."""
        wanted = tuple(names)
        _check_names(self._where, wanted)
        columns = [self.index(name) for name in wanted]
        return replace(self, markers=np.ascontiguousarray(self.markers[:, columns]), marker_names=wanted)

    def drop(self, names: Iterable[str]) -> Trial:
        """Return the trial without these markers."""
        dropped = {self.index(name) for name in names}
        return self.select(n for i, n in enumerate(self.marker_names) if i not in dropped)

    def drop_empty(self) -> Trial:
        """Return the trial without the markers that are missing in every frame."""
        empty = self.missing.all(axis=0)
        if empty.all():
            raise InputError(self._where, "every marker is empty in every frame")
        return (
            self.select(n for n, gone in zip(self.marker_names, np.atleast_1d(empty)) if not gone)
            if empty.any()
            else self
        )

    def rename(self, new_names: Mapping[str, str]) -> Trial:
        """Return the trial with markers renamed from the keys to the values of ``new_names``."""
        for old in new_names:
            self.index(old)
        names = tuple(new_names.get(n, n) for n in self.marker_names)
        _check_names(self._where, names)
        return replace(self, marker_names=names)

    def crop(self, start: float | None = None, end: float | None = None) -> Trial:
        """Return the frames from ``start`` to ``end`` [s], both included; analog data are cut alike.

        Raises:
            InputError: no frame lies in between.
        """
        first = -np.inf if start is None else start
        last = np.inf if end is None else end
        slack = 1e-3 / self.rate if self.n_frames > 1 else 1e-6
        inside = (self.time >= first - slack) & (self.time <= last + slack)
        if not inside.any():
            span = f"it runs from {self.time[0]:g} to {self.time[-1]:g} s"
            raise InputError(self._where, f"has no frame between {first:g} and {last:g} s", span)
        time = self.time[inside]
        low, high = (time[0] if start is not None else -np.inf), (time[-1] if end is not None else np.inf)
        return replace(
            self,
            time=time,
            markers=self.markers[inside],
            force_plates=tuple(plate.crop(low, high) for plate in self.force_plates),
            analog=self.analog.crop(low, high) if self.analog is not None else None,
        )

    def __repr__(self) -> str:
        gaps = f", {self.missing.mean():.1%} missing" if np.isnan(self.markers).any() else ""
        frames = f"{self.n_frames} frames at {self.rate:g} Hz"
        return f"Trial({self.name!r}: {frames}, {self.n_markers} markers{gaps})"

    @property
    def _where(self) -> str:
        return str(self.source) if self.source is not None else f"trial '{self.name}'"


def first_time_fault(time: np.ndarray) -> int | None:
    """Return the index of the first time that is not finite or not later than the one before, else None."""
    if not np.isfinite(time).all():
        return int(np.argmin(np.isfinite(time)))
    late = np.diff(time) > 0
    return None if late.all() else int(np.argmin(late)) + 1


def repeated(names: Iterable[str]) -> list[str]:
    """Return the names that occur more than once."""
    return [name for name, count in Counter(names).items() if count > 1]


def _as_floats(where: str, what: str, values: npt.ArrayLike) -> np.ndarray:
    try:
        return np.ascontiguousarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(where, f"{what} cannot be read as numbers ({error})") from error


def _check_shapes(where: str, time: np.ndarray, markers: np.ndarray, names: tuple[str, ...]) -> None:
    if time.ndim != 1 or time.size == 0:
        raise InputError(where, f"time has shape {time.shape}", "give (T,) with at least one frame")
    if markers.ndim != 3 or markers.shape[2] != 3:
        raise InputError(where, f"markers have shape {markers.shape}", "give (frames, markers, 3)")
    if len(markers) != len(time):
        raise InputError(where, f"has {len(markers)} frames of markers but {len(time)} times")
    if markers.shape[1] != len(names):
        raise InputError(where, f"has {markers.shape[1]} markers but {len(names)} marker names")


def _check_names(where: str, names: tuple[str, ...]) -> None:
    if not names:
        raise InputError(where, "has no marker")
    if any(not name.strip() for name in names):
        raise InputError(where, "has a marker without a name")
    if twice := repeated(names):
        raise InputError(where, f"names the marker {listed(twice)} more than once", "give each its own name")


def _check_time(where: str, time: np.ndarray) -> None:
    fault = first_time_fault(time)
    if fault is None:
        return
    if not np.isfinite(time[fault]):
        raise InputError(where, f"time is not a number at frame {fault + 1}")
    before, after = time[fault - 1], time[fault]
    raise InputError(where, f"time does not increase at frame {fault + 1} ({after:g} s after {before:g} s)")
