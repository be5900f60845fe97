"""Choosing the frames of several trials from which a person is fitted."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from biopose_sim.ik.problem import build_problem
from biopose_sim.ik.types import Array, IKConfig, IntArray
from biopose_sim.io import Trial
from biopose_sim.kinematics.model import OsimModel


@dataclass(frozen=True)
class FitFrames:
    """Frames of several trials as one, and where those of each trial lie.

    Attributes:
        trial: all frames; its time only counts them.
        parts: one slice a trial.
    """

    trial: Trial
    parts: tuple[slice, ...]


def choose_frames(model: OsimModel, trials: Sequence[Trial], ik: IKConfig, count: int) -> FitFrames:
    """Frames spread evenly over all trials, best-measured frames preferred.

    Every trial gets the same share at first; what a short one does not need goes to the others.

    Args:
        model: the model, whose markers are taken.
        trials: of one person.
        ik: for the check that each trial has markers to use.
        count: how many frames in total.

    Raises:
        InputError: a trial that shares no marker with the model.
    """
    names = [n for n in model.marker_names if any(n in t.marker_names for t in trials)]
    for trial in trials:
        if not set(names) & set(trial.marker_names):
            build_problem(model, trial, ik)  # raises with the near matches
    shares = _shares([len(t.time) for t in trials], count)
    frames = []
    for trial, share in zip(trials, shares):
        markers = np.full((len(trial.time), len(names), 3), np.nan)
        for k, name in enumerate(names):
            if name in trial.marker_names:
                markers[:, k] = trial.markers[:, trial.marker_names.index(name)]
        frames.append(markers[_well_measured(markers, share)])
    stacked = np.concatenate(frames)
    ends = np.cumsum([0, *(len(f) for f in frames)])
    trial = Trial("frames for fitting", np.arange(float(len(stacked))), stacked, tuple(names))
    return FitFrames(trial, tuple(slice(int(a), int(b)) for a, b in itertools.pairwise(ends)))


def _shares(lengths: list[int], total: int) -> list[int]:
    shares = [0] * len(lengths)
    left, waiting = total, sorted(range(len(lengths)), key=lambda i: lengths[i])
    for position, i in enumerate(waiting):
        shares[i] = min(lengths[i], max(1, left // (len(waiting) - position)))
        left -= shares[i]
    return shares


def _well_measured(markers: Array, count: int) -> IntArray:
    """Indices of ``count`` frames, one of each equal stretch: the one with the fewest gaps."""
    seen = np.isfinite(markers).all(axis=2).sum(axis=1)
    edges = np.linspace(0, len(markers), count + 1).astype(int)
    chosen = []
    for a, b in itertools.pairwise(edges):
        middle = np.abs(np.arange(a, b) - 0.5 * (a + b - 1))
        chosen.append(a + int(np.lexsort((middle, -seen[a:b]))[0]))
    return np.array(chosen, dtype=np.int64)
