"""Motion and size from markers by a trained network: any length, any rate, missing markers, seam-free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from biopose_sim.errors import InputError
from biopose_sim.ik.given import result_of_coordinates
from biopose_sim.ik.types import Array, KinematicsResult
from biopose_sim.io import Trial
from biopose_sim.kinematics.model import OsimModel
from biopose_sim.neurik.frame import Framed, Framer
from biopose_sim.neurik.network import NeurIKNetwork
from biopose_sim.neurik.skeleton import Pose, Skeleton

RATE = 30.0  # of the training data [Hz]
_OVERLAP = 2  # windows that see a frame
_BATCH = 32  # windows at a time
_FEWEST_MARKERS = 10
_SAME_RATE = 0.02  # relative difference that is none


@dataclass(frozen=True)
class Prediction:
    """A person as a network sees it.

    Attributes:
        model: the scaled model.
        scales: factors, (n_bodies, 3).
        results: motions, one for each trial.
    """

    model: OsimModel
    scales: Array
    results: tuple[KinematicsResult, ...]


class Predictor:
    """Predicts with a trained network.

    Args:
        network: trained.
        rate: of the motions it was trained on [Hz].
    """

    def __init__(self, network: NeurIKNetwork, rate: float = RATE) -> None:
        self.network, self.rate = network.eval(), rate
        self.skeleton: Skeleton = network.skeleton
        self.framer = Framer(self.skeleton)

    def person(self, trials: Sequence[Trial]) -> Prediction:
        """Predict one person's size from all trials together, and the motion of each.

        Raises:
            InputError: no trial, or one with fewer than ten markers that the network knows.
        """
        if not trials:
            raise InputError("NeurIK", "no trials were given", "give one or more trials of one person")
        found = [self._trial(trial) for trial in trials]
        weights = np.array([len(windows) for _, windows in found], dtype=float)
        sizes = sum(w * windows.mean(axis=0) for w, (_, windows) in zip(weights, found)) / weights.sum()
        scales = self.skeleton.scales(torch.from_numpy(np.asarray(sizes))).double().numpy()
        model = self.skeleton.model.scale(scales)
        results = tuple(self._result(model, trial, q) for trial, (q, _) in zip(trials, found))
        return Prediction(model, scales, results)

    def coordinates(self, markers: Tensor, rate: float) -> tuple[Tensor, Tensor]:
        """Predict one sequence.

        Args:
            markers: (T, M, 3) [m] in the order of the model's markers, NaN where not seen.
            rate: frames per second [Hz].

        Returns:
            Coordinates (T, n_q) [rad | m], and logarithmic factors of each window (W, n_sizes).
        """
        n_frames = len(markers)
        slow = resampled(markers, rate, self.rate)
        pose, framed, sizes = self._windows(slow)
        pose, heading, origin = back_to(pose, framed, n_frames, rate, self.rate)
        coordinates = self.skeleton.decode(pose, heading, origin)
        return unwound(coordinates, self.skeleton), sizes

    @torch.no_grad()
    def _windows(self, markers: Tensor) -> tuple[Pose, Framed, Tensor]:
        """Poses of all frames, the frame they are in, and sizes of the windows."""
        framed = self.framer(markers[None])
        length = self.network.config.window
        starts = window_starts(len(markers), length, length // _OVERLAP)
        rows = starts[:, None] + torch.arange(length)
        rows = rows.clamp_max(len(markers) - 1)
        share = torch.hann_window(length + 2, periodic=False)[1:-1]
        rotation = torch.zeros(len(markers), 3, 3)
        position, joints = torch.zeros(len(markers), 3), torch.zeros(len(markers), len(self.skeleton.joint_names))
        total, sizes = torch.zeros(len(markers)), []
        for first in range(0, len(starts), _BATCH):
            part = rows[first : first + _BATCH]
            estimate = self.network(Framed(*(getattr(framed, name)[0][part] for name in _FIELDS)))[-1]
            weight = share.expand(len(part), -1).clone()
            # What was repeated to fill the last window does not count.
            weight[:, 1:][part[:, 1:] == part[:, :-1]] = 0.0
            flat = part.flatten()
            total.index_add_(0, flat, weight.flatten())
            for into, values in (
                (rotation, estimate.pose.root_rotation),
                (position, estimate.pose.root_position),
                (joints, estimate.pose.joints),
            ):
                values = values.flatten(0, 1)
                into.index_add_(0, flat, values * weight.flatten().view(-1, *(1,) * (values.dim() - 1)))
            sizes.append(estimate.sizes)
        position, joints = position / total[:, None], joints / total[:, None]
        pose = Pose(nearest_rotation(rotation / total[:, None, None]), position, joints)
        whole = Framed(*(getattr(framed, name)[0] for name in _FIELDS))
        return pose, whole, torch.cat(sizes)

    def _trial(self, trial: Trial) -> tuple[Array, Array]:
        names = self.skeleton.model.marker_names
        common = [name for name in names if name in trial.marker_names]
        if len(common) < _FEWEST_MARKERS:
            problem = f"has {len(common)} of the {len(names)} markers that the network knows"
            raise InputError(trial.source or trial.name, problem, "'biopose markers list' shows them")
        markers = np.full((trial.n_frames, len(names), 3), np.nan, dtype=np.float32)
        markers[:, [names.index(name) for name in common]] = trial.markers[
            :, [trial.marker_names.index(name) for name in common]
        ]
        rate = trial.rate if np.isfinite(trial.rate) else self.rate
        q, sizes = self.coordinates(torch.from_numpy(markers), rate)
        return q.double().numpy(), sizes.double().numpy()

    def _result(self, model: OsimModel, trial: Trial, q: Array) -> KinematicsResult:
        known = trial.select([name for name in trial.marker_names if name in model.marker_names])
        return result_of_coordinates(model, known, complete(model, q))


def complete(model: OsimModel, coordinates: Array) -> Array:
    """Return coordinates (T, n_q) with the dependent ones computed."""
    with torch.no_grad():
        return model(torch.from_numpy(coordinates)).coordinates.numpy()


_FIELDS = ("markers", "seen", "heading", "origin")


def window_starts(n_frames: int, length: int, stride: int) -> Tensor:
    """Return first frames (W,) of windows that cover all frames; the last one ends with the last frame."""
    if n_frames <= length:
        return torch.zeros(1, dtype=torch.long)
    starts = list(range(0, n_frames - length, stride))
    return torch.tensor([*starts, n_frames - length])


def resampled(markers: Tensor, rate: float, wanted: float) -> Tensor:
    """Return markers (T, M, 3) at another rate [Hz], by linear interpolation; gaps stay gaps."""
    if abs(rate - wanted) <= _SAME_RATE * wanted or len(markers) < 2:
        return markers
    n = int((len(markers) - 1) * wanted / rate + 1e-6) + 1
    place = torch.arange(n, dtype=torch.float64) * (rate / wanted)
    low = place.floor().long().clamp_max(len(markers) - 2)
    share = (place - low).to(markers)[:, None, None]
    return torch.lerp(markers[low], markers[low + 1], share)


def back_to(pose: Pose, framed: Framed, n_frames: int, rate: float, from_rate: float) -> tuple[Pose, Tensor, Tensor]:
    """Return poses, headings and origins of the recording's own frames."""
    heading, origin = framed.heading, framed.origin
    if len(pose.joints) == n_frames and abs(rate - from_rate) <= _SAME_RATE * from_rate:
        return pose, heading, origin
    last = len(pose.joints) - 1
    place = (torch.arange(n_frames, dtype=torch.float64) * (from_rate / rate)).clamp_max(last)
    low = place.floor().long().clamp_max(max(last - 1, 0))
    high = (low + 1).clamp_max(last)
    share = (place - low).float()

    def between(values: Tensor) -> Tensor:
        return torch.lerp(values[low], values[high], share.view(-1, *(1,) * (values.dim() - 1)))

    turned = nearest_rotation(between(pose.root_rotation))
    ahead = torch.nn.functional.normalize(between(heading), dim=-1)
    return Pose(turned, between(pose.root_position), between(pose.joints)), ahead, between(origin)


def nearest_rotation(matrices: Tensor) -> Tensor:
    """Return the rotations nearest to matrices (..., 3, 3), by singular values."""
    u, _, v = torch.linalg.svd(matrices)
    sign = torch.ones(*matrices.shape[:-2], 3)
    sign[..., 2] = torch.linalg.det(u @ v)
    return (u * sign[..., None, :]) @ v


def unwound(coordinates: Tensor, skeleton: Skeleton) -> Tensor:
    """Take whole turns out of the root's angles from frame to frame."""
    result = coordinates.clone()
    for column in skeleton.root_angles:
        angles = result[:, column].double().numpy()
        result[:, column] = torch.from_numpy(np.unwrap(angles)).to(result)
    return result
