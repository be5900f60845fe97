"""Compiled sparse Cholesky factorisation in the pattern of a program's tree.

Rows come in runs of neighbours and columns in panels of four with the same rows below them, where the tree has such
(``Program``): the inner loops are then long enough, and read little enough, for the processor's vector units.
"""

from __future__ import annotations

import numpy as np

from biopose_sim.ik.kernel import _inline, _internal


@_internal
def factor(p, matrix, active, damping, lower):
    """Sparse Cholesky factor of matrix + diag(damping); rows that are not active become those of the identity.

    Of ``matrix`` (n, n) the upper triangle is read. ``lower`` (n, n) holds column j of the factor in its row j. Returns
    False when it is not positive definite.
    """
    n = p.n_free
    for j in range(n):
        lower[j, j] = matrix[j, j] + damping[j] if active[j] else 1.0
        share = 1.0 if active[j] else 0.0
        for run in range(p.run_ptr[j], p.run_ptr[j + 1]):
            for i in range(p.run_first[run], p.run_end[run]):
                lower[j, i] = share * matrix[j, i]
    for i in range(n):
        if not active[i]:
            for j in range(i):
                lower[j, i] = 0.0
    for number in range(len(p.panel) - 1):
        first, end = p.panel[number], p.panel[number + 1]
        from_run, to_run = p.run_ptr[end - 1], p.run_ptr[end]
        for j in range(first, end):
            pivot = lower[j, j]
            if not pivot > 1e-14 * (abs(matrix[j, j]) + damping[j]):
                return False
            root = np.sqrt(pivot)
            inverse = 1.0 / root
            lower[j, j] = root
            column = lower[j]
            for i in range(j + 1, end):
                column[i] *= inverse
            for run in range(from_run, to_run):
                for i in range(p.run_first[run], p.run_end[run]):
                    column[i] *= inverse
            for i in range(j + 1, end):
                share, target = column[i], lower[i]
                for k in range(i, end):
                    target[k] -= share * column[k]
                for run in range(from_run, to_run):
                    for k in range(p.run_first[run], p.run_end[run]):
                        target[k] -= share * column[k]
        if end - first == 4:
            _take_four(p, lower, first, from_run, to_run)
        else:
            _take_one(p, lower, first, from_run, to_run)
    return True


@_inline
def _take_four(p, lower, j, from_run, to_run):
    """Take the outer products of columns j to j + 3 from the rows below."""
    c0, c1, c2, c3 = lower[j], lower[j + 1], lower[j + 2], lower[j + 3]
    for run in range(from_run, to_run):
        for i in range(p.run_first[run], p.run_end[run]):
            s0, s1, s2, s3 = c0[i], c1[i], c2[i], c3[i]
            target = lower[i]
            start = i
            for other in range(run, to_run):
                for k in range(start, p.run_end[other]):
                    target[k] -= s0 * c0[k] + s1 * c1[k] + s2 * c2[k] + s3 * c3[k]
                if other + 1 < to_run:
                    start = p.run_first[other + 1]


@_inline
def _take_one(p, lower, j, from_run, to_run):
    """Take the outer product of column j from the rows below."""
    c0 = lower[j]
    for run in range(from_run, to_run):
        for i in range(p.run_first[run], p.run_end[run]):
            s0 = c0[i]
            target = lower[i]
            start = i
            for other in range(run, to_run):
                for k in range(start, p.run_end[other]):
                    target[k] -= s0 * c0[k]
                if other + 1 < to_run:
                    start = p.run_first[other + 1]


@_internal
def solve_factored(p, lower, right):
    """Overwrite ``right`` (n,) with the solution of L L^T x = right."""
    n = p.n_free
    for j in range(n):
        right[j] /= lower[j, j]
        value, column = right[j], lower[j]
        for run in range(p.run_ptr[j], p.run_ptr[j + 1]):
            for i in range(p.run_first[run], p.run_end[run]):
                right[i] -= column[i] * value
    for j in range(n - 1, -1, -1):
        total, column = right[j], lower[j]
        for run in range(p.run_ptr[j], p.run_ptr[j + 1]):
            for i in range(p.run_first[run], p.run_end[run]):
                total -= column[i] * right[i]
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
                    for run in range(p.run_ptr[j], p.run_ptr[j + 1]):
                        for i in range(p.run_first[run], p.run_end[run]):
                            column[i] -= lower[j, i] * column[j]
    return diagonal
