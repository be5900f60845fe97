"""What a Gauss-Newton step of the engine would make of a network's estimate, and that smoothed over time."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from biopose_sim.ik.gauss_newton import GaussNewton
from biopose_sim.neurik.frame import Framed
from biopose_sim.neurik.skeleton import Pose, Skeleton

# Steps are drawn back to the estimate, once as if markers were exact and it was not, once the other way round: standard
# deviations of markers [m], angles [rad] and places [m].
_TRUSTED = ((0.005, 0.3, 0.1), (0.02, 0.05, 0.02))
_LARGEST_TURN, _LARGEST_MOVE = 1.0, 0.5  # [rad], [m]
# Standard deviations of the kernels that steps are smoothed with, as markers are trusted [frames]; 0: not at all.
SMOOTHED = ((0.0, 1.5, 4.0, 12.0), (0.0, 1.5, 4.0))


class EngineStep:
    """Gauss-Newton steps for windows of a network; computed on the processor, also for a GPU.

    Args:
        skeleton: of the network.
    """

    def __init__(self, skeleton: Skeleton) -> None:
        self._skeleton = skeleton
        self._engine = GaussNewton(skeleton.model)
        moves = np.array([kind == "translational" for kind in skeleton.model.motion_types])[self._engine.free]
        rows = [np.where(moves, marker / place, marker / angle) ** 2 for marker, angle, place in _TRUSTED]
        self._damping = np.stack(rows)
        self._largest = np.where(moves, _LARGEST_MOVE, _LARGEST_TURN)

    @torch.no_grad()
    def __call__(
        self, framed: Framed, coordinates: Tensor, scales: Tensor, offsets: Tensor, count: int = 1
    ) -> tuple[list[Pose], Tensor]:
        """Return the poses after steps, and measured minus model markers before them in segment axes (B, T, M, 3) [m].

        Poses of a step that trusts markers, and of one that trusts the coordinates as much.

        Args:
            framed: measured markers of windows.
            coordinates: (B, T, n_q) in the frame of the markers [rad | m].
            scales: factors of each window's person, (B, n_bodies, 3).
            offsets: of their markers, (B, M, 3) [m].
            count: of steps, each from where the one before, trusting markers, ended.
        """
        batch, frames = coordinates.shape[:2]
        free = self._engine.free
        person = np.repeat(np.arange(batch), frames)
        markers, seen = framed.markers.flatten(0, 1), framed.seen.flatten(0, 1).to(framed.markers)
        given = (_array(scales), _array(offsets), person, _array(markers), _array(seen))
        q = np.array(coordinates.flatten(0, 1).double().cpu().numpy(), order="C")
        expected = np.ascontiguousarray(q[:, free])
        apart: list[np.ndarray] = []
        for left in range(count - 1, -1, -1):
            # On the way markers are trusted; only the last step is wanted both ways.
            damping = self._damping[:1] if left else self._damping
            steps, off = self._engine.steps(q, *given, expected, damping, self._largest)
            apart.append(off)
            if left:
                q[:, free] += steps[0]
        stepped = np.repeat(q[None], len(steps), axis=0)
        stepped[:, :, free] += steps
        values = torch.from_numpy(stepped).to(framed.markers).unflatten(1, (batch, frames))
        pose = self._skeleton.encode(values, _ahead(values), torch.zeros_like(values[..., :3]))
        found = [Pose(*parts) for parts in zip(pose.root_rotation, pose.root_position, pose.joints)]
        return found, torch.from_numpy(apart[0]).to(framed.markers).unflatten(0, (batch, frames))


def _ahead(values: Tensor) -> Tensor:
    """No heading."""
    heading = torch.zeros_like(values[..., :2])
    heading[..., 0] = 1.0
    return heading


def smoothed(values: Tensor, deviation: float) -> Tensor:
    """Return values (B, T, n) smoothed over T by a Gaussian kernel of a standard deviation [frames]."""
    return _kernel(values.shape[1], deviation).to(values) @ values


@lru_cache
def _kernel(frames: int, deviation: float) -> Tensor:
    """Weights (T, T) of frames for each frame."""
    place = torch.arange(frames, dtype=torch.float64)
    weights = torch.exp(-0.5 * ((place[:, None] - place) / deviation) ** 2)
    return (weights / weights.sum(dim=1, keepdim=True)).float()


def _array(values: Tensor) -> np.ndarray:
    return np.ascontiguousarray(values.detach().float().cpu().numpy())
