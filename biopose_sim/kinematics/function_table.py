"""Many scalar functions evaluated together in torch, as differentiable as torch itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from biopose_sim.osim.functions import ScalarFunction

Argument = tuple[tuple[int, float], ...]


class FunctionTable(nn.Module):
    """Values of ``n`` functions of weighted coordinate sums; rows of coordinates in, rows of values out.

    Args:
        functions: the functions.
        arguments: per function its (coordinate row, weight) pairs; empty for a constant.
    """

    restore: Tensor
    rows: Tensor
    weights: Tensor
    line: Tensor
    breaks: Tensor
    origins: Tensor
    coefficients: Tensor
    sine: Tensor

    def __init__(self, functions: Sequence[ScalarFunction], arguments: Sequence[Argument]) -> None:
        super().__init__()
        linear = [i for i, f in enumerate(functions) if f.is_linear]
        sines = [i for i, f in enumerate(functions) if f.sine is not None]
        pieces = [i for i in range(len(functions)) if i not in set(linear) | set(sines)]
        order = [*linear, *pieces, *sines]
        self.n_linear, self.n_pieces, self.n_sines = len(linear), len(pieces), len(sines)
        self.size = len(functions)
        self.in_order = order == sorted(order)
        self._long("restore", np.argsort(order) if order else np.empty(0))
        self._arguments([arguments[i] for i in order])
        self._linear([functions[i] for i in linear])
        self._pieces([functions[i] for i in pieces])
        self._sines([functions[i] for i in sines])

    def _long(self, name: str, values: object) -> None:
        self.register_buffer(name, torch.as_tensor(np.asarray(values, dtype=np.int64)), persistent=False)

    def _double(self, name: str, values: object) -> None:
        self.register_buffer(name, torch.as_tensor(np.asarray(values, dtype=np.float64)), persistent=False)

    def _arguments(self, arguments: list[Argument]) -> None:
        width = max((len(a) for a in arguments), default=1) or 1
        rows = np.zeros((width, len(arguments)))
        weights = np.zeros((width, len(arguments), 1))
        for i, argument in enumerate(arguments):
            for k, (row, weight) in enumerate(argument):
                rows[k, i], weights[k, i, 0] = row, weight
        self.width = width
        self.plain = width == 1 and bool(np.all((weights == 1.0) | (np.abs(weights) == 0.0)))
        self._long("rows", rows)
        self._double("weights", weights)

    def _linear(self, functions: list[ScalarFunction]) -> None:
        table = np.zeros((2, len(functions), 1))
        for i, f in enumerate(functions):
            table[: f.coefficients.shape[1], i, 0] = f.coefficients[0]
            table[0, i, 0] -= table[1, i, 0] * f.origins[0]
        self.identity = bool(np.all(table[0] == 0.0) and np.all(table[1] == 1.0))
        self._double("line", table)

    def _pieces(self, functions: list[ScalarFunction]) -> None:
        n_breaks = max((len(f.breaks) for f in functions), default=0)
        degree = max((f.coefficients.shape[1] for f in functions), default=1)
        breaks = np.full((len(functions), n_breaks), np.inf)
        origins = np.zeros((len(functions), n_breaks + 1))
        coefficients = np.zeros((degree, len(functions), n_breaks + 1))
        for i, f in enumerate(functions):
            n = len(f.breaks)
            breaks[i, :n] = f.breaks
            origins[i, : n + 1] = f.origins
            coefficients[: f.coefficients.shape[1], i, : n + 1] = f.coefficients.T
        self._double("breaks", breaks)
        self._double("origins", origins)
        self._double("coefficients", coefficients)

    def _sines(self, functions: list[ScalarFunction]) -> None:
        parameters = np.array([f.sine for f in functions if f.sine is not None]).reshape(-1, 4)
        self._double("sine", parameters.T[:, :, None])

    def forward(self, rows: Tensor) -> Tensor:
        """Evaluate.

        Args:
            rows: coordinates, shape (n_q, B).

        Returns:
            Values, shape (n, B).
        """
        if not self.size:
            return rows.new_zeros(0, rows.shape[1])
        x = self._argument_values(rows)
        a, b = self.n_linear, self.n_linear + self.n_pieces
        parts = []
        if self.n_linear:
            parts.append(x[:a] if self.identity else torch.addcmul(self.line[0], self.line[1], x[:a]))
        if self.n_pieces:
            parts.append(self._evaluate_pieces(x[a:b]))
        if self.n_sines:
            amplitude, omega, phase, offset = self.sine
            parts.append(amplitude * torch.sin(omega * x[b:] + phase) + offset)
        values = parts[0] if len(parts) == 1 else torch.cat(parts)
        return values if self.in_order else values.index_select(0, self.restore)

    def derivative(self, rows: Tensor) -> Tensor:
        """Derivative of each function by its argument, shape (n, B), for coordinates (n_q, B)."""
        x = self._argument_values(rows)
        a, b = self.n_linear, self.n_linear + self.n_pieces
        parts = [self.line[1].expand(-1, rows.shape[1])]
        if self.n_pieces:
            parts.append(self._differentiate_pieces(x[a:b]))
        if self.n_sines:
            amplitude, omega, phase, _ = self.sine
            parts.append(amplitude * omega * torch.cos(omega * x[b:] + phase))
        return torch.cat(parts).index_select(0, self.restore)

    def _differentiate_pieces(self, x: Tensor) -> Tensor:
        piece = torch.searchsorted(self.breaks, x.detach().contiguous(), right=True)
        dx = x - self.origins.gather(1, piece)
        value = torch.zeros_like(x)
        for k in range(self.coefficients.shape[0] - 1, 0, -1):
            value = torch.addcmul(k * self.coefficients[k].gather(1, piece), value, dx)
        return value

    def _argument_values(self, rows: Tensor) -> Tensor:
        if rows.shape[0] == 0:
            return rows.new_zeros(self.size, rows.shape[1])
        if self.plain:
            return rows.index_select(0, self.rows[0])
        x = self.weights[0] * rows.index_select(0, self.rows[0])
        for k in range(1, self.width):
            x = x + self.weights[k] * rows.index_select(0, self.rows[k])
        return x

    def _evaluate_pieces(self, x: Tensor) -> Tensor:
        piece = torch.searchsorted(self.breaks, x.detach().contiguous(), right=True)
        dx = x - self.origins.gather(1, piece)
        coefficients = self.coefficients
        value = coefficients[-1].gather(1, piece)
        for k in range(coefficients.shape[0] - 2, -1, -1):
            value = torch.addcmul(coefficients[k].gather(1, piece), value, dx)
        return value
