"""Random games move by move against the package `chess`."""

import chess
import pytest

from envs.chess.notation import chess_move, format_pgn, format_san, format_uci, parse_move
from envs.chess.board import STANDARD
from envs.game import NotationError
from envs.registry import find_game
from tests.envs.chess.playing import compare_games

GAME = find_game("chess")


def test_random_games():
    done, outcomes = compare_games(3000, seed=2)
    assert done >= 3000
    assert sum(outcomes.values()) > 5


@pytest.mark.slow
def test_many_random_games():
    _, outcomes = compare_games(20_000, seed=3, compiled=True)
    assert min(count for outcome, count in outcomes.items() if outcome) > 0, outcomes
