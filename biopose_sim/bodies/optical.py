"""From optical markers to a moving body mesh: Anny's shape, motion and path fitted to a laboratory's marker set.

One person's trials share the body: phenotype values with a prior of adults, and an offset of each marker from its place
on the skin, constant in the axes of its segment and shrunk to zero. Poses are rotations of 17 joints that move Anny's
bones as the motions do on which the virtual markers were calibrated. Trials are solved at about 50 Hz, smoothed by a
bound on angular accelerations, and interpolated to their own frames.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation, Slerp

from ..errors import InputError
from ..io.notice import listed
from ..io.trial import Trial
from .optical_motion import solve_motion
from .optical_person import Given, PersonSearch, ShapedMarkers, Size
from .optical_rig import Array, MarkerRig, Pose, Shaped
from .optical_set import OpticalSet, choose_set
from .optical_start import first_poses, unwound
from .optical_terms import Terms
from .types import ANNY_AXES, BodySequence

# Frames with fewer markers show no person.
_FEWEST_SEEN = 6
# Stretches that are solved together, and how much of each is solved again with the next.
_STRETCH, _OVERLAP = 500, 40
_SPLINE = 4  # frames that a cubic spline needs
# Warnings: a marker that is so far off, and so many times as far as the middle one [m].
_FAR, _TIMES = 0.030, 3.0
# Positions of people in a laboratory, and distances between markers on a person [m].
_LARGEST, _SMALLEST = 3.0, 0.3


@dataclass(frozen=True)
class BodyFitConfig:
    """How to fit.

    Attributes:
        sex: ``"female"``, ``"male"`` or None: found.
        mass: of the person [kg], if known.
        stature: [m], if known.
        rate: at which motions are solved, at most [Hz]; between, they are interpolated.
        person_frames: frames from which shape and offsets are found.
        marker_sd: how far markers stray from their places on a moving body [m].
        landmark_sd: how far from its place a landmark's marker is put [m].
        tracking_sd: the same of other markers.
        robust: markers further away than this count less and less [m].
    """

    sex: str | None = None
    mass: float | None = None
    stature: float | None = None
    rate: float = 60.0
    person_frames: int = 60
    marker_sd: float = 0.005
    landmark_sd: float = 0.010
    tracking_sd: float = 0.030
    robust: float = 0.040


@dataclass(frozen=True, eq=False)
class BodyFit:
    """A person's body in motion.

    Attributes:
        sequences: one per trial, in its frames; read by `virtual_markers` and ``biopose predict``.
        phenotype: (6,) in the order of ``anny.PHENOTYPES``.
        marker_names: M markers that were used, as the recordings name them.
        places: where they lie, in that order.
        offsets: (M, 3) from there, in the axes of Anny's rest pose [m].
        residuals: distance of measured and fitted markers per trial, (T, M) [m]; NaN where not seen.
        left_out: names that the marker set does not know.
        solved_rate: frames per second that were solved, per trial [Hz].
        warnings: what a user should know.
    """

    sequences: tuple[BodySequence, ...]
    phenotype: Array
    marker_names: tuple[str, ...]
    places: OpticalSet
    offsets: Array
    residuals: tuple[Array, ...]
    left_out: tuple[str, ...]
    solved_rate: tuple[float, ...]
    warnings: tuple[str, ...]

    @property
    def rms(self) -> Array:
        """(M,) root mean square distance of each marker over all trials [m]; NaN for one that was never seen."""
        return _rms(np.concatenate(self.residuals))


def fit_body(
    trials: Sequence[Trial],
    places: OpticalSet | str | Path | None = None,
    config: BodyFitConfig | None = None,
    progress: Callable[[str], None] = lambda _text: None,
) -> BodyFit:
    """Fit Anny to one person's recordings.

    Args:
        trials: of one person and one marker placement; a static trial helps.
        places: where the markers lie: a set, its file or name; the shipped one that fits best if none is given.
        config: the default suits adults.
        progress: is told what is done.

    Raises:
        InputError: no trial, fewer than eight markers that the set knows, lengths that are not metres, or no frame
            with enough markers.
    """
    config = config or BodyFitConfig()
    if not trials:
        raise InputError("fit_body", "no trials were given", "give one or more trials of one person")
    known = places if isinstance(places, OpticalSet) else choose_set(trials, places)
    names, chosen, left_out = _used(trials, known)
    measured = [_measured(trial, names) for trial in trials]
    for trial, markers in zip(trials, measured):
        _check_size(trial, markers)
    fitter = _Fitter(chosen, config)
    progress("fitting the body")
    size = fitter.size(measured)
    shaped = fitter.make(size)
    sequences, residuals, rates = [], [], []
    for trial, markers in zip(trials, measured):
        progress(f"moving the body: {trial.name}, {trial.n_frames} frames")
        pose, rate = fitter.motion(shaped, markers, trial)
        seen = _enough(markers)
        gaps = np.linalg.norm(fitter.rig.points(shaped, pose) - markers, axis=2)
        residuals.append(np.where(seen[:, None], gaps, np.nan))
        sequences.append(_sequence(trial, fitter.rig, shaped, pose, size, seen, rate))
        rates.append(rate)
    found = BodyFit(
        tuple(sequences), size.phenotype, names, chosen, size.offsets, tuple(residuals), left_out, tuple(rates), ()
    )
    return replace(found, warnings=_warnings(found))


class _Fitter:
    """The steps of a fit for one marker set."""

    def __init__(self, places: OpticalSet, config: BodyFitConfig) -> None:
        self.places, self.config = places, config
        self.rig = MarkerRig(places.skinning())
        self.make = ShapedMarkers(places, self.rig)

    def size(self, measured: Sequence[Array]) -> Size:
        """Shape and offsets from spread frames of all trials."""
        config = self.config
        markers = _spread_frames(measured, config.person_frames)
        # What a marker's place may be off counts as error until it is known.
        terms = self._terms(markers, 2 * config.robust)
        sd = np.where(self.places.landmark, config.landmark_sd, config.tracking_sd)
        search = PersonSearch(terms, self.make, sd, Given(config.sex, config.mass, config.stature))
        start = search.start()
        first = first_poses(self.rig, self.make(start), markers, self.places.segments)
        return search.run(start, first)[0]

    def motion(self, shaped: Shaped, markers: Array, trial: Trial) -> tuple[Pose, float]:
        """Poses of all frames, and the rate at which they were solved [Hz]."""
        step = max(1, int(np.ceil(trial.rate / self.config.rate - 0.01))) if trial.n_frames > 1 else 1
        # The last frame is solved too, so that nothing is extrapolated.
        rows = np.unique(np.append(np.arange(0, trial.n_frames, step), trial.n_frames - 1))
        rows = rows[_enough(markers[rows])] if _enough(markers[rows]).any() else np.flatnonzero(_enough(markers))
        interval = step / trial.rate if trial.n_frames > 1 else 1.0
        pose = self._stretches(shaped, markers[rows], interval)
        return _interpolated(pose, trial.time[rows], trial.time), 1.0 / interval if trial.n_frames > 1 else trial.rate

    def _stretches(self, shaped: Shaped, markers: Array, interval: float) -> Pose:
        first = first_poses(self.rig, shaped, markers, self.places.segments)
        found: list[Pose] = []
        for start in range(0, len(markers), _STRETCH):
            rows = slice(max(start - _OVERLAP, 0), min(start + _STRETCH + _OVERLAP, len(markers)))
            terms = self._terms(markers[rows], self.config.robust)
            solved = solve_motion(terms, shaped, first.frames(rows), interval)
            inner = start - rows.start
            found.append(solved.frames(slice(inner, inner + _STRETCH)))
        return Pose(*(np.concatenate([getattr(p, name) for p in found]) for name in ("root", "place", "joints")))

    def _terms(self, markers: Array, robust: float) -> Terms:
        return Terms(self.rig, markers, self.places.weights / self.config.marker_sd**2, robust)


def _used(trials: Sequence[Trial], places: OpticalSet) -> tuple[tuple[str, ...], OpticalSet, tuple[str, ...]]:
    """Names of the markers in the recordings, their places, and the names that no place is known for."""
    every = list(dict.fromkeys(name for trial in trials for name in trial.marker_names))
    meant = places.meant(every)
    chosen = places.select([meant[name] for name in every if name in meant])
    return tuple(n for n in every if n in meant), chosen, tuple(n for n in every if n not in meant)


def _measured(trial: Trial, names: Sequence[str]) -> Array:
    """(T, M, 3) in Anny's axes, NaN where not seen."""
    markers = np.full((trial.n_frames, len(names), 3), np.nan)
    for column, name in enumerate(names):
        if name in trial.marker_names:
            markers[:, column] = trial.marker(name)
    # Laboratories write nought for a marker that is lost.
    markers[(markers == 0.0).all(axis=2)] = np.nan
    return np.asarray(markers @ ANNY_AXES)


def _check_size(trial: Trial, markers: Array) -> None:
    where = trial.source or trial.name
    seen = _enough(markers)
    if not seen.any():
        most = int(np.isfinite(markers).all(axis=2).sum(axis=1).max(initial=0))
        problem = f"has no frame with {_FEWEST_SEEN} markers of the set (at most {most})"
        raise InputError(where, problem, "fill its gaps, or leave the trial out")
    extent = float(np.median(_extent(markers[seen]).max(axis=1)))
    if not _SMALLEST < extent < _LARGEST:
        remedy = "its Units are wrong: give metres or say mm in the header"
        raise InputError(where, f"its markers span {extent:.3g} m, no person", remedy)


def _extent(markers: Array) -> Array:
    return np.asarray(np.nanmax(markers, axis=1) - np.nanmin(markers, axis=1))


def _enough(markers: Array) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(markers).all(axis=2).sum(axis=1) >= _FEWEST_SEEN)


def _spread_frames(measured: Sequence[Array], count: int) -> Array:
    """Frames of all trials, as many of each, evenly spread over those with most markers."""
    each = max(2, count // len(measured))
    parts = []
    for markers in measured:
        seen = np.isfinite(markers).all(axis=2).sum(axis=1)
        rows = np.flatnonzero(seen >= max(_FEWEST_SEEN, np.percentile(seen, 50)))
        parts.append(markers[rows[np.unique(np.linspace(0, len(rows) - 1, each).astype(int))]])
    return np.concatenate(parts)


def _interpolated(pose: Pose, known: Array, time: Array) -> Pose:
    """Poses at all times; before the first and after the last known frame they stand still."""
    at = np.clip(time, known[0], known[-1])
    if len(known) < _SPLINE:
        nearest = np.abs(known[None] - at[:, None]).argmin(axis=1)
        return pose.frames(nearest)
    joints = np.stack([unwound(pose.joints[:, k]) for k in range(pose.joints.shape[1])], axis=1)
    root = Slerp(known, Rotation.from_quat(pose.root))(at).as_quat()
    return Pose(root, CubicSpline(known, pose.place)(at), CubicSpline(known, joints)(at))


def _sequence(
    trial: Trial, rig: MarkerRig, shaped: Shaped, pose: Pose, size: Size, seen: NDArray[np.bool_], rate: float
) -> BodySequence:
    said = ["The body is Anny, fitted to optical markers."]
    if trial.n_frames > 1 and rate < 0.98 * trial.rate:
        said.append(f"Its motion was solved at {rate:.0f} Hz and interpolated to {trial.rate:.0f} Hz.")
    return BodySequence(
        name=trial.name,
        body="anny",
        time=trial.time,
        rotations=rig.all_rotations(pose, shaped.heads),
        translation=pose.place,
        shape=size.phenotype,
        to_ground=ANNY_AXES,
        seen=None if seen.all() else seen,
        source=trial.source,
        assumptions=tuple(said),
    )


def _warnings(fit: BodyFit) -> tuple[str, ...]:
    lines = []
    if fit.left_out:
        lines.append(
            f"markers that the set {fit.places.source.name} does not know are left out: {listed(fit.left_out, 12)}"
        )
    for sequence, residual in zip(fit.sequences, fit.residuals):
        by_marker = _rms(residual)
        usual = float(np.nanmedian(by_marker))
        bad = [k for k in np.argsort(-np.nan_to_num(by_marker)) if by_marker[k] > max(_FAR, _TIMES * usual)]
        if bad:
            named = ", ".join(f"{fit.marker_names[k]} ({1e3 * by_marker[k]:.0f} mm)" for k in bad[:6])
            lines.append(f"{sequence.name}: far from their places on the body: {named}; swapped or mislabelled?")
        if sequence.seen is not None:
            gone = int((~sequence.seen).sum())
            lines.append(f"{sequence.name}: {gone} frames show fewer than {_FEWEST_SEEN} markers and have no body")
    return tuple(lines)


def _rms(distances: Array) -> Array:
    seen = np.isfinite(distances)
    count = seen.sum(axis=0)
    total = (np.where(seen, distances, 0.0) ** 2).sum(axis=0)
    return np.asarray(np.where(count > 0, np.sqrt(total / np.maximum(count, 1)), np.nan))
