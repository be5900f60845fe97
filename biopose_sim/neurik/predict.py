"""Motion and size from markers by a trained network: any length, any rate, missing markers, seam-free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from biopose_sim.errors import InputError
from biopose_sim.ik.given import result_of_coordinates
from biopose_sim.ik.types import Array, KinematicsResult
from biopose_sim.io import Trial
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.neurik.frame import Framer
from biopose_sim.neurik.limits import within_ranges
from biopose_sim.neurik.network import Estimate, NeurIKNetwork
from biopose_sim.neurik.sampling import between, bridged, check_even, is_same, resampled
from biopose_sim.neurik.skeleton import Skeleton
from biopose_sim.neurik.windows import pose_of, rows_of, window_frames

RATE = 30.0  # of the training data [Hz]
FEWEST_MARKERS = 10  # with fewer, a person is not seen
OVERLAP = 0.125  # share of a window that the next one sees too
_BATCH = 32  # windows at a time


@dataclass(frozen=True)
class Prediction:
    """A person as a network sees it.

    Attributes:
        model: the scaled model; its markers lie where the person's do, as far as sizes or, refined, the trials say it.
        scales: factors, (n_bodies, 3).
        results: motions, one for each trial. Frames with fewer than ten markers count as not converged; their
            coordinates are interpolated between those that are seen.
        refined: whether the engine has polished what the network said.
    """

    model: OsimModel
    scales: Array
    results: tuple[KinematicsResult, ...]
    refined: bool = False

    @property
    def marker_offsets(self) -> Array:
        """Markers from where scaling puts them, in body axes, (n_markers, 3) [m]."""
        return self.model.marker_offsets


class Predictor:
    """Predicts with a trained network.

    Args:
        network: trained.
        rate: of the motions it was trained on [Hz].
        overlap: share of a window that the next one sees too; poses fade from one to the other there.
    """

    def __init__(self, network: NeurIKNetwork, rate: float = RATE, overlap: float = OVERLAP) -> None:
        self.network, self.rate = network.eval(), rate
        self.skeleton: Skeleton = network.skeleton
        self.framer = Framer(self.skeleton)
        self.overlap = round(overlap * network.config.window)

    def person(self, trials: Sequence[Trial], refine: bool = False) -> Prediction:
        """Predict one person's size from all trials together, and the motion of each.

        Args:
            trials: of one person.
            refine: polish with the engine (`neurik.refine`).

        Raises:
            InputError: no trial, one with fewer than ten markers that the network knows, or uneven times.
        """
        return self.many([trials], refine)[0]

    def many(self, persons: Sequence[Sequence[Trial]], refine: bool = False) -> list[Prediction]:
        """Predict several persons as :meth:`person` does one; the windows of all go through the network together."""
        if not all(len(trials) for trials in persons):
            raise InputError("NeurIK", "no trials were given", "give one or more trials of each person")
        trials = [trial for own in persons for trial in own]
        motions = iter(
            self.motions([self.markers_of(trial) for trial in trials], [self._rate(trial) for trial in trials])
        )
        return [self._person(own, [next(motions) for _ in own], refine) for own in persons]

    def coordinates(self, markers: Tensor, rate: float) -> tuple[Tensor, Tensor]:
        """Predict one sequence.

        Args:
            markers: (T, M, 3) [m] in the order of the model's markers, NaN where not seen.
            rate: frames per second [Hz].

        Returns:
            Coordinates (T, n_q) [rad | m], and logarithmic factors of each window (W, n_sizes).
        """
        return self.motions([markers], [rate])[0]

    @torch.no_grad()
    def motions(self, markers: Sequence[Tensor], rates: Sequence[float]) -> list[tuple[Tensor, Tensor]]:
        """Predict several sequences as :meth:`coordinates` does one; their windows go through the network together."""
        slow = [resampled(m.float(), rate, self.rate) for m, rate in zip(markers, rates)]
        found = []
        for given, rate, frames, (rows, sizes) in zip(markers, rates, slow, self._windows(slow)):
            rows = bridged(rows, is_seen(frames))
            if not is_same(rate, self.rate):
                rows = between(rows, torch.arange(len(given), dtype=torch.float64) * (self.rate / rate))
            found.append((self.coordinates_of(rows), sizes))
        return found

    def coordinates_of(self, rows: Tensor) -> Tensor:
        """Return the coordinates (T, n_q) [rad | m] of successive poses in ground (T, 12 + J), within their ranges."""
        coordinates = self.skeleton.decode(pose_of(rows))
        columns = list(self.skeleton.root_angles)
        inside = within_ranges(self.skeleton, coordinates.double().numpy())
        # Whole turns of the root from frame to frame are none.
        inside[:, columns] = np.unwrap(inside[:, columns], axis=0)
        return torch.from_numpy(inside)

    @torch.no_grad()
    def size(self, windows: Sequence[Tensor]) -> tuple[Array, Array]:
        """Return a person's factors (n_bodies, 3) and marker offsets (M, 3) [m] of what windows (W, n_sizes) say."""
        sizes = torch.cat(list(windows)).mean(dim=0)
        offsets = self.network.marker_offsets(sizes)
        return self.skeleton.scales(sizes.double()).numpy(), offsets.double().numpy()

    def estimate(self, markers: Tensor) -> tuple[Tensor, Estimate]:
        """Return poses in ground (B, F, 12 + J) and the estimate of windows of markers (B, L, M, 3) [m]."""
        framed = self.framer(markers)
        estimate = self.network(framed)[-1]
        return rows_of(estimate, framed), estimate

    def _windows(self, markers: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """Poses in ground (T, 12 + J) of all frames, and sizes (W, n_sizes), of each sequence."""
        jobs = [window_frames(len(m), self.network, self.overlap) for m in markers]
        width = 12 + len(self.skeleton.joint_names)
        sums = [torch.zeros(len(m), width, dtype=torch.float64) for m in markers]
        totals = [torch.zeros(len(m), dtype=torch.float64) for m in markers]
        sizes: list[list[Tensor]] = [[] for _ in markers]
        for parts in _batches([len(seen) for seen, _, _ in jobs], _BATCH):
            rows, estimate = self.estimate(torch.cat([markers[k][jobs[k][0][part]] for k, part in parts]))
            first = 0
            for k, part in parts:
                _, said, weight = (array[part] for array in jobs[k])
                own = slice(first, first + len(said))
                flat, w = said.flatten(), weight.flatten().double()
                totals[k].index_add_(0, flat, w)
                sums[k].index_add_(0, flat, rows[own].flatten(0, 1).double() * w[:, None])
                sizes[k].append(estimate.sizes[own])
                first = own.stop
        return [(s / t[:, None], torch.cat(z)) for s, t, z in zip(sums, totals, sizes)]

    def markers_of(self, trial: Trial) -> Tensor:
        """Return a trial's markers (T, M, 3) [m] in the order of the network's, NaN where not seen.

        Raises:
            InputError: fewer than ten that the network knows, in no frame enough of them, or uneven times.
        """
        check_even(trial)
        names = self.skeleton.model.marker_names
        common = [name for name in names if name in trial.marker_names]
        where = trial.source or trial.name
        if len(common) < FEWEST_MARKERS:
            problem = f"has {len(common)} of the {len(names)} markers that the network knows"
            raise InputError(where, problem, "'biopose markers list' shows them")
        markers = np.full((trial.n_frames, len(names), 3), np.nan, dtype=np.float32)
        columns = [trial.marker_names.index(name) for name in common]
        markers[:, [names.index(name) for name in common]] = trial.markers[:, columns]
        found = torch.from_numpy(markers)
        if not bool(is_seen(found).any()):
            problem = f"has no frame in which {FEWEST_MARKERS} of the network's markers were measured"
            raise InputError(where, problem, "fill its gaps, or give another recording")
        return found

    def _rate(self, trial: Trial) -> float:
        return trial.rate if np.isfinite(trial.rate) else self.rate

    def _person(self, trials: Sequence[Trial], motions: Sequence[tuple[Tensor, Tensor]], refine: bool) -> Prediction:
        scales, offsets = self.size([windows for _, windows in motions])
        model = self.skeleton.model.scale(scales, offsets)
        results = [given_result(model, trial, q.numpy()) for trial, (q, _) in zip(trials, motions)]
        prediction = Prediction(model, scales, tuple(results))
        if not refine:
            return prediction
        from biopose_sim.neurik.refine import refined

        return refined(self.skeleton, trials, prediction)


def is_seen(markers: Tensor) -> Tensor:
    """Say in which frames (T,) of markers (T, M, 3) a person is seen."""
    return torch.isfinite(markers).all(dim=-1).sum(dim=-1) >= FEWEST_MARKERS


def given_result(model: OsimModel, trial: Trial, coordinates: Array) -> KinematicsResult:
    """Return coordinates (T, n_q) as a result; frames in which the person is not seen are none that converged."""
    known = trial.select([name for name in trial.marker_names if name in model.marker_names])
    result = result_of_coordinates(model, known, coordinates)
    seen: NDArray[np.bool_] = np.isfinite(known.markers).all(axis=2).sum(axis=1) >= FEWEST_MARKERS
    if seen.all():
        return result
    text = f"{int((~seen).sum())} of {len(seen)} frames have fewer than {FEWEST_MARKERS} markers: interpolated"
    return replace(result, converged=seen).with_warnings(text)


def _batches(counts: Sequence[int], size: int) -> list[list[tuple[int, slice]]]:
    """Split the windows of several sequences into batches of parts, each of one sequence."""
    batches: list[list[tuple[int, slice]]] = []
    free = 0
    for k, count in enumerate(counts):
        first = 0
        while first < count:
            if not free:
                batches.append([])
                free = size
            stop = min(first + free, count)
            batches[-1].append((k, slice(first, stop)))
            free -= stop - first
            first = stop
    return batches
