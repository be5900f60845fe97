"""Operations on short rows of numbers that the compiled kernel takes four at a time.

LLVM's own vector loops need sixteen numbers or more; rows of the kernel are shorter. Rows are padded to whole blocks of
``BLOCK`` numbers, and what lies beyond a row's last number may be anything finite.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic as typed_intrinsic
from numba.np import arrayobj

BLOCK = 4
_VECTOR = ir.VectorType(ir.DoubleType(), BLOCK)
_EXACTNESS = ("contract", "nsz")

intrinsic: Any = typed_intrinsic


def padded(count: int) -> int:
    """The count rounded up to whole blocks."""
    return -(-count // BLOCK) * BLOCK


def _row(context, builder, kind, array, index):
    """Pointer to the first number of a row of a contiguous matrix."""
    view = arrayobj.make_array(kind)(context, builder, array)
    width = cgutils.unpack_tuple(builder, view.shape, kind.ndim)[-1]
    return builder.gep(view.data, [builder.mul(index, width)])


def _block(builder, row, number):
    place = builder.gep(row, [builder.mul(number, ir.Constant(number.type, BLOCK))])
    return builder.bitcast(place, _VECTOR.as_pointer())


def _all(builder, value):
    """A vector of one value."""
    one = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(ir.IntType(32), BLOCK), [0] * BLOCK))


def _combination(adds: bool) -> Any:
    def combine(typing_context, target, i, rows, first, factors, blocks):
        def generate(context, builder, signature, arguments):
            into = _row(context, builder, target, arguments[0], arguments[1])
            shares = [_all(builder, f) for f in cgutils.unpack_tuple(builder, arguments[4], factors.count)]
            sources = [
                _row(context, builder, rows, arguments[2], builder.add(arguments[3], ir.Constant(ir.IntType(64), c)))
                for c in range(factors.count)
            ]
            with cgutils.for_range(builder, arguments[5]) as loop:
                place = _block(builder, into, loop.index)
                total = builder.load(place, align=8) if adds else ir.Constant(_VECTOR, [0.0] * BLOCK)
                for share, source in zip(shares, sources):
                    value = builder.load(_block(builder, source, loop.index), align=8)
                    total = builder.fadd(total, builder.fmul(share, value, _EXACTNESS), _EXACTNESS)
                builder.store(total, place, align=8)
            return context.get_dummy_value()

        return types.none(target, types.int64, rows, types.int64, factors, types.int64), generate

    return intrinsic(combine)


# ``add_rows(target, i, rows, first, factors, blocks)``: target[i] += sum_c factors[c] * rows[first + c] over the first
# blocks, with a tuple of factors; ``set_rows`` sets instead of adding.
add_rows, set_rows = _combination(True), _combination(False)


@intrinsic
def row_product(typing_context, rows, i, vector, blocks):
    """``rows[i] @ vector`` over the first blocks."""

    def generate(context, builder, signature, arguments):
        zero = ir.Constant(ir.IntType(64), 0)
        a = _row(context, builder, rows, arguments[0], arguments[1])
        b = _row(context, builder, vector, arguments[2], zero)
        total = cgutils.alloca_once_value(builder, ir.Constant(_VECTOR, [0.0] * BLOCK))
        with cgutils.for_range(builder, arguments[3]) as loop:
            x, y = (builder.load(_block(builder, row, loop.index), align=8) for row in (a, b))
            product = builder.fmul(x, y, _EXACTNESS)
            builder.store(builder.fadd(builder.load(total), product, _EXACTNESS), total)
        parts = builder.load(total)
        lanes = [builder.extract_element(parts, ir.Constant(ir.IntType(32), k)) for k in range(BLOCK)]
        return builder.fadd(builder.fadd(lanes[0], lanes[1]), builder.fadd(lanes[2], lanes[3]))

    return types.float64(rows, types.int64, vector, types.int64), generate
