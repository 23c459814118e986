"""The contract suite on a few games: plain Python takes milliseconds a position."""

import pytest

from envs.checks.contract import check
from envs.registry import find_game


def test_minishogi_keeps_the_contract():
    report = check(find_game("minishogi"), games=1, seed=5)
    assert report.ok, report


@pytest.mark.slow
def test_shogi_keeps_the_contract():
    report = check(find_game("shogi"), games=1, seed=5)
    assert report.ok, report
