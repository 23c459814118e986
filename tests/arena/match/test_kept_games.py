from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.players import RandomPlayer
from arena.game_records import RecordFile, read_games
from arena.match.kept_games import KeptGames
from arena.match.match import play_match
from arena.match.openings import position_opening, random_openings
from envs.game import Game
from envs.registry import find_game


class FirstLegalPlayer(RandomPlayer):
    """Plays the lowest legal action, or one of these words where it is given."""

    def __init__(self, game: Game, name: str, word: str = "") -> None:
        super().__init__(game)
        self.name, self.word = name, word

    def choose(self, states: Any, rng: Any, *past: Any) -> Any:
        if self.word:
            return np.array([self.game.parse_legal(state, self.word) for state in states])
        return np.array([self.game.legal_actions(state).min() for state in states])


@pytest.mark.parametrize(
    "game", ["tic_tac_toe", "gomoku9", pytest.param("chess", marks=pytest.mark.slow)]
)
def test_the_kept_games_are_those_of_the_result(game: str, tmp_path: Path) -> None:
    found = find_game(game)
    one, other = FirstLegalPlayer(found, "one"), RandomPlayer(found)
    kept = KeptGames(found, RecordFile(found, tmp_path / "games.txt"))
    openings = random_openings(found, 2)
    result = play_match(found, one, other, 4, openings=openings, keep=kept)
    games = [g.record for g in read_games(found, tmp_path / "games.txt")]
    assert len(games) == 4
    values, plies = [], []
    for number, record in enumerate(games):
        last = found.line(record.moves, record.start)[-1]
        assert found.rules.is_terminal(last)
        value = float(found.rules.value_to_play(last))
        first_won = -value if found.rules.to_play(last) else value
        values.append(-first_won if number % 2 else first_won)
        plies.append(len(record.moves))
    total = result.total
    assert [values.count(v) for v in (1.0, 0.0, -1.0)] == [total.wins, total.draws, total.losses]
    assert np.mean(plies) == pytest.approx(result.mean_plies)
    text = (tmp_path / "games.txt").read_text().splitlines()[::3]
    seats = [(line.index("one"), line.index("random")) for line in text]
    assert [a < b for a, b in seats] == [True, False, True, False]


def test_a_match_from_a_position_swaps_its_sides(tmp_path: Path) -> None:
    """White mates in one, so whoever has White wins."""
    chess = find_game("chess")
    kept = KeptGames(chess, RecordFile(chess, tmp_path / "games.pgn"))
    opening = position_opening(chess, "k7/7R/1K6/8/8/8/8/8 w - - 0 1")
    first = FirstLegalPlayer(chess, "one", "Rh8")
    result = play_match(chess, first, first, 2, openings=opening, keep=kept)
    assert (result.as_first_player.wins, result.as_second_player.losses) == (1, 1)
    games = [g.record for g in read_games(chess, tmp_path / "games.pgn")]
    assert [chess.format_position(g.start) for g in games] == ["k7/7R/1K6/8/8/8/8/8 w - - 0 1"] * 2
    assert [(g.points, len(g.moves)) for g in games] == [(1.0, 1)] * 2
