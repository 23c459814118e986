"""Sets of a board's points as uint64 words: bit operations, and small arrays on the stack.

Bit `row * (columns + 1) + column` (row 0 at the top) is a point. The column after the last one
stays empty, so that a shift by one does not wrap into the next row; a shift by `columns + 1` is a
row. 19x19 takes six words either way.

Compiled rules need a few words of scratch memory for each step; an allocation would cost more than
the step. Each function here is one instruction or so in compiled code, and plain Python otherwise.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,call-arg"

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import lower_builtin, type_callable
from numpy.typing import NDArray

from envs.compiled.jitable import jitable

ZERO, ONE, SIX, LOW_SIX = np.uint64(0), np.uint64(1), np.uint64(6), np.uint64(63)
WORD_BITS = 64


def to_words(points: Iterable[int], rows: int, columns: int) -> NDArray[np.uint64]:
    """Return a set of points, given as row * columns + column, as uint64 [words]."""
    bits = sum(1 << point + point // columns for point in points)
    count = -(-rows * (columns + 1) // WORD_BITS)
    return np.array([bits >> WORD_BITS * w & (1 << WORD_BITS) - 1 for w in range(count)], np.uint64)


def to_cells(words: NDArray[np.uint64], rows: int, columns: int) -> list[int]:
    """Return the points of a set, ascending, each as row * columns + column."""
    bits = int.from_bytes(words.astype("<u8").tobytes(), "little")
    return [point for point in range(rows * columns) if bits >> point + point // columns & 1]


@jitable
def set_point(points: Any, point: Any) -> None:
    """Add a point to a set."""
    bit = np.uint64(point)
    points[bit >> SIX] |= ONE << (bit & LOW_SIX)


@jitable
def has_point(points: Any, point: Any) -> bool:
    """Return whether a point is in a set; False outside its words."""
    if point < 0 or point >= len(points) * WORD_BITS:
        return False
    bit = np.uint64(point)
    return (points[bit >> SIX] >> (bit & LOW_SIX)) & ONE != ZERO


def stack_words(count: int) -> Callable[[], Any]:
    """Return a function that makes an array of zeros, uint64 [count], on the caller's stack.

    The array must not outlive the function that asks for it.
    """

    def words() -> Any:
        return np.zeros(count, np.uint64)

    @type_callable(words)
    def _type(context):
        return lambda: types.Array(types.uint64, 1, "C")

    @lower_builtin(words)
    def _lower(context, builder, signature, args):
        kind = ir.ArrayType(ir.IntType(64), count)
        data = cgutils.alloca_once(builder, kind)
        builder.store(ir.Constant(kind, None), data)
        made = context.make_array(signature.return_type)(context, builder)
        context.populate_array(
            made,
            data=builder.bitcast(data, made.data.type),
            shape=[context.get_constant(types.intp, count)],
            strides=[context.get_constant(types.intp, 8)],
            itemsize=context.get_constant(types.intp, 8),
            meminfo=None,
        )
        return made._getvalue()

    return words
