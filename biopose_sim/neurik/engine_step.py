"""What a Gauss-Newton step of the engine would make of a network's estimate, and that smoothed over time."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from biopose_sim.ik.gauss_newton import GaussNewton
from biopose_sim.neurik.frame import Framed
from biopose_sim.neurik.skeleton import Pose, Skeleton

# The step is drawn back to the estimate by what markers (m) are off to what estimates are (rad | m).
_MARKER_SD, _ANGLE_SD, _PLACE_SD = 0.005, 0.3, 0.1
_LARGEST_TURN, _LARGEST_MOVE = 1.0, 0.5  # [rad], [m]
SMOOTHED = (1.5, 4.0)  # standard deviations of the kernels that steps are smoothed with [frames]


class EngineStep:
    """Gauss-Newton steps for windows of a network; computed on the processor, also for a GPU.

    Args:
        skeleton: of the network.
    """

    def __init__(self, skeleton: Skeleton) -> None:
        self._skeleton = skeleton
        self._engine = GaussNewton(skeleton.model)
        moves = np.array([kind == "translational" for kind in skeleton.model.motion_types])[self._engine.free]
        self._damping = np.where(moves, (_MARKER_SD / _PLACE_SD) ** 2, (_MARKER_SD / _ANGLE_SD) ** 2)
        self._largest = np.where(moves, _LARGEST_MOVE, _LARGEST_TURN)

    @torch.no_grad()
    def __call__(
        self, framed: Framed, coordinates: Tensor, scales: Tensor, offsets: Tensor, count: int = 1
    ) -> tuple[Pose, Tensor]:
        """Return the poses after steps, and measured minus model markers before them in segment axes (B, T, M, 3) [m].

        Args:
            framed: measured markers of windows.
            coordinates: (B, T, n_q) in the frame of the markers [rad | m].
            scales: factors of each window's person, (B, n_bodies, 3).
            offsets: of their markers, (B, M, 3) [m].
            count: of steps, each from where the one before ended.
        """
        batch, frames = coordinates.shape[:2]
        person = np.repeat(np.arange(batch), frames)
        markers, seen = framed.markers.flatten(0, 1), framed.seen.flatten(0, 1).to(framed.markers)
        given = (_array(scales), _array(offsets), person, _array(markers), _array(seen), self._damping, self._largest)
        apart: list[np.ndarray] = []
        stepped = coordinates
        for _ in range(count):
            complete = self._skeleton.model(stepped).coordinates
            q = np.ascontiguousarray(complete.flatten(0, 1).double().cpu().numpy())
            steps, off = self._engine.steps(q, *given)
            apart.append(off)
            q[:, self._engine.free] += steps
            stepped = torch.from_numpy(q).to(framed.markers).unflatten(0, (batch, frames))
        ahead = torch.zeros_like(stepped[..., :2])
        ahead[..., 0] = 1.0
        pose = self._skeleton.encode(stepped, ahead, torch.zeros_like(stepped[..., :3]))
        return pose, torch.from_numpy(apart[0]).to(framed.markers).unflatten(0, (batch, frames))


def smoothed(values: Tensor, deviation: float) -> Tensor:
    """Return values (B, T, n) smoothed over T by a Gaussian kernel of a standard deviation [frames]."""
    reach = int(np.ceil(2.5 * deviation))
    place = torch.arange(-reach, reach + 1, dtype=values.dtype, device=values.device)
    kernel = torch.exp(-0.5 * (place / deviation) ** 2)[None, None]
    rows = values.transpose(1, 2).flatten(0, 1)[:, None]
    sums = functional.conv1d(rows, kernel, padding=reach)
    weight = functional.conv1d(torch.ones_like(rows[:1]), kernel, padding=reach)
    return (sums / weight)[:, 0].unflatten(0, (values.shape[0], values.shape[2])).transpose(1, 2)


def _array(values: Tensor) -> np.ndarray:
    return np.ascontiguousarray(values.detach().float().cpu().numpy())
