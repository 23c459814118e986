from dataclasses import replace
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from agents.players import Analysis, RandomPlayer, SearchPlayer
from arena.match.match import Match, MatchResult, Tally, play_batch, play_match
from arena.match.openings import balanced_openings, random_openings
from arena.match.records import MatchKey, MatchLog
from arena.rating.sprt import Sprt
from arena.solvers.players import SolverPlayer
from envs.game import Game
from envs.registry import find_game
from mcts.config import SearchConfig
from mcts.search import Leaves
from store.files.local import LocalFiles

TIC_TAC_TOE = find_game("tic_tac_toe")
CONNECT_FOUR = find_game("connect_four")


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
    result = play_match(TIC_TAC_TOE, a, b, 2, openings=random_openings(TIC_TAC_TOE, 0))
    assert (result.as_first_player, result.as_second_player) == (Tally(1, 0, 0), Tally(0, 0, 1))
    assert result.mean_plies == 7


def test_games_are_asked_about_together() -> None:
    a, b = FirstLegalPlayer(TIC_TAC_TOE, "a"), FirstLegalPlayer(TIC_TAC_TOE, "b")
    play_match(TIC_TAC_TOE, a, b, 40, seed=1)
    assert a.batches[:2] == [20, 20]
    assert len(a.batches) <= 9


class WaitingPlayer(FirstLegalPlayer):
    """Answers its first question only when the other player has been asked too."""

    def __init__(self, game: Game, name: str, both_asked: Barrier) -> None:
        super().__init__(game, name)
        self.both_asked = both_asked

    def choose(self, states: NDArray[Any], rng: np.random.Generator) -> NDArray[np.int64]:
        if not self.batches:
            self.both_asked.wait(timeout=60)
        return super().choose(states, rng)


def test_both_agents_think_at_the_same_time() -> None:
    both_asked = Barrier(2)
    a, b = (WaitingPlayer(TIC_TAC_TOE, name, both_asked) for name in "ab")
    assert play_match(TIC_TAC_TOE, a, b, 4, seed=1).total.games == 4


def network_of_chance(seed: int) -> SearchPlayer:
    """A search whose evaluator has fixed opinions and no rhyme or reason."""
    weights = np.random.default_rng(seed).normal(size=(2 * 6 * 7, 8)).astype(np.float32)

    def evaluate(leaves: Leaves) -> tuple[NDArray[Any], NDArray[Any]]:
        found = np.stack([row.ravel()[: len(weights)] @ weights for row in leaves.planes])
        return np.take_along_axis(found[:, :7], leaves.actions, 1), np.tanh(found[:, 7])

    config = SearchConfig(simulations=12)
    return SearchPlayer(CONNECT_FOUR, [evaluate, evaluate], config, name=f"chance {seed}")


@pytest.mark.parametrize("pairs", [6, pytest.param(24, marks=pytest.mark.slow)])
def test_games_together_are_the_games_one_by_one(pairs: int) -> None:
    players = network_of_chance(1), network_of_chance(2)
    key = MatchKey("connect_four", ("chance 1", "chance 2"), 5, "random:4")
    match = Match(key, random_openings(CONNECT_FOUR, 4))
    together = play_batch(CONNECT_FOUR, players, match.plan(0, pairs))
    alone = [play_batch(CONNECT_FOUR, players, match.plan(i, 1)) for i in range(pairs)]
    np.testing.assert_array_equal(together.points, np.concatenate([b.points for b in alone]))
    np.testing.assert_array_equal(together.plies, np.concatenate([b.plies for b in alone]))
    assert len(np.unique(together.plies)) > pairs // 4


def test_a_player_may_meet_itself() -> None:
    player = network_of_chance(1)
    assert play_match(CONNECT_FOUR, player, player, 4).total.games == 4


def test_a_solver_never_loses_where_the_opening_is_a_draw() -> None:
    solver, chance = SolverPlayer(TIC_TAC_TOE), RandomPlayer(TIC_TAC_TOE)
    result = play_match(
        TIC_TAC_TOE, solver, chance, 60, seed=2, openings=random_openings(TIC_TAC_TOE, 1)
    )
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


# --- records and tests ----------------------------------------------------------------------------


class CountingPlayer(RandomPlayer):
    """A random player that counts the games it is asked about first."""

    def __init__(self, name: str) -> None:
        super().__init__(TIC_TAC_TOE)
        self.name = name
        self.asked = 0

    def choose(self, states: NDArray[Any], rng: np.random.Generator) -> NDArray[np.int64]:
        self.asked += len(states)
        return super().choose(states, rng)


def recorded(folder: Path, games: int | None, **options: Any) -> tuple[MatchResult, int]:
    """The result of a match with records in that folder, and how often a move was asked for."""
    one, other = CountingPlayer("one"), CountingPlayer("other")
    key = MatchKey("tic_tac_toe", ("one", "other"), 5, "random:3")
    log = MatchLog(LocalFiles(folder), key)
    result = play_match(TIC_TAC_TOE, one, other, games, seed=5, log=log, **options)
    return result, one.asked


def test_a_recorded_match_is_not_played_again(tmp_path: Path) -> None:
    first, asked = recorded(tmp_path, 40)
    again, asked_again = recorded(tmp_path, 40)
    assert (asked > 0, asked_again) == (True, 0)
    assert replace(again, resumed_games=0) == first
    assert again.resumed_games == 40
    shorter, _ = recorded(tmp_path, 10)
    assert (shorter.total.games, shorter.resumed_games) == (10, 10)


def test_a_match_cut_anywhere_comes_to_the_same_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arena.match.match.PAIRS_AT_ONCE", 8)
    whole, _ = recorded(tmp_path / "whole", 60)
    recorded(tmp_path / "cut", 60)
    files = sorted((tmp_path / "cut/matches").iterdir())
    assert len(files) == 4
    for path in files[2:]:
        path.unlink()
    resumed, _ = recorded(tmp_path / "cut", 60)
    assert replace(resumed, resumed_games=0) == whole
    assert resumed.resumed_games == 32


def test_more_games_go_on_after_those_recorded(tmp_path: Path) -> None:
    short, _ = recorded(tmp_path, 20)
    longer, _ = recorded(tmp_path, 60)
    assert (longer.total.games, longer.resumed_games) == (60, 20)
    assert longer.total.wins > short.total.wins


def test_a_sequential_test_stops_as_soon_as_it_knows(tmp_path: Path) -> None:
    solver, chance = SolverPlayer(TIC_TAC_TOE), RandomPlayer(TIC_TAC_TOE)
    result = play_match(TIC_TAC_TOE, solver, chance, sprt=Sprt(0, 100))
    assert result.sprt is not None
    assert result.sprt.decision == "elo1"
    assert result.total.games % 64 == 0
    assert result.total.games < 1000
    assert result.to_json()["sprt"]["decision"] == "elo1"


def test_a_decided_test_plays_no_more_and_an_undecided_one_says_so(tmp_path: Path) -> None:
    short, _ = recorded(tmp_path, 64, sprt=Sprt(0, 5))
    assert short.sprt is not None
    assert short.sprt.decision == "undecided"
    decided, _ = recorded(tmp_path, None, sprt=Sprt(-100, 0))
    again, asked = recorded(tmp_path, None, sprt=Sprt(-100, 0))
    assert asked == 0
    assert replace(again, resumed_games=decided.resumed_games) == decided


def test_a_match_longer_than_its_openings_is_refused() -> None:
    game = find_game("connect_four")
    player = RandomPlayer(game)
    with pytest.raises(ValueError, match="20000 games: there are 88 balanced openings"):
        play_match(game, player, player, 20_000, openings=balanced_openings(game))
