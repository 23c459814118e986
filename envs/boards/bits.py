"""Instructions on 64-bit boards: popcount, lowest and highest bit, reversal, rotation.

Numba has no such functions, so compiled code gets LLVM's intrinsics; in plain Python the same names
are ordinary functions of `np.uint64`.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.core.cgutils import false_bit
from numba.extending import intrinsic, overload

from envs.compiled.jitable import jitable

SIXTY_FOUR = np.uint64(64)
SIX_BITS = np.uint64(63)


def popcount(bits: Any) -> int:
    """Return the number of bits set in a uint64, as an int64."""
    return int(bits).bit_count()


def lowest_bit(bits: Any) -> int:
    """Return the index of the lowest bit set in a uint64, as an int64; 64 if there is none."""
    number = int(bits)
    return (number & -number).bit_length() - 1 if number else 64


def highest_bit(bits: Any) -> int:
    """Return the index of the highest bit set in a uint64, as an int64; -1 if there is none."""
    return int(bits).bit_length() - 1


def reverse_bits(bits: Any) -> Any:
    """Return a uint64 with its 64 bits in the opposite order."""
    return np.uint64(int(f"{int(bits):064b}"[::-1], 2))


def byte_swap(bits: Any) -> Any:
    """Return the uint64 with its eight bytes in reverse order: an 8x8 board upside down."""
    return np.uint64(int.from_bytes(int(bits).to_bytes(8, "little"), "big"))


def multiply(left: Any, right: Any) -> Any:
    """Return the product of two uint64 modulo 2**64, without a warning of overflow."""
    return np.uint64(int(left) * int(right) & 0xFFFFFFFFFFFFFFFF)


@jitable
def rotate_left(bits: Any, amount: Any) -> Any:
    """Rotate a uint64 by 0 to 63 bits (uint64) towards its high end; one instruction compiled."""
    return (bits << amount) | (bits >> ((SIXTY_FOUR - amount) & SIX_BITS))


@intrinsic
def _ctpop(typingctx, bits):
    def build(context, builder, signature, args):
        return builder.ctpop(args[0])

    return types.int64(types.uint64), build


@intrinsic
def _cttz(typingctx, bits):
    def build(context, builder, signature, args):
        return builder.cttz(args[0], false_bit)

    return types.int64(types.uint64), build


@intrinsic
def _ctlz(typingctx, bits):
    def build(context, builder, signature, args):
        zeros = builder.ctlz(args[0], false_bit)
        return builder.sub(context.get_constant(types.int64, 63), zeros)

    return types.int64(types.uint64), build


@intrinsic
def _bitreverse(typingctx, bits):
    def build(context, builder, signature, args):
        return builder.bitreverse(args[0])

    return types.uint64(types.uint64), build


@intrinsic
def _bswap(typingctx, bits):
    def build(context, builder, signature, args):
        return builder.bswap(args[0])

    return types.uint64(types.uint64), build


@overload(popcount)
def _popcount(bits):
    return lambda bits: _ctpop(bits)  # type: ignore[call-arg]


@overload(lowest_bit)
def _lowest_bit(bits):
    return lambda bits: _cttz(bits)  # type: ignore[call-arg]


@overload(highest_bit)
def _highest_bit(bits):
    return lambda bits: _ctlz(bits)  # type: ignore[call-arg]


@overload(reverse_bits)
def _reverse_bits(bits):
    return lambda bits: _bitreverse(bits)  # type: ignore[call-arg]


@overload(byte_swap)
def _byte_swap(bits):
    return lambda bits: _bswap(bits)  # type: ignore[call-arg]


@overload(multiply)
def _multiply(left, right):
    return lambda left, right: left * right
