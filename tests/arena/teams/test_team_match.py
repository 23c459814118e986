"""Results of matches of teams: their numbers, their text, and that recorded ones go on."""

from pathlib import Path

import numpy as np
import pytest

from arena.match.records import MatchKey, MatchLog, read_matches
from arena.rating.elo import score_interval
from arena.rating.sprt import Sprt
from arena.teams.match import play_team_match
from arena.teams.playing import SEEDS
from tests.arena.team_games import TOY, Chooser, make_run


def agents() -> tuple[Chooser, Chooser]:
    return Chooser("r@5", 2, 9), Chooser("low", 1, 8)


def test_a_result_counts_matches_sides_and_pairs() -> None:
    result, text = play_team_match(TOY, *agents(), 60, seed=3)
    total, left, right = result.total, result.as_left, result.as_right
    assert total.games == 60
    assert left.games == right.games == 30
    assert total.wins == left.wins + right.wins
    assert sum(result.pairs) == 30
    assert total.score == pytest.approx(np.dot(result.pairs, [0, 1, 2, 3, 4]) / 120)
    pair_scores = np.repeat([0, 0.25, 0.5, 0.75, 1], result.pairs)
    assert result.interval == pytest.approx(score_interval(pair_scores))
    assert result.mean_minutes == pytest.approx(result.mean_decisions / 2)  # 30 s a step
    assert f"as left team   {left.wins} won, {left.draws} drawn" in text
    document = result.to_json()
    assert document["score"] == total.score
    assert document["as_left"] == vars(left)
    assert "sprt" not in document


def test_the_seed_decides_a_match() -> None:
    found = [play_team_match(TOY, *agents(), 60, seed=seed)[0] for seed in (1, 1, 2)]
    assert found[0] == found[1]
    assert found[0].total != found[2].total


def test_a_recorded_match_goes_on(tmp_path: Path) -> None:
    run = make_run(tmp_path, "r", 5)
    log = MatchLog(run.files, MatchKey("toy", ("r@5", "low"), 0, SEEDS))
    first, _ = play_team_match(TOY, *agents(), 20, log=log)
    seen = agents()
    again, text = play_team_match(TOY, *seen, 20, log=log)
    assert not seen[0].seen
    assert (again.total, again.resumed_games) == (first.total, 20)
    assert "20 recorded before" in text
    more, _ = play_team_match(TOY, *agents(), 30, log=log)
    assert (more.total.games, more.resumed_games) == (30, 20)
    assert sum(len(batch.points) for _, batch in read_matches(run.files)) == 15
    ids = [name for _, batch in read_matches(run.files) for name in batch.opening_ids or ()]
    assert len({*ids}) == 15


def test_a_test_ends_a_match_early() -> None:
    strong, weak = Chooser("a", 5, 9), Chooser("b", 0, 5)
    result, text = play_team_match(TOY, strong, weak, 2000, sprt=Sprt(0, 50))
    assert result.total.games < 2000
    assert result.sprt is not None
    assert result.to_json()["sprt"]["decision"] == "elo1"
    assert "elo1 accepted" in text


def test_an_odd_number_of_matches_is_refused() -> None:
    with pytest.raises(ValueError, match="3 games: expected an even number"):
        play_team_match(TOY, *agents(), 3)
