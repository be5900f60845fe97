"""Fast forward kinematics on a CPU, with an analytic gradient: compiled kernels behind torch's autograd.

The kernels are compiled when they are first used on a machine (some ten seconds for each precision) and kept on
disk for all models. Results agree with :mod:`biopose_sim.kinematics.forward` to rounding.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from typing import Any, Literal, cast

import numpy as np
import torch
from torch import Tensor
from torch.autograd import forward_ad

from biopose_sim.errors import InputError
from biopose_sim.kinematics.fast_tables import PointTables, TreeTables, point_tables, tree_tables
from biopose_sim.kinematics.fast_threads import chunk_count, run_chunks, scratch_memory
from biopose_sim.kinematics.tree import KinematicTree

Mode = Literal["auto", "never", "always"]
What = Literal["transforms", "markers", "joint_centers"]
Reference = Callable[[What, Tensor, Tensor | None, Tensor | None], Tensor]
MIN_FRAMES = 256  # in "auto" mode fewer frames are not worth loading the compiler
ENVIRONMENT = "BIOPOSE_FAST"
_ROW_ALIGNMENT, _CRITICAL_STRIDE = 64, 1024  # bytes


def default_mode() -> Mode:
    """The mode of new models: environment variable ``BIOPOSE_FAST``, else "auto"."""
    return check_mode(os.environ.get(ENVIRONMENT) or "auto", f"environment variable {ENVIRONMENT}")


def check_mode(value: str, source: str) -> Mode:
    """Return the mode if it is one.

    Raises:
        InputError: any other value.
    """
    if value not in ("auto", "never", "always"):
        raise InputError(source, f"{value!r} is not a mode", "use auto, never or always")
    return cast(Mode, value)


def is_fast(mode: Mode, n_frames: int, *inputs: Tensor | None) -> bool:
    """Whether the kernels should compute these inputs; what they cannot compute is left to torch."""
    if mode == "never" or n_frames < (1 if mode == "always" else MIN_FRAMES):
        return False
    given = [t for t in inputs if t is not None]
    return all(_is_plain(t) for t in given) and not _is_traced(given) and _has_compiler()


def _is_plain(t: Tensor) -> bool:
    return t.device.type == "cpu" and t.dtype in (torch.float32, torch.float64) and t.layout == torch.strided


def _is_traced(tensors: list[Tensor]) -> bool:
    """Whether torch.compile, torch.func or forward-mode differentiation watch; those need torch operations."""
    transforms = getattr(torch._C, "_are_functorch_transforms_active", lambda: False)
    if torch.compiler.is_compiling() or transforms():
        return True
    return any(forward_ad.unpack_dual(t).tangent is not None for t in tensors)


def _has_compiler() -> bool:
    return importlib.util.find_spec("numba") is not None


class FastKinematics:
    """The kernels' tables of one model.

    Args:
        tree: the kinematic tree.
        reference: computes the same in torch; asked when a gradient is to be differentiated again.
    """

    def __init__(self, tree: KinematicTree, reference: Reference) -> None:
        self.tree = tree
        self.reference = reference
        self._tables: dict[torch.dtype, TreeTables] = {}
        self._points: dict[tuple[What, torch.dtype], PointTables] = {}

    def compute(self, what: What, q: Tensor, scales: Tensor | None, offsets: Tensor | None) -> Tensor:
        """Transforms (B, n_bodies, 4, 4) or points (B, n_points, 3) [m], as views with the batch last in memory.

        Args:
            what: which result.
            q: coordinates, shape (B, n_q) with B > 0 [rad | m].
            scales: shape (n_bodies, 3) or (B, n_bodies, 3), or None.
            offsets: of the markers in body axes [m], shape (n_markers, 3) or (B, n_markers, 3), or None.
        """
        if what != "markers":
            offsets = None
        return cast(Tensor, _Compute.apply(self, what, q, scales, offsets))

    def tables(self, dtype: torch.dtype) -> TreeTables:
        """The tree in the given precision (made once)."""
        if dtype not in self._tables:
            self._tables[dtype] = tree_tables(self.tree, _numpy_dtype(dtype))
        return self._tables[dtype]

    def points(self, what: What, dtype: torch.dtype) -> PointTables:
        """The points that are wanted beside or instead of poses (made once)."""
        if (what, dtype) not in self._points:
            t = self.tree
            bodies, matrices = {
                "transforms": (t.marker_body[:0], t.marker_matrix[:0]),
                "markers": (t.marker_body, t.marker_matrix),
                "joint_centers": (t.joint_body, t.joint_matrix),
            }[what]
            self._points[what, dtype] = point_tables(t, bodies, matrices, _numpy_dtype(dtype))
        return self._points[what, dtype]


class _Compute(torch.autograd.Function):
    """What the kernels compute as one operation of autograd."""

    @staticmethod
    def forward(
        ctx: Any, kinematics: FastKinematics, what: What, q: Tensor, scales: Tensor | None, offsets: Tensor | None
    ) -> Tensor:
        ctx.kinematics, ctx.what = kinematics, what
        ctx.save_for_backward(q, scales, offsets)
        return _forward(kinematics, what, q, scales, offsets)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        q, scales, offsets = ctx.saved_tensors
        if torch.is_grad_enabled():  # create_graph=True: the gradient itself will be differentiated
            inputs = [t for t, needed in zip((q, scales, offsets), ctx.needs_input_grad[2:]) if needed]
            result = ctx.kinematics.reference(ctx.what, q, scales, offsets)
            found = iter(torch.autograd.grad(result, inputs, gradients[0], create_graph=True, allow_unused=True))
            return None, None, *(next(found) if needed else None for needed in ctx.needs_input_grad[2:])
        by_q, by_scales, by_offsets = _backward(
            ctx.kinematics, ctx.what, q, scales, offsets, gradients[0], ctx.needs_input_grad[3:]
        )
        return None, None, by_q, by_scales, by_offsets


def _forward(
    kinematics: FastKinematics, what: What, q: Tensor, scales: Tensor | None, offsets: Tensor | None
) -> Tensor:
    from biopose_sim.kinematics import fast_kernels as kernels

    tables, points = kinematics.tables(q.dtype), kinematics.points(what, q.dtype)
    inputs, kept = _inputs(q, scales, offsets)
    n_frames, dtype = q.shape[0], tables.pool.dtype
    own = (len(kinematics.tree.body_names), 4, 4) if what == "transforms" else (len(points.slots), 3)
    stride = _row_stride(n_frames, dtype.itemsize)
    # numpy's memory, because it asks for large pages: fresh memory of torch costs more than the computation.
    out = np.empty(int(np.prod(own)) * stride, dtype)
    size = kernels.scratch_rows(tables, points) * kernels.LANES

    def work(start: int, stop: int, _: int) -> None:
        memory, pieces = scratch_memory(size, dtype), scratch_memory(kernels.LANES, np.dtype(np.int32))
        kernels.forward(tables, points, inputs, what == "transforms", start, stop, memory, pieces, out, stride)

    run_chunks(work, n_frames)
    del kept
    return torch.from_numpy(out).view(*own, stride)[..., :n_frames].movedim(-1, 0)


def _backward(
    kinematics: FastKinematics,
    what: What,
    q: Tensor,
    scales: Tensor | None,
    offsets: Tensor | None,
    given: Tensor,
    needed: tuple[bool, bool],
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    from biopose_sim.kinematics import fast_gradient as kernels

    tables, points = kinematics.tables(q.dtype), kinematics.points(what, q.dtype)
    inputs, kept = _inputs(q, scales, offsets)
    n_frames, dtype = q.shape[0], tables.pool.dtype
    flat, strides = _flat(given)
    strides = strides if what == "transforms" else (*strides, 0)
    by_q = np.empty(q.shape, dtype)
    by_scales, scale_mode = _room(scales if needed[0] else None, n_frames, dtype)
    by_offsets, offset_mode = _room(offsets if needed[1] else None, n_frames, dtype)
    gradient = kernels.Gradient(by_q.ravel(), by_scales.ravel(), scale_mode, by_offsets.ravel(), offset_mode)
    size = kernels.gradient_rows(tables, points) * kernels.LANES

    def work(start: int, stop: int, part: int) -> None:
        memory, pieces = scratch_memory(size, dtype), scratch_memory(kernels.LANES, np.dtype(np.int32))
        kernels.backward(
            tables, points, inputs, flat, strides, what == "transforms",
            start, stop, memory, pieces, gradient, part, n_frames,
        )  # fmt: skip

    run_chunks(work, n_frames)
    del kept
    return (
        torch.from_numpy(by_q),
        _collect(by_scales, scale_mode, scales),
        _collect(by_offsets, offset_mode, offsets),
    )


def _inputs(q: Tensor, scales: Tensor | None, offsets: Tensor | None) -> tuple[Any, list[Tensor]]:
    """The kernels' inputs, and the tensors whose memory they use."""
    from biopose_sim.kinematics.fast_kernels import Inputs

    arguments: list[Any] = [*_flat(q)]
    for value in (scales, offsets):
        if value is None:
            arguments += [np.empty(0, arguments[0].dtype), (0, 0, 0), 0]
        else:
            flat, strides = _flat(value)
            arguments += [flat, strides if value.dim() == 3 else (0, *strides), value.dim() - 1]
    return Inputs(*arguments), [t for t in (q, scales, offsets) if t is not None]


def _flat(t: Tensor) -> tuple[np.ndarray, tuple[int, ...]]:
    """The memory that a tensor spans, and its strides; nothing is copied."""
    extent = 1 + sum((size - 1) * stride for size, stride in zip(t.shape, t.stride())) if t.numel() else 0
    return t.detach().as_strided((extent,), (1,)).numpy(), t.stride()


def _row_stride(n_frames: int, item: int) -> int:
    """Distance of rows: whole cache lines, and no multiple of a large power of two (rows would evict each other)."""
    row = -(-n_frames * item // _ROW_ALIGNMENT) * _ROW_ALIGNMENT
    return (row + _ROW_ALIGNMENT * (row % _CRITICAL_STRIDE == 0)) // item


def _room(value: Tensor | None, n_frames: int, dtype: np.dtype) -> tuple[np.ndarray, int]:
    """Memory for a gradient and its mode: rows of all frames, or a row of sums for each chunk."""
    if value is None:
        return np.empty((0, 0), dtype), 0
    count = value.shape[-2] * 3
    shape = (count, n_frames) if value.dim() == 3 else (chunk_count(n_frames), count)
    return np.empty(shape, dtype), value.dim() - 1


def _collect(room: np.ndarray, mode: int, like: Tensor | None) -> Tensor | None:
    if mode == 0 or like is None:
        return None
    rows = torch.from_numpy(room)
    if like.dim() == 3:
        return rows.view(*like.shape[1:], like.shape[0]).movedim(-1, 0)
    return rows.sum(0, dtype=torch.float64).to(like.dtype).view(like.shape)


def _numpy_dtype(dtype: torch.dtype) -> np.dtype:
    return np.dtype(np.float32 if dtype == torch.float32 else np.float64)
