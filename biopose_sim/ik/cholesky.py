"""Compiled sparse Cholesky factorisation in the pattern of a program's tree.

Column j has rows below the diagonal only for the coordinates above j in the tree, one a level (``Program.level`` and
``Program.path``). Columns come in postorder, so that what the columns so far take away from those above them is one
small matrix by level (a frontal matrix: Duff & Reid 1983, with one front for all branches) and every inner loop runs
over neighbouring numbers.
"""

from __future__ import annotations

import numpy as np

from biopose_sim.ik.kernel import _internal
from biopose_sim.ik.vectors import BLOCK, add_rows, row_product

_CHAIN = 4  # columns that are taken from those above them together


@_internal
def factor(p, matrix, active, damping, lower, front):
    """Sparse Cholesky factor of matrix + diag(damping); rows that are not active become those of the identity.

    Of ``matrix`` (n, n) the upper triangle is read. ``lower`` (n, width) holds column j of the factor in its row j, by
    level from the root, with the inverse of the diagonal element at j's own level. ``front`` (width, width) is
    scratch. Returns False when it is not positive definite.
    """
    n = p.n_free
    for a in range(front.shape[0]):
        for b in range(front.shape[1]):
            front[a, b] = 0.0
    j = 0
    while j < n:
        end = j + 1
        while end < n and end < j + _CHAIN and p.level[end] == p.level[end - 1] - 1:
            end += 1
        for c in range(j, end):
            own = p.level[c]
            if active[c]:
                for k in range(own):
                    above = p.path[c, k]
                    lower[c, k] = front[own, k] + (matrix[c, above] if active[above] else 0.0)
                pivot = matrix[c, c] + damping[c] + front[own, own]
                if not pivot > 1e-14 * (abs(matrix[c, c]) + damping[c]):
                    return False
                inverse = 1.0 / np.sqrt(pivot)
            else:
                inverse = 0.0
            for k in range(own):
                lower[c, k] *= inverse
                front[own, k] = 0.0
            front[own, own] = 0.0
            lower[c, own] = inverse if active[c] else 1.0
            for later in range(c + 1, end):
                a = p.level[later]
                add_rows(front, a, lower, c, (-lower[c, a],), a // BLOCK + 1)
        top = p.level[end - 1]
        if end - j == _CHAIN:
            for a in range(top):
                shares = (-lower[j, a], -lower[j + 1, a], -lower[j + 2, a], -lower[j + 3, a])
                add_rows(front, a, lower, j, shares, a // BLOCK + 1)
        else:
            for c in range(j, end):
                for a in range(top):
                    add_rows(front, a, lower, c, (-lower[c, a],), a // BLOCK + 1)
        j = end
    return True


@_internal
def solve_factored(p, lower, front, right):
    """Overwrite ``right`` (n,) with the solution of L L^T x = right; ``front`` as in :func:`factor`."""
    n = p.n_free
    gathered = front[:1]
    for k in range(front.shape[1]):
        front[0, k] = 0.0
    for j in range(n):
        own = p.level[j]
        right[j] = (right[j] + front[0, own]) * lower[j, own]
        add_rows(gathered, 0, lower, j, (-right[j],), (own + BLOCK - 1) // BLOCK)
        # No column so far reaches deeper.
        for k in range(own, (own // BLOCK + 1) * BLOCK):
            front[0, k] = 0.0
    # From here on the row holds the solution, by level, of what is above the present column.
    for j in range(n - 1, -1, -1):
        own = p.level[j]
        for k in range(own, (own // BLOCK + 1) * BLOCK):
            front[0, k] = 0.0
        right[j] = (right[j] - row_product(lower, j, front[0], (own + BLOCK - 1) // BLOCK)) * lower[j, own]
        front[0, own] = right[j]


@_internal
def inverse_diagonal(p, matrix, damping, lower, front):
    """Diagonal of (matrix + diag(damping))^-1, shape (n,); infinite when it is not positive definite.

    ``lower`` and ``front`` are scratch as in :func:`factor`.
    """
    n = p.n_free
    diagonal = np.full(n, np.inf)
    column = np.zeros(lower.shape[1])
    if factor(p, matrix, np.ones(n, dtype=np.bool_), damping, lower, front):
        for k in range(n):
            # Element kk of L^-T L^-1 is the squared length of column k of L^-1, which is zero off k's path.
            diagonal[k] = 0.0
            for a in range(p.level[k]):
                column[a] = 0.0
            column[p.level[k]] = 1.0
            for level in range(p.level[k], -1, -1):
                j = p.path[k, level]
                value = column[level] * lower[j, level]
                diagonal[k] += value**2
                for a in range(level):
                    column[a] -= lower[j, a] * value
    return diagonal
