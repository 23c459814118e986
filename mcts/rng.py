"""Random numbers in compiled code: one stream per tree, so batch order does not change a search.

SplitMix64 (Steele, Lea & Flood 2014). The stream is the field `stream`, uint64, of the first record
of the array `info`, which every function here takes.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# Numba infers the types of compiled functions; the records they take have no Python type.

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mcts.compile import inlined

GAMMA = np.uint64(0x9E3779B97F4A7C15)
MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
MIX_2 = np.uint64(0x94D049BB133111EB)


def seed_streams(seed: int, count: int) -> NDArray[np.uint64]:
    """Derive independent stream states uint64 [count] from one seed."""
    return np.random.SeedSequence(seed).generate_state(count, np.uint64).astype(np.uint64)


@inlined
def next_u64(info):
    """Advance the stream and return 64 random bits."""
    z = info[0].stream + GAMMA
    info[0].stream = z
    z = (z ^ (z >> np.uint64(30))) * MIX_1
    z = (z ^ (z >> np.uint64(27))) * MIX_2
    return z ^ (z >> np.uint64(31))


@inlined
def uniform(info):
    """Draw a double in (0, 1), never 0, so that its logarithm exists."""
    return (np.float64(next_u64(info) >> np.uint64(12)) + 0.5) * 2.0**-52


@inlined
def below(info, n):
    """Draw an integer in [0, n); its bias of at most n / 2^52 does not matter here."""
    return np.int64(uniform(info) * n)


@inlined
def gumbel(info):
    """Draw a standard Gumbel variate."""
    return -np.log(-np.log(uniform(info)))


@inlined
def normal(info):
    """Draw a standard normal variate (Box & Muller 1958)."""
    radius = np.sqrt(-2.0 * np.log(uniform(info)))
    return radius * np.cos(2.0 * np.pi * uniform(info))


@inlined
def gamma(info, shape):
    """Draw a Gamma(shape, 1) variate (Marsaglia & Tsang 2000), boosted for shape < 1."""
    boost = 1.0
    if shape < 1.0:
        boost = uniform(info) ** (1.0 / shape)
        shape += 1.0
    d = shape - 1.0 / 3.0
    c = 1.0 / np.sqrt(9.0 * d)
    while True:
        x = normal(info)
        v = (1.0 + c * x) ** 3
        if v > 0.0 and np.log(uniform(info)) < 0.5 * x * x + d - d * v + d * np.log(v):
            return boost * d * v
