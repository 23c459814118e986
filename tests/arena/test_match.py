from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from agents.players import Analysis, RandomPlayer
from arena.match import Tally, play_match, random_openings
from arena.solver_players import SolverPlayer
from envs.game import Game
from envs.registry import find_game

TIC_TAC_TOE = find_game("tic_tac_toe")


class FirstLegalPlayer:
    """Plays the lowest legal action, and keeps what it was asked."""

    def __init__(self, game: Game, name: str) -> None:
        self.game = game
        self.name = name
        self.batches: list[int] = []

    def choose(self, states: NDArray[Any], rng: np.random.Generator) -> NDArray[np.int64]:
        self.batches.append(len(states))
        return np.array([np.flatnonzero(self.game.legal_mask(s))[0] for s in states])

    def analyze(self, states: NDArray[Any]) -> Analysis:
        raise AssertionError("a match asks for moves alone")


def test_both_colours_of_an_opening_mirror_each_other() -> None:
    """Two players that play alike win exactly as often as each other, pair by pair."""
    a, b = FirstLegalPlayer(TIC_TAC_TOE, "a"), FirstLegalPlayer(TIC_TAC_TOE, "b")
    result = play_match(TIC_TAC_TOE, a, b, 40, seed=1)
    assert result.pairs == (0, 0, 20, 0, 0)
    assert result.total.score == 0.5
    first, second = result.as_first_player, result.as_second_player
    assert (first.wins, first.losses) == (second.losses, second.wins)


def test_the_first_player_is_the_one_who_moves_first() -> None:
    """Without an opening, lowest cell first, the first player completes the diagonal a3 b2 c1."""
    a, b = FirstLegalPlayer(TIC_TAC_TOE, "a"), FirstLegalPlayer(TIC_TAC_TOE, "b")
    result = play_match(TIC_TAC_TOE, a, b, 2, opening_plies=0)
    assert (result.as_first_player, result.as_second_player) == (Tally(1, 0, 0), Tally(0, 0, 1))
    assert result.mean_plies == 7


def test_games_are_asked_about_together() -> None:
    a, b = FirstLegalPlayer(TIC_TAC_TOE, "a"), FirstLegalPlayer(TIC_TAC_TOE, "b")
    play_match(TIC_TAC_TOE, a, b, 40, seed=1)
    assert a.batches[:2] == [20, 20]
    assert len(a.batches) <= 9


def test_a_solver_never_loses_where_the_opening_is_a_draw() -> None:
    solver, chance = SolverPlayer(TIC_TAC_TOE), RandomPlayer(TIC_TAC_TOE)
    result = play_match(TIC_TAC_TOE, solver, chance, 60, seed=2, opening_plies=1)
    assert result.total.losses == 0
    assert result.total.score > 0.8
    assert result.interval[0] < result.total.score <= result.interval[1]


def test_the_seed_decides_everything() -> None:
    def record(seed: int) -> dict[str, Any]:
        players = [RandomPlayer(TIC_TAC_TOE), RandomPlayer(TIC_TAC_TOE)]
        return play_match(TIC_TAC_TOE, *players, 100, seed=seed).to_json()

    assert record(1) == record(1)
    assert record(1)["total"] != record(2)["total"]


@pytest.mark.parametrize("games", [-2, 0, 3])
def test_games_come_in_pairs(games: int) -> None:
    player = RandomPlayer(TIC_TAC_TOE)
    with pytest.raises(ValueError, match=f"{games} games: expected an even number"):
        play_match(TIC_TAC_TOE, player, player, games)


def test_openings_differ_and_are_not_over() -> None:
    game = find_game("connect_four")
    openings = random_openings(game, 50, 9, np.random.default_rng(0))
    assert len({state.tobytes() for state in openings}) == 50
    assert (openings["ply"] == 9).all()
    assert not any(game.rules.is_terminal(state) for state in openings)


def test_openings_longer_than_the_game_are_refused() -> None:
    with pytest.raises(ValueError, match="openings of 9 plies"):
        random_openings(TIC_TAC_TOE, 1, 9, np.random.default_rng(0))
