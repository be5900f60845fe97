"""Compiled sparse Cholesky factorisation in the pattern of a program's tree (``Program.fill``)."""

from __future__ import annotations

import numpy as np

from biopose_sim.ik.kernel import _internal


@_internal
def factor(p, matrix, active, damping, lower):
    """Sparse Cholesky factor of matrix + diag(damping); rows that are not active become those of the identity.

    ``lower`` (n, n) holds column j of the factor in its row j. Returns False when it is not positive definite.
    """
    n = p.n_free
    for j in range(n):
        lower[j, j] = matrix[j, j] + damping[j] if active[j] else 1.0
        for a in range(p.fill_ptr[j], p.fill_ptr[j + 1]):
            i = p.fill[a]
            lower[j, i] = matrix[i, j] if active[i] and active[j] else 0.0
    for j in range(n):
        pivot = lower[j, j]
        if not pivot > 1e-14 * (abs(matrix[j, j]) + damping[j]):
            return False
        root = np.sqrt(pivot)
        lower[j, j] = root
        first, last = p.fill_ptr[j], p.fill_ptr[j + 1]
        for a in range(first, last):
            lower[j, p.fill[a]] /= root
        for a in range(first, last):
            i = p.fill[a]
            factor_i = lower[j, i]
            if factor_i != 0.0:
                for b in range(a, last):
                    k = p.fill[b]
                    lower[i, k] -= factor_i * lower[j, k]
    return True


@_internal
def solve_factored(p, lower, right):
    """Overwrite ``right`` (n,) with the solution of L L^T x = right."""
    n = p.n_free
    for j in range(n):
        right[j] /= lower[j, j]
        for a in range(p.fill_ptr[j], p.fill_ptr[j + 1]):
            right[p.fill[a]] -= lower[j, p.fill[a]] * right[j]
    for j in range(n - 1, -1, -1):
        total = right[j]
        for a in range(p.fill_ptr[j], p.fill_ptr[j + 1]):
            total -= lower[j, p.fill[a]] * right[p.fill[a]]
        right[j] = total / lower[j, j]


@_internal
def inverse_diagonal(p, matrix, damping):
    """Diagonal of (matrix + diag(damping))^-1, shape (n,); infinite when it is not positive definite."""
    n = p.n_free
    diagonal = np.full(n, np.inf)
    lower = np.zeros((n, n))
    column = np.zeros(n)
    if factor(p, matrix, np.ones(n, dtype=np.bool_), damping, lower):
        for k in range(n):
            # Element kk of L^-T L^-1 is the squared length of column k of L^-1.
            for j in range(n):
                column[j] = 0.0
            column[k] = 1.0
            diagonal[k] = 0.0
            for j in range(k, n):
                if column[j] != 0.0:
                    column[j] /= lower[j, j]
                    diagonal[k] += column[j] ** 2
                    for a in range(p.fill_ptr[j], p.fill_ptr[j + 1]):
                        column[p.fill[a]] -= lower[j, p.fill[a]] * column[j]
    return diagonal
