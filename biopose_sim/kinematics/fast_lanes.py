"""Elementary steps of the compiled kernels, each over one block of ``LANES`` frames; imports numba.

A row of scratch memory is ``LANES`` consecutive numbers, one per frame; a vector is three rows, a pose twelve:
the rotation row by row, then the position. Every step is a loop of constant length over lanes without branches,
which LLVM turns into vector instructions. What would prevent that is avoided: Python's negative indices (hence
raw pointers with :func:`peek` and :func:`poke`) and float64 literals in float32 arithmetic.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic as typed_intrinsic
from numba.np import arrayobj

from biopose_sim.kinematics.fast_sincos import sincos

LANES = 64
VECTOR = 3 * LANES
POSE = 12 * LANES
P = 9 * LANES  # where the position of a pose starts
# No "reassoc": it would undo the range reduction of the sine. No "nnan": NaN must stay NaN.
_OPTIONS: dict[str, Any] = {"nogil": True, "fastmath": {"contract", "nsz"}, "error_model": "numpy"}

intrinsic: Any = typed_intrinsic
# A step is a function of its own in the machine code, so that it is optimised once, not at each of its uses.
_BARE: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
step: Any = numba.njit(**_BARE, **_OPTIONS)
inlined: Any = numba.njit(inline="always", **_OPTIONS)


def compiled(make: Callable[[int], Callable[..., Any]]) -> Any:
    """Compile ``make(version)`` and keep it on disk, or for this process only where no folder is writable.

    Numba notices when a function's own file changes, not when a file of its steps does; so the kernels close over
    a number that changes with any of the files.
    """
    function = make(_version())
    try:
        return numba.njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:
        return numba.njit(**_OPTIONS)(function)


def _version() -> int:
    sources = sorted(Path(__file__).parent.glob("fast*.py"))
    return zlib.crc32(b"".join(path.read_bytes() for path in sources)) | 1


@intrinsic
def pointer(typing_context, array):
    """Pointer to the first number of a flat array (which the caller keeps alive)."""

    def generate(context, builder, signature, arguments):
        return arrayobj.make_array(signature.args[0])(context, builder, arguments[0]).data

    return types.CPointer(array.dtype)(array), generate


@intrinsic
def at(typing_context, start, index):
    """Pointer moved on by a number of items."""

    def generate(context, builder, signature, arguments):
        return cgutils.gep(builder, *arguments, inbounds=True)

    return start(start, types.int64), generate


@intrinsic
def peek(typing_context, start, index):
    """The item at an index."""

    def generate(context, builder, signature, arguments):
        return builder.load(cgutils.gep(builder, *arguments, inbounds=True))

    return start.dtype(start, types.int64), generate


@intrinsic
def poke(typing_context, start, index, value):
    """Set the item at an index."""

    def generate(context, builder, signature, arguments):
        builder.store(arguments[2], cgutils.gep(builder, *arguments[:2], inbounds=True))
        return context.get_dummy_value()

    return types.none(start, types.int64, start.dtype), generate


@step
def sine_cosine(angles, sine, cosine, count):
    """Sines and cosines of ``count`` numbers."""
    for i in range(count):
        s, c = sincos(peek(angles, i))
        poke(sine, i, s)
        poke(cosine, i, c)


@step
def fill(out, value, count):
    """Set ``count`` numbers."""
    for i in range(count):
        poke(out, i, value)


@step
def copy(source, out, count):
    """Copy ``count`` numbers."""
    for i in range(count):
        poke(out, i, peek(source, i))


@step
def read(source, stride, n, out):
    """Read n lanes from strided memory; lanes beyond repeat the last one, so that they hold valid numbers."""
    for i in range(n):
        poke(out, i, peek(source, i * stride))
    last = peek(out, n - 1)
    for i in range(n, LANES):
        poke(out, i, last)


@step
def read_gradient(source, stride, n, out):
    """Read n lanes from strided memory; lanes beyond are zero, so that they add nothing."""
    for i in range(n):
        poke(out, i, peek(source, i * stride))
    for i in range(n, LANES):
        poke(out, i, 0.0)


@step
def write_strided(source, n, out, stride):
    """Write n lanes to strided memory."""
    for i in range(n):
        poke(out, i * stride, peek(source, i))


@inlined
def _turn_columns(pose, i, j, sine, cosine):
    for lane in range(LANES):
        s, c = peek(sine, lane), peek(cosine, lane)
        for r in range(3):
            a, b = peek(pose, (3 * r + i) * LANES + lane), peek(pose, (3 * r + j) * LANES + lane)
            poke(pose, (3 * r + i) * LANES + lane, c * a + s * b)
            poke(pose, (3 * r + j) * LANES + lane, c * b - s * a)


@step
def turn_about_x(pose, sine, cosine):
    """Rotation @ turn about x."""
    _turn_columns(pose, 1, 2, sine, cosine)


@step
def turn_about_y(pose, sine, cosine):
    """Rotation @ turn about y."""
    _turn_columns(pose, 2, 0, sine, cosine)


@step
def turn_about_z(pose, sine, cosine):
    """Rotation @ turn about z."""
    _turn_columns(pose, 0, 1, sine, cosine)


@inlined
def _turn_by(pose, lane, m0, m1, m2, m3, m4, m5, m6, m7, m8):
    for r in range(3):
        a = peek(pose, 3 * r * LANES + lane)
        b = peek(pose, (3 * r + 1) * LANES + lane)
        c = peek(pose, (3 * r + 2) * LANES + lane)
        poke(pose, 3 * r * LANES + lane, a * m0 + b * m3 + c * m6)
        poke(pose, (3 * r + 1) * LANES + lane, a * m1 + b * m4 + c * m7)
        poke(pose, (3 * r + 2) * LANES + lane, a * m2 + b * m5 + c * m8)


@step
def turn_fixed(pose, m):
    """Rotation @ constant matrix."""
    m0, m1, m2, m3, m4 = peek(m, 0), peek(m, 1), peek(m, 2), peek(m, 3), peek(m, 4)
    m5, m6, m7, m8 = peek(m, 5), peek(m, 6), peek(m, 7), peek(m, 8)
    for lane in range(LANES):
        _turn_by(pose, lane, m0, m1, m2, m3, m4, m5, m6, m7, m8)


@step
def turn_general(pose, m, sine, cosine):
    """Rotation @ (C0 + sin C1 + cos C2) with the constant matrices one after another in m."""
    a0, a1, a2, a3, a4 = peek(m, 0), peek(m, 1), peek(m, 2), peek(m, 3), peek(m, 4)
    a5, a6, a7, a8 = peek(m, 5), peek(m, 6), peek(m, 7), peek(m, 8)
    b0, b1, b2, b3, b4 = peek(m, 9), peek(m, 10), peek(m, 11), peek(m, 12), peek(m, 13)
    b5, b6, b7, b8 = peek(m, 14), peek(m, 15), peek(m, 16), peek(m, 17)
    c0, c1, c2, c3, c4 = peek(m, 18), peek(m, 19), peek(m, 20), peek(m, 21), peek(m, 22)
    c5, c6, c7, c8 = peek(m, 23), peek(m, 24), peek(m, 25), peek(m, 26)
    for lane in range(LANES):
        s, c = peek(sine, lane), peek(cosine, lane)
        m0, m1, m2 = a0 + s * b0 + c * c0, a1 + s * b1 + c * c1, a2 + s * b2 + c * c2
        m3, m4, m5 = a3 + s * b3 + c * c3, a4 + s * b4 + c * c4, a5 + s * b5 + c * c5
        m6, m7, m8 = a6 + s * b6 + c * c6, a7 + s * b7 + c * c7, a8 + s * b8 + c * c8
        _turn_by(pose, lane, m0, m1, m2, m3, m4, m5, m6, m7, m8)


@step
def start_pose(parent, shift, pose):
    """Pose of a frame moved in its parent: same rotation, position + rotation @ shift."""
    for lane in range(LANES):
        x, y, z = peek(shift, lane), peek(shift, LANES + lane), peek(shift, 2 * LANES + lane)
        for r in range(3):
            a = peek(parent, 3 * r * LANES + lane)
            b = peek(parent, (3 * r + 1) * LANES + lane)
            c = peek(parent, (3 * r + 2) * LANES + lane)
            poke(pose, 3 * r * LANES + lane, a)
            poke(pose, (3 * r + 1) * LANES + lane, b)
            poke(pose, (3 * r + 2) * LANES + lane, c)
            poke(pose, P + r * LANES + lane, peek(parent, P + r * LANES + lane) + a * x + b * y + c * z)


@step
def transform(pose, vector, out):
    """Position + rotation @ vector."""
    for lane in range(LANES):
        x, y, z = peek(vector, lane), peek(vector, LANES + lane), peek(vector, 2 * LANES + lane)
        for r in range(3):
            a = peek(pose, 3 * r * LANES + lane) * x
            b = peek(pose, (3 * r + 1) * LANES + lane) * y
            c = peek(pose, (3 * r + 2) * LANES + lane) * z
            poke(out, r * LANES + lane, peek(pose, P + r * LANES + lane) + a + b + c)


@step
def move(pose, vector):
    """Move the pose by rotation @ vector."""
    for lane in range(LANES):
        x, y, z = peek(vector, lane), peek(vector, LANES + lane), peek(vector, 2 * LANES + lane)
        for r in range(3):
            a = peek(pose, 3 * r * LANES + lane) * x
            b = peek(pose, (3 * r + 1) * LANES + lane) * y
            c = peek(pose, (3 * r + 2) * LANES + lane) * z
            poke(pose, P + r * LANES + lane, peek(pose, P + r * LANES + lane) + a + b + c)


@step
def rotate(pose, vector, out):
    """Rotation @ vector."""
    for lane in range(LANES):
        x, y, z = peek(vector, lane), peek(vector, LANES + lane), peek(vector, 2 * LANES + lane)
        for r in range(3):
            a = peek(pose, 3 * r * LANES + lane) * x
            b = peek(pose, (3 * r + 1) * LANES + lane) * y
            poke(out, r * LANES + lane, a + b + peek(pose, (3 * r + 2) * LANES + lane) * z)


@step
def rotate_back(pose, vector, out):
    """Transposed rotation @ vector."""
    for lane in range(LANES):
        x, y, z = peek(vector, lane), peek(vector, LANES + lane), peek(vector, 2 * LANES + lane)
        for r in range(3):
            a = peek(pose, r * LANES + lane) * x
            b = peek(pose, (3 + r) * LANES + lane) * y
            poke(out, r * LANES + lane, a + b + peek(pose, (6 + r) * LANES + lane) * z)


@step
def rotate_constant(pose, v, out):
    """Rotation @ constant vector."""
    x, y, z = peek(v, 0), peek(v, 1), peek(v, 2)
    for lane in range(LANES):
        for r in range(3):
            a = peek(pose, 3 * r * LANES + lane) * x
            b = peek(pose, (3 * r + 1) * LANES + lane) * y
            poke(out, r * LANES + lane, a + b + peek(pose, (3 * r + 2) * LANES + lane) * z)


@step
def add(source, out, count):
    """Add ``count`` numbers."""
    for i in range(count):
        poke(out, i, peek(out, i) + peek(source, i))


@step
def add_multiple(a, factor, out):
    """Add factor * a of one row."""
    for lane in range(LANES):
        poke(out, lane, peek(out, lane) + factor * peek(a, lane))


@step
def add_product(a, b, factor, out):
    """Add factor * a * b of one row."""
    for lane in range(LANES):
        poke(out, lane, peek(out, lane) + factor * peek(a, lane) * peek(b, lane))


@step
def product(a, b, out):
    """Product of two rows."""
    for lane in range(LANES):
        poke(out, lane, peek(a, lane) * peek(b, lane))


@step
def add_cross(a, stride, b, out):
    """Add a x b; the components of a lie ``stride`` apart."""
    for lane in range(LANES):
        ax, ay, az = peek(a, lane), peek(a, stride + lane), peek(a, 2 * stride + lane)
        bx, by, bz = peek(b, lane), peek(b, LANES + lane), peek(b, 2 * LANES + lane)
        poke(out, lane, peek(out, lane) + (ay * bz - az * by))
        poke(out, LANES + lane, peek(out, LANES + lane) + (az * bx - ax * bz))
        poke(out, 2 * LANES + lane, peek(out, 2 * LANES + lane) + (ax * by - ay * bx))


@step
def dot(a, b, out):
    """Dot product."""
    for lane in range(LANES):
        x = peek(a, lane) * peek(b, lane)
        y = peek(a, LANES + lane) * peek(b, LANES + lane)
        poke(out, lane, x + y + peek(a, 2 * LANES + lane) * peek(b, 2 * LANES + lane))


@step
def add_transposed_times(m, vector, out):
    """Add the transposed constant matrix @ vector."""
    for r in range(3):
        for c in range(3):
            factor = peek(m, 3 * r + c)
            if factor != 0:
                add_multiple(at(vector, r * LANES), factor, at(out, c * LANES))


@step
def matrix_times(m, vector, out):
    """Constant matrix @ vector."""
    fill(out, 0.0, VECTOR)
    for r in range(3):
        for c in range(3):
            factor = peek(m, 3 * r + c)
            if factor != 0:
                add_multiple(at(vector, c * LANES), factor, at(out, r * LANES))


@step
def total(a):
    """Sum of one row."""
    value = peek(a, 0)
    for lane in range(1, LANES):
        value += peek(a, lane)
    return value
