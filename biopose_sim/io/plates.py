"""What is recorded beside the markers: analog channels and force plates."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, eq=False)
class Analog:
    """Analog channels (EMG, raw force plate channels, ...).

    Attributes:
        names: C channel names.
        units: C units, as the file gives them (``"V"``, ``"N"``, ...).
        rate: sampling rate [Hz].
        start: time of the first sample [s].
        data: (N, C), in ``units``.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    rate: float
    start: float
    data: np.ndarray

    @property
    def time(self) -> np.ndarray:
        """(N,) [s], on the clock of the markers."""
        return self.start + np.arange(len(self.data)) / self.rate

    def crop(self, start: float, end: float) -> Analog:
        """Return the samples from ``start`` to ``end`` [s], both included."""
        first, last = _sample_range(self.start, self.rate, len(self.data), start, end)
        return replace(self, start=self.start + first / self.rate, data=self.data[first:last])


@dataclass(frozen=True, eq=False)
class ForcePlate:
    """One force plate; everything in the ground frame of the markers (Y up), in SI units.

    Attributes:
        type: C3D type of the plate (1 to 4).
        corners: (4, 3) corners of the working surface [m].
        origin: (3,) from the centre of the surface to the sensor's origin, in plate axes as in the file [m].
        rate: sampling rate [Hz].
        start: time of the first sample [s].
        forces: (N, 3) force of the ground on the person [N].
        moments: (N, 3) moment of the ground on the person about the centre of the surface [N m].
    """

    type: int
    corners: np.ndarray
    origin: np.ndarray
    rate: float
    start: float
    forces: np.ndarray
    moments: np.ndarray

    @property
    def time(self) -> np.ndarray:
        """(N,) [s], on the clock of the markers."""
        return self.start + np.arange(len(self.forces)) / self.rate

    @property
    def center(self) -> np.ndarray:
        """(3,) centre of the working surface [m]."""
        return self.corners.mean(axis=0)

    @property
    def normal(self) -> np.ndarray:
        """(3,) unit normal of the working surface, upward."""
        normal = np.cross(self.corners[2] - self.corners[0], self.corners[3] - self.corners[1])
        normal = normal / np.linalg.norm(normal)
        return normal if normal[1] >= 0 else -normal

    def center_of_pressure(self, min_force: float = 20.0) -> np.ndarray:
        """Return the point on the surface where the force acts, (N, 3) [m]; NaN below ``min_force`` [N]."""
        normal = self.normal
        vertical = self.forces @ normal
        loaded = np.abs(vertical) >= min_force
        divisor = np.where(loaded, vertical, np.nan)[:, None]
        return self.center + np.cross(normal, self.moments) / divisor

    def free_moment(self, min_force: float = 20.0) -> np.ndarray:
        """Return the moment about the normal at the center of pressure, (N, 3) [N m]; 0 if unloaded."""
        lever = np.nan_to_num(self.center_of_pressure(min_force) - self.center)
        about_point = self.moments - np.cross(lever, self.forces)
        loaded = np.abs(self.forces @ self.normal) >= min_force
        return np.where(loaded, about_point @ self.normal, 0.0)[:, None] * self.normal

    def crop(self, start: float, end: float) -> ForcePlate:
        """Return the samples from ``start`` to ``end`` [s], both included."""
        first, last = _sample_range(self.start, self.rate, len(self.forces), start, end)
        return replace(
            self,
            start=self.start + first / self.rate,
            forces=self.forces[first:last],
            moments=self.moments[first:last],
        )


def _sample_range(origin: float, rate: float, count: int, start: float, end: float) -> tuple[int, int]:
    """Return first and past-the-last index of the samples between two times, with a little slack."""
    first = int(np.clip(np.ceil((start - origin) * rate - 1e-3), 0, count))
    last = int(np.clip(np.floor((end - origin) * rate + 1e-3) + 1, first, count))
    return first, last
