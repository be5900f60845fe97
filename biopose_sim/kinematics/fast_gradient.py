"""The gradient of forward kinematics as compiled loops over blocks of frames; imports numba.

A gradient by poses or points is a load on the bodies: a force on the body's origin and a moment about it. Loads are
handed from child to parent as in statics; what a load does along a joint's axis is the gradient by that motion:

    dL/d(angle) = axis . moment about the joint,      dL/d(displacement) = axis . force

The forward sweep is done again, which is cheaper than to store and to fetch its results.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from biopose_sim.kinematics.fast_functions import evaluate_functions
from biopose_sim.kinematics.fast_kernels import (
    ABSENT,
    PER_FRAME,
    SHARED,
    read_block,
    scratch,
    scratch_rows,
    sweep,
)
from biopose_sim.kinematics.fast_lanes import (
    LANES,
    POSE,
    VECTOR,
    P,
    add,
    add_cross,
    add_multiple,
    add_product,
    add_transposed_times,
    at,
    compiled,
    copy,
    dot,
    fill,
    inlined,
    pointer,
    poke,
    product,
    read_gradient,
    rotate,
    rotate_back,
    step,
    total,
    write_strided,
)

LOAD = 2 * VECTOR  # a slot: force on the origin of the body and moment about it, in ground


class Gradient(NamedTuple):
    """Where gradients go; those by scales and offsets as rows of all frames, or as sums of a call when shared."""

    q: np.ndarray
    scales: np.ndarray
    scale_mode: int
    offsets: np.ndarray
    offset_mode: int


class Loads(NamedTuple):
    """Pointers into the scratch memory that holds loads and gradients of one block."""

    loads: Any
    q: Any
    values: Any
    scales: Any
    offsets: Any
    seed: Any
    spare: Any


def gradient_rows(tables: Any, points: Any) -> int:
    """Rows of scratch memory that the gradient needs."""
    n_q, n_bodies, _ = (int(n) for n in tables.sizes)
    rows = 6 * (len(tables.nodes) + 1) + n_q + len(tables.functions) + 3 * (n_bodies + 1)
    return scratch_rows(tables, points) + rows + 3 * len(points.slots) + 9


@step
def _loads(tables, points, start):
    q = at(start, (len(tables.nodes) + 1) * LOAD)
    values = at(q, tables.sizes[0] * LANES)
    scales = at(values, len(tables.functions) * LANES)
    offsets = at(scales, (tables.sizes[1] + 1) * VECTOR)
    seed = at(offsets, len(points.slots) * VECTOR)
    fill(scales, 0.0, (tables.sizes[1] + 1) * VECTOR)
    fill(offsets, 0.0, len(points.slots) * VECTOR)
    return Loads(start, q, values, scales, offsets, seed, at(seed, VECTOR))


@step
def _load_poses(tables, given, strides, start, n, w, g):
    """Loads from the gradient by poses (..., n_bodies, 4, 4)."""
    sf, sb, sr, sc = strides
    for i in range(len(tables.nodes)):
        body = tables.nodes[i, 7]
        if body >= 0:
            load, pose = at(g.loads, (i + 1) * LOAD), at(w.poses, (i + 1) * POSE)
            source = at(pointer(given), start * sf + body * sb)
            for r in range(3):
                read_gradient(at(source, r * sr + 3 * sc), sf, n, at(load, r * LANES))
            for c in range(3):
                for r in range(3):
                    read_gradient(at(source, r * sr + c * sc), sf, n, at(g.seed, r * LANES))
                add_cross(at(pose, c * LANES), VECTOR, g.seed, at(load, VECTOR))


@step
def _load_points(points, given, strides, start, n, grad, w, g):
    """Loads from the gradient by points (..., n_points, 3), and the gradient by what places the points."""
    sf, sp, sc, _ = strides
    for i in range(len(points.slots)):
        load, pose = at(g.loads, points.slots[i] * LOAD), at(w.poses, points.slots[i] * POSE)
        for c in range(3):
            read_gradient(at(pointer(given), start * sf + i * sp + c * sc), sf, n, at(g.seed, c * LANES))
        rotate(pose, at(w.local, i * VECTOR), g.spare)
        add(g.seed, load, VECTOR)
        add_cross(g.spare, LANES, g.seed, at(load, VECTOR))
        if grad.scale_mode != ABSENT or grad.offset_mode != ABSENT:
            rotate_back(pose, g.seed, g.spare)
            add(g.spare, at(g.offsets, i * VECTOR), VECTOR)
            m = at(pointer(points.matrices), 9 * i)
            add_transposed_times(m, g.spare, at(g.scales, points.bodies[i] * VECTOR))


@inlined
def _grow_back(tables, f, gradient, w, g):
    """From the gradient by a grown value to that by the value itself and by the scales it grows with."""
    body = tables.functions[f, 6]
    if body > 0:
        for k in range(3):
            to = at(g.scales, body * VECTOR + k * LANES)
            add_product(gradient, at(w.values, f * LANES), tables.growth[3 * f + k], to)
    product(gradient, at(w.grown, f * LANES), at(g.values, f * LANES))


@inlined
def _node_back(tables, i, w, g):
    """Gradient by the motions of a node from its load, which is then handed to the parent."""
    parent, after = tables.nodes[i, 0], tables.nodes[i, 6]
    pose, load = at(w.poses, (i + 1) * POSE), at(g.loads, (i + 1) * LOAD)
    moment = at(load, VECTOR)
    lever, local = g.spare, at(g.spare, VECTOR)
    copy(at(pose, P), lever, VECTOR)
    if after >= 0:
        rotate(pose, at(w.after, i * VECTOR), local)
        add_cross(local, LANES, load, moment)
        for k in range(3):
            add_multiple(at(local, k * LANES), -1.0, at(lever, k * LANES))
        rotate_back(pose, load, local)
        add_transposed_times(at(pointer(tables.after), 9 * i), local, at(g.scales, after * VECTOR))
    for t in range(tables.nodes[i, 1], tables.nodes[i, 2]):
        row = tables.turns[t, 1]
        if row >= 0:
            dot(at(w.axes, row * VECTOR), moment, at(g.values, row * LANES))
    rotate_back(at(w.poses, parent * POSE), load, local)
    for m in range(tables.nodes[i, 3], tables.nodes[i, 4]):
        fill(g.seed, 0.0, LANES)
        for k in range(3):
            add_multiple(at(local, k * LANES), tables.directions[3 * m + k], g.seed)
        _grow_back(tables, tables.sizes[2] + m, g.seed, w, g)
    if tables.nodes[i, 5] >= 0:
        m = at(pointer(tables.before), 9 * i)
        add_transposed_times(m, local, at(g.scales, tables.nodes[i, 5] * VECTOR))
    if parent > 0:
        for k in range(3):
            add_multiple(at(w.poses, parent * POSE + P + k * LANES), -1.0, at(lever, k * LANES))
        add_cross(lever, LANES, load, moment)
        add(load, at(g.loads, parent * LOAD), LOAD)


@step
def _nodes_back(tables, w, g):
    """Hand the loads from the leaves to the root; gradient by all motions on the way."""
    for i in range(len(tables.nodes) - 1, -1, -1):
        _node_back(tables, i, w, g)


@step
def _functions_back(tables, w, g):
    """From the gradient by values to that by coordinates, the couplers last."""
    fill(g.q, 0.0, tables.sizes[0] * LANES)
    n_motions = len(tables.functions) - len(tables.couplers)
    for k in range(len(tables.functions)):
        f = k
        if k >= n_motions:
            f = len(tables.functions) - 1 - (k - n_motions)
            own = at(g.q, tables.couplers[f - n_motions] * LANES)
            _grow_back(tables, f, own, w, g)
            fill(own, 0.0, LANES)
        first = tables.functions[f, 1]
        for a in range(first, first + tables.functions[f, 2]):
            to = at(g.q, tables.arguments[a] * LANES)
            add_product(at(g.values, f * LANES), at(w.slopes, f * LANES), tables.weights[a], to)
    for k in range(len(tables.locked)):
        fill(at(g.q, tables.locked[k] * LANES), 0.0, LANES)


@step
def _write_rows(source, count, n, out, stride):
    for k in range(count):
        copy(at(source, k * LANES), at(out, k * stride), n)


@step
def _write_sums(source, count, out):
    for k in range(count):
        poke(out, k, total(at(source, k * LANES)))


@compiled
def backward(version):
    """Make the kernel."""

    def backward(tables, points, x, given, strides, of_poses, start, stop, memory, pieces, grad, part, n_frames):
        """Gradient of the frames start .. stop.

        Args:
            tables: the tree.
            points: the points.
            x: inputs as in the forward pass.
            given: gradient by poses or points as flat memory.
            strides: strides of ``given``: frame, body, row, column or frame, point, component, 0.
            of_poses: whether it is a gradient by poses or by points.
            start: first frame.
            stop: frame after the last.
            memory: scratch memory, ``gradient_rows * LANES`` numbers.
            pieces: scratch memory, ``LANES`` int32.
            grad: :class:`Gradient`, where the results go.
            part: which row of ``grad`` holds sums over the frames of this call.
            n_frames: number of all frames.
        """
        if version == 0:
            return
        w = scratch(tables, points, memory)
        g = _loads(tables, points, w.end)
        n_q, n_scales, n_offsets = tables.sizes[0], 3 * tables.sizes[1], 3 * len(points.slots)
        for block in range(start, stop, LANES):
            n = min(LANES, stop - block)
            read_block(tables, points, x, block, n, block == start, w)
            evaluate_functions(tables, pieces, w)
            sweep(tables, True, w)
            fill(g.loads, 0.0, (len(tables.nodes) + 1) * LOAD)
            if grad.scale_mode == PER_FRAME:
                fill(g.scales, 0.0, n_scales * LANES + VECTOR)
            if grad.offset_mode == PER_FRAME:
                fill(g.offsets, 0.0, n_offsets * LANES)
            if of_poses:
                _load_poses(tables, given, strides, block, n, w, g)
            else:
                _load_points(points, given, strides, block, n, grad, w, g)
            _nodes_back(tables, w, g)
            _functions_back(tables, w, g)
            for k in range(n_q):
                write_strided(at(g.q, k * LANES), n, at(pointer(grad.q), block * n_q + k), n_q)
            if grad.scale_mode == PER_FRAME:
                _write_rows(at(g.scales, VECTOR), n_scales, n, at(pointer(grad.scales), block), n_frames)
            if grad.offset_mode == PER_FRAME:
                _write_rows(g.offsets, n_offsets, n, at(pointer(grad.offsets), block), n_frames)
        if grad.scale_mode == SHARED:
            _write_sums(at(g.scales, VECTOR), n_scales, at(pointer(grad.scales), part * n_scales))
        if grad.offset_mode == SHARED:
            _write_sums(g.offsets, n_offsets, at(pointer(grad.offsets), part * n_offsets))

    return backward
