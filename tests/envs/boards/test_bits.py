"""The intrinsics, compiled and in plain Python, against text of bits."""

import random

import numpy as np
import pytest
from numba import njit

from envs.boards import bits

NUMBERS = [0, 1, 2, 1 << 63, 2**64 - 1, *(random.Random(0).getrandbits(64) for _ in range(20))]


@njit
def all_compiled(number, amount):
    return (
        bits.popcount(number),
        bits.lowest_bit(number),
        bits.highest_bit(number),
        bits.reverse_bits(number),
        bits.byte_swap(number),
        bits.rotate_left(number, amount),
        bits.multiply(number, number),
    )


@pytest.mark.parametrize("apply", [all_compiled, all_compiled.py_func])
@pytest.mark.parametrize("amount", [0, 1, 32, 63])
def test_against_text(apply, amount):
    for number in NUMBERS:
        text = f"{number:064b}"
        rotated = text[amount:] + text[:amount]
        octets = [text[i : i + 8] for i in range(0, 64, 8)]
        assert apply(np.uint64(number), np.uint64(amount)) == (
            text.count("1"),
            64 - len(text.rstrip("0")),
            len(text.lstrip("0")) - 1,
            int(text[::-1], 2),
            int("".join(reversed(octets)), 2),
            int(rotated, 2),
            number * number % 2**64,
        )
