"""The compiled random numbers have the distributions they are named for."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numba import njit
from scipy import stats

from mcts import rng
from mcts.forest import INFO
from tests.search_setup import draw_gammas, draw_gumbels, draw_uniforms

COUNT = 200_000


@njit
def draw_normals(info, out):
    for i in range(len(out)):
        out[i] = rng.normal(info)


@njit
def draw_below(info, n, out):
    for i in range(len(out)):
        out[i] = rng.below(info, n)


def stream(seed: int = 7):
    info = np.zeros(1, INFO)
    info["stream"] = rng.seed_streams(seed, 1)
    return info


def assert_distributed(sample: np.ndarray, distribution) -> None:
    """Kolmogorov and Smirnov's test; a right generator fails it once in 10,000 seeds."""
    assert stats.kstest(sample, distribution.cdf).pvalue > 1e-4


def test_the_stream_is_splitmix64() -> None:
    """The first outputs for the seed 0, as published with the generator's reference code."""
    info = np.zeros(1, INFO)
    out = np.empty(3)
    draw_uniforms(info, out)
    published = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    expected = [((bits >> 12) + 0.5) * 2.0**-52 for bits in published]
    assert out.tolist() == expected


def test_uniform() -> None:
    out = np.empty(COUNT)
    draw_uniforms(stream(), out)
    assert out.min() > 0.0
    assert out.max() < 1.0
    assert_distributed(out, stats.uniform)
    assert abs(np.corrcoef(out[:-1], out[1:])[0, 1]) < 4 / math.sqrt(COUNT)


def test_below_reaches_every_number_equally() -> None:
    out = np.empty(COUNT, np.int64)
    draw_below(stream(), 7, out)
    counts = np.bincount(out, minlength=7)
    assert len(counts) == 7
    assert stats.chisquare(counts).pvalue > 1e-4


def test_normal() -> None:
    out = np.empty(COUNT)
    draw_normals(stream(), out)
    assert_distributed(out, stats.norm)


def test_gumbel() -> None:
    out = np.empty(COUNT)
    draw_gumbels(stream(), out)
    assert_distributed(out, stats.gumbel_r)
    assert abs(out.mean() - np.euler_gamma) < 0.015


@pytest.mark.parametrize("alpha", [0.03, 0.3, 1.0, 2.5, 40.0])
def test_gamma(alpha: float) -> None:
    out = np.empty(COUNT)
    draw_gammas(stream(), alpha, out)
    assert_distributed(out, stats.gamma(alpha))
    assert abs(out.mean() / alpha - 1) < 5 / math.sqrt(alpha * COUNT)
    assert abs(out.var() / alpha - 1) < 5 * math.sqrt((2 + 6 / alpha) / COUNT)


@pytest.mark.parametrize("alpha", [0.3, 1.0])
def test_dirichlet_shares(alpha: float) -> None:
    """Gammas over their sum: each share is Beta(alpha, (n - 1) alpha)."""
    gammas = np.empty((COUNT // 5, 5))
    draw_gammas(stream(), alpha, gammas.reshape(-1))
    shares = gammas / gammas.sum(axis=1, keepdims=True)
    for k in range(5):
        assert_distributed(shares[:, k], stats.beta(alpha, 4 * alpha))


def test_streams_differ() -> None:
    streams = rng.seed_streams(3, 1000)
    assert streams.dtype == np.uint64
    assert len(set(streams.tolist())) == 1000
    assert not set(streams.tolist()) & set(rng.seed_streams(4, 1000).tolist())


def test_the_wrong_distribution_is_noticed() -> None:
    out = np.empty(COUNT)
    draw_gammas(stream(), 1.0, out)
    with pytest.raises(AssertionError):
        assert_distributed(out, stats.gamma(1.01))
