"""Forward kinematics as compiled loops over blocks of frames; imports numba.

One kernel serves all models: it interprets the tables of :mod:`fast_tables`, and each instruction works on a
block of ``LANES`` frames in scratch memory that stays in the cache (see :mod:`fast_lanes`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from biopose_sim.kinematics.fast_functions import evaluate_functions
from biopose_sim.kinematics.fast_lanes import (
    LANES,
    POSE,
    VECTOR,
    P,
    add,
    add_multiple,
    add_product,
    at,
    compiled,
    copy,
    fill,
    inlined,
    matrix_times,
    move,
    pointer,
    read,
    rotate_constant,
    start_pose,
    step,
    transform,
    turn_about_x,
    turn_about_y,
    turn_about_z,
    turn_fixed,
    turn_general,
)
from biopose_sim.kinematics.fast_tables import ABOUT_X, ABOUT_Y, ABOUT_Z, GENERAL

ABSENT, SHARED, PER_FRAME = range(3)


class Inputs(NamedTuple):
    """Inputs as flat memory with strides (frame, rows, columns); modes: absent, shared or per frame."""

    q: np.ndarray
    q_strides: tuple[int, int]
    scales: np.ndarray
    scale_strides: tuple[int, int, int]
    scale_mode: int
    offsets: np.ndarray
    offset_strides: tuple[int, int, int]
    offset_mode: int


class Scratch(NamedTuple):
    """Pointers into the scratch memory of one thread; rows are ordered as in the tables."""

    coordinates: Any
    values: Any
    slopes: Any
    grown: Any
    sine: Any
    cosine: Any
    poses: Any
    scales: Any
    before: Any
    after: Any
    local: Any
    axes: Any
    spare: Any
    end: Any


def scratch_rows(tables: Any, points: Any) -> int:
    """Rows of scratch memory that :class:`Scratch` needs."""
    n_q, n_bodies, n_turning = (int(n) for n in tables.sizes)
    n_nodes, n_functions, n_points = len(tables.nodes), len(tables.functions), len(points.slots)
    per_node = 12 * (n_nodes + 1) + 6 * n_nodes
    return n_q + 3 * n_functions + 5 * n_turning + per_node + 3 * (n_bodies + 1) + 3 * n_points + 3


@step
def scratch(tables, points, memory):
    """Lay out the scratch memory; ground is the first pose, scale factors are one."""
    n_q, n_bodies, n_turning = tables.sizes[0], tables.sizes[1], tables.sizes[2]
    n_nodes, n_functions = len(tables.nodes), len(tables.functions)
    coordinates = pointer(memory)
    values = at(coordinates, n_q * LANES)
    slopes = at(values, n_functions * LANES)
    grown = at(slopes, n_functions * LANES)
    sine = at(grown, n_functions * LANES)
    cosine = at(sine, n_turning * LANES)
    poses = at(cosine, n_turning * LANES)
    scales = at(poses, (n_nodes + 1) * POSE)
    before = at(scales, (n_bodies + 1) * VECTOR)
    after = at(before, n_nodes * VECTOR)
    local = at(after, n_nodes * VECTOR)
    axes = at(local, len(points.slots) * VECTOR)
    spare = at(axes, n_turning * VECTOR)
    end = at(spare, VECTOR)
    fill(grown, 1.0, n_functions * LANES)
    fill(scales, 1.0, (n_bodies + 1) * VECTOR)
    fill(poses, 0.0, POSE)
    for k in range(3):
        fill(at(poses, 4 * k * LANES), 1.0, LANES)
    return Scratch(
        coordinates, values, slopes, grown, sine, cosine, poses, scales, before, after, local, axes, spare, end
    )


@step
def _place_fixed(tables, scaled, w):
    """Fixed translations and growth of values, from the scales; weights of growth need not add up to one."""
    for i in range(len(tables.nodes)):
        before, after = tables.nodes[i, 5], tables.nodes[i, 6]
        fill(at(w.before, i * VECTOR), 0.0, VECTOR)
        if before >= 0:
            m = at(pointer(tables.before), 9 * i)
            matrix_times(m, at(w.scales, before * VECTOR), at(w.before, i * VECTOR))
        if after >= 0:
            m = at(pointer(tables.after), 9 * i)
            matrix_times(m, at(w.scales, after * VECTOR), at(w.after, i * VECTOR))
    for f in range(len(tables.functions)):
        body = tables.functions[f, 6]
        if scaled and body > 0:
            fill(at(w.grown, f * LANES), 0.0, LANES)
            for k in range(3):
                scale = at(w.scales, body * VECTOR + k * LANES)
                add_multiple(scale, tables.growth[3 * f + k], at(w.grown, f * LANES))


@step
def _place_points(points, x, start, n, w):
    """Points in their bodies' axes: scaled locations plus offsets."""
    sf, sr, sc = x.offset_strides
    for i in range(len(points.slots)):
        local, m = at(w.local, i * VECTOR), at(pointer(points.matrices), 9 * i)
        matrix_times(m, at(w.scales, points.bodies[i] * VECTOR), local)
        if x.offset_mode != ABSENT:
            for k in range(3):
                read(at(pointer(x.offsets), start * sf + i * sr + k * sc), sf, n, w.spare)
                add(w.spare, at(local, k * LANES), LANES)


@step
def read_block(tables, points, x, start, n, first, w):
    """Read coordinates; scales and what follows from them only at first unless they vary by frame."""
    sf, sr = x.q_strides
    for k in range(tables.sizes[0]):
        read(at(pointer(x.q), start * sf + k * sr), sf, n, at(w.coordinates, k * LANES))
    if x.scale_mode == PER_FRAME or (first and x.scale_mode == SHARED):
        sf, sr, sc = x.scale_strides
        for body in range(tables.sizes[1]):
            for k in range(3):
                source = at(pointer(x.scales), start * sf + body * sr + k * sc)
                read(source, sf, n, at(w.scales, (3 * body + 3 + k) * LANES))
    if first or x.scale_mode == PER_FRAME:
        _place_fixed(tables, x.scale_mode != ABSENT, w)
    if first or x.scale_mode == PER_FRAME or x.offset_mode == PER_FRAME:
        _place_points(points, x, start, n, w)


@inlined
def _turn(tables, t, pose, keep_axes, w):
    """Turn a pose by one operation; the gradient needs its axis in ground."""
    kind, row = tables.turns[t, 0], tables.turns[t, 1]
    constants = at(pointer(tables.matrices), tables.turns[t, 2])
    if keep_axes and kind == GENERAL:
        rotate_constant(pose, at(constants, 27), at(w.axes, row * VECTOR))
    elif keep_axes and row >= 0:
        for k in range(3):
            copy(at(pose, (3 * k + kind) * LANES), at(w.axes, row * VECTOR + k * LANES), LANES)
    sine, cosine = at(w.sine, row * LANES), at(w.cosine, row * LANES)
    if kind == ABOUT_X:
        turn_about_x(pose, sine, cosine)
    elif kind == ABOUT_Y:
        turn_about_y(pose, sine, cosine)
    elif kind == ABOUT_Z:
        turn_about_z(pose, sine, cosine)
    elif kind == GENERAL:
        turn_general(pose, constants, sine, cosine)
    else:
        turn_fixed(pose, constants)


@step
def sweep(tables, keep_axes, w):
    """Poses of all nodes from their parents'."""
    n_turning = tables.sizes[2]
    for i in range(len(tables.nodes)):
        pose, shift = at(w.poses, (i + 1) * POSE), at(w.before, i * VECTOR)
        first, last = tables.nodes[i, 3], tables.nodes[i, 4]
        if last > first:
            copy(shift, w.spare, VECTOR)
            shift = w.spare
        for m in range(first, last):
            f = (n_turning + m) * LANES
            for k in range(3):
                factor = tables.directions[3 * m + k]
                if factor != 0:
                    add_product(at(w.values, f), at(w.grown, f), factor, at(shift, k * LANES))
        start_pose(at(w.poses, tables.nodes[i, 0] * POSE), shift, pose)
        for t in range(tables.nodes[i, 1], tables.nodes[i, 2]):
            _turn(tables, t, pose, keep_axes, w)
        if tables.nodes[i, 6] >= 0:
            move(pose, at(w.after, i * VECTOR))


@step
def _write_pose(pose, n, out, stride):
    """Write a pose as 16 rows (4, 4), ``stride`` apart."""
    for r in range(3):
        for c in range(3):
            copy(at(pose, (3 * r + c) * LANES), at(out, (4 * r + c) * stride), n)
        copy(at(pose, P + r * LANES), at(out, (4 * r + 3) * stride), n)
        fill(at(out, (12 + r) * stride), 0.0, n)
    fill(at(out, 15 * stride), 1.0, n)


@step
def _write_poses(tables, n, out, stride, w):
    """Write the poses of all bodies as rows (n_bodies, 4, 4)."""
    for i in range(len(tables.nodes)):
        body = tables.nodes[i, 7]
        if body >= 0:
            _write_pose(at(w.poses, (i + 1) * POSE), n, at(out, 16 * body * stride), stride)


@step
def _write_points(points, n, out, stride, w):
    """Write points in ground as rows (n_points, 3)."""
    for i in range(len(points.slots)):
        transform(at(w.poses, points.slots[i] * POSE), at(w.local, i * VECTOR), w.spare)
        for k in range(3):
            copy(at(w.spare, k * LANES), at(out, (3 * i + k) * stride), n)


@compiled
def forward(version):
    """Make the kernel."""

    def forward(tables, points, x, want_poses, start, stop, memory, pieces, out, stride):
        """Write poses (n_bodies, 4, 4, B) or points (n_points, 3, B) of the frames start .. stop.

        Args:
            tables: the tree.
            points: the points.
            x: :class:`Inputs`.
            want_poses: whether poses are wanted or points.
            start: first frame.
            stop: frame after the last.
            memory: scratch memory, ``scratch_rows * LANES`` numbers.
            pieces: scratch memory, ``LANES`` int32.
            out: flat memory of rows.
            stride: distance of two rows.
        """
        if version == 0:
            return
        w = scratch(tables, points, memory)
        for block in range(start, stop, LANES):
            n = min(LANES, stop - block)
            read_block(tables, points, x, block, n, block == start, w)
            evaluate_functions(tables, pieces, w)
            sweep(tables, False, w)
            if want_poses:
                _write_poses(tables, n, at(pointer(out), block), stride, w)
            else:
                _write_points(points, n, at(pointer(out), block), stride, w)

    return forward
