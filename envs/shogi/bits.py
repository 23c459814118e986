"""Bits of 64-bit words, as one machine instruction in compiled code and as plain Python.

A board of up to 128 cells is two words: cells 0 to 63 in the low one, the others in the high one.
"""

# mypy: disable-error-code="no-untyped-def, call-arg"

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic, overload, register_jitable

ZERO, ONE, WORD = np.uint64(0), np.uint64(1), np.uint64(64)


def popcount(word: Any) -> int:
    """Count the bits set in a uint64."""
    return int(word).bit_count()


def lowest_bit(word: Any) -> int:
    """Return the index of the lowest bit set in a uint64 that is not 0."""
    return (int(word) & -int(word)).bit_length() - 1


def highest_bit(word: Any) -> int:
    """Return the index of the highest bit set in a uint64 that is not 0."""
    return int(word).bit_length() - 1


def reverse_bits(word: Any) -> Any:
    """Return a uint64 with its 64 bits in the opposite order."""
    return np.uint64(int(f"{int(word):064b}"[::-1], 2))


@intrinsic
def _popcount(typingctx, word):
    def codegen(context, builder, signature, args):
        return builder.ctpop(args[0])

    return types.int64(types.uint64), codegen


@intrinsic
def _lowest_bit(typingctx, word):
    def codegen(context, builder, signature, args):
        undefined_for_zero = context.get_constant(types.boolean, True)
        return builder.cttz(args[0], undefined_for_zero)

    return types.int64(types.uint64), codegen


@intrinsic
def _highest_bit(typingctx, word):
    def codegen(context, builder, signature, args):
        undefined_for_zero = context.get_constant(types.boolean, True)
        zeros = builder.ctlz(args[0], undefined_for_zero)
        return builder.sub(context.get_constant(types.int64, 63), zeros)

    return types.int64(types.uint64), codegen


@intrinsic
def _reverse_bits(typingctx, word):
    def codegen(context, builder, signature, args):
        return builder.bitreverse(args[0])

    return types.uint64(types.uint64), codegen


@overload(popcount)
def _compiled_popcount(word):
    return lambda word: _popcount(word)


@overload(lowest_bit)
def _compiled_lowest_bit(word):
    return lambda word: _lowest_bit(word)


@overload(highest_bit)
def _compiled_highest_bit(word):
    return lambda word: _highest_bit(word)


@overload(reverse_bits)
def _compiled_reverse_bits(word):
    return lambda word: _reverse_bits(word)


@register_jitable
def has(low: Any, high: Any, cell: int) -> bool:
    """Return whether the cell is in the set."""
    if cell < 64:
        return (low >> np.uint64(cell)) & ONE != ZERO
    return (high >> np.uint64(cell - 64)) & ONE != ZERO


@register_jitable
def only(cell: int) -> Any:
    """Return the set of one cell, as its two words."""
    if cell < 64:
        return ONE << np.uint64(cell), ZERO
    return ZERO, ONE << np.uint64(cell - 64)


@register_jitable
def lowest_cell(low: Any, high: Any) -> int:
    """Return the lowest cell of a set that is not empty."""
    return lowest_bit(low) if low != ZERO else 64 + lowest_bit(high)


@register_jitable
def highest_cell(low: Any, high: Any) -> int:
    """Return the highest cell of a set that is not empty."""
    return 64 + highest_bit(high) if high != ZERO else highest_bit(low)
