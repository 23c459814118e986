"""Perft of shogi and minishogi: published counts."""

import pytest

from envs.checks.perft import perft
from envs.registry import find_game

MOST_MOVES = "R8/2K1S1SSk/4B4/9/9/9/9/9/1L1L1L3 b RBGSNLP3g3n17p 1"


@pytest.mark.parametrize(("depth", "nodes"), [(1, 30), (2, 900), (3, 25470)])
def test_shogi(depth, nodes):
    assert perft(find_game("shogi"), depth) == nodes


@pytest.mark.slow
@pytest.mark.parametrize(("depth", "nodes"), [(4, 719731), (5, 19861490)])
def test_shogi_deeper(depth, nodes):
    assert perft(find_game("shogi"), depth) == nodes


def test_the_position_with_most_moves():
    game = find_game("shogi")
    start = game.parse_position(MOST_MOVES)
    assert perft(game, 1, start=start) == 593 == game.max_legal
    assert perft(game, 2, start=start) == 105677


@pytest.mark.parametrize(("depth", "nodes"), [(1, 14), (2, 181), (3, 2512), (4, 35401)])
def test_minishogi(depth, nodes):
    assert perft(find_game("minishogi"), depth) == nodes


@pytest.mark.slow
def test_minishogi_deeper():
    assert perft(find_game("minishogi"), 5) == 533203
