"""Linear systems of a motion: blocks of successive frames coupled, and a few unknowns that all frames share.

    [ H  B ] [x]   [a]
    [ B' C ] [y] = [b]

H is symmetric, positive definite and block-pentadiagonal over the frames; y is eliminated by the Schur complement. The
cost grows with the number of frames only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Bordered:
    """A symmetric system over T frames of n unknowns and P shared ones.

    Attributes:
        own: (T, n, n) blocks of the diagonal.
        next: (T - 1, n, n): rows of frame t + 1, columns of frame t.
        after: (T - 2, n): the diagonals of the blocks between frames t + 2 and t.
        border: (T, n, P).
        corner: (P, P).
        right: (T, n) right-hand side.
        right_shared: (P,).
    """

    own: Array
    next: Array
    after: Array
    border: Array
    corner: Array
    right: Array
    right_shared: Array

    @classmethod
    def zeros(cls, frames: int, n: int, shared: int) -> Bordered:
        """Return a system of zeros, to be added to in place."""
        return cls(
            np.zeros((frames, n, n)),
            np.zeros((max(frames - 1, 0), n, n)),
            np.zeros((max(frames - 2, 0), n)),
            np.zeros((frames, n, shared)),
            np.zeros((shared, shared)),
            np.zeros((frames, n)),
            np.zeros(shared),
        )

    def add_diagonals(self, own: Array, next: Array, after: Array) -> None:
        """Add what couples a coordinate with itself only: (T, n), (T - 1, n), (T - 2, n)."""
        n = np.arange(self.own.shape[1])
        self.own[:, n, n] += own
        self.next[:, n, n] += next
        self.after[:] += after

    def hold(self, held: NDArray[np.bool_]) -> None:
        """Make the unknowns ``held`` (T, n) zero."""
        free = ~held
        self.own[:] *= free[:, :, None] & free[:, None, :]
        self.next[:] *= free[1:, :, None] & free[:-1, None, :]
        self.after[:] *= free[2:] & free[:-2]
        self.border[:] *= free[:, :, None]
        self.right[:] *= free
        frame, unknown = np.nonzero(held)
        self.own[frame, unknown, unknown] = 1.0

    def solve(self, damping: float) -> tuple[Array, Array]:
        """Return x (T, n) and y (P,), with the diagonal made larger by the share ``damping``.

        Raises:
            numpy.linalg.LinAlgError: not positive definite; more damping helps.
        """
        from scipy.linalg import cho_solve_banded, cholesky_banded

        frames, n, shared = self.border.shape
        band = self._band()
        band[0] *= 1.0 + damping
        # LAPACK's banded Cholesky says by LinAlgError that a pivot is not positive.
        factor = cholesky_banded(band, lower=True, overwrite_ab=True, check_finite=False)
        sides = np.concatenate([self.border.reshape(-1, shared), self.right.reshape(-1, 1)], axis=1)
        solved = cho_solve_banded((factor, True), sides, check_finite=False)
        if not shared:
            return solved[:, -1].reshape(frames, n), np.zeros(0)
        taken = self.border.reshape(-1, shared).T @ solved
        schur = self.corner + damping * np.diag(np.diag(self.corner)) - taken[:, :-1]
        root = np.linalg.cholesky(schur)
        half = np.linalg.solve(root, self.right_shared - taken[:, -1])
        y = np.linalg.solve(root.T, half)
        return (solved[:, -1] - solved[:, :-1] @ y).reshape(frames, n), y

    def _band(self) -> Array:
        """Lower band (2 n + 1, T n) of H, as LAPACK stores it: the diagonal in row 0."""
        frames, n, _ = self.own.shape
        columns = np.zeros((frames, 3 * n, n))
        columns[:, :n] = self.own
        columns[:-1, n : 2 * n] = self.next
        k = np.arange(n)
        columns[: frames - 2, 2 * n + k, k] = self.after
        down = np.arange(2 * n + 1)[:, None] + k
        return np.ascontiguousarray(columns[:, down, k].transpose(1, 0, 2)).reshape(2 * n + 1, frames * n)
